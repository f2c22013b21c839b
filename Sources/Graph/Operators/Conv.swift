/// ONNX Conv: inputs x, weights, bias?. One to three spatial axes. Empty `strides`/`dilations` mean ones.
public struct Conv: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, groups: Int = 1,
        layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.groups, self.layout) =
            (strides, dilations, padding, groups, layout)
    }

    public var name: String { "Conv" }
}

extension Conv {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, weights) = (try inputs.operand(0, "x"), try inputs.operand(1, "weights"))
        try x.require(ElementType.floatingPoint)
        try weights.requireType(of: x)
        let bias = inputs.optionalOperand(2, "bias")
        try bias?.requireType(of: x)
        guard let window = try window(x, weights) else { return [TensorType(x.elementType, nil)] }
        let outChannels = weights.shape![0]
        try bias?.requireShape([outChannels], "one for each output channel")
        return [
            TensorType(
                x.elementType,
                layout.shape(batch: x.shape![0], channels: outChannels, spatial: window.output))
        ]
    }

    /// Checks shapes; nil when they are not known.
    func window(_ x: Operand, _ weights: Operand) throws(OperatorError) -> SlidingWindow? {
        try x.requireRank(3...5)
        guard let xShape = x.shape, let weightShape = weights.shape else { return nil }
        try weights.requireRank(xShape.count...xShape.count)
        let inChannels = xShape[layout.channelAxis(rank: xShape.count)]
        guard groups > 0, inChannels % groups == 0, weightShape[0] % groups == 0 else {
            throw OperatorError(
                subject: "attribute group",
                expected: "a divisor of the channels, \(inChannels) in and \(weightShape[0]) out",
                found: "\(groups)")
        }
        guard weightShape[1] == inChannels / groups else {
            throw weights.error(
                expected: "\(inChannels / groups) input channels (\(inChannels) in \(groups) groups)",
                found: "shape \(weightShape)")
        }
        return try SlidingWindow(
            input: Array(xShape[layout.spatialAxes(rank: xShape.count)]), kernel: Array(weightShape[2...]),
            strides: strides, dilations: dilations, padding: padding)
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let facts = inputs.map { input in input.map(InputFacts.init(contents:)) }
        let window = try window(facts.operand(0, "x"), facts.operand(1, "weights"))!
        let (x, weights, bias) = (inputs[0]!, inputs[1]!, inputs.optional(2))
        if x.elementType == .float64 {
            return [Convolution<Double>(x, weights, bias, window, groups, layout).run()]
        }
        return [Convolution<Float>(x, weights, bias, window, groups, layout).run()]
    }
}

/// One convolution of given tensors: matrix products over gathered windows, or direct loops where each group has one
/// input channel.
private struct Convolution<Element: RealElement> {
    let x: Tensor, weights: Tensor, bias: Tensor?
    let window: SlidingWindow
    let groups: Int, layout: Layout
    let batch: Int, inChannels: Int, outChannels: Int
    /// Elements of the gathered windows that are held at once.
    private let gatheredLimit = 1 << 19

    init(
        _ x: Tensor, _ weights: Tensor, _ bias: Tensor?, _ window: SlidingWindow, _ groups: Int, _ layout: Layout
    ) {
        (self.x, self.weights, self.bias, self.groups, self.layout) = (x, weights, bias, groups, layout)
        self.window = window.inThreeAxes
        batch = x.shape[0]
        inChannels = x.shape[layout.channelAxis(rank: x.shape.count)]
        outChannels = weights.shape[0]
    }

    private var inPerGroup: Int { inChannels / groups }
    private var outPerGroup: Int { outChannels / groups }
    private var inPixels: Int { window.input.reduce(1, *) }
    private var outPixels: Int { window.output.reduce(1, *) }
    private var taps: Int { window.kernel.reduce(1, *) }

    func run() -> Tensor {
        let rank = x.shape.count
        let spatial = Array(window.output[(3 - (rank - 2))...])
        let shape = layout.shape(batch: batch, channels: outChannels, spatial: spatial)
        // Channels last, a window's channels lie side by side: the weights take the same order, [out, taps, in].
        let weights =
            layout == .channelsFirst
            ? self.weights
            : self.weights.reshaped([outChannels, inPerGroup, taps]).transposed([0, 2, 1])
        return Tensor(shape: shape, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                weights.withElements(of: Element.self) { weights in
                    fillBias(output.baseAddress!)
                    for index in 0..<batch {
                        let source = x.baseAddress! + index * inChannels * inPixels
                        let target = output.baseAddress! + index * outChannels * outPixels
                        switch (layout, inPerGroup == 1 && groups > 1) {
                        case (.channelsFirst, false): productsChannelsFirst(source, weights.baseAddress!, target)
                        case (.channelsLast, false): productsChannelsLast(source, weights.baseAddress!, target)
                        case (.channelsFirst, true): depthwiseChannelsFirst(source, weights.baseAddress!, target)
                        case (.channelsLast, true): depthwiseChannelsLast(source, weights.baseAddress!, target)
                        }
                    }
                }
            }
        }
    }

    private func fillBias(_ output: UnsafeMutablePointer<Element>) {
        guard let bias else {
            output.update(repeating: 0, count: batch * outChannels * outPixels)
            return
        }
        bias.withElements(of: Element.self) { bias in
            if layout == .channelsFirst {
                for plane in 0..<(batch * outChannels) {
                    (output + plane * outPixels).update(repeating: bias[plane % outChannels], count: outPixels)
                }
            } else {
                for pixel in 0..<(batch * outPixels) {
                    (output + pixel * outChannels).update(from: bias.baseAddress!, count: outChannels)
                }
            }
        }
    }

    private func productsChannelsFirst(
        _ x: UnsafePointer<Element>, _ weights: UnsafePointer<Element>, _ output: UnsafeMutablePointer<Element>
    ) {
        let depth = inPerGroup * taps
        let (rows, rowLength) = (window.output[0] * window.output[1], window.output[2])
        let rowsAtOnce = max(1, min(rows, gatheredLimit / max(1, depth * rowLength)))
        let gathered = UnsafeMutablePointer<Element>.allocate(
            capacity: window.isPointwise ? 1 : depth * rowsAtOnce * rowLength)
        defer { gathered.deallocate() }
        for group in 0..<groups {
            let source = x + group * inPerGroup * inPixels
            let target = output + group * outPerGroup * outPixels
            let groupWeights = weights + group * outPerGroup * depth
            if window.isPointwise {
                Element.gemm(
                    transA: false, transB: false, m: outPerGroup, n: outPixels, k: depth, alpha: 1, groupWeights, depth,
                    source, inPixels, beta: 1, target, outPixels)
                continue
            }
            for first in stride(from: 0, to: rows, by: rowsAtOnce) {
                let count = min(rowsAtOnce, rows - first)
                gatherPlanes(source, rows: first..<(first + count), into: gathered)
                Element.gemm(
                    transA: false, transB: false, m: outPerGroup, n: count * rowLength, k: depth, alpha: 1,
                    groupWeights,
                    depth, gathered, count * rowLength, beta: 1, target + first * rowLength, outPixels)
            }
        }
    }

    /// For every channel and tap, the elements that the output rows `rows` see: [in, taps, rows, row].
    private func gatherPlanes(
        _ x: UnsafePointer<Element>, rows: Range<Int>, into gathered: UnsafeMutablePointer<Element>
    ) {
        let (kernel, rowLength) = (window.kernel, window.output[2])
        let stride = window.strides[2]
        var target = gathered
        for channel in 0..<inPerGroup {
            let plane = x + channel * inPixels
            for tap in 0..<taps {
                let k2 = tap % kernel[2]
                let (k0, k1) = (tap / kernel[2] / kernel[1], tap / kernel[2] % kernel[1])
                let valid = window.validOutputs(axis: 2, k: k2)
                let shift = k2 * window.dilations[2] - window.padBegin[2]
                for row in rows {
                    let i0 = row / window.output[1] * window.strides[0] + k0 * window.dilations[0] - window.padBegin[0]
                    let i1 = row % window.output[1] * window.strides[1] + k1 * window.dilations[1] - window.padBegin[1]
                    if i0 < 0 || i0 >= window.input[0] || i1 < 0 || i1 >= window.input[1] || valid.isEmpty {
                        target.update(repeating: 0, count: rowLength)
                    } else {
                        let source = plane + (i0 * window.input[1] + i1) * window.input[2] + shift
                        target.update(repeating: 0, count: valid.lowerBound)
                        if stride == 1 {
                            (target + valid.lowerBound).update(from: source + valid.lowerBound, count: valid.count)
                        } else {
                            for index in valid { target[index] = source[index * stride] }
                        }
                        (target + valid.upperBound).update(repeating: 0, count: rowLength - valid.upperBound)
                    }
                    target += rowLength
                }
            }
        }
    }

    private func productsChannelsLast(
        _ x: UnsafePointer<Element>, _ weights: UnsafePointer<Element>, _ output: UnsafeMutablePointer<Element>
    ) {
        let depth = inPerGroup * taps
        let pixelsAtOnce = max(1, min(outPixels, gatheredLimit / max(1, depth)))
        let gathered = UnsafeMutablePointer<Element>.allocate(capacity: window.isPointwise ? 1 : depth * pixelsAtOnce)
        defer { gathered.deallocate() }
        for group in 0..<groups {
            let source = x + group * inPerGroup
            let target = output + group * outPerGroup
            let groupWeights = weights + group * outPerGroup * depth
            if window.isPointwise {
                Element.gemm(
                    transA: false, transB: true, m: outPixels, n: outPerGroup, k: depth, alpha: 1, source, inChannels,
                    groupWeights, depth, beta: 1, target, outChannels)
                continue
            }
            for first in stride(from: 0, to: outPixels, by: pixelsAtOnce) {
                let count = min(pixelsAtOnce, outPixels - first)
                gatherPixels(source, pixels: first..<(first + count), into: gathered)
                Element.gemm(
                    transA: false, transB: true, m: count, n: outPerGroup, k: depth, alpha: 1, gathered, depth,
                    groupWeights, depth, beta: 1, target + first * outChannels, outChannels)
            }
        }
    }

    /// For every output pixel of `pixels`, the channels that each tap sees: [pixels, taps, in].
    private func gatherPixels(
        _ x: UnsafePointer<Element>, pixels: Range<Int>, into gathered: UnsafeMutablePointer<Element>
    ) {
        let count = inPerGroup
        var target = gathered
        for pixel in pixels {
            forEachTap(pixel) { position in
                if position < 0 {
                    target.update(repeating: 0, count: count)
                } else {
                    target.update(from: x + position * inChannels, count: count)
                }
                target += count
            }
        }
    }

    /// Calls `body` with the input pixel that each tap of the window at output `pixel` sees, -1 for padding.
    @inline(__always)
    private func forEachTap(_ pixel: Int, _ body: (_ position: Int) -> Void) {
        let o2 = pixel % window.output[2]
        let (o0, o1) = (pixel / window.output[2] / window.output[1], pixel / window.output[2] % window.output[1])
        for k0 in 0..<window.kernel[0] {
            let i0 = o0 * window.strides[0] + k0 * window.dilations[0] - window.padBegin[0]
            for k1 in 0..<window.kernel[1] {
                let i1 = o1 * window.strides[1] + k1 * window.dilations[1] - window.padBegin[1]
                let isRowInside = i0 >= 0 && i0 < window.input[0] && i1 >= 0 && i1 < window.input[1]
                let row = (i0 * window.input[1] + i1) * window.input[2]
                for k2 in 0..<window.kernel[2] {
                    let i2 = o2 * window.strides[2] + k2 * window.dilations[2] - window.padBegin[2]
                    body(isRowInside && i2 >= 0 && i2 < window.input[2] ? row + i2 : -1)
                }
            }
        }
    }

    private func depthwiseChannelsFirst(
        _ x: UnsafePointer<Element>, _ weights: UnsafePointer<Element>, _ output: UnsafeMutablePointer<Element>
    ) {
        let (kernel, rowLength) = (window.kernel, window.output[2])
        let stride = window.strides[2]
        for channel in 0..<outChannels {
            let plane = x + channel / outPerGroup * inPixels
            let target = output + channel * outPixels
            for tap in 0..<taps {
                let weight = weights[channel * taps + tap]
                let k2 = tap % kernel[2]
                let (k0, k1) = (tap / kernel[2] / kernel[1], tap / kernel[2] % kernel[1])
                let valid = window.validOutputs(axis: 2, k: k2)
                let shift = k2 * window.dilations[2] - window.padBegin[2]
                for o0 in window.validOutputs(axis: 0, k: k0) {
                    let i0 = o0 * window.strides[0] + k0 * window.dilations[0] - window.padBegin[0]
                    for o1 in window.validOutputs(axis: 1, k: k1) {
                        let i1 = o1 * window.strides[1] + k1 * window.dilations[1] - window.padBegin[1]
                        let row = target + (o0 * window.output[1] + o1) * rowLength
                        let source = plane + (i0 * window.input[1] + i1) * window.input[2] + shift
                        if stride == 1 {
                            for index in valid { row[index] += weight * source[index] }
                        } else {
                            for index in valid { row[index] += weight * source[index * stride] }
                        }
                    }
                }
            }
        }
    }

    /// `weights` are [out, taps].
    private func depthwiseChannelsLast(
        _ x: UnsafePointer<Element>, _ weights: UnsafePointer<Element>, _ output: UnsafeMutablePointer<Element>
    ) {
        let byTap = UnsafeMutablePointer<Element>.allocate(capacity: taps * outChannels)
        defer { byTap.deallocate() }
        for tap in 0..<taps {
            for channel in 0..<outChannels { byTap[tap * outChannels + channel] = weights[channel * taps + tap] }
        }
        let (channels, multiplier) = (outChannels, outPerGroup)
        for pixel in 0..<outPixels {
            let target = output + pixel * channels
            var tapWeights = UnsafePointer(byTap)
            forEachTap(pixel) { position in
                if position >= 0 {
                    let source = x + position * inChannels
                    if multiplier == 1 {
                        for channel in 0..<channels { target[channel] += tapWeights[channel] * source[channel] }
                    } else {
                        for channel in 0..<channels {
                            target[channel] += tapWeights[channel] * source[channel / multiplier]
                        }
                    }
                }
                tapWeights += channels
            }
        }
    }
}
