/// Reads sparse weights channel after channel and writes two panels of them at a time in full, as `Packing` says.
struct SparsePanels {
    /// Output channels of two panels.
    static let channels = 2 * Packing.panelWidth

    private var counts: UnsafePointer<UInt16>
    private var gaps: UnsafePointer<UInt8>
    private var blocks: UnsafePointer<Int8>
    /// Quads of all taps.
    private let quads: Int
    /// The panels that were written last.
    let expanded: UnsafeMutablePointer<Int8>

    /// Bytes of two panels.
    static func byteCount(_ g: ConvolutionGeometry) -> Int { g.taps * Packing.quads(g) * Packing.quadWidth * channels }

    /// - Parameter memory: for `byteCount` bytes.
    init(_ g: ConvolutionGeometry, _ a: SparseConvolutionArguments, memory: UnsafeMutableRawPointer) {
        (counts, gaps, blocks) = (a.counts, a.gaps, a.blocks)
        quads = g.taps * Packing.quads(g)
        expanded = memory.assumingMemoryBound(to: Int8.self)
    }

    /// Without the first `channels` of those that are still to be read.
    func dropping(channels: Int) -> SparsePanels {
        let totals = SparseWeights.totals(counts: counts, channels: channels)
        var rest = self
        rest.counts += channels
        rest.gaps += totals.gapBytes
        rest.blocks += totals.blocks * SparseWeights.blockWidth
        return rest
    }

    /// Expands the next `channels`, at most two panels.
    mutating func expand(channels: Int) {
        let panelBytes = quads * SparsePanels.quadBytes
        let panels = (channels + Packing.panelWidth - 1) / Packing.panelWidth
        expanded.update(repeating: 0, count: panels * panelBytes)
        for channel in 0..<channels {
            let (panel, lane) = channel.quotientAndRemainder(dividingBy: Packing.panelWidth)
            var quad = Quad(place: UnsafeMutableRawPointer(expanded) + (panel * panelBytes + lane * Packing.quadWidth))
            let count = Int(counts[channel])
            for _ in 0..<count / 2 {
                let two = gaps.pointee
                quad.add(gap: two & 15, blocks)
                quad.add(gap: two >> 4, blocks + SparseWeights.blockWidth)
                gaps += 1
                blocks += 2 * SparseWeights.blockWidth
            }
            if count % 2 == 1 {
                quad.add(gap: gaps.pointee & 15, blocks)
                gaps += 1
                blocks += SparseWeights.blockWidth
            }
        }
        counts += channels
    }

    /// Bytes from one quad of a panel to the next.
    private static let quadBytes = Packing.panelWidth * Packing.quadWidth

    /// Where the last block went, and what the blocks there add up to.
    private struct Quad {
        var place: UnsafeMutableRawPointer
        var sum = SIMD4<Int8>()

        @inline(__always)
        mutating func add(gap: UInt8, _ block: UnsafePointer<Int8>) {
            let weights = UnsafeRawPointer(block).loadUnaligned(as: SIMD4<Int8>.self)
            sum = gap == 0 ? sum &+ weights : weights
            place += Int(gap) &* SparsePanels.quadBytes
            place.storeBytes(of: sum, as: SIMD4<Int8>.self)
        }
    }
}
