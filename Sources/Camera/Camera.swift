/// A frame and when it was captured.
public struct Frame {
    public var picture: Picture
    /// Position in the source, from 0; dropped and bad frames count.
    public var sequence: UInt64
    /// When the frame came or, on a schedule, was due: nanoseconds of the camera's clock.
    public var capturedNanoseconds: UInt64
}

public enum CameraEvent {
    /// `dropped`: frames given up before this one because it was already due.
    case frame(Frame, dropped: UInt64)
    case bad(name: String, sequence: UInt64, dropped: UInt64)
    /// `dropped`: frames given up on the way to the end.
    case end(dropped: UInt64)
    case stopped
}

/// Takes frames from a source: as they come, or replayed on a schedule on which frame n is due n intervals after the
/// start. On a schedule the newest frame that is due wins and those between are dropped, as a live camera would.
public struct Camera<Clock: FrameClock> {
    private let source: Source
    private let clock: Clock
    /// 0 without a schedule.
    public let intervalNanoseconds: UInt64
    private var startNanoseconds: UInt64?
    private var sequence: UInt64 = 0

    /// - Parameter framesPerSecond: 0.001 … 1000, or nil for frames as they come.
    public init(source: Source, framesPerSecond: Double?, clock: Clock) {
        (self.source, self.clock) = (source, clock)
        intervalNanoseconds = framesPerSecond.map { UInt64((1e9 / $0).rounded()) } ?? 0
    }

    public mutating func next() throws(SourceError) -> CameraEvent {
        guard intervalNanoseconds > 0 else {
            let event = try source.next()
            return take(event, at: clock.now(), dropped: 0)
        }
        let now = clock.now()
        let start = startNanoseconds ?? now
        startNanoseconds = start
        let newest = (now - start) / intervalNanoseconds
        var dropped: UInt64 = 0
        while sequence < newest {
            switch try source.skip() {
            case .skipped: break
            case .end: return .end(dropped: dropped)
            case .stopped: return .stopped
            }
            dropped += 1
            sequence += 1
        }
        let due = start + sequence * intervalNanoseconds
        if due > now, !clock.sleep(until: due) { return .stopped }
        return take(try source.next(), at: due, dropped: dropped)
    }

    private mutating func take(_ event: SourceEvent, at nanoseconds: UInt64, dropped: UInt64) -> CameraEvent {
        let current = sequence
        switch event {
        case .picture(let picture):
            sequence += 1
            return .frame(
                Frame(picture: picture, sequence: current, capturedNanoseconds: nanoseconds), dropped: dropped)
        case .bad(let name):
            sequence += 1
            return .bad(name: name, sequence: current, dropped: dropped)
        case .end: return .end(dropped: dropped)
        case .stopped: return .stopped
        }
    }
}
