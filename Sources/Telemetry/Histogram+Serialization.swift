// Stored form, all varints: count; and if that is not 0: sum, minimum, maximum, overflow count, number of non-empty
// buckets, then for each of them the number of empty buckets before it and its count.

extension Histogram {
    func encode<Output: ByteOutput>(to output: inout Output) {
        output.putVarint(count)
        guard count > 0 else { return }
        output.putVarint(sum)
        output.putVarint(minimum)
        output.putVarint(maximum)
        output.putVarint(overflowCount)
        output.putVarint(UInt64(usedBuckets))
        var next = 0
        forEachBucket { index, times in
            output.putVarint(UInt64(index - next))
            output.putVarint(times)
            next = index + 1
        }
    }

    /// Reads and validates a stored histogram: bucket numbers in range, counts adding up to the total, minimum and
    /// maximum inside the first and last bucket, a sum that such counts can have.
    static func decode(from input: inout ByteInput) throws(DecodingFailure) -> Histogram {
        let histogram = Histogram()
        let count = try input.varint()
        guard count > 0 else { return histogram }
        guard count <= highestStoredCount else { throw .malformed("histogram count above 2^48") }
        let sum = try input.varint()
        let minimum = try input.varint()
        let maximum = try input.varint()
        let overflow = try input.varint()
        guard overflow <= count else { throw .malformed("histogram overflow above its count") }
        guard minimum <= maximum else { throw .malformed("histogram minimum above its maximum") }
        guard (maximum > highestNanoseconds) == (overflow > 0) else {
            throw .malformed("histogram maximum against its overflow count")
        }
        let used = try input.varint()
        guard used <= UInt64(bucketCount) else { throw .malformed("more histogram buckets than exist") }
        var total = overflow
        var next = 0
        var first = -1
        for _ in 0..<Int(used) {
            let gap = try input.varint()
            guard gap < UInt64(bucketCount - next) else { throw .malformed("histogram bucket out of range") }
            let index = next + Int(gap)
            let times = try input.varint()
            guard times > 0, times <= count else { throw .malformed("histogram bucket count out of range") }
            total += times
            guard total <= count else { throw .malformed("histogram counts add up to more than the total") }
            histogram.restore(bucket: index, count: times)
            if first < 0 { first = index }
            next = index + 1
        }
        guard total == count else { throw .malformed("histogram counts add up to less than the total") }
        guard first >= 0 ? minimum <= highestNanoseconds && index(of: minimum) == first : minimum > highestNanoseconds
        else { throw .malformed("histogram minimum outside its first bucket") }
        guard overflow > 0 || index(of: maximum) == next - 1 else {
            throw .malformed("histogram maximum outside its last bucket")
        }
        let least = minimum.multipliedFullWidth(by: count)
        let most = maximum.multipliedFullWidth(by: count)
        guard sum == .max || (least.high == 0 && least.low <= sum && (most.high > 0 || sum <= most.low)) else {
            throw .malformed("histogram sum outside minimum × count … maximum × count")
        }
        histogram.restoreTotals(count: count, sum: sum, minimum: minimum, maximum: maximum, overflow: overflow)
        return histogram
    }

    /// The stored form; for `Histogram(serialized:)` of the same or another machine.
    public func serialized() -> [UInt8] {
        var output = ArrayOutput()
        encode(to: &output)
        return output.bytes
    }

    /// A histogram from its stored form; nil when the bytes are not exactly one valid histogram.
    public convenience init?(serialized bytes: [UInt8]) {
        self.init()
        let other: Histogram? = bytes.withUnsafeBytes { raw in
            var input = ByteInput(raw)
            guard let histogram = try? Histogram.decode(from: &input), input.isAtEnd else { return nil }
            return histogram
        }
        guard let other else { return nil }
        merge(other)
    }
}
