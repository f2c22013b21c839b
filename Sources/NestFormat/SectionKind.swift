/// Four-character name of a section. Stored as its four bytes in reading order.
public struct SectionKind: Sendable, Hashable {
    /// The four characters, first one in the low byte.
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ characters: StaticString) {
        precondition(characters.utf8CodeUnitCount == 4)
        let bytes = characters.utf8Start
        rawValue = UInt32(bytes[0]) | UInt32(bytes[1]) << 8 | UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 24
    }

    /// Buffers and operations: what to run. Required.
    public static let plan = SectionKind("PLAN")
    /// Packed weights, biases, scales, tables. Required.
    public static let weights = SectionKind("WGHT")
    /// How a picture becomes the first input. Optional.
    public static let preprocess = SectionKind("PREP")
    /// How outputs become results, and labels. Optional.
    public static let decoding = SectionKind("DECO")
    /// Golden input and checksums of every operation's output. Optional.
    public static let golden = SectionKind("GOLD")
    /// Where the file comes from and how good it is. Optional.
    public static let provenance = SectionKind("PROV")
    /// Signature over the rest of the file; reserved. Optional.
    public static let signature = SectionKind("SIGN")
    /// Pseudo-section of errors that concern the header and the section table.
    public static let header = SectionKind("HEAD")

    /// The four characters; bytes outside printable ASCII as `?`.
    public var name: String {
        var bytes: [UInt8] = []
        for shift: UInt32 in [0, 8, 16, 24] {
            let byte = UInt8(truncatingIfNeeded: rawValue >> shift)
            bytes.append(byte >= 0x20 && byte < 0x7f ? byte : 0x3f)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Section contents start at a multiple of this many bytes: a page for weights (they are used straight from the
    /// map), a cache line otherwise.
    public var alignment: Int { self == .weights ? NestLimits.weightsAlignment : NestLimits.sectionAlignment }
}
