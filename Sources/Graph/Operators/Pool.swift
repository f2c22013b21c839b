/// ONNX MaxPool, AveragePool, LpPool by `kind`. MaxPool has an optional second output (indices).
public struct Pool: Operator, Hashable {
    public enum Kind: Sendable, Hashable {
        case max(storageOrder: Int)
        case average(countIncludesPadding: Bool)
        case lp(Int)
    }
    public var kind: Kind, kernel: [Int], strides: [Int], dilations: [Int], padding: Padding, ceilMode: Bool
    public var layout: Layout
    public init(
        kind: Kind, kernel: [Int], strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid,
        ceilMode: Bool = false, layout: Layout = .channelsFirst
    ) {
        (self.kind, self.kernel, self.strides, self.dilations) = (kind, kernel, strides, dilations)
        (self.padding, self.ceilMode, self.layout) = (padding, ceilMode, layout)
    }

    public var name: String {
        switch kind {
        case .max: "MaxPool"
        case .average: "AveragePool"
        case .lp: "LpPool"
        }
    }
}

extension Pool {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        switch kind {
        case .max: try x.require(ElementType.floatingPoint + [.int8, .uint8])
        case .average: try x.require(ElementType.floatingPoint)
        case .lp(let p):
            try x.require(ElementType.floatingPoint)
            if p < 1 { throw OperatorError(subject: "attribute p", expected: "1 or more", found: "\(p)") }
        }
        try x.requireRank(3...5)
        var shape: [Int]?
        if let xShape = x.shape {
            let channels = xShape[layout.channelAxis(rank: xShape.count)]
            shape = layout.shape(batch: xShape[0], channels: channels, spatial: try window(xShape).output)
        }
        let values = TensorType(x.elementType, shape)
        if case .max = kind { return [values, TensorType(.int64, shape)] }
        return [values]
    }

    private func window(_ shape: [Int]) throws(OperatorError) -> SlidingWindow {
        try SlidingWindow(
            input: Array(shape[layout.spatialAxes(rank: shape.count)]), kernel: kernel, strides: strides,
            dilations: dilations, padding: padding, ceilMode: ceilMode)
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        let shape = try outputShape(inputs)
        let window = try window(x.shape)
        switch kind {
        case .max(let storageOrder):
            if x.elementType == .float32 { return maxima(x, shape, window, storageOrder, Float.self) }
            return maxima(x, shape, window, storageOrder, x.elementType.numericType!)
        case .average(let countsPadding):
            return [
                x.elementType == .float64
                    ? means(x, shape, window, countsPadding, Double.self)
                    : means(x, shape, window, countsPadding, Float.self)
            ]
        case .lp(let p):
            return [
                x.elementType == .float64
                    ? norms(x, shape, window, p, Double.self) : norms(x, shape, window, p, Float.self)
            ]
        }
    }

    /// Strides of batch, pixel and channel.
    private func strides(channels: Int, pixels: Int) -> (batch: Int, pixel: Int, channel: Int) {
        layout == .channelsFirst ? (channels * pixels, 1, pixels) : (channels * pixels, channels, 1)
    }

    /// Calls `body` for every output pixel with the input pixels that its window sees and the number of its elements
    /// that lie in the input or the padding.
    private func forEachWindow(
        _ outer: SlidingWindow, _ body: (_ pixel: Int, _ positions: [Int], _ countWithPadding: Int) -> Void
    ) {
        let window = outer.inThreeAxes
        var positions: [Int] = []
        for pixel in 0..<window.output.reduce(1, *) {
            positions.removeAll(keepingCapacity: true)
            var counted = 0
            let o2 = pixel % window.output[2]
            let (o0, o1) = (pixel / window.output[2] / window.output[1], pixel / window.output[2] % window.output[1])
            for k0 in 0..<window.kernel[0] {
                let i0 = o0 * window.strides[0] + k0 * window.dilations[0] - window.padBegin[0]
                for k1 in 0..<window.kernel[1] {
                    let i1 = o1 * window.strides[1] + k1 * window.dilations[1] - window.padBegin[1]
                    for k2 in 0..<window.kernel[2] {
                        let i2 = o2 * window.strides[2] + k2 * window.dilations[2] - window.padBegin[2]
                        if i0 < window.input[0] + window.padEnd[0] && i1 < window.input[1] + window.padEnd[1]
                            && i2 < window.input[2] + window.padEnd[2]
                        {
                            counted += 1
                        }
                        if i0 >= 0 && i0 < window.input[0] && i1 >= 0 && i1 < window.input[1] && i2 >= 0
                            && i2 < window.input[2]
                        {
                            positions.append((i0 * window.input[1] + i1) * window.input[2] + i2)
                        }
                    }
                }
            }
            body(pixel, positions, counted)
        }
    }

    private func maxima<Element: NumericElement>(
        _ x: Tensor, _ shape: [Int], _ window: SlidingWindow, _ storageOrder: Int, _: Element.Type
    ) -> [Tensor] {
        let channels = x.shape[layout.channelAxis(rank: x.shape.count)]
        let inPixels = window.input.reduce(1, *)
        let from = strides(channels: channels, pixels: inPixels)
        let to = strides(channels: channels, pixels: window.output.reduce(1, *))
        var indices: Tensor?
        let values = Tensor(shape: shape, of: Element.self) { values in
            indices = Tensor(shape: shape, of: Int64.self) { indices in
                x.withElements(of: Element.self) { x in
                    let (x, values, indices) = (x.baseAddress!, values.baseAddress!, indices.baseAddress!)
                    forEachWindow(window) { pixel, positions, _ in
                        for batch in 0..<shape[0] {
                            for channel in 0..<channels {
                                let base = batch * from.batch + channel * from.channel
                                var best = Element.least
                                var bestPosition = positions.first ?? 0
                                for position in positions where x[base + position * from.pixel] > best {
                                    best = x[base + position * from.pixel]
                                    bestPosition = position
                                }
                                let target = batch * to.batch + pixel * to.pixel + channel * to.channel
                                values[target] = best
                                let stored =
                                    storageOrder == 0
                                    ? bestPosition : Self.columnMajor(bestPosition, extents: window.input)
                                indices[target] = Int64(base + stored * from.pixel)
                            }
                        }
                    }
                }
            }
        }
        return [values, indices!]
    }

    /// The row-major `position` among `extents`, counted with the first axis innermost.
    private static func columnMajor(_ position: Int, extents: [Int]) -> Int {
        var (rest, result) = (position, 0)
        let strides = extents.indices.map { extents[..<$0].reduce(1, *) }
        for axis in extents.indices.reversed() {
            result += rest % extents[axis] * strides[axis]
            rest /= extents[axis]
        }
        return result
    }

    private func means<Element: RealElement>(
        _ x: Tensor, _ shape: [Int], _ window: SlidingWindow, _ countsPadding: Bool, _: Element.Type
    ) -> Tensor {
        reduce(x, shape, window, Element.self) { x, positions, stride, counted in
            var sum: Element = 0
            for position in positions { sum += x[position * stride] }
            return sum / Element(countsPadding ? counted : positions.count)
        }
    }

    private func norms<Element: RealElement>(
        _ x: Tensor, _ shape: [Int], _ window: SlidingWindow, _ p: Int, _: Element.Type
    ) -> Tensor {
        let power = Element(p)
        return reduce(x, shape, window, Element.self) { x, positions, stride, _ in
            var sum: Element = 0
            for position in positions { sum += Element.pow(abs(x[position * stride]), power) }
            return Element.pow(sum, 1 / power)
        }
    }

    @inline(__always)
    private func reduce<Element: RealElement>(
        _ x: Tensor, _ shape: [Int], _ window: SlidingWindow, _: Element.Type,
        _ function: (UnsafePointer<Element>, [Int], Int, Int) -> Element
    ) -> Tensor {
        let channels = x.shape[layout.channelAxis(rank: x.shape.count)]
        let from = strides(channels: channels, pixels: window.input.reduce(1, *))
        let to = strides(channels: channels, pixels: window.output.reduce(1, *))
        return Tensor(shape: shape, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                let (x, output) = (x.baseAddress!, output.baseAddress!)
                forEachWindow(window) { pixel, positions, counted in
                    for batch in 0..<shape[0] {
                        for channel in 0..<channels {
                            output[batch * to.batch + pixel * to.pixel + channel * to.channel] = function(
                                x + (batch * from.batch + channel * from.channel), positions, from.pixel, counted)
                        }
                    }
                }
            }
        }
    }
}
