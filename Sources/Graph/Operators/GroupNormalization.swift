/// ONNX GroupNormalization (opset 21 meaning: scale and bias per channel): inputs x, scale [channels], bias [channels].
/// Importers of opset 18, where they are per group, repeat them.
public struct GroupNormalization: Operator, Hashable {
    public var groups: Int, epsilon: Float, layout: Layout
    public init(groups: Int, epsilon: Float = 1e-5, layout: Layout = .channelsFirst) {
        (self.groups, self.epsilon, self.layout) = (groups, epsilon, layout)
    }

    public var name: String { "GroupNormalization" }
}

extension GroupNormalization {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(3...Int.max)
        let parameters = [try inputs.operand(1, "scale"), try inputs.operand(2, "bias")]
        for parameter in parameters { try parameter.requireType(of: x) }
        guard let shape = x.shape else { return [x.type] }
        let channels = shape[layout.channelAxis(rank: shape.count)]
        guard groups > 0, channels % groups == 0 else {
            throw OperatorError(
                subject: "attribute num_groups", expected: "a divisor of the \(channels) channels", found: "\(groups)")
        }
        for parameter in parameters { try parameter.requireShape([channels], "one for each channel") }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        [inputs[0]!.normalizedByGroup(groups: groups, epsilon: epsilon, scale: inputs[1]!, bias: inputs[2]!, layout)]
    }
}
