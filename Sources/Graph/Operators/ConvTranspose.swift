/// ONNX ConvTranspose: inputs x, weights [in, out/group, …], bias?.
public struct ConvTranspose: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, outputPadding: [Int], outputShape: [Int]?
    public var groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, outputPadding: [Int] = [],
        outputShape: [Int]? = nil, groups: Int = 1, layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.outputPadding) = (strides, dilations, padding, outputPadding)
        (self.outputShape, self.groups, self.layout) = (outputShape, groups, layout)
    }

    public var name: String { "ConvTranspose" }
}

extension ConvTranspose {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, weights) = (try inputs.operand(0, "x"), try inputs.operand(1, "weights"))
        try x.require(ElementType.floatingPoint)
        try weights.requireType(of: x)
        try x.requireRank(3...5)
        let bias = inputs.optionalOperand(2, "bias")
        try bias?.requireType(of: x)
        guard let xShape = x.shape, let weightShape = weights.shape else { return [TensorType(x.elementType, nil)] }
        let window = try window(x, weights)
        let outChannels = weightShape[1] * groups
        try bias?.requireShape([outChannels], "one for each output channel")
        return [
            TensorType(x.elementType, layout.shape(batch: xShape[0], channels: outChannels, spatial: window.input))
        ]
    }

    /// The window of the convolution that this one is the transpose of: its `output` is our input and its `input` our
    /// output.
    private func window(_ x: Operand, _ weights: Operand) throws(OperatorError) -> SlidingWindow {
        let (xShape, weightShape) = (x.shape!, weights.shape!)
        try weights.requireRank(xShape.count...xShape.count)
        let inChannels = xShape[layout.channelAxis(rank: xShape.count)]
        guard groups > 0, inChannels % groups == 0 else {
            throw OperatorError(
                subject: "attribute group", expected: "a divisor of the \(inChannels) input channels",
                found: "\(groups)")
        }
        guard weightShape[0] == inChannels else {
            throw weights.error(expected: "\(inChannels) input channels", found: "shape \(weightShape)")
        }
        let extents = Array(xShape[layout.spatialAxes(rank: xShape.count)])
        // Checks the attributes; the extents of the result are replaced below.
        var window = try SlidingWindow(
            input: weightShape[2...].map { _ in Int(Int32.max) }, kernel: Array(weightShape[2...]), strides: strides,
            dilations: dilations, padding: padding)
        window.output = extents
        let extra = outputPadding.isEmpty ? [Int](repeating: 0, count: extents.count) : outputPadding
        let given = extra + (outputShape ?? [])
        guard extra.count == extents.count, outputShape.map({ $0.count == extents.count }) ?? true,
            given.allSatisfy({ (0...SlidingWindow.attributeLimit).contains($0) })
        else {
            throw OperatorError(
                subject: "attributes output_padding and output_shape",
                expected: "one number of 0 to 2^20 for each spatial axis",
                found: "\(outputPadding) and \(outputShape ?? [])")
        }
        for axis in extents.indices {
            let span = (window.kernel[axis] - 1) * window.dilations[axis] + 1
            let stride = window.strides[axis]
            let full: Int = stride * (extents[axis] - 1) + extra[axis] + span
            let isSame = padding == .sameUpper || padding == .sameLower
            let sameExtent: Int? = isSame ? extents[axis] * stride : nil
            if let wanted = outputShape?[axis] ?? sameExtent {
                let total = max(0, full - wanted)
                window.padBegin[axis] = padding == .sameUpper ? total / 2 : total - total / 2
                window.input[axis] = wanted
            } else {
                window.input[axis] = full - window.padBegin[axis] - window.padEnd[axis]
            }
            guard window.input[axis] > 0 else {
                throw OperatorError(
                    subject: "attribute pads", expected: "an output left on spatial axis \(axis)",
                    found: "\(window.padBegin[axis]) and \(window.padEnd[axis]) of \(full)")
            }
        }
        return window
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let facts = inputs.map { input in input.map(InputFacts.init(contents:)) }
        let window = try window(facts.operand(0, "x"), facts.operand(1, "weights"))
        let x = inputs[0]!
        let rank = x.shape.count
        // Computed channels first: the scatter is then by whole planes.
        let planes = x.transposed(layout.permutation(to: .channelsFirst, rank: rank))
        let output =
            x.elementType == .float64
            ? scatter(planes, inputs[1]!, inputs.optional(2), window, Double.self)
            : scatter(planes, inputs[1]!, inputs.optional(2), window, Float.self)
        return [output.transposed(Layout.channelsFirst.permutation(to: layout, rank: rank))]
    }

    /// Multiplies every input pixel with all weights, then adds the products where they fall.
    private func scatter<Element: RealElement>(
        _ x: Tensor, _ weights: Tensor, _ bias: Tensor?, _ outer: SlidingWindow, _: Element.Type
    ) -> Tensor {
        let window = outer.inThreeAxes
        let (batch, inChannels) = (x.shape[0], x.shape[1])
        let outPerGroup = weights.shape[1]
        let (inPerGroup, outChannels) = (inChannels / groups, outPerGroup * groups)
        let (inPixels, outPixels) = (window.output.reduce(1, *), window.input.reduce(1, *))
        let taps = window.kernel.reduce(1, *)
        let products = UnsafeMutablePointer<Element>.allocate(capacity: max(1, outPerGroup * taps * inPixels))
        defer { products.deallocate() }
        return Tensor(shape: [batch, outChannels] + outer.input, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                weights.withElements(of: Element.self) { weights in
                    for plane in 0..<(batch * outChannels) {
                        let start = bias?.withElements(of: Element.self) { $0[plane % outChannels] } ?? 0
                        (output.baseAddress! + plane * outPixels).update(repeating: start, count: outPixels)
                    }
                    for index in 0..<batch {
                        for group in 0..<groups {
                            let source = x.baseAddress! + (index * inChannels + group * inPerGroup) * inPixels
                            Element.gemm(
                                transA: true, transB: false, m: outPerGroup * taps, n: inPixels, k: inPerGroup,
                                alpha: 1,
                                weights.baseAddress! + group * inPerGroup * outPerGroup * taps, outPerGroup * taps,
                                source,
                                inPixels, beta: 0, products, inPixels)
                            for channel in 0..<outPerGroup {
                                let plane = (index * groups + group) * outPerGroup + channel
                                add(
                                    products + channel * taps * inPixels, to: output.baseAddress! + plane * outPixels,
                                    window)
                            }
                        }
                    }
                }
            }
        }
    }

    private func add<Element: RealElement>(
        _ products: UnsafeMutablePointer<Element>, to plane: UnsafeMutablePointer<Element>, _ window: SlidingWindow
    ) {
        let kernel = window.kernel
        for tap in 0..<kernel.reduce(1, *) {
            let k2 = tap % kernel[2]
            let (k0, k1) = (tap / kernel[2] / kernel[1], tap / kernel[2] % kernel[1])
            let source = products + tap * window.output.reduce(1, *)
            let valid = window.validOutputs(axis: 2, k: k2)
            let shift = k2 * window.dilations[2] - window.padBegin[2]
            for o0 in window.validOutputs(axis: 0, k: k0) {
                let i0 = o0 * window.strides[0] + k0 * window.dilations[0] - window.padBegin[0]
                for o1 in window.validOutputs(axis: 1, k: k1) {
                    let i1 = o1 * window.strides[1] + k1 * window.dilations[1] - window.padBegin[1]
                    let row = source + (o0 * window.output[1] + o1) * window.output[2]
                    let target = plane + (i0 * window.input[1] + i1) * window.input[2] + shift
                    for index in valid { target[index * window.strides[2]] += row[index] }
                }
            }
        }
    }
}
