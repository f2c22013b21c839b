import Graph

extension TFLiteTensor {
    /// The contents in the file, INT4 unpacked to int8.
    func constant(in file: FlatBuffer, at mapper: TFLiteMapper) throws(GraphProblem) -> Tensor {
        let subject = "constant \"\(name)\""
        guard let elementType = type.elementType else {
            throw mapper.problem(subject, expected: "numbers or booleans", found: "elements of type \(type.name)")
        }
        guard let count = ShapeInference.count(shape) else {
            throw mapper.problem(subject, expected: "extents of at most 2^31 elements in all", found: "shape \(shape)")
        }
        let range = contents ?? 0..<0
        let needed = type == .int4 ? (count + 1) / 2 : count * elementType.byteCount
        guard range.count == needed else {
            throw mapper.problem(
                subject, expected: "\(needed) bytes for shape \(shape) of \(type.name)", found: "\(range.count)")
        }
        return Tensor(unsafeUninitialized: elementType, shape: shape) { target in
            file.bytes.withUnsafeBytes { bytes in
                let source = UnsafeRawBufferPointer(rebasing: bytes[range])
                switch type {
                case .int4:
                    // Two's complement nibbles, the first element in the low one.
                    for index in 0..<count {
                        let nibbles = Int8(bitPattern: source[index / 2])
                        let nibble = index % 2 == 0 ? (nibbles << 4) >> 4 : nibbles >> 4
                        target[index] = UInt8(bitPattern: nibble)
                    }
                default:
                    target.copyMemory(from: source)
                    if elementType == .bool {
                        for index in 0..<count { target[index] = source[index] == 0 ? 0 : 1 }
                    }
                }
            }
        }
    }

    /// The quantization that the file declares, for elements stored as `elementType`; `scales` is not empty.
    ///
    /// Per-channel metadata of files older than the field `quantized_dimension`'s present meaning name an axis that the
    /// tensor doesn't have (3 for a bias of one axis): the axis is then the only one with as many extents as there are
    /// scales. A scale of zero or below the smallest normal number, which old converters wrote for channels whose
    /// weights are all zero, becomes the smallest normal number.
    func quantization(
        storedAs elementType: ElementType, subject: String, at mapper: TFLiteMapper
    ) throws(GraphProblem) -> Quantization {
        for scale in scales where !(scale.isFinite && scale >= 0) {
            throw mapper.problem(subject, expected: "positive, finite scales", found: "\(scale)")
        }
        guard zeroPoints.isEmpty || zeroPoints.count == 1 || zeroPoints.count == scales.count else {
            throw mapper.problem(
                subject, expected: "as many zero points as scales (\(scales.count)), or one",
                found: "\(zeroPoints.count)")
        }
        let limits: ClosedRange<Int64> =
            switch elementType {
            case .int8: -128...127
            case .uint8: 0...255
            case .int16: -32768...32767
            default: Int64(Int32.min)...Int64(Int32.max)
            }
        for zeroPoint in zeroPoints where !limits.contains(zeroPoint) {
            throw mapper.problem(
                subject, expected: "zero points of \(limits.lowerBound)…\(limits.upperBound)", found: "\(zeroPoint)")
        }
        let stored = scales.map { max($0, .leastNormalMagnitude) }
        let zeros = zeroPoints.map { Int32($0) }
        return Quantization(
            elementType: elementType, scales: stored,
            zeroPoints: zeros.count == stored.count
                ? zeros : [Int32](repeating: zeros.first ?? 0, count: stored.count),
            axis: scales.count == 1 ? nil : try quantizedAxis(subject, mapper))
    }

    private func quantizedAxis(_ subject: String, _ mapper: TFLiteMapper) throws(GraphProblem) -> Int {
        if shape.indices.contains(quantizedDimension), shape[quantizedDimension] == scales.count {
            return quantizedDimension
        }
        let candidates = shape.indices.filter { shape[$0] == scales.count }
        guard candidates.count == 1 else {
            throw mapper.problem(
                subject, expected: "an axis of \(scales.count) extents, one for each scale",
                found: "shape \(shape) with quantized dimension \(quantizedDimension)")
        }
        return candidates[0]
    }
}
