/// Finds JPEGs in a stream of bytes by their markers: segments are passed over by their lengths (so a thumbnail inside a
/// segment ends nothing), coded data are searched for the next marker. A new SOI inside a picture ends it as it is;
/// after bytes that make no sense the next FF D8 FF begins a picture.
struct MJPEGSplitter {
    enum Step: Equatable {
        /// No end in sight: call again with more bytes, the first `discardable` of which are no longer needed.
        case needsMore(discardable: Int)
        /// A picture, which may be damaged.
        case picture(Range<Int>)
    }

    private enum Phase { case seeking, headers, coded, lost }
    private var phase = Phase.seeking
    /// Of the picture that is being read.
    private var start = 0
    private var cursor = 0

    /// The bytes' owner moved them `count` towards the front.
    mutating func discard(_ count: Int) {
        start -= min(start, count)
        cursor -= count
    }

    /// What is left when no more bytes come: a picture without its end, if one had begun.
    mutating func finish(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        guard phase != .seeking, start < bytes.count else { return nil }
        phase = .seeking
        cursor = bytes.count
        return start..<bytes.count
    }

    /// Goes on where the last call stopped. `bytes` begin with the same byte as then (less what was discarded).
    mutating func step(_ bytes: UnsafeRawBufferPointer) -> Step {
        let count = bytes.count
        while true {
            switch phase {
            case .seeking:
                guard let found = nextStart(bytes, from: cursor) else {
                    // The last two bytes may be the beginning of FF D8 FF.
                    cursor = max(cursor, count - 2)
                    return .needsMore(discardable: min(cursor, count))
                }
                start = found
                cursor = found + 2
                phase = .headers
            case .lost:
                guard let found = nextStart(bytes, from: cursor) else {
                    cursor = max(cursor, count - 2)
                    return .needsMore(discardable: start)
                }
                return end(at: found)
            case .headers:
                guard cursor + 1 < count else { return .needsMore(discardable: start) }
                guard bytes[cursor] == 0xff else {
                    phase = .lost
                    continue
                }
                let marker = bytes[cursor + 1]
                switch marker {
                case 0xff:
                    cursor += 1
                case 0xd9:
                    return end(at: cursor + 2)
                case 0xd8:
                    return end(at: cursor)
                case 0x01, 0xd0...0xd7:
                    cursor += 2
                case 0x00:
                    phase = .lost
                default:
                    guard cursor + 3 < count else { return .needsMore(discardable: start) }
                    let length = Int(bytes[cursor + 2]) << 8 | Int(bytes[cursor + 3])
                    if length < 2 {
                        phase = .lost
                    } else {
                        cursor += 2 + length
                        if marker == 0xda { phase = .coded }
                    }
                }
            case .coded:
                while cursor < count, bytes[cursor] != 0xff { cursor += 1 }
                guard cursor + 1 < count else { return .needsMore(discardable: start) }
                switch bytes[cursor + 1] {
                case 0x00, 0xd0...0xd7: cursor += 2
                case 0xff: cursor += 1
                default: phase = .headers
                }
            }
        }
    }

    private mutating func end(at position: Int) -> Step {
        cursor = position
        phase = .seeking
        return .picture(start..<position)
    }

    private func nextStart(_ bytes: UnsafeRawBufferPointer, from position: Int) -> Int? {
        var i = position
        while i + 2 < bytes.count {
            if bytes[i] == 0xff, bytes[i + 1] == 0xd8, bytes[i + 2] == 0xff { return i }
            i += 1
        }
        return nil
    }
}
