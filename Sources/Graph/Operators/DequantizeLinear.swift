/// ONNX DequantizeLinear: inputs x, scale, zeroPoint?.
public struct DequantizeLinear: Operator, Hashable {
    public var axis: Int, blockSize: Int
    public init(axis: Int = 1, blockSize: Int = 0) { (self.axis, self.blockSize) = (axis, blockSize) }

    public var name: String { "DequantizeLinear" }
}
