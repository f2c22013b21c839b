/// ONNX Split: inputs x, split?.
public struct Split: Operator, Hashable {
    public var axis: Int, numOutputs: Int?
    public init(axis: Int = 0, numOutputs: Int? = nil) { (self.axis, self.numOutputs) = (axis, numOutputs) }

    public var name: String { "Split" }
}
