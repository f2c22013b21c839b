import NestFormat
import XCTest

@testable import Telemetry

final class ReportFileTests: XCTestCase {
    /// A run with snapshots about every two seconds, played into memory.
    private func makeFile(
        seconds: Int = 6, layers: Int = 3, policy: SnapshotPolicy = SnapshotPolicy(), seed: UInt64 = 1,
        finishes: Bool = true, onAppend: (([UInt8]) -> Void)? = nil
    ) throws -> (file: MemoryFile, recorder: Recorder) {
        let file = MemoryFile()
        file.onAppend = onAppend
        let recorder = Recorder(metadata: makeMetadata(layers: layers), startNanoseconds: 7_000_000_000)
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder, policy: policy)
        try writer.start()
        var generator = SeededGenerator(seed)
        for second in 0..<seconds {
            try play(second: second, on: recorder, generator: &generator) { try writer.poll(at: $0) }
        }
        recorder.notePeakResident(bytes: 2_345_678)
        let end = recorder.startNanoseconds + UInt64(seconds) * 1_000_000_000
        if finishes { try writer.finish(reason: .frameLimit, text: "180 frames", at: end) }
        XCTAssertEqual(writer.fileBytes, file.bytes.count)
        return (file, recorder)
    }

    private func assertSameFigures(
        _ left: LatencyReport, _ right: LatencyReport, file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(left.counters, right.counters, file: file, line: line)
        XCTAssertEqual(left.captureToResult, right.captureToResult, file: file, line: line)
        XCTAssertEqual(left.stages, right.stages, file: file, line: line)
        XCTAssertEqual(left.layers.map { $0.histogram }, right.layers.map { $0.histogram }, file: file, line: line)
        XCTAssertEqual(left.badFrames.map { $0.name }, right.badFrames.map { $0.name }, file: file, line: line)
        XCTAssertEqual(left.badFrames.map { $0.count }, right.badFrames.map { $0.count }, file: file, line: line)
        let (one, other) = (left.runs[0], right.runs[0])
        XCTAssertEqual(one.samples, other.samples, file: file, line: line)
        XCTAssertEqual(one.eventTotals, other.eventTotals, file: file, line: line)
        XCTAssertEqual(one.events.map(describe), other.events.map(describe), file: file, line: line)
        XCTAssertEqual(one.elapsedNanoseconds, other.elapsedNanoseconds, file: file, line: line)
        XCTAssertEqual(one.peakResidentBytes, other.peakResidentBytes, file: file, line: line)
        XCTAssertEqual(one.instrumentation, other.instrumentation, file: file, line: line)
        XCTAssertEqual(one.stopReason, other.stopReason, file: file, line: line)
        XCTAssertEqual(one.stopText, other.stopText, file: file, line: line)
        XCTAssertEqual(bytes(of: one.metadata), bytes(of: other.metadata), file: file, line: line)
    }

    private func describe(_ event: Event) -> String {
        "\(event.kind) \(event.milliseconds) \(event.frame) \(event.occurrence) \(event.text)"
    }

    private func bytes(of metadata: RunMetadata) -> [UInt8] {
        var output = ArrayOutput()
        metadata.encode(to: &output)
        return output.bytes
    }

    /// Offsets at which records end, from a walk that trusts the lengths.
    private func recordEnds(_ bytes: [UInt8]) -> [Int] {
        var ends = [16]
        var offset = 16
        while offset < bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 2 + $1]) << (8 * $1) }
            offset += 10 + length
            ends.append(offset)
        }
        return ends
    }

    func testWhatWasRecordedIsRead() throws {
        let (file, recorder) = try makeFile()
        let read = try ReportFile.read(file.bytes)
        let end = recorder.startNanoseconds + 6_000_000_000
        assertSameFigures(read, recorder.report(at: end, stopReason: .frameLimit, stopText: "180 frames"))
        XCTAssertTrue(read.runs[0].integrity.damage.isEmpty)
        XCTAssertEqual(read.runs[0].integrity.intactSnapshots, 4)
        XCTAssertEqual(read.layers[1].description.isFloat, true)
        XCTAssertEqual(read.layers[2].description.multiplyAccumulates, 2_000_000)
    }

    func testARunWithoutFramesOrLayersIsRead() throws {
        let file = MemoryFile()
        let recorder = Recorder(metadata: RunMetadata(), startNanoseconds: 3)
        let writer = ReportWriter(sink: MemorySink(file: file), recorder: recorder)
        try writer.start()
        try writer.finish(reason: .error, text: "source-not-found", at: 4)
        let read = try ReportFile.read(file.bytes)
        XCTAssertEqual(read.counters.processed, 0)
        XCTAssertEqual(read.runs[0].stopReason, .error)
        XCTAssertEqual(read.runs[0].stopText, "source-not-found")
        XCTAssertNil(read.stageCoverage)
        XCTAssertNil(read.layerCoverage)
    }

    func testStartIsOneAppendSoThatAKillNeverLeavesHalfAHeader() throws {
        var sizes: [Int] = []
        _ = try makeFile(seconds: 0, finishes: false) { sizes.append($0.count) }
        XCTAssertEqual(sizes.count, 1)
    }

    /// Every prefix of a file reads, and gives exactly the last snapshot that it holds.
    func testEveryTruncationReads() throws {
        let (file, _) = try makeFile(seconds: 3)
        let bytes = file.bytes
        let ends = recordEnds(bytes)
        XCTAssertEqual(ends.last, bytes.count)
        var previous: LatencyReport?
        for length in 0..<bytes.count {
            let prefix = Array(bytes[0..<length])
            guard length >= 16 else {
                XCTAssertThrowsError(try ReportFile.read(prefix)) { error in
                    let expected: ReportFileError = length == 0
                        ? .empty : .truncatedHeader(needed: 16, available: length)
                    XCTAssertEqual(error as? ReportFileError, expected)
                }
                continue
            }
            let report = try ReportFile.read(prefix)
            XCTAssertNil(report.runs[0].stopReason)
            if ends.contains(length) {
                XCTAssertTrue(report.runs[0].integrity.damage.isEmpty, "length \(length)")
                previous = report
            } else {
                // The cut record is named with what it lacks; everything before it is there.
                XCTAssertEqual(report.runs[0].integrity.damage.count, 1, "length \(length)")
                guard case .truncated(let missing)? = report.runs[0].integrity.damage.first?.cause else {
                    return XCTFail("length \(length): \(report.runs[0].integrity.damage)")
                }
                let start = ends.last { $0 <= length }!
                let end = ends.first { $0 > length }!
                XCTAssertEqual(report.runs[0].integrity.damage[0].offset, start)
                if length - start >= 6 { XCTAssertEqual(missing, end - length) }
                XCTAssertEqual(report.counters, previous?.counters)
                XCTAssertEqual(report.captureToResult, previous?.captureToResult)
                XCTAssertEqual(report.runs[0].events.count, previous?.runs[0].events.count)
            }
        }
        let counts = try ends.map { try ReportFile.read(Array(bytes[0..<$0])).counters.captured }
        XCTAssertEqual(counts, counts.sorted())
        XCTAssertGreaterThan(counts.last!, 0)
    }

    /// What the sink holds after each single append is a report of everything up to the last snapshot.
    func testAKillAfterAnyAppendLeavesAReport() throws {
        var policy = SnapshotPolicy()
        policy.minimumSpacingNanoseconds = 300_000_000
        policy.fileLimitBytes = 6_000
        var checked = 0
        var latest: UInt64 = 0
        let (file, _) = try makeFile(seconds: 12, policy: policy) { bytes in
            guard let report = try? ReportFile.read(bytes) else { return XCTFail("unreadable after \(bytes.count) bytes") }
            XCTAssertEqual(report.runs[0].metadata.modelName, "gauge.nest")
            XCTAssertTrue(report.runs[0].integrity.damage.isEmpty)
            XCTAssertGreaterThanOrEqual(report.counters.captured, latest)
            latest = report.counters.captured
            checked += 1
        }
        XCTAssertGreaterThan(checked, 20)
        XCTAssertGreaterThan(file.replacements, 1)
    }

    func testFlippedBytesAreNamedAndTheRestIsUsed() throws {
        let (file, _) = try makeFile(seconds: 3)
        let ends = recordEnds(file.bytes)
        var generator = SeededGenerator(8)
        for position in stride(from: 16, to: file.bytes.count, by: 3) {
            var damaged = file.bytes
            damaged[position] ^= UInt8(1) << UInt8(generator.next() % 8)
            let report = try ReportFile.read(damaged)
            let run = report.runs[0]
            XCTAssertFalse(run.integrity.damage.isEmpty, "byte \(position)")
            XCTAssertEqual(run.integrity.damage[0].offset, ends.last { $0 <= position }!, "byte \(position)")
            // One record is lost, all others are found again behind it.
            let isFinal = position >= ends[ends.count - 2]
            XCTAssertEqual(run.stopReason, isFinal ? nil : .frameLimit, "byte \(position)")
            XCTAssertGreaterThan(report.counters.captured, 0, "byte \(position)")
        }
    }

    func testAChecksumFailureSaysWhatAndWhere() throws {
        let (file, _) = try makeFile(seconds: 3)
        let metadataStart = 16
        var damaged = file.bytes
        damaged[metadataStart + 8] ^= 0x40
        let report = try ReportFile.read(damaged)
        let damage = report.runs[0].integrity.damage[0]
        XCTAssertEqual(damage.record, "metadata")
        XCTAssertTrue(damage.description.hasPrefix("metadata record at byte 16: CRC-32C is 0x"), damage.description)
        XCTAssertEqual(report.runs[0].metadata.modelName, "")
        XCTAssertEqual(report.layers.map { $0.description.name }, ["layer 0", "layer 1", "layer 2"])
        XCTAssertGreaterThan(report.counters.processed, 0)
    }

    /// A power cut can leave a tail of zeros, or a hole of them in front of later records.
    func testZerosAreSkipped() throws {
        let (file, _) = try makeFile(seconds: 3)
        let tail = try ReportFile.read(file.bytes + [UInt8](repeating: 0, count: 4096))
        XCTAssertEqual(tail.runs[0].stopReason, .frameLimit)
        XCTAssertEqual(tail.runs[0].integrity.damage[0].description, "4096 bytes from byte \(file.bytes.count) are no record")
        let end = recordEnds(file.bytes)[2]
        let hole = Array(file.bytes[0..<end]) + [UInt8](repeating: 0, count: 512) + Array(file.bytes[end...])
        let report = try ReportFile.read(hole)
        XCTAssertEqual(report.counters, tail.counters)
        XCTAssertEqual(report.runs[0].integrity.damage.count, 1)
        XCTAssertEqual(report.runs[0].integrity.damage[0].description, "512 bytes from byte \(end) are no record")
    }

    func testRandomDamageNeverStopsTheReader() throws {
        let (file, _) = try makeFile(seconds: 2)
        var generator = SeededGenerator(99)
        for _ in 0..<600 {
            var damaged = file.bytes
            switch generator.next() % 3 {
            case 0:
                for _ in 0..<(1 + generator.next() % 40) {
                    damaged[Int(generator.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: generator.next())
                }
            case 1:
                let start = Int(generator.next() % UInt64(damaged.count))
                damaged.removeSubrange(start..<min(damaged.count, start + Int(generator.next() % 200)))
            default:
                let start = Int(generator.next() % UInt64(damaged.count))
                damaged.insert(contentsOf: (0..<50).map { _ in UInt8(truncatingIfNeeded: generator.next()) }, at: start)
            }
            guard let report = try? ReportFile.read(damaged) else { continue }
            XCTAssertLessThanOrEqual(report.captureToResult.percentile(50), report.captureToResult.maximum)
            XCTAssertFalse(report.runs.isEmpty)
        }
    }

    /// Right checksums around wrong contents: a snapshot that lies is refused, the one before it is used.
    func testAMalformedSnapshotFallsBackToTheOneBefore() throws {
        let (file, _) = try makeFile(seconds: 5, finishes: false)
        let good = try ReportFile.read(file.bytes)
        var generator = SeededGenerator(4)
        var refused = 0
        let ends = recordEnds(file.bytes)
        let starts = ends.dropLast().filter { file.bytes[$0] == 0x02 }
        let last = starts.last!
        let length = ends.first { $0 > last }! - last - 10
        for _ in 0..<400 {
            var payload = Array(file.bytes[(last + 6)..<(last + 6 + length)])
            for _ in 0...(generator.next() % 3) {
                payload[Int(generator.next() % UInt64(payload.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            var record = ArrayOutput()
            record.putUInt16(0x5A02)
            record.putUInt32(UInt32(payload.count))
            record.bytes += payload
            record.putUInt32(record.bytes.withUnsafeBytes { CRC32C.checksum($0) })
            let report = try ReportFile.read(file.bytes + record.bytes)
            if let damage = report.runs[0].integrity.damage.first {
                guard case .malformed(let reason) = damage.cause else { return XCTFail("\(damage)") }
                XCTAssertFalse(reason.isEmpty)
                XCTAssertEqual(damage.offset, file.bytes.count)
                XCTAssertEqual(report.captureToResult, good.captureToResult)
                refused += 1
            }
        }
        XCTAssertGreaterThan(refused, 100)
    }

    func testUnknownRecordsAndLongerPayloadsOfLaterVersionsAreSkipped() throws {
        let (file, _) = try makeFile(seconds: 2)
        func record(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
            var output = ArrayOutput()
            output.putUInt16(type)
            output.putUInt32(UInt32(payload.count))
            output.bytes += payload
            output.putUInt32(output.bytes.withUnsafeBytes { CRC32C.checksum($0) })
            return output.bytes
        }
        var final = ArrayOutput()
        FinalPayload(reason: .signal, text: "SIGTERM", elapsedNanoseconds: 9_000_000_000).encode(to: &final)
        let extended = file.bytes + record(0x5A77, [1, 2, 3]) + record(0x5A04, final.bytes + [42, 42])
        let report = try ReportFile.read(extended)
        XCTAssertTrue(report.runs[0].integrity.damage.isEmpty)
        XCTAssertEqual(report.runs[0].stopReason, .signal)
        XCTAssertEqual(report.runs[0].elapsedNanoseconds, 9_000_000_000)
    }

    func testHeadersThatAreNoReportAreNamed() throws {
        let (file, _) = try makeFile(seconds: 0)
        func error(_ bytes: [UInt8]) -> ReportFileError? {
            do throws(ReportFileError) {
                _ = try ReportFile.read(bytes)
                return nil
            } catch {
                return error
            }
        }
        XCTAssertEqual(error([]), .empty)
        XCTAssertEqual(error(Array("PNG".utf8)), .notAReport)
        XCTAssertEqual(error([UInt8](repeating: 0, count: 100)), .notAReport)
        var flipped = file.bytes
        flipped[9] ^= 1
        guard case .headerChecksum? = error(flipped) else { return XCTFail("\(String(describing: error(flipped)))") }
        var newer = Array(file.bytes[0..<8]) + [9, 0, 7, 0]
        var checksum = ArrayOutput()
        checksum.putUInt32(newer.withUnsafeBytes { CRC32C.checksum($0) })
        newer += checksum.bytes
        XCTAssertEqual(error(newer), .newerVersion(needed: 7, supported: 1))
        for (problem, word) in [
            (ReportFileError.empty, "empty"), (.truncatedHeader(needed: 16, available: 3), "3 bytes"),
            (.notAReport, "--report"), (.headerChecksum(expected: 1, found: 2), "0x00000002"),
            (.newerVersion(needed: 7, supported: 1), "newer swiftlet"),
        ] {
            XCTAssertTrue(problem.message.contains(word), problem.message)
        }
    }

    func testHostileCountsDoNotTakeMemory() throws {
        let (file, _) = try makeFile(seconds: 0)
        var payload = ArrayOutput()
        for _ in 0..<18 { payload.putVarint(0) }
        payload.putVarint(1 << 60)
        var record = ArrayOutput()
        record.putUInt16(0x5A01)
        record.putUInt32(UInt32(payload.bytes.count))
        record.bytes += payload.bytes
        record.putUInt32(record.bytes.withUnsafeBytes { CRC32C.checksum($0) })
        let report = try ReportFile.read(Array(file.bytes[0..<16]) + record.bytes)
        XCTAssertEqual(report.runs[0].integrity.damage.map { $0.record }, ["metadata"])
        // A record that claims 4 GB.
        let huge = Array(file.bytes[0..<16]) + [0x02, 0x5A, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5]
        let cut = try ReportFile.read(huge)
        guard case .truncated(let missing)? = cut.runs[0].integrity.damage.first?.cause else { return XCTFail() }
        XCTAssertEqual(missing, 0xFFFF_FFFF + 10 - 11)
    }

    /// A stretch of plausible record headers makes the search for the next record give up, not run for ever.
    func testTheSearchBehindDamageIsBounded() throws {
        let (file, _) = try makeFile(seconds: 0)
        var bytes = Array(file.bytes[0..<16])
        let total = 60_000
        while bytes.count < total {
            let length = UInt32(total - bytes.count)
            bytes += [0x02, 0x5A] + (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) }
        }
        bytes += [UInt8](repeating: 1, count: 2 * total)
        let report = try ReportFile.read(bytes)
        XCTAssertEqual(report.counters.captured, 0)
        XCTAssertFalse(report.runs[0].integrity.damage.isEmpty)
    }
}
