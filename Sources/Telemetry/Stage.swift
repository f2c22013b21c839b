/// The parts of a frame's way from capture to result, in order. Their sum is compared with the whole way.
public enum Stage: UInt8, CaseIterable, Sendable {
    /// Capture (or scheduled) time until work on the frame began.
    case wait = 0
    /// Compressed picture to pixels; for raw sources reading the pixels.
    case decode = 1
    /// Pixels to the input tensor: colour, crop, resize, quantization.
    case preprocess = 2
    /// The network. Layers are measured inside this stage.
    case inference = 3
    /// Output tensors to labels, boxes, masks, points.
    case postprocess = 4
    /// Writing the result out.
    case output = 5

    /// Stable name, as in JSON and CSV.
    public var name: StaticString {
        switch self {
        case .wait: return "wait"
        case .decode: return "decode"
        case .preprocess: return "preprocess"
        case .inference: return "inference"
        case .postprocess: return "postprocess"
        case .output: return "output"
        }
    }
}

/// Something that happened at one moment of a run.
public enum EventKind: UInt8, CaseIterable, Sendable {
    case badFrame = 0
    case sourceLost = 1
    case sourceRecovered = 2
    case throttlingBegan = 3
    case throttlingEnded = 4
    case error = 5

    /// Stable name, as in JSON.
    public var name: StaticString {
        switch self {
        case .badFrame: return "bad-frame"
        case .sourceLost: return "source-lost"
        case .sourceRecovered: return "source-recovered"
        case .throttlingBegan: return "throttling-began"
        case .throttlingEnded: return "throttling-ended"
        case .error: return "error"
        }
    }
}

/// Why a run ended.
public enum StopReason: UInt8, CaseIterable, Sendable {
    /// The source had no more frames.
    case endOfSource = 0
    /// The number of frames asked for was reached.
    case frameLimit = 1
    /// SIGTERM or SIGINT.
    case signal = 2
    /// The source went away and did not come back.
    case sourceLost = 3
    /// An error that ended the run; the text names it.
    case error = 4

    /// Stable name, as in JSON.
    public var name: StaticString {
        switch self {
        case .endOfSource: return "end-of-source"
        case .frameLimit: return "frame-limit"
        case .signal: return "signal"
        case .sourceLost: return "source-lost"
        case .error: return "error"
        }
    }
}
