// The report file, little-endian.
//
//     header   16 bytes: "SWLTRPT\n", u16 format version, u16 oldest reader version, u32 CRC-32C of the 12 bytes before
//     records  u16 type, u32 payload bytes, payload, u32 CRC-32C of type, length and payload
//
//     0x5A01 metadata   RunMetadata, once, first
//     0x5A02 snapshot   all figures since the start; each supersedes the ones before
//     0x5A03 event      one kept event
//     0x5A04 final      stop reason, text, elapsed nanoseconds
//
// Payloads hold varints (LEB128), texts (length, UTF-8) and flag bytes, in the order of the `encode` functions. A reader
// skips record types it does not know and payload bytes beyond those it knows; a change that old readers would
// misunderstand raises the oldest reader version. Records only ever get appended, so whatever was written before a kill
// or a power cut stays readable.

import NestFormat

/// Why bytes are not a report file. Damage behind a good header never throws: see `FileIntegrity`.
public enum ReportFileError: Error, Equatable, Sendable {
    /// No bytes: the run was stopped before it wrote any, or nothing was ever stored.
    case empty
    /// Fewer bytes than a header.
    case truncatedHeader(needed: Int, available: Int)
    /// The first bytes are not those of a report.
    case notAReport
    case headerChecksum(expected: UInt32, found: UInt32)
    /// The file needs a reader of at least `needed`; this one is `supported`.
    case newerVersion(needed: UInt16, supported: UInt16)

    /// Stable name, for `swiftlet explain`.
    public var name: StaticString {
        switch self {
        case .empty: return "report-empty"
        case .truncatedHeader: return "report-truncated-header"
        case .notAReport: return "report-not-a-report"
        case .headerChecksum: return "report-header-checksum"
        case .newerVersion: return "report-newer-version"
        }
    }

    /// What is wrong, and what to do.
    public var message: String {
        switch self {
        case .empty:
            return "the file is empty: the run ended before it wrote anything; run it again and copy the file after that"
        case .truncatedHeader(let needed, let available):
            return "the file has \(available) bytes, its header alone has \(needed); copy it from the device again"
        case .notAReport:
            return "the file does not begin like a latency report; give the file named by `swiftlet-run --report`"
        case .headerChecksum(let expected, let found):
            return "the header is damaged: CRC-32C is \(hexadecimal(found)), the file says \(hexadecimal(expected)); "
                + "copy it from the device again"
        case .newerVersion(let needed, let supported):
            return "the file needs report format \(needed), this tool reads \(supported); use a newer swiftlet"
        }
    }
}

/// Reads report files.
public enum ReportFile {
    public static let formatVersion: UInt16 = 1
    /// The most layers a report can hold.
    public static let layerLimit = 4096
    /// The most samples a report can hold.
    public static let sampleLimit = 4096
    static let eventLimit = 4096
    static let headerBytes = 16
    static let magic: StaticString = "SWLTRPT\n"
    /// Type, length and checksum around a payload.
    static let recordOverhead = 10

    enum RecordType: UInt16 {
        case metadata = 0x5A01
        case snapshot = 0x5A02
        case event = 0x5A03
        case final = 0x5A04

        var name: String {
            switch self {
            case .metadata: return "metadata"
            case .snapshot: return "snapshot"
            case .event: return "event"
            case .final: return "final"
            }
        }
    }

    /// Decodes a report file, whole or cut anywhere.
    ///
    /// The figures are those of the last intact snapshot. What could not be used is listed in
    /// `runs[0].integrity.damage`; without a final record `runs[0].stopReason` is nil. Work and memory are bounded by
    /// the number of bytes.
    public static func read(_ bytes: [UInt8]) throws(ReportFileError) -> LatencyReport {
        let result: Result<LatencyReport, ReportFileError> = bytes.withUnsafeBytes { raw in
            do throws(ReportFileError) {
                return .success(try read(raw))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Decodes a report file, whole or cut anywhere.
    public static func read(_ bytes: UnsafeRawBufferPointer) throws(ReportFileError) -> LatencyReport {
        try checkHeader(bytes)
        var scan = RecordScan(bytes: bytes, offset: headerBytes)
        scan.run()
        return scan.report()
    }

    private static func checkHeader(_ bytes: UnsafeRawBufferPointer) throws(ReportFileError) {
        guard bytes.count > 0 else { throw .empty }
        let isReport = magic.withUTF8Buffer { expected in
            for index in 0..<min(expected.count, bytes.count) where bytes[index] != expected[index] { return false }
            return true
        }
        guard isReport else { throw .notAReport }
        guard bytes.count >= headerBytes else {
            throw .truncatedHeader(needed: headerBytes, available: bytes.count)
        }
        let expected = uint32(bytes, 12)
        let found = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<12]))
        guard expected == found else { throw .headerChecksum(expected: expected, found: found) }
        let needed = uint16(bytes, 10)
        guard needed <= formatVersion else { throw .newerVersion(needed: needed, supported: formatVersion) }
    }

    /// The header of a new file.
    static func header() -> [UInt8] {
        var header = ArrayOutput()
        magic.withUTF8Buffer { text in
            for byte in text { header.put(byte) }
        }
        header.putUInt16(formatVersion)
        header.putUInt16(formatVersion)
        let checksum = header.bytes.withUnsafeBytes { CRC32C.checksum($0) }
        header.putUInt32(checksum)
        return header.bytes
    }

    static func uint16(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
        UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
    }

    static func uint32(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(uint16(bytes, offset)) | UInt32(uint16(bytes, offset + 2)) << 16
    }
}

/// Finds the records of a file, then decodes those that count.
private struct RecordScan {
    let bytes: UnsafeRawBufferPointer
    var offset: Int

    private var metadata: RunMetadata?
    private var snapshots: [Range<Int>] = []
    private var events: [Event] = []
    private var stop: FinalPayload?
    private var integrity = FileIntegrity()
    /// Bytes that the search for the next record behind damage may still checksum.
    private var searchBudget: Int64

    init(bytes: UnsafeRawBufferPointer, offset: Int) {
        self.bytes = bytes
        self.offset = offset
        searchBudget = 8 * Int64(bytes.count)
    }

    /// Where a record's parts lie when its header is plausible and it fits into the file.
    private struct Frame {
        var type: UInt16
        var payload: Range<Int>
        var end: Int { payload.upperBound + 4 }
    }

    private func frame(at start: Int) -> Frame? {
        guard bytes.count - start >= ReportFile.recordOverhead, bytes[start + 1] == 0x5A else { return nil }
        // The stored length may not fit into Int where that has 32 bits.
        guard let length = Int(exactly: ReportFile.uint32(bytes, start + 2)),
            length <= bytes.count - start - ReportFile.recordOverhead
        else { return nil }
        return Frame(type: ReportFile.uint16(bytes, start), payload: (start + 6)..<(start + 6 + length))
    }

    private func storedChecksum(_ frame: Frame) -> UInt32 {
        ReportFile.uint32(bytes, frame.payload.upperBound)
    }

    private func checksum(_ frame: Frame) -> UInt32 {
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[(frame.payload.lowerBound - 6)..<frame.payload.upperBound]))
    }

    mutating func run() {
        while offset < bytes.count {
            guard let frame = frame(at: offset) else {
                skipUnreadable()
                continue
            }
            let found = checksum(frame)
            let expected = storedChecksum(frame)
            if found == expected {
                accept(frame)
                offset = frame.end
            } else {
                damage(typeName(frame.type), .checksum(expected: expected, found: found))
                offset = nextRecord(after: offset) ?? bytes.count
            }
        }
    }

    /// What stands at `offset` is no whole record: the cut end of the file, or garbage before a later record.
    private mutating func skipUnreadable() {
        if let next = nextRecord(after: offset) {
            damage("unknown", .unreadable(bytes: next - offset))
            offset = next
            return
        }
        let rest = bytes.count - offset
        if rest < 2 {
            damage("unknown", .truncated(missing: ReportFile.recordOverhead - rest))
        } else if bytes[offset + 1] != 0x5A {
            damage("unknown", .unreadable(bytes: rest))
        } else {
            let length = rest >= 6 ? UInt64(ReportFile.uint32(bytes, offset + 2)) : 0
            let whole = UInt64(ReportFile.recordOverhead) + length
            damage(
                typeName(ReportFile.uint16(bytes, offset)), .truncated(missing: Int(clamping: whole - UInt64(rest))))
        }
        offset = bytes.count
    }

    /// The first position behind `start` where a record with a right checksum begins.
    private mutating func nextRecord(after start: Int) -> Int? {
        var position = start + 1
        while position < bytes.count {
            if let frame = frame(at: position), ReportFile.RecordType(rawValue: frame.type) != nil {
                searchBudget -= Int64(frame.payload.count + ReportFile.recordOverhead)
                guard searchBudget >= 0 else { return nil }
                if checksum(frame) == storedChecksum(frame) { return position }
            }
            position += 1
        }
        return nil
    }

    private mutating func accept(_ frame: Frame) {
        guard let type = ReportFile.RecordType(rawValue: frame.type) else { return }
        var input = ByteInput(UnsafeRawBufferPointer(rebasing: bytes[frame.payload]))
        do throws(DecodingFailure) {
            switch type {
            case .metadata:
                let decoded = try RunMetadata.decode(from: &input)
                if metadata == nil { metadata = decoded }
            case .snapshot:
                snapshots.append(frame.payload)
            case .event:
                guard events.count < ReportFile.eventLimit else { throw .malformed("more events than a report can hold") }
                events.append(try Event.decode(from: &input))
            case .final:
                stop = try FinalPayload.decode(from: &input)
            }
        } catch {
            damage(type.name, .malformed(error.reason))
        }
    }

    private mutating func damage(_ record: String, _ cause: FileDamage.Cause) {
        integrity.damage.append(FileDamage(offset: offset, record: record, cause: cause))
    }

    private func typeName(_ type: UInt16) -> String {
        ReportFile.RecordType(rawValue: type)?.name ?? "unknown"
    }

    /// The figures of the last snapshot that decodes, with everything else that was found.
    mutating func report() -> LatencyReport {
        var report = LatencyReport()
        var run = Run()
        run.metadata = metadata ?? RunMetadata()
        var isDecoded = false
        for range in snapshots.reversed() where !isDecoded {
            var input = ByteInput(UnsafeRawBufferPointer(rebasing: bytes[range]))
            do throws(DecodingFailure) {
                let snapshot = try SnapshotContent.decode(from: &input, layers: metadata?.layers)
                snapshot.fill(&report, &run)
                isDecoded = true
            } catch {
                offset = range.lowerBound - 6
                damage("snapshot", .malformed(error.reason))
                snapshots.removeLast()
            }
        }
        run.events = events
        if let stop {
            run.stopReason = stop.reason
            run.stopText = stop.text
            run.elapsedNanoseconds = max(run.elapsedNanoseconds, stop.elapsedNanoseconds)
        }
        integrity.intactSnapshots = snapshots.count
        run.integrity = integrity
        report.runs = [run]
        return report
    }
}
