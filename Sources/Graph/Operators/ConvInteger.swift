/// ONNX ConvInteger: inputs x, weights (int8 or uint8), zero point of x?, zero point of weights?. Output int32.
public struct ConvInteger: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, groups: Int = 1,
        layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.groups, self.layout) = (
            strides, dilations, padding, groups, layout
        )
    }

    public var name: String { "ConvInteger" }
}

extension ConvInteger {
    private var conv: Conv {
        Conv(strides: strides, dilations: dilations, padding: padding, groups: groups, layout: layout)
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, weights) = (try inputs.operand(0, "x"), try inputs.operand(1, "weights"))
        try x.require([.int8, .uint8])
        try weights.require([.int8, .uint8])
        let zeroPoint = inputs.optionalOperand(2, "zero point of x")
        try zeroPoint?.requireType(of: x)
        try zeroPoint?.requireScalar()
        let weightZeroPoint = inputs.optionalOperand(3, "zero point of weights")
        try weightZeroPoint?.requireType(of: weights)
        if let shape = weightZeroPoint?.shape, let outChannels = weights.shape?.first, shape.reduce(1, *) != 1 {
            try weightZeroPoint?.requireShape([outChannels], "one for each output channel, or a scalar")
        }
        guard let window = try conv.window(x, weights) else { return [TensorType(.int32, nil)] }
        let shape = layout.shape(batch: x.shape![0], channels: weights.shape![0], spatial: window.output)
        return [TensorType(.int32, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (x, weights) = (inputs[0]!, inputs[1]!)
        let ones = [Int](repeating: 1, count: weights.shape.count - 1)
        let zeroPoint = inputs.optional(2)?.reshaped([])
        let weightZeroPoint = inputs.optional(3).map {
            $0.count == 1 ? $0.reshaped([]) : $0.reshaped([$0.count] + ones)
        }
        // Padding is the zero point, so it is 0 once that is subtracted.
        let products = try conv.evaluate([x.withoutZeroPoint(zeroPoint), weights.withoutZeroPoint(weightZeroPoint)])
        return [products[0].converted(to: .int32)]
    }
}
