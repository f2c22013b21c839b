import CKernels

// The reference micro-kernels: simple, scalar, in Swift. They take the arguments of the C kernels and define their
// results.

/// Tile of an int8 convolution; tile of one pixel.
func gemmInt8Scalar(_ a: swiftlet_gemm_s8_arguments) {
    let taps = Int(a.taps)
    let quads = Int(a.quads)
    let panelBytes = taps * quads * Packing.panelWidth * Packing.quadWidth
    for o in 0..<Int(a.channels) {
        let lane = o % Packing.panelWidth
        var weights = a.weights + (o / Packing.panelWidth * panelBytes + lane * Packing.quadWidth)
        var sum = a.bias[o] &+ (a.pixelBias?[0] ?? 0)
        for tap in 0..<taps {
            var row = a.rows[tap].unsafelyUnwrapped.assumingMemoryBound(to: Int8.self)
            for _ in 0..<quads {
                for i in 0..<Packing.quadWidth { sum &+= Int32(weights[i]) &* Int32(row[i]) }
                weights += Packing.panelWidth * Packing.quadWidth
                row += Packing.quadWidth
            }
        }
        a.output[o] = requantize(
            sum, scale: a.scales[o], zeroPoint: a.zeroPoint, lowest: a.lowest, highest: a.highest)
    }
}

/// Tile of an int8 depthwise convolution; tile of one pixel.
func depthwiseInt8Scalar(_ a: swiftlet_depthwise_s8_arguments) {
    let taps = Int(a.taps)
    for c in 0..<Int(a.channels) {
        let lane = c % Packing.depthwiseBlock
        let weights = a.weights + (c / Packing.depthwiseBlock * taps * Packing.depthwiseBlock + lane)
        var sum = a.bias[c]
        for tap in 0..<taps {
            let weight = Int32(weights[tap * Packing.depthwiseBlock]) &+ a.weightOffset
            sum &+= weight &* Int32(a.rows[tap].unsafelyUnwrapped[c])
        }
        a.output[c] = requantize(
            sum, scale: a.scales[c], zeroPoint: a.zeroPoint, lowest: a.lowest, highest: a.highest)
    }
}

func addInt8Scalar(_ a: swiftlet_add_s8_arguments) {
    for row in 0..<a.rows {
        let (first, second) = (a.a + row * a.aStride, a.b + row * a.bStride)
        let output = a.output + row * a.outputStride
        for i in 0..<a.count {
            let x = Float(Int32(first[i]) &- a.aZeroPoint) * a.aMultiplier
            let y = Float(Int32(second[a.bIsScalar != 0 ? 0 : i]) &- a.bZeroPoint) * a.bMultiplier
            output[i] = quantizedStep(x + y, zeroPoint: a.zeroPoint, lowest: a.lowest, highest: a.highest)
        }
    }
}

func multiplyInt8Scalar(_ a: swiftlet_mul_s8_arguments) {
    for row in 0..<a.rows {
        let (first, second) = (a.a + row * a.aStride, a.b + row * a.bStride)
        let output = a.output + row * a.outputStride
        for i in 0..<a.count {
            let product = (Int32(first[i]) &- a.aZeroPoint) &* (Int32(second[a.bIsScalar != 0 ? 0 : i]) &- a.bZeroPoint)
            output[i] = requantize(
                product, scale: a.multiplier, zeroPoint: a.zeroPoint, lowest: a.lowest, highest: a.highest)
        }
    }
}

func tableInt8Scalar(_ a: swiftlet_table_s8_arguments) {
    for row in 0..<a.rows {
        let (input, output) = (a.input + row * a.inputStride, a.output + row * a.outputStride)
        for i in 0..<a.count { output[i] = a.table[Int(input[i]) + 128] }
    }
}

func maximumInt8Scalar(_ a: swiftlet_maximum_s8_arguments) {
    for c in 0..<Int(a.channels) {
        var maximum: Int8 = -128
        for y in 0..<Int(a.rows) {
            for x in 0..<Int(a.columns) { maximum = max(maximum, a.input[y * a.rowStride + x * a.columnStride + c]) }
        }
        a.output[c] = maximum
    }
}

func sumInt8Scalar(_ a: swiftlet_sum_s8_arguments) {
    for c in 0..<Int(a.channels) {
        var sum: Int32 = 0
        for y in 0..<Int(a.rows) {
            for x in 0..<Int(a.columns) { sum &+= Int32(a.input[y * a.rowStride + x * a.columnStride + c]) }
        }
        a.sums[c] = sum
    }
}

func bilinearInt8Scalar(_ s: swiftlet_bilinear_s8_arguments) {
    func value(_ row: UnsafePointer<Int8>, _ column: Int32, _ channel: Int) -> Float {
        Float(Int32(row[Int(column) * s.inputPixelStride + channel]) &- s.inputZeroPoint)
    }
    for x in 0..<Int(s.width) {
        for i in 0..<Int(s.channels) {
            let (a, b) = (value(s.top, s.left[x], i), value(s.top, s.right[x], i))
            let (c, d) = (value(s.bottom, s.left[x], i), value(s.bottom, s.right[x], i))
            let upper = a + (b - a) * s.columnWeights[x]
            let lower = c + (d - c) * s.columnWeights[x]
            s.output[x * s.outputPixelStride + i] = quantizedStep(
                (upper + (lower - upper) * s.rowWeight) * s.multiplier, zeroPoint: s.zeroPoint, lowest: -128,
                highest: 127)
        }
    }
}

func bilinearFixedInt8Scalar(_ s: swiftlet_bilinearfixed_s8_arguments) {
    func value(_ row: UnsafePointer<Int8>, _ column: Int32, _ channel: Int) -> Int32 {
        Int32(row[Int(column) * s.inputPixelStride + channel])
    }
    for x in 0..<Int(s.width) {
        for i in 0..<Int(s.channels) {
            let (a, b) = (value(s.top, s.left[x], i), value(s.top, s.right[x], i))
            let (c, d) = (value(s.bottom, s.left[x], i), value(s.bottom, s.right[x], i))
            let upper = 2048 &* a &+ (b &- a) &* s.columnWeights[x]
            let lower = 2048 &* c &+ (d &- c) &* s.columnWeights[x]
            let sum = 2048 &* upper &+ (lower &- upper) &* s.rowWeight
            s.output[x * s.outputPixelStride + i] = Int8(truncatingIfNeeded: (sum &+ 2_097_152) >> 22)
        }
    }
}

/// Tile of a float convolution; tile of one pixel.
func gemmFloatScalar(_ a: swiftlet_gemm_f32_arguments) {
    let taps = Int(a.taps)
    let inputs = Int(a.inputs)
    for o in 0..<Int(a.channels) {
        let panel = o / Packing.panelWidth
        var weight = a.weights + (panel * taps * inputs * Packing.panelWidth + o % Packing.panelWidth)
        var sum = a.bias[o]
        for tap in 0..<taps {
            let row = a.rows[tap].unsafelyUnwrapped
            for i in 0..<inputs {
                sum += weight.pointee * row[i]
                weight += Packing.panelWidth
            }
        }
        a.output[o] = clampFloat(sum, a.lowest, a.highest)
    }
}

/// Tile of a float depthwise convolution; tile of one pixel.
func depthwiseFloatScalar(_ a: swiftlet_depthwise_f32_arguments) {
    let channels = Int(a.channels)
    let stride = (channels + Packing.panelWidth - 1) / Packing.panelWidth * Packing.panelWidth
    for c in 0..<channels {
        var sum = a.bias[c]
        for tap in 0..<Int(a.taps) { sum += a.weights[tap * stride + c] * a.rows[tap].unsafelyUnwrapped[c] }
        a.output[c] = clampFloat(sum, a.lowest, a.highest)
    }
}

/// `value` within [lowest, highest]; NaN stays NaN.
@inline(__always)
func clampFloat(_ value: Float, _ lowest: Float, _ highest: Float) -> Float {
    value < lowest ? lowest : (value > highest ? highest : value)
}
