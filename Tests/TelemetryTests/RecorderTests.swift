import XCTest

@testable import Telemetry

final class RecorderTests: XCTestCase {
    func testResultsCountFromTheScheduledTimeAndLateOnesAreCounted() {
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 1_000)
        // Three frames due every 33 ms; the first takes 80 ms, so the others wait behind it.
        let interval: UInt64 = 33_333_333
        var clock: UInt64 = 1_000
        for frame in 0..<3 {
            let due = 1_000 + UInt64(frame) * interval
            clock = max(clock, due) + (frame == 0 ? 80_000_000 : 5_000_000)
            recorder.frameCaptured()
            recorder.recordResult(scheduledNanoseconds: due, finishedNanoseconds: clock)
        }
        XCTAssertEqual(recorder.counters.captured, 3)
        XCTAssertEqual(recorder.counters.processed, 3)
        XCTAssertEqual(recorder.counters.late, 2)
        XCTAssertEqual(recorder.captureToResult.maximum, 80_000_000)
        // 85 ms − 33.3 ms and 90 ms − 66.7 ms after the start.
        XCTAssertEqual(recorder.captureToResult.sum, 80_000_000 + 51_666_667 + 23_333_334)
        recorder.recordResult(scheduledNanoseconds: 500, finishedNanoseconds: 400)
        XCTAssertEqual(recorder.captureToResult.minimum, 0)
    }

    func testADeadlineOfZeroMakesNothingLate() {
        var metadata = makeMetadata()
        metadata.deadlineNanoseconds = 0
        let recorder = Recorder(metadata: metadata, startNanoseconds: 0)
        recorder.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: 59_000_000_000)
        XCTAssertEqual(recorder.counters.late, 0)
        metadata.deadlineNanoseconds = 10
        let strict = Recorder(metadata: metadata, startNanoseconds: 0)
        strict.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: 10)
        XCTAssertEqual(strict.counters.late, 0)
        strict.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: 11)
        XCTAssertEqual(strict.counters.late, 1)
    }

    func testReportCarriesEveryFigure() {
        var generator = SeededGenerator(1)
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 5_000_000_000)
        for second in 0..<9 { play(second: second, on: recorder, generator: &generator) }
        recorder.notePeakResident(bytes: 4_000_000)
        recorder.notePeakResident(bytes: 3_000_000)
        recorder.recordError(named: "output-closed", frame: 12, at: 9_000_000_000)
        recorder.recordSourceLost(named: "device-gone", frame: 13, at: 9_100_000_000)
        recorder.recordSourceRecovered(frame: 14, at: 9_200_000_000)
        let report = recorder.report(at: 14_000_000_000, stopReason: .signal, stopText: "SIGTERM")
        let run = report.runs[0]
        XCTAssertEqual(report.counters.captured, 270)
        XCTAssertEqual(
            report.counters.processed + report.counters.dropped + report.counters.bad, report.counters.captured)
        XCTAssertGreaterThan(report.counters.bad, 0)
        XCTAssertGreaterThan(report.counters.dropped, 0)
        XCTAssertEqual(report.counters.errors, 1)
        XCTAssertEqual(report.captureToResult.count, report.counters.processed)
        XCTAssertEqual(report.captureToResult, recorder.captureToResult)
        XCTAssertEqual(report[.inference].count, report.counters.processed)
        XCTAssertEqual(report.layers.map { $0.description.name }, ["conv0", "conv1", "conv2"])
        XCTAssertEqual(report.layers[2].histogram.count, report.counters.processed)
        XCTAssertEqual(report.stageCoverage ?? 0, 1, accuracy: 1e-12)
        XCTAssertEqual(run.elapsedNanoseconds, 9_000_000_000)
        XCTAssertEqual(run.peakResidentBytes, 4_000_000)
        XCTAssertEqual(run.samples.count, 9)
        XCTAssertEqual(run.samples.map { $0.frames }.reduce(0, +), report.counters.processed)
        XCTAssertEqual(run.samples.map { $0.dropped }.reduce(0, +), report.counters.dropped)
        XCTAssertEqual(run.stopReason, .signal)
        XCTAssertEqual(run.total(of: .throttlingBegan), 1)
        XCTAssertEqual(run.total(of: .throttlingEnded), 1)
        XCTAssertEqual(run.total(of: .badFrame), report.counters.bad)
        XCTAssertEqual(run.events.first { $0.kind == .sourceLost }?.text, "device-gone")
        XCTAssertEqual(run.events.first { $0.kind == .sourceLost }?.milliseconds, 4100)
        XCTAssertEqual(report.badFrames.map { $0.name }, ["jpeg-truncated"])
        XCTAssertEqual(report.badFrames[0].count, report.counters.bad)
        XCTAssertEqual(run.instrumentation.layerEvents, 3 * report.counters.processed)
        XCTAssertEqual(run.instrumentation.frameEvents, 7 * report.counters.processed)
    }

    func testMeasuredCostIsTheClocksAndIsShownAsAShare() {
        let recorder = Recorder(metadata: makeMetadata(layers: 2), startNanoseconds: 0)
        // Each reading of this clock takes 40 ns, and one round in nine is interrupted for 10 ms.
        var clock: UInt64 = 0
        var readings = 0
        recorder.measureEventCost {
            clock += 40
            readings += 1
            if readings == 700 { clock += 10_000_000 }
            return clock
        }
        XCTAssertEqual(Double(recorder.instrumentation.picosecondsPerEvent), 80_000, accuracy: 400)
        recorder.record(stage: .inference, nanoseconds: 100_000)
        recorder.recordLayer(index: 0, nanoseconds: 60_000)
        recorder.recordLayer(index: 1, nanoseconds: 39_000)
        let report = recorder.report(at: 1)
        XCTAssertEqual(report.instrumentationShare ?? 0, 0.0016, accuracy: 0.00001)
        XCTAssertEqual(report.layerCoverage ?? 0, 0.99, accuracy: 1e-12)
        XCTAssertNil(Recorder(metadata: makeMetadata(), startNanoseconds: 0).report(at: 0).instrumentationShare)
    }

    func testSampleRingKeepsTheWholeRunInBoundedSlots() {
        for capacity in [2, 4, 16, 64] {
            var ring = SampleRing(capacity: capacity)
            for reading in 0..<1000 {
                ring.append(
                    Sample(
                        startMilliseconds: UInt64(reading) * 1000, durationMilliseconds: 1000,
                        frequencyKilohertz: reading == 437 ? 600_000 : 1_500_000,
                        temperatureMilliCelsius: reading % 3 == 0 ? nil : Int32(reading),
                        isThrottled: reading == 437, frames: 10, dropped: 1,
                        medianNanoseconds: UInt64(reading) * 1000, maximumNanoseconds: UInt64(reading) * 2000))
                XCTAssertLessThanOrEqual(ring.count, capacity + 1)
                var expectedStart: UInt64 = 0
                var frames: UInt64 = 0
                for index in 0..<ring.count {
                    XCTAssertEqual(ring[index].startMilliseconds, expectedStart)
                    expectedStart += ring[index].durationMilliseconds
                    frames += ring[index].frames
                }
                XCTAssertEqual(expectedStart, UInt64(reading + 1) * 1000)
                XCTAssertEqual(frames, UInt64(reading + 1) * 10)
            }
            XCTAssertEqual(ring.readingsPerPoint.nonzeroBitCount, 1)
            let points = (0..<ring.count).map { ring[$0] }
            XCTAssertEqual(points.filter { $0.isThrottled }.count, 1)
            XCTAssertEqual(points.first { $0.isThrottled }?.frequencyKilohertz, 600_000)
            XCTAssertEqual(points.last?.maximumNanoseconds, 1_998_000)
            XCTAssertEqual(points.compactMap { $0.temperatureMilliCelsius }.max(), 998)
            let mean = points.map { Double($0.medianNanoseconds) * Double($0.frames) }.reduce(0, +) / 10_000
            XCTAssertEqual(mean, 499_500, accuracy: Double(points.count))
        }
    }

    func testJoiningKeepsUnknownReadingsUnknown() {
        let first = Sample(startMilliseconds: 0, durationMilliseconds: 5)
        let second = Sample(startMilliseconds: 5, durationMilliseconds: 7, frequencyKilohertz: 9, frames: 0)
        let joined = first.joined(with: second)
        XCTAssertNil(joined.temperatureMilliCelsius)
        XCTAssertEqual(joined.frequencyKilohertz, 9)
        XCTAssertEqual(joined.medianNanoseconds, 0)
        XCTAssertEqual(second.joined(with: Sample(startMilliseconds: 12, durationMilliseconds: 1)).frequencyKilohertz, 9)
    }

    func testEventsOfAFaultThatRepeatsForMonthsStayBounded() {
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        for frame in 0..<100_000 {
            recorder.recordBadFrame(named: "jpeg-truncated", frame: UInt64(frame), at: UInt64(frame) * 33_000_000)
        }
        let run = recorder.report(at: 1).runs[0]
        // The first 32, then 64, 128, … 65536.
        XCTAssertEqual(run.events.count, 32 + 11)
        XCTAssertEqual(run.events.last?.occurrence, 65_536)
        XCTAssertEqual(run.events.last?.frame, 65_535)
        XCTAssertEqual(run.total(of: .badFrame), 100_000)
        XCTAssertEqual(recorder.counters.bad, 100_000)
    }

    func testBadFrameNamesAreCountedOneByOneUpToTheLimit() {
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        for round in 0..<3 {
            for name in 0..<40 {
                recorder.recordBadFrame(named: "error-\(name)", frame: UInt64(round), at: 0)
            }
        }
        let names = recorder.report(at: 0).badFrames
        XCTAssertEqual(names.count, 33)
        XCTAssertEqual(names[0].name, "error-0")
        XCTAssertTrue(names.prefix(32).allSatisfy { $0.count == 3 })
        XCTAssertEqual(names[32].name, "other")
        XCTAssertEqual(names[32].count, 24)
    }

    func testLongNamesAreCutAtACharacter() {
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        let long = String(repeating: "é", count: 23) + "a€€"
        recorder.recordBadFrame(named: long, frame: 0, at: 0)
        recorder.recordBadFrame(named: long + "more", frame: 1, at: 0)
        let report = recorder.report(at: 0)
        XCTAssertEqual(report.badFrames.map { $0.name }, [String(repeating: "é", count: 23) + "a"])
        XCTAssertEqual(report.badFrames[0].count, 2)
        XCTAssertEqual(report.runs[0].events[0].text, String(repeating: "é", count: 23) + "a")
    }
}
