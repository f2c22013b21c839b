import Foundation

/// What the tool says: facts to standard output, everything else to standard error.
enum Console {
    static let isErrorTerminal = isatty(2) == 1

    static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Writes to standard output; a closed pipe ends the tool quietly.
    static func print(_ text: String) {
        var bytes = Array((text + "\n").utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                exit(errno == EPIPE ? 0 : 1)
            }
            bytes = bytes.dropFirst(written)
        }
    }

    /// Prints an object as JSON; numbers that JSON lacks (NaN, infinities) become null.
    static func print(json object: Any) throws {
        let data = try JSONSerialization.data(
            withJSONObject: representable(object), options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        print(String(decoding: data, as: UTF8.self))
    }

    private static func representable(_ value: Any) -> Any {
        switch value {
        case let table as [String: Any]: return table.mapValues(representable)
        case let list as [Any]: return list.map(representable)
        case let number as Double where !number.isFinite: return NSNull()
        default: return value
        }
    }
}

/// A progress line with an ETA on a terminal; silent in a pipe.
final class Progress {
    private let title: String
    private let start = Date()
    private var lastShown = Date.distantPast

    init(_ title: String) { self.title = title }

    func update(_ share: Double, _ stage: String) {
        guard Console.isErrorTerminal, Date().timeIntervalSince(lastShown) > 0.1 || share >= 1 else { return }
        lastShown = Date()
        let elapsed = Date().timeIntervalSince(start)
        let left = share > 0.02 ? " ETA \(Int((elapsed / share * (1 - share)).rounded(.up))) s" : ""
        FileHandle.standardError.write(Data("\r\u{1B}[K\(title): \(Int(share * 100)) % \(stage)\(share < 1 ? left : "")".utf8))
    }

    func finish() {
        if Console.isErrorTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}

/// Writes a file whole or not at all: to a temporary file beside it, then renamed.
func writeAtomically(_ data: Data, to path: String) throws {
    let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).tmp"
    do {
        try data.write(to: URL(fileURLWithPath: temporary))
        guard rename(temporary, path) == 0 else {
            throw Failure("rename to \(path): \(String(cString: strerror(errno)))")
        }
    } catch {
        unlink(temporary)
        throw (error as? Failure) ?? Failure("\(path): can't be written: \(error.localizedDescription); check that the folder exists and is writable")
    }
}
