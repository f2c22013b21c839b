/// ONNX BatchNormalization in inference form: inputs x, scale, bias, mean, variance.
public struct BatchNormalization: Operator, Hashable {
    public var epsilon: Float, layout: Layout
    public init(epsilon: Float = 1e-5, layout: Layout = .channelsFirst) {
        (self.epsilon, self.layout) = (epsilon, layout)
    }

    public var name: String { "BatchNormalization" }
}

extension BatchNormalization {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(2...Int.max)
        for (index, label) in ["scale", "bias", "mean", "variance"].enumerated() {
            let parameter = try inputs.operand(index + 1, label)
            try parameter.require(ElementType.floatingPoint)
            if let shape = x.shape {
                try parameter.requireShape([shape[layout.channelAxis(rank: shape.count)]], "one for each channel")
            }
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        let parameters = inputs[1...4].map { $0!.doubles }
        let factors = zip(parameters[0], parameters[3]).map { scale, variance in
            scale / (variance + Double(epsilon)).squareRoot()
        }
        let axis = layout.channelAxis(rank: x.shape.count)
        if x.elementType == .float64 {
            return [x.scaled(axis: axis, minus: parameters[2], times: factors, plus: parameters[1], Double.self)]
        }
        return [x.scaled(axis: axis, minus: parameters[2], times: factors, plus: parameters[1], Float.self)]
    }
}

extension Tensor {
    /// (x - mean) * factor + bias, one of each for every index along `axis`.
    fileprivate func scaled<Element: RealElement>(
        axis: Int, minus means: [Double], times factors: [Double], plus biases: [Double], _: Element.Type
    ) -> Tensor {
        let (means, factors, biases) = (
            means.map { Element($0) }, factors.map { Element($0) }, biases.map { Element($0) }
        )
        let channels = shape[axis]
        let inner = shape[(axis + 1)...].reduce(1, *)
        return Tensor(shape: shape, of: Element.self) { output in
            withElements(of: Element.self) { x in
                guard count > 0 else { return }
                for row in 0..<(count / inner) {
                    let channel = row % channels
                    let (mean, factor, bias) = (means[channel], factors[channel], biases[channel])
                    for index in (row * inner)..<(row * inner + inner) {
                        output[index] = (x[index] - mean) * factor + bias
                    }
                }
            }
        }
    }
}
