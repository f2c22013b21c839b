import Camera
import Engine
import Kernels
import NestFormat
import Platform
import Telemetry
import Vision

/// Where a run's lines go.
public protocol RunOutput {
    /// A line of results.
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError)
    /// Something for a person to read.
    mutating func say(_ message: String)
}

/// Standard output and standard error.
public struct StandardOutput: RunOutput {
    public init() {}

    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try OutputDescriptor.standardOutput.write(bytes)
    }

    public mutating func say(_ message: String) { printToStandardError("swiftlet-run: " + message + "\n") }
}

/// Messages have nowhere else to go when standard error is closed.
func printToStandardError(_ message: String) {
    var copy = message
    copy.withUTF8 { bytes in
        do throws(SystemError) {
            try OutputDescriptor.standardError.write(UnsafeRawBufferPointer(bytes))
        } catch { return }
    }
}

/// Runs a model over a source: frames in, lines of results and the latency report out.
///
/// The loop allocates nothing once a frame of the largest size went through (progressive JPEGs excepted).
public final class Runner<Clock: FrameClock, Output: RunOutput> {
    private let options: RunOptions
    private let pipeline: FramePipeline
    private let recorder: Recorder
    private let system: SystemInfo
    private let clock: Clock
    private var output: Output
    private var camera: Camera<Clock>
    private var report: ReportWriter<FileReportSink>?
    private var dump: OutputDescriptor?
    private var line: JSONLine
    private let writer: ResultWriter
    /// Wall clock minus the frames' clock, nanoseconds.
    private let clockOffset: UInt64
    private var hasReportedReportFailure = false
    private var badMessages = 0
    private var nextSample: UInt64

    private static var sampleInterval: UInt64 { 1_000_000_000 }
    private static var badMessageLimit: Int { 20 }

    /// - Parameter source: frames instead of those that `options.source` names.
    public init(
        _ options: RunOptions, clock: Clock, output: Output, source given: Source? = nil,
        system: SystemInfo = SystemInfo()
    ) throws(RunError) {
        (self.options, self.clock, self.output, self.system) = (options, clock, output, system)
        if !options.processors.isEmpty {
            do throws(SystemError) {
                try WorkerPool.bindCallingThread(toProcessors: options.processors)
            } catch { throw .system(error) }
        }
        let model: Model
        do throws(ModelError) { model = try Model(path: options.modelPath) } catch {
            throw .model(path: options.modelPath, error)
        }
        let threads = options.threads ?? min(4, WorkerPool.availableProcessorCount)
        pipeline = try FramePipeline(
            path: options.modelPath, model: model, threads: threads, forcing: options.forcedISA,
            maximumPixels: options.maximumPixels)
        let source: Source
        if let given {
            source = given
        } else {
            do throws(SourceError) {
                source = try Source.open(try SourceDescription(parsing: options.source))
            } catch { throw .source(error) }
        }
        camera = Camera(source: source, framesPerSecond: options.framesPerSecond, clock: clock)
        let metadata = Runner.describe(options, pipeline, system, intervalNanoseconds: camera.intervalNanoseconds)
        let start = clock.now()
        nextSample = start + Runner.sampleInterval
        clockOffset = WallClock.unixNanoseconds() - start
        recorder = Recorder(metadata: metadata, startNanoseconds: start)
        recorder.measureEventCost { clock.now() }
        writer = ResultWriter(labels: model.file.labels)
        line = JSONLine(capacity: writer.maximumByteCount(pipeline.decoder) + 256)
        do throws(SystemError) {
            if let path = options.reportPath {
                let report = ReportWriter(sink: try FileReportSink(path: path), recorder: recorder)
                try report.start()
                self.report = report
            }
            if let path = options.dumpPath { dump = try OutputDescriptor.create(path: path) }
        } catch { throw .system(error) }
    }

    deinit { line.deallocate() }

    /// The run so far.
    public var latencyReport: LatencyReport { recorder.report(at: clock.now()) }

    /// What the run writes to.
    public var currentOutput: Output { output }

    /// Processes frames until the source ends, the limit is reached, a stop is requested or the reader of the results
    /// goes away. The report is complete in every case, errors included.
    public func run() throws(RunError) {
        var failure: RunError?
        var (reason, reasonText) = (StopReason.endOfSource, "")
        do throws(RunError) {
            (reason, reasonText) = try loop()
        } catch {
            failure = error
            (reason, reasonText) = (.error, error.name)
        }
        sample(at: clock.now())
        if let report {
            do throws(SystemError) {
                try report.finish(reason: reason, text: reasonText, at: clock.now())
            } catch { failure = failure ?? .system(error) }
        }
        summarise(reason)
        if let failure { throw failure }
        if recorder.counters.processed == 0, reason == .endOfSource {
            throw .noFrames(source: options.source, bad: recorder.counters.bad)
        }
    }

    private func loop() throws(RunError) -> (StopReason, String) {
        while true {
            if StopRequest.isPending { return (.signal, "") }
            if let limit = options.frameLimit, recorder.counters.captured >= limit { return (.frameLimit, "") }
            let event: CameraEvent
            do throws(SourceError) { event = try camera.next() } catch { throw .source(error) }
            switch event {
            case .stopped:
                return (.signal, "")
            case .end(let dropped):
                count(dropped: dropped)
                return (.endOfSource, "")
            case .bad(let name, let sequence, let dropped):
                count(dropped: dropped)
                recorder.frameCaptured()
                skip(name: name, details: "", sequence: sequence)
            case .frame(let frame, let dropped):
                count(dropped: dropped)
                recorder.frameCaptured()
                guard try process(frame) else { return (.signal, "output closed") }
            }
            let now = clock.now()
            if now >= nextSample {
                sample(at: now)
                nextSample = now + Runner.sampleInterval
            }
            poll(at: now)
        }
    }

    /// False when the reader of the results went away.
    private func process(_ frame: Frame) throws(RunError) -> Bool {
        let begin = clock.now()
        do throws(JPEGError) {
            try pipeline.run(frame.picture)
        } catch {
            skip(name: error.name, details: "", sequence: frame.sequence)
            return true
        }
        let decoded = clock.now()
        if options.output == .jsonLines {
            writeLine(frame, at: decoded)
            do throws(SystemError) {
                try output.write(line.bytes)
            } catch {
                if error.isClosedPipe { return false }
                throw .system(error)
            }
        }
        if let dump {
            do throws(SystemError) {
                for index in pipeline.model.plan.outputs.indices { try dump.write(pipeline.session.output(index)) }
            } catch { throw .system(error) }
        }
        let finished = clock.now()
        let times = pipeline.times
        recorder.record(
            stage: .wait, nanoseconds: begin > frame.capturedNanoseconds ? begin - frame.capturedNanoseconds : 0)
        recorder.record(stage: .decode, nanoseconds: times.decode)
        recorder.record(stage: .preprocess, nanoseconds: times.preprocess)
        recorder.record(stage: .inference, nanoseconds: times.inference)
        recorder.record(stage: .postprocess, nanoseconds: times.postprocess)
        recorder.record(stage: .output, nanoseconds: finished - decoded)
        let layers = pipeline.session.layerNanoseconds
        for index in 0..<layers.count { recorder.recordLayer(index: index, nanoseconds: layers[index]) }
        recorder.recordResult(scheduledNanoseconds: frame.capturedNanoseconds, finishedNanoseconds: finished)
        return true
    }

    /// {"sequence", "captured": seconds since 1970, "age_ms": capture until now, then the results}.
    private func writeLine(_ frame: Frame, at now: UInt64) {
        line.removeAll()
        line.beginObject()
        line.key("sequence")
        line.value(Int(clamping: frame.sequence))
        line.key("captured")
        line.value(Double(frame.capturedNanoseconds + clockOffset) / 1e9, decimals: 6)
        line.key("age_ms")
        let age = now > frame.capturedNanoseconds ? now - frame.capturedNanoseconds : 0
        line.value(Double(age) / 1e6, decimals: 3)
        writer.write(
            pipeline.decoder, pictureWidth: pipeline.pictureWidth, pictureHeight: pipeline.pictureHeight, to: &line)
        line.endObject()
        line.endLine()
    }

    private func count(dropped: UInt64) {
        guard dropped > 0 else { return }
        for _ in 0..<dropped { recorder.frameCaptured() }
        recorder.framesDropped(dropped)
    }

    private func skip(name: String, details: String, sequence: UInt64) {
        recorder.recordBadFrame(named: name, frame: sequence, at: clock.now())
        badMessages += 1
        if badMessages <= Runner.badMessageLimit { output.say("frame \(sequence): \(name); skipped") }
        if badMessages == Runner.badMessageLimit { output.say("further bad frames are counted only") }
    }

    private func sample(at now: UInt64) {
        recorder.sample(
            at: now, frequencyKilohertz: system.frequencyKilohertz ?? 0,
            temperatureMilliCelsius: system.temperatureMilliCelsius, isThrottled: system.isThrottled)
        if let bytes = system.peakResidentBytes { recorder.notePeakResident(bytes: bytes) }
    }

    /// A report that cannot be written is told once and tried again; the results go on.
    private func poll(at now: UInt64) {
        guard let report else { return }
        do throws(SystemError) {
            try report.poll(at: now)
        } catch {
            if !hasReportedReportFailure {
                hasReportedReportFailure = true
                output.say("report: \(error.message); the run goes on")
                recorder.recordError(named: "report-not-written", frame: recorder.counters.captured, at: now)
            }
        }
    }

    private static func describe(
        _ options: RunOptions, _ pipeline: FramePipeline, _ system: SystemInfo, intervalNanoseconds: UInt64
    ) -> RunMetadata {
        let (model, session) = (pipeline.model, pipeline.session)
        var metadata = RunMetadata()
        let pathBytes = options.modelPath.utf8
        if let slash = pathBytes.lastIndex(of: UInt8(ascii: "/")) {
            metadata.modelName = String(decoding: pathBytes[pathBytes.index(after: slash)...], as: UTF8.self)
        } else {
            metadata.modelName = options.modelPath
        }
        metadata.modelHash = hexadecimal(SHA256.digest(of: model.file.bytes))
        metadata.modelBytes = UInt64(model.file.bytes.count)
        metadata.arenaBytes = UInt64(model.plan.arenaBytes)
        metadata.toolVersion = toolVersion
        metadata.deviceName = system.deviceName
        metadata.cpuModel = system.cpuModel
        metadata.isa = text(session.kernels.isa.name)
        metadata.bestIsa = text(CPUFeatures.current.bestISA.name)
        metadata.isIsaForced = options.forcedISA != nil
        metadata.governor = system.governor
        metadata.maximumFrequencyKilohertz = system.maximumFrequencyKilohertz ?? 0
        metadata.threads = UInt32(session.threadCount)
        metadata.commandLine = options.commandLine
        metadata.source = options.source
        metadata.startUnixSeconds = WallClock.unixNanoseconds() / 1_000_000_000
        metadata.targetMilliFramesPerSecond = options.framesPerSecond.map { UInt32(($0 * 1000).rounded()) } ?? 0
        metadata.deadlineNanoseconds = intervalNanoseconds
        for (index, planned) in model.plan.operations.enumerated() {
            metadata.layers.append(
                LayerDescription(
                    name: planned.name, operatorName: text(planned.operation.kindName),
                    kernel: session.kernelName(of: index), isFloat: planned.operation.isFloat,
                    multiplyAccumulates: session.macs(of: index)))
        }
        return metadata
    }

    // MARK: The summary

    private func summarise(_ reason: StopReason) {
        let counters = recorder.counters
        let elapsed = Double(clock.now() - recorder.startNanoseconds) / 1e9
        var rate = ""
        if elapsed > 0 { rate = ", \(decimal(Double(counters.processed) / elapsed, 1)) frames/s" }
        output.say(
            "\(counters.processed) frames in \(decimal(elapsed, 2)) s\(rate); \(counters.dropped) dropped, "
                + "\(counters.late) late, \(counters.bad) bad; ended by \(text(reason.name))")
        guard counters.processed > 0 else { return }
        let whole = recorder.captureToResult
        output.say(
            "capture to result, ms: median \(milliseconds(whole.percentile(50))), p90 "
                + "\(milliseconds(whole.percentile(90))), p99 \(milliseconds(whole.percentile(99))), longest "
                + "\(milliseconds(whole.maximum))")
        let report = recorder.report(at: clock.now())
        var stages = "median of each stage, ms:"
        for stage in Stage.allCases {
            stages += " \(text(stage.name)) \(milliseconds(report.stages[Int(stage.rawValue)].percentile(50)))"
        }
        output.say(stages)
        let metadata = recorder.metadata
        output.say(
            "\(metadata.isa) kernels, \(metadata.threads) thread\(metadata.threads == 1 ? "" : "s"), arena "
                + "\(decimal(Double(metadata.arenaBytes) / 1024, 1)) KiB, peak memory "
                + "\(decimal(Double(recorder.peakResidentBytes) / 1_048_576, 1)) MiB")
    }

    private func milliseconds(_ nanoseconds: UInt64) -> String { decimal(Double(nanoseconds) / 1e6, 3) }
}

/// The version that reports and `--version` show.
public let toolVersion = "0.1.0"

/// With a fixed number of decimals.
func decimal(_ value: Double, _ decimals: Int) -> String {
    var line = JSONLine(capacity: 64)
    defer { line.deallocate() }
    line.value(value, decimals: decimals)
    return String(decoding: line.bytes, as: UTF8.self)
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] { digits.append(nibble < 10 ? 48 + nibble : 87 + nibble) }
    }
    return String(decoding: digits, as: UTF8.self)
}

extension Operation {
    /// True for arithmetic in float32; tables, conversions and copies are not.
    var isFloat: Bool {
        switch self {
        case .tableLookup, .convert, .stridedCopy, .fill: false
        default: resultType == .float32
        }
    }
}
