/// ONNX Reshape: inputs data, shape.
public struct Reshape: Operator, Hashable {
    public var allowZero: Bool
    public init(allowZero: Bool = false) { self.allowZero = allowZero }

    public var name: String { "Reshape" }
}
