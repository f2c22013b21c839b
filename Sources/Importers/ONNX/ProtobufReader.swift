import Graph

/// Bytes that are no message of the expected kind.
struct ProtobufError: Error, Sendable, Equatable {
    /// Offset in the file at which the bytes stop making sense.
    var offset: Int
    /// The message that was being read: "NodeProto".
    var message: String
    var expected: String
    var found: String

    func problem(in file: FileBytes) -> GraphProblem {
        GraphProblem(
            subject: "\(file.name), byte \(offset) (\(message))", expected: expected, found: found,
            remedy: "The file is damaged or not ONNX: copy or export it again.")
    }
}

/// Reads the fields of one message of the Protocol Buffers wire format
/// (https://protobuf.dev/programming-guides/encoding/). Every read is checked against the end of the message, so any
/// bytes give fields or an error.
struct ProtobufReader {
    /// Messages inside messages; the deepest chain of an ONNX model without control flow is 8.
    static let maximumDepth = 100

    let file: FileBytes
    /// The message being read, for errors.
    let message: String
    private let depth: Int
    private(set) var position: Int
    private let end: Int

    /// Reads the whole file as one message.
    init(_ file: FileBytes, message: String) {
        self.init(file: file, message: message, depth: 0, range: 0..<file.count)
    }

    private init(file: FileBytes, message: String, depth: Int, range: Range<Int>) {
        (self.file, self.message, self.depth) = (file, message, depth)
        (position, end) = (range.lowerBound, range.upperBound)
    }

    /// The next field, or nil at the end of the message.
    mutating func next() throws(ProtobufError) -> ProtobufField? {
        guard position < end else { return nil }
        let start = position
        let key = try varint()
        let number = key >> 3
        guard number >= 1, number < 1 << 29 else {
            throw error(at: start, expected: "a field number from 1 to 2^29 - 1", found: "\(number)")
        }
        let value: ProtobufField.Value
        switch key & 7 {
        case 0: value = .varint(try varint())
        case 1: value = .fixed64(try fixed(UInt64.self))
        case 2: value = .bytes(try lengthDelimited())
        case 5: value = .fixed32(try fixed(UInt32.self))
        default: throw error(at: start, expected: "wire type 0, 1, 2 or 5", found: "\(key & 7)")
        }
        return ProtobufField(number: Int(number), offset: start, value: value, message: message)
    }

    /// A reader of a field's bytes as a message inside this one.
    func reader(of field: ProtobufField, message: String) throws(ProtobufError) -> ProtobufReader {
        guard case .bytes(let range) = field.value else { throw field.mismatch(expected: "a message (\(message))") }
        guard depth < Self.maximumDepth else {
            throw error(
                at: field.offset, expected: "at most \(Self.maximumDepth) messages inside each other", found: "more")
        }
        return ProtobufReader(file: file, message: message, depth: depth + 1, range: range)
    }

    /// Appends a repeated integer field: packed or one element.
    func append(_ field: ProtobufField, to integers: inout [Int64]) throws(ProtobufError) {
        switch field.value {
        case .varint(let value): integers.append(Int64(bitPattern: value))
        case .bytes(let range):
            var packed = ProtobufReader(file: file, message: message, depth: depth, range: range)
            while packed.position < packed.end { integers.append(Int64(bitPattern: try packed.varint())) }
        default: throw field.mismatch(expected: "integers")
        }
    }

    /// Appends a repeated float field: packed or one element.
    func append(_ field: ProtobufField, to floats: inout [Float]) throws(ProtobufError) {
        switch field.value {
        case .fixed32(let bits): floats.append(Float(bitPattern: bits))
        case .bytes(let range):
            guard range.count % 4 == 0 else {
                throw error(at: field.offset, expected: "a multiple of 4 bytes of floats", found: "\(range.count)")
            }
            var packed = ProtobufReader(file: file, message: message, depth: depth, range: range)
            while packed.position < packed.end { floats.append(Float(bitPattern: try packed.fixed(UInt32.self))) }
        default: throw field.mismatch(expected: "floats")
        }
    }

    /// Appends a repeated double field: packed or one element.
    func append(_ field: ProtobufField, to doubles: inout [Double]) throws(ProtobufError) {
        switch field.value {
        case .fixed64(let bits): doubles.append(Double(bitPattern: bits))
        case .bytes(let range):
            guard range.count % 8 == 0 else {
                throw error(at: field.offset, expected: "a multiple of 8 bytes of doubles", found: "\(range.count)")
            }
            var packed = ProtobufReader(file: file, message: message, depth: depth, range: range)
            while packed.position < packed.end { doubles.append(Double(bitPattern: try packed.fixed(UInt64.self))) }
        default: throw field.mismatch(expected: "doubles")
        }
    }

    func string(_ field: ProtobufField) throws(ProtobufError) -> String { try slice(field).text }

    func slice(_ field: ProtobufField) throws(ProtobufError) -> ByteSlice {
        guard case .bytes(let range) = field.value else { throw field.mismatch(expected: "bytes") }
        return ByteSlice(file: file, range: range)
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        let start = position
        let bytes = file.unsafeBytes
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw truncated(at: start, "a whole varint") }
            let byte = bytes[position]
            position += 1
            if shift == 63 && byte > 1 { break }
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        throw error(at: start, expected: "a varint of at most 64 bits", found: "a longer one")
    }

    private mutating func fixed<Word: FixedWidthInteger>(_: Word.Type) throws(ProtobufError) -> Word {
        let size = MemoryLayout<Word>.size
        guard end - position >= size else { throw truncated(at: position, "\(size) bytes") }
        let word = file.unsafeBytes.loadUnaligned(fromByteOffset: position, as: Word.self)
        position += size
        return Word(littleEndian: word)
    }

    private mutating func lengthDelimited() throws(ProtobufError) -> Range<Int> {
        let start = position
        let length = try varint()
        guard length <= UInt64(end - position) else {
            throw error(at: start, expected: "a length of at most \(end - position) bytes", found: "\(length)")
        }
        let range = position..<position + Int(length)
        position = range.upperBound
        return range
    }

    private func truncated(at offset: Int, _ expected: String) -> ProtobufError {
        error(at: offset, expected: expected, found: "the end after \(end - offset) bytes")
    }

    private func error(at offset: Int, expected: String, found: String) -> ProtobufError {
        ProtobufError(offset: offset, message: message, expected: expected, found: found)
    }
}

/// One field of a message.
struct ProtobufField {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// A string, bytes, a message or packed numbers: their range in the file.
        case bytes(Range<Int>)
    }

    let number: Int
    /// Offset of the field's key in the file.
    let offset: Int
    let value: Value
    fileprivate let message: String

    /// The field as an integer (int32, int64, bool or an enumeration).
    func integer() throws(ProtobufError) -> Int64 {
        guard case .varint(let value) = value else { throw mismatch(expected: "an integer") }
        return Int64(bitPattern: value)
    }

    /// The field as a float.
    func float() throws(ProtobufError) -> Float {
        guard case .fixed32(let bits) = value else { throw mismatch(expected: "a float") }
        return Float(bitPattern: bits)
    }

    func mismatch(expected: String) -> ProtobufError {
        let found =
            switch value {
            case .varint: "a varint"
            case .fixed64: "8 bytes"
            case .fixed32: "4 bytes"
            case .bytes(let range): "\(range.count) bytes with a length"
            }
        return ProtobufError(
            offset: offset, message: message, expected: "\(expected) in field \(number)", found: found)
    }
}
