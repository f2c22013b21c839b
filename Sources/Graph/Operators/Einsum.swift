/// ONNX Einsum: one or more inputs; terms of letters and one optional ellipsis.
public struct Einsum: Operator, Hashable {
    public var equation: String
    public init(equation: String) { self.equation = equation }

    public var name: String { "Einsum" }
}
