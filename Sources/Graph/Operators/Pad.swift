/// ONNX Pad: inputs data, pads, value?, axes?.
public struct Pad: Operator, Hashable {
    /// `symmetric` mirrors with the edge itself repeated (TFLite MIRROR_PAD).
    public enum Mode: String, Sendable, Hashable { case constant, reflect, symmetric, edge, wrap }
    public var mode: Mode
    public init(mode: Mode = .constant) { self.mode = mode }

    public var name: String { "Pad" }
}
