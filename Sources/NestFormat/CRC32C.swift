import CKernels

/// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, initial value and final xor all ones): by the CPU's own
/// instruction where it has one, else by tables, eight bytes a step.
public struct CRC32C: Sendable {
    private var state: UInt32 = 0xffff_ffff

    public init() {}

    /// The checksum of everything added so far.
    public var value: UInt32 { ~state }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        if swiftlet_crc32c_is_available() != 0 {
            state = swiftlet_crc32c(state, start, UInt64(bytes.count))
        } else {
            updateByTables(bytes)
        }
    }

    /// `update` without the instruction.
    mutating func updateByTables(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        var crc = state
        CRC32C.tables.withUnsafeBufferPointer { table in
            let t = table.baseAddress!
            var p = start
            var left = bytes.count
            while left >= 8 {
                let low = UInt32(littleEndian: p.loadUnaligned(as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: p.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
                let a = t[0x700 + Int(low & 0xff)] ^ t[0x600 + Int(low >> 8 & 0xff)]
                let b = t[0x500 + Int(low >> 16 & 0xff)] ^ t[0x400 + Int(low >> 24)]
                let c = t[0x300 + Int(high & 0xff)] ^ t[0x200 + Int(high >> 8 & 0xff)]
                let d = t[0x100 + Int(high >> 16 & 0xff)] ^ t[Int(high >> 24)]
                crc = a ^ b ^ c ^ d
                p += 8
                left -= 8
            }
            while left > 0 {
                crc = t[Int((crc ^ UInt32(p.load(as: UInt8.self))) & 0xff)] ^ crc >> 8
                p += 1
                left -= 1
            }
        }
        state = crc
    }

    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.value
    }

    public static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0) }
    }

    /// Table k (256 entries from k·256) advances a byte through k further zero bytes.
    private static let tables: [UInt32] = {
        var t = [UInt32](repeating: 0, count: 8 * 256)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            t[i] = crc
        }
        for i in 256..<8 * 256 {
            let previous = t[i - 256]
            t[i] = previous >> 8 ^ t[Int(previous & 0xff)]
        }
        return t
    }()
}
