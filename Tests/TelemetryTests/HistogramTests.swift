import XCTest

@testable import Telemetry

final class HistogramTests: XCTestCase {
    /// Nearest-rank percentile of sorted values, the definition.
    private func exactPercentile(_ sorted: [UInt64], _ thousandths: Int) -> UInt64 {
        let rank = max(1, (sorted.count * thousandths + 99_999) / 100_000)
        return sorted[rank - 1]
    }

    func testEmptyHistogramIsZeroEverywhere() {
        let histogram = Histogram()
        XCTAssertEqual(histogram.count, 0)
        XCTAssertEqual(histogram.minimum, 0)
        XCTAssertEqual(histogram.maximum, 0)
        XCTAssertEqual(histogram.mean, 0)
        XCTAssertEqual(histogram.percentile(99), 0)
        XCTAssertEqual(histogram.serialized(), [0])
    }

    func testBucketsAreContiguousAndNarrow() {
        var expectedLower: UInt64 = 0
        for index in 0..<Histogram.bucketCount {
            let lower = Histogram.lowerBound(of: index)
            XCTAssertEqual(lower, expectedLower)
            let width = UInt64(1) << UInt64(max(index >> 9, 1) - 1)
            XCTAssertEqual(Histogram.index(of: lower), index)
            if lower + width - 1 <= Histogram.highestNanoseconds {
                XCTAssertEqual(Histogram.index(of: lower + width - 1), index)
            }
            let midpoint = Histogram.midpoint(of: index)
            if lower >= 1000 {
                XCTAssertLessThanOrEqual(Double(midpoint - lower), 0.001 * Double(lower))
                XCTAssertLessThanOrEqual(Double(lower + width - 1 - midpoint), 0.001 * Double(lower))
            }
            expectedLower = lower + width
        }
        XCTAssertEqual(Histogram.index(of: Histogram.highestNanoseconds), Histogram.bucketCount - 1)
        XCTAssertGreaterThan(expectedLower, Histogram.highestNanoseconds)
    }

    func testPercentilesHaveThreeSignificantDigits() {
        for seed in 1...6 {
            var generator = SeededGenerator(UInt64(seed))
            var values: [UInt64] = []
            let histogram = Histogram()
            for _ in 0..<(501 * seed) {
                let value = min(1000 + generator.logarithmic(bits: 36), Histogram.highestNanoseconds)
                values.append(value)
                histogram.record(value)
            }
            values.sort()
            for thousandths in [1, 1000, 25_000, 50_000, 75_000, 90_000, 95_000, 99_000, 99_900, 99_999] {
                let exact = exactPercentile(values, thousandths)
                let found = histogram.percentile(Double(thousandths) / 1000)
                XCTAssertLessThanOrEqual(
                    abs(Double(found) - Double(exact)), 0.001 * Double(exact), "seed \(seed) p\(thousandths)")
            }
            XCTAssertEqual(histogram.percentile(0), values.first)
            XCTAssertEqual(histogram.percentile(100), values.last)
            XCTAssertEqual(histogram.percentile(-3), values.first)
            XCTAssertEqual(histogram.percentile(250), values.last)
            XCTAssertEqual(histogram.minimum, values.first)
            XCTAssertEqual(histogram.maximum, values.last)
            XCTAssertEqual(histogram.sum, values.reduce(0, +))
            XCTAssertEqual(histogram.count, UInt64(values.count))
        }
    }

    func testRankIsExactWhereThePercentHasNoBinaryForm() {
        let histogram = Histogram()
        for value in 1...1000 { histogram.record(UInt64(value) * 2000) }
        // Rank 999 of 1000, not 1000.
        XCTAssertEqual(Double(histogram.percentile(99.9)), 1_998_000, accuracy: 1998)
        XCTAssertLessThan(histogram.percentile(99.9), 1_999_000)
        XCTAssertEqual(Double(histogram.percentile(50)), 1_000_000, accuracy: 1000)
        XCTAssertEqual(histogram.percentile(99.95), 2_000_000)
    }

    func testDurationsBeyondTheRangeAreCountedAsOverflow() {
        let histogram = Histogram()
        histogram.record(Histogram.highestNanoseconds)
        XCTAssertEqual(histogram.overflowCount, 0)
        histogram.record(Histogram.highestNanoseconds + 1)
        histogram.record(.max)
        XCTAssertEqual(histogram.overflowCount, 2)
        XCTAssertEqual(histogram.count, 3)
        XCTAssertEqual(histogram.maximum, .max)
        XCTAssertEqual(histogram.sum, .max)
        XCTAssertEqual(histogram.percentile(99), .max)
        XCTAssertEqual(histogram.percentile(30), Histogram.highestNanoseconds)
        XCTAssertEqual(histogram.percentile(60), .max)
        XCTAssertEqual(Histogram(serialized: histogram.serialized()), histogram)
    }

    func testZeroAndSubMicrosecondDurationsAreExact() {
        let histogram = Histogram()
        for value: UInt64 in [0, 0, 1, 511] { histogram.record(value) }
        XCTAssertEqual(histogram.percentile(50), 0)
        XCTAssertEqual(histogram.percentile(75), 1)
        XCTAssertEqual(histogram.maximum, 511)
        XCTAssertEqual(Histogram(serialized: histogram.serialized()), histogram)
    }

    func testMergeEqualsRecordingInOne() {
        var generator = SeededGenerator(77)
        for round in 0..<20 {
            let parts = (0..<3).map { _ in Histogram() }
            let whole = Histogram()
            for part in parts {
                let base = generator.logarithmic(bits: 37)
                for _ in 0..<(generator.next() % 200) {
                    let value = base + generator.logarithmic(bits: 20)
                    part.record(value)
                    whole.record(value)
                }
            }
            let forward = Histogram()
            for part in parts { forward.merge(part) }
            let backward = Histogram()
            for part in parts.reversed() { backward.merge(part) }
            XCTAssertEqual(forward, whole, "round \(round)")
            XCTAssertEqual(backward, whole, "round \(round)")
        }
    }

    func testEqualityComparesBucketsNotOnlyTotals() {
        let left = Histogram()
        let right = Histogram()
        for value: UInt64 in [1_000_000, 3_000_000, 5_000_000, 9_000_000] { left.record(value) }
        for value: UInt64 in [1_000_000, 2_000_000, 6_000_000, 9_000_000] { right.record(value) }
        XCTAssertEqual(left.sum, right.sum)
        XCTAssertNotEqual(left, right)
    }

    func testResetForgetsEverything() {
        let histogram = Histogram()
        for value: UInt64 in [5, 1_000_000, .max] { histogram.record(value) }
        histogram.reset()
        XCTAssertEqual(histogram, Histogram())
        histogram.record(2_000_000)
        let fresh = Histogram()
        fresh.record(2_000_000)
        XCTAssertEqual(histogram, fresh)
    }

    func testCorrectedRecordingAddsTheRequestsLeftOut() {
        var generator = SeededGenerator(5)
        for _ in 0..<200 {
            let interval = 1000 + generator.logarithmic(bits: 24)
            let value = min(generator.logarithmic(bits: 33), interval * 500)
            let corrected = Histogram()
            corrected.recordCorrected(value, expectedInterval: interval)
            let expected = Histogram()
            expected.record(value)
            var missing = value
            while missing >= 2 * interval {
                missing -= interval
                expected.record(missing)
            }
            XCTAssertEqual(corrected, expected, "value \(value) interval \(interval)")
        }
    }

    func testCorrectedRecordingSpansTheOverflow() {
        let corrected = Histogram()
        corrected.recordCorrected(100_000_000_000, expectedInterval: 10_000_000_000)
        XCTAssertEqual(corrected.count, 10)
        XCTAssertEqual(corrected.overflowCount, 4)
        XCTAssertEqual(corrected.minimum, 10_000_000_000)
        XCTAssertEqual(corrected.sum, 550_000_000_000)
    }

    func testCorrectedRecordingTakesBoundedWork() {
        let histogram = Histogram()
        histogram.recordCorrected(.max, expectedInterval: 1)
        // One per microsecond from the top down to 1 µs.
        XCTAssertEqual(histogram.count, (UInt64.max - 1000) / 1000 + 1)
        histogram.reset()
        histogram.recordCorrected(5_000_000, expectedInterval: 0)
        XCTAssertEqual(histogram.count, 1)
        histogram.recordCorrected(.max, expectedInterval: .max)
        XCTAssertEqual(histogram.count, 2)
    }

    func testCountUpToAgreesWithTheValues() {
        var generator = SeededGenerator(9)
        let histogram = Histogram()
        var values: [UInt64] = []
        for _ in 0..<500 {
            let value = 1_000_000 + generator.next() % 50_000_000
            values.append(value)
            histogram.record(value)
        }
        for limit: UInt64 in [0, 999_999, 10_000_000, 33_333_333, 60_000_000] {
            let near = values.filter { abs(Double($0) - Double(limit)) <= 0.002 * Double(limit) }.count
            let exact = values.filter { $0 <= limit }.count
            XCTAssertEqual(Double(histogram.count(upTo: limit)), Double(exact), accuracy: Double(near))
        }
    }

    func testSerializationRoundTrips() {
        var generator = SeededGenerator(3)
        for round in 0..<30 {
            let histogram = Histogram()
            for _ in 0..<(generator.next() % 400) {
                histogram.record(generator.logarithmic(bits: round % 3 == 0 ? 63 : 34))
            }
            let bytes = histogram.serialized()
            XCTAssertEqual(Histogram(serialized: bytes), histogram)
            XCTAssertNil(Histogram(serialized: bytes + [0]))
            for length in 0..<bytes.count where length % 7 == round % 7 {
                XCTAssertNil(Histogram(serialized: Array(bytes[0..<length])), "round \(round) length \(length)")
            }
        }
    }

    func testSerializedFormIsSmallForASteadyDuration() {
        var generator = SeededGenerator(11)
        let histogram = Histogram()
        for _ in 0..<100_000 { histogram.record(10_000_000 + generator.next() % 1_000_000) }
        XCTAssertLessThan(histogram.serialized().count, 300)
    }

    /// Whatever a flipped file holds, a histogram that decodes is consistent and safe to use.
    func testCorruptedBytesDecodeToConsistentHistogramsOrNothing() {
        var generator = SeededGenerator(21)
        let histogram = Histogram()
        for _ in 0..<60 { histogram.record(1000 + generator.logarithmic(bits: 35)) }
        let bytes = histogram.serialized()
        var accepted = 0
        for _ in 0..<4000 {
            var damaged = bytes
            for _ in 0...(generator.next() % 3) {
                damaged[Int(generator.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            guard let decoded = Histogram(serialized: damaged) else { continue }
            accepted += 1
            var total = decoded.overflowCount
            decoded.forEachBucket { total += $1 }
            XCTAssertEqual(total, decoded.count)
            XCTAssertLessThanOrEqual(decoded.minimum, decoded.percentile(50))
            XCTAssertLessThanOrEqual(decoded.percentile(50), decoded.percentile(99))
            XCTAssertLessThanOrEqual(decoded.percentile(99), decoded.maximum)
            decoded.merge(histogram)
        }
        XCTAssertGreaterThan(accepted, 0, "the damage never left a valid histogram: the test proves too little")
    }

    func testHostileTotalsAreRefused() {
        func bytes(_ values: UInt64...) -> [UInt8] {
            var output = ArrayOutput()
            for value in values { output.putVarint(value) }
            return output.bytes
        }
        // count, sum, minimum, maximum, overflow, buckets, (gap, count)…
        XCTAssertNotNil(Histogram(serialized: bytes(2, 200, 100, 100, 0, 1, 100, 2)))
        XCTAssertNil(Histogram(serialized: bytes(3, 200, 100, 100, 0, 1, 100, 2)), "count above the buckets'")
        XCTAssertNil(Histogram(serialized: bytes(1, 200, 100, 100, 0, 1, 100, 2)), "count below the buckets'")
        XCTAssertNil(Histogram(serialized: bytes(2, 300, 100, 100, 0, 1, 100, 2)), "sum too large")
        XCTAssertNil(Histogram(serialized: bytes(2, 100, 100, 100, 0, 1, 100, 2)), "sum too small")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 99, 100, 0, 1, 100, 2)), "minimum in another bucket")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 100, 101, 0, 1, 100, 2)), "maximum in another bucket")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 101, 100, 0, 1, 100, 2)), "minimum above maximum")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 100, 100, 1, 1, 100, 1)), "overflow without long maximum")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 100, 100, 0, 1, 99_999, 2)), "bucket out of range")
        XCTAssertNil(Histogram(serialized: bytes(2, 200, 100, 100, 0, 2, 100, 2, 5, 0)), "empty bucket")
        XCTAssertNil(Histogram(serialized: bytes(1 << 49, 1 << 49, 1, 1, 0, 1, 1, 1 << 49)), "count above 2^48")
        XCTAssertNil(Histogram(serialized: [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7F]))
    }
}
