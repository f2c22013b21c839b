/// ONNX Dropout in inference form: inputs data, ratio?, training mode?. Outputs data unchanged, mask of all true.
public struct Dropout: Operator, Hashable {
    public init() {}

    public var name: String { "Dropout" }
}

extension Dropout {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        return [data.type, TensorType(.bool, data.shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let data = inputs[0]!
        return [data, Tensor([Bool](repeating: true, count: data.count), shape: data.shape)]
    }
}
