/// ONNX MatMulInteger: inputs A, B (int8 or uint8), zero point of A?, zero point of B?. Output int32.
public struct MatMulInteger: Operator, Hashable {
    public init() {}

    public var name: String { "MatMulInteger" }
}
