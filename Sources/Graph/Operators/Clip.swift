/// ONNX Clip: inputs x, min?, max?.
public struct Clip: Operator, Hashable {
    public init() {}

    public var name: String { "Clip" }
}
