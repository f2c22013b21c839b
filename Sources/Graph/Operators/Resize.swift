/// ONNX Resize: inputs x, roi?, scales?, sizes?. Mode and rounding as in the ONNX specification; TFLite's
/// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR map on to `halfPixel`, `alignCorners` or `asymmetric`.
public struct Resize: Operator, Hashable {
    public enum Mode: Sendable, Hashable {
        case nearest, linear
        case cubic(coefficientA: Float, excludeOutside: Bool)
    }
    public enum Coordinates: Sendable, Hashable {
        case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric, tfCropAndResize,
            tfHalfPixelForNN
    }
    public enum NearestRounding: Sendable, Hashable { case roundPreferFloor, roundPreferCeil, floor, ceil }
    public enum AspectPolicy: Sendable, Hashable { case stretch, notLarger, notSmaller }
    public var mode: Mode, coordinates: Coordinates, nearestRounding: NearestRounding, antialias: Bool
    public var axes: [Int]?, aspect: AspectPolicy, extrapolationValue: Float
    public init(
        mode: Mode = .nearest, coordinates: Coordinates = .halfPixel,
        nearestRounding: NearestRounding = .roundPreferFloor,
        antialias: Bool = false, axes: [Int]? = nil, aspect: AspectPolicy = .stretch, extrapolationValue: Float = 0
    ) {
        (self.mode, self.coordinates, self.nearestRounding) = (mode, coordinates, nearestRounding)
        (self.antialias, self.axes, self.aspect, self.extrapolationValue) = (
            antialias, axes, aspect, extrapolationValue
        )
    }

    public var name: String { "Resize" }
}

extension Resize {
    /// How one axis is resized.
    private struct Axis {
        var input: Int, output: Int
        /// Output extent over input extent, not rounded.
        var scale: Double
        /// Part of the axis that `tfCropAndResize` looks at.
        var roi: (start: Double, end: Double)
        /// Whether `scale` follows from the extents, so that coordinates can be computed without rounding it.
        var isExact: Bool
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(mode == .nearest ? ElementType.allCases : ElementType.numeric)
        return [TensorType(x.elementType, try geometry(inputs)?.map(\.output))]
    }

    private func geometry(_ inputs: [InputFacts?]) throws(OperatorError) -> [Axis]? {
        let x = try inputs.operand(0, "x")
        let roi = inputs.optionalOperand(1, "roi")
        let (scales, sizes) = (given(inputs.optionalOperand(2, "scales")), given(inputs.optionalOperand(3, "sizes")))
        guard let shape = x.shape else { return nil }
        guard let values = sizes ?? scales else {
            throw OperatorError(subject: "inputs 2 (scales) and 3 (sizes)", expected: "one of them", found: "none")
        }
        let axes = try normalized(axes: axes ?? Array(shape.indices), rank: shape.count, subject: "attribute axes")
        guard let numbers = values.facts.constant?.doubles else { return nil }
        guard numbers.count == axes.count, numbers.allSatisfy({ $0 > 0 && $0 < 1e9 }) else {
            throw values.error(expected: "\(axes.count) positive numbers, one for each axis", found: "\(numbers)")
        }
        var rois: [Double]?
        if coordinates == .tfCropAndResize {
            guard let roi else { throw OperatorError(subject: "input 1 (roi)", expected: "an input", found: "none") }
            guard let contents = roi.facts.constant?.doubles else { return nil }
            guard contents.count == 2 * axes.count else {
                throw roi.error(expected: "\(2 * axes.count) numbers", found: "\(contents)")
            }
            rois = contents
        }
        var result = shape.map { Axis(input: $0, output: $0, scale: 1, roi: (0, 1), isExact: true) }
        for (index, axis) in axes.enumerated() {
            if let rois { result[axis].roi = (rois[index], rois[axes.count + index]) }
            if sizes == nil {
                result[axis].scale = numbers[index]
                result[axis].output = Int((numbers[index] * Double(shape[axis])).rounded(.down))
                result[axis].isExact = numbers[index].rounded() == numbers[index]
            } else {
                result[axis].output = Int(numbers[index])
                result[axis].scale = numbers[index] / Double(max(shape[axis], 1))
            }
        }
        if sizes != nil && aspect != .stretch {
            let factors = axes.map { result[$0].scale }
            let factor = aspect == .notLarger ? factors.min()! : factors.max()!
            for axis in axes {
                result[axis].scale = factor
                result[axis].output = Int((factor * Double(shape[axis]) + 0.5).rounded(.down))
                result[axis].isExact = false
            }
        }
        return result
    }

    /// An optional input, absent also when it is empty.
    private func given(_ operand: Operand?) -> Operand? {
        operand?.shape?.reduce(1, *) == 0 ? nil : operand
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let geometry = try geometry(inputs.map { input in input.map(InputFacts.init(contents:)) })!
        let x = inputs[0]!
        let taps = geometry.map { axis in self.taps(axis) }
        if mode == .nearest {
            let fill = Tensor(scalar: extrapolationValue).converted(to: x.elementType)
            return [x.indexed(taps.map { axis in axis.map { $0.map { $0.first?.index ?? -1 } } }, fill: fill)]
        }
        if x.elementType == .float64 { return [interpolate(x, taps, Double.self)] }
        return [interpolate(x.converted(to: .float32), taps, Float.self).converted(to: x.elementType)]
    }

    private struct Tap {
        var index: Int, weight: Double
    }

    /// What each output index along an axis is made of; no taps stand for the extrapolation value. Nil when the axis
    /// stays as it is.
    private func taps(_ axis: Axis) -> [[Tap]]? {
        if axis.output == axis.input && axis.scale == 1 && coordinates != .tfCropAndResize { return nil }
        return (0..<axis.output).map { index in
            let x = coordinate(Double(index), axis)
            if coordinates == .tfCropAndResize && (x < 0 || x > Double(axis.input - 1)) { return [] }
            return taps(at: x, axis)
        }
    }

    /// The input coordinate that an output index falls on.
    private func coordinate(_ x: Double, _ axis: Axis) -> Double {
        let (input, output) = (Double(axis.input), axis.scale * Double(axis.input))
        func unscaled(_ position: Double) -> Double {
            axis.isExact ? position * input / Double(axis.output) : position / axis.scale
        }
        switch coordinates {
        case .halfPixel: return unscaled(x + 0.5) - 0.5
        case .halfPixelSymmetric:
            let offset = input / 2 * (1 - Double(axis.output) / output)
            return offset + (x + 0.5) / axis.scale - 0.5
        case .pytorchHalfPixel: return axis.output == 1 ? -0.5 : unscaled(x + 0.5) - 0.5
        case .alignCorners: return axis.output == 1 ? 0 : x * (input - 1) / (output - 1)
        case .asymmetric: return unscaled(x)
        case .tfHalfPixelForNN: return unscaled(x + 0.5)
        case .tfCropAndResize:
            let span = (axis.roi.end - axis.roi.start) * (input - 1)
            return axis.roi.start * (input - 1) + (axis.output == 1 ? span / 2 : x * span / (output - 1))
        }
    }

    /// The elements around `x` with their weights; those outside repeat the edge or, excluded, have no weight.
    private func taps(at x: Double, _ axis: Axis) -> [Tap] {
        // An integer coordinate counts as the right end of its interval.
        let floor = x.rounded(.down)
        let base = floor == x ? floor - 1 : floor
        let ratio = x - base
        var excludesOutside = false
        let weights: [Double]
        switch mode {
        case .nearest: weights = nearestWeights(ratio)
        case .linear: weights = antialias ? linearWeights(ratio, scale: min(axis.scale, 1)) : [1 - ratio, ratio]
        case .cubic(let a, let excludes):
            excludesOutside = excludes
            weights = cubicWeights(ratio, scale: antialias ? min(axis.scale, 1) : 1, a: Double(a))
        }
        let first = Int(base) - (weights.count / 2 - 1)
        var taps = weights.enumerated().map { Tap(index: first + $0, weight: $1) }
        if excludesOutside {
            taps.removeAll { $0.index < 0 || $0.index >= axis.input }
            let sum = taps.reduce(0) { $0 + $1.weight }
            for index in taps.indices { taps[index].weight /= sum }
        }
        taps.removeAll { $0.weight == 0 }
        for index in taps.indices { taps[index].index = min(max(taps[index].index, 0), axis.input - 1) }
        return taps
    }

    private func nearestWeights(_ ratio: Double) -> [Double] {
        if ratio == 1 { return [0, 1] }
        let isRight: Bool
        switch nearestRounding {
        case .roundPreferFloor: isRight = ratio > 0.5
        case .roundPreferCeil: isRight = ratio >= 0.5
        case .floor: isRight = false
        case .ceil: isRight = true
        }
        return isRight ? [0, 1] : [1, 0]
    }

    /// The triangle filter, widened by 1 / `scale`.
    private func linearWeights(_ ratio: Double, scale: Double) -> [Double] {
        let start = Int((-1 / scale).rounded(.down)) + 1
        let weights = (start..<(2 - start)).map { max(0, 1 - abs((Double($0) - ratio) * scale)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// Keys' cubic convolution kernel, widened by 1 / `scale`.
    private func cubicWeights(_ ratio: Double, scale: Double, a: Double) -> [Double] {
        func kernel(_ x: Double) -> Double {
            if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
        }
        let start = Int((-2 / scale).rounded(.down)) + 1
        let weights = (start..<(2 - start)).map { kernel(abs((Double($0) - ratio) * scale)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// Applies the taps one axis after the other.
    private func interpolate<Element: RealElement>(_ x: Tensor, _ taps: [[[Tap]]?], _: Element.Type) -> Tensor {
        var result = x
        for (axis, axisTaps) in taps.enumerated() {
            guard let axisTaps else { continue }
            let source = result
            var shape = source.shape
            let (extent, inner) = (shape[axis], shape[(axis + 1)...].reduce(1, *))
            shape[axis] = axisTaps.count
            let fill = Element(extrapolationValue)
            // Flat lists, so that the inner loops read plain memory.
            let starts = axisTaps.reduce(into: [0]) { $0.append($0.last! + $1.count) }
            let indices = axisTaps.flatMap { $0.map(\.index) }
            let weights = axisTaps.flatMap { $0.map { Element($0.weight) } }
            result = Tensor(shape: shape, of: Element.self) { output in
                source.withElements(of: Element.self) { source in
                    for outer in 0..<shape[..<axis].reduce(1, *) {
                        let plane = source.baseAddress! + outer * extent * inner
                        for index in axisTaps.indices {
                            let row = output.baseAddress! + (outer * axisTaps.count + index) * inner
                            let range = starts[index]..<starts[index + 1]
                            row.update(repeating: range.isEmpty ? fill : 0, count: inner)
                            for tap in range {
                                let (weight, line) = (weights[tap], plane + indices[tap] * inner)
                                for element in 0..<inner { row[element] += weight * line[element] }
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}
