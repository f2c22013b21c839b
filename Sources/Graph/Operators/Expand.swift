/// ONNX Expand: inputs data, shape.
public struct Expand: Operator, Hashable {
    public init() {}

    public var name: String { "Expand" }
}

extension Expand {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, target) = (try inputs.operand(0, "data"), try inputs.operand(1, "shape"))
        try target.requireRank(1...1)
        guard let extents = try target.integers() else { return [TensorType(data.elementType, nil)] }
        guard extents.allSatisfy({ $0 >= 0 }) else {
            throw target.error(expected: "extents that are not negative", found: "\(extents)")
        }
        let wanted = Operand(subject: target.subject, facts: InputFacts(type: TensorType(data.elementType, extents)))
        return [TensorType(data.elementType, try broadcast([data, wanted]))]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        return [inputs[0]!.strided(shape: shape, strides: broadcastStrides(inputs[0]!.shape, to: shape))]
    }
}
