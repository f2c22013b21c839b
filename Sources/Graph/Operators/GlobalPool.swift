/// ONNX GlobalAveragePool and GlobalMaxPool; spatial axes are kept with extent 1.
public struct GlobalPool: Operator, Hashable {
    public enum Kind: Sendable, Hashable { case average, max }
    public var kind: Kind, layout: Layout
    public init(kind: Kind, layout: Layout = .channelsFirst) { (self.kind, self.layout) = (kind, layout) }

    public var name: String { kind == .max ? "GlobalMaxPool" : "GlobalAveragePool" }
}

extension GlobalPool {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(3...Int.max)
        guard let shape = x.shape else { return [x.type] }
        let channels = shape[layout.channelAxis(rank: shape.count)]
        let ones = [Int](repeating: 1, count: shape.count - 2)
        return [TensorType(x.elementType, layout.shape(batch: shape[0], channels: channels, spatial: ones))]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let x = inputs[0]!
        return [x.elementType == .float64 ? pool(x, shape, Double.self) : pool(x, shape, Float.self)]
    }

    private func pool<Element: RealElement>(_ x: Tensor, _ shape: [Int], _: Element.Type) -> Tensor {
        let channels = x.shape[layout.channelAxis(rank: x.shape.count)]
        let pixels = x.shape[layout.spatialAxes(rank: x.shape.count)].reduce(1, *)
        let (pixelStride, channelStride) = layout == .channelsFirst ? (1, pixels) : (channels, 1)
        return Tensor(shape: shape, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                for index in 0..<output.count {
                    let (batch, channel) = (index / channels, index % channels)
                    let source = x.baseAddress! + (batch * channels * pixels + channel * channelStride)
                    switch kind {
                    case .max:
                        var best = Element.least
                        for pixel in 0..<pixels { best = Element.larger(source[pixel * pixelStride], best) }
                        output[index] = best
                    case .average:
                        var sum = 0.0
                        for pixel in 0..<pixels { sum += Double(source[pixel * pixelStride]) }
                        output[index] = Element(sum / Double(pixels))
                    }
                }
            }
        }
    }
}
