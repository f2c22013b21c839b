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
}

/// A made-up run, one setting away from a healthy one.
struct Scenario {
    var seconds = 60
    var framesPerSecond = 30
    /// Nanoseconds of all stages but waiting.
    var work: UInt64 = 12_000_000
    /// Of `work`, hundredths for each stage from decode to output.
    var parts: [UInt64] = [20, 10, 60, 5, 5]
    /// Every n-th frame takes ten times as long.
    var slowEvery: Int?
    var dropEvery: Int?
    var badEvery: Int?
    /// From this second on the CPU is throttled and everything takes twice as long.
    var throttledFrom: Int?
    /// What work takes at the end of the run, times that at its start.
    var slowdown = 1.0
    var milliCelsius: Int32 = 55_000
    /// Of the inference time, hundredths for each layer.
    var layerParts: [UInt64] = [14, 20, 24, 16, 14, 10]
    var floatLayers: Set<Int> = []
    var scalarLayers: Set<Int> = []
    var stopReason: StopReason? = .endOfSource
    var stopText = ""
    var eventCost: UInt64 = 80
    var seed: UInt64 = 1
    var change: (inout RunMetadata) -> Void = { _ in }
    var extra: (Recorder) -> Void = { _ in }

    func makeMetadata() -> RunMetadata {
        var metadata = RunMetadata()
        metadata.modelName = "gauge.nest"
        metadata.modelHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        metadata.modelBytes = 482_304
        metadata.arenaBytes = 196_608
        metadata.toolVersion = "1.0.0"
        metadata.deviceName = "line-3"
        metadata.cpuModel = "Cortex-A72"
        metadata.isa = "neon"
        metadata.bestIsa = "neon"
        metadata.governor = "performance"
        metadata.maximumFrequencyKilohertz = 1_800_000
        metadata.threads = 2
        metadata.commandLine = "swiftlet-run gauge.nest --source belt.mjpeg --fps 30 --report run.swr"
        metadata.source = "belt.mjpeg"
        metadata.startUnixSeconds = 1_795_243_215
        metadata.targetMilliFramesPerSecond = UInt32(framesPerSecond * 1000)
        metadata.deadlineNanoseconds = framesPerSecond > 0 ? 1_000_000_000 / UInt64(framesPerSecond) : 0
        metadata.layers = layerParts.indices.map { index in
            LayerDescription(
                name: "block\(index)/conv", operatorName: index % 2 == 0 ? "Conv2D" : "DepthwiseConv2D",
                kernel: "swiftlet_conv_s8_4x16__" + (scalarLayers.contains(index) ? "scalar" : "neon"),
                isFloat: floatLayers.contains(index), multiplyAccumulates: 1_500_000 * UInt64(index + 1))
        }
        change(&metadata)
        return metadata
    }

    func report() -> LatencyReport {
        var generator = SeededGenerator(seed)
        let recorder = Recorder(metadata: makeMetadata(), startNanoseconds: 0)
        var clock: UInt64 = 0
        recorder.measureEventCost {
            clock += eventCost / 2
            return clock
        }
        let rate = max(framesPerSecond, 30)
        let interval = 1_000_000_000 / UInt64(rate)
        var frame = 0
        for second in 0..<seconds {
            let isThrottled = throttledFrom.map { second >= $0 } ?? false
            for index in 0..<rate {
                frame += 1
                let due = UInt64(second) * 1_000_000_000 + UInt64(index) * interval
                recorder.frameCaptured()
                if let badEvery, frame % badEvery == 0 {
                    recorder.recordBadFrame(
                        named: frame % (2 * badEvery) == 0 ? "jpeg-truncated" : "jpeg-bad-marker",
                        frame: UInt64(frame), at: due)
                    continue
                }
                if let dropEvery, frame % dropEvery == 0 {
                    recorder.framesDropped()
                    continue
                }
                var time = work + generator.next() % (work / 8)
                time = UInt64(Double(time) * (1 + (slowdown - 1) * Double(second) / Double(seconds)))
                if isThrottled { time *= 2 }
                if let slowEvery, frame % slowEvery == 0 { time *= 10 }
                var total = generator.next() % 200_000
                recorder.record(stage: .wait, nanoseconds: total)
                for (stage, part) in zip(Stage.allCases.dropFirst(), parts) {
                    recorder.record(stage: stage, nanoseconds: time * part / 100)
                    total += time * part / 100
                }
                for (layer, part) in layerParts.enumerated() {
                    recorder.recordLayer(index: layer, nanoseconds: time * parts[2] / 100 * part / 100)
                }
                recorder.recordResult(scheduledNanoseconds: due, finishedNanoseconds: due + total)
            }
            recorder.sample(
                at: UInt64(second + 1) * 1_000_000_000, frequencyKilohertz: isThrottled ? 900_000 : 1_800_000,
                temperatureMilliCelsius: milliCelsius + (isThrottled ? 28_000 : 0) + Int32(generator.next() % 900),
                isThrottled: isThrottled)
        }
        recorder.notePeakResident(bytes: 5_242_880)
        extra(recorder)
        return recorder.report(at: UInt64(seconds) * 1_000_000_000, stopReason: stopReason, stopText: stopText)
    }
}
