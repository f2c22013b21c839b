/// ONNX QuantizeLinear: inputs x, scale, zeroPoint?.
public struct QuantizeLinear: Operator, Hashable {
    public var axis: Int, blockSize: Int, outputType: ElementType?
    public init(axis: Int = 1, blockSize: Int = 0, outputType: ElementType? = nil) {
        (self.axis, self.blockSize, self.outputType) = (axis, blockSize, outputType)
    }

    public var name: String { "QuantizeLinear" }
}

extension QuantizeLinear {
    private static let storedTypes: [ElementType] = [.int8, .uint8, .int16, .uint16]

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, scale) = (try inputs.operand(0, "x"), try inputs.operand(1, "scale"))
        try x.require(ElementType.floatingPoint + [.int32])
        try scale.require(ElementType.floatingPoint + [.int32])
        let zeroPoint = inputs.optionalOperand(2, "zero point")
        try zeroPoint?.require(Self.storedTypes)
        _ = try ScaleLayout(x, scale, zeroPoint, axis: axis, blockSize: blockSize)
        let elementType = zeroPoint?.elementType ?? outputType ?? .uint8
        guard Self.storedTypes.contains(elementType), outputType == nil || outputType == elementType else {
            throw OperatorError(
                subject: "attribute output_dtype",
                expected: "int8, uint8, int16 or uint16, as the zero point's", found: "\(outputType ?? elementType)")
        }
        return [TensorType(elementType, x.shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let facts = inputs.map { input in input.map(InputFacts.init(contents:)) }
        let elementType = try infer(facts)[0].elementType
        let scales = try ScaleLayout(
            facts.operand(0, "x"), facts.operand(1, "scale"), facts.optionalOperand(2, "zero point"), axis: axis,
            blockSize: blockSize)!
        let zeroPoints = inputs.optional(2)?.integers.map(Int32.init)
        let (x, factors) = (inputs[0]!.converted(to: .float32), inputs[1]!.floats)
        switch elementType {
        case .int8: return [quantize(x, scales, factors, zeroPoints, Int8.self)]
        case .uint8: return [quantize(x, scales, factors, zeroPoints, UInt8.self)]
        case .int16: return [quantize(x, scales, factors, zeroPoints, Int16.self)]
        default: return [quantize(x, scales, factors, zeroPoints, UInt16.self)]
        }
    }

    private func quantize<Stored: TensorElement & FixedWidthInteger>(
        _ x: Tensor, _ layout: ScaleLayout, _ scales: [Float], _ zeroPoints: [Int32]?, _: Stored.Type
    ) -> Tensor {
        Tensor(shape: x.shape, of: Stored.self) { output in
            x.withElements(of: Float.self) { x in
                layout.forEachRun { run, count, scale, scaleStride in
                    for index in 0..<count {
                        let entry = scale + index * scaleStride
                        output[run + index] = Stored.quantized(
                            x[run + index], scale: scales[entry], zeroPoint: zeroPoints?[entry] ?? 0)
                    }
                }
            }
        }
    }
}

/// Which scale belongs to which element: one for all, one for each index of an axis, or one for each block along an
/// axis.
struct ScaleLayout {
    private let outer: Int, extent: Int, inner: Int
    /// Elements along the axis that share a scale, and whether scales differ along the other axes too.
    private let block: Int, isBlocked: Bool, isPerTensor: Bool

    /// Checks the shapes of scale and zero point; nil when they are not known.
    init?(
        _ x: Operand, _ scale: Operand, _ zeroPoint: Operand?, axis: Int, blockSize: Int
    ) throws(OperatorError) {
        guard let shape = x.shape, let scaleShape = scale.shape else { return nil }
        if zeroPoint?.shape?.reduce(1, *) != 1 || scaleShape.reduce(1, *) != 1 {
            try zeroPoint?.requireShape(scaleShape, "that of the scale")
        }
        isPerTensor = scaleShape.reduce(1, *) == 1 && blockSize == 0
        isBlocked = blockSize > 0
        if isPerTensor {
            (outer, extent, inner, block) = (1, 1, shape.reduce(1, *), 1)
            return
        }
        guard (0...(1 << 40)).contains(blockSize) else {
            throw OperatorError(subject: "attribute block_size", expected: "0 to 2^40", found: "\(blockSize)")
        }
        let axis = try normalized(axis: axis, rank: shape.count)
        if isBlocked {
            var expected = shape
            expected[axis] = (shape[axis] + blockSize - 1) / blockSize
            try scale.requireShape(expected, "one for each block of \(blockSize) along axis \(axis)")
        } else {
            try scale.requireShape([shape[axis]], "one for each index of axis \(axis), or a scalar")
        }
        (outer, extent, inner) = (shape[..<axis].reduce(1, *), shape[axis], shape[(axis + 1)...].reduce(1, *))
        block = max(1, blockSize)
    }

    /// Calls `body` for runs of elements: first element, count, index of the first one's scale, step to the next one's.
    @inline(__always)
    func forEachRun(_ body: (_ first: Int, _ count: Int, _ scale: Int, _ scaleStride: Int) -> Void) {
        if isPerTensor { return body(0, inner, 0, 0) }
        let blocks = (extent + block - 1) / block
        for row in 0..<(outer * extent) {
            let (outerIndex, index) = (row / extent, row % extent)
            if isBlocked {
                body(row * inner, inner, (outerIndex * blocks + index / block) * inner, 1)
            } else {
                body(row * inner, inner, index, 0)
            }
        }
    }
}
