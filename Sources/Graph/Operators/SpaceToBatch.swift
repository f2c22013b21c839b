/// TFLite SPACE_TO_BATCH_ND: inputs x [batch, spatial…, rest], block shape, paddings [[begin, end]…].
public struct SpaceToBatch: Operator, Hashable {
    public init() {}

    public var name: String { "SpaceToBatch" }
}

extension SpaceToBatch {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, block) = (try inputs.operand(0, "x"), try inputs.operand(1, "block shape"))
        let paddings = try inputs.operand(2, "paddings")
        guard let shape = x.shape, let blocks = try block.integers(), let pads = try paddings.integers() else {
            return [TensorType(x.elementType, nil)]
        }
        guard blocks.count < shape.count, blocks.allSatisfy({ (1...1024).contains($0) }) else {
            throw block.error(expected: "at most \(shape.count - 1) numbers of 1 to 1024", found: "\(blocks)")
        }
        guard pads.count == 2 * blocks.count, pads.allSatisfy({ (0...SlidingWindow.attributeLimit).contains($0) })
        else {
            throw paddings.error(expected: "begin and end of \(blocks.count) axes", found: "\(pads)")
        }
        var result = shape
        for (index, block) in blocks.enumerated() {
            let extent = shape[index + 1] + pads[2 * index] + pads[2 * index + 1]
            guard extent % block == 0 else {
                throw paddings.error(
                    expected: "a padded extent of axis \(index + 1) that \(block) divides", found: "\(extent)")
            }
            result[0] *= block
            result[index + 1] = extent / block
        }
        return [TensorType(x.elementType, result)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        let (x, blocks, pads) = (inputs[0]!, inputs[1]!.integers, inputs[2]!.integers)
        var tables = [[Int]?](repeating: nil, count: x.shape.count)
        for index in blocks.indices {
            let extent = x.shape[index + 1]
            tables[index + 1] = (-pads[2 * index]..<(extent + pads[2 * index + 1])).map { $0 < extent ? $0 : -1 }
        }
        let padded = x.indexed(tables)
        // [batch, (blocks, block)…, rest] → [block…, batch, blocks…, rest].
        let rank = blocks.count
        var split = [x.shape[0]]
        for (index, block) in blocks.enumerated() { split += [padded.shape[index + 1] / block, block] }
        split += x.shape[(rank + 1)...]
        let order =
            (0..<rank).map { 2 * $0 + 2 } + [0] + (0..<rank).map { 2 * $0 + 1 } + Array((2 * rank + 1)..<split.count)
        return [padded.reshaped(split).transposed(order).reshaped(shape)]
    }
}
