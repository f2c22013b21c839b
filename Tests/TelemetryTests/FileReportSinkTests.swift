import Foundation
import Platform
import XCTest

@testable import Telemetry

final class FileReportSinkTests: XCTestCase {
    private var folder = ""

    override func setUpWithError() throws {
        folder = NSTemporaryDirectory() + "swiftlet-report-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(atPath: folder)
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))
    }

    private func run(frames: Int, limit: Int) throws -> Recorder {
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        var policy = SnapshotPolicy()
        policy.fileLimitBytes = limit
        let writer = ReportWriter(
            sink: try FileReportSink(path: folder + "/run.report"), recorder: recorder, policy: policy)
        try writer.start()
        for frame in 0..<frames {
            recorder.frameCaptured()
            recorder.recordResult(
                scheduledNanoseconds: 0, finishedNanoseconds: 1_000_000 + UInt64(frame) * 7919 % 4_000_000)
            try writer.snapshot(at: UInt64(frame) * 1_000_000)
            // What a kill here would leave.
            let report = try ReportFile.read(try bytes("run.report"))
            XCTAssertEqual(report.counters, recorder.counters)
            XCTAssertTrue(report.runs[0].integrity.damage.isEmpty)
        }
        try writer.finish(reason: .endOfSource, at: 1_000_000_000)
        writer.sink.close()
        return recorder
    }

    func testTheFileOnDiskIsAlwaysReadable() throws {
        let recorder = try run(frames: 40, limit: 3000)
        let report = try ReportFile.read(try bytes("run.report"))
        XCTAssertEqual(report.counters, recorder.counters)
        XCTAssertEqual(report.runs[0].stopReason, .endOfSource)
        XCTAssertLessThanOrEqual(try bytes("run.report").count, 3100)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder), ["run.report"])
    }

    func testTheReportOfTheRunBeforeIsKept() throws {
        _ = try run(frames: 3, limit: 1 << 20)
        let first = try bytes("run.report")
        _ = try run(frames: 5, limit: 1 << 20)
        XCTAssertEqual(try bytes("run.report.previous"), first)
        XCTAssertEqual(try ReportFile.read(try bytes("run.report")).counters.processed, 5)
    }

    func testAnImpossiblePathIsNamed() {
        XCTAssertThrowsError(try FileReportSink(path: folder + "/absent/run.report")) { error in
            XCTAssertEqual((error as? SystemError)?.subject, folder + "/absent/run.report")
            XCTAssertEqual((error as? SystemError)?.call, "open")
        }
    }

    func testAReplacementThatCannotBeMadeLeavesTheFile() throws {
        var sink = try FileReportSink(path: folder + "/run.report")
        try FileManager.default.createDirectory(atPath: folder + "/run.report.new", withIntermediateDirectories: false)
        try [UInt8]("abc".utf8).withUnsafeBytes { try sink.append($0) }
        XCTAssertThrowsError(try sink.beginReplacement())
        sink.abandonReplacement()
        try [UInt8]("def".utf8).withUnsafeBytes { try sink.append($0) }
        sink.close()
        XCTAssertEqual(try bytes("run.report"), [UInt8]("abcdef".utf8))
    }
}
