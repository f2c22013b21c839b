/// ONNX BatchNormalization in inference form: inputs x, scale, bias, mean, variance.
public struct BatchNormalization: Operator, Hashable {
    public var epsilon: Float, layout: Layout
    public init(epsilon: Float = 1e-5, layout: Layout = .channelsFirst) { (self.epsilon, self.layout) = (epsilon, layout) }

    public var name: String { "BatchNormalization" }
}
