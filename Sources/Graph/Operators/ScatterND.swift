/// ONNX ScatterND without reduction: inputs data, indices, updates.
public struct ScatterND: Operator, Hashable {
    public init() {}

    public var name: String { "ScatterND" }
}
