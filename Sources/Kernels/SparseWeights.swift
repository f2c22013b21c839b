/// Weights of an int8 convolution of which most are zero, as blocks of four consecutive inputs of one output channel; the
/// grain of four-way dot products. Stored and executed in this form.
///
/// A block lies in a quad, counted over all taps: `tap * quads + input / 4`. Per output channel, in the order of quads:
/// how many blocks (`counts`), the steps from quad to quad (`gaps`, four bits each, two a byte, the first in the low half;
/// every channel starts at a byte; the first step counts from quad 0), and the blocks' four weights (`blocks`).
///
/// Weights are -127...127: two products of such a weight and an int8 fit 16 bits. Each pair of a block's weights (the
/// first two, the last two) sums up to -128...128, so that it fits 16 bits with inputs of 0...255 too; a block that breaks
/// this is stored as two, its even and its odd inputs, with a gap of 0 between them. Blocks of one quad add up, to weights of
/// -127...127 as well. Where a gap would need more than 15 a block of zeros bridges it.
public struct SparseWeights: Sendable, Equatable {
    public var counts: [UInt16] = []
    public var gaps: [UInt8] = []
    public var blocks: [Int8] = []

    /// Weights of one block.
    public static let blockWidth = 4
    /// Most quads, of all taps, of one output channel.
    public static let maximumQuads = 16_384
    /// Bounds of the sum of a pair of weights.
    public static let pairSums: ClosedRange<Int> = -128...128
    private static let maximumGap = 15

    /// Whether this form exists for a geometry.
    public static func supports(_ g: ConvolutionGeometry) -> Bool {
        g.groups == 1 && !g.isTransposed && g.taps <= maximumQuads && g.taps * Packing.quads(g) <= maximumQuads
    }

    /// Whether this form exists for weights of a geometry.
    public static func supports(_ g: ConvolutionGeometry, _ weights: [Int8]) -> Bool {
        supports(g) && !weights.contains(-128)
    }

    /// The sparse form of `weights`, given in the order that `Packing.packWeights` takes.
    /// - Precondition: `supports(g, weights)`; `weights` has outputChannels * taps * inputChannelsPerGroup elements.
    public init(_ g: ConvolutionGeometry, _ weights: [Int8]) {
        precondition(SparseWeights.supports(g, weights), "no sparse form for this geometry or these weights")
        let inputs = g.inputChannelsPerGroup
        precondition(weights.count == g.outputChannels * g.taps * inputs, "weight count does not match the geometry")
        let quads = Packing.quads(g)
        for channel in 0..<g.outputChannels {
            var steps: [UInt8] = []
            var last = 0
            for position in 0..<g.taps * quads {
                let first = position % quads * SparseWeights.blockWidth
                let base = (channel * g.taps + position / quads) * inputs
                var block = [Int8](repeating: 0, count: SparseWeights.blockWidth)
                for i in 0..<min(SparseWeights.blockWidth, inputs - first) { block[i] = weights[base + first + i] }
                if block.allSatisfy({ $0 == 0 }) { continue }
                while position - last > SparseWeights.maximumGap {
                    steps.append(UInt8(SparseWeights.maximumGap))
                    blocks += [0, 0, 0, 0]
                    last += SparseWeights.maximumGap
                }
                steps.append(UInt8(position - last))
                last = position
                if SparseWeights.fits(block[0], block[1]) && SparseWeights.fits(block[2], block[3]) {
                    blocks += block
                } else {
                    steps.append(0)
                    blocks += [block[0], 0, block[2], 0, 0, block[1], 0, block[3]]
                }
            }
            counts.append(UInt16(steps.count))
            for i in stride(from: 0, to: steps.count, by: 2) {
                gaps.append(steps[i] | (i + 1 < steps.count ? steps[i + 1] << 4 : 0))
            }
        }
    }

    /// Bytes of gaps of a channel with `count` blocks.
    @inlinable public static func gapByteCount(_ count: Int) -> Int { (count + 1) / 2 }

    static func fits(_ a: Int8, _ b: Int8) -> Bool { pairSums.contains(Int(a) + Int(b)) }

    /// Bytes of the three arrays.
    public var byteCount: Int { 2 * counts.count + gaps.count + blocks.count }

    /// What a loader has to check before it runs on weights of a file: the counts add up to `blockCount`, the gaps stay
    /// among the quads, and weights, pairs and sums of blocks keep their bounds.
    /// - Precondition: `counts` has outputChannels elements, `gaps` and `blocks` as many as the counts ask for.
    public static func areValid(
        _ g: ConvolutionGeometry, counts: UnsafePointer<UInt16>, gaps: UnsafePointer<UInt8>, blocks: UnsafePointer<Int8>,
        blockCount: Int
    ) -> Bool {
        let quads = g.taps * Packing.quads(g)
        var (gap, block) = (gaps, blocks)
        for channel in 0..<g.outputChannels {
            let count = Int(counts[channel])
            let (span, mayExceed) = scan(gap, block, count)
            if span >= quads || mayExceed && !addUp(gap, block, count) { return false }
            gap += gapByteCount(count)
            block += count * blockWidth
        }
        var excess: UInt16 = 0
        for i in 0..<blockCount * 2 {
            let sum = Int16(blocks[2 * i]) &+ Int16(blocks[2 * i + 1]) &+ 128
            excess |= UInt16(bitPattern: sum) > 256 || min(blocks[2 * i], blocks[2 * i + 1]) == -128 ? 1 : 0
        }
        return excess == 0
    }

    /// The quad of a channel's last block, and whether blocks of one quad may have more in common than `init` writes: a weight
    /// in the same place, or a third block.
    private static func scan(_ gaps: UnsafePointer<UInt8>, _ blocks: UnsafePointer<Int8>, _ count: Int) -> (Int, Bool) {
        /// The highest bit of each byte that is not 0.
        func used(_ weights: UInt64) -> UInt64 {
            (((weights & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F) | weights) & 0x8080_8080_8080_8080
        }
        let bytes = UnsafeRawPointer(blocks)
        var position = 0
        var common: UInt32 = 0
        var (usedBefore, addsBefore): (UInt32, UInt32) = (0, 0)
        for i in 0..<count / 2 {
            let two = Int(gaps[i])
            position += two & 15 &+ two >> 4
            let both = used((bytes + 8 * i).loadUnaligned(as: UInt64.self))
            let (first, second) = (UInt32(truncatingIfNeeded: both), UInt32(truncatingIfNeeded: both >> 32))
            let firstAdds: UInt32 = two & 15 == 0 ? .max : 0
            let secondAdds: UInt32 = two < 16 ? .max : 0
            common |= firstAdds & (usedBefore & first | addsBefore) | secondAdds & (first & second | firstAdds)
            (usedBefore, addsBefore) = (second, secondAdds)
        }
        if count & 1 == 1 {
            let step = gaps[count / 2] & 15
            position += Int(step)
            let last = used(UInt64((bytes + 4 * (count - 1)).loadUnaligned(as: UInt32.self)))
            if step == 0 { common |= usedBefore & UInt32(truncatingIfNeeded: last) | addsBefore }
        }
        return (position, common != 0)
    }

    /// Whether blocks of one quad, added one after the other, keep the bounds of weights.
    private static func addUp(_ gaps: UnsafePointer<UInt8>, _ blocks: UnsafePointer<Int8>, _ count: Int) -> Bool {
        var sum = SIMD4<Int32>()
        for i in 0..<count {
            sum = step(gaps, i) == 0 ? sum &+ weights(blocks, i) : weights(blocks, i)
            if sum.max() > 127 || sum.min() < -127 { return false }
        }
        return true
    }

    /// The gap before block `index` of a channel.
    @inline(__always)
    static func step(_ gaps: UnsafePointer<UInt8>, _ index: Int) -> Int {
        Int(index & 1 == 0 ? gaps[index / 2] & 15 : gaps[index / 2] >> 4)
    }

    private static func weights(_ blocks: UnsafePointer<Int8>, _ index: Int) -> SIMD4<Int32> {
        let block = blocks + index * blockWidth
        return SIMD4(Int32(block[0]), Int32(block[1]), Int32(block[2]), Int32(block[3]))
    }

    /// The largest sum of absolute weights of an output channel.
    public static func largestFilterSum(
        counts: UnsafePointer<UInt16>, blocks: UnsafePointer<Int8>, channels: Int
    ) -> Int {
        var largest = 0
        var block = blocks
        for channel in 0..<channels {
            let count = Int(counts[channel]) * blockWidth
            var sum: UInt32 = 0
            for i in 0..<count { sum &+= UInt32(block[i].magnitude) }
            largest = max(largest, Int(sum))
            block += count
        }
        return largest
    }

    /// Blocks and bytes of gaps that `counts` ask for.
    public static func totals(counts: UnsafePointer<UInt16>, channels: Int) -> (blocks: Int, gapBytes: Int) {
        var totals = (blocks: 0, gapBytes: 0)
        for channel in 0..<channels {
            totals.blocks += Int(counts[channel])
            totals.gapBytes += gapByteCount(Int(counts[channel]))
        }
        return totals
    }
}

extension SparseWeights {
    /// The largest sum of absolute weights of an output channel.
    public var largestFilterSum: Int {
        withPointers { counts, _, blocks in
            SparseWeights.largestFilterSum(counts: counts, blocks: blocks, channels: self.counts.count)
        }
    }

    /// The arrays in memory that may be read ahead.
    func withPointers<R>(
        _ body: (UnsafePointer<UInt16>, UnsafePointer<UInt8>, UnsafePointer<Int8>) -> R
    ) -> R {
        (counts + [0]).withUnsafeBufferPointer { counts in
            (gaps + [0]).withUnsafeBufferPointer { gaps in
                (blocks + [Int8](repeating: 0, count: Packing.readAheadBytes)).withUnsafeBufferPointer { blocks in
                    body(
                        counts.baseAddress.unsafelyUnwrapped, gaps.baseAddress.unsafelyUnwrapped,
                        blocks.baseAddress.unsafelyUnwrapped)
                }
            }
        }
    }
}
