import Telemetry

extension Reports {
    /// The report as one HTML file that loads nothing: style and charts are inside, there is no script, and its content
    /// policy forbids every request. Made for the width of a phone, follows the light or dark setting, prints.
    public static func html(_ report: LatencyReport) -> String {
        let verdict = verdict(of: report)
        let title = report.runs[0].metadata.modelName
        var body = banner(verdict, report)
        body += keyFigures(report)
        body += findings(verdict)
        for index in report.runs.indices { body += timeSection(index, report) }
        body += curveSection(report)
        body += stageSection(report)
        body += layerSection(report)
        body += frameSection(report)
        body += eventSection(report)
        body += runSection(report)
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="color-scheme" content="light dark">
            <title>\(escaped(title.isEmpty ? "Latency report" : "Latency of " + title))</title>
            <style>
            \(styleSheet)
            </style>
            </head>
            <body>
            <main>
            \(body)</main>
            </body>
            </html>

            """
    }

    /// Text as HTML content or attribute value: nothing in it is markup, control characters become spaces.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value): result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Escaped text in which what stands between back quotes is set as code.
    private static func withCode(_ text: String) -> String {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false).map { escaped(String($0)) }
        guard parts.count % 2 == 1 else { return escaped(text) }
        return parts.enumerated().map { $0 % 2 == 1 ? "<code>\($1)</code>" : $1 }.joined()
    }

    // MARK: Verdict

    private static func banner(_ verdict: Verdict, _ report: LatencyReport) -> String {
        let tone: String
        switch verdict.outcome {
        case .keepsUp, .unpaced: tone = verdict.isGood ? "good" : "fair"
        case .sometimesLate: tone = "fair"
        case .tooSlow, .cameraTrouble, .failed, .nothingMeasured: tone = "poor"
        }
        // The words before the colon are the verdict, what follows is its measure.
        let parts = verdict.headline.split(separator: ":", maxSplits: 1).map(String.init)
        let run = report.runs[0]
        var context: [String] = []
        if !run.metadata.modelName.isEmpty { context.append(run.metadata.modelName) }
        context.append(report.runs.count == 1 ? name(of: run) : "\(report.runs.count) runs")
        if run.metadata.startUnixSeconds > 0 {
            let start = Format.utc(unixSeconds: run.metadata.startUnixSeconds)
            context.append(String(start.prefix(16)).replacing("T", with: " ") + " UTC")
        }
        let rest = parts.count > 1 ? "<p class=\"measure\">\(escaped(capitalized(parts[1])))</p>" : ""
        return """
            <header class="banner \(tone)">
            <h1>\(escaped(parts[0]))</h1>
            \(rest)
            <p class="context">\(context.map(escaped).joined(separator: " · "))</p>
            </header>

            """
    }

    private static func capitalized(_ text: String) -> String {
        let trimmed = text.drop { $0 == " " }
        return trimmed.prefix(1).uppercased() + trimmed.dropFirst()
    }

    private static func keyFigures(_ report: LatencyReport) -> String {
        let latency = report.captureToResult
        guard latency.count > 0 else { return "" }
        let figures: [(String, String)] = [
            ("half within", Format.duration(latency.percentile(50))),
            ("99 % within", Format.duration(latency.percentile(99))),
            ("longest", Format.duration(latency.maximum)),
            ("frames", Format.count(report.counters.processed)),
            ("late", Format.count(report.counters.late)),
            ("dropped", Format.count(report.counters.dropped)),
        ]
        let cells = figures.map { "<div><dt>\($0.0)</dt><dd>\(escaped($0.1))</dd></div>" }.joined(separator: "\n")
        return "<dl class=\"figures\">\n\(cells)\n</dl>\n"
    }

    private static func findings(_ verdict: Verdict) -> String {
        guard !verdict.findings.isEmpty else { return "" }
        let words: [Finding.Severity: String] = [.problem: "Problem", .warning: "Watch", .note: "Note"]
        let items = verdict.findings.map { finding in
            """
            <li class="\(finding.severity.rawValue)"><p><b>\(words[finding.severity]!)</b> \(escaped(finding.what))</p>\
            <p class="remedy">\(withCode(finding.remedy))</p></li>
            """
        }
        return """
            <section><h2>Why, and what to do</h2>
            <ul class="findings">
            \(items.joined(separator: "\n"))
            </ul></section>

            """
    }

    // MARK: Charts

    private static func timeSection(_ index: Int, _ report: LatencyReport) -> String {
        guard let chart = Charts.timeLine(report.runs[index]) else { return "" }
        let place = report.runs.count > 1 ? " on " + label(index, in: report) : ""
        return """
            <section><h2>Latency over time\(escaped(place))</h2>
            \(chart)</section>

            """
    }

    private static func curveSection(_ report: LatencyReport) -> String {
        guard let chart = Charts.percentileCurve(report) else { return "" }
        var columns: [(name: String, histogram: Histogram)] = [("all", report.captureToResult)]
        if report.runs.count > 1 {
            columns += report.runs.indices.map { (label($0, in: report), report.runs[$0].captureToResult) }
        }
        let titles = columns.count == 1
            ? "" : "<thead><tr><th></th>" + columns.map { "<th>\(escaped($0.name))</th>" }.joined() + "</tr></thead>"
        func row(_ name: String, _ value: (Histogram) -> UInt64) -> String {
            let cells = columns.map { column in
                "<td>" + (column.histogram.count > 0 ? Format.duration(value(column.histogram)) : "–") + "</td>"
            }
            return "<tr><th>\(name)</th>\(cells.joined())</tr>"
        }
        var rows = [row("fastest") { $0.minimum }]
        rows += percentiles.map { entry in
            row(Format.trimmed(Format.fixed(entry.percent, decimals: 1)) + " % within") { $0.percentile(entry.percent) }
        }
        rows.append(row("all within") { $0.maximum })
        let table = "<table>\(titles)<tbody>\n\(rows.joined(separator: "\n"))\n</tbody></table>"
        return """
            <section><h2>How many frames within which time</h2>
            \(chart)<div class="wide">\(table)</div></section>

            """
    }

    private static func stageSection(_ report: LatencyReport) -> String {
        guard report.stageSum > 0 else { return "" }
        let measured = Stage.allCases.filter { report[$0].count > 0 }
        let rows = measured.map { stage -> String in
            let share = Double(report[stage].sum) / Double(report.stageSum)
            return """
                <tr><th><i class="key s\(stage.rawValue)"></i>\(stage.name)</th>\
                <td>\(Format.duration(report[stage].percentile(50)))</td>\
                <td>\(Format.duration(report[stage].percentile(99)))</td><td>\(escaped(Format.percent(share)))</td></tr>
                """
        }
        let coverage = report.stageCoverage.map {
            "<p class=\"small\">The stages add up to \(escaped(Format.percent($0))) of capture → result.</p>"
        } ?? ""
        return """
            <section><h2>Stages</h2>
            \(Charts.stageBar(report, measured))<table>\
            <thead><tr><th></th><th>p50</th><th>p99</th><th>share</th></tr></thead><tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table>
            \(coverage)</section>

            """
    }

    private static func layerSection(_ report: LatencyReport) -> String {
        guard report.layerSum > 0 else { return "" }
        let order = slowestLayers(report)
        let greatest = report.layers[order[0]].histogram.sum
        let shown = 12
        func table(_ indices: ArraySlice<Int>) -> String {
            let rows = indices.map { index -> String in
                let layer = report.layers[index]
                let share = Double(layer.histogram.sum) / Double(report.layerSum)
                let width = Format.fixed(100 * Double(layer.histogram.sum) / Double(max(greatest, 1)), decimals: 1)
                let description = layer.description
                let speed = throughput(layer)
                let details = [
                    "\(index + 1) of \(report.layers.count)", description.operatorName,
                    description.isFloat ? "float32" : "", description.kernel, speed.isEmpty ? "" : speed + " GMAC/s",
                ].filter { !$0.isEmpty }
                return """
                    <tr><th>\(escaped(description.name))</th>\
                    <td>\(Format.duration(layer.histogram.percentile(50)))</td>\
                    <td>\(Format.duration(layer.histogram.percentile(99)))</td><td>\(escaped(Format.percent(share)))</td></tr>
                    <tr class="more"><td colspan="4"><span class="bar\(description.isFloat ? " float" : "")" \
                    style="width:\(width)%"></span>\(details.map(escaped).joined(separator: " · "))</td></tr>
                    """
            }
            return """
                <table class="layers"><thead><tr><th></th><th>p50</th><th>p99</th><th>share</th></tr></thead><tbody>
                \(rows.joined(separator: "\n"))
                </tbody></table>
                """
        }
        var rest = ""
        if order.count > shown {
            let share = order[shown...].reduce(0.0) { $0 + Double(report.layers[$1].histogram.sum) }
                / Double(report.layerSum)
            rest = """
                <details><summary>\(order.count - shown) more layers, \(escaped(Format.percent(share))) together</summary>
                \(table(order[shown...]))</details>
                """
        }
        var sums = ""
        if let coverage = report.layerCoverage {
            sums = "The layers add up to \(Format.percent(coverage)) of inference"
            if let share = report.instrumentationShare {
                sums += "; measuring them took \(Format.percent(share)) of it"
            }
            sums = "<p class=\"small\">\(escaped(sums)).</p>"
        }
        return """
            <section><h2>Layers, slowest first</h2>
            \(table(order.prefix(shown)))
            \(rest)
            \(sums)</section>

            """
    }

    // MARK: Facts

    private static func frameSection(_ report: LatencyReport) -> String {
        let counters = report.counters
        var rows: [(String, UInt64)] = [
            ("captured", counters.captured), ("with a result", counters.processed), ("late", counters.late),
            ("dropped for a newer one", counters.dropped), ("bad", counters.bad),
        ]
        for item in report.badFrames { rows.append(("– " + item.name, item.count)) }
        if counters.errors > 0 { rows.append(("other errors", counters.errors)) }
        let captured = Double(max(counters.captured, 1))
        let lines = rows.map { name, value in
            let share = value == 0 || name == "captured" ? "" : Format.percent(Double(value) / captured)
            return "<tr><th>\(escaped(name))</th><td>\(Format.count(value))</td><td>\(escaped(share))</td></tr>"
        }
        return """
            <section><h2>Frames</h2>
            <table><tbody>
            \(lines.joined(separator: "\n"))
            </tbody></table></section>

            """
    }

    private static func eventSection(_ report: LatencyReport) -> String {
        var rows: [String] = []
        for run in report.runs {
            let place = report.runs.count > 1 ? " on " + name(of: run) : ""
            for event in run.events {
                let number = event.occurrence > 1 ? ", number \(event.occurrence)" : ""
                let frame = event.kind == .badFrame ? " (frame \(event.frame)\(number))" : ""
                rows.append(
                    "<tr><td>\(Format.span(milliseconds: event.milliseconds))</td>"
                        + "<td class=\"words\">\(escaped(event.kind.name.description + place)) "
                        + "\(escaped(event.text + frame))</td></tr>")
            }
        }
        guard !rows.isEmpty else { return "" }
        return """
            <section><h2>Events</h2>
            <details><summary>\(rows.count) kept, by time after start</summary>
            <table><tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></details></section>

            """
    }

    private static func runSection(_ report: LatencyReport) -> String {
        var result = "<section><h2>\(report.runs.count > 1 ? "Runs" : "Run")</h2>\n"
        if report.runs.count > 1 {
            let rows = report.runs.indices.map { index -> String in
                let run = report.runs[index]
                let p99 = run.captureToResult.count > 0 ? Format.duration(run.captureToResult.percentile(99)) : "–"
                return "<tr><th>\(escaped(label(index, in: report)))</th>"
                    + "<td>\(words(Facts(run).outcome))</td><td>\(p99)</td></tr>"
            }
            result += "<table><thead><tr><th></th><th>verdict</th><th>99 % within</th></tr></thead><tbody>\n"
            result += rows.joined(separator: "\n") + "\n</tbody></table>\n"
        }
        for (index, run) in report.runs.enumerated() {
            let rows = facts(of: run).map {
                "<tr><th>\($0.name)</th><td class=\"words\">\(escaped($0.value))</td></tr>"
            }
            if report.runs.count > 1 { result += "<h3>\(escaped(label(index, in: report)))</h3>\n" }
            result += "<table class=\"facts\"><tbody>\n\(rows.joined(separator: "\n"))\n</tbody></table>\n"
        }
        return result + "</section>\n"
    }
}
