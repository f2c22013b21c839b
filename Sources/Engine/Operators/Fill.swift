import Kernels
import NestFormat

/// Fills `count` dense elements of 1 or 4 bytes with `pattern` (low byte for 1).
public struct Fill: Sendable, Hashable {
    public var elementBytes: Int, count: Int, offset: Int, pattern: UInt32
    public init(elementBytes: Int, count: Int, offset: Int, pattern: UInt32) {
        (self.elementBytes, self.count, self.offset, self.pattern) = (elementBytes, count, offset, pattern)
    }
}

extension Fill: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(UInt8(elementBytes))
        writer.writeCount(count)
        writer.writeSize(offset)
        writer.write(pattern)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let elementBytes = Int(try reader.readUInt8())
        let count = try reader.readCount()
        let offset = try reader.readSize()
        self.init(elementBytes: elementBytes, count: count, offset: offset, pattern: try reader.readUInt32())
    }

    /// Bytes are bytes: results of 4-byte elements are compared as int32.
    var resultType: DeviceType { elementBytes == 1 ? .int8 : .int32 }

    var work: UInt64 { UInt64(count) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(elementBytes == 1 || elementBytes == 4, "elements have neither 1 nor 4 bytes")
        try checker.require(count >= 1, "a count is 0")
        try checker.arena(offset, count: Int64(count), type: resultType)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(offset, count * elementBytes) }

    func run(_ context: ExecutionContext, part: Part) {
        let share = part.range(of: count, unit: 64)
        if elementBytes == 1 {
            let value = Int8(truncatingIfNeeded: pattern)
            (context.arenaInt8(offset) + share.lowerBound).update(repeating: value, count: share.count)
        } else {
            let value = Int32(bitPattern: pattern)
            (context.arenaInt32(offset) + share.lowerBound).update(repeating: value, count: share.count)
        }
    }
}
