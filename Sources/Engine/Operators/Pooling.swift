import Kernels
import NestFormat

/// Max or average pool, int8 or float32. int8 max: input and output share the quantization. int8 average:
/// `clamp(rne(Float(Σ(x - zi)) * (multiplier / Float(count))) + zo)`, the quotient rounded to Float once; count is the number
/// of valid taps, or of all taps inside the padded map when `countsPadding`. With another `rounding` than nearest even an
/// int8 average is the rounded mean of the stored integers; input and output then share the quantization and padding is
/// not counted.
public struct Pooling: Sendable, Hashable {
    public var isMax: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, window: Window, countsPadding: Bool
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float, clampMin: Int8, clampMax: Int8
    public var rounding: AverageRounding
    public init(
        isMax: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, window: Window, countsPadding: Bool = false,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1, clampMin: Int8 = -128,
        clampMax: Int8 = 127, rounding: AverageRounding = .nearestEven
    ) {
        (self.isMax, self.type, self.input, self.output, self.window) = (isMax, type, input, output, window)
        (self.countsPadding, self.inputZeroPoint, self.outputZeroPoint) =
            (countsPadding, inputZeroPoint, outputZeroPoint)
        (self.multiplier, self.clampMin, self.clampMax, self.rounding) = (multiplier, clampMin, clampMax, rounding)
    }
}

extension Pooling: DirectOperator {
    /// What the file says first: 0 and 1 are the average to nearest even and the maximum, 2 and 3 averages of stored
    /// integers, halves up and halves away from zero.
    private var form: UInt8 { isMax ? 1 : rounding == .nearestEven ? 0 : rounding.rawValue + 1 }

    func encode(into writer: inout ByteWriter) {
        writer.write(form)
        writer.write(type.rawValue)
        writer.write(input)
        writer.write(output)
        writer.write(window)
        writer.write(countsPadding)
        writer.write(inputZeroPoint)
        writer.write(outputZeroPoint)
        writer.write(multiplier)
        writer.write(clampMin)
        writer.write(clampMax)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let form = try reader.readUInt8()
        guard form <= 3 else { throw reader.malformed("unknown pool") }
        let type = try reader.readDeviceType()
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let window = try reader.readWindow()
        let countsPadding = try reader.readBool()
        let inputZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        let multiplier = try reader.readFiniteFloat()
        let clampMin = try reader.readInt8()
        self.init(
            isMax: form == 1, type: type, input: input, output: output, window: window, countsPadding: countsPadding,
            inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint, multiplier: multiplier,
            clampMin: clampMin, clampMax: try reader.readInt8(),
            rounding: form < 2 ? .nearestEven : form == 2 ? .halfUp : .halfAwayFromZero)
    }

    var resultType: DeviceType { type }

    var work: UInt64 {
        UInt64(output.pixels) * UInt64(output.channels) * UInt64(window.kernelHeight * window.kernelWidth)
    }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(type == .int8 || type == .float32, "pools take int8 or float32")
        try checker.map(input, elementBytes: type.byteCount)
        try checker.map(output, elementBytes: type.byteCount)
        try checker.require(input.channels == output.channels, "a pool changes the number of channels")
        try checker.window(window, input: input, output: output, elementBytes: type.byteCount)
        try checker.zeroPoint(inputZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.multiplier(multiplier)
        try checker.clamp(clampMin, clampMax)
        let isIntegerMean =
            type == .int8 && !isMax && !countsPadding && multiplier == 1 && inputZeroPoint == outputZeroPoint
        try checker.require(
            rounding == .nearestEven || isIntegerMean,
            "a mean of stored integers needs int8, one quantization and uncounted padding")
        let visits = try checker.product(
            Int64(output.pixels), Int64(output.channels), Int64(window.kernelHeight), Int64(window.kernelWidth))
        try checker.require(UInt64(visits) <= NestLimits.maxWork, "the work is above the limit")
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) {
        output.forEachPiece(elementBytes: type.byteCount, body)
    }

    /// Padding below and right is what the last window needs.
    var geometry: PoolingGeometry {
        func end(_ outputs: Int, _ stride: Int, _ kernel: Int, _ dilation: Int, _ pad: Int, _ inputs: Int) -> Int {
            max(0, (outputs - 1) * stride - pad + (kernel - 1) * dilation + 1 - inputs)
        }
        return PoolingGeometry(
            inputHeight: input.height, inputWidth: input.width, outputHeight: output.height, outputWidth: output.width,
            channels: output.channels, kernelHeight: window.kernelHeight, kernelWidth: window.kernelWidth,
            strideY: window.strideY, strideX: window.strideX, dilationY: window.dilationY, dilationX: window.dilationX,
            padTop: window.padTop, padLeft: window.padLeft,
            padBottom: end(
                output.height, window.strideY, window.kernelHeight, window.dilationY, window.padTop, input.height),
            padRight: end(
                output.width, window.strideX, window.kernelWidth, window.dilationX, window.padLeft, input.width),
            inputPixelStride: input.pixelStride, outputPixelStride: output.pixelStride)
    }

    func run(_ context: ExecutionContext, part: Part) {
        let geometry = geometry
        if type == .float32 {
            let source = UnsafePointer(context.arenaFloat(input.offset))
            let target = context.arenaFloat(output.offset)
            if isMax {
                maxPool(geometry, input: source, output: target, part: part)
            } else {
                averagePool(geometry, input: source, countsPadding: countsPadding, output: target, part: part)
            }
            return
        }
        let source = UnsafePointer(context.arenaInt8(input.offset))
        let target = context.arenaInt8(output.offset)
        let range = OutputRange(zeroPoint: outputZeroPoint, lowest: Int32(clampMin), highest: Int32(clampMax))
        if isMax {
            context.kernels.maxPool(geometry, input: source, output: target, part: part)
            guard clampMin > -128 || clampMax < 127 else { return }
            for pixel in part.range(of: geometry.outputPixels) {
                let row = target + pixel * output.pixelStride
                for channel in 0..<output.channels { row[channel] = max(clampMin, min(clampMax, row[channel])) }
            }
        } else {
            context.kernels.averagePool(
                geometry, input: source, inputZeroPoint: inputZeroPoint, multiplier: multiplier,
                countsPadding: countsPadding, rounding: rounding, range: range, output: target, part: part,
                scratch: context.scratch)
        }
    }
}
