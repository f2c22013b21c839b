/// ONNX ArgMax and ArgMin; the output is int64.
public struct ArgReduce: Operator, Hashable {
    public var isMax: Bool, axis: Int, keepDims: Bool, selectLastIndex: Bool
    public init(isMax: Bool, axis: Int = 0, keepDims: Bool = true, selectLastIndex: Bool = false) {
        (self.isMax, self.axis, self.keepDims, self.selectLastIndex) = (isMax, axis, keepDims, selectLastIndex)
    }

    public var name: String { isMax ? "ArgMax" : "ArgMin" }
}
