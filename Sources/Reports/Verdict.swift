import Telemetry

/// What a report says in words: whether the device does its work, why not, and what to do.
public struct Verdict: Sendable {
    /// Stable names.
    public enum Outcome: String, CaseIterable, Sendable {
        /// At most 1 % of frames came late or not at all.
        case keepsUp = "keeps-up"
        /// More than 1 % and at most 10 % of frames came late or not at all.
        case sometimesLate = "sometimes-late"
        /// More than 10 % of frames came late or not at all.
        case tooSlow = "too-slow"
        /// No frame rate and no deadline was asked for, so there is nothing to keep up with.
        case unpaced = "unpaced"
        /// The source was lost for good, or more than 10 % of frames could not be read.
        case cameraTrouble = "camera-trouble"
        /// The run ended with an error.
        case failed = "failed"
        /// No frame got a result.
        case nothingMeasured = "nothing-measured"
    }

    public var outcome: Outcome
    /// One sentence, without a full stop.
    public var headline: String
    /// Reasons and remedies, the most serious first.
    public var findings: [Finding]

    /// True when nobody has to do anything.
    public var isGood: Bool {
        (outcome == .keepsUp || outcome == .unpaced) && !findings.contains { $0.severity == .problem }
    }
}

/// One reason, with what to do about it.
public struct Finding: Sendable {
    public enum Severity: String, CaseIterable, Comparable, Sendable {
        case note, warning, problem

        public static func < (left: Severity, right: Severity) -> Bool {
            left.rank < right.rank
        }

        private var rank: Int {
            switch self {
            case .note: return 0
            case .warning: return 1
            case .problem: return 2
            }
        }
    }

    /// Stable names; `explanation` is for `swiftlet explain`.
    public enum Code: String, CaseIterable, Sendable {
        case runsBehind = "runs-behind"
        case sourceLost = "source-lost"
        case badFrames = "bad-frames"
        case errors = "errors"
        case framesDropped = "frames-dropped"
        case lateFrames = "late-frames"
        case throttled = "throttled"
        case hot = "hot"
        case slowedDown = "slowed-down"
        case governor = "governor"
        case isaNotBest = "isa-not-best"
        case scalarKernels = "scalar-kernels"
        case floatLayers = "float-layers"
        case slowStage = "slow-stage"
        case slowLayer = "slow-layer"
        case beyondRange = "beyond-range"
        case slowestDevice = "slowest-device"
        case notFinished = "not-finished"
        case fileDamaged = "file-damaged"
        case fewFrames = "few-frames"
        case stagesDoNotAddUp = "stages-do-not-add-up"
        case layersDoNotAddUp = "layers-do-not-add-up"
        case costlyMeasurement = "costly-measurement"

        /// When a report carries this finding.
        public var explanation: String {
            switch self {
            case .runsBehind: return "Of several runs at least one does not keep up, whatever all together do."
            case .sourceLost: return "The camera or stream went away during the run."
            case .badFrames: return "Frames could not be decoded; they were counted, named and skipped."
            case .errors: return "Errors other than bad frames were counted."
            case .framesDropped: return "Frames were given up because a newer one was there: the newest frame wins."
            case .lateFrames: return "Results came later than the deadline, usually one frame interval after capture."
            case .throttled: return "The CPU lowered its frequency because of heat or supply voltage."
            case .hot: return "The CPU reached 80 °C or more without being throttled yet."
            case .slowedDown:
                return "The last quarter of the run was at least 20 % slower than the first, without throttling."
            case .governor: return "The CPU frequency governor keeps the CPU below its highest frequency."
            case .isaNotBest: return "The kernels in use are for an older instruction set than this CPU has."
            case .scalarKernels: return "Layers with at least 5 % of the layer time run without SIMD."
            case .floatLayers: return "Layers are computed in float32 instead of int8."
            case .slowStage: return "One stage other than inference takes at least 40 % of the time to a result."
            case .slowLayer: return "One layer of at least four takes 30 % or more of the layer time."
            case .beyondRange: return "Durations beyond 60 s lie outside the histograms; only their number is known."
            case .slowestDevice: return "Of several runs the slowest has a p99 at least 1.5 times the fastest's."
            case .notFinished: return "The report has no final record: killed, out of power, or still running."
            case .fileDamaged: return "Parts of the report file failed their checksum or could not be read."
            case .fewFrames: return "Fewer than 300 frames: the 99th percentile rests on three frames or less."
            case .stagesDoNotAddUp: return "The stages explain less than 90 % or more than 110 % of capture→result."
            case .layersDoNotAddUp: return "The layers explain less than 90 % or more than 110 % of inference."
            case .costlyMeasurement: return "Measuring the layers took more than 1 % of the inference time."
            }
        }
    }

    public var code: Code
    public var severity: Severity
    /// What is the case, with figures.
    public var what: String
    /// What to do.
    public var remedy: String
}
