/// ONNX GatherElements: inputs data, indices of the same rank.
public struct GatherElements: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "GatherElements" }
}

extension GatherElements {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, indices) = (try inputs.operand(0, "data"), try inputs.operand(1, "indices"))
        try indices.require(ElementType.indices)
        try data.requireRank(1...Int.max)
        if let shape = data.shape, let indexShape = indices.shape {
            let axis = try normalized(axis: axis, rank: shape.count)
            guard shape.count == indexShape.count,
                shape.indices.allSatisfy({ $0 == axis || indexShape[$0] <= shape[$0] })
            else {
                throw indices.error(
                    expected: "no more than \(shape) but along axis \(axis)", found: "shape \(indexShape)")
            }
        }
        return [TensorType(data.elementType, indices.shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, indices) = (inputs[0]!, inputs[1]!)
        let axis = try normalized(axis: axis, rank: data.shape.count)
        let positions = try elementPositions(indices, in: data.shape, axis: axis)
        return [data.reshaped([data.count]).indexed([positions]).reshaped(indices.shape)]
    }
}

/// For every element of `indices`, the position in a tensor of `shape` that has its coordinates but along `axis`, where
/// it has the element's value.
func elementPositions(_ indices: Tensor, in shape: [Int], axis: Int) throws(OperatorError) -> [Int] {
    let (extent, strides) = (shape[axis], rowMajorStrides(shape))
    let indexStrides = rowMajorStrides(indices.shape)
    var positions: [Int] = []
    for (element, value) in indices.integers.enumerated() {
        guard value >= -extent, value < extent else {
            throw OperatorError(
                subject: "input 1 (indices)", expected: "-\(extent) to \(extent - 1)", found: "\(value)")
        }
        var (position, rest) = ((value < 0 ? value + extent : value) * strides[axis], element)
        for other in shape.indices {
            if other != axis { position += rest / indexStrides[other] * strides[other] }
            rest %= indexStrides[other]
        }
        positions.append(position)
    }
    return positions
}
