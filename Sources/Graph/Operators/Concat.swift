/// ONNX Concat: one or more inputs of equal extents but along `axis`.
public struct Concat: Operator, Hashable {
    public var axis: Int
    public init(axis: Int) { self.axis = axis }

    public var name: String { "Concat" }
}

extension Concat {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let operands = try inputs.operands()
        var total = 0
        var result: [Int]?
        for operand in operands {
            try operand.requireType(of: operands[0])
            guard let shape = operand.shape else { return [TensorType(operands[0].elementType, nil)] }
            let first = result ?? shape
            let axis = try normalized(axis: axis, rank: first.count)
            guard shape.count == first.count, shape.indices.allSatisfy({ $0 == axis || shape[$0] == first[$0] }) else {
                throw operand.error(expected: "the extents of \(first) but along axis \(axis)", found: "shape \(shape)")
            }
            total += shape[axis]
            result = first
        }
        var shape = result!
        shape[try normalized(axis: axis, rank: shape.count)] = total
        return [TensorType(operands[0].elementType, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let tensors = inputs.map { $0! }
        return [Tensor.concatenated(tensors, axis: try normalized(axis: axis, rank: tensors[0].shape.count))]
    }
}
