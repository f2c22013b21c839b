/// How pixels lie in memory.
public enum PixelFormat: UInt8, Sendable, Hashable, CaseIterable {
    /// 3 bytes a pixel: red, green, blue.
    case rgb24 = 0
    /// 1 byte a pixel.
    case gray8 = 1
    /// 4 bytes for two pixels: Y0 U Y1 V (V4L2 "YUYV"). Even width.
    case yuyv = 2
    /// A plane of Y, then a plane of U V pairs at half the size both ways, rounded up (V4L2 "NV12").
    case nv12 = 3
    /// Planes of Y, U and V, the last two at half the size both ways, rounded up (V4L2 "YU12").
    case i420 = 4

    public var name: StaticString {
        switch self {
        case .rgb24: "RGB"
        case .gray8: "GREY"
        case .yuyv: "YUYV"
        case .nv12: "NV12"
        case .i420: "I420"
        }
    }

    /// Bytes of a picture whose rows follow each other without padding; nil when the width does not suit the format.
    public func byteCount(width: Int, height: Int) -> Int? {
        guard width > 0, height > 0, width <= 1 << 16, height <= 1 << 16 else { return nil }
        let (halfWidth, halfHeight) = ((width + 1) / 2, (height + 1) / 2)
        switch self {
        case .rgb24: return width * height * 3
        case .gray8: return width * height
        case .yuyv: return width % 2 == 0 ? width * height * 2 : nil
        case .nv12, .i420: return width * height + 2 * halfWidth * halfHeight
        }
    }
}

/// Range of YUV samples (BT.601). Cameras that send YUYV, NV12 or I420 mean `limited` unless they say otherwise.
public enum ColorRange: UInt8, Sendable, Hashable {
    /// Y 16 … 235, U and V 16 … 240.
    case limited = 0
    /// All 0 … 255, as in JPEG.
    case full = 1
}

/// A view of a picture in memory that somebody else owns and keeps alive.
public struct Image {
    public var format: PixelFormat
    public var range: ColorRange
    /// Pixels.
    public var width: Int, height: Int
    /// Rows start `strides.n` bytes apart in plane n. Unused planes repeat plane 0.
    public var planes: (UnsafePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>)
    public var strides: (Int, Int, Int)

    /// A picture in planes with strides of their own.
    public init(
        format: PixelFormat, range: ColorRange = .limited, width: Int, height: Int,
        planes: (UnsafePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>), strides: (Int, Int, Int)
    ) {
        (self.format, self.range, self.width, self.height) = (format, range, width, height)
        (self.planes, self.strides) = (planes, strides)
    }

    /// A picture whose rows and planes follow each other without padding. Nil when `bytes` are too few or the width does
    /// not suit the format.
    public init?(
        format: PixelFormat, range: ColorRange = .limited, width: Int, height: Int, bytes: UnsafeRawBufferPointer
    ) {
        guard let needed = format.byteCount(width: width, height: height), bytes.count >= needed,
            let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return nil }
        let (halfWidth, halfHeight) = ((width + 1) / 2, (height + 1) / 2)
        let chroma = start + width * height
        switch format {
        case .rgb24:
            self.init(
                format: format, range: range, width: width, height: height, planes: (start, start, start),
                strides: (width * 3, 0, 0))
        case .gray8:
            self.init(
                format: format, range: range, width: width, height: height, planes: (start, start, start),
                strides: (width, 0, 0))
        case .yuyv:
            self.init(
                format: format, range: range, width: width, height: height, planes: (start, start, start),
                strides: (width * 2, 0, 0))
        case .nv12:
            self.init(
                format: format, range: range, width: width, height: height, planes: (start, chroma, start),
                strides: (width, 2 * halfWidth, 0))
        case .i420:
            self.init(
                format: format, range: range, width: width, height: height,
                planes: (start, chroma, chroma + halfWidth * halfHeight), strides: (width, halfWidth, halfWidth))
        }
    }
}
