import CLinux

/// Whole files, written so that a reader sees the old contents or the new, never a part.
public enum FileWriter {
    /// Writes a temporary file beside `path`, syncs it and renames it over `path`.
    public static func replace(path: String, with bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var call: UnsafePointer<CChar>?
        let code = path.withCString {
            swiftlet_file_replace($0, bytes.baseAddress, UInt64(bytes.count), &call)
        }
        guard code == 0 else { throw SystemError(subject: path, call: String(cString: call!), code: code) }
    }

    public static func replace(path: String, with bytes: [UInt8]) throws(SystemError) {
        let result: Result<Void, SystemError> = bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                return .success(try replace(path: path, with: buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
