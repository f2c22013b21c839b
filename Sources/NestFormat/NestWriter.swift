/// What goes into a file.
public struct NestContents: Sendable {
    /// The plan section as the engine encodes it.
    public var plan: [UInt8]
    /// The weights section: tensors at multiples of 64 bytes.
    public var weights: [UInt8]
    /// Set both or neither.
    public var preprocess: Preprocess?
    public var preprocessTables: PreprocessTables?
    public var decoding: OutputDecoding
    public var labels: [String]
    public var golden: Golden?
    public var provenance: Provenance
    /// Sections of other kinds, stored as they are.
    public var extraSections: [ExtraSection]

    public struct ExtraSection: Sendable {
        public var kind: SectionKind, isRequired: Bool, bytes: [UInt8]
        public init(kind: SectionKind, isRequired: Bool, bytes: [UInt8]) {
            (self.kind, self.isRequired, self.bytes) = (kind, isRequired, bytes)
        }
    }

    public init(
        plan: [UInt8], weights: [UInt8], preprocess: Preprocess? = nil, preprocessTables: PreprocessTables? = nil,
        decoding: OutputDecoding = .raw, labels: [String] = [], golden: Golden? = nil,
        provenance: Provenance = Provenance(), extraSections: [ExtraSection] = []
    ) {
        (self.plan, self.weights, self.preprocess, self.preprocessTables) =
            (plan, weights, preprocess, preprocessTables)
        (self.decoding, self.labels, self.golden, self.provenance) = (decoding, labels, golden, provenance)
        self.extraSections = extraSections
    }
}

/// Builds the bytes of a `.nest` file. The same contents always give the same bytes.
public enum NestWriter {
    /// Small sections first, weights last, then at least 64 zero bytes.
    public static func encode(_ contents: NestContents) -> [UInt8] {
        var sections: [NestContents.ExtraSection] = [
            .init(kind: .plan, isRequired: true, bytes: contents.plan)
        ]
        if let preprocess = contents.preprocess {
            guard let tables = contents.preprocessTables else { preconditionFailure("preprocessing without tables") }
            var writer = ByteWriter()
            preprocess.encode(tables: tables, into: &writer)
            sections.append(.init(kind: .preprocess, isRequired: false, bytes: writer.bytes))
        }
        if contents.decoding != .raw || !contents.labels.isEmpty {
            var writer = ByteWriter()
            contents.decoding.encode(into: &writer)
            writer.writeCount(contents.labels.count)
            for label in contents.labels { writer.write(label) }
            sections.append(.init(kind: .decoding, isRequired: false, bytes: writer.bytes))
        }
        if let golden = contents.golden {
            var writer = ByteWriter()
            golden.encode(into: &writer)
            sections.append(.init(kind: .golden, isRequired: false, bytes: writer.bytes))
        }
        if !contents.provenance.entries.isEmpty {
            var writer = ByteWriter()
            writer.writeCount(contents.provenance.entries.count)
            for entry in contents.provenance.entries {
                writer.write(entry.key)
                writer.write(entry.value)
            }
            sections.append(.init(kind: .provenance, isRequired: false, bytes: writer.bytes))
        }
        sections += contents.extraSections
        sections.append(.init(kind: .weights, isRequired: true, bytes: contents.weights))
        return assemble(sections)
    }

    /// Lays out sections as given: header, table, contents. For the writer above and for tests of the reader.
    public static func assemble(_ sections: [NestContents.ExtraSection]) -> [UInt8] {
        precondition(sections.count <= NestLimits.maxSections, "too many sections")
        var offsets: [Int] = []
        var end = NestLimits.headerBytes + sections.count * NestLimits.sectionEntryBytes
        for section in sections {
            let start = roundUp(end, to: section.kind.alignment)
            offsets.append(start)
            end = start + section.bytes.count
            if section.kind == .weights { end += NestLimits.readAheadBytes }
        }
        let fileBytes = roundUp(end, to: NestLimits.sectionAlignment)

        var table = ByteWriter()
        for (section, offset) in zip(sections, offsets) {
            table.write(section.kind.rawValue)
            table.write(UInt32(section.isRequired ? 1 : 0))
            table.writeSize(offset)
            table.writeSize(section.bytes.count)
            table.write(CRC32C.checksum(section.bytes))
            table.write(UInt32(0))
        }

        var writer = ByteWriter()
        writer.write(contentsOf: NestLimits.magic)
        writer.write(UInt32(NestLimits.headerBytes))
        writer.write(NestLimits.formatVersion)
        writer.write(NestLimits.formatVersion)
        writer.write(UInt32(sections.count))
        writer.writeSize(fileBytes)
        writer.write(UInt32(NestLimits.sectionEntryBytes))
        let checksumOffset = writer.count
        writer.write(UInt32(0))
        writer.align(to: NestLimits.headerBytes)
        writer.write(contentsOf: table.bytes)
        writer.overwrite(CRC32C.checksum(writer.bytes), at: checksumOffset)

        var bytes = writer.bytes
        bytes.reserveCapacity(fileBytes)
        for (section, offset) in zip(sections, offsets) {
            bytes.append(contentsOf: repeatElement(0, count: offset - bytes.count))
            bytes.append(contentsOf: section.bytes)
        }
        bytes.append(contentsOf: repeatElement(0, count: fileBytes - bytes.count))
        return bytes
    }

    static func roundUp(_ value: Int, to alignment: Int) -> Int { (value + alignment - 1) / alignment * alignment }
}
