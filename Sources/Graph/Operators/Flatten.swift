/// ONNX Flatten to a matrix: axes before `axis`, axes from `axis`.
public struct Flatten: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 1) { self.axis = axis }

    public var name: String { "Flatten" }
}
