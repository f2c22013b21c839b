import CLinux

/// A file, pipe or device read from front to back; closed with this object.
public final class InputStream {
    public let path: String
    private let descriptor: Int32
    private let isOwned: Bool

    /// Opens `path`; a FIFO waits for its writer.
    public init(path: String) throws(SystemError) {
        descriptor = path.withCString { swiftlet_open_for_reading($0) }
        (self.path, isOwned) = (path, true)
        guard descriptor >= 0 else { throw SystemError(subject: path, call: "open", code: -descriptor) }
    }

    /// The process's standard input.
    public init(standardInput: Void) {
        (path, descriptor, isOwned) = ("standard input", 0, false)
    }

    deinit { if isOwned, descriptor >= 0 { swiftlet_close(descriptor) } }

    /// Waits for bytes and reads at most `buffer.count`; 0 at the end. A stop request ends the wait with `.isInterruption`.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let count = swiftlet_read(descriptor, buffer.baseAddress, UInt64(buffer.count))
        guard count >= 0 else { throw SystemError(subject: path, call: "read", code: Int32(-count)) }
        return Int(count)
    }
}

/// A descriptor to write to.
public struct OutputDescriptor: Sendable {
    public let path: String
    public let descriptor: Int32

    public static var standardOutput: OutputDescriptor { OutputDescriptor(path: "standard output", descriptor: 1) }
    public static var standardError: OutputDescriptor { OutputDescriptor(path: "standard error", descriptor: 2) }

    /// Makes or empties `path`.
    public static func create(path: String) throws(SystemError) -> OutputDescriptor {
        let descriptor = path.withCString { swiftlet_open_for_writing($0) }
        guard descriptor >= 0 else { throw SystemError(subject: path, call: "open", code: -descriptor) }
        return OutputDescriptor(path: path, descriptor: descriptor)
    }

    private init(path: String, descriptor: Int32) { (self.path, self.descriptor) = (path, descriptor) }

    /// Writes everything, at once as far as the kernel allows.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        guard let start = bytes.baseAddress else { return }
        let result = swiftlet_write_all(descriptor, start, UInt64(bytes.count))
        guard result == 0 else { throw SystemError(subject: path, call: "write", code: -result) }
    }

    /// Asks that what was written survives a power cut.
    public func synchronize() throws(SystemError) {
        let result = swiftlet_sync(descriptor)
        guard result == 0 else { throw SystemError(subject: path, call: "fdatasync", code: -result) }
    }

    public func close() { swiftlet_close(descriptor) }
}

extension SystemError {
    /// A stop was requested while waiting (EINTR).
    public var isInterruption: Bool { code == 4 }
    /// The reader of a pipe went away (EPIPE).
    public var isClosedPipe: Bool { code == 32 }
}

/// Memory that only grows. Its owner frees it.
public struct GrowingBuffer {
    public private(set) var start: UnsafeMutableRawPointer
    public private(set) var capacity: Int

    public init(capacity: Int) {
        self.capacity = max(1, capacity)
        start = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 64)
    }

    public func deallocate() { start.deallocate() }

    /// Makes room for `capacity` bytes; the first `keeping` stay.
    public mutating func reserve(_ capacity: Int, keeping count: Int) {
        guard capacity > self.capacity else { return }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        larger.copyMemory(from: start, byteCount: count)
        start.deallocate()
        (start, self.capacity) = (larger, capacity)
    }

    public var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: start, count: capacity) }
}

public enum FileKind: Int32, Sendable {
    case none = 0, regular = 1, directory = 2, characterDevice = 3, other = 4
}

public enum FileSystem {
    /// What `path` leads to, links followed.
    public static func kind(of path: String) -> FileKind {
        FileKind(rawValue: path.withCString { swiftlet_file_kind($0) }) ?? .other
    }

    /// The names in a directory, in byte order, so that runs repeat.
    public static func names(inDirectory path: String) throws(SystemError) -> [String] {
        var error: Int32 = 0
        guard let directory = path.withCString({ swiftlet_directory_open($0, &error) }) else {
            throw SystemError(subject: path, call: "opendir", code: -error)
        }
        defer { swiftlet_directory_close(directory) }
        var names: [String] = []
        while let name = swiftlet_directory_next(directory) { names.append(String(cString: name)) }
        names.sort { precedes($0.utf8, $1.utf8) }
        return names
    }

    private static func precedes(_ a: String.UTF8View, _ b: String.UTF8View) -> Bool {
        a.lexicographicallyPrecedes(b)
    }

    public static func rename(_ from: String, to: String) throws(SystemError) {
        let result = from.withCString { from in to.withCString { swiftlet_rename(from, $0) } }
        guard result == 0 else { throw SystemError(subject: to, call: "rename", code: -result) }
    }

    /// Removes a file; it may be absent.
    public static func remove(_ path: String) throws(SystemError) {
        let result = path.withCString { swiftlet_remove($0) }
        guard result == 0 || result == -2 else { throw SystemError(subject: path, call: "unlink", code: -result) }
    }

    /// Reads a whole file into `buffer`, which grows when it is too small. Throws EFBIG beyond `limit` bytes.
    public static func read(_ path: String, into buffer: inout GrowingBuffer, limit: Int) throws(SystemError) -> Int {
        while true {
            let count = path.withCString { swiftlet_read_small_file($0, buffer.start, UInt64(buffer.capacity)) }
            guard count >= 0 else { throw SystemError(subject: path, call: "read", code: Int32(-count)) }
            if count < Int64(buffer.capacity) { return Int(count) }
            guard buffer.capacity < limit else { throw SystemError(subject: path, call: "read", code: 27) }
            buffer.reserve(min(limit, 2 * buffer.capacity), keeping: 0)
        }
    }

    /// Reads the first bytes of a file such as those under /proc and /sys; nil when it cannot be read.
    public static func readSmallFile(_ path: String, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let count = path.withCString { swiftlet_read_small_file($0, buffer.baseAddress, UInt64(buffer.count)) }
        return count < 0 ? nil : Int(count)
    }
}

extension MonotonicClock {
    /// Sleeps until that moment of this clock; false when a stop was requested meanwhile.
    public static func sleep(until nanoseconds: UInt64) -> Bool { swiftlet_sleep_until(nanoseconds) == 0 }
}

/// Calendar time.
public enum WallClock {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    public static func unixNanoseconds() -> UInt64 { swiftlet_unix_nanoseconds() }
}

/// This process.
public enum CurrentProcess {
    public static func exit(_ code: Int32) -> Never { swiftlet_exit(code) }

    /// The command line without the program's own name.
    public static var arguments: [String] {
        (1..<max(1, swiftlet_argument_count())).map { String(cString: swiftlet_argument($0)) }
    }
}

/// Requests to stop: SIGINT and SIGTERM once `catchSignals` was called. A second signal of the same kind kills.
public enum StopRequest {
    /// Also makes writing to a closed pipe an error (`isClosedPipe`) instead of the process's death.
    public static func catchSignals() { swiftlet_catch_signals() }
    public static var isPending: Bool { swiftlet_stop_signal() != 0 }
    /// The signal's number, 0 without one.
    public static var signal: Int32 { swiftlet_stop_signal() }
    /// Makes (or with 0 takes back) a request, for tests.
    public static func set(signal: Int32) { swiftlet_set_stop_signal(signal) }
}
