import Kernels
import NestFormat

/// Dense conversion between types: float32 → int8 as `clamp(rne(x * inverseScale) + zeroPoint)` (NaN gives the zero point);
/// int32 → float32, nearest even; float32 → int32 toward zero, saturated (NaN gives 0).
public struct Convert: Sendable, Hashable {
    public var from: DeviceType, to: DeviceType, count: Int, inputOffset: Int, outputOffset: Int
    public var inverseScale: Float, zeroPoint: Int32
    public init(
        from: DeviceType, to: DeviceType, count: Int, inputOffset: Int, outputOffset: Int, inverseScale: Float = 1,
        zeroPoint: Int32 = 0
    ) {
        (self.from, self.to, self.count, self.inputOffset) = (from, to, count, inputOffset)
        (self.outputOffset, self.inverseScale, self.zeroPoint) = (outputOffset, inverseScale, zeroPoint)
    }
}

extension Convert: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(from.rawValue)
        writer.write(to.rawValue)
        writer.writeCount(count)
        writer.writeSize(inputOffset)
        writer.writeSize(outputOffset)
        writer.write(inverseScale)
        writer.write(zeroPoint)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let from = try reader.readDeviceType()
        let to = try reader.readDeviceType()
        let count = try reader.readCount()
        let inputOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let inverseScale = try reader.readFiniteFloat()
        self.init(
            from: from, to: to, count: count, inputOffset: inputOffset, outputOffset: outputOffset,
            inverseScale: inverseScale, zeroPoint: try reader.readInt32())
    }

    var resultType: DeviceType { to }

    var work: UInt64 { UInt64(count) * 8 }

    func check(_ checker: PlanChecker) throws(LoadError) {
        switch (from, to) {
        case (.float32, .int8):
            try checker.multiplier(inverseScale)
            try checker.require(inverseScale > 0, "a scale is not positive")
            try checker.zeroPoint(zeroPoint)
        case (.float32, .int32), (.int32, .float32): break
        default: throw checker.bad("no such conversion of types")
        }
        try checker.require(count >= 1, "a count is 0")
        try checker.arena(inputOffset, count: Int64(count), type: from)
        try checker.arena(outputOffset, count: Int64(count), type: to)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, count * to.byteCount) }

    func run(_ context: ExecutionContext, part: Part) {
        let share = part.range(of: count, unit: 16)
        if share.isEmpty { return }
        switch (from, to) {
        case (.float32, .int8):
            quantize(
                UnsafePointer(context.arenaFloat(inputOffset)) + share.lowerBound, inverseScale: inverseScale,
                range: OutputRange(zeroPoint: zeroPoint), output: context.arenaInt8(outputOffset) + share.lowerBound,
                count: share.count)
        case (.float32, .int32):
            let (source, target) = (context.arenaFloat(inputOffset), context.arenaInt32(outputOffset))
            for i in share { target[i] = DeterministicMath.int32(source[i]) }
        default:
            let (source, target) = (context.arenaInt32(inputOffset), context.arenaFloat(outputOffset))
            for i in share { target[i] = Float(source[i]) }
        }
    }
}
