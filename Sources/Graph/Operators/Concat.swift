/// ONNX Concat: one or more inputs of equal extents but along `axis`.
public struct Concat: Operator, Hashable {
    public var axis: Int
    public init(axis: Int) { self.axis = axis }

    public var name: String { "Concat" }
}
