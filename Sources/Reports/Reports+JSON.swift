import Telemetry

extension Reports {
    /// The report as JSON. Keys are stable: later versions only add some. Times end in `Ns` (nanoseconds), `Ms`
    /// (milliseconds after the start) or `Seconds` (since 1970-01-01T00:00:00Z); a figure that is not known is null.
    ///
    ///     schema, schemaVersion
    ///     verdict        outcome, headline, isGood, findings[] {code, severity, what, remedy}
    ///     frames         captured, processed, dropped, late, bad, errors
    ///     badFrames[]    name, count
    ///     captureToResult {count, sumNs, meanNs, minNs, p50Ns, p90Ns, p95Ns, p99Ns, p999Ns, maxNs, beyond60s}
    ///     stages[]       name, share, and the figures of captureToResult
    ///     stageCoverage  sum of the stages / capture→result
    ///     layers[]       index, name, operator, kernel, isFloat, multiplyAccumulates, share, and the figures
    ///     layerCoverage  sum of the layers / inference
    ///     instrumentationShare   cost of measuring the layers / inference
    ///     runs[]         metadata, frames, captureToResult, elapsedNs, peakResidentBytes,
    ///                    instrumentation {picosecondsPerEvent, layerEvents, frameEvents}, stopReason, stopText,
    ///                    eventTotals {name: count}, events[], samples[], integrity {intactSnapshots, damage[]}
    public static func json(_ report: LatencyReport) -> String {
        jsonValue(report).rendered()
    }

    /// The same as a value, for a larger document.
    public static func jsonValue(_ report: LatencyReport) -> JSONValue {
        let verdict = verdict(of: report)
        return .object([
            ("schema", .string("swiftlet-latency-report")),
            ("schemaVersion", .integer(1)),
            ("verdict", verdictValue(verdict)),
            ("frames", countersValue(report.counters)),
            (
                "badFrames",
                .array(
                    report.badFrames.map {
                        .object([("name", .string($0.name)), ("count", .unsigned($0.count))])
                    })
            ),
            ("captureToResult", .object(figures(report.captureToResult))),
            (
                "stages",
                .array(
                    Stage.allCases.map { stage in
                        .object(
                            [
                                ("name", .string(stage.name.description)),
                                ("share", share(report[stage].sum, of: report.stageSum)),
                            ] + figures(report[stage]))
                    })
            ),
            ("stageCoverage", optional(report.stageCoverage)),
            (
                "layers",
                .array(
                    report.layers.enumerated().map { index, layer in
                        .object(
                            [
                                ("index", .integer(Int64(index))),
                                ("name", .string(layer.description.name)),
                                ("operator", .string(layer.description.operatorName)),
                                ("kernel", .string(layer.description.kernel)),
                                ("isFloat", .bool(layer.description.isFloat)),
                                ("multiplyAccumulates", .unsigned(layer.description.multiplyAccumulates)),
                                ("share", share(layer.histogram.sum, of: report.layerSum)),
                            ] + figures(layer.histogram))
                    })
            ),
            ("layerCoverage", optional(report.layerCoverage)),
            ("instrumentationShare", optional(report.instrumentationShare)),
            ("runs", .array(report.runs.map(runValue))),
        ])
    }

    private static func verdictValue(_ verdict: Verdict) -> JSONValue {
        .object([
            ("outcome", .string(verdict.outcome.rawValue)),
            ("headline", .string(verdict.headline)),
            ("isGood", .bool(verdict.isGood)),
            (
                "findings",
                .array(
                    verdict.findings.map {
                        .object([
                            ("code", .string($0.code.rawValue)), ("severity", .string($0.severity.rawValue)),
                            ("what", .string($0.what)), ("remedy", .string($0.remedy)),
                        ])
                    })
            ),
        ])
    }

    private static func countersValue(_ counters: FrameCounters) -> JSONValue {
        .object([
            ("captured", .unsigned(counters.captured)), ("processed", .unsigned(counters.processed)),
            ("dropped", .unsigned(counters.dropped)), ("late", .unsigned(counters.late)),
            ("bad", .unsigned(counters.bad)), ("errors", .unsigned(counters.errors)),
        ])
    }

    private static func figures(_ histogram: Histogram) -> [(key: String, value: JSONValue)] {
        guard histogram.count > 0 else {
            return [("count", .unsigned(0)), ("sumNs", .unsigned(0))]
                + ["meanNs", "minNs", "p50Ns", "p90Ns", "p95Ns", "p99Ns", "p999Ns", "maxNs"].map { ($0, .null) }
                + [("beyond60s", .unsigned(0))]
        }
        return [
            ("count", .unsigned(histogram.count)), ("sumNs", .unsigned(histogram.sum)),
            ("meanNs", .unsigned(UInt64(min(histogram.mean.rounded(), 1.8e19)))),
            ("minNs", .unsigned(histogram.minimum)),
            ("p50Ns", .unsigned(histogram.percentile(50))), ("p90Ns", .unsigned(histogram.percentile(90))),
            ("p95Ns", .unsigned(histogram.percentile(95))), ("p99Ns", .unsigned(histogram.percentile(99))),
            ("p999Ns", .unsigned(histogram.percentile(99.9))), ("maxNs", .unsigned(histogram.maximum)),
            ("beyond60s", .unsigned(histogram.overflowCount)),
        ]
    }

    private static func share(_ part: UInt64, of whole: UInt64) -> JSONValue {
        whole == 0 ? .null : .number(Double(part) / Double(whole))
    }

    private static func optional(_ value: Double?) -> JSONValue {
        value.map { .number($0) } ?? .null
    }

    private static func runValue(_ run: Run) -> JSONValue {
        .object([
            ("metadata", metadataValue(run.metadata)),
            ("frames", countersValue(run.counters)),
            ("captureToResult", .object(figures(run.captureToResult))),
            ("elapsedNs", .unsigned(run.elapsedNanoseconds)),
            ("peakResidentBytes", known(run.peakResidentBytes)),
            (
                "instrumentation",
                .object([
                    ("picosecondsPerEvent", .unsigned(run.instrumentation.picosecondsPerEvent)),
                    ("layerEvents", .unsigned(run.instrumentation.layerEvents)),
                    ("frameEvents", .unsigned(run.instrumentation.frameEvents)),
                ])
            ),
            ("stopReason", run.stopReason.map { .string($0.name.description) } ?? .null),
            ("stopText", .string(run.stopText)),
            (
                "eventTotals",
                .object(EventKind.allCases.map { ($0.name.description, .unsigned(run.total(of: $0))) })
            ),
            (
                "events",
                .array(
                    run.events.map {
                        .object([
                            ("kind", .string($0.kind.name.description)), ("atMs", .unsigned($0.milliseconds)),
                            ("frame", .unsigned($0.frame)), ("occurrence", .unsigned($0.occurrence)),
                            ("text", .string($0.text)),
                        ])
                    })
            ),
            ("samples", .array(run.samples.map(sampleValue))),
            (
                "integrity",
                .object([
                    ("intactSnapshots", .integer(Int64(run.integrity.intactSnapshots))),
                    (
                        "damage",
                        .array(
                            run.integrity.damage.map {
                                .object([
                                    ("offset", .integer(Int64($0.offset))), ("record", .string($0.record)),
                                    ("what", .string($0.description)),
                                ])
                            })
                    ),
                ])
            ),
        ])
    }

    private static func metadataValue(_ metadata: RunMetadata) -> JSONValue {
        .object([
            ("modelName", .string(metadata.modelName)), ("modelHash", .string(metadata.modelHash)),
            ("modelBytes", known(metadata.modelBytes)), ("arenaBytes", known(metadata.arenaBytes)),
            ("toolVersion", .string(metadata.toolVersion)), ("deviceName", .string(metadata.deviceName)),
            ("cpuModel", .string(metadata.cpuModel)), ("isa", .string(metadata.isa)),
            ("bestIsa", .string(metadata.bestIsa)), ("isIsaForced", .bool(metadata.isIsaForced)),
            ("governor", .string(metadata.governor)),
            ("maximumFrequencyKilohertz", known(UInt64(metadata.maximumFrequencyKilohertz))),
            ("threads", known(UInt64(metadata.threads))), ("commandLine", .string(metadata.commandLine)),
            ("source", .string(metadata.source)), ("startUnixSeconds", known(metadata.startUnixSeconds)),
            ("targetMilliFramesPerSecond", known(UInt64(metadata.targetMilliFramesPerSecond))),
            ("deadlineNs", known(metadata.deadlineNanoseconds)),
        ])
    }

    private static func sampleValue(_ sample: Sample) -> JSONValue {
        .object([
            ("startMs", .unsigned(sample.startMilliseconds)), ("durationMs", .unsigned(sample.durationMilliseconds)),
            ("frequencyKilohertz", known(UInt64(sample.frequencyKilohertz))),
            ("temperatureMilliCelsius", sample.temperatureMilliCelsius.map { .integer(Int64($0)) } ?? .null),
            ("isThrottled", .bool(sample.isThrottled)), ("frames", .unsigned(sample.frames)),
            ("dropped", .unsigned(sample.dropped)),
            ("medianNs", sample.frames > 0 ? .unsigned(sample.medianNanoseconds) : .null),
            ("maxNs", sample.frames > 0 ? .unsigned(sample.maximumNanoseconds) : .null),
        ])
    }

    /// 0 stands for not known.
    private static func known(_ value: UInt64) -> JSONValue {
        value == 0 ? .null : .unsigned(value)
    }
}
