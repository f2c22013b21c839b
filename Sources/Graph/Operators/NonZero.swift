/// ONNX NonZero: output [rank, count] int64, row-major order.
public struct NonZero: Operator, Hashable {
    public init() {}

    public var name: String { "NonZero" }
}
