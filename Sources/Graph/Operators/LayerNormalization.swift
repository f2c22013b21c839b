/// ONNX LayerNormalization over the axes from `axis` on: inputs x, scale, bias?. Outputs y, mean, inverse standard deviation.
public struct LayerNormalization: Operator, Hashable {
    public var axis: Int, epsilon: Float
    public init(axis: Int = -1, epsilon: Float = 1e-5) {
        (self.axis, self.epsilon) = (axis, epsilon)
    }

    public var name: String { "LayerNormalization" }
}
