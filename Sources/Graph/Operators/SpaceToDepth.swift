/// ONNX SpaceToDepth.
public struct SpaceToDepth: Operator, Hashable {
    public var blockSize: Int, layout: Layout
    public init(blockSize: Int, layout: Layout = .channelsFirst) { (self.blockSize, self.layout) = (blockSize, layout) }

    public var name: String { "SpaceToDepth" }
}

extension SpaceToDepth {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.requireRank(4...4)
        guard let shape = x.shape else { return [x.type] }
        let spatial = shape[layout.spatialAxes(rank: 4)]
        guard (1...1024).contains(blockSize), spatial.allSatisfy({ $0 % blockSize == 0 }) else {
            throw OperatorError(
                subject: "attribute blocksize",
                expected: "one of at most 1024 that divides the spatial extents \(Array(spatial))",
                found: "\(blockSize)")
        }
        return [
            TensorType(
                x.elementType,
                layout.shape(
                    batch: shape[0], channels: shape[layout.channelAxis(rank: 4)] * blockSize * blockSize,
                    spatial: spatial.map { $0 / blockSize }))
        ]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let shape = try outputShape(inputs)
        let (batch, channels) = (x.shape[0], x.shape[layout.channelAxis(rank: 4)])
        let blocks = x.shape[layout.spatialAxes(rank: 4)].flatMap { [$0 / blockSize, blockSize] }
        if layout == .channelsFirst {
            let split = x.reshaped([batch, channels] + blocks)
            return [split.transposed([0, 3, 5, 1, 2, 4]).reshaped(shape)]
        }
        let split = x.reshaped([batch] + blocks + [channels])
        return [split.transposed([0, 1, 3, 2, 4, 5]).reshaped(shape)]
    }
}
