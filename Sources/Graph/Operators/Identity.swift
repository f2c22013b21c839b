/// ONNX Identity.
public struct Identity: Operator, Hashable {
    public init() {}

    public var name: String { "Identity" }
}

extension Identity {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        [try inputs.operand(0, "x").type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] { [inputs[0]!] }
}
