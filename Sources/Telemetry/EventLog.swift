/// Events in fixed memory. Of each kind the first `firstKept` are kept and then those whose number is a power of two
/// (64th, 128th, …), each with its number, so that a fault that repeats for months neither fills the memory nor the
/// file and still shows how often it came.
struct EventLog {
    /// A text longer than this is cut.
    static let textLimit = 48
    static let firstKept: UInt64 = 32
    /// Kept events of one kind: the first ones, and the powers of two above them up to 2^48.
    static let slotsPerKind = Int(firstKept) + 43

    struct Slot {
        var kind: EventKind
        var milliseconds: UInt64
        var frame: UInt64
        /// How many of this kind there were, this one included.
        var occurrence: UInt64
        var textLength: Int
    }

    private(set) var slots: [Slot] = []
    /// Events of each kind, kept or not.
    private(set) var totals: [UInt64]
    private let texts: TextSlab

    init() {
        let capacity = EventLog.slotsPerKind * EventKind.allCases.count
        slots.reserveCapacity(capacity)
        totals = [UInt64](repeating: 0, count: EventKind.allCases.count)
        texts = TextSlab(capacity: capacity, width: EventLog.textLimit)
    }

    mutating func append(_ kind: EventKind, milliseconds: UInt64, frame: UInt64, text: UnsafeBufferPointer<UInt8>) {
        let position = Int(kind.rawValue)
        totals[position] += 1
        let occurrence = totals[position]
        guard occurrence <= EventLog.firstKept || occurrence & (occurrence - 1) == 0, slots.count < texts.capacity
        else { return }
        let length = texts.store(text, at: slots.count)
        slots.append(
            Slot(kind: kind, milliseconds: milliseconds, frame: frame, occurrence: occurrence, textLength: length))
    }

    func text(at index: Int) -> UnsafeBufferPointer<UInt8> {
        texts.text(at: index, length: slots[index].textLength)
    }
}

/// How often each bad-frame name came, in fixed memory: `limit` names, the rest together under "other".
struct NameCounts {
    static let limit = 32

    private(set) var counts: [UInt64] = []
    private var lengths: [Int] = []
    private let names = TextSlab(capacity: NameCounts.limit + 1, width: EventLog.textLimit)

    init() {
        counts.reserveCapacity(NameCounts.limit + 1)
        lengths.reserveCapacity(NameCounts.limit + 1)
    }

    mutating func count(_ name: UnsafeBufferPointer<UInt8>) {
        let length = names.storedLength(of: name)
        for index in 0..<min(counts.count, NameCounts.limit) where lengths[index] == length {
            let known = self.name(at: index)
            var isEqual = true
            for position in 0..<length where known[position] != name[position] { isEqual = false }
            if isEqual {
                counts[index] += 1
                return
            }
        }
        if counts.count < NameCounts.limit {
            lengths.append(names.store(name, at: counts.count))
            counts.append(1)
        } else {
            if counts.count == NameCounts.limit {
                let other: StaticString = "other"
                lengths.append(other.withUTF8Buffer { names.store($0, at: NameCounts.limit) })
                counts.append(0)
            }
            counts[NameCounts.limit] += 1
        }
    }

    func name(at index: Int) -> UnsafeBufferPointer<UInt8> {
        names.text(at: index, length: lengths[index])
    }
}

/// Texts of a fixed greatest width in memory taken at `init`.
final class TextSlab {
    let capacity: Int
    private let width: Int
    private let bytes: UnsafeMutablePointer<UInt8>

    init(capacity: Int, width: Int) {
        self.capacity = capacity
        self.width = width
        bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity * width)
        bytes.initialize(repeating: 0, count: capacity * width)
    }

    deinit {
        bytes.deallocate()
    }

    /// The length of a text cut to the width at a UTF-8 boundary.
    func storedLength(of text: UnsafeBufferPointer<UInt8>) -> Int {
        var length = min(text.count, width)
        if length < text.count {
            while length > 0, text[length] & 0xC0 == 0x80 { length -= 1 }
        }
        return length
    }

    /// Copies the text, cut to the width at a UTF-8 boundary; returns the length stored.
    func store(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        let length = storedLength(of: text)
        for position in 0..<length { bytes[index * width + position] = text[position] }
        return length
    }

    func text(at index: Int, length: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes + index * width, count: length)
    }
}
