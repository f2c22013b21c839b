/// ONNX InstanceNormalization: inputs x, scale [channels], bias [channels].
public struct InstanceNormalization: Operator, Hashable {
    public var epsilon: Float, layout: Layout
    public init(epsilon: Float = 1e-5, layout: Layout = .channelsFirst) {
        (self.epsilon, self.layout) = (epsilon, layout)
    }

    public var name: String { "InstanceNormalization" }
}
