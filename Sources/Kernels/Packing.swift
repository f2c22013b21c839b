import CKernels

/// Weight layouts, byte for byte. One layout serves every instruction set, so a `.nest` file is used where it lies on
/// any CPU. All functions are pure; the compiler calls them, kernels and the loader use the byte counts.
///
/// **int8 convolution and fully connected** (`Packing.convolution…`). Per group, output channels in panels of 8, the
/// last one of a group filled up with zeros; per panel
///
///     [tap][quad of input channels][output channel 0..<8][input channel 0..<4]   int8
///
/// with `ceil(inputChannelsPerGroup / 4)` quads, the last one filled up with zeros. The panels of a group follow each
/// other, groups follow each other, nothing lies between. One quad of one panel is 32 bytes: four-way dot products
/// (SDOT, VPDPBUSD, VPMADDUBSW + VPMADDWD) read it as eight lanes, and widening kernels as two halves of four channels.
///
///     offset(group g, channel o of the group, tap t, input channel i) =
///         ((((g * panels + o / 8) * taps + t) * quads + i / 4) * 8 + o % 8) * 4 + i % 4
///
/// **int8 depthwise** (`Packing.depthwise…`). Channels in blocks of 16, the last one filled up with zeros; per block
/// `[tap][channel 0..<16]` int8.
///
/// **bias and scale** of both: one int32 / float32 per packed output channel, in packed order: `paddedBiasCount`
/// elements; those where the weights were filled up reach no result. For one group that is the plain array with them behind it.
///
/// **float convolution and fully connected** (`Packing.floatConvolution…`). Per group, panels of 8 output channels,
/// `[tap][input channel][output channel 0..<8]` float32. **float depthwise**: `[tap][channels filled up to 8]` float32.
///
/// Kernels read ahead: up to `Packing.readAheadBytes` bytes past the last channel of an input pixel and past the end of
/// weights, bias, scales and tables. Such bytes never reach a result.
public enum Packing {
    /// Output channels of one panel.
    public static let panelWidth = 8
    /// Input channels of one quad.
    public static let quadWidth = 4
    /// Channels of one depthwise block.
    public static let depthwiseBlock = 16
    /// Bytes that kernels may read past the end of any tensor, weights, bias, scales. Arenas and weight sections end
    /// with at least this many bytes of padding.
    public static let readAheadBytes = 64

    /// Calls `body` with each group to which some of `panels` belong, and which of the group's own they are. Panels are
    /// counted over all groups; there is at least one.
    @inline(__always)
    static func forEachGroup(
        _ panels: Range<Int>, panelsPerGroup: Int, _ body: (_ group: Int, _ own: Range<Int>) -> Void
    ) {
        for group in panels.lowerBound / panelsPerGroup...(panels.upperBound - 1) / panelsPerGroup {
            let base = group * panelsPerGroup
            body(group, max(panels.lowerBound - base, 0)..<min(panels.upperBound - base, panelsPerGroup))
        }
    }

    @inlinable static func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

    /// Panels of one group.
    @inlinable public static func panels(_ g: ConvolutionGeometry) -> Int {
        ceilDivide(g.outputChannelsPerGroup, panelWidth)
    }

    /// Quads of input channels of one tap.
    @inlinable public static func quads(_ g: ConvolutionGeometry) -> Int {
        ceilDivide(g.inputChannelsPerGroup, quadWidth)
    }

    /// Elements of the bias and scale arrays of `g`.
    public static func paddedBiasCount(_ g: ConvolutionGeometry) -> Int {
        g.isDepthwise
            ? ceilDivide(g.outputChannels, depthwiseBlock) * depthwiseBlock
            : g.groups * panels(g) * panelWidth
    }

    /// Index in bias and scale arrays of output channel `channel` (0..<outputChannels).
    @inlinable public static func biasIndex(_ g: ConvolutionGeometry, channel: Int) -> Int {
        guard !g.isDepthwise else { return channel }
        let group = channel / g.outputChannelsPerGroup
        return group * panels(g) * panelWidth + channel - group * g.outputChannelsPerGroup
    }

    /// Bytes of the packed int8 weights of `g` (depthwise layout where `g.isDepthwise`).
    public static func weightByteCount(_ g: ConvolutionGeometry) -> Int {
        g.isDepthwise
            ? ceilDivide(g.outputChannels, depthwiseBlock) * depthwiseBlock * g.taps
            : g.groups * panels(g) * g.taps * quads(g) * panelWidth * quadWidth
    }

    /// Byte offset of one weight in the packed int8 weights of `g`. `channel` counts over all groups, `input` inside
    /// the group.
    @inlinable public static func weightOffset(_ g: ConvolutionGeometry, channel: Int, tap: Int, input: Int) -> Int {
        if g.isDepthwise {
            return (channel / depthwiseBlock * g.taps + tap) * depthwiseBlock + channel % depthwiseBlock
        }
        let group = channel / g.outputChannelsPerGroup
        let o = channel - group * g.outputChannelsPerGroup
        let panel = group * panels(g) + o / panelWidth
        return (((panel * g.taps + tap) * quads(g) + input / quadWidth) * panelWidth + o % panelWidth) * quadWidth
            + input % quadWidth
    }

    /// What packing found out about int8 weights; kernel selection needs it.
    public struct WeightTraits: Sendable, Equatable {
        /// Whether a weight is -128: NEON's 16-bit pair sums need [-127, 127].
        public var containsMinus128: Bool
        /// Whether there is a weight offset: depthwise weights then need more than eight bits.
        public var hasOffset: Bool
        /// Whether no accumulator times its scale leaves the range of int32: `areSmall(scales:biases:_:)`.
        public var hasSmallScales: Bool
        /// The largest sum of absolute weights of an output channel; nil where it isn't known.
        public var largestFilterSum: Int?
        public init(
            containsMinus128: Bool = false, hasOffset: Bool = false, hasSmallScales: Bool = false,
            largestFilterSum: Int? = nil
        ) {
            self.containsMinus128 = containsMinus128
            self.hasOffset = hasOffset
            self.hasSmallScales = hasSmallScales
            self.largestFilterSum = largestFilterSum
        }

        /// Whether no accumulator of `g` times its scale leaves ±2^30.
        /// - Parameters:
        ///   - scales: the largest magnitude of a scale.
        ///   - biases: the largest magnitude of a folded bias.
        public static func areSmall(scales: Float, biases: UInt32, _ g: ConvolutionGeometry) -> Bool {
            // Accumulators are int32; a product of an input and a weight of up to nine bits is at most 128 · 383.
            let products = Float(g.taps) * Float(g.inputChannelsPerGroup) * (128 * 383)
            return scales <= 0.5 || scales * (Float(biases) + products) <= 0x1p29
        }
    }

    /// The largest sum of absolute packed weights of an output channel of `g`, which is not depthwise.
    public static func largestFilterSum(_ g: ConvolutionGeometry, packed weights: UnsafePointer<Int8>) -> Int {
        Int(swiftlet_largest_filter_sum_s8(weights, Int32(g.groups * panels(g)), Int32(g.taps * quads(g))))
    }

    /// Packs int8 weights given as `weights[((channel * taps) + tap) * inputChannelsPerGroup + input]`, that is
    /// output channel, kernel row, kernel column, input channel.
    /// - Precondition: `weights` has outputChannels * taps * inputChannelsPerGroup elements.
    public static func packWeights(_ g: ConvolutionGeometry, _ weights: [Int8]) -> (bytes: [Int8], traits: WeightTraits) {
        let inputs = g.inputChannelsPerGroup
        precondition(weights.count == g.outputChannels * g.taps * inputs, "weight count does not match the geometry")
        var packed = [Int8](repeating: 0, count: weightByteCount(g))
        var traits = WeightTraits(largestFilterSum: 0)
        var source = 0
        for channel in 0..<g.outputChannels {
            var filterSum = 0
            for tap in 0..<g.taps {
                for input in 0..<inputs {
                    let weight = weights[source]
                    source += 1
                    if weight == -128 { traits.containsMinus128 = true }
                    filterSum += Int(weight.magnitude)
                    packed[weightOffset(g, channel: channel, tap: tap, input: input)] = weight
                }
            }
            traits.largestFilterSum = max(traits.largestFilterSum ?? 0, filterSum)
        }
        return (packed, traits)
    }

    /// Packs one value per output channel (bias or scale) into packed order.
    public static func packPerChannel<T>(_ g: ConvolutionGeometry, _ values: [T], padding: T) -> [T] {
        precondition(values.count == g.outputChannels, "one value per output channel")
        var packed = [T](repeating: padding, count: paddedBiasCount(g))
        for channel in 0..<g.outputChannels { packed[biasIndex(g, channel: channel)] = values[channel] }
        return packed
    }

    /// Bias with the input zero point folded in: bias[o] - inputZeroPoint * sum of (w + weightOffset) over the weights w
    /// of o, wrapping. Weights as for `packWeights`; the result is in channel order, not packed.
    public static func foldedBias(
        _ g: ConvolutionGeometry, bias: [Int32], weights: [Int8], weightOffset: Int32 = 0, inputZeroPoint: Int32
    ) -> [Int32] {
        precondition(bias.count == g.outputChannels, "one bias per output channel")
        let perChannel = g.taps * g.inputChannelsPerGroup
        var folded = bias
        for channel in 0..<g.outputChannels {
            var sum = weightOffset &* Int32(truncatingIfNeeded: perChannel)
            for i in 0..<perChannel { sum &+= Int32(weights[channel * perChannel + i]) }
            folded[channel] = folded[channel] &- inputZeroPoint &* sum
        }
        return folded
    }

    /// Elements of the packed float weights of `g` (depthwise layout where `g.isDepthwise`).
    public static func floatWeightCount(_ g: ConvolutionGeometry) -> Int {
        g.isDepthwise
            ? g.taps * ceilDivide(g.outputChannels, panelWidth) * panelWidth
            : g.groups * panels(g) * g.taps * g.inputChannelsPerGroup * panelWidth
    }

    /// Index of one weight in the packed float weights of `g`.
    @inlinable public static func floatWeightIndex(
        _ g: ConvolutionGeometry, channel: Int, tap: Int, input: Int
    ) -> Int {
        if g.isDepthwise {
            return tap * ceilDivide(g.outputChannels, panelWidth) * panelWidth + channel
        }
        let group = channel / g.outputChannelsPerGroup
        let o = channel - group * g.outputChannelsPerGroup
        let panel = group * panels(g) + o / panelWidth
        return ((panel * g.taps + tap) * g.inputChannelsPerGroup + input) * panelWidth + o % panelWidth
    }

    /// Elements of the packed float bias of `g`.
    public static func floatBiasCount(_ g: ConvolutionGeometry) -> Int {
        g.isDepthwise
            ? ceilDivide(g.outputChannels, panelWidth) * panelWidth : g.groups * panels(g) * panelWidth
    }

    /// Packs float weights given in the order that `packWeights` takes.
    public static func packFloatWeights(_ g: ConvolutionGeometry, _ weights: [Float]) -> [Float] {
        let inputs = g.inputChannelsPerGroup
        precondition(weights.count == g.outputChannels * g.taps * inputs, "weight count does not match the geometry")
        var packed = [Float](repeating: 0, count: floatWeightCount(g))
        var source = 0
        for channel in 0..<g.outputChannels {
            for tap in 0..<g.taps {
                for input in 0..<inputs {
                    packed[floatWeightIndex(g, channel: channel, tap: tap, input: input)] = weights[source]
                    source += 1
                }
            }
        }
        return packed
    }

    /// Packs a float bias (one per output channel) into packed order.
    public static func packFloatBias(_ g: ConvolutionGeometry, _ bias: [Float]) -> [Float] {
        precondition(bias.count == g.outputChannels, "one bias per output channel")
        var packed = [Float](repeating: 0, count: floatBiasCount(g))
        for channel in 0..<g.outputChannels { packed[biasIndex(g, channel: channel)] = bias[channel] }
        return packed
    }
}
