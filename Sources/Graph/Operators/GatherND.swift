/// ONNX GatherND: inputs data, indices [batch…, …, index length].
public struct GatherND: Operator, Hashable {
    public var batchDims: Int
    public init(batchDims: Int = 0) { self.batchDims = batchDims }

    public var name: String { "GatherND" }
}

extension GatherND {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, indices) = (try inputs.operand(0, "data"), try inputs.operand(1, "indices"))
        try indices.require(ElementType.indices)
        guard let shape = data.shape, let indexShape = indices.shape else { return [TensorType(data.elementType, nil)] }
        guard let length = indexShape.last, batchDims >= 0, batchDims < indexShape.count,
            batchDims + length <= shape.count, shape[..<batchDims] == indexShape[..<batchDims]
        else {
            throw indices.error(
                expected: "indices of at most \(shape.count) axes that share \(batchDims) batch axes with \(shape)",
                found: "shape \(indexShape)")
        }
        return [TensorType(data.elementType, indexShape.dropLast() + shape[(batchDims + length)...])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, indices) = (inputs[0]!, inputs[1]!)
        let batches = data.shape[..<batchDims].reduce(1, *)
        let shape = Array(data.shape[batchDims...])
        let length = indices.shape.last!
        let positions = try tuplePositions(indices, in: shape)
        let (perBatch, slices) = (positions.count / max(batches, 1), shape[..<length].reduce(1, *))
        let rows = positions.enumerated().map { $0 / max(perBatch, 1) * slices + $1 }
        let inner = shape[length...].reduce(1, *)
        let result = data.reshaped([batches * slices, inner]).indexed([rows, nil])
        return [result.reshaped(try outputShape(inputs))]
    }
}

/// For every index tuple in the last axis of `indices`, the position of the slice of a tensor of `shape` that it names,
/// counted in slices.
func tuplePositions(_ indices: Tensor, in shape: [Int]) throws(OperatorError) -> [Int] {
    let length = indices.shape.last!
    let values = indices.integers
    var positions: [Int] = []
    for tuple in 0..<indices.shape.dropLast().reduce(1, *) {
        var position = 0
        for axis in 0..<length {
            let (value, extent) = (values[tuple * length + axis], shape[axis])
            guard value >= -extent, value < extent else {
                throw OperatorError(
                    subject: "input 1 (indices)", expected: "-\(extent) to \(extent - 1)", found: "\(value)")
            }
            position = position * extent + (value < 0 ? value + extent : value)
        }
        positions.append(position)
    }
    return positions
}
