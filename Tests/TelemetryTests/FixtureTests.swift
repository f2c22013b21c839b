import Foundation
import XCTest

@testable import Telemetry

/// A report of format 1, as its first writer wrote it. It must read for ever.
final class FixtureTests: XCTestCase {
    private let version1 = """
        U1dMVFJQVAoBAAEA8C8gDgFaIAEAAApnYXVnZS5uZXN0IDlmODZkMDgxODg0YzdkNjU5YTJmZWFhMGM1NWFkMDE1wMQHgIAGBTEu
        MC4wBmxpbmUtMxtDb3J0ZXgtQTcyICJxdW90ZWQiIDxyZXYgMz4EbmVvbgxuZW9uLWRvdHByb2QBCG9uZGVtYW5kwO5tAjRzd2lm
        dGxldC1ydW4gZ2F1Z2UubmVzdCAtLXNvdXJjZSBiZWx0Lm1qcGVnIC0tZnBzIDMwCmJlbHQubWpwZWfP+YTYBrDqAdXA8g8CBWNv
        bnYwBkNvbnYyRBtzd2lmdGxldF9jb252X3M4XzR4MTZfX25lb24AAAVjb252MQZDb252MkQbc3dpZnRsZXRfY29udl9zOF80eDE2
        X19uZW9uAcCEPWh6rE4CWh8AAAAAAAAAAAAAAAAAAAYAAAAAAAAAAAYAAAAAAAACAAAAIB2dFgNaFAAAAAD0AwQBDmpwZWctdHJ1
        bmNhdGVkxGNyigNaBgAAAAPoBwUBAIUjbeMCWokAAACAqNa5B4etSwUDAQEBAAADBgYBAAABAAABDmpwZWctdHJ1bmNhdGVkAQOA
        y6+t4wGAreIEgMSIn+MBAQLiPAH/AwEGAAAAA8CopQTAjbcBwI23AQAB3DUDAAACA8CopQTAhD3AlrECAAPQLwGLBgGFAwEAAQDo
        B8DPJNg2AQMBgIDFCYDEiJ/jAatGz20EWg4AAAACB1NJR1RFUk2AqNa5B4z/LeE=
        """

    func testAReportOfFormat1Reads() throws {
        let bytes = [UInt8](Data(base64Encoded: version1, options: .ignoreUnknownCharacters)!)
        let report = try ReportFile.read(bytes)
        let run = report.runs[0]
        XCTAssertTrue(run.integrity.damage.isEmpty)
        XCTAssertEqual(run.integrity.intactSnapshots, 2)
        XCTAssertEqual(run.metadata.modelName, "gauge.nest")
        XCTAssertEqual(run.metadata.maximumFrequencyKilohertz, 1_800_000)
        XCTAssertEqual(run.metadata.targetMilliFramesPerSecond, 30_000)
        XCTAssertEqual(report.layers.map { $0.description.name }, ["conv0", "conv1"])
        XCTAssertEqual(report.layers.map { $0.description.isFloat }, [false, true])
        XCTAssertEqual(report.layers[1].description.multiplyAccumulates, 1_000_000)
        XCTAssertEqual(report.counters.captured, 5)
        XCTAssertEqual(report.counters.processed, 3)
        XCTAssertEqual(report.counters.late, 1)
        XCTAssertEqual(report.counters.dropped, 1)
        XCTAssertEqual(report.counters.bad, 1)
        XCTAssertEqual(report.badFrames.map { $0.name }, ["jpeg-truncated"])
        XCTAssertEqual(report.captureToResult.sum, 10_000_000 + 20_000_000 + 61_000_000_000)
        XCTAssertEqual(report.captureToResult.overflowCount, 1)
        XCTAssertEqual(report.captureToResult.minimum, 10_000_000)
        XCTAssertEqual(report[.inference].sum, 9_000_000)
        XCTAssertEqual(report.layers[0].histogram.maximum, 5_000_000)
        XCTAssertEqual(
            run.samples,
            [
                Sample(
                    startMilliseconds: 0, durationMilliseconds: 1000, frequencyKilohertz: 600_000,
                    temperatureMilliCelsius: -3500, isThrottled: true, frames: 3, dropped: 1,
                    medianNanoseconds: run.samples[0].medianNanoseconds, maximumNanoseconds: 61_000_000_000)
            ])
        XCTAssertEqual(Double(run.samples[0].medianNanoseconds), 2e7, accuracy: 2e4)
        XCTAssertEqual(run.events.map { $0.kind }, [.badFrame, .throttlingBegan])
        XCTAssertEqual(run.events[0].frame, 4)
        XCTAssertEqual(run.peakResidentBytes, 1_234_567)
        XCTAssertEqual(run.elapsedNanoseconds, 2_000_000_000)
        XCTAssertEqual(run.stopReason, .signal)
        XCTAssertEqual(run.stopText, "SIGTERM")
    }

    /// The writer still writes these bytes. When the format changes, keep the fixture and drop this test.
    func testTheWriterWritesFormat1() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: makeMetadata(layers: 2), startNanoseconds: 100)
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder)
        try writer.start()
        for (frame, latency): (UInt64, UInt64) in [(0, 10_000_000), (1, 20_000_000), (2, 61_000_000_000)] {
            recorder.frameCaptured()
            recorder.record(stage: .inference, nanoseconds: 3_000_000)
            recorder.recordLayer(index: 0, nanoseconds: 1_000_000 + frame * 2_000_000)
            recorder.recordResult(scheduledNanoseconds: 100, finishedNanoseconds: 100 + latency)
        }
        recorder.frameCaptured()
        recorder.framesDropped()
        recorder.frameCaptured()
        recorder.recordBadFrame(named: "jpeg-truncated", frame: 4, at: 500_000_100)
        recorder.sample(
            at: 1_000_000_100, frequencyKilohertz: 600_000, temperatureMilliCelsius: -3500, isThrottled: true)
        recorder.notePeakResident(bytes: 1_234_567)
        try writer.finish(reason: .signal, text: "SIGTERM", at: 2_000_000_100)
        XCTAssertEqual(Data(file.bytes).base64EncodedString(), version1.filter { $0 != "\n" })
    }
}
