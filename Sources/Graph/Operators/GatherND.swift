/// ONNX GatherND: inputs data, indices [batch…, …, index length].
public struct GatherND: Operator, Hashable {
    public var batchDims: Int
    public init(batchDims: Int = 0) { self.batchDims = batchDims }

    public var name: String { "GatherND" }
}
