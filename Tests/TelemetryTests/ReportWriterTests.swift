import XCTest

@testable import Telemetry

final class ReportWriterTests: XCTestCase {
    func testSpacingGrowsWithTheRunAndStaysBounded() {
        let policy = SnapshotPolicy()
        XCTAssertEqual(policy.spacing(elapsedNanoseconds: 0), 2_000_000_000)
        XCTAssertEqual(policy.spacing(elapsedNanoseconds: 16_000_000_000), 2_000_000_000)
        XCTAssertEqual(policy.spacing(elapsedNanoseconds: 80_000_000_000), 10_000_000_000)
        XCTAssertEqual(policy.spacing(elapsedNanoseconds: .max), 900_000_000_000)
        var zero = policy
        zero.elapsedDivisor = 0
        XCTAssertEqual(zero.spacing(elapsedNanoseconds: 10), 2_000_000_000)
    }

    /// Ninety simulated days of a busy, hot device with a bad cable: the file stays under its limit.
    func testMonthsOfRunningStayUnderTheLimit() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: makeMetadata(layers: 20), startNanoseconds: 0, sampleCapacity: 64)
        var policy = SnapshotPolicy()
        policy.fileLimitBytes = 64 << 10
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder, policy: policy)
        try writer.start()
        var generator = SeededGenerator(31)
        var largest = 0
        let end: UInt64 = 90 * 86_400
        var second: UInt64 = 0
        while second < end {
            let now = second * 1_000_000_000
            recorder.frameCaptured()
            if generator.next() % 5 == 0 {
                recorder.recordBadFrame(named: "jpeg-truncated", frame: second, at: now)
            } else {
                for layer in 0..<20 { recorder.recordLayer(index: layer, nanoseconds: 100_000 + generator.next() % 9000) }
                recorder.record(stage: .inference, nanoseconds: 2_000_000 + generator.next() % 100_000)
                recorder.recordResult(
                    scheduledNanoseconds: now, finishedNanoseconds: now + 3_000_000 + generator.next() % 500_000)
            }
            recorder.sample(
                at: now, frequencyKilohertz: 1_000_000, temperatureMilliCelsius: 80_000,
                isThrottled: generator.next() % 2 == 0)
            try writer.poll(at: now)
            largest = max(largest, file.bytes.count)
            XCTAssertEqual(writer.fileBytes, file.bytes.count)
            second += 5400
        }
        try writer.finish(reason: .signal, at: end * 1_000_000_000)
        XCTAssertLessThanOrEqual(largest, policy.fileLimitBytes)
        XCTAssertGreaterThan(file.replacements, 10)
        let report = try ReportFile.read(file.bytes)
        XCTAssertEqual(report.counters, recorder.counters)
        XCTAssertEqual(report.runs[0].events.count, recorder.log.slots.count)
        XCTAssertEqual(report.runs[0].stopReason, .signal)
        XCTAssertTrue(report.runs[0].integrity.damage.isEmpty)
        XCTAssertEqual(report.runs[0].samples.map { $0.frames }.reduce(0, +), report.counters.processed)
    }

    func testALimitSmallerThanOneSnapshotKeepsExactlyOne() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        var policy = SnapshotPolicy()
        policy.fileLimitBytes = 10
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder, policy: policy)
        try writer.start()
        var generator = SeededGenerator(2)
        for second in 0..<4 {
            play(second: second, on: recorder, generator: &generator)
            try writer.snapshot(at: UInt64(second + 1) * 1_000_000_000)
            let report = try ReportFile.read(file.bytes)
            XCTAssertEqual(report.runs[0].integrity.intactSnapshots, 1)
            XCTAssertEqual(report.counters, recorder.counters)
            XCTAssertEqual(report.runs[0].events.count, recorder.log.slots.count)
        }
        XCTAssertEqual(file.replacements, 4)
    }

    func testAFullDiskIsReportedAndTheFileStaysReadable() throws {
        for capacity in stride(from: 500, to: 4100, by: 97) {
            let file = MemoryFile()
            file.capacity = capacity
            let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
            let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder)
            var generator = SeededGenerator(2)
            var failures = 0
            do {
                try writer.start()
            } catch {
                failures += 1
            }
            for second in 0..<5 {
                play(second: second, on: recorder, generator: &generator)
                do {
                    try writer.poll(at: UInt64(second + 1) * 1_000_000_000)
                } catch {
                    failures += 1
                }
            }
            let filled = file.bytes
            XCTAssertGreaterThan(failures, 0, "capacity \(capacity)")
            _ = try ReportFile.read(filled)
            // Space again: what comes later is found behind the torn record.
            file.capacity = .max
            try writer.finish(reason: .endOfSource, at: 6_000_000_000)
            let report = try ReportFile.read(file.bytes)
            XCTAssertEqual(report.runs[0].stopReason, .endOfSource)
            XCTAssertEqual(report.counters, recorder.counters)
        }
    }

    func testAFailedReplacementLeavesTheOldFile() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        var policy = SnapshotPolicy()
        policy.fileLimitBytes = 10
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder, policy: policy)
        try writer.start()
        let before = file.bytes
        file.capacity = file.accepted + 20
        XCTAssertThrowsError(try writer.snapshot(at: 5)) { XCTAssertTrue($0 is DiskFull) }
        XCTAssertEqual(file.bytes, before)
        XCTAssertNil(file.replacement)
        XCTAssertEqual(writer.fileBytes, before.count)
        file.capacity = .max
        try writer.snapshot(at: 6)
        XCTAssertEqual(file.replacements, 1)
    }

    func testRecordsLargerThanTheBufferStreamThroughIt() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: makeMetadata(layers: 600), startNanoseconds: 0)
        var generator = SeededGenerator(6)
        for _ in 0..<40 {
            for layer in 0..<600 { recorder.recordLayer(index: layer, nanoseconds: generator.logarithmic(bits: 30)) }
        }
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder)
        try writer.start()
        XCTAssertGreaterThan(file.bytes.count, 60_000)
        XCTAssertLessThanOrEqual(file.appendSizes.max()!, 16384)
        let report = try ReportFile.read(file.bytes)
        XCTAssertEqual(report.layers.map { $0.histogram }, recorder.layers)
    }
}
