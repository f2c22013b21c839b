import CKernels

/// Quantization of an int8 addition: multipliers are input scale over output scale, negative to subtract.
public struct AddParameters: Sendable {
    public var aZeroPoint: Int32
    public var aMultiplier: Float
    public var bZeroPoint: Int32
    public var bMultiplier: Float
    public var output: OutputRange

    public init(
        aZeroPoint: Int32, aMultiplier: Float, bZeroPoint: Int32, bMultiplier: Float, output: OutputRange
    ) {
        self.aZeroPoint = aZeroPoint
        self.aMultiplier = aMultiplier
        self.bZeroPoint = bZeroPoint
        self.bMultiplier = bMultiplier
        self.output = output
    }
}

/// Quantization of an int8 multiplication: `multiplier` is scale a * scale b / output scale.
public struct MultiplyParameters: Sendable {
    public var aZeroPoint: Int32
    public var bZeroPoint: Int32
    public var multiplier: Float
    public var output: OutputRange

    public init(aZeroPoint: Int32, bZeroPoint: Int32, multiplier: Float, output: OutputRange) {
        self.aZeroPoint = aZeroPoint
        self.bZeroPoint = bZeroPoint
        self.multiplier = multiplier
        self.output = output
    }
}

/// How the second operand of an elementwise operation meets the first.
public enum Broadcast: UInt8, Sendable {
    /// Same shape.
    case none
    /// One pixel, repeated for every pixel of the first operand.
    case perChannel
    /// One channel, repeated for every channel.
    case perPixel
    /// One value.
    case scalar
}

/// Where the operands of an int8 elementwise operation over `pixels` × `channels` values lie. Strides are in bytes from
/// pixel to pixel; `bPixelStride` counts where `broadcast` is `.none` or `.perPixel`. The output may be an operand of
/// the same stride. Operands are followed by `Packing.readAheadBytes` readable bytes.
public struct ElementwiseOperands {
    public var a: UnsafePointer<Int8>
    public var aPixelStride: Int
    public var b: UnsafePointer<Int8>
    public var bPixelStride: Int
    public var broadcast: Broadcast
    public var output: UnsafeMutablePointer<Int8>
    public var outputPixelStride: Int
    public var pixels: Int
    public var channels: Int

    public init(
        a: UnsafePointer<Int8>, aPixelStride: Int, b: UnsafePointer<Int8>, bPixelStride: Int, broadcast: Broadcast,
        output: UnsafeMutablePointer<Int8>, outputPixelStride: Int, pixels: Int, channels: Int
    ) {
        self.a = a
        self.aPixelStride = aPixelStride
        self.b = b
        self.bPixelStride = bPixelStride
        self.broadcast = broadcast
        self.output = output
        self.outputPixelStride = outputPixelStride
        self.pixels = pixels
        self.channels = channels
    }

    /// Bytes of a repeated second operand: on the stack.
    private static let patternBytes = 768

    /// Calls `body` on rows that cover one part of the operation.
    @inline(__always)
    func forEachRun(_ part: Part, _ body: (ElementwiseRows) -> Void) {
        let isContiguous = aPixelStride == channels && outputPixelStride == channels
        if isContiguous && (broadcast == .scalar || (broadcast == .none && bPixelStride == channels)) {
            let range = part.range(of: pixels * channels, unit: 64)
            if range.isEmpty { return }
            let isScalar = broadcast == .scalar
            body(
                ElementwiseRows(
                    a: a + range.lowerBound, b: isScalar ? b : b + range.lowerBound, bIsScalar: isScalar,
                    output: output + range.lowerBound, count: range.count))
            return
        }
        let share = part.range(of: pixels)
        if share.isEmpty { return }
        if isContiguous && broadcast == .perChannel && 2 * channels <= ElementwiseOperands.patternBytes && share.count > 1 {
            // A short pixel of channels, repeated: fewer and longer rows.
            let capacity = ElementwiseOperands.patternBytes + Packing.readAheadBytes
            withUnsafeTemporaryAllocation(of: Int8.self, capacity: capacity) { pattern in
                let base = pattern.baseAddress.unsafelyUnwrapped
                let repeats = min(share.count, ElementwiseOperands.patternBytes / channels)
                for i in 0..<repeats { (base + i * channels).initialize(from: b, count: channels) }
                var pixel = share.lowerBound
                while pixel < share.upperBound {
                    let count = min(repeats, share.upperBound - pixel)
                    let start = pixel * channels
                    body(
                        ElementwiseRows(
                            a: a + start, b: UnsafePointer(base), output: output + start, count: count * channels))
                    pixel += count
                }
            }
            return
        }
        let bStride = broadcast == .none || broadcast == .perPixel ? bPixelStride : 0
        body(
            ElementwiseRows(
                a: a + share.lowerBound * aPixelStride, aStride: aPixelStride, b: b + share.lowerBound * bStride,
                bStride: bStride, bIsScalar: broadcast == .scalar || broadcast == .perPixel,
                output: output + share.lowerBound * outputPixelStride, outputStride: outputPixelStride, count: channels,
                rows: share.count))
    }
}

/// `count` values in each of some rows, strides in bytes apart; of a scalar second operand one value a row.
struct ElementwiseRows {
    var a: UnsafePointer<Int8>
    var aStride = 0
    var b: UnsafePointer<Int8>
    var bStride = 0
    var bIsScalar = false
    var output: UnsafeMutablePointer<Int8>
    var outputStride = 0
    var count: Int
    var rows = 1
}

extension KernelSet {
    /// output = quantizedStep(Float(a - aZeroPoint) * aMultiplier + Float(b - bZeroPoint) * bMultiplier): two products
    /// and one sum, each rounded.
    public func add(_ operands: ElementwiseOperands, _ parameters: AddParameters, part: Part = .whole) {
        operands.forEachRun(part) { addInt8(add, $0, parameters) }
    }

    /// output = requantize((a - aZeroPoint) * (b - bZeroPoint), multiplier).
    public func multiply(_ operands: ElementwiseOperands, _ parameters: MultiplyParameters, part: Part = .whole) {
        operands.forEachRun(part) { multiplyInt8(multiply, $0, parameters) }
    }

    /// output = the table's entry for the input, which may be the output.
    /// - Precondition: the input is followed by `Packing.readAheadBytes` readable bytes.
    public func lookUp(
        table function: LookUpTable, input: UnsafePointer<Int8>, inputPixelStride: Int,
        output: UnsafeMutablePointer<Int8>, outputPixelStride: Int, pixels: Int, channels: Int, part: Part = .whole
    ) {
        let isContiguous = inputPixelStride == channels && outputPixelStride == channels
        let share = isContiguous ? part.range(of: pixels * channels, unit: 64) : part.range(of: pixels)
        if share.isEmpty { return }
        let (inputStride, outputStride) = isContiguous ? (1, 1) : (inputPixelStride, outputPixelStride)
        tableInt8(
            table, table: function, input: input + share.lowerBound * inputStride, inputStride: inputPixelStride,
            output: output + share.lowerBound * outputStride, outputStride: outputPixelStride,
            count: isContiguous ? share.count : channels, rows: isContiguous ? 1 : share.count)
    }
}

@inline(__always)
func addInt8(_ kernel: Kernel, _ rows: ElementwiseRows, _ parameters: AddParameters) {
    kernel.markExecuted()
    var arguments = swiftlet_add_s8_arguments(
        a: rows.a, b: rows.b, output: rows.output, aStride: rows.aStride, bStride: rows.bStride,
        outputStride: rows.outputStride, count: rows.count, rows: rows.rows, bIsScalar: rows.bIsScalar ? 1 : 0,
        aZeroPoint: parameters.aZeroPoint, bZeroPoint: parameters.bZeroPoint, aMultiplier: parameters.aMultiplier,
        bMultiplier: parameters.bMultiplier, zeroPoint: parameters.output.zeroPoint, lowest: parameters.output.lowest,
        highest: parameters.output.highest)
    if let function = kernel.entry.pointee.function.add_s8 { function(&arguments) } else { addInt8Scalar(arguments) }
}

@inline(__always)
func multiplyInt8(_ kernel: Kernel, _ rows: ElementwiseRows, _ parameters: MultiplyParameters) {
    kernel.markExecuted()
    var arguments = swiftlet_mul_s8_arguments(
        a: rows.a, b: rows.b, output: rows.output, aStride: rows.aStride, bStride: rows.bStride,
        outputStride: rows.outputStride, count: rows.count, rows: rows.rows, bIsScalar: rows.bIsScalar ? 1 : 0,
        aZeroPoint: parameters.aZeroPoint, bZeroPoint: parameters.bZeroPoint, multiplier: parameters.multiplier,
        zeroPoint: parameters.output.zeroPoint, lowest: parameters.output.lowest, highest: parameters.output.highest)
    if let function = kernel.entry.pointee.function.mul_s8 {
        function(&arguments)
    } else {
        multiplyInt8Scalar(arguments)
    }
}

@inline(__always)
func tableInt8(
    _ kernel: Kernel, table: LookUpTable, input: UnsafePointer<Int8>, inputStride: Int,
    output: UnsafeMutablePointer<Int8>, outputStride: Int, count: Int, rows: Int
) {
    kernel.markExecuted()
    var arguments = swiftlet_table_s8_arguments(
        table: table.entries, fitted: table.fitted, input: input, output: output, inputStride: inputStride,
        outputStride: outputStride, count: count, rows: rows)
    if let function = kernel.entry.pointee.function.table_s8 {
        function(&arguments)
    } else {
        tableInt8Scalar(arguments)
    }
}

/// output[i] = table[input[i] + 128], int8 to float: dequantization and float functions of an int8 tensor.
public func lookUpFloat(
    table: UnsafePointer<Float>, input: UnsafePointer<Int8>, output: UnsafeMutablePointer<Float>, count: Int
) {
    for i in 0..<count { output[i] = table[Int(input[i]) + 128] }
}

/// output[i] = quantizedStep(input[i] * inverseScale, zero point): float to int8. Infinities clamp; NaN gives the zero
/// point, clamped.
public func quantize(
    _ input: UnsafePointer<Float>, inverseScale: Float, range: OutputRange, output: UnsafeMutablePointer<Int8>,
    count: Int
) {
    for i in 0..<count {
        let value = input[i] * inverseScale
        output[i] = quantizedStep(
            value == value ? value : 0, zeroPoint: range.zeroPoint, lowest: range.lowest, highest: range.highest)
    }
}
