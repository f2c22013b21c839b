import Platform
import Vision

/// What `--source` names. A V4L2 device is a further case: `/dev/video0` already leads to its own message.
public enum SourceDescription: Sendable, Hashable {
    /// The .jpg and .jpeg files in a directory, in byte order of their names.
    case directory(path: String)
    case jpegFile(path: String)
    /// JPEGs one after another: a file, a FIFO or a character device.
    case mjpegFile(path: String)
    /// MJPEG on standard input.
    case standardInput
    /// Frames without compression one after another; "-" is standard input.
    case raw(path: String, format: PixelFormat, range: ColorRange, width: Int, height: Int)

    private static let forms = "a directory, FILE.jpg, FILE.mjpeg, - or raw:FILE?format=…&size=WxH"

    /// Reads the text of `--source`; looks at the file system to tell directories from files.
    @export(interface) public init(parsing text: String) throws(SourceError) {
        let bytes = Array(text.utf8)
        if bytes.elementsEqual("-".utf8) {
            self = .standardInput
        } else if bytes.starts(with: "raw:".utf8) {
            try self.init(parsingRaw: bytes.dropFirst(4), text: text)
        } else if bytes.starts(with: "/dev/video".utf8) {
            throw .unknownSource(
                text: text,
                expected: SourceDescription.forms
                    + "; to use a camera, pipe it: ffmpeg -f v4l2 -i \(text) -c:v mjpeg -f mjpeg - | swiftlet-run … -")
        } else {
            switch FileSystem.kind(of: text) {
            case .none: throw .system(SystemError(subject: text, call: "open", code: 2))
            case .directory: self = .directory(path: text)
            case .characterDevice, .other: self = .mjpegFile(path: text)
            case .regular:
                let lower = bytes.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }
                if lower.ends(with: ".jpg") || lower.ends(with: ".jpeg") {
                    self = .jpegFile(path: text)
                } else if lower.ends(with: ".mjpeg") || lower.ends(with: ".mjpg") {
                    self = .mjpegFile(path: text)
                } else {
                    throw .unknownSource(text: text, expected: SourceDescription.forms)
                }
            }
        }
    }

    /// FILE?format=F&size=WxH[&range=limited|full]
    private init(parsingRaw bytes: ArraySlice<UInt8>, text: String) throws(SourceError) {
        func failure(_ expected: String) -> SourceError {
            .unknownSource(
                text: text, expected: "raw:FILE?format=YUYV|NV12|I420|RGB|GREY&size=WxH[&range=limited|full]: " + expected)
        }
        guard let mark = bytes.lastIndex(of: UInt8(ascii: "?")) else { throw failure("? after the file") }
        let path = String(decoding: bytes[bytes.startIndex..<mark], as: UTF8.self)
        guard !path.isEmpty else { throw failure("a file (or -) before ?") }
        var (format, range, size): (PixelFormat?, ColorRange, (Int, Int)?) = (nil, .limited, nil)
        for part in bytes[(mark + 1)...].split(separator: UInt8(ascii: "&")) {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { throw failure("name=value after ?") }
            let name = part[part.startIndex..<equals]
            let value = part[(equals + 1)...]
            if name.elementsEqual("format".utf8) {
                for known in PixelFormat.allCases {
                    let bytes = UnsafeBufferPointer(start: known.name.utf8Start, count: known.name.utf8CodeUnitCount)
                    if value.elementsEqual(bytes) { format = known }
                }
                guard format != nil else { throw failure("a known format") }
            } else if name.elementsEqual("size".utf8) {
                let sides = value.split(separator: UInt8(ascii: "x"), omittingEmptySubsequences: false)
                guard sides.count == 2, let width = decimal(sides[0]), let height = decimal(sides[1]), width > 0,
                    height > 0, width <= 16_384, height <= 16_384
                else { throw failure("size as 640x480, at most 16384") }
                size = (width, height)
            } else if name.elementsEqual("range".utf8) {
                if value.elementsEqual("full".utf8) {
                    range = .full
                } else if !value.elementsEqual("limited".utf8) {
                    throw failure("range=limited or range=full")
                }
            } else {
                throw failure("only format, size and range")
            }
        }
        guard let format else { throw failure("format=…") }
        guard let size else { throw failure("size=…") }
        guard format.byteCount(width: size.0, height: size.1) != nil else { throw failure("an even width for YUYV") }
        self = .raw(path: path, format: format, range: range, width: size.0, height: size.1)
    }
}

private func decimal(_ bytes: ArraySlice<UInt8>) -> Int? {
    var value = 0
    guard !bytes.isEmpty, bytes.count <= 6 else { return nil }
    for byte in bytes {
        guard byte >= 48, byte <= 57 else { return nil }
        value = value * 10 + Int(byte - 48)
    }
    return value
}

extension [UInt8] {
    fileprivate func ends(with text: StaticString) -> Bool {
        suffix(text.utf8CodeUnitCount).elementsEqual(
            UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
