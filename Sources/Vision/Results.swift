/// A class and how likely it is.
public struct ClassScore: Sendable, Hashable, BitwiseCopyable {
    public var classIndex: Int
    public var score: Float
}

/// A found object. The box is in shares (0 … 1) of the source picture's width and height.
public struct Detection: Sendable, Hashable, BitwiseCopyable {
    public var classIndex: Int
    public var score: Float
    public var xMin: Float, yMin: Float, xMax: Float, yMax: Float
}

/// A keypoint, in shares of the source picture's width and height; may lie outside 0 … 1.
public struct Keypoint: Sendable, Hashable, BitwiseCopyable {
    public var x: Float, y: Float, score: Float
}

/// Equal classes in a row of a mask, row-major over the whole mask.
public struct MaskRun: Sendable, Hashable, BitwiseCopyable {
    public var classIndex: Int32
    public var length: Int32
}

/// What there is to say about an output without decoding.
public struct OutputSummary: Sendable, Hashable, BitwiseCopyable {
    public var minimum: Float, maximum: Float, mean: Float
    /// Stored index of the first largest element.
    public var largestIndex: Int
}

/// Reading of a dial.
public enum GaugeReading: Sendable, Hashable {
    /// In the gauge's unit.
    case value(Float)
    /// A keypoint's score is below the threshold, or the points do not span a dial.
    case unreadable
}

/// Which of `Decoder`'s results are there.
public enum ResultKind: Sendable, Hashable {
    case summaries, classes, detections, mask, keypoints
}

/// Outputs that do not suit their decoding: found before the first frame.
public enum DecodingError: Error, Sendable, Hashable {
    case missingOutput(index: Int, available: Int)
    case unsuitableOutput(output: String, expected: String, found: String)

    /// Stable name: `swiftlet explain NAME`.
    public var name: String {
        switch self {
        case .missingOutput: "decoding-missing-output"
        case .unsuitableOutput: "decoding-unsuitable-output"
        }
    }

    /// What it means and what to do.
    public var explanation: String {
        """
        The file's output decoding does not fit the network's outputs. Convert the model again with the decoding that its \
        outputs have; `swiftlet inspect` lists them.
        """
    }

    @export(interface) public var message: String {
        switch self {
        case .missingOutput(let index, let available):
            "output decoding reads output \(index), but the network has \(available); convert with another --decoding"
        case .unsuitableOutput(let output, let expected, let found):
            "output '\(output)': expected \(expected), found \(found); convert with another --decoding"
        }
    }
}
