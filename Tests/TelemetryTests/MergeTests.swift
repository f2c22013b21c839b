import XCTest

@testable import Telemetry

final class MergeTests: XCTestCase {
    private func report(device: String, kernel: String, seed: UInt64, seconds: Int = 2) -> LatencyReport {
        var metadata = makeMetadata()
        metadata.deviceName = device
        for index in metadata.layers.indices { metadata.layers[index].kernel = kernel }
        let recorder = Recorder(metadata: metadata, startNanoseconds: 0)
        var generator = SeededGenerator(seed)
        for second in 0..<seconds { play(second: second, on: recorder, generator: &generator) }
        recorder.recordBadFrame(named: "only-on-\(device)", frame: 1, at: 1)
        return recorder.report(at: UInt64(seconds) * 1_000_000_000, stopReason: .endOfSource)
    }

    func testOneModelOnSeveralDevices() throws {
        let parts = [
            report(device: "a", kernel: "conv__neon", seed: 1), report(device: "b", kernel: "conv__avx2", seed: 2),
            report(device: "c", kernel: "conv__neon", seed: 3),
        ]
        let merged = try LatencyReport.merged(parts)
        XCTAssertEqual(merged.runs.map { $0.metadata.deviceName }, ["a", "b", "c"])
        XCTAssertEqual(merged.counters.captured, parts.map { $0.counters.captured }.reduce(0, +))
        XCTAssertEqual(merged.captureToResult.count, parts.map { $0.captureToResult.count }.reduce(0, +))
        XCTAssertEqual(merged.captureToResult.maximum, parts.map { $0.captureToResult.maximum }.max())
        XCTAssertEqual(merged[.decode].sum, parts.map { $0[.decode].sum }.reduce(0, +))
        XCTAssertEqual(merged.layers[1].histogram.count, parts.map { $0.layers[1].histogram.count }.reduce(0, +))
        XCTAssertEqual(merged.layers[0].description.kernel, "conv__neon / conv__avx2")
        XCTAssertEqual(
            merged.badFrames.map { $0.name }, ["jpeg-truncated", "only-on-a", "only-on-b", "only-on-c"])
        XCTAssertEqual(merged.badFrames.map { $0.count }.reduce(0, +), merged.counters.bad)
        XCTAssertEqual(merged.runs[1].captureToResult, parts[1].captureToResult)
    }

    func testMergingLeavesTheParts() throws {
        let part = report(device: "a", kernel: "k", seed: 1)
        let count = part.captureToResult.count
        let twice = try LatencyReport.merged([part, part])
        XCTAssertEqual(part.captureToResult.count, count)
        XCTAssertEqual(twice.captureToResult.count, 2 * count)
        let again = try LatencyReport.merged([twice, part])
        XCTAssertEqual(again.runs.count, 3)
        XCTAssertEqual(again.captureToResult.count, 3 * count)
        XCTAssertEqual(again.layers[0].description.kernel, "k")
    }

    func testDifferentModelsAreRefusedByName() {
        let first = report(device: "a", kernel: "k", seed: 1)
        var other = report(device: "b", kernel: "k", seed: 2)
        other.runs[0].metadata.modelHash = "ffff"
        other.runs[0].metadata.modelName = "belt.nest"
        XCTAssertThrowsError(try LatencyReport.merged([first, other])) { error in
            let error = error as! MergeError
            XCTAssertTrue(error.message.contains("gauge.nest (9f86d081884c) and belt.nest (ffff)"), error.message)
        }
        var fewer = report(device: "b", kernel: "k", seed: 2)
        fewer.layers.removeLast()
        XCTAssertThrowsError(try LatencyReport.merged([first, fewer])) { error in
            XCTAssertTrue((error as! MergeError).message.contains("3 layers, another 2"))
        }
        XCTAssertThrowsError(try LatencyReport.merged([]))
    }
}
