/// ONNX Gather: inputs data, indices (negative ones count from the end).
public struct Gather: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "Gather" }
}

extension Gather {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, indices) = (try inputs.operand(0, "data"), try inputs.operand(1, "indices"))
        try indices.require(ElementType.indices)
        try data.requireRank(1...Int.max)
        guard let shape = data.shape, let indexShape = indices.shape else { return [TensorType(data.elementType, nil)] }
        let axis = try normalized(axis: axis, rank: shape.count)
        if let values = try indices.integers() { _ = try Self.positions(values, extent: shape[axis]) }
        return [TensorType(data.elementType, Array(shape[..<axis] + indexShape + shape[(axis + 1)...]))]
    }

    private static func positions(_ values: [Int], extent: Int) throws(OperatorError) -> [Int] {
        var positions: [Int] = []
        for value in values {
            guard value >= -extent, value < extent else {
                throw OperatorError(
                    subject: "input 1 (indices)", expected: "-\(extent) to \(extent - 1)", found: "\(value)")
            }
            positions.append(value < 0 ? value + extent : value)
        }
        return positions
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, indices) = (inputs[0]!, inputs[1]!)
        let axis = try normalized(axis: axis, rank: data.shape.count)
        var tables = [[Int]?](repeating: nil, count: data.shape.count)
        tables[axis] = try Self.positions(indices.integers, extent: data.shape[axis])
        return [data.indexed(tables).reshaped(try outputShape(inputs))]
    }
}
