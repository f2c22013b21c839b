import Telemetry

/// SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Spread evenly over the powers of two up to 2^`bits`.
    mutating func logarithmic(bits: UInt64) -> UInt64 {
        next() >> (63 - next() % bits)
    }
}

/// A file system of one file that can be full, and that counts what it was asked.
final class MemoryFile {
    var bytes: [UInt8] = []
    var replacement: [UInt8]?
    /// Appends fail once this many bytes were accepted in all.
    var capacity = Int.max
    var accepted = 0
    var appendSizes: [Int] = []
    var replacements = 0
    var synchronizations = 0
    /// What a kill after each append would have left.
    var onAppend: (([UInt8]) -> Void)?
}

struct DiskFull: Error, Equatable {}

struct MemorySink: ReportSink {
    let file: MemoryFile

    func append(_ bytes: UnsafeRawBufferPointer) throws(DiskFull) {
        let room = max(0, file.capacity - file.accepted)
        let taken = bytes.prefix(room)
        file.accepted += taken.count
        file.appendSizes.append(bytes.count)
        if file.replacement != nil { file.replacement! += taken } else { file.bytes += taken }
        file.onAppend?(file.bytes)
        if taken.count < bytes.count { throw DiskFull() }
    }

    func synchronize() throws(DiskFull) {
        file.synchronizations += 1
    }

    func beginReplacement() throws(DiskFull) {
        file.replacement = []
    }

    func commitReplacement() throws(DiskFull) {
        file.bytes = file.replacement!
        file.replacement = nil
        file.replacements += 1
    }

    func abandonReplacement() {
        file.replacement = nil
    }
}

func makeMetadata(layers: Int = 3) -> RunMetadata {
    var metadata = RunMetadata()
    metadata.modelName = "gauge.nest"
    metadata.modelHash = "9f86d081884c7d659a2feaa0c55ad015"
    metadata.modelBytes = 123_456
    metadata.arenaBytes = 98_304
    metadata.toolVersion = "1.0.0"
    metadata.deviceName = "line-3"
    metadata.cpuModel = "Cortex-A72 \"quoted\" <rev 3>"
    metadata.isa = "neon"
    metadata.bestIsa = "neon-dotprod"
    metadata.isIsaForced = true
    metadata.governor = "ondemand"
    metadata.maximumFrequencyKilohertz = 1_800_000
    metadata.threads = 2
    metadata.commandLine = "swiftlet-run gauge.nest --source belt.mjpeg --fps 30"
    metadata.source = "belt.mjpeg"
    metadata.startUnixSeconds = 1_795_243_215
    metadata.targetMilliFramesPerSecond = 30_000
    metadata.deadlineNanoseconds = 33_333_333
    metadata.layers = (0..<layers).map {
        LayerDescription(
            name: "conv\($0)", operatorName: "Conv2D", kernel: "swiftlet_conv_s8_4x16__neon", isFloat: $0 == 1,
            multiplyAccumulates: UInt64($0) * 1_000_000)
    }
    return metadata
}

func play(second: Int, on recorder: Recorder, generator: inout SeededGenerator) {
    play(second: second, on: recorder, generator: &generator) { _ in }
}

/// One second of a run at 30 frames a second, with what can go wrong in it.
func play(
    second: Int, on recorder: Recorder, generator: inout SeededGenerator, framesPerSecond: Int = 30,
    afterEachFrame: (UInt64) throws -> Void
) rethrows {
    let interval = 1_000_000_000 / UInt64(framesPerSecond)
    for frame in 0..<framesPerSecond {
        let due = recorder.startNanoseconds + UInt64(second) * 1_000_000_000 + UInt64(frame) * interval
        recorder.frameCaptured()
        if generator.next() % 50 == 0 {
            recorder.recordBadFrame(named: "jpeg-truncated", frame: UInt64(frame), at: due)
            continue
        }
        if generator.next() % 40 == 0 {
            recorder.framesDropped()
            continue
        }
        var spent: UInt64 = 0
        for stage in Stage.allCases {
            let time = 200_000 + generator.next() % 3_000_000
            recorder.record(stage: stage, nanoseconds: time)
            spent += time
        }
        for layer in recorder.metadata.layers.indices {
            recorder.recordLayer(index: layer, nanoseconds: 10_000 + generator.next() % 50_000)
        }
        recorder.recordResult(scheduledNanoseconds: due, finishedNanoseconds: due + spent)
        try afterEachFrame(due + spent)
    }
    recorder.sample(
        at: recorder.startNanoseconds + UInt64(second + 1) * 1_000_000_000,
        frequencyKilohertz: second % 7 < 5 ? 1_800_000 : 600_000, temperatureMilliCelsius: Int32(45_000 + second * 500),
        isThrottled: second % 7 >= 5)
}
