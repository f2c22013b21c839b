/// Contents of one record; encoded twice, first to learn its length.
protocol RecordPayload {
    func encode<Output: ByteOutput>(to output: inout Output)
}

extension RunMetadata: RecordPayload {}

/// All figures of a recorder at one moment.
struct SnapshotPayload: RecordPayload {
    let recorder: Recorder
    let elapsedNanoseconds: UInt64

    func encode<Output: ByteOutput>(to output: inout Output) {
        output.putVarint(elapsedNanoseconds)
        output.putVarint(recorder.peakResidentBytes)
        let counters = recorder.counters
        output.putVarint(counters.captured)
        output.putVarint(counters.processed)
        output.putVarint(counters.dropped)
        output.putVarint(counters.late)
        output.putVarint(counters.bad)
        output.putVarint(counters.errors)
        let cost = recorder.instrumentation
        output.putVarint(cost.picosecondsPerEvent)
        output.putVarint(cost.layerEvents)
        output.putVarint(cost.frameEvents)
        output.putVarint(UInt64(recorder.log.totals.count))
        for total in recorder.log.totals { output.putVarint(total) }
        output.putVarint(UInt64(recorder.badNames.counts.count))
        for index in recorder.badNames.counts.indices {
            output.putText(recorder.badNames.name(at: index))
            output.putVarint(recorder.badNames.counts[index])
        }
        recorder.captureToResult.encode(to: &output)
        output.putVarint(UInt64(recorder.stages.count))
        for histogram in recorder.stages { histogram.encode(to: &output) }
        output.putVarint(UInt64(recorder.layers.count))
        for histogram in recorder.layers { histogram.encode(to: &output) }
        output.putVarint(UInt64(recorder.ring.count))
        for index in 0..<recorder.ring.count { recorder.ring[index].encode(to: &output) }
    }
}

/// A decoded snapshot.
struct SnapshotContent {
    var elapsedNanoseconds: UInt64 = 0
    var peakResidentBytes: UInt64 = 0
    var counters = FrameCounters()
    var instrumentation = InstrumentationCost()
    var eventTotals = [UInt64](repeating: 0, count: EventKind.allCases.count)
    var badFrames: [NamedCount] = []
    var captureToResult = Histogram()
    var stages = Stage.allCases.map { _ in Histogram() }
    var layers: [LayerStatistics] = []
    var samples: [Sample] = []

    /// - Parameter layers: of the metadata record; nil when that was lost, and the layers go by number.
    static func decode(
        from input: inout ByteInput, layers descriptions: [LayerDescription]?
    ) throws(DecodingFailure) -> SnapshotContent {
        var result = SnapshotContent()
        result.elapsedNanoseconds = try input.varint()
        result.peakResidentBytes = try input.varint()
        result.counters.captured = try frameCount(from: &input)
        result.counters.processed = try frameCount(from: &input)
        result.counters.dropped = try frameCount(from: &input)
        result.counters.late = try frameCount(from: &input)
        result.counters.bad = try frameCount(from: &input)
        result.counters.errors = try frameCount(from: &input)
        result.instrumentation.picosecondsPerEvent = try input.varint()
        result.instrumentation.layerEvents = try input.varint()
        result.instrumentation.frameEvents = try input.varint()
        let kinds = try input.itemCount(ofAtLeast: 1, limit: 256)
        for kind in 0..<kinds {
            let total = try frameCount(from: &input)
            if kind < result.eventTotals.count { result.eventTotals[kind] = total }
        }
        let names = try input.itemCount(ofAtLeast: 2, limit: NameCounts.limit + 1)
        for _ in 0..<names {
            let name = try input.text()
            result.badFrames.append(NamedCount(name: name, count: try frameCount(from: &input)))
        }
        result.captureToResult = try Histogram.decode(from: &input)
        let stageCount = try input.itemCount(ofAtLeast: 1, limit: 256)
        for stage in 0..<stageCount {
            let histogram = try Histogram.decode(from: &input)
            if stage < result.stages.count { result.stages[stage] = histogram }
        }
        let layerCount = try input.itemCount(ofAtLeast: 1, limit: ReportFile.layerLimit)
        if let descriptions, descriptions.count != layerCount {
            throw .malformed("number of layers differs from the metadata's")
        }
        result.layers.reserveCapacity(layerCount)
        for index in 0..<layerCount {
            let description = descriptions?[index]
                ?? LayerDescription(name: "layer \(index)", operatorName: "", kernel: "")
            result.layers.append(
                LayerStatistics(description: description, histogram: try Histogram.decode(from: &input)))
        }
        let sampleCount = try input.itemCount(ofAtLeast: 9, limit: ReportFile.sampleLimit)
        for _ in 0..<sampleCount { result.samples.append(try Sample.decode(from: &input)) }
        return result
    }

    private static func frameCount(from input: inout ByteInput) throws(DecodingFailure) -> UInt64 {
        let count = try input.varint()
        guard count <= Histogram.highestStoredCount else { throw .malformed("count above 2^48") }
        return count
    }

    func fill(_ report: inout LatencyReport, _ run: inout Run) {
        run.elapsedNanoseconds = elapsedNanoseconds
        run.peakResidentBytes = peakResidentBytes
        run.counters = counters
        run.instrumentation = instrumentation
        run.eventTotals = eventTotals
        run.captureToResult = captureToResult
        run.samples = samples
        report.counters = counters
        report.captureToResult = captureToResult
        report.stages = stages
        report.layers = layers
        report.badFrames = badFrames
    }
}

/// One kept event of a log.
struct EventPayload: RecordPayload {
    let log: EventLog
    let index: Int

    func encode<Output: ByteOutput>(to output: inout Output) {
        let slot = log.slots[index]
        output.put(slot.kind.rawValue)
        output.putVarint(slot.milliseconds)
        output.putVarint(slot.frame)
        output.putVarint(slot.occurrence)
        output.putText(log.text(at: index))
    }
}

extension Event {
    static func decode(from input: inout ByteInput) throws(DecodingFailure) -> Event {
        guard let kind = EventKind(rawValue: try input.byte()) else { throw .malformed("unknown kind of event") }
        let milliseconds = try input.varint()
        let frame = try input.varint()
        let occurrence = try input.varint()
        return Event(
            kind: kind, milliseconds: milliseconds, frame: frame, occurrence: occurrence, text: try input.text())
    }
}

/// How the run ended.
struct FinalPayload: RecordPayload {
    var reason: StopReason
    var text: String
    var elapsedNanoseconds: UInt64

    func encode<Output: ByteOutput>(to output: inout Output) {
        output.put(reason.rawValue)
        output.putText(text)
        output.putVarint(elapsedNanoseconds)
    }

    static func decode(from input: inout ByteInput) throws(DecodingFailure) -> FinalPayload {
        guard let reason = StopReason(rawValue: try input.byte()) else { throw .malformed("unknown stop reason") }
        let text = try input.text()
        return FinalPayload(reason: reason, text: text, elapsedNanoseconds: try input.varint())
    }
}
