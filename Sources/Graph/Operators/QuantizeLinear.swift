/// ONNX QuantizeLinear: inputs x, scale, zeroPoint?.
public struct QuantizeLinear: Operator, Hashable {
    public var axis: Int, blockSize: Int, outputType: ElementType?
    public init(axis: Int = 1, blockSize: Int = 0, outputType: ElementType? = nil) {
        (self.axis, self.blockSize, self.outputType) = (axis, blockSize, outputType)
    }

    public var name: String { "QuantizeLinear" }
}
