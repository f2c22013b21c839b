/// One of `count` equal parts of an operation: what a thread runs at a time. Every split of an operation gives the same
/// bytes.
///
/// Threads own ranges of parts that follow each other and take those of others when they are done with their own
/// (`WorkerPool`). So neighbouring parts should share what they read, and what a thread prepared in its scratch for one
/// part may serve the next (`previous`).
public struct Part: Sendable, Equatable {
    public var index: Int
    public var count: Int
    /// Threads that share out the parts, equally at first; a divisor of `count`.
    public var threads: Int
    /// Part of the same run of the operation that used this part's scratch last, or -1.
    public var previous: Int

    /// - Parameter threads: by default every part has a thread of its own.
    public init(index: Int, of count: Int, threads: Int? = nil, previous: Int = -1) {
        self.index = index
        self.count = count
        self.threads = threads ?? count
        self.previous = previous
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

    /// For what is not worth cutting finer than among threads: the first part of each thread is its whole share, the others
    /// are nothing.
    var wholeShare: Part? {
        let each = count / threads
        return index % each == 0 ? Part(index: index / each, of: threads) : nil
    }
}

/// A part of an operation over pixels and channels whose pixels are prepared, block by block, for all channels.
struct PixelChannelCut {
    let pixels: Part
    let channels: Part
    /// Whether the thread's previous part had the same pixels, and channels to prepare them for.
    let repeatsPixels: Bool

    /// Threads share out the pixels where there are enough, so that each reads mostly what it wrote itself before. What a
    /// thread gets is cut into ranges of channels, for which its pixels are prepared once; first into blocks of pixels
    /// where it spans several. Where there is too little to cut, some parts are empty.
    /// - Parameters:
    ///   - pixels: of the whole output, or tiles of them.
    ///   - fewest: pixels below which a thread's share, or a part of one, is not worth its while.
    ///   - block: pixels that are prepared at once.
    ///   - channelUnits: units in which channels are cut.
    init(_ part: Part, pixels: Int, fewest: Int, block: Int, channelUnits: Int) {
        var pixelParts = 1
        if pixels >= fewest * part.threads || channelUnits < part.count {
            pixelParts = part.threads
            while part.count % (2 * pixelParts) == 0 && pixels >= 2 * pixelParts * fewest
                && (pixels > pixelParts * block || channelUnits * pixelParts < 2 * part.count)
            { pixelParts *= 2 }
        }
        let channelParts = part.count / pixelParts
        self.pixels = Part(index: part.index / channelParts, of: pixelParts)
        channels = Part(index: part.index % channelParts, of: channelParts)
        let before = Part(index: max(part.previous, 0) % channelParts, of: channelParts)
        repeatsPixels = part.previous >= 0 && part.previous / channelParts == part.index / channelParts
            && !before.range(of: channelUnits).isEmpty
    }
}
