/// A number in a FlexBuffers map.
enum FlexNumber: Sendable, Hashable {
    case integer(Int)
    case real(Double)

    var real: Double {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }

    /// The integer, or nil for a number with a fraction.
    var integer: Int? {
        switch self {
        case .integer(let value): value
        case .real(let value): Int(exactly: value)
        }
    }
}

/// Reads the numbers and booleans of a FlexBuffers map, the form of custom operators' options. Every access is checked.
///
/// Layout: the last byte is the root's width in bytes, the one before it the root's packed type (type << 2 | log2 of
/// the width of what it points to), before them the root itself. A map's root is the distance back to its first value;
/// before that value lie, each as wide as the values, the distance back to the vector of keys, the keys' width, and the
/// count. The values' packed types follow the values. A key is the distance back to a zero-terminated string.
struct FlexBuffer {
    let bytes: [UInt8]
    /// Where `bytes` begin in the file, for errors.
    let fileOffset: Int

    private enum Kind: UInt8 {
        case integer = 1
        case unsigned, real
        case indirectInteger = 6
        case indirectUnsigned, indirectReal, map
        case boolean = 26
    }

    /// The numbers and booleans (0 and 1) of the root map, by key; other kinds of values are left out.
    func numbers() throws(TFLiteFileError) -> [String: FlexNumber] {
        try require(3, at: 0)
        let width = Int(bytes[bytes.count - 1])
        let root = bytes.count - 2 - width
        guard [1, 2, 4, 8].contains(width), root >= 0 else { throw invalid("a root width of 1, 2, 4 or 8", "\(width)") }
        let packed = bytes[bytes.count - 2]
        guard Kind(rawValue: packed >> 2) == .map else { throw invalid("a map", "type \(packed >> 2)") }
        let valueWidth = 1 << Int(packed & 3)
        let values = try back(from: root, width: width)
        let count = try unsigned(at: values - valueWidth, width: valueWidth)
        let keyWidth = try unsigned(at: values - 2 * valueWidth, width: valueWidth)
        guard [1, 2, 4, 8].contains(keyWidth), count <= bytes.count else {
            throw invalid("a map of keys of 1, 2, 4 or 8 bytes", "\(count) keys of \(keyWidth)")
        }
        let keys = try back(from: values - 3 * valueWidth, width: valueWidth)
        try require(count * valueWidth + count, at: values)
        try require(count * keyWidth, at: keys)
        var result: [String: FlexNumber] = [:]
        for index in 0..<count {
            let key = try string(at: try back(from: keys + index * keyWidth, width: keyWidth))
            let type = bytes[values + count * valueWidth + index]
            result[key] = try number(at: values + index * valueWidth, width: valueWidth, packedType: type)
        }
        return result
    }

    private func number(
        at position: Int, width: Int, packedType: UInt8
    ) throws(TFLiteFileError) -> FlexNumber? {
        let targetWidth = 1 << Int(packedType & 3)
        switch Kind(rawValue: packedType >> 2) {
        case .integer: return .integer(try signed(at: position, width: width))
        case .unsigned, .boolean: return .integer(try unsigned(at: position, width: width))
        case .real: return .real(try real(at: position, width: width))
        case .indirectInteger:
            return .integer(try signed(at: try back(from: position, width: width), width: targetWidth))
        case .indirectUnsigned:
            return .integer(try unsigned(at: try back(from: position, width: width), width: targetWidth))
        case .indirectReal: return .real(try real(at: try back(from: position, width: width), width: targetWidth))
        case .map, nil: return nil
        }
    }

    private func back(from position: Int, width: Int) throws(TFLiteFileError) -> Int {
        let distance = try unsigned(at: position, width: width)
        guard distance <= position else { throw invalid("a distance of at most \(position) bytes", "\(distance)") }
        return position - distance
    }

    private func unsigned(at position: Int, width: Int) throws(TFLiteFileError) -> Int {
        let value = try bits(at: position, width: width)
        guard let result = Int(exactly: value) else { throw invalid("a number below 2^63", "\(value)") }
        return result
    }

    private func bits(at position: Int, width: Int) throws(TFLiteFileError) -> UInt64 {
        try require(width, at: position)
        return (0..<width).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }

    private func signed(at position: Int, width: Int) throws(TFLiteFileError) -> Int {
        // Shifted to the top and back, so that the sign is extended.
        let shift = UInt64(64 - 8 * width)
        return Int(Int64(bitPattern: try bits(at: position, width: width) << shift) >> shift)
    }

    private func real(at position: Int, width: Int) throws(TFLiteFileError) -> Double {
        switch width {
        case 4: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: try bits(at: position, width: 4))))
        case 8: return Double(bitPattern: try bits(at: position, width: 8))
        default: throw invalid("a real number of 4 or 8 bytes", "\(width)")
        }
    }

    private func string(at position: Int) throws(TFLiteFileError) -> String {
        try require(1, at: position)
        guard let end = bytes[position...].firstIndex(of: 0) else { throw invalid("a key that ends", "none") }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    private func require(_ count: Int, at position: Int) throws(TFLiteFileError) {
        guard position >= 0, count >= 0, position <= bytes.count, count <= bytes.count - position else {
            throw .truncated(
                what: "custom options", offset: fileOffset + position, needed: count,
                available: max(bytes.count - max(position, 0), 0))
        }
    }

    private func invalid(_ expected: String, _ found: String) -> TFLiteFileError {
        .invalidValue(what: "custom options", offset: fileOffset, expected: expected, found: found)
    }
}
