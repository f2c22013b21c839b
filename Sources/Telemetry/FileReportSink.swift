import Platform

/// A report file on disk.
///
/// A report that a former run left at `path` is not lost: it is renamed to `path` + ".previous" (one is kept), so that a
/// device that restarts after a power cut still has the record of what came before.
public struct FileReportSink: ReportSink {
    public let path: String
    private let newPath: String
    private var current: OutputDescriptor
    private var replacement: OutputDescriptor?

    /// Makes an empty file at `path`.
    public init(path: String) throws(SystemError) {
        self.path = path
        newPath = path + ".new"
        if FileSystem.kind(of: path) == .regular { try FileSystem.rename(path, to: path + ".previous") }
        current = try OutputDescriptor.create(path: path)
    }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try (replacement ?? current).write(bytes)
    }

    public mutating func synchronize() throws(SystemError) {
        try (replacement ?? current).synchronize()
    }

    public mutating func beginReplacement() throws(SystemError) {
        replacement = try OutputDescriptor.create(path: newPath)
    }

    public mutating func commitReplacement() throws(SystemError) {
        guard let finished = replacement else { return }
        try finished.synchronize()
        try FileSystem.rename(newPath, to: path)
        current.close()
        current = finished
        replacement = nil
    }

    public mutating func abandonReplacement() {
        replacement?.close()
        replacement = nil
        // What is left of the new file is emptied by the next replacement; the report itself is not touched.
        try? FileSystem.remove(newPath)
    }

    /// Closes the file; nothing can be appended afterwards.
    public func close() {
        current.close()
    }
}
