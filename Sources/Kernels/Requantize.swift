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

/// One of `count` equal shares of an operation: what one thread runs. Every split of an operation gives the same bytes.
public struct Part: Sendable, Equatable {
    public var index: Int
    public var count: Int

    public init(index: Int, of count: Int) {
        self.index = index
        self.count = count
    }

    public static let whole = Part(index: 0, of: 1)

    /// This part's share of 0..<`total`, cut at multiples of `unit`. The shares of all parts cover the range once.
    @inlinable
    public func range(of total: Int, unit: Int = 1) -> Range<Int> {
        let units = (total + unit - 1) / unit
        let start = units * index / count * unit
        let end = units * (index + 1) / count * unit
        return min(start, total)..<min(end, total)
    }
}
