/// ONNX ScatterElements without reduction: inputs data, indices, updates.
public struct ScatterElements: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "ScatterElements" }
}

extension ScatterElements {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, indices) = (try inputs.operand(0, "data"), try inputs.operand(1, "indices"))
        let updates = try inputs.operand(2, "updates")
        try updates.requireType(of: data)
        _ = try GatherElements(axis: axis).infer(Array(inputs[..<2]))
        if let shape = indices.shape { try updates.requireShape(shape, "that of the indices") }
        return [data.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, indices, updates) = (inputs[0]!, inputs[1]!, inputs[2]!)
        let axis = try normalized(axis: axis, rank: data.shape.count)
        let positions = try elementPositions(indices, in: data.shape, axis: axis)
        return [data.replacing(positions, with: updates, inner: 1)]
    }
}
