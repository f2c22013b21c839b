import Telemetry

extension Reports {
    /// The verdict of a report. Pure: the same report gives the same verdict.
    public static func verdict(of report: LatencyReport) -> Verdict {
        let facts = Facts(report)
        let outcome = facts.outcome
        let rules: [(Facts) -> Finding?] = [
            runsBehind, sourceLost, badFrames, errors, framesDropped, lateFrames, throttled, hot, slowedDown, governor,
            isaNotBest, scalarKernels, floatLayers, slowStage, slowLayer, beyondRange, slowestDevice, notFinished, fileDamaged,
            fewFrames, stagesDoNotAddUp, layersDoNotAddUp, costlyMeasurement,
        ]
        let found = rules.compactMap { $0(facts) }
        let ordered = [Finding.Severity.problem, .warning, .note].flatMap { severity in
            found.filter { $0.severity == severity }
        }
        return Verdict(outcome: outcome, headline: headline(outcome, facts), findings: ordered)
    }

    /// Quantities that several rules use.
    struct Facts {
        let report: LatencyReport
        let runs: [Run]
        let counters: FrameCounters
        /// Frames that should have had a result.
        let wanted: UInt64
        /// Share of `wanted` that came late or not at all.
        let missShare: Double
        let badShare: Double

        init(_ report: LatencyReport) {
            self.report = report
            runs = report.runs
            counters = report.counters
            let accounted = counters.processed + counters.dropped
            wanted = max(accounted, counters.captured - min(counters.bad, counters.captured))
            missShare = wanted == 0 ? 0 : Double(counters.dropped + counters.late) / Double(wanted)
            let seen = max(counters.captured, accounted + counters.bad)
            badShare = seen == 0 ? 0 : Double(counters.bad) / Double(seen)
        }

        /// The facts of one run by itself, without its stages and layers.
        init(_ run: Run) {
            var report = LatencyReport()
            report.runs = [run]
            report.counters = run.counters
            report.captureToResult = run.captureToResult
            self.init(report)
        }

        var isPaced: Bool {
            runs.contains { $0.metadata.targetMilliFramesPerSecond > 0 || $0.metadata.deadlineNanoseconds > 0 }
        }

        var outcome: Verdict.Outcome {
            if runs.contains(where: { $0.stopReason == .error }) { return .failed }
            if runs.contains(where: { $0.stopReason == .sourceLost }) || badShare > 0.1 { return .cameraTrouble }
            if counters.processed == 0 { return .nothingMeasured }
            guard isPaced else { return .unpaced }
            if missShare <= 0.01 { return .keepsUp }
            return missShare <= 0.1 ? .sometimesLate : .tooSlow
        }

        /// " at 30 fps", or nothing when there was no rate.
        var rate: String {
            let rates = Set(runs.map { $0.metadata.targetMilliFramesPerSecond }.filter { $0 > 0 })
            switch rates.count {
            case 0: return ""
            case 1: return " at " + Format.frameRate(milli: rates.first!)
            default: return " at " + rates.sorted().map { Format.frameRate(milli: $0) }.joined(separator: " and ")
            }
        }

        /// Frames per second that the work itself allows: everything but waiting, one frame after the other.
        var possibleRate: Double? {
            let busy = report.stageSum - min(report.stageSum, report[.wait].sum)
            guard busy > 0, counters.processed > 0 else { return nil }
            return Double(counters.processed) * 1e9 / Double(busy)
        }

        var p99: String { Format.duration(report.captureToResult.percentile(99)) }

        /// " on line-3", when there are several runs to tell apart.
        func place(_ run: Run) -> String {
            guard runs.count > 1 else { return "" }
            return " on " + Reports.name(of: run)
        }

        func layerShare(_ layers: [LayerStatistics]) -> Double {
            let total = report.layerSum
            guard total > 0 else { return 0 }
            return layers.reduce(0.0) { $0 + Double($1.histogram.sum) } / Double(total)
        }
    }

    /// A name for a run: the device, or what is known in its place.
    static func name(of run: Run) -> String {
        if !run.metadata.deviceName.isEmpty { return run.metadata.deviceName }
        return run.metadata.cpuModel.isEmpty ? "an unnamed device" : run.metadata.cpuModel
    }

    /// A name for a run that no other run of the report has.
    static func label(_ index: Int, in report: LatencyReport) -> String {
        let name = name(of: report.runs[index])
        let isShared = report.runs.indices.contains { $0 != index && self.name(of: report.runs[$0]) == name }
        return isShared ? "\(name), run \(index + 1)" : name
    }

    /// An outcome in the words that begin its headline.
    static func words(_ outcome: Verdict.Outcome) -> String {
        switch outcome {
        case .keepsUp: return "keeps up"
        case .sometimesLate: return "sometimes late"
        case .tooSlow: return "too slow"
        case .unpaced: return "no frame rate asked for"
        case .cameraTrouble: return "camera trouble"
        case .failed: return "stopped by an error"
        case .nothingMeasured: return "nothing measured"
        }
    }

    private static func headline(_ outcome: Verdict.Outcome, _ facts: Facts) -> String {
        switch outcome {
        case .keepsUp:
            return "Keeps up: 99 % of frames answered within \(facts.p99)\(facts.rate)"
        case .sometimesLate:
            return "Sometimes late: \(Format.percent(facts.missShare)) of frames came late or not at all\(facts.rate); "
                + "99 % of answers within \(facts.p99)"
        case .tooSlow:
            var text = "Too slow: \(Format.percent(facts.missShare)) of frames came late or not at all\(facts.rate)"
            if let rate = facts.possibleRate { text += "; the work allows about \(wholeRate(rate))" }
            return text
        case .unpaced:
            var text = "No frame rate asked for: 99 % of frames answered within \(facts.p99)"
            if let rate = facts.possibleRate { text += ", enough for about \(wholeRate(rate))" }
            return text
        case .cameraTrouble:
            if let run = facts.runs.first(where: { $0.stopReason == .sourceLost }) {
                return "Camera trouble: the source was lost after "
                    + Format.span(milliseconds: run.elapsedNanoseconds / 1_000_000) + facts.place(run)
                    + cause(run.stopText)
            }
            return "Camera trouble: \(Format.percent(facts.badShare)) of frames could not be read"
        case .failed:
            let run = facts.runs.first { $0.stopReason == .error }!
            return "Stopped by an error after " + Format.span(milliseconds: run.elapsedNanoseconds / 1_000_000)
                + facts.place(run) + cause(run.stopText)
        case .nothingMeasured:
            return "Nothing measured: no frame got a result"
        }
    }

    private static func cause(_ text: String) -> String {
        text.isEmpty ? "" : ": " + text
    }

    /// A frame rate rounded down, so that it holds: "22 fps", below one frame a second "0.4 fps".
    private static func wholeRate(_ rate: Double) -> String {
        rate >= 1
            ? Format.fixed(rate.rounded(.down), decimals: 0) + " fps" : Format.fixed(rate, decimals: 2) + " fps"
    }

    private static func runsBehind(_ facts: Facts) -> Finding? {
        guard facts.runs.count > 1 else { return nil }
        let behind = facts.runs.indices.filter { index in
            let outcome = Facts(facts.runs[index]).outcome
            return outcome != .keepsUp && outcome != .unpaced
        }
        guard !behind.isEmpty else { return nil }
        let shown = behind.prefix(5).map { index in
            "\(label(index, in: facts.report)) (\(words(Facts(facts.runs[index]).outcome)))"
        }
        return Finding(
            code: .runsBehind, severity: .problem,
            what: "\(behind.count) of \(facts.runs.count) runs \(behind.count == 1 ? "does" : "do") not keep up: "
                + shown.joined(separator: ", ") + (behind.count > 5 ? " and \(behind.count - 5) more." : "."),
            remedy: "Report on each of them by itself to see its own causes.")
    }

    // MARK: Camera

    private static func sourceLost(_ facts: Facts) -> Finding? {
        let lost = facts.runs.reduce(0) { $0 + $1.total(of: .sourceLost) }
        let ended = facts.runs.contains { $0.stopReason == .sourceLost }
        guard lost > 0 || ended else { return nil }
        let recovered = facts.runs.reduce(0) { $0 + $1.total(of: .sourceRecovered) }
        return Finding(
            code: .sourceLost, severity: ended || recovered < lost ? .problem : .warning,
            what: "The source was lost \(Format.counted(max(lost, 1), "time")) and came back "
                + "\(Format.counted(recovered, "time")).",
            remedy: "Check cable, plug and supply of the camera; a hub with its own supply helps USB cameras that reset.")
    }

    private static func badFrames(_ facts: Facts) -> Finding? {
        guard facts.counters.bad > 0 else { return nil }
        let names = facts.report.badFrames.sorted { $0.count > $1.count }.prefix(3)
            .map { "\($0.name) × \(Format.count($0.count))" }.joined(separator: ", ")
        return Finding(
            code: .badFrames, severity: facts.badShare > 0.1 ? .problem : facts.badShare > 0.01 ? .warning : .note,
            what: "\(Format.counted(facts.counters.bad, "frame")) (\(Format.percent(facts.badShare))) could not be read"
                + (names.isEmpty ? "." : ": \(names)."),
            remedy: "Check the camera's cable and supply, then its settings; `swiftlet explain` tells what each name means.")
    }

    private static func errors(_ facts: Facts) -> Finding? {
        guard facts.counters.errors > 0 else { return nil }
        let texts = facts.runs.flatMap { $0.events }.filter { $0.kind == .error && !$0.text.isEmpty }.map { $0.text }
        let names = Array(Set(texts)).sorted().prefix(3).joined(separator: ", ")
        return Finding(
            code: .errors, severity: .warning,
            what: "\(Format.counted(facts.counters.errors, "error")) during the run"
                + (names.isEmpty ? "." : ": \(names)."),
            remedy: "See the events below; `swiftlet explain` tells what each name means.")
    }

    // MARK: Speed

    private static func framesDropped(_ facts: Facts) -> Finding? {
        guard facts.counters.dropped > 0, facts.wanted > 0 else { return nil }
        let share = Double(facts.counters.dropped) / Double(facts.wanted)
        return Finding(
            code: .framesDropped, severity: share > 0.1 ? .problem : share > 0.01 ? .warning : .note,
            what: "\(Format.counted(facts.counters.dropped, "frame")) dropped (\(Format.percent(share))) "
                + "because a newer one was waiting.",
            remedy: speedRemedy(facts))
    }

    private static func lateFrames(_ facts: Facts) -> Finding? {
        guard facts.counters.late > 0, facts.wanted > 0 else { return nil }
        let share = Double(facts.counters.late) / Double(facts.wanted)
        let deadlines = Set(facts.runs.map { $0.metadata.deadlineNanoseconds }.filter { $0 > 0 }).sorted()
        let limit = deadlines.map { Format.duration($0) }.joined(separator: " or ")
        return Finding(
            code: .lateFrames, severity: share > 0.1 ? .problem : share > 0.01 ? .warning : .note,
            what: "\(Format.counted(facts.counters.late, "result")) (\(Format.percent(share))) came later than "
                + "\(limit.isEmpty ? "the deadline" : limit) after capture; the longest took "
                + "\(Format.duration(facts.report.captureToResult.maximum)).",
            remedy: facts.counters.dropped > 0 ? "As for the dropped frames." : speedRemedy(facts))
    }

    private static func speedRemedy(_ facts: Facts) -> String {
        let threads = facts.runs.map { $0.metadata.threads }.max() ?? 0
        let asked = Double(facts.runs.map { $0.metadata.targetMilliFramesPerSecond }.max() ?? 0) / 1000
        var choices: [String] = []
        if let rate = facts.possibleRate, asked > 0 {
            // A tenth in reserve for frames that take longer than the mean.
            guard rate * 0.9 < asked else {
                return "Treat the other causes named here. The work itself would allow \(wholeRate(rate)): "
                    + "the time line shows when it took longer."
            }
            choices.append("ask for at most \(wholeRate(rate * 0.9))")
        }
        choices.append(threads == 1 ? "give it more threads (`--threads`)" : "use a smaller model or a pruned one")
        return "Treat the other causes named here; else " + choices.joined(separator: ", or ") + "."
    }

    private static func throttled(_ facts: Facts) -> Finding? {
        let samples = facts.runs.flatMap { $0.samples }
        let hot = samples.filter { $0.isThrottled }
        let began = facts.runs.reduce(0) { $0 + $1.total(of: .throttlingBegan) }
        guard !hot.isEmpty || began > 0 else { return nil }
        let share = timeShare(of: hot, in: samples)
        var what = "The CPU was throttled \(Format.percent(share)) of the time"
        var details: [String] = []
        if let highest = hot.compactMap({ $0.temperatureMilliCelsius }).max() {
            details.append("up to \(Format.temperature(milliCelsius: highest))")
        }
        if let lowest = hot.map({ $0.frequencyKilohertz }).filter({ $0 > 0 }).min() {
            let full = facts.runs.map { $0.metadata.maximumFrequencyKilohertz }.max() ?? 0
            details.append(
                "down to \(Format.frequency(kilohertz: lowest))"
                    + (full > lowest ? " of \(Format.frequency(kilohertz: full))" : ""))
        }
        if !details.isEmpty { what += " (" + details.joined(separator: ", ") + ")" }
        if let slow = meanMedian(hot), let fast = meanMedian(samples.filter { !$0.isThrottled }), slow > 1.05 * fast {
            what += "; answers then took \(Format.duration(slow)) instead of \(Format.duration(fast))"
        }
        return Finding(
            code: .throttled, severity: share >= 0.05 ? .problem : .warning, what: what + ".",
            remedy: "Cool it: heat sink, fan, shade, or a lower frame rate; check that the power supply is strong enough.")
    }

    private static func hot(_ facts: Facts) -> Finding? {
        let samples = facts.runs.flatMap { $0.samples }
        guard !samples.contains(where: { $0.isThrottled }),
            let highest = samples.compactMap({ $0.temperatureMilliCelsius }).max(), highest >= 80_000
        else { return nil }
        return Finding(
            code: .hot, severity: .warning,
            what: "The CPU reached \(Format.temperature(milliCelsius: highest)); most throttle soon above 80 °C.",
            remedy: "Give it a heat sink or air before a warmer day slows it down.")
    }

    private static func slowedDown(_ facts: Facts) -> Finding? {
        for run in facts.runs {
            let samples = run.samples.filter { $0.frames > 0 }
            guard samples.count >= 8, !samples.contains(where: { $0.isThrottled }),
                let first = meanMedian(Array(samples.prefix(samples.count / 4))),
                let last = meanMedian(Array(samples.suffix(samples.count / 4))), last >= 1.2 * first
            else { continue }
            return Finding(
                code: .slowedDown, severity: .warning,
                what: "Answers got slower during the run\(facts.place(run)): from \(Format.duration(first)) in the first "
                    + "quarter to \(Format.duration(last)) in the last.",
                remedy: "Look for other programs that started, or a temperature that rises; the time line shows when.")
        }
        return nil
    }

    private static func governor(_ facts: Facts) -> Finding? {
        let slow = facts.runs.filter { $0.metadata.governor == "powersave" }
        let misses = facts.isPaced && facts.missShare > 0.01
        let changing = facts.runs.filter { ["ondemand", "conservative", "schedutil"].contains($0.metadata.governor) }
        guard let run = slow.first ?? (misses ? changing.first : nil) else { return nil }
        let isSlow = run.metadata.governor == "powersave"
        return Finding(
            code: .governor, severity: isSlow ? (misses ? .problem : .warning) : .note,
            what: isSlow
                ? "The frequency governor is powersave\(facts.place(run)): it may hold the CPU at its lowest frequency."
                : "The frequency governor is \(run.metadata.governor)\(facts.place(run)): "
                    + "it raises the frequency only after load has come.",
            remedy: "As root: echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
    }

    // MARK: Model and kernels

    private static func isaNotBest(_ facts: Facts) -> Finding? {
        guard
            let run = facts.runs.first(where: {
                !$0.metadata.bestIsa.isEmpty && !$0.metadata.isa.isEmpty && $0.metadata.isa != $0.metadata.bestIsa
            })
        else { return nil }
        let metadata = run.metadata
        return Finding(
            code: .isaNotBest, severity: .problem,
            what: "The \(metadata.isa) kernels are in use\(facts.place(run)) though this CPU has \(metadata.bestIsa).",
            remedy: metadata.isIsaForced
                ? "Leave out `--force-isa`."
                : "Run `swiftlet-run --selftest` on the device and `swiftlet inspect` on the model: "
                    + "they name the kernels and why one was not chosen.")
    }

    private static func scalarKernels(_ facts: Facts) -> Finding? {
        guard !facts.runs.contains(where: { $0.metadata.isa == "scalar" }) else { return nil }
        let scalar = facts.report.layers.filter {
            !$0.description.isFloat
                && $0.description.kernel.split(separator: " ").contains { $0.hasSuffix("__scalar") }
        }
        let share = facts.layerShare(scalar)
        guard share >= 0.05 else { return nil }
        return Finding(
            code: .scalarKernels, severity: share >= 0.3 ? .problem : .warning,
            what: "\(Format.counted(UInt64(scalar.count), "layer")) without SIMD "
                + "\(scalar.count == 1 ? "takes" : "take") \(Format.percent(share)) of the layer time: "
                + "\(names(scalar)).",
            remedy: "`swiftlet inspect` says for each why no SIMD kernel fits; channel counts in multiples of 8 usually do.")
    }

    private static func floatLayers(_ facts: Facts) -> Finding? {
        let floats = facts.report.layers.filter { $0.description.isFloat }
        guard !floats.isEmpty else { return nil }
        let share = facts.layerShare(floats)
        return Finding(
            code: .floatLayers, severity: share >= 0.3 ? .problem : share >= 0.1 ? .warning : .note,
            what: "\(Format.counted(UInt64(floats.count), "layer")) computed in float32 "
                + "\(floats.count == 1 ? "takes" : "take") \(Format.percent(share)) of the layer time: \(names(floats)).",
            remedy: "`swiftlet convert` says why each stayed float; leave out `--float` and `--keep-float`, "
                + "or give calibration images.")
    }

    private static func names(_ layers: [LayerStatistics]) -> String {
        let largest = layers.sorted { $0.histogram.sum > $1.histogram.sum }
        let shown = largest.prefix(3).map { $0.description.name }.joined(separator: ", ")
        return largest.count > 3 ? shown + " and \(largest.count - 3) more" : shown
    }

    private static func slowStage(_ facts: Facts) -> Finding? {
        let total = facts.report.stageSum
        guard total > 0 else { return nil }
        for stage in Stage.allCases where stage != .inference {
            let share = Double(facts.report[stage].sum) / Double(total)
            guard share >= 0.4 else { continue }
            let misses = facts.isPaced && facts.missShare > 0.01
            return Finding(
                code: .slowStage, severity: misses ? .warning : .note,
                what: "The stage \(stage.name) takes \(Format.percent(share)) of the time to a result, "
                    + "inference \(Format.percent(Double(facts.report[.inference].sum) / Double(total))).",
                remedy: stageRemedy(stage))
        }
        return nil
    }

    private static func stageRemedy(_ stage: Stage) -> String {
        switch stage {
        case .wait: return "Frames wait for the one before them: lower the frame rate or make a frame's work shorter."
        case .decode: return "Ask the camera for a smaller picture, or an uncompressed format such as YUYV."
        case .preprocess: return "Ask the camera for a picture nearer to the model's input size."
        case .postprocess: return "Raise the score threshold or lower the number of candidates of the output decoding."
        case .output: return "Whatever reads the results is slow: write them to a file or a pipe that is read faster."
        case .inference: return "Use a smaller model or more threads."
        }
    }

    private static func slowLayer(_ facts: Facts) -> Finding? {
        guard facts.report.layers.count >= 4,
            let slowest = facts.report.layers.max(by: { $0.histogram.sum < $1.histogram.sum })
        else { return nil }
        let share = facts.layerShare([slowest])
        guard share >= 0.3 else { return nil }
        let description = slowest.description
        let kernel = description.kernel.isEmpty ? "" : " with the kernel \(description.kernel)"
        return Finding(
            code: .slowLayer, severity: .note,
            what: "The layer \(description.name) (\(description.operatorName)\(kernel)) takes "
                + "\(Format.percent(share)) of the layer time.",
            remedy: "Make this layer smaller first: fewer channels, a larger stride before it, or pruning.")
    }

    private static func slowestDevice(_ facts: Facts) -> Finding? {
        let measured = facts.runs.filter { $0.captureToResult.count > 0 }
        guard measured.count > 1,
            let slow = measured.max(by: { $0.captureToResult.percentile(99) < $1.captureToResult.percentile(99) }),
            let fast = measured.min(by: { $0.captureToResult.percentile(99) < $1.captureToResult.percentile(99) })
        else { return nil }
        let (slowest, fastest) = (slow.captureToResult.percentile(99), fast.captureToResult.percentile(99))
        guard Double(slowest) >= 1.5 * Double(fastest) else { return nil }
        return Finding(
            code: .slowestDevice, severity: .note,
            what: "\(name(of: slow)) is the slowest of \(measured.count) runs: 99 % within \(Format.duration(slowest)), "
                + "on \(name(of: fast)) within \(Format.duration(fastest)).",
            remedy: "Report on it by itself to see its own causes.")
    }

    // MARK: The report itself

    private static func beyondRange(_ facts: Facts) -> Finding? {
        let beyond = facts.report.captureToResult.overflowCount
        guard beyond > 0 else { return nil }
        return Finding(
            code: .beyondRange, severity: .problem,
            what: "\(Format.counted(beyond, "result")) took longer than 60 s.",
            remedy: "Something stood still: look at the events, and for suspend, a stopped process or a swapping system.")
    }

    private static func notFinished(_ facts: Facts) -> Finding? {
        guard let run = facts.runs.first(where: { $0.stopReason == nil }) else { return nil }
        return Finding(
            code: .notFinished, severity: .warning,
            what: "The report\(facts.place(run)) has no end: the process was killed, the power failed, or it still runs. "
                + "Its figures reach to \(Format.span(milliseconds: run.elapsedNanoseconds / 1_000_000)) after the start.",
            remedy: "Nothing before that is lost. Stop with SIGTERM for a complete report.")
    }

    private static func fileDamaged(_ facts: Facts) -> Finding? {
        // A record cut by a kill is normal at the end of an unfinished file, and `notFinished` tells it.
        let damage = facts.runs.flatMap { run in
            run.integrity.damage.filter { part in
                if case .truncated = part.cause, run.stopReason == nil { return false }
                return true
            }
        }
        guard !damage.isEmpty else { return nil }
        let more = damage.count > 3 ? " and \(damage.count - 3) more" : ""
        return Finding(
            code: .fileDamaged, severity: .warning,
            what: "Parts of the file are damaged: "
                + damage.prefix(3).map { $0.description }.joined(separator: "; ") + more + ".",
            remedy: "Copy the file from the device again; if it is damaged there, replace the storage card.")
    }

    private static func fewFrames(_ facts: Facts) -> Finding? {
        guard facts.counters.processed > 0, facts.counters.processed < 300 else { return nil }
        return Finding(
            code: .fewFrames, severity: .note,
            what: "Only \(Format.counted(facts.counters.processed, "frame")): the high percentiles rest on very few.",
            remedy: "Let it run for some minutes: heat and rare delays show only then.")
    }

    private static func stagesDoNotAddUp(_ facts: Facts) -> Finding? {
        guard facts.report.stageSum > 0, let coverage = facts.report.stageCoverage,
            coverage < 0.9 || coverage > 1.1
        else { return nil }
        return Finding(
            code: .stagesDoNotAddUp, severity: .note,
            what: "The stages add up to \(Format.percent(coverage)) of the time from capture to result.",
            remedy: coverage < 1
                ? "The rest lies between the stages: another program may take the CPU (see `top`)."
                : "Stages overlap; compare them with each other, not with the whole.")
    }

    private static func layersDoNotAddUp(_ facts: Facts) -> Finding? {
        guard let coverage = facts.report.layerCoverage, coverage < 0.9 || coverage > 1.1 else { return nil }
        return Finding(
            code: .layersDoNotAddUp, severity: .note,
            what: "The layers add up to \(Format.percent(coverage)) of the inference time.",
            remedy: "The rest lies between the layers: very small layers, or another program that takes the CPU.")
    }

    private static func costlyMeasurement(_ facts: Facts) -> Finding? {
        guard let share = facts.report.instrumentationShare, share > 0.01 else { return nil }
        return Finding(
            code: .costlyMeasurement, severity: .note,
            what: "Measuring the layers took \(Format.percent(share)) of the inference time.",
            remedy: "Take the layer times as upper bounds: the model is very small or the clock of this CPU slow.")
    }

    // MARK: Samples

    private static func timeShare(of part: [Sample], in whole: [Sample]) -> Double {
        let total = whole.reduce(0.0) { $0 + Double($1.durationMilliseconds) }
        guard total > 0 else { return 0 }
        return part.reduce(0.0) { $0 + Double($1.durationMilliseconds) } / total
    }

    /// Mean of the medians, weighted by frames; nil without frames.
    private static func meanMedian(_ samples: [Sample]) -> Double? {
        let frames = samples.reduce(0.0) { $0 + Double($1.frames) }
        guard frames > 0 else { return nil }
        return samples.reduce(0.0) { $0 + Double($1.medianNanoseconds) * Double($1.frames) } / frames
    }
}
