import NestFormat

/// Where a report file goes. Each `append` should reach the kernel at once: a killed process must not lose it.
public protocol ReportSink {
    associatedtype Failure: Error

    /// Adds bytes at the end of the file; between `beginReplacement` and `commitReplacement`, of the new one.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(Failure)
    /// Asks that everything appended survives a power cut.
    mutating func synchronize() throws(Failure)
    /// Opens an empty file beside the current one; the current one stays as it is.
    mutating func beginReplacement() throws(Failure)
    /// Puts the new file, synchronized, in the place of the current one, atomically (rename).
    mutating func commitReplacement() throws(Failure)
    /// Removes the new file; the current one goes on.
    mutating func abandonReplacement()
}

/// When snapshots are written, and how large the file may get.
public struct SnapshotPolicy: Equatable, Sendable {
    /// Least time between snapshots, nanoseconds.
    public var minimumSpacingNanoseconds: UInt64 = 2_000_000_000
    /// Spacing is the elapsed time divided by this, between least and greatest: a killed run loses at most that share.
    public var elapsedDivisor: UInt64 = 8
    /// Greatest time between snapshots, nanoseconds.
    public var maximumSpacingNanoseconds: UInt64 = 900_000_000_000
    /// Before the file grows beyond this it is written afresh with the metadata, the kept events and one snapshot.
    public var fileLimitBytes = 1 << 20

    public init() {}

    func spacing(elapsedNanoseconds: UInt64) -> UInt64 {
        min(max(elapsedNanoseconds / max(elapsedDivisor, 1), minimumSpacingNanoseconds), maximumSpacingNanoseconds)
    }
}

/// Writes a recorder's figures to a report file as the run goes on.
///
/// Appends through one 16 KiB buffer; nothing else is allocated after `init`.
///
/// Bound of the file: at most `fileLimitBytes`, or, should one snapshot not fit, metadata + kept events + one snapshot;
/// twice that on disk for the moment of a replacement. A snapshot takes 2–3 bytes per used histogram bucket, about
/// 20–100 KiB for a network of 60 layers after days. Bound of the wear: with the default policy four snapshots an
/// hour after the first two hours, under 10 MB a day.
public final class ReportWriter<Sink: ReportSink> {
    public let recorder: Recorder
    public let policy: SnapshotPolicy
    /// Bytes in the current file.
    public private(set) var fileBytes = 0

    private let header = ReportFile.header()
    private var output: RecordOutput<Sink>
    private var writtenEvents = 0
    private var snapshotsInFile = 0
    private var nextSnapshotNanoseconds: UInt64

    /// - Parameter sink: an empty file.
    public init(sink: Sink, recorder: Recorder, policy: SnapshotPolicy = SnapshotPolicy()) {
        self.recorder = recorder
        self.policy = policy
        output = RecordOutput(sink: sink)
        nextSnapshotNanoseconds = recorder.startNanoseconds
    }

    deinit {
        output.deallocate()
    }

    /// Writes header, metadata and a first, empty snapshot.
    public func start() throws(Sink.Failure) {
        try writeBase(elapsedNanoseconds: 0)
        try output.sink.synchronize()
        schedule(after: 0)
    }

    /// Call it after each frame: appends new events at once, and a snapshot when one is due.
    public func poll(at nanoseconds: UInt64) throws(Sink.Failure) {
        try appendEvents()
        if nanoseconds >= nextSnapshotNanoseconds { try snapshot(at: nanoseconds) }
    }

    /// Writes a snapshot now.
    public func snapshot(at nanoseconds: UInt64) throws(Sink.Failure) {
        try appendEvents()
        let elapsed = recorder.elapsed(at: nanoseconds)
        // Also after a failure: a full disk is tried again one spacing later, not at every frame.
        schedule(after: elapsed)
        let payload = SnapshotPayload(recorder: recorder, elapsedNanoseconds: elapsed)
        let length = payloadBytes(payload)
        if snapshotsInFile > 0, fileBytes + length + ReportFile.recordOverhead > policy.fileLimitBytes {
            try replaceFile(elapsedNanoseconds: elapsed)
        } else {
            try append(.snapshot, payload, length: length)
            snapshotsInFile += 1
        }
        try output.sink.synchronize()
    }

    /// Writes the last snapshot and the final record.
    public func finish(reason: StopReason, text: String = "", at nanoseconds: UInt64) throws(Sink.Failure) {
        try snapshot(at: nanoseconds)
        try append(
            .final, FinalPayload(reason: reason, text: text, elapsedNanoseconds: recorder.elapsed(at: nanoseconds)))
        try output.sink.synchronize()
    }

    /// The sink, for what else its owner does with it.
    public var sink: Sink { output.sink }

    private func schedule(after elapsed: UInt64) {
        nextSnapshotNanoseconds = recorder.startNanoseconds + elapsed + policy.spacing(elapsedNanoseconds: elapsed)
    }

    private func appendEvents() throws(Sink.Failure) {
        while writtenEvents < recorder.log.slots.count {
            let index = writtenEvents
            writtenEvents += 1
            try append(.event, EventPayload(log: recorder.log, index: index))
        }
    }

    /// Header, metadata, kept events, one snapshot.
    private func writeBase(elapsedNanoseconds: UInt64) throws(Sink.Failure) {
        fileBytes = ReportFile.headerBytes
        for byte in header { output.put(byte) }
        put(.metadata, recorder.metadata)
        for index in recorder.log.slots.indices { put(.event, EventPayload(log: recorder.log, index: index)) }
        writtenEvents = recorder.log.slots.count
        put(.snapshot, SnapshotPayload(recorder: recorder, elapsedNanoseconds: elapsedNanoseconds))
        snapshotsInFile = 1
        try output.flush()
    }

    private func replaceFile(elapsedNanoseconds: UInt64) throws(Sink.Failure) {
        let bytesBefore = fileBytes
        let snapshotsBefore = snapshotsInFile
        try output.sink.beginReplacement()
        do throws(Sink.Failure) {
            try writeBase(elapsedNanoseconds: elapsedNanoseconds)
            try output.sink.commitReplacement()
        } catch {
            output.sink.abandonReplacement()
            fileBytes = bytesBefore
            snapshotsInFile = snapshotsBefore
            throw error
        }
    }

    private func put<Payload: RecordPayload>(_ type: ReportFile.RecordType, _ payload: Payload, length: Int? = nil) {
        let length = length ?? payloadBytes(payload)
        output.put(type, payload, length: length)
        fileBytes += length + ReportFile.recordOverhead
    }

    private func append<Payload: RecordPayload>(
        _ type: ReportFile.RecordType, _ payload: Payload, length: Int? = nil
    ) throws(Sink.Failure) {
        let bytesBefore = fileBytes
        put(type, payload, length: length)
        do throws(Sink.Failure) {
            try output.flush()
        } catch {
            fileBytes = bytesBefore
            throw error
        }
    }

    private func payloadBytes<Payload: RecordPayload>(_ payload: Payload) -> Int {
        var counter = CountingOutput()
        payload.encode(to: &counter)
        return counter.count
    }
}

/// Streams records through a fixed buffer into the sink. After a failure it swallows bytes until `flush` reports it.
struct RecordOutput<Sink: ReportSink>: ByteOutput {
    static var capacity: Int { 16384 }

    var sink: Sink
    private let buffer: UnsafeMutablePointer<UInt8>
    private var used = 0
    private var checksum = CRC32C()
    /// Where in the buffer the bytes begin that `checksum` has not seen; nil outside a record.
    private var unseen: Int?
    private var failure: Sink.Failure?

    init(sink: Sink) {
        self.sink = sink
        buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: RecordOutput.capacity)
    }

    func deallocate() {
        buffer.deallocate()
    }

    mutating func put(_ byte: UInt8) {
        if used == RecordOutput.capacity { drain() }
        buffer[used] = byte
        used += 1
    }

    mutating func putVarint(_ value: UInt64) {
        if used + 10 > RecordOutput.capacity { drain() }
        var rest = value
        while rest >= 0x80 {
            buffer[used] = UInt8(truncatingIfNeeded: rest) | 0x80
            used += 1
            rest >>= 7
        }
        buffer[used] = UInt8(rest)
        used += 1
    }

    mutating func put<Payload: RecordPayload>(_ type: ReportFile.RecordType, _ payload: Payload, length: Int) {
        checksum = CRC32C()
        unseen = used
        putUInt16(type.rawValue)
        putUInt32(UInt32(length))
        payload.encode(to: &self)
        updateChecksum()
        unseen = nil
        putUInt32(checksum.value)
    }

    private mutating func updateChecksum() {
        guard let start = unseen else { return }
        checksum.update(UnsafeRawBufferPointer(start: buffer + start, count: used - start))
        unseen = used
    }

    /// Hands the rest of the buffer to the sink.
    mutating func flush() throws(Sink.Failure) {
        drain()
        if let error = failure {
            failure = nil
            throw error
        }
    }

    private mutating func drain() {
        updateChecksum()
        let bytes = UnsafeRawBufferPointer(start: buffer, count: used)
        used = 0
        if unseen != nil { unseen = 0 }
        guard failure == nil, bytes.count > 0 else { return }
        do throws(Sink.Failure) {
            try sink.append(bytes)
        } catch {
            failure = error
        }
    }
}
