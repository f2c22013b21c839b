import Platform

/// The clock that schedules frames: the system's, or a made-up one in tests.
public protocol FrameClock {
    /// Nanoseconds of a monotonic clock.
    func now() -> UInt64
    /// Waits until that moment; false when a stop was requested meanwhile.
    func sleep(until nanoseconds: UInt64) -> Bool
}

public struct SystemClock: FrameClock {
    public init() {}
    public func now() -> UInt64 { MonotonicClock.now() }
    public func sleep(until nanoseconds: UInt64) -> Bool { MonotonicClock.sleep(until: nanoseconds) }
}
