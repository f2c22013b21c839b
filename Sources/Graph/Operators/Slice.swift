/// ONNX Slice: inputs data, starts, ends, axes?, steps?.
public struct Slice: Operator, Hashable {
    public init() {}

    public var name: String { "Slice" }
}
