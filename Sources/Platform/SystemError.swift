import CLinux

/// A system call that failed: what it was about, which call, why.
public struct SystemError: Error, Sendable {
    /// Path or device that the call was about; empty when there is none.
    public var subject: String
    /// Name of the call, such as `open`.
    public var call: String
    /// The errno value.
    public var code: Int32

    public init(subject: String, call: String, code: Int32) {
        (self.subject, self.call, self.code) = (subject, call, code)
    }

    /// Stable name: `swiftlet explain NAME`.
    public var name: StaticString { "system-error" }

    /// What it means and what to do.
    public static var explanation: StaticString {
        """
        The operating system refused a call; the message names the file or device, the call and the system's reason. \
        Check that the path exists, that you may read (or write) it, and that the disk is not full.
        """
    }

    /// The system's text for `code`.
    public var reason: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            swiftlet_error_text(code, buffer.baseAddress, UInt64(buffer.count))
            return String(cString: buffer.baseAddress!)
        }
    }

    /// `model.nest: open: No such file or directory`
    @export(interface) public var message: String { subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(call): \(reason)" }
}
