/// TFLite BATCH_TO_SPACE_ND: inputs x, block shape, crops.
public struct BatchToSpace: Operator, Hashable {
    public init() {}

    public var name: String { "BatchToSpace" }
}

extension BatchToSpace {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, block) = (try inputs.operand(0, "x"), try inputs.operand(1, "block shape"))
        let crops = try inputs.operand(2, "crops")
        guard let shape = x.shape, let blocks = try block.integers(), let cropped = try crops.integers() else {
            return [TensorType(x.elementType, nil)]
        }
        guard blocks.count < shape.count, blocks.allSatisfy({ (1...1024).contains($0) }),
            shape[0] % blocks.reduce(1, *) == 0
        else {
            throw block.error(
                expected: "at most \(shape.count - 1) numbers of 1 to 1024 whose product divides the batch \(shape[0])",
                found: "\(blocks)")
        }
        guard cropped.count == 2 * blocks.count, cropped.allSatisfy({ (0...SlidingWindow.attributeLimit).contains($0) })
        else {
            throw crops.error(expected: "begin and end of \(blocks.count) axes", found: "\(cropped)")
        }
        var result = shape
        for (index, block) in blocks.enumerated() {
            result[0] /= block
            result[index + 1] = shape[index + 1] * block - cropped[2 * index] - cropped[2 * index + 1]
            guard result[index + 1] >= 0 else {
                throw crops.error(
                    expected: "at most \(shape[index + 1] * block) elements of axis \(index + 1)", found: "\(cropped)")
            }
        }
        return [TensorType(x.elementType, result)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        let (x, blocks, crops) = (inputs[0]!, inputs[1]!.integers, inputs[2]!.integers)
        let rank = blocks.count
        // [block…, batch, blocks…, rest] → [batch, (blocks, block)…, rest].
        let split = x.reshaped(blocks + [shape[0]] + x.shape[1...])
        let order =
            [rank] + (0..<rank).flatMap { [rank + 1 + $0, $0] } + Array((2 * rank + 1)..<split.shape.count)
        let merged = [shape[0]] + blocks.indices.map { x.shape[$0 + 1] * blocks[$0] } + x.shape[(rank + 1)...]
        let whole = split.transposed(order).reshaped(merged)
        let strides = rowMajorStrides(merged)
        let base = blocks.indices.reduce(0) { $0 + crops[2 * $1] * strides[$1 + 1] }
        return [whole.strided(shape: shape, strides: strides, base: base)]
    }
}
