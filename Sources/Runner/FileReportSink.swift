import Platform
import Telemetry

/// A report file on disk.
public struct FileReportSink: ReportSink {
    private let path: String
    private var current: OutputDescriptor
    private var replacement: OutputDescriptor?

    /// Makes or empties `path`.
    public init(path: String) throws(SystemError) {
        self.path = path
        current = try OutputDescriptor.create(path: path)
    }

    private var temporaryPath: String { path + ".new" }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try (replacement ?? current).write(bytes)
    }

    public mutating func synchronize() throws(SystemError) { try (replacement ?? current).synchronize() }

    public mutating func beginReplacement() throws(SystemError) {
        replacement = try OutputDescriptor.create(path: temporaryPath)
    }

    public mutating func commitReplacement() throws(SystemError) {
        guard let new = replacement else { return }
        try new.synchronize()
        try FileSystem.rename(temporaryPath, to: path)
        current.close()
        (current, replacement) = (new, nil)
    }

    public mutating func abandonReplacement() {
        guard let new = replacement else { return }
        new.close()
        replacement = nil
        // The next replacement empties a file that could not be removed.
        do throws(SystemError) { try FileSystem.remove(temporaryPath) } catch { return }
    }
}
