/// Statistics of one run, in memory that is taken at `init` and never grows.
///
/// All calls come from one thread. Times are nanoseconds of one monotonic clock; a time before `startNanoseconds`
/// counts as the start.
///
/// The counters skip the run-time exclusivity check, for the reason given at `Histogram`.
///
/// Memory: one `Histogram` for capture→result, one for the current sample, one per stage, one per layer; samples in
/// `sampleCapacity` slots; 450 event slots.
public final class Recorder {
    public let metadata: RunMetadata
    public let startNanoseconds: UInt64
    @exclusivity(unchecked) public private(set) var counters = FrameCounters()
    public let captureToResult = Histogram()
    @exclusivity(unchecked) public private(set) var instrumentation = InstrumentationCost()
    /// Highest resident size that `notePeakResident` was told.
    public private(set) var peakResidentBytes: UInt64 = 0

    let stages: [Histogram]
    let layers: [Histogram]
    private(set) var ring: SampleRing
    private(set) var log = EventLog()
    private(set) var badNames = NameCounts()

    private let recent = Histogram()
    private var lastSampleMilliseconds: UInt64 = 0
    private var lastSampleDropped: UInt64 = 0
    private var isThrottled = false

    /// - Parameters:
    ///   - metadata: `layers` fixes the number of layers, at most `ReportFile.layerLimit`; `deadlineNanoseconds` decides
    ///     which results are late.
    ///   - startNanoseconds: the clock at the start of the run.
    ///   - sampleCapacity: stretches kept over time, even, 2…`ReportFile.sampleLimit`.
    @export(interface) public init(metadata: RunMetadata, startNanoseconds: UInt64, sampleCapacity: Int = 256) {
        precondition(metadata.layers.count <= ReportFile.layerLimit, "more layers than a report file can hold")
        precondition(sampleCapacity <= ReportFile.sampleLimit, "more samples than a report file can hold")
        self.metadata = metadata
        self.startNanoseconds = startNanoseconds
        stages = Stage.allCases.map { _ in Histogram() }
        layers = metadata.layers.map { _ in Histogram() }
        ring = SampleRing(capacity: sampleCapacity)
    }

    // MARK: Frames

    /// The source delivered a frame, or the schedule called for one.
    public func frameCaptured() {
        counters.captured += 1
    }

    /// Frames given up for newer ones.
    public func framesDropped(_ frames: UInt64 = 1) {
        counters.dropped += frames
    }

    /// A frame's result is out.
    /// - Parameter scheduledNanoseconds: when the frame was due by the schedule, or captured; not when work on it began,
    ///   so that waiting behind a slow frame counts ("coordinated omission").
    @export(interface) public func recordResult(scheduledNanoseconds: UInt64, finishedNanoseconds: UInt64) {
        let latency = finishedNanoseconds > scheduledNanoseconds ? finishedNanoseconds - scheduledNanoseconds : 0
        captureToResult.record(latency)
        recent.record(latency)
        counters.processed += 1
        instrumentation.frameEvents += 1
        if metadata.deadlineNanoseconds > 0, latency > metadata.deadlineNanoseconds { counters.late += 1 }
    }

    @export(interface) public func record(stage: Stage, nanoseconds: UInt64) {
        stages[Int(stage.rawValue)].record(nanoseconds)
        instrumentation.frameEvents += 1
    }

    /// - Parameter index: position in `metadata.layers`.
    @inline(__always)
    @export(interface) public func recordLayer(index: Int, nanoseconds: UInt64) {
        layers[index].record(nanoseconds)
        instrumentation.layerEvents += 1
    }

    // MARK: Events

    /// A frame that could not be decoded.
    /// - Parameter name: stable error name; cut after 48 bytes. The first 32 different names are counted one by one.
    @export(interface) public func recordBadFrame(named name: String, frame: UInt64, at nanoseconds: UInt64) {
        counters.bad += 1
        withText(name) { text in
            badNames.count(text)
            log.append(.badFrame, milliseconds: milliseconds(at: nanoseconds), frame: frame, text: text)
        }
    }

    /// An error that is not a bad frame.
    @export(interface) public func recordError(named name: String, frame: UInt64, at nanoseconds: UInt64) {
        counters.errors += 1
        recordEvent(.error, text: name, frame: frame, at: nanoseconds)
    }

    /// The source went away.
    @export(interface) public func recordSourceLost(named name: String, frame: UInt64, at nanoseconds: UInt64) {
        recordEvent(.sourceLost, text: name, frame: frame, at: nanoseconds)
    }

    /// The source is back.
    @export(interface) public func recordSourceRecovered(frame: UInt64, at nanoseconds: UInt64) {
        recordEvent(.sourceRecovered, text: "", frame: frame, at: nanoseconds)
    }

    private func recordEvent(_ kind: EventKind, text: String, frame: UInt64, at nanoseconds: UInt64) {
        withText(text) {
            log.append(kind, milliseconds: milliseconds(at: nanoseconds), frame: frame, text: $0)
        }
    }

    // MARK: Over time

    /// Closes the stretch since the last call: readings of the CPU beside the latency of the frames answered in it.
    /// Call it at a steady interval, such as one second. Raises the events of throttling that begins or ends.
    /// - Parameters:
    ///   - frequencyKilohertz: 0 when not known.
    ///   - temperatureMilliCelsius: nil when not known.
    @export(interface) public func sample(
        at nanoseconds: UInt64, frequencyKilohertz: UInt32, temperatureMilliCelsius: Int32?, isThrottled: Bool
    ) {
        let now = milliseconds(at: nanoseconds)
        ring.append(
            Sample(
                startMilliseconds: lastSampleMilliseconds,
                durationMilliseconds: now > lastSampleMilliseconds ? now - lastSampleMilliseconds : 0,
                frequencyKilohertz: frequencyKilohertz, temperatureMilliCelsius: temperatureMilliCelsius,
                isThrottled: isThrottled, frames: recent.count, dropped: counters.dropped - lastSampleDropped,
                medianNanoseconds: recent.percentile(50), maximumNanoseconds: recent.maximum))
        recent.reset()
        lastSampleMilliseconds = max(now, lastSampleMilliseconds)
        lastSampleDropped = counters.dropped
        if isThrottled != self.isThrottled {
            recordEvent(
                isThrottled ? .throttlingBegan : .throttlingEnded, text: "", frame: counters.captured, at: nanoseconds)
            self.isThrottled = isThrottled
        }
    }

    /// Keeps the highest resident size seen.
    public func notePeakResident(bytes: UInt64) {
        peakResidentBytes = max(peakResidentBytes, bytes)
    }

    /// Measures what one timing costs: two readings of the clock and a `record`. Keeps the median of nine rounds of 256,
    /// so that being interrupted in one round does not count.
    /// - Parameter now: the clock that the run uses, nanoseconds.
    public func measureEventCost(now: () -> UInt64) {
        let events: UInt64 = 256
        let scratch = Histogram()
        let rounds = Histogram()
        for _ in 0..<9 {
            let begin = now()
            for _ in 0..<events {
                let start = now()
                let end = now()
                scratch.record(end > start ? end - start : 0)
            }
            let end = now()
            rounds.record(end > begin ? end - begin : 0)
        }
        instrumentation.picosecondsPerEvent = rounds.percentile(50) * 1000 / events
    }

    // MARK: Results

    /// The run so far, without a file. Allocates: for the end of a run.
    @export(interface) public func report(at nanoseconds: UInt64, stopReason: StopReason? = nil, stopText: String = "") -> LatencyReport {
        var run = Run()
        run.metadata = metadata
        run.counters = counters
        run.captureToResult.merge(captureToResult)
        run.elapsedNanoseconds = elapsed(at: nanoseconds)
        run.peakResidentBytes = peakResidentBytes
        run.instrumentation = instrumentation
        run.samples = (0..<ring.count).map { ring[$0] }
        run.events = log.slots.indices.map { index in
            let slot = log.slots[index]
            return Event(
                kind: slot.kind, milliseconds: slot.milliseconds, frame: slot.frame, occurrence: slot.occurrence,
                text: String(decoding: log.text(at: index), as: UTF8.self))
        }
        run.eventTotals = log.totals
        run.stopReason = stopReason
        run.stopText = stopText
        var report = LatencyReport()
        report.runs = [run]
        report.counters = counters
        report.captureToResult.merge(captureToResult)
        for (mine, theirs) in zip(report.stages, stages) { mine.merge(theirs) }
        report.layers = zip(metadata.layers, layers).map { description, histogram in
            let copy = Histogram()
            copy.merge(histogram)
            return LayerStatistics(description: description, histogram: copy)
        }
        report.badFrames = badNames.counts.indices.map { index in
            NamedCount(
                name: String(decoding: badNames.name(at: index), as: UTF8.self), count: badNames.counts[index])
        }
        return report
    }

    func elapsed(at nanoseconds: UInt64) -> UInt64 {
        nanoseconds > startNanoseconds ? nanoseconds - startNanoseconds : 0
    }

    func milliseconds(at nanoseconds: UInt64) -> UInt64 {
        elapsed(at: nanoseconds) / 1_000_000
    }

    private func withText(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        var copy = text
        copy.withUTF8 { body($0) }
    }
}
