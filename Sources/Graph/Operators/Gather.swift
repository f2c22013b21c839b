/// ONNX Gather: inputs data, indices (negative ones count from the end).
public struct Gather: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "Gather" }
}
