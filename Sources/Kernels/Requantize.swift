/// Exact scalar arithmetic that every kernel, on every instruction set, reproduces bit for bit. Nothing here is fused:
/// each product and each sum rounds once, to nearest even.

/// The integer nearest to `value`, ties to even. Exact for |value| < 2^22; other values, NaN included, give an
/// unspecified integer and never trap.
@inlinable @inline(__always)
public func roundedToNearestEven(_ value: Float) -> Int32 {
    // Adding 1.5 * 2^23 leaves no fraction bits, so the sum is the rounded value in the low mantissa bits.
    Int32(bitPattern: (value + 12_582_912).bitPattern) &- 0x4B40_0000
}

/// The int8 of a real value in output steps: clamp to [lowest - zeroPoint, highest - zeroPoint], round to nearest even,
/// add the zero point. NaN gives an unspecified value of the clamped range's type and never traps.
@inlinable @inline(__always)
public func quantizedStep(_ value: Float, zeroPoint: Int32, lowest: Int32, highest: Int32) -> Int8 {
    let lower = Float(lowest &- zeroPoint)
    let upper = Float(highest &- zeroPoint)
    let clamped = value > lower ? (value < upper ? value : upper) : lower
    return Int8(truncatingIfNeeded: roundedToNearestEven(clamped) &+ zeroPoint)
}

/// The int8 of an int32 accumulator: Float(accumulator), nearest even, times `scale`, one rounding, then
/// `quantizedStep`. `scale` is finite.
@inlinable @inline(__always)
public func requantize(_ accumulator: Int32, scale: Float, zeroPoint: Int32, lowest: Int32, highest: Int32) -> Int8 {
    quantizedStep(Float(accumulator) * scale, zeroPoint: zeroPoint, lowest: lowest, highest: highest)
}

/// The zero point and the clamping range of an int8 output. All within [-128, 127], `lowest <= highest`.
public struct OutputRange: Sendable, Equatable {
    public var zeroPoint: Int32
    public var lowest: Int32
    public var highest: Int32

    public init(zeroPoint: Int32, lowest: Int32 = -128, highest: Int32 = 127) {
        self.zeroPoint = zeroPoint
        self.lowest = lowest
        self.highest = highest
    }
}
