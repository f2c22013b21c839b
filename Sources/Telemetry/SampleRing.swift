/// A stretch of a run: state of the CPU and the latency of the frames answered in it.
public struct Sample: Equatable, Sendable {
    /// Beginning, milliseconds after the start of the run.
    public var startMilliseconds: UInt64
    public var durationMilliseconds: UInt64
    /// Lowest CPU frequency seen, kHz; 0 when not known.
    public var frequencyKilohertz: UInt32
    /// Highest temperature seen, thousandths of a degree Celsius; nil when not known.
    public var temperatureMilliCelsius: Int32?
    /// True when the CPU was throttled at one of the readings.
    public var isThrottled: Bool
    /// Frames answered.
    public var frames: UInt64
    /// Frames dropped.
    public var dropped: UInt64
    /// Median capture→result latency, nanoseconds, 0 without frames. Where stretches were joined: the mean of their
    /// medians, weighted by frames.
    public var medianNanoseconds: UInt64
    /// Longest capture→result latency, nanoseconds.
    public var maximumNanoseconds: UInt64

    public init(
        startMilliseconds: UInt64, durationMilliseconds: UInt64, frequencyKilohertz: UInt32 = 0,
        temperatureMilliCelsius: Int32? = nil, isThrottled: Bool = false, frames: UInt64 = 0, dropped: UInt64 = 0,
        medianNanoseconds: UInt64 = 0, maximumNanoseconds: UInt64 = 0
    ) {
        self.startMilliseconds = startMilliseconds
        self.durationMilliseconds = durationMilliseconds
        self.frequencyKilohertz = frequencyKilohertz
        self.temperatureMilliCelsius = temperatureMilliCelsius
        self.isThrottled = isThrottled
        self.frames = frames
        self.dropped = dropped
        self.medianNanoseconds = medianNanoseconds
        self.maximumNanoseconds = maximumNanoseconds
    }

    /// This stretch and the one right after it as one.
    func joined(with next: Sample) -> Sample {
        var result = self
        result.durationMilliseconds = next.startMilliseconds + next.durationMilliseconds - startMilliseconds
        if frequencyKilohertz == 0 || (next.frequencyKilohertz != 0 && next.frequencyKilohertz < frequencyKilohertz) {
            result.frequencyKilohertz = next.frequencyKilohertz
        }
        if let other = next.temperatureMilliCelsius {
            result.temperatureMilliCelsius = max(temperatureMilliCelsius ?? other, other)
        }
        result.isThrottled = isThrottled || next.isThrottled
        result.frames = frames + next.frames
        result.dropped = dropped + next.dropped
        if result.frames > 0 {
            let weighted = Double(medianNanoseconds) * Double(frames)
                + Double(next.medianNanoseconds) * Double(next.frames)
            result.medianNanoseconds = UInt64(weighted / Double(result.frames))
        }
        result.maximumNanoseconds = max(maximumNanoseconds, next.maximumNanoseconds)
        return result
    }

    func encode<Output: ByteOutput>(to output: inout Output) {
        output.putVarint(startMilliseconds)
        output.putVarint(durationMilliseconds)
        output.putVarint(UInt64(frequencyKilohertz))
        if let temperature = temperatureMilliCelsius {
            // Zigzag, plus one so that 0 says "not known".
            let wide = Int64(temperature)
            output.putVarint(UInt64(bitPattern: wide << 1 ^ wide >> 63) + 1)
        } else {
            output.putVarint(0)
        }
        output.putFlag(isThrottled)
        output.putVarint(frames)
        output.putVarint(dropped)
        output.putVarint(medianNanoseconds)
        output.putVarint(maximumNanoseconds)
    }

    static func decode(from input: inout ByteInput) throws(DecodingFailure) -> Sample {
        let start = try input.varint()
        let duration = try input.varint()
        guard start <= 1 << 48, duration <= 1 << 48 else { throw .malformed("sample time above 2^48 ms") }
        var sample = Sample(startMilliseconds: start, durationMilliseconds: duration)
        sample.frequencyKilohertz = try input.uint32("sample frequency above 32 bits")
        let temperature = try input.varint()
        if temperature > 0 {
            let zigzag = temperature - 1
            guard zigzag <= UInt64(UInt32.max) else { throw .malformed("sample temperature above 32 bits") }
            sample.temperatureMilliCelsius = Int32(Int64(zigzag >> 1) ^ -Int64(zigzag & 1))
        }
        sample.isThrottled = try input.flag()
        sample.frames = try input.varint()
        sample.dropped = try input.varint()
        guard sample.frames <= Histogram.highestStoredCount, sample.dropped <= Histogram.highestStoredCount else {
            throw .malformed("sample frame count above 2^48")
        }
        sample.medianNanoseconds = try input.varint()
        sample.maximumNanoseconds = try input.varint()
        return sample
    }
}

/// The whole run in at most `capacity` stretches: when full, neighbours are joined in pairs, and from then on each
/// stretch takes twice as many readings. Nothing is ever forgotten, only seen from further away.
struct SampleRing {
    private var points: [Sample] = []
    private var pending: Sample?
    private var pendingReadings = 0
    private(set) var readingsPerPoint = 1
    let capacity: Int

    /// - Parameter capacity: even, at least 2.
    init(capacity: Int) {
        precondition(capacity >= 2 && capacity % 2 == 0, "SampleRing capacity must be even and at least 2")
        self.capacity = capacity
        points.reserveCapacity(capacity)
    }

    mutating func append(_ reading: Sample) {
        let current = pending.map { $0.joined(with: reading) } ?? reading
        pendingReadings += 1
        guard pendingReadings == readingsPerPoint else {
            pending = current
            return
        }
        pending = nil
        pendingReadings = 0
        if points.count == capacity {
            for index in 0..<(capacity / 2) { points[index] = points[2 * index].joined(with: points[2 * index + 1]) }
            points.removeLast(capacity / 2)
            readingsPerPoint *= 2
            pending = current
            pendingReadings = readingsPerPoint / 2
            return
        }
        points.append(current)
    }

    /// Number of stretches, the unfinished last one included.
    var count: Int { points.count + (pending == nil ? 0 : 1) }

    subscript(index: Int) -> Sample {
        index < points.count ? points[index] : pending!
    }
}
