import Platform
import Vision

/// A frame's contents, in memory of its source: valid until the source's next call.
public enum Picture {
    /// One JPEG, whole or damaged: the decoder finds out.
    case jpeg(UnsafeRawBufferPointer)
    case pixels(Image)
}

/// What a source gives when asked for its next frame.
public enum SourceEvent {
    case picture(Picture)
    /// A frame that cannot be used; the name is stable.
    case bad(name: String)
    case end
    /// A stop was requested while waiting for the frame.
    case stopped
}

/// A source that cannot be opened, or broke.
public enum SourceError: Error, Sendable {
    /// The text of `--source` is not one that exists.
    case unknownSource(text: String, expected: String)
    case system(SystemError)
    /// The directory has no JPEG.
    case noPictures(path: String)

    /// Stable name: `swiftlet explain NAME`.
    public var name: String {
        switch self {
        case .unknownSource: "source-unknown"
        case .system: "system-error"
        case .noPictures: "source-without-pictures"
        }
    }

    /// What it means and what to do.
    public static func explanation(ofName name: String) -> String {
        """
        The frames' source cannot be used. Give a directory with .jpg files, a .jpg or .mjpeg file, - for MJPEG on \
        standard input, or raw:FILE?format=YUYV&size=640x480.
        """
    }

    @export(interface) public var message: String {
        switch self {
        case .unknownSource(let text, let expected): "source '\(text)': expected \(expected)"
        case .system(let error): error.message
        case .noPictures(let path): "\(path): no .jpg or .jpeg file in this directory"
        }
    }
}
