/// Proof, inside the file, of what the model computes: an input, a checksum of every operation's output on it, and a
/// digest of every output port.
public struct Golden: Sendable, Hashable {
    /// What an input port is filled with.
    public enum Input: Sendable, Hashable {
        /// The stored bytes themselves.
        case bytes([UInt8])
        /// Pseudo-random values from this seed (not 0), as `fill(_:type:seed:)` makes them.
        case generated(seed: UInt32)
    }
    public var inputs: [Input]
    /// CRC-32C of every operation's output elements, in the order of the plan.
    public var operationChecksums: [UInt32]
    /// SHA-256 (32 bytes) of every output port's stored bytes.
    public var outputDigests: [[UInt8]]

    public init(inputs: [Input], operationChecksums: [UInt32], outputDigests: [[UInt8]]) {
        (self.inputs, self.operationChecksums, self.outputDigests) = (inputs, operationChecksums, outputDigests)
    }

    /// Fills `buffer` with values from xorshift32 (13, 17, 5), one step an element: int8 takes the top byte, float32 the
    /// top 24 bits as a number in −1 ..< 1, int32 the top 8 bits as 0 … 255. `seed` must not be 0.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer, type: DeviceType, seed: UInt32) {
        var x = seed
        var offset = 0
        while offset + type.byteCount <= buffer.count {
            x ^= x << 13
            x ^= x >> 17
            x ^= x << 5
            switch type {
            case .int8, .uint8, .bool:
                buffer.storeBytes(of: UInt8(truncatingIfNeeded: x >> 24), toByteOffset: offset, as: UInt8.self)
            case .float32:
                let value = Float(Int32(bitPattern: x) >> 8) * 0x1p-23
                buffer.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: offset, as: UInt32.self)
            case .int32:
                buffer.storeBytes(of: (x >> 24).littleEndian, toByteOffset: offset, as: UInt32.self)
            case .int64:
                buffer.storeBytes(of: UInt64(x >> 24).littleEndian, toByteOffset: offset, as: UInt64.self)
            }
            offset += type.byteCount
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeCount(inputs.count)
        for input in inputs {
            switch input {
            case .bytes(let bytes):
                writer.write(UInt8(0))
                writer.writeSize(bytes.count)
                writer.write(contentsOf: bytes)
            case .generated(let seed):
                writer.write(UInt8(1))
                writer.write(seed)
            }
        }
        writer.writeCount(operationChecksums.count)
        for checksum in operationChecksums { writer.write(checksum) }
        writer.writeCount(outputDigests.count)
        for digest in outputDigests {
            precondition(digest.count == 32, "a SHA-256 digest has 32 bytes")
            writer.write(contentsOf: digest)
        }
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        inputs = []
        for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 5)) {
            switch try reader.readUInt8() {
            case 0:
                let count = try reader.readSize()
                inputs.append(.bytes([UInt8](try reader.readBytes(count))))
            case 1:
                let seed = try reader.readUInt32()
                guard seed != 0 else { throw reader.malformed("a golden input's seed is 0") }
                inputs.append(.generated(seed: seed))
            default:
                throw reader.malformed("unknown kind of golden input")
            }
        }
        operationChecksums = []
        for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 4)) {
            operationChecksums.append(try reader.readUInt32())
        }
        outputDigests = []
        for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 32)) {
            outputDigests.append([UInt8](try reader.readBytes(32)))
        }
    }
}
