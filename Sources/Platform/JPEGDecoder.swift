import CLinux

/// Why a picture could not be decoded.
public enum JPEGError: Error, Sendable, Hashable, CaseIterable {
    /// The bytes do not begin like a JPEG.
    case notJPEG
    /// The data ended before the picture did.
    case truncated
    /// The data contradict themselves.
    case corrupt
    /// A coding process or colour space without a decoder (arithmetic with extensions, 12 bits, lossless).
    case unsupported
    /// The picture is larger than the buffer for it.
    case tooLarge
    case outOfMemory

    /// Stable name: `swiftlet explain NAME`.
    public var name: String {
        switch self {
        case .notJPEG: "jpeg-not-jpeg"
        case .truncated: "jpeg-truncated"
        case .corrupt: "jpeg-corrupt"
        case .unsupported: "jpeg-unsupported"
        case .tooLarge: "jpeg-too-large"
        case .outOfMemory: "jpeg-out-of-memory"
        }
    }

    /// What it means and what to do.
    public var explanation: String {
        switch self {
        case .notJPEG: "The bytes do not begin with a JPEG marker. Give JPEG pictures, or raw frames with raw:FILE."
        case .truncated: "The picture's data end early. Check the camera's cable and power, and the tool that wrote it."
        case .corrupt: "The picture's data are damaged. Check the camera's cable and power, and the storage medium."
        case .unsupported: "The picture uses a JPEG variant that libjpeg does not decode. Save it as baseline JPEG."
        case .tooLarge: "The picture has more pixels than swiftlet-run accepts (see --max-pixels)."
        case .outOfMemory: "The system has not enough memory to decode the picture. Use a smaller picture."
        }
    }

    init(status: Int32) {
        switch UInt32(status) {
        case swiftlet_jpeg_not_jpeg.rawValue: self = .notJPEG
        case swiftlet_jpeg_truncated.rawValue: self = .truncated
        case swiftlet_jpeg_unsupported.rawValue: self = .unsupported
        case swiftlet_jpeg_too_large.rawValue: self = .tooLarge
        case swiftlet_jpeg_out_of_memory.rawValue: self = .outOfMemory
        default: self = .corrupt
        }
    }
}

/// What a JPEG's header says.
public struct JPEGHeader: Sendable, Hashable {
    /// Pixels.
    public var width: Int, height: Int
    /// Colour components: 1 (gray), 3 or 4.
    public var components: Int

    /// The size at 1/`denominator`: rounded up.
    public func scaledWidth(_ denominator: Int) -> Int { (width + denominator - 1) / denominator }
    public func scaledHeight(_ denominator: Int) -> Int { (height + denominator - 1) / denominator }
}

/// Decodes JPEG pictures, one at a time, keeping its memory from picture to picture: once a picture of the largest size
/// went through, baseline pictures (what cameras send) cost no allocation. Damaged pictures are errors, never half
/// pictures.
public final class JPEGDecoder {
    private let decoder: OpaquePointer

    /// Throws ENOMEM.
    public init() throws(SystemError) {
        guard let decoder = swiftlet_jpeg_create() else {
            throw SystemError(subject: "JPEG decoder", call: "malloc", code: 12)
        }
        self.decoder = decoder
    }

    deinit { swiftlet_jpeg_destroy(decoder) }

    public func readHeader(_ bytes: UnsafeRawBufferPointer) throws(JPEGError) -> JPEGHeader {
        var (width, height, components): (Int32, Int32, Int32) = (0, 0, 0)
        guard let start = bytes.baseAddress else { throw .notJPEG }
        let status = swiftlet_jpeg_read_header(decoder, start, UInt64(bytes.count), &width, &height, &components)
        guard status == 0 else { throw JPEGError(status: status) }
        return JPEGHeader(width: Int(width), height: Int(height), components: Int(components))
    }

    /// Decodes at 1/`denominator` (1, 2, 4 or 8) into `pixels`: RGB, or with `isGray` one byte a pixel (luma of a colour
    /// picture); rows without padding. The size is the header's scaled size.
    public func decode(
        _ bytes: UnsafeRawBufferPointer, denominator: Int = 1, isGray: Bool = false,
        into pixels: UnsafeMutableRawBufferPointer
    ) throws(JPEGError) -> (width: Int, height: Int) {
        guard let start = bytes.baseAddress else { throw .notJPEG }
        guard let target = pixels.baseAddress else { throw .tooLarge }
        var (width, height): (Int32, Int32) = (0, 0)
        let status = swiftlet_jpeg_decode(
            decoder, start, UInt64(bytes.count), Int32(denominator), isGray ? 1 : 3,
            target.assumingMemoryBound(to: UInt8.self), UInt64(pixels.count), &width, &height)
        guard status == 0 else { throw JPEGError(status: status) }
        return (Int(width), Int(height))
    }

    /// libjpeg's words about the last failure; empty after success.
    public var message: String { String(cString: swiftlet_jpeg_message(decoder)) }

    /// Blocks of memory that all decoders of the process have asked for: a measure for tests.
    public static var allocationCount: Int { Int(swiftlet_jpeg_allocation_count()) }
}
