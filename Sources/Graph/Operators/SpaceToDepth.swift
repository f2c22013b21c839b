/// ONNX SpaceToDepth.
public struct SpaceToDepth: Operator, Hashable {
    public var blockSize: Int, layout: Layout
    public init(blockSize: Int, layout: Layout = .channelsFirst) { (self.blockSize, self.layout) = (blockSize, layout) }

    public var name: String { "SpaceToDepth" }
}
