/// Window of a pooling operator over an int8 or float NHWC tensor. Tap (ky, kx) of output (oy, ox) is input
/// (oy * strideY - padTop + ky * dilationY, …); taps outside the input do not take part.
public struct PoolingGeometry: Sendable, Equatable {
    public var inputHeight: Int
    public var inputWidth: Int
    public var outputHeight: Int
    public var outputWidth: Int
    public var channels: Int
    public var kernelHeight: Int
    public var kernelWidth: Int
    public var strideY: Int
    public var strideX: Int
    public var dilationY: Int
    public var dilationX: Int
    public var padTop: Int
    public var padLeft: Int
    /// Used by an average that counts padding: taps beyond the padded input are never counted.
    public var padBottom: Int
    public var padRight: Int
    public var inputPixelStride: Int
    public var outputPixelStride: Int

    public init(
        inputHeight: Int, inputWidth: Int, outputHeight: Int, outputWidth: Int, channels: Int, kernelHeight: Int,
        kernelWidth: Int, strideY: Int = 1, strideX: Int = 1, dilationY: Int = 1, dilationX: Int = 1, padTop: Int = 0,
        padLeft: Int = 0, padBottom: Int = 0, padRight: Int = 0, inputPixelStride: Int, outputPixelStride: Int
    ) {
        self.inputHeight = inputHeight
        self.inputWidth = inputWidth
        self.outputHeight = outputHeight
        self.outputWidth = outputWidth
        self.channels = channels
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.strideY = strideY
        self.strideX = strideX
        self.dilationY = dilationY
        self.dilationX = dilationX
        self.padTop = padTop
        self.padLeft = padLeft
        self.padBottom = padBottom
        self.padRight = padRight
        self.inputPixelStride = inputPixelStride
        self.outputPixelStride = outputPixelStride
    }

    public var outputPixels: Int { outputHeight * outputWidth }

    /// The taps k of one axis whose coordinate origin + k * dilation lies in lowest..<end.
    @inline(__always)
    static func taps(origin: Int, dilation: Int, kernel: Int, lowest: Int, end: Int) -> Range<Int> {
        if dilation == 1 {
            let first = max(0, lowest - origin)
            return first..<max(first, min(kernel, end - origin))
        }
        let first = origin >= lowest ? 0 : (lowest - origin + dilation - 1) / dilation
        let stop = origin >= end ? 0 : min(kernel, (end - origin + dilation - 1) / dilation)
        return first..<max(first, stop)
    }

    /// The taps of (oy, ox) inside the input.
    @inline(__always)
    func window(oy: Int, ox: Int, input: UnsafePointer<Int8>) -> PixelWindow {
        let y = oy * strideY - padTop
        let x = ox * strideX - padLeft
        let rows = PoolingGeometry.taps(
            origin: y, dilation: dilationY, kernel: kernelHeight, lowest: 0, end: inputHeight)
        let columns = PoolingGeometry.taps(
            origin: x, dilation: dilationX, kernel: kernelWidth, lowest: 0, end: inputWidth)
        let isEmpty = rows.isEmpty || columns.isEmpty
        let first = (y + rows.lowerBound * dilationY) * inputWidth + x + columns.lowerBound * dilationX
        return PixelWindow(
            start: isEmpty ? input : input + first * inputPixelStride, rows: isEmpty ? 0 : rows.count,
            rowStride: dilationY * inputWidth * inputPixelStride, columns: isEmpty ? 0 : columns.count,
            columnStride: dilationX * inputPixelStride)
    }

    /// Calls `body` with the input offset (in elements) of every tap of (oy, ox) inside the input.
    @inline(__always)
    func forEachTap(oy: Int, ox: Int, _ body: (Int) -> Void) {
        let y = oy * strideY - padTop
        let x = ox * strideX - padLeft
        let columns = PoolingGeometry.taps(
            origin: x, dilation: dilationX, kernel: kernelWidth, lowest: 0, end: inputWidth)
        for ky in PoolingGeometry.taps(
            origin: y, dilation: dilationY, kernel: kernelHeight, lowest: 0, end: inputHeight)
        {
            for kx in columns {
                body(((y + ky * dilationY) * inputWidth + x + kx * dilationX) * inputPixelStride)
            }
        }
    }

    /// Divisor of the average at (oy, ox): the taps inside the input, or inside the padded input. At least 1.
    func divisor(oy: Int, ox: Int, countsPadding: Bool) -> Int {
        let y = oy * strideY - padTop
        let x = ox * strideX - padLeft
        let rows = PoolingGeometry.taps(
            origin: y, dilation: dilationY, kernel: kernelHeight, lowest: countsPadding ? -padTop : 0,
            end: inputHeight + (countsPadding ? padBottom : 0))
        let columns = PoolingGeometry.taps(
            origin: x, dilation: dilationX, kernel: kernelWidth, lowest: countsPadding ? -padLeft : 0,
            end: inputWidth + (countsPadding ? padRight : 0))
        return max(1, rows.count * columns.count)
    }
}

extension KernelSet {
    /// Maximum of the taps inside the input; -128 where there is none. Input and output have the same quantization.
    @export(interface) public func maxPool(
        _ g: PoolingGeometry, input: UnsafePointer<Int8>, output: UnsafeMutablePointer<Int8>, part: Part = .whole
    ) {
        let pixels = part.range(of: g.outputPixels)
        var (oy, ox) = (pixels.lowerBound / g.outputWidth, pixels.lowerBound % g.outputWidth)
        for pixel in pixels {
            maximumInt8(
                maximum, g.window(oy: oy, ox: ox, input: input), channels: g.channels,
                output: output + pixel * g.outputPixelStride)
            ox += 1
            if ox == g.outputWidth { (oy, ox) = (oy + 1, 0) }
        }
    }
}

/// Maximum of the taps inside the input; -infinity where there is none. A NaN tap never wins.
@export(interface) public func maxPool(
    _ g: PoolingGeometry, input: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, part: Part = .whole
) {
    for pixel in part.range(of: g.outputPixels) {
        let oy = pixel / g.outputWidth
        let values = output + pixel * g.outputPixelStride
        for c in 0..<g.channels { values[c] = -.infinity }
        g.forEachTap(oy: oy, ox: pixel - oy * g.outputWidth) { offset in
            let row = input + offset
            for c in 0..<g.channels where row[c] > values[c] { values[c] = row[c] }
        }
    }
}

/// How an average of int8 values becomes an int8.
public enum AverageRounding: UInt8, Sendable {
    /// The exact mean of the reals, requantized to nearest even.
    case nearestEven = 0
    /// The mean of the stored integers, halves toward the greater: floor((sum + n / 2) / n), n the divisor.
    case halfUp
    /// The mean of the stored integers, halves away from zero: (sum ± n / 2) / n toward zero, n the divisor.
    case halfAwayFromZero
}

extension KernelSet {
    /// Average: requantize(sum over the taps inside the input of (x - inputZeroPoint), scale: multiplier /
    /// Float(divisor)), where `multiplier` is input scale over output scale and the division is rounded to float once.
    /// - Parameters:
    ///   - countsPadding: whether the divisor counts taps in the padding too.
    ///   - rounding: any but `.nearestEven` takes the mean of the stored integers, so that input and output must share
    ///     the quantization; `inputZeroPoint` and `multiplier` then play no role.
    ///   - scratch: `averagePoolScratchByteCount(channels:)` bytes, 4-byte aligned.
    @export(interface) public func averagePool(
        _ g: PoolingGeometry, input: UnsafePointer<Int8>, inputZeroPoint: Int32, multiplier: Float, countsPadding: Bool,
        rounding: AverageRounding = .nearestEven, range: OutputRange, output: UnsafeMutablePointer<Int8>,
        part: Part = .whole, scratch: UnsafeMutableRawPointer
    ) {
        let subtrahend = rounding == .nearestEven ? inputZeroPoint : 0
        let sums = scratch.assumingMemoryBound(to: Int32.self)
        for pixel in part.range(of: g.outputPixels) {
            let oy = pixel / g.outputWidth
            let ox = pixel - oy * g.outputWidth
            let values = output + pixel * g.outputPixelStride
            let window = g.window(oy: oy, ox: ox, input: input)
            sumInt8(sum, window, channels: g.channels, sums: sums)
            let total = subtrahend &* Int32(truncatingIfNeeded: window.rows * window.columns)
            let divisor = g.divisor(oy: oy, ox: ox, countsPadding: countsPadding)
            guard rounding == .nearestEven else {
                for c in 0..<g.channels {
                    let mean = integerMean(sums[c] &- total, of: Int32(divisor), rounding)
                    values[c] = Int8(truncatingIfNeeded: max(range.lowest, min(range.highest, mean)))
                }
                continue
            }
            let scale = multiplier / Float(divisor)
            for c in 0..<g.channels {
                values[c] = requantize(
                    sums[c] &- total, scale: scale, zeroPoint: range.zeroPoint, lowest: range.lowest, highest: range.highest)
            }
        }
    }
}

/// `sum` / `count`, rounded by `rounding`, which is not `.nearestEven`.
@inline(__always)
private func integerMean(_ sum: Int32, of count: Int32, _ rounding: AverageRounding) -> Int32 {
    let half = count / 2
    if rounding == .halfAwayFromZero { return (sum < 0 ? sum &- half : sum &+ half) / count }
    let raised = sum &+ half
    let quotient = raised / count
    return quotient &* count > raised ? quotient &- 1 : quotient
}

/// Bytes of scratch that a thread needs for an average over `channels` channels.
public func averagePoolScratchByteCount(channels: Int) -> Int { channels * 4 }

/// Float average: the taps inside the input are added in order (ky, kx), then divided by Float(divisor).
@export(interface) public func averagePool(
    _ g: PoolingGeometry, input: UnsafePointer<Float>, countsPadding: Bool, output: UnsafeMutablePointer<Float>,
    part: Part = .whole
) {
    for pixel in part.range(of: g.outputPixels) {
        let oy = pixel / g.outputWidth
        let ox = pixel - oy * g.outputWidth
        let values = output + pixel * g.outputPixelStride
        for c in 0..<g.channels { values[c] = 0 }
        g.forEachTap(oy: oy, ox: ox) { offset in
            let row = input + offset
            for c in 0..<g.channels { values[c] += row[c] }
        }
        let divisor = Float(g.divisor(oy: oy, ox: ox, countsPadding: countsPadding))
        for c in 0..<g.channels { values[c] /= divisor }
    }
}
