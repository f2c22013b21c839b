/// ONNX DepthToSpace. TFLite's is `.dcr` on channels-last data.
public struct DepthToSpace: Operator, Hashable {
    public enum Mode: Sendable, Hashable { case dcr, crd }
    public var blockSize: Int, mode: Mode, layout: Layout
    public init(blockSize: Int, mode: Mode = .dcr, layout: Layout = .channelsFirst) {
        (self.blockSize, self.mode, self.layout) = (blockSize, mode, layout)
    }

    public var name: String { "DepthToSpace" }
}
