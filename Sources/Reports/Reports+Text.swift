import Telemetry

extension Reports {
    /// The report for a terminal, in UTF-8, without colours. Verdict first.
    /// - Parameter layerLimit: the slowest layers to list; nil for all.
    public static func text(_ report: LatencyReport, layerLimit: Int? = 15) -> String {
        let verdict = verdict(of: report)
        var result = singleLine(verdict.headline) + "\n"
        for finding in verdict.findings {
            let mark = finding.severity == .problem ? "!!" : finding.severity == .warning ? " !" : " ·"
            result += "\n\(mark) \(singleLine(finding.what))\n   → \(singleLine(finding.remedy))\n"
        }
        result += "\nCapture → result\n" + latencyTable(report)
        result += "\nFrames\n" + frameTable(report)
        result += stageText(report)
        result += layerText(report, limit: layerLimit)
        for index in report.runs.indices { result += timeText(index, report) }
        result += eventText(report)
        result += "\n" + (report.runs.count > 1 ? "Runs" : "Run") + "\n"
        for (index, run) in report.runs.enumerated() {
            if report.runs.count > 1 {
                let verdict = words(Facts(run).outcome)
                result += (index == 0 ? "" : "\n") + "  \(singleLine(label(index, in: report))): \(verdict)\n"
            }
            result += runTable(run)
        }
        return result
    }

    private static func latencyTable(_ report: LatencyReport) -> String {
        let columns = ["", "min", "mean"] + percentiles.map { $0.name } + ["max", "frames"]
        var table = TextTable(columns.enumerated().map { ($1, $0 == 0 ? .left : .right) })
        func add(_ name: String, _ histogram: Histogram) {
            table.add(
                [name, Format.duration(histogram.minimum), Format.duration(histogram.mean)]
                    + percentiles.map { Format.duration(histogram.percentile($0.percent)) }
                    + [Format.duration(histogram.maximum), String(histogram.count)])
        }
        add(report.runs.count > 1 ? "all runs" : "", report.captureToResult)
        if report.runs.count > 1 {
            for index in report.runs.indices { add(label(index, in: report), report.runs[index].captureToResult) }
        }
        return table.rendered(indent: 2, columnLimit: 30)
    }

    private static func frameTable(_ report: LatencyReport) -> String {
        var table = TextTable([("", .left), ("", .right), ("", .left)])
        let counters = report.counters
        let captured = max(counters.captured, 1)
        for (name, value) in [
            ("captured", counters.captured), ("with a result", counters.processed), ("late", counters.late),
            ("dropped", counters.dropped), ("bad", counters.bad),
        ] {
            let share = name == "captured" || value == 0 ? "" : Format.percent(Double(value) / Double(captured))
            table.add([name, String(value), share])
        }
        for item in report.badFrames { table.add(["  " + item.name, String(item.count), ""]) }
        if counters.errors > 0 { table.add(["errors", String(counters.errors), ""]) }
        return table.rendered(indent: 2)
    }

    private static func stageText(_ report: LatencyReport) -> String {
        guard report.stageSum > 0 else { return "" }
        var table = TextTable([
            ("", .left), ("mean", .right), ("p50", .right), ("p99", .right), ("max", .right), ("share", .right),
            ("", .left),
        ])
        for stage in Stage.allCases where report[stage].count > 0 {
            let histogram = report[stage]
            let share = Double(histogram.sum) / Double(report.stageSum)
            table.add([
                stage.name.description, Format.duration(histogram.mean), Format.duration(histogram.percentile(50)),
                Format.duration(histogram.percentile(99)), Format.duration(histogram.maximum), Format.percent(share),
                bar(share, width: 24),
            ])
        }
        var result = "\nStages\n" + table.rendered(indent: 2)
        if let coverage = report.stageCoverage {
            result += "  The stages add up to \(Format.percent(coverage)) of capture → result.\n"
        }
        return result
    }

    private static func layerText(_ report: LatencyReport, limit: Int?) -> String {
        let total = report.layerSum
        guard total > 0 else { return "" }
        let order = slowestLayers(report)
        let shown = order.prefix(limit ?? order.count)
        var table = TextTable([
            ("", .left), ("operator", .left), ("kernel", .left), ("mean", .right), ("p99", .right), ("GMAC/s", .right),
            ("share", .right), ("", .left),
        ])
        for index in shown {
            let layer = report.layers[index]
            let share = Double(layer.histogram.sum) / Double(total)
            table.add([
                layer.description.name, layer.description.operatorName + (layer.description.isFloat ? " (float)" : ""),
                layer.description.kernel, Format.duration(layer.histogram.mean),
                Format.duration(layer.histogram.percentile(99)), throughput(layer), Format.percent(share),
                bar(share, width: 16),
            ])
        }
        let isCut = shown.count < order.count
        var result = "\nLayers, slowest first\(isCut ? " (\(shown.count) of \(order.count))" : "")\n"
        result += table.rendered(indent: 2, columnLimit: 36)
        if let coverage = report.layerCoverage {
            result += "  The layers add up to \(Format.percent(coverage)) of inference"
            if let share = report.instrumentationShare {
                result += "; measuring them took \(Format.percent(share)) of it"
            }
            result += ".\n"
        }
        return result
    }

    private static func timeText(_ index: Int, _ report: LatencyReport) -> String {
        let samples = report.runs[index].samples.filter { $0.durationMilliseconds > 0 }
        guard samples.count > 1 else { return "" }
        let columns = condensed(samples, to: 60)
        let end = columns[columns.count - 1]
        let place = report.runs.count > 1 ? " on " + singleLine(label(index, in: report)) : ""
        var result = "\nOver time\(place) (\(Format.span(milliseconds: end.end)))\n"
        var table = TextTable([("", .left), ("", .left), ("", .left)])
        let medians = columns.map { $0.frames > 0 ? Double($0.median) : nil }
        table.add(["p50", sparkline(medians, from: 0), range(medians) { Format.duration($0) }])
        let temperatures = columns.map { $0.temperature.map(Double.init) }
        if temperatures.contains(where: { $0 != nil }) {
            table.add([
                "temperature", sparkline(temperatures, from: nil),
                range(temperatures) { Format.temperature(milliCelsius: Int32($0)) },
            ])
        }
        let frequencies = columns.map { $0.frequency > 0 ? Double($0.frequency) : nil }
        if frequencies.contains(where: { $0 != nil }) {
            table.add([
                "frequency", sparkline(frequencies, from: 0),
                range(frequencies) { Format.frequency(kilohertz: UInt32($0)) },
            ])
        }
        if columns.contains(where: { $0.isThrottled }) {
            table.add(["throttled", String(columns.map { $0.isThrottled ? "▲" : "·" }), ""])
        }
        if columns.contains(where: { $0.dropped > 0 }) {
            table.add(["dropped", String(columns.map { $0.dropped > 0 ? "▼" : "·" }), ""])
        }
        result += table.rendered(indent: 2, columnLimit: 70)
        return result
    }

    private static func eventText(_ report: LatencyReport) -> String {
        var table = TextTable([("", .right), ("", .left), ("", .left)])
        var count = 0
        for run in report.runs {
            for event in run.events where event.kind != .badFrame {
                count += 1
                guard count <= 20 else { continue }
                table.add([
                    Format.span(milliseconds: event.milliseconds), event.kind.name.description + place(run, report),
                    event.text + (event.occurrence > 1 ? " (number \(event.occurrence))" : ""),
                ])
            }
        }
        guard count > 0 else { return "" }
        return "\nEvents, time after start\n" + table.rendered(indent: 2)
            + (count > 20 ? "  … and \(count - 20) more\n" : "")
    }

    private static func place(_ run: Run, _ report: LatencyReport) -> String {
        report.runs.count > 1 ? " on " + name(of: run) : ""
    }

    private static func runTable(_ run: Run) -> String {
        var table = TextTable([("", .left), ("", .left)])
        for fact in facts(of: run) { table.add([fact.name, fact.value]) }
        return table.rendered(indent: 2, columnLimit: 100)
    }

    // MARK: Shared with the HTML form

    /// What is known about a run, in reading order; unknown facts are left out.
    static func facts(of run: Run) -> [(name: String, value: String)] {
        let metadata = run.metadata
        var facts: [(name: String, value: String)] = []
        func add(_ name: String, _ value: String) {
            if !value.isEmpty { facts.append((name, value)) }
        }
        add("model", metadata.modelName + (metadata.modelBytes > 0 ? " (\(Format.bytes(metadata.modelBytes)))" : ""))
        add("model hash", metadata.modelHash)
        add("device", metadata.deviceName)
        add("CPU", metadata.cpuModel)
        add(
            "kernels",
            metadata.isa + (metadata.isIsaForced ? ", forced" : "")
                + (metadata.bestIsa.isEmpty || metadata.bestIsa == metadata.isa
                    ? "" : " (this CPU has \(metadata.bestIsa))"))
        add("threads", metadata.threads > 0 ? String(metadata.threads) : "")
        add("governor", metadata.governor)
        add("arena", metadata.arenaBytes > 0 ? Format.bytes(metadata.arenaBytes) : "")
        add("peak memory", run.peakResidentBytes > 0 ? Format.bytes(run.peakResidentBytes) : "")
        add("source", metadata.source)
        add(
            "frame rate",
            metadata.targetMilliFramesPerSecond > 0
                ? Format.frameRate(milli: metadata.targetMilliFramesPerSecond) : "as fast as possible")
        add("deadline", metadata.deadlineNanoseconds > 0 ? Format.duration(metadata.deadlineNanoseconds) : "")
        add("started", metadata.startUnixSeconds > 0 ? Format.utc(unixSeconds: metadata.startUnixSeconds) : "")
        add("ran for", Format.span(milliseconds: run.elapsedNanoseconds / 1_000_000))
        add("stopped by", stopText(run))
        add("tool", metadata.toolVersion.isEmpty ? "" : "swiftlet " + metadata.toolVersion)
        add("command", metadata.commandLine)
        return facts
    }

    private static func stopText(_ run: Run) -> String {
        guard let reason = run.stopReason else { return "no final record (killed, out of power, or still running)" }
        return reason.name.description + (run.stopText.isEmpty ? "" : ": " + run.stopText)
    }

    /// Positions of the measured layers by falling share of the time.
    static func slowestLayers(_ report: LatencyReport) -> [Int] {
        report.layers.indices.filter { report.layers[$0].histogram.count > 0 }
            .sorted { report.layers[$0].histogram.sum > report.layers[$1].histogram.sum }
    }

    /// Billions of multiply-accumulates a second, or nothing for a layer without any.
    static func throughput(_ layer: LayerStatistics) -> String {
        guard layer.description.multiplyAccumulates > 0, layer.histogram.mean > 0 else { return "" }
        return Format.significant(Double(layer.description.multiplyAccumulates) / layer.histogram.mean)
    }

    /// One column of a condensed time line.
    struct TimeColumn {
        var end: UInt64
        var median: UInt64
        var maximum: UInt64
        var frames: UInt64
        var dropped: UInt64
        var temperature: Int32?
        var frequency: UInt32
        var isThrottled: Bool
    }

    /// Samples joined to at most `limit` columns of equally many samples.
    static func condensed(_ samples: [Sample], to limit: Int) -> [TimeColumn] {
        let size = (samples.count + limit - 1) / limit
        return stride(from: 0, to: samples.count, by: max(size, 1)).map { start in
            let group = samples[start..<min(start + size, samples.count)]
            let last = group[group.endIndex - 1]
            let frames = group.reduce(0.0) { $0 + Double($1.frames) }
            let weighted = group.reduce(0.0) { $0 + Double($1.medianNanoseconds) * Double($1.frames) }
            return TimeColumn(
                end: last.startMilliseconds + last.durationMilliseconds,
                median: frames > 0 ? UInt64(min(weighted / frames, 9e18)) : 0,
                maximum: group.map { $0.maximumNanoseconds }.max() ?? 0,
                frames: UInt64(min(frames, 9e18)), dropped: group.map { $0.dropped }.max() ?? 0,
                temperature: group.compactMap { $0.temperatureMilliCelsius }.max(),
                frequency: group.map { $0.frequencyKilohertz }.filter { $0 > 0 }.min() ?? 0,
                isThrottled: group.contains { $0.isThrottled })
        }
    }

    private static func bar(_ share: Double, width: Int) -> String {
        // Eighths of a character.
        let eighths = Int((min(max(share, 0), 1) * Double(width) * 8).rounded())
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        return String(repeating: "█", count: eighths / 8) + partial[eighths % 8]
    }

    /// - Parameter floor: the value of the lowest mark; nil for the smallest value.
    private static func sparkline(_ values: [Double?], from floor: Double?) -> String {
        let known = values.compactMap { $0 }
        guard let most = known.max(), let least = known.min() else { return "" }
        let low = floor ?? least
        let marks = Array("▁▂▃▄▅▆▇█")
        return String(
            values.map { value -> Character in
                guard let value else { return " " }
                guard most > low else { return marks[0] }
                return marks[min(Int((value - low) / (most - low) * 8), 7)]
            })
    }

    private static func range(_ values: [Double?], _ text: (Double) -> String) -> String {
        let known = values.compactMap { $0 }
        guard let most = known.max(), let least = known.min() else { return "" }
        return least == most ? text(least) : "\(text(least)) … \(text(most))"
    }

    /// Names come from files: no line breaks or control characters reach the terminal.
    static func singleLine(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            result.append(isControl ? " " : scalar)
        }
        return String(result)
    }
}
