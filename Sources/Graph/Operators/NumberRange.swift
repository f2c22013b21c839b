/// ONNX Range: inputs start, limit, delta (scalars of one type).
public struct NumberRange: Operator, Hashable {
    public init() {}

    public var name: String { "Range" }
}
