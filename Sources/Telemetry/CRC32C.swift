/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, initial and final value 0xFFFFFFFF), as in RFC 3720 B.4, fed
/// piece by piece: a record is checked while it streams through a small buffer.
struct CRC32C {
    private var state: UInt32 = 0xFFFF_FFFF

    var value: UInt32 { ~state }

    @inline(__always)
    mutating func update(_ byte: UInt8) {
        state = CRC32C.table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        for byte in bytes { crc.update(byte) }
        return crc.value
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        var value = UInt32(byte)
        for _ in 0..<8 { value = value & 1 == 1 ? 0x82F6_3B78 ^ value >> 1 : value >> 1 }
        return value
    }
}
