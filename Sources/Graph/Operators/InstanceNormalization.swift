/// ONNX InstanceNormalization: inputs x, scale [channels], bias [channels].
public struct InstanceNormalization: Operator, Hashable {
    public var epsilon: Float, layout: Layout
    public init(epsilon: Float = 1e-5, layout: Layout = .channelsFirst) {
        (self.epsilon, self.layout) = (epsilon, layout)
    }

    public var name: String { "InstanceNormalization" }
}

extension InstanceNormalization {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(3...Int.max)
        for parameter in [try inputs.operand(1, "scale"), try inputs.operand(2, "bias")] {
            try parameter.requireType(of: x)
            if let shape = x.shape {
                try parameter.requireShape([shape[layout.channelAxis(rank: shape.count)]], "one for each channel")
            }
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        return [
            x.normalizedByGroup(
                groups: x.shape[layout.channelAxis(rank: x.shape.count)], epsilon: epsilon, scale: inputs[1]!,
                bias: inputs[2]!, layout)
        ]
    }
}

extension Tensor {
    /// Brings `groups` groups of channels of every sample to mean 0 and variance 1, then applies scale and bias, which
    /// are given for each channel.
    func normalizedByGroup(groups: Int, epsilon: Float, scale: Tensor, bias: Tensor, _ layout: Layout) -> Tensor {
        let rank = shape.count
        let planes = transposed(layout.permutation(to: .channelsFirst, rank: rank))
        let channels = planes.shape[1]
        var values = standardized(planes.doubles, rows: planes.shape[0] * groups, epsilon: epsilon).values
        let (scales, biases) = (scale.doubles, bias.doubles)
        let pixels = planes.shape[2...].reduce(1, *)
        for index in values.indices {
            let channel = index / pixels % channels
            values[index] = values[index] * scales[channel] + biases[channel]
        }
        return Tensor(values, shape: planes.shape).converted(to: elementType)
            .transposed(Layout.channelsFirst.permutation(to: layout, rank: rank))
    }
}
