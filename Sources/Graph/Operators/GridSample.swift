/// ONNX GridSample: inputs x, grid [batch, spatial…, spatial axes] with coordinates in -1 ... 1, innermost axis first.
public struct GridSample: Operator, Hashable {
    public enum Mode: Sendable, Hashable { case linear, nearest, cubic }
    public enum PaddingMode: Sendable, Hashable { case zeros, border, reflection }
    public var mode: Mode, paddingMode: PaddingMode, alignCorners: Bool, layout: Layout
    public init(mode: Mode = .linear, paddingMode: PaddingMode = .zeros, alignCorners: Bool = false, layout: Layout = .channelsFirst) {
        (self.mode, self.paddingMode, self.alignCorners, self.layout) = (mode, paddingMode, alignCorners, layout)
    }

    public var name: String { "GridSample" }
}
