/// ONNX GroupNormalization (opset 21 meaning: scale and bias per channel): inputs x, scale [channels], bias [channels].
/// Importers of opset 18, where they are per group, repeat them.
public struct GroupNormalization: Operator, Hashable {
    public var groups: Int, epsilon: Float, layout: Layout
    public init(groups: Int, epsilon: Float = 1e-5, layout: Layout = .channelsFirst) {
        (self.groups, self.epsilon, self.layout) = (groups, epsilon, layout)
    }

    public var name: String { "GroupNormalization" }
}
