/// ONNX OneHot: inputs indices, depth (scalar), values [off, on]. The new axis is inserted at `axis` of the output.
public struct OneHot: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = -1) { self.axis = axis }

    public var name: String { "OneHot" }
}

extension OneHot {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (indices, depth) = (try inputs.operand(0, "indices"), try inputs.operand(1, "depth"))
        let values = try inputs.operand(2, "values")
        try indices.require(ElementType.numeric)
        try depth.require(ElementType.numeric)
        try depth.requireScalar()
        try values.requireShape([2], "off and on")
        guard let shape = indices.shape, let count = depth.facts.constant?.integers.first else {
            return [TensorType(values.elementType, nil)]
        }
        let axis = try normalized(axis: axis, rank: shape.count + 1)
        guard count >= 0 else { throw depth.error(expected: "a number that is not negative", found: "\(count)") }
        return [TensorType(values.elementType, Array(shape[..<axis] + [count] + shape[axis...]))]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (indices, values) = (inputs[0]!, inputs[2]!)
        let shape = try outputShape(inputs)
        let axis = try normalized(axis: axis, rank: shape.count)
        let (depth, inner) = (shape[axis], shape[(axis + 1)...].reduce(1, *))
        var isOn = [Int](repeating: 0, count: shape.reduce(1, *))
        for (element, value) in indices.integers.enumerated() where value >= -depth && value < depth {
            let index = value < 0 ? value + depth : value
            isOn[(element / inner * depth + index) * inner + element % inner] = 1
        }
        return [values.indexed([isOn]).reshaped(shape)]
    }
}
