/// ONNX LRN, local response normalization across `size` channels.
public struct LRN: Operator, Hashable {
    public var size: Int, alpha: Float, beta: Float, bias: Float, layout: Layout
    public init(size: Int, alpha: Float = 0.0001, beta: Float = 0.75, bias: Float = 1, layout: Layout = .channelsFirst) {
        (self.size, self.alpha, self.beta, self.bias, self.layout) = (size, alpha, beta, bias, layout)
    }

    public var name: String { "LRN" }
}
