/// ONNX Unsqueeze: inputs data, axes.
public struct Unsqueeze: Operator, Hashable {
    public init() {}

    public var name: String { "Unsqueeze" }
}
