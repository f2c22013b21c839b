/// Why a byte string is no usable model. Loading checks everything before first use and throws the first problem found.
public enum LoadError: Error, Sendable {
    /// The bytes end before `section` does.
    case truncated(section: SectionKind, needed: Int, available: Int)
    /// The first bytes are not a `.nest` file's.
    case notANestFile
    /// The file needs a newer reader.
    case unsupportedVersion(needed: UInt32, supported: UInt32)
    /// The header's file size and the bytes at hand differ (the file has bytes that the header does not know).
    case sizeMismatch(declared: UInt64, actual: Int)
    /// The stored CRC-32C is not that of the bytes.
    case checksumMismatch(section: SectionKind, stored: UInt32, computed: UInt32)
    /// A field of the header or of a section table entry has a value that no writer produces.
    case malformedHeader(field: StaticString, value: UInt64)
    /// A byte between or after sections is not zero.
    case nonzeroPadding(offset: Int)
    /// A section that every file needs is not there.
    case missingSection(SectionKind)
    /// A kind of section appears twice.
    case duplicateSection(SectionKind)
    /// The file says that this section must be understood, and this reader does not know it.
    case unknownRequiredSection(SectionKind)
    /// The contents of a section break the format at `offset` (bytes from the section's start).
    case malformedSection(SectionKind, offset: Int, reason: StaticString)
    /// A count or size is above what this reader accepts.
    case limitExceeded(what: StaticString, value: UInt64, limit: UInt64)
    /// An input or output port is inconsistent.
    case badPort(index: Int, isInput: Bool, reason: StaticString)
    /// An operation of the plan is inconsistent, reads or writes outside its buffers, or has forbidden values.
    case badOperation(index: Int, reason: StaticString)
    /// Sections contradict each other (say, preprocessing of another size than the input port).
    case inconsistentSection(SectionKind, reason: StaticString)
    /// The memory that holds the file does not start at a multiple of 64 bytes.
    case misalignedMemory

    /// Stable name: `swiftlet explain NAME`.
    public var name: StaticString { entry.name }

    /// What it means and what to do.
    public var explanation: StaticString { entry.explanation }

    /// One line: the facts of this very error.
    @export(interface) public var message: String {
        switch self {
        case .truncated(let section, let needed, let available):
            "section \(section.name) needs \(needed) bytes, \(available) are there"
        case .notANestFile:
            "the file does not begin like a .nest file"
        case .unsupportedVersion(let needed, let supported):
            "the file needs a reader of format version \(needed), this one reads up to \(supported)"
        case .sizeMismatch(let declared, let actual):
            "the header says \(declared) bytes, the file has \(actual)"
        case .checksumMismatch(let section, let stored, let computed):
            "section \(section.name) has CRC-32C \(hexadecimal(computed)), stored is \(hexadecimal(stored))"
        case .malformedHeader(let field, let value):
            "header field \(text(field)) has impossible value \(value)"
        case .nonzeroPadding(let offset):
            "padding byte at offset \(offset) is not zero"
        case .missingSection(let section):
            "section \(section.name) is missing"
        case .duplicateSection(let section):
            "section \(section.name) appears twice"
        case .unknownRequiredSection(let section):
            "section \(section.name) is marked required and unknown to this reader"
        case .malformedSection(let section, let offset, let reason):
            "section \(section.name), byte \(offset): \(text(reason))"
        case .limitExceeded(let what, let value, let limit):
            "\(text(what)) is \(value), the limit is \(limit)"
        case .badPort(let index, let isInput, let reason):
            "\(isInput ? "input" : "output") \(index): \(text(reason))"
        case .badOperation(let index, let reason):
            "operation \(index): \(text(reason))"
        case .inconsistentSection(let section, let reason):
            "section \(section.name): \(text(reason))"
        case .misalignedMemory:
            "the file's bytes do not start at a multiple of 64 in memory"
        }
    }

    /// A name with its meaning.
    public struct CatalogueEntry: Sendable {
        public let name: StaticString
        public let explanation: StaticString
    }

    /// Every error's name and explanation.
    public static var catalogue: [CatalogueEntry] { Kind.all.map { $0.entry } }

    private var entry: CatalogueEntry {
        let kind: Kind =
            switch self {
            case .truncated: .truncated
            case .notANestFile: .notANestFile
            case .unsupportedVersion: .unsupportedVersion
            case .sizeMismatch: .sizeMismatch
            case .checksumMismatch: .checksumMismatch
            case .malformedHeader: .malformedHeader
            case .nonzeroPadding: .nonzeroPadding
            case .missingSection: .missingSection
            case .duplicateSection: .duplicateSection
            case .unknownRequiredSection: .unknownRequiredSection
            case .malformedSection: .malformedSection
            case .limitExceeded: .limitExceeded
            case .badPort: .badPort
            case .badOperation: .badOperation
            case .inconsistentSection: .inconsistentSection
            case .misalignedMemory: .misalignedMemory
            }
        return kind.entry
    }

    private enum Kind {
        case truncated, notANestFile, unsupportedVersion, sizeMismatch, checksumMismatch, malformedHeader
        case nonzeroPadding, missingSection, duplicateSection, unknownRequiredSection, malformedSection, limitExceeded
        case badPort, badOperation, inconsistentSection, misalignedMemory

        static let all: [Kind] = [
            .truncated, .notANestFile, .unsupportedVersion, .sizeMismatch, .checksumMismatch, .malformedHeader,
            .nonzeroPadding, .missingSection, .duplicateSection, .unknownRequiredSection, .malformedSection,
            .limitExceeded, .badPort, .badOperation, .inconsistentSection, .misalignedMemory,
        ]

        var entry: CatalogueEntry {
            switch self {
            case .truncated:
                CatalogueEntry(
                    name: "truncated",
                    explanation: """
                        The file ends too early: it was cut off while it was copied or written. Copy it again and compare \
                        its size with the original; if the original is cut off too, convert the model again.
                        """)
            case .notANestFile:
                CatalogueEntry(
                    name: "not-a-nest-file",
                    explanation: """
                        The file is something else, or went through a text-mode transfer that rewrote its bytes. Give a \
                        file made by `swiftlet convert` (an .onnx or .tflite model must be converted first) and copy it \
                        in binary mode.
                        """)
            case .unsupportedVersion:
                CatalogueEntry(
                    name: "unsupported-version",
                    explanation: """
                        The file was made by a newer swiftlet than the one that reads it. Update the reading program, or \
                        convert the model with the release that the device runs.
                        """)
            case .sizeMismatch:
                CatalogueEntry(
                    name: "size-mismatch",
                    explanation: """
                        The file is longer than its header says: something was appended to it. Copy the original again.
                        """)
            case .checksumMismatch:
                CatalogueEntry(
                    name: "checksum-mismatch",
                    explanation: """
                        Bytes of the named section changed after the file was written: a bad copy, worn flash or a \
                        manual edit. Copy the original again; if it comes back, check the storage medium.
                        """)
            case .malformedHeader:
                CatalogueEntry(
                    name: "malformed-header",
                    explanation: """
                        The header or the section table holds a value that no release of swiftlet writes, though its \
                        checksum is right. The file was made by other software or by hand: convert the model again.
                        """)
            case .nonzeroPadding:
                CatalogueEntry(
                    name: "nonzero-padding",
                    explanation: """
                        A byte between sections, which must be zero, is not: the file was damaged or edited. Copy the \
                        original again.
                        """)
            case .missingSection:
                CatalogueEntry(
                    name: "missing-section",
                    explanation: """
                        The file lacks a section that every model needs (HEAD, PLAN or WGHT), or one that the asked-for \
                        action needs (GOLD for the self-test, PREP for running pictures). Convert the model again.
                        """)
            case .duplicateSection:
                CatalogueEntry(
                    name: "duplicate-section",
                    explanation: "The same kind of section is stored twice. No release of swiftlet writes such a file: convert again.")
            case .unknownRequiredSection:
                CatalogueEntry(
                    name: "unknown-required-section",
                    explanation: """
                        The file has a section that must be understood to use it right, and this release does not know \
                        it. Update the reading program, or convert with the release that the device runs.
                        """)
            case .malformedSection:
                CatalogueEntry(
                    name: "malformed-section",
                    explanation: """
                        The contents of the named section do not follow the format, though its checksum is right. The \
                        file was made by other software or by hand: convert the model again.
                        """)
            case .limitExceeded:
                CatalogueEntry(
                    name: "limit-exceeded",
                    explanation: """
                        The model asks for more than the reader accepts (memory, work, counts; FORMAT.md lists all \
                        limits). Convert a smaller model or a smaller input size.
                        """)
            case .badPort:
                CatalogueEntry(
                    name: "bad-port",
                    explanation: """
                        An input or output of the plan has an impossible shape, type, place or quantization. The file was \
                        made by other software or by hand: convert the model again.
                        """)
            case .badOperation:
                CatalogueEntry(
                    name: "bad-operation",
                    explanation: """
                        An operation of the plan would read or write outside its buffers, or has values that no \
                        release of swiftlet writes. The file is not to be trusted: convert the model again.
                        """)
            case .inconsistentSection:
                CatalogueEntry(
                    name: "inconsistent-section",
                    explanation: """
                        Two sections contradict each other, such as preprocessing for another size than the model's \
                        input. The file was made by other software or by hand: convert the model again.
                        """)
            case .misalignedMemory:
                CatalogueEntry(
                    name: "misaligned-memory",
                    explanation: """
                        A program handed the loader bytes that do not start at a multiple of 64. Map the file, or copy \
                        it into aligned memory, before loading it.
                        """)
            }
        }
    }
}

func text(_ string: StaticString) -> String {
    String(decoding: UnsafeBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount), as: UTF8.self)
}

func hexadecimal(_ value: UInt32) -> String {
    let digits = "0123456789abcdef".utf8.map { $0 }
    var bytes: [UInt8] = []
    for shift in 0..<8 { bytes.append(digits[Int(value >> UInt32(28 - 4 * shift)) & 15]) }
    return String(decoding: bytes, as: UTF8.self)
}
