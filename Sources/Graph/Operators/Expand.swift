/// ONNX Expand: inputs data, shape.
public struct Expand: Operator, Hashable {
    public init() {}

    public var name: String { "Expand" }
}
