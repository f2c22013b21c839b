import Platform

/// JPEGs one after another in a stream. Memory grows to the largest picture and what was read behind it.
public final class MJPEGSource {
    private let stream: InputStream
    private var splitter = MJPEGSplitter()
    private var buffer: GrowingBuffer
    private var count = 0
    /// Bytes at the front that the last picture used.
    private var used = 0
    private var isAtEnd = false

    /// A picture with more bytes is given up.
    static let pictureLimit = 1 << 26

    public init(stream: InputStream, capacity: Int = 1 << 18) {
        self.stream = stream
        buffer = GrowingBuffer(capacity: max(16, capacity))
    }

    deinit { buffer.deallocate() }

    func next() throws(SystemError) -> SourceEvent {
        while true {
            discard(used)
            used = 0
            let bytes = UnsafeRawBufferPointer(start: buffer.start, count: count)
            switch splitter.step(bytes) {
            case .picture(let range):
                used = range.upperBound
                return .picture(.jpeg(UnsafeRawBufferPointer(rebasing: bytes[range])))
            case .needsMore(let discardable):
                if isAtEnd {
                    guard let rest = splitter.finish(bytes) else { return .end }
                    used = count
                    return .picture(.jpeg(UnsafeRawBufferPointer(rebasing: bytes[rest])))
                }
                discard(discardable)
                if count == buffer.capacity {
                    guard count < MJPEGSource.pictureLimit else {
                        splitter = MJPEGSplitter()
                        count = 0
                        return .bad(name: "mjpeg-picture-too-large")
                    }
                    buffer.reserve(2 * buffer.capacity, keeping: count)
                }
                let added = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[count...]))
                if added == 0 { isAtEnd = true }
                count += added
            }
        }
    }

    private func discard(_ bytes: Int) {
        guard bytes > 0 else { return }
        splitter.discard(bytes)
        buffer.start.copyMemory(from: buffer.start + bytes, byteCount: count - bytes)
        count -= bytes
    }
}
