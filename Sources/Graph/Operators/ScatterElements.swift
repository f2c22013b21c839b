/// ONNX ScatterElements without reduction: inputs data, indices, updates.
public struct ScatterElements: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }

    public var name: String { "ScatterElements" }
}
