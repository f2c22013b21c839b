import Camera
import Engine
import NestFormat
import Platform
import Telemetry
import Vision
import XCTest

@testable import Runner

private let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// A clock that goes a millisecond a reading.
private final class StepClock: FrameClock {
    var time: UInt64 = 0
    func now() -> UInt64 {
        time += 1_000_000
        return time
    }
    func sleep(until nanoseconds: UInt64) -> Bool {
        time = max(time, nanoseconds)
        return true
    }
}

private final class Transcript {
    var lines = ""
    var messages: [String] = []
    var isClosed = false
}

private struct TranscriptOutput: RunOutput {
    let transcript: Transcript
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        if transcript.isClosed { throw SystemError(subject: "pipe", call: "write", code: 32) }
        transcript.lines += String(decoding: bytes, as: UTF8.self)
    }
    mutating func say(_ message: String) { transcript.messages.append(message) }
}

final class RunnerTests: XCTestCase {
    private var directory = ""

    override func setUpWithError() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    /// A model that copies its 8 × 4 gray picture to its output.
    private func makeModel(isFilled: Bool = true) throws -> String {
        func port(_ name: String, offset: Int) -> PortDescriptor {
            PortDescriptor(
                name: name, shape: [1, 4, 8, 1], externalType: .int8, storedType: .int8, arenaOffset: offset,
                permutation: [0, 1, 2, 3], scale: 1, zeroPoint: -128)
        }
        let plan = Plan(
            arenaBytes: 128, inputs: [port("picture", offset: 0)], outputs: [port("copy", offset: 64)],
            operations: [
                PlannedOperation(
                    name: "copy",
                    operation: .stridedCopy(
                        StridedCopy(
                            elementBytes: 1, extents: [32], sourceOffset: 0, sourceStrides: [1], destinationOffset: 64,
                            destinationStrides: [1])))
            ])
        let preprocess = Preprocess(width: 8, height: 4, color: .gray, mean: [0], std: [1])
        let contents = NestContents(
            plan: plan.encode(), weights: [], preprocess: isFilled ? preprocess : nil,
            preprocessTables: isFilled ? .int8((0..<256).map { Int8($0 - 128) }) : nil, decoding: .raw, labels: [],
            golden: nil, provenance: Provenance())
        let path = directory + "/copy.nest"
        try Data(NestWriter.encode(contents)).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func frame(_ value: UInt8) -> MemorySource.Frame {
        .pixels([UInt8](repeating: value, count: 32), format: .gray8, range: .full, width: 8, height: 4)
    }

    private func run(
        _ frames: [MemorySource.Frame], _ change: (inout RunOptions) -> Void = { _ in },
        transcript: Transcript = Transcript()
    ) throws -> (transcript: Transcript, report: LatencyReport) {
        var options = RunOptions()
        options.modelPath = try makeModel()
        options.source = "frames"
        options.threads = 1
        change(&options)
        let runner = try Runner(
            options, clock: StepClock(), output: TranscriptOutput(transcript: transcript),
            source: .memory(MemorySource(frames)))
        try runner.run()
        return (transcript, runner.latencyReport)
    }

    func testALineAFrame() throws {
        let (transcript, report) = try run([frame(7), .bad(name: "torn"), .jpeg([1, 2, 3]), frame(200)])
        let lines = transcript.lines.split(separator: "\n")
        XCTAssertEqual(lines.count, 2)
        let objects = try lines.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        XCTAssertEqual(objects.map { $0?["sequence"] as? Int }, [0, 3])
        for (object, value) in zip(objects, [7.0, 200]) {
            let output = (object?["outputs"] as? [[String: Any]])?.first
            XCTAssertEqual(output?["mean"] as? Double, value)
            XCTAssertEqual(output?["name"] as? String, "copy")
            XCTAssertGreaterThan(object?["age_ms"] as? Double ?? 0, 0)
        }
        XCTAssertEqual(report.counters.captured, 4)
        XCTAssertEqual(report.counters.processed, 2)
        XCTAssertEqual(report.counters.bad, 2)
        XCTAssertEqual(Set(report.badFrames.map(\.name)), ["torn", "jpeg-not-jpeg"])
        XCTAssertEqual(transcript.messages.first, "frame 1: torn; skipped")
    }

    func testDumpAndFrameLimit() throws {
        let path = directory + "/dump"
        _ = try run([frame(1), frame(2), frame(3)]) {
            $0.dumpPath = path
            $0.frameLimit = 2
            $0.output = .none
        }
        let dump = try Data(contentsOf: URL(fileURLWithPath: path))
        XCTAssertEqual(
            [UInt8](dump),
            [UInt8](repeating: UInt8(bitPattern: -127), count: 32) + [UInt8](repeating: UInt8(bitPattern: -126), count: 32))
    }

    func testReportIsComplete() throws {
        let path = directory + "/run.report"
        _ = try run([frame(1), .bad(name: "torn"), frame(3)]) { $0.reportPath = path }
        let report = try ReportFile.read([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        XCTAssertEqual(report.counters.processed, 2)
        XCTAssertEqual(report.counters.bad, 1)
        XCTAssertEqual(report.runs.first?.stopReason, .endOfSource)
        XCTAssertEqual(report.runs.first?.metadata.layers.map(\.name), ["copy"])
        XCTAssertEqual(report.runs.first?.metadata.modelHash.count, 64)
    }

    func testClosedPipeEndsQuietly() throws {
        let transcript = Transcript()
        transcript.isClosed = true
        let (_, report) = try run([frame(1), frame(2)], transcript: transcript)
        XCTAssertEqual(report.counters.processed, 0)
    }

    func testStopSignalEndsWithAReport() throws {
        StopRequest.set(signal: 15)
        defer { StopRequest.set(signal: 0) }
        let path = directory + "/run.report"
        _ = try run([frame(1)]) { $0.reportPath = path }
        let report = try ReportFile.read([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        XCTAssertEqual(report.runs.first?.stopReason, .signal)
    }

    func testScheduleDropsAndCountsLateFrames() throws {
        // Each frame costs many readings of a millisecond; 1000 frames/s cannot be held.
        let (_, report) = try run((0..<40).map { frame(UInt8($0)) }) { $0.framesPerSecond = 1000 }
        XCTAssertGreaterThan(report.counters.dropped, 0)
        XCTAssertGreaterThan(report.counters.late, 0)
        XCTAssertEqual(report.counters.captured, 40)
        XCTAssertEqual(report.counters.processed + report.counters.dropped, 40)
    }

    func testStartErrors() throws {
        XCTAssertThrowsError(try run([.bad(name: "torn")])) {
            XCTAssertEqual(($0 as? RunError)?.name, "run-no-frames")
        }
        XCTAssertThrowsError(try run([]) { $0.modelPath = "/nowhere.nest" }) {
            XCTAssertEqual(($0 as? RunError)?.message, "/nowhere.nest: open: No such file or directory")
        }
        let path = try makeModel(isFilled: false)
        var options = RunOptions()
        (options.modelPath, options.source, options.threads) = (path, "x", 1)
        XCTAssertThrowsError(
            try Runner(options, clock: StepClock(), output: TranscriptOutput(transcript: Transcript()))
        ) { XCTAssertEqual(($0 as? RunError)?.name, "run-no-preprocessing") }
    }

    /// JPEG's own memory does not grow from frame to frame.
    func testJPEGFramesAllocateNothingAfterTheFirst() throws {
        let clip = packageRoot.appendingPathComponent("models/gauge/camera.mjpeg")
        let source = try Source.open(.mjpegFile(path: clip.path))
        let model = try Model(path: try makeModel())
        let pipeline = try FramePipeline(
            path: "copy.nest", model: model, threads: 1, forcing: nil, maximumPixels: 1 << 20)
        var allocations: [Int] = []
        for _ in 0..<10 {
            guard case .picture(let picture) = try source.next() else { return XCTFail("no picture") }
            try pipeline.run(picture)
            allocations.append(JPEGDecoder.allocationCount)
        }
        XCTAssertEqual(allocations.first, allocations.last)
        XCTAssertEqual([pipeline.pictureWidth, pipeline.pictureHeight], [320, 240])
    }
}

final class CommandLineTests: XCTestCase {
    private func options(_ arguments: String...) throws -> RunOptions {
        guard case .run(let options) = try RunCommand(parsing: arguments) else {
            throw UsageError(message: "not a run")
        }
        return options
    }

    func testOptions() throws {
        let found = try options(
            "m.nest", "--source", "clip.mjpeg", "--fps", "29.97", "--frames", "10", "--threads", "2", "--cpus", "0,2-4",
            "--force-isa", "scalar", "--report", "r", "--output", "none", "--dump", "d", "--max-pixels", "99")
        XCTAssertEqual(found.modelPath, "m.nest")
        XCTAssertEqual(found.source, "clip.mjpeg")
        XCTAssertEqual(found.framesPerSecond, 29.97)
        XCTAssertEqual(found.frameLimit, 10)
        XCTAssertEqual(found.threads, 2)
        XCTAssertEqual(found.processors, [0, 2, 3, 4])
        XCTAssertEqual(found.forcedISA, .scalar)
        XCTAssertEqual(found.reportPath, "r")
        XCTAssertEqual(found.output, .none)
        XCTAssertEqual(found.dumpPath, "d")
        XCTAssertEqual(found.maximumPixels, 99)
        XCTAssertEqual(try options("m.nest", "--source", "-").source, "-")
    }

    func testMistakesAreNamed() {
        let cases: [([String], String)] = [
            ([], "which model? give a .nest file"),
            (["m.nest"], "where do frames come from? give --source"),
            (["m.nest", "n.nest", "--source", "x"], "expected one model, found 'n.nest' as well"),
            (["m.nest", "--source"], "--source needs a value"),
            (["--sauce"], "unknown option '--sauce'"),
            (["--fps", "0"], "--fps: expected a number from 0.001 to 1000, found '0'"),
            (["--fps", "1.x"], "--fps: expected a number from 0.001 to 1000, found '1.x'"),
            (["--threads", "257"], "--threads: expected a whole number from 1 to 256, found '257'"),
            (["--frames", "-1"], "--frames: expected a whole number from 1 to 1000000000, found '-1'"),
            (["--cpus", "3-1"], "--cpus: expected a list such as 0,2-3 (0 to 1023), found '3-1'"),
            (["--force-isa", "sse"], "--force-isa: expected scalar, avx2, neon, dotprod, i8mm, avxvnni or avx512vnni, found 'sse'"),
            (["--output", "xml"], "--output: expected jsonl or none, found 'xml'"),
        ]
        for (arguments, message) in cases {
            XCTAssertThrowsError(try RunCommand(parsing: arguments)) {
                XCTAssertEqual(($0 as? UsageError)?.message, message)
            }
        }
    }

    func testSelfTestAndHelp() throws {
        guard case .selfTestKernels(256, 0) = try RunCommand(parsing: ["--selftest", "kernels"]) else { return XCTFail() }
        guard
            case .selfTestKernels(5, 7) = try RunCommand(
                parsing: ["--selftest", "kernels", "--cases", "5", "--seed", "7"])
        else { return XCTFail() }
        guard case .selfTestModel(let options) = try RunCommand(parsing: ["m.nest", "--selftest"]) else {
            return XCTFail()
        }
        XCTAssertEqual(options.modelPath, "m.nest")
        guard case .bench(let timed, let inferences) = try RunCommand(parsing: ["m.nest", "--bench", "7", "--threads", "1"])
        else { return XCTFail() }
        XCTAssertEqual(timed.modelPath, "m.nest")
        XCTAssertEqual(timed.threads, 1)
        XCTAssertEqual(inferences, 7)
        guard case .help = try RunCommand(parsing: ["x", "--help"]) else { return XCTFail() }
        guard case .version = try RunCommand(parsing: ["--version"]) else { return XCTFail() }
    }
}
