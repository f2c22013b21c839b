/// ONNX Squeeze: inputs data, axes?.
public struct Squeeze: Operator, Hashable {
    public init() {}

    public var name: String { "Squeeze" }
}
