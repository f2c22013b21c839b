import CLinux

/// A regular file's bytes, mapped read-only for as long as this object lives. The map starts on a page, so at a multiple
/// of 64. Whoever can write the file can still shorten it under the map, which kills the process on access: deploy model
/// files by renaming (`FileWriter.replace`), never in place.
public final class MappedFile {
    public let path: String
    /// Empty, without a base address, for an empty file.
    public let bytes: UnsafeRawBufferPointer

    public init(path: String) throws(SystemError) {
        var start: UnsafeRawPointer?
        var byteCount: UInt64 = 0
        var call: UnsafePointer<CChar>?
        let code = path.withCString { swiftlet_file_map($0, &start, &byteCount, &call) }
        guard code == 0 else { throw SystemError(subject: path, call: String(cString: call!), code: code) }
        self.path = path
        bytes = UnsafeRawBufferPointer(start: start, count: Int(byteCount))
    }

    deinit { swiftlet_file_unmap(bytes.baseAddress, UInt64(bytes.count)) }
}
