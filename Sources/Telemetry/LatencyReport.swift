/// Frame counts of a run.
public struct FrameCounters: Equatable, Sendable {
    /// Frames that the source delivered or the schedule called for.
    public var captured: UInt64 = 0
    /// Frames that got a result.
    public var processed: UInt64 = 0
    /// Frames given up for a newer one.
    public var dropped: UInt64 = 0
    /// Results later than the deadline after their capture time.
    public var late: UInt64 = 0
    /// Frames that could not be decoded, counted, named and skipped.
    public var bad: UInt64 = 0
    /// Other errors that the run survived or ended with.
    public var errors: UInt64 = 0

    public init() {}

    mutating func add(_ other: FrameCounters) {
        captured += other.captured
        processed += other.processed
        dropped += other.dropped
        late += other.late
        bad += other.bad
        errors += other.errors
    }
}

/// A name and how often it came.
public struct NamedCount: Sendable {
    public var name: String
    public var count: UInt64

    public init(name: String, count: UInt64) {
        self.name = name
        self.count = count
    }
}

/// One kept event.
public struct Event: Sendable {
    public var kind: EventKind
    /// Milliseconds after the start of the run.
    public var milliseconds: UInt64
    /// Sequence number of the frame concerned.
    public var frame: UInt64
    /// How many of this kind there were, this one included. Of frequent kinds not every one is kept.
    public var occurrence: UInt64
    /// Error name or detail, at most 48 bytes.
    public var text: String

    public init(kind: EventKind, milliseconds: UInt64, frame: UInt64, occurrence: UInt64, text: String) {
        self.kind = kind
        self.milliseconds = milliseconds
        self.frame = frame
        self.occurrence = occurrence
        self.text = text
    }
}

/// What the measuring itself cost.
public struct InstrumentationCost: Equatable, Sendable {
    /// One pair of timestamps and its recording, thousandths of a nanosecond, measured at start.
    public var picosecondsPerEvent: UInt64 = 0
    /// Layer timings taken inside the inference stage.
    public var layerEvents: UInt64 = 0
    /// Stage timings and results.
    public var frameEvents: UInt64 = 0

    public init() {}
}

/// A part of a file that could not be used.
public struct FileDamage: Sendable {
    public enum Cause: Sendable {
        /// The checksum of the record says that its bytes changed.
        case checksum(expected: UInt32, found: UInt32)
        /// The checksum is right and the content is not a valid record.
        case malformed(String)
        /// The file ends inside the record, `missing` bytes short.
        case truncated(missing: Int)
        /// Bytes that are no record.
        case unreadable(bytes: Int)
    }

    /// Where in the file the record begins.
    public var offset: Int
    /// Name of the record's type, or "unknown".
    public var record: String
    public var cause: Cause

    public init(offset: Int, record: String, cause: Cause) {
        self.offset = offset
        self.record = record
        self.cause = cause
    }

    /// One sentence: what, where, expected and found.
    public var description: String {
        switch cause {
        case .checksum(let expected, let found):
            return "\(record) record at byte \(offset): CRC-32C is \(hexadecimal(found)), "
                + "the file says \(hexadecimal(expected))"
        case .malformed(let reason):
            return "\(record) record at byte \(offset): \(reason)"
        case .truncated(let missing):
            return "\(record) record at byte \(offset): the file ends \(missing) bytes too early"
        case .unreadable(let bytes):
            return "\(bytes) bytes from byte \(offset) are no record"
        }
    }
}

/// What reading the file met.
public struct FileIntegrity: Sendable {
    /// Snapshots found intact; the figures are those of the last.
    public var intactSnapshots = 0
    public var damage: [FileDamage] = []

    public init() {}
}

/// What belongs to one run and can't be added up.
public struct Run {
    public var metadata = RunMetadata()
    public var counters = FrameCounters()
    /// Capture→result of this run.
    public var captureToResult = Histogram()
    /// Length of the run up to the last figures.
    public var elapsedNanoseconds: UInt64 = 0
    public var peakResidentBytes: UInt64 = 0
    public var instrumentation = InstrumentationCost()
    public var samples: [Sample] = []
    public var events: [Event] = []
    /// Events of each kind, kept or not, by `EventKind.rawValue`.
    public var eventTotals = [UInt64](repeating: 0, count: EventKind.allCases.count)
    /// nil when the file has no final record: the process was killed, or is still running.
    public var stopReason: StopReason?
    public var stopText = ""
    public var integrity = FileIntegrity()

    public init() {}

    public func total(of kind: EventKind) -> UInt64 {
        eventTotals[Int(kind.rawValue)]
    }
}

/// One layer's figures.
public struct LayerStatistics {
    public var description: LayerDescription
    public var histogram: Histogram

    public init(description: LayerDescription, histogram: Histogram) {
        self.description = description
        self.histogram = histogram
    }
}

/// Everything that one run, or several merged ones, measured.
///
/// The histograms are references: treat them as read-only.
public struct LatencyReport {
    /// At least one.
    public var runs: [Run] = [Run()]
    public var counters = FrameCounters()
    /// Capture (or scheduled) time to result.
    public var captureToResult = Histogram()
    /// By `Stage.rawValue`.
    public var stages: [Histogram] = Stage.allCases.map { _ in Histogram() }
    /// In execution order.
    public var layers: [LayerStatistics] = []
    public var badFrames: [NamedCount] = []

    public init() {}

    public subscript(stage: Stage) -> Histogram {
        stages[Int(stage.rawValue)]
    }

    /// Sum of all stages, nanoseconds.
    public var stageSum: UInt64 { sum(of: stages) }
    /// Sum of all layers, nanoseconds.
    public var layerSum: UInt64 { sum(of: layers.map { $0.histogram }) }
    /// How much of capture→result the stages explain: 1 when they add up; nil without results.
    public var stageCoverage: Double? { ratio(stageSum, captureToResult.sum) }
    /// How much of the inference stage the layers explain: 1 when they add up; nil without layers or inference.
    public var layerCoverage: Double? { layerSum == 0 ? nil : ratio(layerSum, self[.inference].sum) }
    /// Share of the inference time that measuring the layers took; nil without inference.
    public var instrumentationShare: Double? {
        guard self[.inference].sum > 0 else { return nil }
        var spent = 0.0
        for run in runs {
            spent += Double(run.instrumentation.layerEvents) * Double(run.instrumentation.picosecondsPerEvent) / 1000
        }
        return spent / Double(self[.inference].sum)
    }

    private func sum(of histograms: [Histogram]) -> UInt64 {
        var total: UInt64 = 0
        for histogram in histograms {
            let (next, overflow) = total.addingReportingOverflow(histogram.sum)
            total = overflow ? .max : next
        }
        return total
    }

    private func ratio(_ part: UInt64, _ whole: UInt64) -> Double? {
        whole == 0 ? nil : Double(part) / Double(whole)
    }
}

/// "0x" and eight digits.
func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
}
