/// Naive operators on unpacked weights, straight from their definitions: what the tests and the self-test hold every
/// kernel, packing and driver against. Slow on purpose.
public enum Reference {
    /// Output of an int8 convolution before any table or residual, as [pixel][channel] without gaps.
    /// - Parameters:
    ///   - input: element (pixel, channel) at pixel * pixelStride + channel.
    ///   - weights: in the order that `Packing.packWeights` takes.
    ///   - weightOffset: what every weight is larger than stored in `weights`.
    ///   - bias: without the input zero point folded in.
    public static func convolution(
        _ g: ConvolutionGeometry, input: [Int8], inputPixelStride: Int, inputZeroPoint: Int8, weights: [Int8],
        weightOffset: Int32 = 0, bias: [Int32], scales: [Float], range: OutputRange
    ) -> [Int8] {
        var output = [Int8](repeating: 0, count: g.outputPixels * g.outputChannels)
        for pixel in 0..<g.outputPixels {
            for channel in 0..<g.outputChannels {
                let firstInput = channel / g.outputChannelsPerGroup * g.inputChannelsPerGroup
                var sum = bias[channel]
                for tap in 0..<g.taps {
                    guard
                        let source = g.inputPixel(
                            oy: pixel / g.outputWidth, ox: pixel % g.outputWidth, tap: tap)
                    else { continue }
                    for i in 0..<g.inputChannelsPerGroup {
                        let weight = weights[(channel * g.taps + tap) * g.inputChannelsPerGroup + i]
                        let value = input[source * inputPixelStride + firstInput + i]
                        sum &+= (Int32(weight) &+ weightOffset) &* (Int32(value) &- Int32(inputZeroPoint))
                    }
                }
                output[pixel * g.outputChannels + channel] = requantize(
                    sum, scale: scales[channel], zeroPoint: range.zeroPoint, lowest: range.lowest,
                    highest: range.highest)
            }
        }
        return output
    }

    /// Output of a float convolution, as [pixel][channel] without gaps: bias, then products in the order tap, input
    /// channel, padding taps included as products with 0.
    public static func convolution(
        _ g: ConvolutionGeometry, input: [Float], inputPixelStride: Int, weights: [Float], bias: [Float],
        lowest: Float, highest: Float
    ) -> [Float] {
        var output = [Float](repeating: 0, count: g.outputPixels * g.outputChannels)
        for pixel in 0..<g.outputPixels {
            for channel in 0..<g.outputChannels {
                let firstInput = channel / g.outputChannelsPerGroup * g.inputChannelsPerGroup
                var sum = bias[channel]
                for tap in 0..<g.taps {
                    let source = g.inputPixel(oy: pixel / g.outputWidth, ox: pixel % g.outputWidth, tap: tap)
                    for i in 0..<g.inputChannelsPerGroup {
                        let weight = weights[(channel * g.taps + tap) * g.inputChannelsPerGroup + i]
                        sum += weight * (source.map { input[$0 * inputPixelStride + firstInput + i] } ?? 0)
                    }
                }
                output[pixel * g.outputChannels + channel] = clampFloat(sum, lowest, highest)
            }
        }
        return output
    }
}
