/// ONNX Size: the number of elements as an int64 scalar.
public struct Size: Operator, Hashable {
    public init() {}

    public var name: String { "Size" }

    /// The output for an input of this shape.
    func count(of shape: [Int]) -> Tensor { Tensor(integers: [shape.reduce(1, *)], shape: []) }
}

extension Size {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        _ = try inputs.operand(0, "data")
        return [TensorType(.int64, [])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] { [count(of: inputs[0]!.shape)] }
}
