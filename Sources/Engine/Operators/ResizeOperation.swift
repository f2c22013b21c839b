import Kernels
import NestFormat

/// Resize, int8 or float32, by tables in the weights section. Nearest: int32 source row for each output row, then source
/// column for each output column. Bilinear: for rows then columns int32 low index, int32 high index, float32 weight of the
/// high one; `top = a + (b - a) * wx` form with every step rounded to Float; int8 goes through
/// `clamp(rne(value * multiplier) + zo)` with value computed on (x - zi). Bilinear `fixedPoint`, int8 with one quantization
/// for input and output: the weight is an int32 in 1/2048, and on stored integers
/// `top = 2048 a + (b - a) wx`, `out = (2048 top + (bottom - top) wy + 2^21) >> 22`, so that halves go up.
public struct ResizeOperation: Sendable, Hashable {
    public var isNearest: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, tableOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float, fixedPoint: Bool
    public init(
        isNearest: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, tableOffset: Int,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1, fixedPoint: Bool = false
    ) {
        (self.isNearest, self.type, self.input, self.output, self.tableOffset) =
            (isNearest, type, input, output, tableOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.multiplier) = (inputZeroPoint, outputZeroPoint, multiplier)
        self.fixedPoint = fixedPoint
    }
}

extension ResizeOperation: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        // 0 bilinear, 1 nearest, 2 bilinear in fixed point.
        writer.write(isNearest ? 1 : fixedPoint ? 2 : 0 as UInt8)
        writer.write(type.rawValue)
        writer.write(input)
        writer.write(output)
        writer.writeSize(tableOffset)
        writer.write(inputZeroPoint)
        writer.write(outputZeroPoint)
        writer.write(multiplier)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let form = try reader.readUInt8()
        guard form <= 2 else { throw reader.malformed("unknown resize") }
        let type = try reader.readDeviceType()
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let tableOffset = try reader.readSize()
        let inputZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        self.init(
            isNearest: form == 1, type: type, input: input, output: output, tableOffset: tableOffset,
            inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint, multiplier: try reader.readFiniteFloat(),
            fixedPoint: form == 2)
    }

    var resultType: DeviceType { type }

    var work: UInt64 { UInt64(output.pixels) * UInt64(output.channels) * (isNearest ? 2 : 16) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(type == .int8 || type == .float32, "resizing takes int8 or float32")
        try checker.map(input, elementBytes: type.byteCount)
        try checker.map(output, elementBytes: type.byteCount)
        try checker.require(input.channels == output.channels, "resizing changes the number of channels")
        try checker.zeroPoint(inputZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.multiplier(multiplier)
        let isStored = !isNearest && type == .int8 && multiplier == 1 && inputZeroPoint == outputZeroPoint
        try checker.require(!fixedPoint || isStored, "resizing in fixed point needs int8 with one quantization")
        let words = (output.height + output.width) * (isNearest ? 1 : 3)
        try checker.tensor(tableOffset, count: Int64(words), bytesEach: 4)
        var word = tableOffset
        for (extent, limit) in [(output.height, input.height), (output.width, input.width)] {
            for _ in 0..<(isNearest ? extent : 2 * extent) {
                let index = Int32(littleEndian: checker.weights.load(fromByteOffset: word, as: Int32.self))
                try checker.require(index >= 0 && index < limit, "a table index is outside the input")
                word += 4
            }
            if !isNearest {
                for _ in 0..<extent {
                    let bits = UInt32(littleEndian: checker.weights.load(fromByteOffset: word, as: UInt32.self))
                    if fixedPoint {
                        try checker.require(bits <= 2048, "a weight is above 1")
                    } else {
                        try checker.require(Float(bitPattern: bits).isFinite, "a scale or table entry is not finite")
                    }
                    word += 4
                }
            }
        }
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { output.forEachPiece(elementBytes: type.byteCount, body) }

    func run(_ context: ExecutionContext, part: Part) {
        if isNearest {
            runNearest(context, part)
        } else if fixedPoint {
            runFixedPoint(context, part)
        } else {
            runBilinear(context, part)
        }
    }

    private func runNearest(_ context: ExecutionContext, _ part: Part) {
        let rows = context.weightsInt32(tableOffset)
        let columns = rows + output.height
        let bytes = type.byteCount
        let (source, target) = (context.arena + input.offset, context.arena + output.offset)
        for y in part.range(of: output.height) {
            let sourceRow = Int(rows[y]) * input.width
            for x in 0..<output.width {
                (target + (y * output.width + x) * output.pixelStride * bytes).copyMemory(
                    from: source + (sourceRow + Int(columns[x])) * input.pixelStride * bytes,
                    byteCount: output.channels * bytes)
            }
        }
    }

    private func runFixedPoint(_ context: ExecutionContext, _ part: Part) {
        let (h, w) = (output.height, output.width)
        let rows = context.weightsInt32(tableOffset)
        let columns = rows + 3 * h
        for y in part.range(of: h) {
            context.kernels.resizeFixed(
                row(context, y, top: rows[y], bottom: rows[h + y], columns: columns), columnWeights: columns + 2 * w,
                rowWeight: rows[2 * h + y])
        }
    }

    /// Output row `y` between two source rows.
    private func row(
        _ context: ExecutionContext, _ y: Int, top: Int32, bottom: Int32, columns: UnsafePointer<Int32>
    ) -> BilinearRow {
        let source = UnsafePointer(context.arenaInt8(input.offset))
        let rowBytes = input.width * input.pixelStride
        return BilinearRow(
            top: source + Int(top) * rowBytes, bottom: source + Int(bottom) * rowBytes,
            inputPixelStride: input.pixelStride, left: columns, right: columns + output.width,
            output: context.arenaInt8(output.offset) + y * output.width * output.pixelStride,
            outputPixelStride: output.pixelStride, width: output.width, channels: output.channels)
    }

    private func runBilinear(_ context: ExecutionContext, _ part: Part) {
        let (h, w) = (output.height, output.width)
        let rows = context.weightsInt32(tableOffset)
        let rowWeights = context.weightsFloat(tableOffset + 8 * h)
        let columns = context.weightsInt32(tableOffset + 12 * h)
        let columnWeights = context.weightsFloat(tableOffset + 12 * h + 8 * w)
        for y in part.range(of: h) {
            if type == .int8 {
                context.kernels.resize(
                    row(context, y, top: rows[y], bottom: rows[h + y], columns: columns), columnWeights: columnWeights,
                    rowWeight: rowWeights[y], inputZeroPoint: inputZeroPoint, multiplier: multiplier,
                    zeroPoint: outputZeroPoint)
                continue
            }
            let (top, bottom, wy) = (Int(rows[y]) * input.width, Int(rows[h + y]) * input.width, rowWeights[y])
            for x in 0..<w {
                let (left, right, wx) = (Int(columns[x]), Int(columns[w + x]), columnWeights[x])
                let corners = (
                    (top + left) * input.pixelStride, (top + right) * input.pixelStride,
                    (bottom + left) * input.pixelStride, (bottom + right) * input.pixelStride
                )
                blendFloat(context, corners, (y * w + x) * output.pixelStride, wx, wy)
            }
        }
    }

    @inline(__always)
    private func blendFloat(
        _ context: ExecutionContext, _ corners: (Int, Int, Int, Int), _ target: Int, _ wx: Float, _ wy: Float
    ) {
        let source = UnsafePointer(context.arenaFloat(input.offset))
        let result = context.arenaFloat(output.offset) + target
        let (a, b, c, d) = (source + corners.0, source + corners.1, source + corners.2, source + corners.3)
        for i in 0..<output.channels { result[i] = ResizeOperation.blend(a[i], b[i], c[i], d[i], wx, wy) }
    }

    @inline(__always)
    private static func blend(
        _ a: Float, _ b: Float, _ c: Float, _ d: Float, _ wx: Float, _ wy: Float
    ) -> Float {
        let top = a + (b - a) * wx
        let bottom = c + (d - c) * wx
        return top + (bottom - top) * wy
    }
}
