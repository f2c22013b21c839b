/// Cursor over the bytes of one section: little-endian, every read checked, nothing copied.
public struct ByteReader {
    public let bytes: UnsafeRawBufferPointer
    /// The section that errors name.
    public let section: SectionKind
    public private(set) var offset = 0

    public init(_ bytes: UnsafeRawBufferPointer, section: SectionKind) {
        (self.bytes, self.section) = (bytes, section)
    }

    public var remaining: Int { bytes.count - offset }

    /// The error that something read at the cursor is wrong.
    public func malformed(_ reason: StaticString) -> LoadError {
        .malformedSection(section, offset: offset, reason: reason)
    }

    private mutating func take(_ count: Int) throws(LoadError) -> Int {
        guard count <= remaining else {
            throw .truncated(section: section, needed: offset + count, available: bytes.count)
        }
        defer { offset += count }
        return offset
    }

    /// The next `count` bytes; `count` must not be negative.
    public mutating func readBytes(_ count: Int) throws(LoadError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw .truncated(section: section, needed: offset &+ max(0, count), available: bytes.count)
        }
        let start = try take(count)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }

    public mutating func readUInt8() throws(LoadError) -> UInt8 { bytes[try take(1)] }

    public mutating func readUInt16() throws(LoadError) -> UInt16 {
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: try take(2), as: UInt16.self))
    }

    public mutating func readUInt32() throws(LoadError) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: try take(4), as: UInt32.self))
    }

    public mutating func readUInt64() throws(LoadError) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: try take(8), as: UInt64.self))
    }

    public mutating func readInt8() throws(LoadError) -> Int8 { Int8(bitPattern: try readUInt8()) }

    public mutating func readInt32() throws(LoadError) -> Int32 { Int32(bitPattern: try readUInt32()) }

    /// A float that is a number: infinities pass, NaN does not.
    public mutating func readFloat() throws(LoadError) -> Float {
        let value = Float(bitPattern: try readUInt32())
        guard value == value else { throw malformed("a float is NaN") }
        return value
    }

    public mutating func readFiniteFloat() throws(LoadError) -> Float {
        let value = try readFloat()
        guard value.isFinite else { throw malformed("a float is infinite") }
        return value
    }

    /// A byte that is 0 or 1.
    public mutating func readBool() throws(LoadError) -> Bool {
        let value = try readUInt8()
        guard value <= 1 else { throw malformed("a boolean is neither 0 nor 1") }
        return value == 1
    }

    /// A 32-bit count, extent or index: 0 … 2³¹ − 1.
    public mutating func readCount() throws(LoadError) -> Int {
        let value = try readUInt32()
        guard value <= UInt32(Int32.max) else { throw malformed("a count is above 2147483647") }
        return Int(value)
    }

    /// A 32-bit count of records of at least `recordBytes` each, so that at most the remaining bytes can be meant.
    public mutating func readCount(ofRecordsWithAtLeast recordBytes: Int) throws(LoadError) -> Int {
        let count = try readCount()
        guard count <= remaining / recordBytes else { throw malformed("a count exceeds the section") }
        return count
    }

    /// A 64-bit byte offset or size that this machine can address.
    public mutating func readSize() throws(LoadError) -> Int {
        let value = try readUInt64()
        guard let size = Int(exactly: value) else {
            throw .limitExceeded(what: "an offset", value: value, limit: UInt64(Int.max))
        }
        return size
    }

    /// A signed 64-bit stride that this machine can address.
    public mutating func readStride() throws(LoadError) -> Int {
        let value = Int64(bitPattern: try readUInt64())
        guard let stride = Int(exactly: value) else { throw malformed("a stride is out of range") }
        return stride
    }

    public mutating func readDeviceType() throws(LoadError) -> DeviceType {
        guard let type = DeviceType(rawValue: try readUInt8()) else { throw malformed("unknown element type") }
        return type
    }

    /// u16 length, then that many bytes of UTF-8.
    public mutating func readString() throws(LoadError) -> String {
        let count = Int(try readUInt16())
        guard count <= NestLimits.maxNameBytes else {
            throw .limitExceeded(what: "a text's length", value: UInt64(count), limit: UInt64(NestLimits.maxNameBytes))
        }
        let text = try readBytes(count)
        guard isValidUTF8(text) else { throw malformed("a text is not UTF-8") }
        return String(decoding: text, as: UTF8.self)
    }

    /// Throws unless everything was read.
    public func finish() throws(LoadError) {
        guard remaining == 0 else { throw malformed("bytes follow the last field") }
    }
}

/// Well-formed UTF-8 as the Unicode Standard's table 3-7 says.
func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var i = 0
    while i < bytes.count {
        let lead = bytes[i]
        let (count, low, high): (Int, UInt8, UInt8)
        switch lead {
        case 0x00...0x7f: (count, low, high) = (0, 0x80, 0xbf)
        case 0xc2...0xdf: (count, low, high) = (1, 0x80, 0xbf)
        case 0xe0: (count, low, high) = (2, 0xa0, 0xbf)
        case 0xed: (count, low, high) = (2, 0x80, 0x9f)
        case 0xe1...0xef: (count, low, high) = (2, 0x80, 0xbf)
        case 0xf0: (count, low, high) = (3, 0x90, 0xbf)
        case 0xf1...0xf3: (count, low, high) = (3, 0x80, 0xbf)
        case 0xf4: (count, low, high) = (3, 0x80, 0x8f)
        default: return false
        }
        guard bytes.count - i > count else { return false }
        for k in 0..<count {
            let byte = bytes[i + 1 + k]
            guard byte >= (k == 0 ? low : 0x80), byte <= (k == 0 ? high : 0xbf) else { return false }
        }
        i += count + 1
    }
    return true
}
