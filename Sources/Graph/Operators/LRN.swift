/// ONNX LRN, local response normalization across `size` channels.
public struct LRN: Operator, Hashable {
    public var size: Int, alpha: Float, beta: Float, bias: Float, layout: Layout
    public init(size: Int, alpha: Float = 0.0001, beta: Float = 0.75, bias: Float = 1, layout: Layout = .channelsFirst)
    {
        (self.size, self.alpha, self.beta, self.bias, self.layout) = (size, alpha, beta, bias, layout)
    }

    public var name: String { "LRN" }
}

extension LRN {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(2...Int.max)
        guard size > 0 else {
            throw OperatorError(subject: "attribute size", expected: "a positive number", found: "\(size)")
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let axis = layout.channelAxis(rank: x.shape.count)
        let (channels, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
        let values = x.doubles
        var result = values
        let (before, after) = ((size - 1) / 2, size / 2)
        for index in values.indices {
            let channel = index / inner % channels
            var sum = 0.0
            for neighbour in max(0, channel - before)...min(channels - 1, channel + after) {
                let value = values[index + (neighbour - channel) * inner]
                sum += value * value
            }
            result[index] /= Double.pow(Double(bias) + Double(alpha) / Double(size) * sum, Double(beta))
        }
        return [Tensor(result, shape: x.shape).converted(to: x.elementType)]
    }
}
