/// ONNX TopK: inputs x, k ([1] int64). Outputs values, indices (int64). Equal values: the lower index first.
public struct TopK: Operator, Hashable {
    public var axis: Int, largest: Bool, sorted: Bool
    public init(axis: Int = -1, largest: Bool = true, sorted: Bool = true) {
        (self.axis, self.largest, self.sorted) = (axis, largest, sorted)
    }

    public var name: String { "TopK" }
}
