/// ONNX Where: inputs condition (bool), x, y with multidirectional broadcasting.
public struct Where: Operator, Hashable {
    public init() {}

    public var name: String { "Where" }
}
