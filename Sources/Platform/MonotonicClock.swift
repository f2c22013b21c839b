import CLinux

/// The system's clock that never goes back (CLOCK_MONOTONIC).
public enum MonotonicClock {
    /// Nanoseconds since some fixed moment, usually boot.
    @inline(__always)
    public static func now() -> UInt64 { swiftlet_monotonic_nanoseconds() }
}
