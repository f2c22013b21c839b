import Foundation
import Graph

/// The bytes of a model file, mapped or in memory; they never change while this lives.
final class FileBytes: @unchecked Sendable {
    /// How problems call the file: its path, or "model" for bytes in memory.
    let name: String
    private let data: NSData

    /// Bytes in memory.
    init(_ bytes: [UInt8], name: String = "model") {
        self.name = name
        data = bytes.withUnsafeBytes { NSData(bytes: $0.baseAddress, length: $0.count) }
    }

    /// Maps a file.
    init(path: String) throws(GraphProblem) {
        name = path
        do {
            data = try NSData(contentsOfFile: path, options: .mappedIfSafe)
        } catch {
            throw GraphProblem(
                subject: "file \"\(path)\"", expected: "a readable file", found: Self.reason(error),
                remedy: "Check the path and its permissions.")
        }
    }

    var count: Int { data.length }

    /// Valid while this object is alive.
    var unsafeBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: data.bytes, count: data.length) }

    /// What the system says is wrong, without Foundation's wrapping.
    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
        if underlying.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(underlying.code))) }
        return underlying.localizedDescription
    }
}

/// A range of a file's bytes.
struct ByteSlice: Sendable {
    let file: FileBytes
    let range: Range<Int>

    var count: Int { range.count }

    /// Gives `body` the bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(file) {
            try body(UnsafeRawBufferPointer(rebasing: file.unsafeBytes[range]))
        }
    }

    /// The bytes as UTF-8; invalid sequences become U+FFFD.
    var text: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}
