/// ONNX GridSample: inputs x, grid [batch, spatial…, spatial axes] with coordinates in -1 ... 1, innermost axis first.
public struct GridSample: Operator, Hashable {
    public enum Mode: Sendable, Hashable { case linear, nearest, cubic }
    public enum PaddingMode: Sendable, Hashable { case zeros, border, reflection }
    public var mode: Mode, paddingMode: PaddingMode, alignCorners: Bool, layout: Layout
    public init(
        mode: Mode = .linear, paddingMode: PaddingMode = .zeros, alignCorners: Bool = false,
        layout: Layout = .channelsFirst
    ) {
        (self.mode, self.paddingMode, self.alignCorners, self.layout) = (mode, paddingMode, alignCorners, layout)
    }

    public var name: String { "GridSample" }
}

extension GridSample {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, grid) = (try inputs.operand(0, "x"), try inputs.operand(1, "grid"))
        try x.require(ElementType.floatingPoint)
        try grid.require(ElementType.floatingPoint)
        try x.requireRank(3...Int.max)
        guard let shape = x.shape, let gridShape = grid.shape else { return [TensorType(x.elementType, nil)] }
        guard gridShape.count == shape.count, gridShape[0] == shape[0], gridShape.last == shape.count - 2 else {
            throw grid.error(
                expected: "rank \(shape.count), \(shape[0]) samples, \(shape.count - 2) coordinates",
                found: "shape \(gridShape)")
        }
        let channels = shape[layout.channelAxis(rank: shape.count)]
        return [
            TensorType(
                x.elementType,
                layout.shape(batch: shape[0], channels: channels, spatial: Array(gridShape[1..<(shape.count - 1)])))
        ]
    }

    private typealias Tap = (index: Int, weight: Double)

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let rank = inputs[0]!.shape.count
        let x = inputs[0]!.transposed(layout.permutation(to: .channelsFirst, rank: rank))
        let (batch, channels, extents) = (x.shape[0], x.shape[1], Array(x.shape[2...]))
        let (values, grid) = (x.doubles, inputs[1]!.doubles)
        let spatial = Array(inputs[1]!.shape[1..<(rank - 1)])
        let (inPixels, outPixels) = (extents.reduce(1, *), spatial.reduce(1, *))
        let strides = rowMajorStrides(extents)
        var result = [Double](repeating: 0, count: batch * channels * outPixels)
        for point in 0..<(batch * outPixels) {
            var taps: [Tap] = [(0, 1)]
            for axis in extents.indices {
                // Coordinates come innermost axis first.
                let coordinate = grid[point * extents.count + extents.count - 1 - axis]
                let onAxis = self.taps(coordinate, extent: extents[axis])
                taps = taps.flatMap { outer in
                    onAxis.map { (outer.index + $0.index * strides[axis], outer.weight * $0.weight) }
                }
            }
            for channel in 0..<channels {
                let plane = point / outPixels * channels + channel
                result[plane * outPixels + point % outPixels] = taps.reduce(0) {
                    $0 + $1.weight * values[plane * inPixels + $1.index]
                }
            }
        }
        return [
            Tensor(result, shape: [batch, channels] + spatial).converted(to: x.elementType)
                .transposed(Layout.channelsFirst.permutation(to: layout, rank: rank))
        ]
    }

    /// The elements of an axis that a grid coordinate sees; those in zero padding are left out.
    private func taps(_ coordinate: Double, extent: Int) -> [Tap] {
        let last = Double(extent - 1)
        let bounds = alignCorners ? 0...max(last, 0) : -0.5...(last + 0.5)
        var x = alignCorners ? (coordinate + 1) / 2 * last : ((coordinate + 1) * Double(extent) - 1) / 2
        if mode == .nearest { x.round(.toNearestOrEven) }
        if !bounds.contains(x) {
            switch paddingMode {
            case .zeros: break
            case .border: x = min(max(x, 0), last)
            case .reflection: x = Self.reflected(x, bounds)
            }
        }
        guard x.isFinite, abs(x) < 1e9 else { return [] }
        let floor = x.rounded(.down)
        let ratio = x - floor
        let (first, weights): (Int, [Double])
        switch mode {
        case .nearest: (first, weights) = (Int(x.rounded(.toNearestOrEven)), [1])
        case .linear: (first, weights) = (Int(floor), [1 - ratio, ratio])
        case .cubic: (first, weights) = (Int(floor) - 1, Self.cubicWeights(ratio))
        }
        return weights.enumerated().compactMap { offset, weight in
            var index = first + offset
            if index < 0 || index >= extent {
                switch paddingMode {
                case .zeros: return nil
                case .border: index = min(max(index, 0), extent - 1)
                case .reflection: index = min(max(Int(Self.reflected(Double(index), bounds)), 0), extent - 1)
                }
            }
            return (index, weight)
        }
    }

    /// `x` folded into `bounds` as between two mirrors.
    private static func reflected(_ x: Double, _ bounds: ClosedRange<Double>) -> Double {
        let span = bounds.upperBound - bounds.lowerBound
        if span == 0 { return bounds.lowerBound }
        let distance = abs(x - bounds.lowerBound).truncatingRemainder(dividingBy: 2 * span)
        return bounds.lowerBound + (distance <= span ? distance : 2 * span - distance)
    }

    /// Keys' cubic convolution kernel with a = -0.75, as in ONNX.
    private static func cubicWeights(_ ratio: Double) -> [Double] {
        let a = -0.75
        return [1 + ratio, ratio, 1 - ratio, 2 - ratio].map { x in
            x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        }
    }
}
