import Graph

/// Collects the weights section: 64-byte aligned constants, equal ones stored once.
struct WeightsBuilder {
    private(set) var bytes: [UInt8] = []
    private var known: [[UInt8]: Int] = [:]

    static let alignment = 64

    /// Byte offset of `data` in the section.
    mutating func append(_ data: [UInt8]) -> Int {
        if let offset = known[data] { return offset }
        let offset = (bytes.count + Self.alignment - 1) / Self.alignment * Self.alignment
        bytes.append(contentsOf: repeatElement(0, count: offset - bytes.count))
        bytes.append(contentsOf: data)
        known[data] = offset
        return offset
    }

    mutating func append(_ values: [Int8]) -> Int { append(values.map { UInt8(bitPattern: $0) }) }
    mutating func append(_ values: [UInt16]) -> Int { append(values.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }) }
    mutating func append(_ values: [Int32]) -> Int { append(values.flatMap { littleEndian(UInt32(bitPattern: $0)) }) }
    mutating func append(_ values: [Float]) -> Int { append(values.flatMap { littleEndian($0.bitPattern) }) }

    private func littleEndian(_ word: UInt32) -> [UInt8] {
        [UInt8(word & 255), UInt8(word >> 8 & 255), UInt8(word >> 16 & 255), UInt8(word >> 24)]
    }
}
