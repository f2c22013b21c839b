/// View of a `.nest` file's bytes: the container is checked to the last bit (sizes, checksums, padding) and all sections
/// but the plan are decoded. Copies no weights. The bytes must stay where they are, unchanged, as long as the view or
/// anything made from it is used.
public struct NestFile {
    public struct Section: Sendable, Hashable {
        public let kind: SectionKind
        public let isRequired: Bool
        /// Bytes from the file's start.
        public let offset: Int
        public let byteCount: Int
        public let checksum: UInt32
    }

    public let bytes: UnsafeRawBufferPointer
    public let formatVersion: UInt32
    public let sections: [Section]
    /// The plan section, for the engine to decode.
    public let plan: UnsafeRawBufferPointer
    /// The weights section; at least 64 readable zero bytes follow.
    public let weights: UnsafeRawBufferPointer
    public let preprocess: Preprocess?
    public let preprocessTables: PreprocessTables?
    public let decoding: OutputDecoding
    public let labels: [String]
    public let golden: Golden?
    public let provenance: Provenance

    /// Checks and reads the whole container. `bytes` must start at a multiple of 64 (a map does).
    @export(interface) public init(_ bytes: UnsafeRawBufferPointer) throws(LoadError) {
        self.bytes = bytes
        var header = ByteReader(bytes, section: .header)
        let magic = NestLimits.magic
        for i in 0..<min(magic.count, bytes.count) where bytes[i] != magic[i] { throw .notANestFile }
        guard bytes.count >= NestLimits.headerBytes else {
            throw .truncated(section: .header, needed: NestLimits.headerBytes, available: bytes.count)
        }
        guard UInt(bitPattern: bytes.baseAddress) % UInt(NestLimits.sectionAlignment) == 0 else {
            throw .misalignedMemory
        }
        _ = try header.readBytes(magic.count)
        let headerBytes = try header.readUInt32()
        formatVersion = try header.readUInt32()
        let minimumReader = try header.readUInt32()
        guard minimumReader <= NestLimits.formatVersion else {
            throw .unsupportedVersion(needed: minimumReader, supported: NestLimits.formatVersion)
        }
        guard minimumReader >= 1 else { throw .malformedHeader(field: "minimum reader", value: 0) }
        guard formatVersion >= minimumReader else {
            throw .malformedHeader(field: "format version", value: UInt64(formatVersion))
        }
        guard headerBytes == NestLimits.headerBytes else {
            throw .malformedHeader(field: "header bytes", value: UInt64(headerBytes))
        }
        let sectionCount = try header.readUInt32()
        guard sectionCount <= NestLimits.maxSections else {
            throw .limitExceeded(
                what: "the number of sections", value: UInt64(sectionCount), limit: UInt64(NestLimits.maxSections))
        }
        let fileBytes = try header.readUInt64()
        guard fileBytes <= UInt64(bytes.count) else {
            throw .truncated(
                section: .header, needed: Int(clamping: fileBytes), available: bytes.count)
        }
        guard fileBytes == UInt64(bytes.count) else { throw .sizeMismatch(declared: fileBytes, actual: bytes.count) }
        let entryBytes = try header.readUInt32()
        guard entryBytes == NestLimits.sectionEntryBytes else {
            throw .malformedHeader(field: "section entry bytes", value: UInt64(entryBytes))
        }
        let checksumOffset = header.offset
        let stored = try header.readUInt32()
        let tableEnd = NestLimits.headerBytes + Int(sectionCount) * NestLimits.sectionEntryBytes
        guard tableEnd <= bytes.count else {
            throw .truncated(section: .header, needed: tableEnd, available: bytes.count)
        }
        var crc = CRC32C()
        crc.update(UnsafeRawBufferPointer(rebasing: bytes[..<checksumOffset]))
        withUnsafeBytes(of: UInt32(0)) { crc.update($0) }
        crc.update(UnsafeRawBufferPointer(rebasing: bytes[(checksumOffset + 4)..<tableEnd]))
        guard crc.value == stored else {
            throw .checksumMismatch(section: .header, stored: stored, computed: crc.value)
        }
        for offset in header.offset..<NestLimits.headerBytes where bytes[offset] != 0 {
            throw .malformedHeader(field: "reserved bytes", value: UInt64(bytes[offset]))
        }
        sections = try NestFile.readSections(bytes, count: Int(sectionCount), tableEnd: tableEnd)

        var (plan, weights): (UnsafeRawBufferPointer?, UnsafeRawBufferPointer?) = (nil, nil)
        var (preprocess, tables): (Preprocess?, PreprocessTables?) = (nil, nil)
        var decoding = OutputDecoding.raw
        var labels: [String] = []
        var golden: Golden?
        var provenance = Provenance()
        for section in sections {
            let contents = UnsafeRawBufferPointer(
                rebasing: bytes[section.offset..<section.offset + section.byteCount])
            var reader = ByteReader(contents, section: section.kind)
            switch section.kind {
            case .plan:
                plan = contents
            case .weights:
                guard contents.count <= NestLimits.maxWeightsBytes else {
                    throw .limitExceeded(
                        what: "the weights' bytes", value: UInt64(contents.count),
                        limit: UInt64(NestLimits.maxWeightsBytes))
                }
                weights = contents
            case .preprocess:
                (preprocess, tables) = try Preprocess.decode(&reader)
                try reader.finish()
            case .decoding:
                decoding = try OutputDecoding(decoding: &reader)
                for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 2)) { labels.append(try reader.readString()) }
                try reader.finish()
            case .golden:
                golden = try Golden(decoding: &reader)
                try reader.finish()
            case .provenance:
                for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 4)) {
                    let key = try reader.readString()
                    provenance.entries.append(.init(key: key, value: try reader.readString()))
                }
                try reader.finish()
            default:
                guard !section.isRequired || section.kind == .signature else {
                    throw .unknownRequiredSection(section.kind)
                }
            }
        }
        guard let plan else { throw .missingSection(.plan) }
        guard let weights else { throw .missingSection(.weights) }
        (self.plan, self.weights, self.preprocess, self.preprocessTables) = (plan, weights, preprocess, tables)
        (self.decoding, self.labels, self.golden, self.provenance) = (decoding, labels, golden, provenance)
    }

    /// The bytes of a section that this view does not decode, or nil.
    public func contents(of kind: SectionKind) -> UnsafeRawBufferPointer? {
        for section in sections where section.kind == kind {
            return UnsafeRawBufferPointer(rebasing: bytes[section.offset..<section.offset + section.byteCount])
        }
        return nil
    }

    /// Reads the table; checks order, alignment, bounds, checksums and that everything between sections is zero.
    private static func readSections(
        _ bytes: UnsafeRawBufferPointer, count: Int, tableEnd: Int
    ) throws(LoadError) -> [Section] {
        var table = ByteReader(
            UnsafeRawBufferPointer(rebasing: bytes[NestLimits.headerBytes..<tableEnd]), section: .header)
        var sections: [Section] = []
        var end = tableEnd
        for _ in 0..<count {
            let kind = SectionKind(rawValue: try table.readUInt32())
            let flags = try table.readUInt32()
            guard flags <= 1 else { throw .malformedHeader(field: "section flags", value: UInt64(flags)) }
            let offset = try table.readSize()
            let byteCount = try table.readSize()
            let stored = try table.readUInt32()
            let reserved = try table.readUInt32()
            guard reserved == 0 else { throw .malformedHeader(field: "section reserved", value: UInt64(reserved)) }
            guard offset >= end, offset % kind.alignment == 0 else {
                throw .malformedHeader(field: "section offset", value: UInt64(offset))
            }
            guard offset <= bytes.count, byteCount <= bytes.count - offset else {
                throw .truncated(
                    section: kind, needed: offset.addingReportingOverflow(byteCount).partialValue, available: bytes.count)
            }
            for other in sections where other.kind == kind { throw .duplicateSection(kind) }
            try checkZero(bytes, from: end, to: offset)
            let computed = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount]))
            guard computed == stored else {
                throw .checksumMismatch(section: kind, stored: stored, computed: computed)
            }
            sections.append(
                Section(kind: kind, isRequired: flags == 1, offset: offset, byteCount: byteCount, checksum: stored))
            end = offset + byteCount
            if kind == .weights {
                guard bytes.count - end >= NestLimits.readAheadBytes else {
                    throw .truncated(
                        section: kind, needed: end + NestLimits.readAheadBytes, available: bytes.count)
                }
                try checkZero(bytes, from: end, to: end + NestLimits.readAheadBytes)
                end += NestLimits.readAheadBytes
            }
        }
        try checkZero(bytes, from: end, to: bytes.count)
        return sections
    }

    private static func checkZero(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) throws(LoadError) {
        var offset = start
        while end - offset >= 8, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == 0 { offset += 8 }
        while offset < end {
            guard bytes[offset] == 0 else { throw .nonzeroPadding(offset: offset) }
            offset += 1
        }
    }
}
