/// Where encoded bytes go. Little-endian; varints are unsigned LEB128.
protocol ByteOutput {
    mutating func put(_ byte: UInt8)
    mutating func putVarint(_ value: UInt64)
}

extension ByteOutput {
    @inline(__always)
    mutating func putVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(rest))
    }

    mutating func putUInt16(_ value: UInt16) {
        put(UInt8(truncatingIfNeeded: value))
        put(UInt8(value >> 8))
    }

    mutating func putUInt32(_ value: UInt32) {
        putUInt16(UInt16(truncatingIfNeeded: value))
        putUInt16(UInt16(value >> 16))
    }

    mutating func putText(_ text: String) {
        putVarint(UInt64(text.utf8.count))
        for byte in text.utf8 { put(byte) }
    }

    mutating func putText(_ text: UnsafeBufferPointer<UInt8>) {
        putVarint(UInt64(text.count))
        for byte in text { put(byte) }
    }

    mutating func putFlag(_ flag: Bool) {
        put(flag ? 1 : 0)
    }
}

/// Counts the bytes that an encoding takes.
struct CountingOutput: ByteOutput {
    var count = 0

    mutating func put(_ byte: UInt8) {
        count += 1
    }

    mutating func putVarint(_ value: UInt64) {
        // One byte for each seven bits, at least one.
        count += (70 - (value | 1).leadingZeroBitCount) / 7
    }
}

/// Collects bytes in an array.
struct ArrayOutput: ByteOutput {
    var bytes: [UInt8] = []

    mutating func put(_ byte: UInt8) {
        bytes.append(byte)
    }
}

/// Why a payload can't be decoded.
enum DecodingFailure: Error {
    case truncated
    case malformed(StaticString)

    var reason: String {
        switch self {
        case .truncated: return "ends inside a value"
        case .malformed(let what): return what.text
        }
    }
}

/// Reads what `ByteOutput` wrote, checking every length. The bytes must outlive the value.
struct ByteInput {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var remaining: Int { bytes.count - offset }
    var isAtEnd: Bool { remaining == 0 }

    mutating func byte() throws(DecodingFailure) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        let value = bytes[offset]
        offset += 1
        return value
    }

    mutating func varint() throws(DecodingFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            let bits = UInt64(next & 0x7F)
            if shift == 63, bits > 1 { throw .malformed("number above 64 bits") }
            value |= bits << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw .malformed("number above 64 bits") }
        }
    }

    /// A number of items that each take at least `size` bytes of what remains.
    mutating func itemCount(ofAtLeast size: Int, limit: Int) throws(DecodingFailure) -> Int {
        let count = try varint()
        guard count <= UInt64(remaining / size) else { throw .truncated }
        guard count <= UInt64(limit) else { throw .malformed("more items than the format allows") }
        return Int(count)
    }

    mutating func uint32(_ what: StaticString) throws(DecodingFailure) -> UInt32 {
        let value = try varint()
        guard value <= UInt64(UInt32.max) else { throw .malformed(what) }
        return UInt32(value)
    }

    mutating func flag() throws(DecodingFailure) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw .malformed("flag that is neither 0 nor 1")
        }
    }

    mutating func text() throws(DecodingFailure) -> String {
        let count = try itemCount(ofAtLeast: 1, limit: 1 << 20)
        let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
        offset += count
        return String(decoding: slice, as: UTF8.self)
    }
}

extension StaticString {
    var text: String {
        withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    }
}
