import Platform
import Vision

/// The closed set of frame sources behind one interface: `next` gives frames one after another, `skip` passes over one
/// without reading more than finding its end takes. A live camera (V4L2) joins as a case of its own: its `next` waits
/// for the driver, and its frames bring their capture time with them.
public enum Source {
    case files(FileListSource)
    case mjpeg(MJPEGSource)
    case raw(RawSource)
    /// Frames made by the caller.
    case memory(MemorySource)

    @export(interface) public static func open(_ description: SourceDescription) throws(SourceError) -> Source {
        do throws(SystemError) {
            switch description {
            case .directory(let path):
                let names = try FileSystem.names(inDirectory: path).filter(isJPEGName)
                guard !names.isEmpty else { throw SystemError(subject: path, call: "", code: 0) }
                let separator = path.utf8.last == UInt8(ascii: "/") ? "" : "/"
                return .files(FileListSource(paths: names.map { path + separator + $0 }))
            case .jpegFile(let path): return .files(FileListSource(paths: [path]))
            case .mjpegFile(let path): return .mjpeg(MJPEGSource(stream: try InputStream(path: path)))
            case .standardInput: return .mjpeg(MJPEGSource(stream: InputStream(standardInput: ())))
            case .raw(let path, let format, let range, let width, let height):
                let stream =
                    path.utf8.elementsEqual("-".utf8)
                    ? InputStream(standardInput: ()) : try InputStream(path: path)
                return .raw(
                    RawSource(stream: stream, format: format, range: range, width: width, height: height))
            }
        } catch {
            if case .directory(let path) = description, error.code == 0 { throw .noPictures(path: path) }
            throw .system(error)
        }
    }

    /// The next frame, in memory that is valid until the next call.
    @export(interface) public func next() throws(SourceError) -> SourceEvent {
        do throws(SystemError) {
            switch self {
            case .files(let source): return source.next()
            case .mjpeg(let source): return try source.next()
            case .raw(let source): return try source.next()
            case .memory(let source): return source.next()
            }
        } catch {
            if error.isInterruption { return .stopped }
            throw .system(error)
        }
    }

    /// Passes over one frame: `.picture` never, `.bad` when there was one, which is given up anyway.
    @export(interface) public func skip() throws(SourceError) -> SkipOutcome {
        if case .files(let source) = self { return source.skip() ? .skipped : .end }
        switch try next() {
        case .picture, .bad: return .skipped
        case .end: return .end
        case .stopped: return .stopped
        }
    }

    public enum SkipOutcome { case skipped, end, stopped }

    private static func isJPEGName(_ name: String) -> Bool {
        let bytes = name.utf8.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }
        return bytes.suffix(4).elementsEqual(".jpg".utf8) || bytes.suffix(5).elementsEqual(".jpeg".utf8)
    }
}

/// JPEG files in the order given. A file that cannot be read is a bad frame.
public final class FileListSource {
    private let paths: [String]
    private var position = 0
    private var buffer = GrowingBuffer(capacity: 1 << 18)
    static let fileLimit = 1 << 28

    public init(paths: [String]) { self.paths = paths }
    deinit { buffer.deallocate() }

    func skip() -> Bool {
        guard position < paths.count else { return false }
        position += 1
        return true
    }

    func next() -> SourceEvent {
        guard position < paths.count else { return .end }
        position += 1
        do throws(SystemError) {
            let count = try FileSystem.read(paths[position - 1], into: &buffer, limit: FileListSource.fileLimit)
            return .picture(.jpeg(UnsafeRawBufferPointer(start: buffer.start, count: count)))
        } catch {
            return .bad(name: "file-unreadable")
        }
    }
}

/// Uncompressed frames one after another.
public final class RawSource {
    private let stream: InputStream
    private let format: PixelFormat, range: ColorRange, width: Int, height: Int
    private let frame: UnsafeMutableRawBufferPointer

    /// The width suits the format (`PixelFormat.byteCount`).
    public init(stream: InputStream, format: PixelFormat, range: ColorRange, width: Int, height: Int) {
        (self.stream, self.format, self.range) = (stream, format, range)
        (self.width, self.height) = (width, height)
        let byteCount = format.byteCount(width: width, height: height)!
        frame = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    }

    deinit { frame.deallocate() }

    func next() throws(SystemError) -> SourceEvent {
        var count = 0
        while count < frame.count {
            let added = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: frame[count...]))
            if added == 0 { return count == 0 ? .end : .bad(name: "raw-truncated") }
            count += added
        }
        return .picture(
            .pixels(
                Image(
                    format: format, range: range, width: width, height: height, bytes: UnsafeRawBufferPointer(frame))!))
    }
}

/// Frames that the caller made, JPEG or pixels, then the end.
public final class MemorySource {
    public enum Frame {
        case jpeg([UInt8])
        case pixels([UInt8], format: PixelFormat, range: ColorRange, width: Int, height: Int)
        case bad(name: String)
    }
    private let frames: [Frame]
    private var position = 0
    private var buffer = GrowingBuffer(capacity: 1)

    public init(_ frames: [Frame]) { self.frames = frames }
    deinit { buffer.deallocate() }

    func next() -> SourceEvent {
        guard position < frames.count else { return .end }
        position += 1
        switch frames[position - 1] {
        case .bad(let name): return .bad(name: name)
        case .jpeg(let bytes): return .picture(.jpeg(copy(bytes)))
        case .pixels(let bytes, let format, let range, let width, let height):
            guard
                let image = Image(format: format, range: range, width: width, height: height, bytes: copy(bytes))
            else { return .bad(name: "raw-truncated") }
            return .picture(.pixels(image))
        }
    }

    private func copy(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        buffer.reserve(bytes.count, keeping: 0)
        buffer.bytes.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(start: buffer.start, count: bytes.count)
    }
}
