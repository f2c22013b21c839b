import Camera
import Engine
import NestFormat
import Platform
import Vision

/// Why a run could not start, or ended early; exit code 1.
public enum RunError: Error {
    case model(path: String, ModelError)
    case session(SessionError)
    case source(SourceError)
    case system(SystemError)
    case decoding(DecodingError)
    /// The file has no preprocessing: it does not say how pictures become its input.
    case noPreprocessing(path: String)
    case inputCount(path: String, Int)
    /// The source ended, and not one frame could be used.
    case noFrames(source: String, bad: UInt64)

    /// Stable name: `swiftlet explain NAME`.
    public var name: String {
        switch self {
        case .model(_, let error): text(error.name)
        case .session(let error): text(error.name)
        case .source(let error): error.name
        case .system(let error): text(error.name)
        case .decoding(let error): error.name
        case .noPreprocessing: "run-no-preprocessing"
        case .inputCount: "run-several-inputs"
        case .noFrames: "run-no-frames"
        }
    }

    /// The thing, what was expected and found, and what to do.
    @export(interface) public var message: String {
        switch self {
        case .model(let path, .load(let error)): "\(path): \(error.message)"
        case .model(_, .system(let error)): error.message
        case .session(let error): error.message
        case .source(let error): error.message
        case .system(let error): error.message
        case .decoding(let error): error.message
        case .noPreprocessing(let path):
            "\(path): the file does not say how pictures become its input; convert it with --preprocess, "
                + "or use 'swiftlet run MODEL --input NAME=FILE.npy'"
        case .inputCount(let path, let count):
            "\(path): expected a model with one input, found \(count); use 'swiftlet run' with --input for each"
        case .noFrames(let source, let bad):
            "source '\(source)': no frame could be used (\(bad) bad); check that it holds JPEG pictures"
        }
    }
}
