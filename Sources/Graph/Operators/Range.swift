/// ONNX Range: inputs start, limit, delta (scalars of one type).
public struct Range: Operator, Hashable {
    public init() {}

    public var name: String { "Range" }
}
