/// ONNX DepthToSpace. TFLite's is `.dcr` on channels-last data.
public struct DepthToSpace: Operator, Hashable {
    public enum Mode: Sendable, Hashable { case dcr, crd }
    public var blockSize: Int, mode: Mode, layout: Layout
    public init(blockSize: Int, mode: Mode = .dcr, layout: Layout = .channelsFirst) {
        (self.blockSize, self.mode, self.layout) = (blockSize, mode, layout)
    }

    public var name: String { "DepthToSpace" }
}

extension DepthToSpace {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.requireRank(4...4)
        guard let shape = x.shape else { return [x.type] }
        let channels = shape[layout.channelAxis(rank: 4)]
        guard (1...1024).contains(blockSize), channels % (blockSize * blockSize) == 0 else {
            throw OperatorError(
                subject: "attribute blocksize",
                expected: "one of at most 1024 whose square divides the \(channels) channels",
                found: "\(blockSize)")
        }
        return [
            TensorType(
                x.elementType,
                layout.shape(
                    batch: shape[0], channels: channels / (blockSize * blockSize),
                    spatial: shape[layout.spatialAxes(rank: 4)].map { $0 * blockSize }))
        ]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let shape = try outputShape(inputs)
        let (batch, depth) = (x.shape[0], shape[layout.channelAxis(rank: 4)])
        let spatial = Array(x.shape[layout.spatialAxes(rank: 4)])
        let channels = mode == .dcr ? [blockSize, blockSize, depth] : [depth, blockSize, blockSize]
        // Where the block's rows, its columns and the depth are among the axes of the split tensor.
        let first = layout == .channelsFirst ? 1 : 3
        let (row, column, rest) = mode == .dcr ? (first, first + 1, first + 2) : (first + 1, first + 2, first)
        if layout == .channelsFirst {
            let split = x.reshaped([batch] + channels + spatial)
            return [split.transposed([0, rest, 4, row, 5, column]).reshaped(shape)]
        }
        let split = x.reshaped([batch] + spatial + channels)
        return [split.transposed([0, 1, row, 2, column, rest]).reshaped(shape)]
    }
}
