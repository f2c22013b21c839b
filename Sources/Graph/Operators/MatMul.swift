/// ONNX MatMul (NumPy semantics).
public struct MatMul: Operator, Hashable {
    public init() {}

    public var name: String { "MatMul" }
}
