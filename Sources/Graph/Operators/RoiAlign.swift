/// ONNX RoiAlign: inputs x, rois [n, 4] (x1, y1, x2, y2), batch indices [n]. `halfPixel` shifts coordinates by half a
/// pixel.
public struct RoiAlign: Operator, Hashable {
    public var isMax: Bool, outputHeight: Int, outputWidth: Int, samplingRatio: Int, spatialScale: Float,
        halfPixel: Bool, layout: Layout
    public init(
        isMax: Bool = false, outputHeight: Int = 1, outputWidth: Int = 1, samplingRatio: Int = 0,
        spatialScale: Float = 1, halfPixel: Bool = true, layout: Layout = .channelsFirst
    ) {
        (
            self.isMax, self.outputHeight, self.outputWidth, self.samplingRatio, self.spatialScale, self.halfPixel,
            self.layout
        ) = (isMax, outputHeight, outputWidth, samplingRatio, spatialScale, halfPixel, layout)
    }

    public var name: String { "RoiAlign" }
}

extension RoiAlign {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, rois) = (try inputs.operand(0, "x"), try inputs.operand(1, "rois"))
        let indices = try inputs.operand(2, "batch indices")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(4...4)
        try rois.requireType(of: x)
        try rois.requireRank(2...2)
        guard let shape = x.shape, let roiShape = rois.shape else { return [TensorType(x.elementType, nil)] }
        try rois.requireShape([roiShape[0], 4], "two corners")
        try indices.requireShape([roiShape[0]], "one for each region")
        if let values = try indices.integers(), !values.allSatisfy({ (0..<shape[0]).contains($0) }) {
            throw indices.error(expected: "samples 0 ..< \(shape[0])", found: "\(values)")
        }
        let extents = [outputHeight, outputWidth]
        guard extents.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }), (0...1024).contains(samplingRatio) else {
            throw OperatorError(
                subject: "attributes output_height, output_width and sampling_ratio",
                expected: "extents of 1 to 2^20 and a ratio of 0 to 1024",
                found: "\(outputHeight), \(outputWidth) and \(samplingRatio)")
        }
        return [
            TensorType(
                x.elementType,
                layout.shape(
                    batch: roiShape[0], channels: shape[layout.channelAxis(rank: 4)],
                    spatial: [outputHeight, outputWidth]))
        ]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!.transposed(layout.permutation(to: .channelsFirst, rank: 4))
        let (channels, height, width) = (x.shape[1], x.shape[2], x.shape[3])
        let (values, rois, batches) = (x.doubles, inputs[1]!.doubles, inputs[2]!.integers)
        var result: [Double] = []
        for (index, batch) in batches.enumerated() {
            let region = rois[(index * 4)..<(index * 4 + 4)].map { $0 * Double(spatialScale) - (halfPixel ? 0.5 : 0) }
            let columns = samples(region[0], region[2], count: outputWidth)
            let rows = samples(region[1], region[3], count: outputHeight)
            for channel in 0..<channels {
                let plane = (batch * channels + channel) * height * width
                for row in rows {
                    for column in columns {
                        result.append(
                            pool(row, column, height: height, width: width) { values[plane + $0 * width + $1] })
                    }
                }
            }
        }
        let shape = [batches.count, channels, outputHeight, outputWidth]
        return [
            Tensor(result, shape: shape).converted(to: inputs[0]!.elementType)
                .transposed(Layout.channelsFirst.permutation(to: layout, rank: 4))
        ]
    }

    /// The coordinates at which each of `count` bins between `start` and `end` is sampled.
    private func samples(_ start: Double, _ end: Double, count: Int) -> [[Double]] {
        let extent = halfPixel ? end - start : max(end - start, 1)
        let bin = extent / Double(count)
        let perBin = samplingRatio > 0 ? samplingRatio : max(0, Int(bin.rounded(.up)))
        return (0..<count).map { index in
            (0..<perBin).map { start + Double(index) * bin + (Double($0) + 0.5) * bin / Double(perBin) }
        }
    }

    /// Mean of the bilinear samples, or the greatest weighted neighbour of all of them.
    private func pool(
        _ rows: [Double], _ columns: [Double], height: Int, width: Int, _ value: (Int, Int) -> Double
    ) -> Double {
        var (sum, greatest) = (0.0, -Double.infinity)
        for y in rows {
            for x in columns {
                let terms = neighbours(y, extent: height).flatMap { row in
                    neighbours(x, extent: width).map { row.weight * $0.weight * value(row.index, $0.index) }
                }
                sum += terms.reduce(0, +)
                greatest = max(greatest, terms.max() ?? 0)
            }
        }
        let count = rows.count * columns.count
        return isMax ? (count == 0 ? 0 : greatest) : sum / Double(max(count, 1))
    }

    /// The two elements around a coordinate; none when it is more than one element outside.
    private func neighbours(_ x: Double, extent: Int) -> [(index: Int, weight: Double)] {
        if x < -1 || x > Double(extent) { return [] }
        let inside = min(max(x, 0), Double(extent - 1))
        let low = Int(inside)
        return [(low, 1 - (inside - Double(low))), (min(low + 1, extent - 1), inside - Double(low))]
    }
}
