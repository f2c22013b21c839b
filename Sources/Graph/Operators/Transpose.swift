/// ONNX Transpose: input data.
public struct Transpose: Operator, Hashable {
    /// Nil reverses the axes.
    public var permutation: [Int]?
    public init(permutation: [Int]? = nil) { self.permutation = permutation }

    public var name: String { "Transpose" }
}
