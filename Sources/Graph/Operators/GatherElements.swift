/// ONNX GatherElements: inputs data, indices of the same rank.
public struct GatherElements: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "GatherElements" }
}
