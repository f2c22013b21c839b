/// Grows a section's bytes, little-endian: the mirror of `ByteReader`.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public var count: Int { bytes.count }

    public mutating func write(_ value: UInt8) { bytes.append(value) }

    public mutating func write(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    }

    public mutating func write(_ value: UInt32) {
        write(UInt16(truncatingIfNeeded: value))
        write(UInt16(truncatingIfNeeded: value >> 16))
    }

    public mutating func write(_ value: UInt64) {
        write(UInt32(truncatingIfNeeded: value))
        write(UInt32(truncatingIfNeeded: value >> 32))
    }

    public mutating func write(_ value: Int8) { write(UInt8(bitPattern: value)) }

    public mutating func write(_ value: Int32) { write(UInt32(bitPattern: value)) }

    public mutating func write(_ value: Float) { write(value.bitPattern) }

    public mutating func write(_ value: Bool) { write(UInt8(value ? 1 : 0)) }

    /// A count, extent or index as u32; traps outside 0 … 2³¹ − 1.
    public mutating func writeCount(_ value: Int) {
        precondition(value >= 0 && value <= Int(Int32.max), "count out of range")
        write(UInt32(value))
    }

    /// A byte offset or size as u64; must not be negative.
    public mutating func writeSize(_ value: Int) {
        precondition(value >= 0, "size out of range")
        write(UInt64(value))
    }

    /// A signed stride as i64.
    public mutating func writeStride(_ value: Int) { write(UInt64(bitPattern: Int64(value))) }

    /// u16 length and UTF-8; cut, at a character's start, to what readers accept.
    public mutating func write(_ string: String) {
        var utf8 = string.utf8.map { $0 }
        if utf8.count > NestLimits.maxNameBytes {
            var end = NestLimits.maxNameBytes
            while end > 0 && utf8[end] & 0xc0 == 0x80 { end -= 1 }
            utf8.removeLast(utf8.count - end)
        }
        write(UInt16(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    public mutating func write(contentsOf other: [UInt8]) { bytes.append(contentsOf: other) }

    public mutating func write(contentsOf other: UnsafeRawBufferPointer) { bytes.append(contentsOf: other) }

    /// Appends zeros up to a multiple of `alignment`.
    public mutating func align(to alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }

    /// Puts a u32 over four bytes written earlier.
    public mutating func overwrite(_ value: UInt32, at offset: Int) {
        for i in 0..<4 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
    }
}
