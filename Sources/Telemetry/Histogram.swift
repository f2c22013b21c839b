/// Counts of durations from 1 µs to 60 s with three significant digits, in memory fixed at `init`.
///
/// Buckets are log-linear: 512 equal buckets in each power of two, so a bucket is at most 1/512 of its values wide and
/// its midpoint is within 0.098 % of every value in it. Below 1 µs buckets are 1 ns wide. The layout follows the idea of
/// HdrHistogram (Gil Tene, http://hdrhistogram.org): constant relative precision over a wide range at constant cost,
/// and percentiles from counts alone.
///
/// Memory: `storageBytes` (about 111 KiB) of address space taken once at `init`. Only the part between the smallest
/// and the largest recorded bucket is ever touched, a few KiB for a steady duration, so a histogram per layer is cheap.
///
/// `count`, `sum`, `minimum`, `maximum` are exact. Not for use from several threads at once.
///
/// The stored properties skip the run-time exclusivity check: no method hands one out while it changes another, and the
/// checks would cost several times the recording itself.
public final class Histogram {
    /// The largest duration with a bucket, in nanoseconds. Longer ones count in `overflowCount`.
    public static let highestNanoseconds: UInt64 = 60_000_000_000
    /// Buckets in each power of two: 2^9.
    static let precisionBits: UInt64 = 9
    static let bucketCount = index(of: highestNanoseconds) + 1
    /// The most events one stored histogram may claim; keeps sums of many histograms inside 64 bits.
    static let highestStoredCount: UInt64 = 1 << 48
    /// Bytes of address space one histogram takes.
    public static let storageBytes = bucketCount * MemoryLayout<UInt64>.stride

    private let counts: UnsafeMutablePointer<UInt64>
    /// The window of `counts` that is initialised: buckets outside it have never been counted.
    @exclusivity(unchecked) private(set) var windowStart = 0
    @exclusivity(unchecked) private(set) var windowLength = 0
    /// Buckets that counted something.
    @exclusivity(unchecked) private(set) var usedBuckets = 0

    /// Number of recorded durations, those beyond 60 s included.
    @exclusivity(unchecked) public private(set) var count: UInt64 = 0
    /// Sum of all recorded durations, nanoseconds. Stays at `UInt64.max` once reached (584 years).
    @exclusivity(unchecked) public private(set) var sum: UInt64 = 0
    /// Durations longer than `highestNanoseconds`.
    @exclusivity(unchecked) public private(set) var overflowCount: UInt64 = 0
    @exclusivity(unchecked) private var smallest = UInt64.max
    @exclusivity(unchecked) private var largest: UInt64 = 0

    public init() {
        counts = UnsafeMutablePointer<UInt64>.allocate(capacity: Histogram.bucketCount)
    }

    deinit {
        counts.deallocate()
    }

    /// The shortest recorded duration, nanoseconds; 0 when there is none.
    public var minimum: UInt64 { count == 0 ? 0 : smallest }
    /// The longest recorded duration, nanoseconds, also beyond 60 s; 0 when there is none.
    public var maximum: UInt64 { largest }
    /// Arithmetic mean, nanoseconds; 0 when there is none.
    public var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// Counts one duration.
    @inline(__always)
    public func record(_ nanoseconds: UInt64) {
        add(nanoseconds, times: 1)
    }

    /// Counts one duration measured by a loop that waits for each answer before it asks again.
    ///
    /// Such a loop leaves out the requests that it would have made while it waited ("coordinated omission", Gil Tene).
    /// For a duration longer than `expectedInterval` those are added: duration − interval, duration − 2 × interval, …
    /// down to one interval. Durations taken from a schedule (capture time to result) need no correction.
    /// - Parameter expectedInterval: nanoseconds between requests, at least 1 µs (less is taken as 1 µs).
    ///   0 means no schedule: no correction.
    public func recordCorrected(_ nanoseconds: UInt64, expectedInterval: UInt64) {
        record(nanoseconds)
        guard expectedInterval > 0, nanoseconds > expectedInterval else { return }
        let interval = max(expectedInterval, 1_000)
        guard nanoseconds > interval else { return }
        var missing = nanoseconds - interval
        // One step per bucket, not per missing value: at most `bucketCount` + 1 steps for any argument.
        while missing >= interval {
            let floor = missing > Histogram.highestNanoseconds
                ? Histogram.highestNanoseconds + 1 : Histogram.lowerBound(of: Histogram.index(of: missing))
            let steps = (missing - max(floor, interval)) / interval + 1
            addSeries(from: missing, step: interval, times: steps)
            missing -= steps * interval
        }
    }

    /// Adds every duration that `other` counted.
    public func merge(_ other: Histogram) {
        guard other.count > 0 else { return }
        if other.windowLength > 0 {
            let end = other.windowStart + other.windowLength
            cover(other.windowStart)
            cover(end - 1)
            for index in other.windowStart..<end where other.counts[index] > 0 {
                if counts[index] == 0 { usedBuckets += 1 }
                counts[index] &+= other.counts[index]
            }
        }
        count &+= other.count
        overflowCount &+= other.overflowCount
        sum = Histogram.saturatingAdd(sum, other.sum)
        smallest = min(smallest, other.smallest)
        largest = max(largest, other.largest)
    }

    /// Forgets everything; keeps the memory.
    public func reset() {
        windowStart = 0
        windowLength = 0
        usedBuckets = 0
        count = 0
        sum = 0
        overflowCount = 0
        smallest = .max
        largest = 0
    }

    /// The duration that `percent` % of the recorded ones do not exceed, nanoseconds, within 0.1 %.
    ///
    /// Nearest rank: the ⌈percent/100 × count⌉-th smallest. `percentile(0)` is `minimum`, `percentile(100)` is
    /// `maximum`, both exact. A rank among the durations beyond 60 s gives `maximum`. 0 when nothing is recorded.
    /// - Parameter percent: 0…100; taken to the nearer end outside.
    public func percentile(_ percent: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        guard percent > 0 else { return smallest }
        guard percent < 100 else { return largest }
        // The small term keeps 99.9 % of 1000 at rank 999 although 99.9 has no exact binary form.
        let exact = percent / 100 * Double(count) - 1e-7 * percent
        var rank = exact > 0 ? UInt64(exact) : 0
        if Double(rank) < exact { rank += 1 }
        if rank <= 1 { return smallest }
        if rank >= count { return largest }
        var seen: UInt64 = 0
        for index in windowStart..<(windowStart + windowLength) {
            seen &+= counts[index]
            if seen >= rank { return min(max(Histogram.midpoint(of: index), smallest), largest) }
        }
        return largest
    }

    /// How many recorded durations are at most `nanoseconds`, to the precision of a bucket (whole buckets whose
    /// midpoint is not above it).
    public func count(upTo nanoseconds: UInt64) -> UInt64 {
        guard nanoseconds < largest else { return count }
        var seen: UInt64 = 0
        for index in windowStart..<(windowStart + windowLength) {
            if Histogram.midpoint(of: index) > nanoseconds { break }
            seen &+= counts[index]
        }
        return seen
    }

    /// Calls `body` with every bucket that counted something, in rising order: its index and its count.
    func forEachBucket(_ body: (Int, UInt64) -> Void) {
        for index in windowStart..<(windowStart + windowLength) where counts[index] > 0 { body(index, counts[index]) }
    }

    // MARK: Buckets

    /// The bucket of a duration of at most `highestNanoseconds`.
    @inline(__always)
    static func index(of nanoseconds: UInt64) -> Int {
        if nanoseconds < 1 << precisionBits { return Int(nanoseconds) }
        let shift = UInt64(63 - nanoseconds.leadingZeroBitCount) - precisionBits
        return Int(shift << precisionBits + nanoseconds >> shift)
    }

    /// The smallest duration of a bucket.
    static func lowerBound(of index: Int) -> UInt64 {
        let size = UInt64(1) << precisionBits
        let position = UInt64(index)
        if position < size { return position }
        let shift = position >> precisionBits - 1
        return (size + position & (size - 1)) << shift
    }

    static func midpoint(of index: Int) -> UInt64 {
        let shift = max(index >> Int(precisionBits), 1) - 1
        return lowerBound(of: index) + (1 << UInt64(shift)) / 2
    }

    // MARK: Counting

    @inline(__always)
    private func add(_ nanoseconds: UInt64, times: UInt64) {
        addSeries(from: nanoseconds, step: 0, times: times)
    }

    /// Counts `times` durations of one bucket: `first`, `first − step`, … (`times` ≥ 1).
    @inline(__always)
    private func addSeries(from first: UInt64, step: UInt64, times: UInt64) {
        if first <= Histogram.highestNanoseconds {
            let index = Histogram.index(of: first)
            if UInt(bitPattern: index &- windowStart) >= UInt(bitPattern: windowLength) { cover(index) }
            if counts[index] == 0 { usedBuckets += 1 }
            counts[index] &+= times
        } else {
            overflowCount &+= times
        }
        count &+= times
        let last = first - step * (times - 1)
        smallest = min(smallest, last)
        largest = max(largest, first)
        sum = Histogram.saturatingAdd(sum, times == 1 ? first : Histogram.seriesSum(first, last, times))
    }

    /// Counts read from a file: the bucket must be valid and not yet restored, the other totals come with `restoreTotals`.
    func restore(bucket index: Int, count times: UInt64) {
        cover(index)
        usedBuckets += 1
        counts[index] = times
    }

    func restoreTotals(count: UInt64, sum: UInt64, minimum: UInt64, maximum: UInt64, overflow: UInt64) {
        self.count = count
        self.sum = sum
        smallest = minimum
        largest = maximum
        overflowCount = overflow
    }

    /// Widens the initialised window to hold `index`, 64 buckets at a time.
    @inline(never)
    private func cover(_ index: Int) {
        let blockStart = index & ~63
        let blockEnd = min(blockStart + 64, Histogram.bucketCount)
        if windowLength == 0 {
            windowStart = blockStart
            windowLength = blockEnd - blockStart
            for position in blockStart..<blockEnd { counts[position] = 0 }
            return
        }
        let windowEnd = windowStart + windowLength
        if blockStart < windowStart {
            for position in blockStart..<windowStart { counts[position] = 0 }
            windowLength += windowStart - blockStart
            windowStart = blockStart
        } else if blockEnd > windowEnd {
            for position in windowEnd..<blockEnd { counts[position] = 0 }
            windowLength = blockEnd - windowStart
        }
    }

    @inline(__always)
    private static func saturatingAdd(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (result, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : result
    }

    /// (first + last) × times / 2, at most `UInt64.max`.
    private static func seriesSum(_ first: UInt64, _ last: UInt64, _ times: UInt64) -> UInt64 {
        let (total, carry) = first.addingReportingOverflow(last)
        if carry { return .max }
        let product = total.multipliedFullWidth(by: times)
        return product.high > 1 ? .max : product.high << 63 | product.low >> 1
    }
}

extension Histogram: Equatable {
    /// Equal when every bucket and total is.
    public static func == (left: Histogram, right: Histogram) -> Bool {
        guard left.count == right.count, left.sum == right.sum, left.overflowCount == right.overflowCount,
            left.minimum == right.minimum, left.maximum == right.maximum
        else { return false }
        return left.contains(bucketsOf: right) && right.contains(bucketsOf: left)
    }

    private func contains(bucketsOf other: Histogram) -> Bool {
        var isContained = true
        other.forEachBucket { index, times in
            let position = index - windowStart
            if position < 0 || position >= windowLength || counts[index] != times { isContained = false }
        }
        return isContained
    }
}
