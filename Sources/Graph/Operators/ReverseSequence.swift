/// ONNX ReverseSequence: inputs x, lengths [batch].
public struct ReverseSequence: Operator, Hashable {
    public var batchAxis: Int, timeAxis: Int
    public init(batchAxis: Int = 1, timeAxis: Int = 0) {
        (self.batchAxis, self.timeAxis) = (batchAxis, timeAxis)
    }

    public var name: String { "ReverseSequence" }
}
