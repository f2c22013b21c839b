/// ONNX Unsqueeze: inputs data, axes.
public struct Unsqueeze: Operator, Hashable {
    public init() {}

    public var name: String { "Unsqueeze" }
}

extension Unsqueeze {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, axes) = (try inputs.operand(0, "data"), try inputs.operand(1, "axes"))
        guard let values = try axes.integers(), let shape = data.shape else {
            return [TensorType(data.elementType, nil)]
        }
        let rank = shape.count + values.count
        let added = try normalized(axes: values, rank: rank, subject: axes.subject)
        var extents = shape.makeIterator()
        return [TensorType(data.elementType, (0..<rank).map { added.contains($0) ? 1 : extents.next()! })]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        [inputs[0]!.reshaped(try outputShape(inputs))]
    }
}
