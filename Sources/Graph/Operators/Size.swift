/// ONNX Size: the number of elements as an int64 scalar.
public struct Size: Operator, Hashable {
    public init() {}

    public var name: String { "Size" }
}
