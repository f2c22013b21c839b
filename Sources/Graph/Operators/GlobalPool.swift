/// ONNX GlobalAveragePool and GlobalMaxPool; spatial axes are kept with extent 1.
public struct GlobalPool: Operator, Hashable {
    public enum Kind: Sendable, Hashable { case average, max }
    public var kind: Kind, layout: Layout
    public init(kind: Kind, layout: Layout = .channelsFirst) { (self.kind, self.layout) = (kind, layout) }

    public var name: String { kind == .max ? "GlobalMaxPool" : "GlobalAveragePool" }
}
