/// ONNX OneHot: inputs indices, depth (scalar), values [off, on]. The new axis is inserted at `axis` of the output.
public struct OneHot: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = -1) { self.axis = axis }

    public var name: String { "OneHot" }
}
