/// What keeps bytes from being read as a TFLite file. Offsets are byte offsets from the start of the file.
public enum TFLiteFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file can't be opened or read.
    case unreadable(path: String, reason: String)
    /// The file does not carry the identifier "TFL3" at byte 4.
    case notTFLite(found: [UInt8])
    /// Something lies, wholly or in part, outside of the file.
    case truncated(what: String, offset: Int, needed: Int, available: Int)
    /// A table's vtable is impossible.
    case invalidTable(what: String, offset: Int, reason: String)
    /// A number that the format doesn't allow.
    case invalidValue(what: String, offset: Int, expected: String, found: String)
    /// A field that the format requires is absent.
    case missing(what: String, offset: Int)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "\(path): expected a readable file, found: \(reason)."
        case .notTFLite(let found):
            "byte 4: expected the identifier \"TFL3\", found \(found). Is this a .tflite file, whole and uncompressed?"
        case .truncated(let what, let offset, let needed, let available):
            "\(what) at byte \(offset): expected \(needed) bytes, found \(available). The file is truncated or damaged."
        case .invalidTable(let what, let offset, let reason):
            "\(what) at byte \(offset): \(reason). The file is damaged."
        case .invalidValue(let what, let offset, let expected, let found):
            "\(what) at byte \(offset): expected \(expected), found \(found)."
        case .missing(let what, let offset):
            "\(what) of the table at byte \(offset): expected to be present, found nothing. The file is damaged."
        }
    }
}

/// Bytes of a FlatBuffers file, read with every access checked against their end.
///
/// Layout (little-endian): the first 4 bytes give the root table's offset. A table begins with the signed distance back
/// to its vtable; the vtable holds its own byte count, the table's byte count, and for each field the field's offset in
/// the table, 0 when absent. Strings, vectors and tables are reached by unsigned 32-bit offsets relative to where the
/// offset is stored, and vectors begin with their element count.
struct FlatBuffer: Sendable {
    let bytes: [UInt8]

    /// The root table of a file with the given four-byte identifier.
    func root(identifier: String, what: String) throws(TFLiteFileError) -> FlatTable {
        let found = Array(bytes.dropFirst(4).prefix(4))
        guard found == Array(identifier.utf8) else { throw .notTFLite(found: found) }
        return try table(at: 0, what: what)
    }

    /// The table to which the offset stored at `position` points.
    func table(at position: Int, what: String) throws(TFLiteFileError) -> FlatTable {
        try FlatTable(buffer: self, position: target(of: position, what: what), what: what)
    }

    /// Where the unsigned offset stored at `position` points.
    func target(of position: Int, what: String) throws(TFLiteFileError) -> Int {
        position + Int(try scalar(UInt32.self, at: position, what: what))
    }

    func require(_ count: Int, at offset: Int, what: String) throws(TFLiteFileError) {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
            throw .truncated(what: what, offset: offset, needed: count, available: max(bytes.count - max(offset, 0), 0))
        }
    }

    func scalar<Number: BitwiseCopyable>(
        _: Number.Type, at offset: Int, what: String
    ) throws(TFLiteFileError) -> Number {
        try require(MemoryLayout<Number>.size, at: offset, what: what)
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }
}

/// A table whose vtable has been checked: both lie inside the file, and every field lies inside the table.
struct FlatTable: Sendable {
    let buffer: FlatBuffer
    /// Byte offset of the table in the file.
    let position: Int
    /// What the table stands for, in errors: "operator 3".
    let what: String
    private let vtable: Int
    private let vtableByteCount: Int
    private let tableByteCount: Int

    init(buffer: FlatBuffer, position: Int, what: String) throws(TFLiteFileError) {
        (self.buffer, self.position, self.what) = (buffer, position, what)
        let back = try buffer.scalar(Int32.self, at: position, what: what)
        vtable = position - Int(back)
        try buffer.require(4, at: vtable, what: "vtable of \(what)")
        vtableByteCount = Int(try buffer.scalar(UInt16.self, at: vtable, what: what))
        tableByteCount = Int(try buffer.scalar(UInt16.self, at: vtable + 2, what: what))
        guard vtableByteCount >= 4, vtableByteCount % 2 == 0 else {
            throw .invalidTable(what: what, offset: vtable, reason: "a vtable of \(vtableByteCount) bytes")
        }
        guard tableByteCount >= 4 else {
            throw .invalidTable(what: what, offset: position, reason: "a table of \(tableByteCount) bytes")
        }
        try buffer.require(vtableByteCount, at: vtable, what: "vtable of \(what)")
        try buffer.require(tableByteCount, at: position, what: what)
    }

    /// File offset of the field in `slot`, whose inline part takes `byteCount` bytes; nil when absent.
    private func field(_ slot: Int, byteCount: Int, _ name: String) throws(TFLiteFileError) -> Int? {
        let entry = 4 + 2 * slot
        guard entry + 2 <= vtableByteCount else { return nil }
        let offset = Int(try buffer.scalar(UInt16.self, at: vtable + entry, what: what))
        guard offset != 0 else { return nil }
        guard offset >= 4, offset + byteCount <= tableByteCount else {
            throw .invalidTable(
                what: "\(name) of \(what)", offset: position,
                reason: "the field lies at \(offset) of a table of \(tableByteCount) bytes")
        }
        return position + offset
    }

    /// A number, or `fallback` when the field is absent.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ slot: Int, _ name: String, default fallback: Number
    ) throws(TFLiteFileError) -> Number {
        guard let offset = try field(slot, byteCount: MemoryLayout<Number>.size, name) else { return fallback }
        return try buffer.scalar(Number.self, at: offset, what: name)
    }

    func float(_ slot: Int, _ name: String, default fallback: Float) throws(TFLiteFileError) -> Float {
        guard let offset = try field(slot, byteCount: 4, name) else { return fallback }
        return try buffer.scalar(Float.self, at: offset, what: name)
    }

    func bool(_ slot: Int, _ name: String, default fallback: Bool) throws(TFLiteFileError) -> Bool {
        try number(slot, name, default: fallback ? UInt8(1) : 0) != 0
    }

    /// The table in `slot`; nil when absent.
    func table(_ slot: Int, _ name: String) throws(TFLiteFileError) -> FlatTable? {
        guard let offset = try field(slot, byteCount: 4, name) else { return nil }
        return try buffer.table(at: offset, what: name)
    }

    /// First element and count of the vector in `slot`, whose elements take `elementByteCount` bytes; nil when absent.
    private func vector(
        _ slot: Int, _ name: String, elementByteCount: Int
    ) throws(TFLiteFileError) -> (start: Int, count: Int)? {
        guard let offset = try field(slot, byteCount: 4, name) else { return nil }
        let position = try buffer.target(of: offset, what: "\(name) of \(what)")
        let count = Int(try buffer.scalar(UInt32.self, at: position, what: "\(name) of \(what)"))
        try buffer.require(count * elementByteCount, at: position + 4, what: "\(name) of \(what)")
        return (position + 4, count)
    }

    /// The tables in the vector in `slot`, each named `elementName` and its index; empty when absent.
    func tables(_ slot: Int, _ name: String, elementName: String) throws(TFLiteFileError) -> [FlatTable] {
        guard let (start, count) = try vector(slot, name, elementByteCount: 4) else { return [] }
        var tables: [FlatTable] = []
        tables.reserveCapacity(count)
        for index in 0..<count {
            tables.append(try buffer.table(at: start + 4 * index, what: "\(elementName) \(index)"))
        }
        return tables
    }

    /// The numbers in the vector in `slot`; nil when absent.
    func numbers<Number: BitwiseCopyable>(
        _ slot: Int, _ name: String, of _: Number.Type
    ) throws(TFLiteFileError) -> [Number]? {
        let size = MemoryLayout<Number>.size
        guard let (start, count) = try vector(slot, name, elementByteCount: size) else { return nil }
        return buffer.bytes.withUnsafeBytes { raw in
            (0..<count).map { raw.loadUnaligned(fromByteOffset: start + $0 * size, as: Number.self) }
        }
    }

    /// Where the bytes of the byte vector in `slot` lie in the file; nil when absent.
    func byteRange(_ slot: Int, _ name: String) throws(TFLiteFileError) -> Swift.Range<Int>? {
        guard let (start, count) = try vector(slot, name, elementByteCount: 1) else { return nil }
        return start..<start + count
    }

    /// The string in `slot`, malformed UTF-8 repaired; nil when absent.
    func string(_ slot: Int, _ name: String) throws(TFLiteFileError) -> String? {
        guard let range = try byteRange(slot, name) else { return nil }
        return String(decoding: buffer.bytes[range], as: UTF8.self)
    }
}
