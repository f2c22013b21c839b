import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Inline SVG charts, 340 units wide so that text has its natural size on a phone. Colours come from the style sheet.
enum Charts {
    private static let width = 340.0
    private static let left = 46.0
    private static let right = 334.0

    // MARK: Time line

    /// Median (line) and longest (area) latency over the run, throttling shaded, drops marked, the deadline dashed, and
    /// the temperature below. Nil with fewer than two stretches.
    static func timeLine(_ run: Run) -> String? {
        let samples = run.samples.filter { $0.durationMilliseconds > 0 }
        guard samples.count > 1, samples.contains(where: { $0.frames > 0 }) else { return nil }
        let columns = Reports.condensed(samples, to: 160)
        let end = Double(columns[columns.count - 1].end)
        let deadline = Double(run.metadata.deadlineNanoseconds)
        let hasTemperature = columns.contains { $0.temperature != nil }

        // The scale follows the medians and the deadline; the few longest peaks may leave it and are marked at its top.
        let medians = columns.map { Double($0.median) }.max() ?? 1
        let peaks = columns.map { Double($0.maximum) }.sorted()
        let usualPeak = peaks[min(peaks.count - 1, peaks.count * 95 / 100)]
        let scale = Scale(reaching: max(medians * 1.15, min(usualPeak, 4 * medians), min(deadline, 4 * medians) * 1.1))
        let plot = Plot(top: 8, bottom: 150, scale: scale)
        func x(_ milliseconds: Double) -> Double { left + (right - left) * milliseconds / max(end, 1) }

        var svg = ""
        var begin = 0.0
        var heatBegin: Double?
        for column in columns {
            if column.isThrottled, heatBegin == nil { heatBegin = begin }
            if !column.isThrottled, let from = heatBegin {
                svg += rectangle("heat", x(from), plot.top, max(x(begin) - x(from), 1), plot.bottom - plot.top)
                heatBegin = nil
            }
            begin = Double(column.end)
        }
        if let from = heatBegin {
            svg += rectangle("heat", x(from), plot.top, max(x(end) - x(from), 1), plot.bottom - plot.top)
        }
        svg += plot.gridLines()
        var area = "", line = "", marks = ""
        begin = 0
        var isDrawing = false
        for column in columns {
            let columnEnd = Double(column.end)
            if column.frames > 0 {
                let middle = x((begin + columnEnd) / 2)
                area += (isDrawing ? "" : "M" + point(x(begin), plot.bottom))
                    + "V\(number(plot.y(Double(column.maximum))))H\(number(x(columnEnd)))"
                if Double(column.maximum) > scale.top {
                    marks += triangle(middle, plot.top)
                }
                line += (isDrawing ? "L" : "M") + point(middle, plot.y(Double(column.median)))
                isDrawing = true
            } else if isDrawing {
                area += "V\(number(plot.bottom))Z"
                isDrawing = false
            }
            if column.dropped > 0 { marks += rectangle("mark", x(begin), plot.bottom + 1, max(x(columnEnd) - x(begin), 1.5), 4) }
            begin = columnEnd
        }
        if isDrawing { area += "V\(number(plot.bottom))Z" }
        svg += "<path class=\"peak\" d=\"\(area)\"/>"
        svg += "<path class=\"line\" d=\"\(line)\"/>"
        if deadline > 0, deadline <= scale.top { svg += plot.limitLine(deadline) }
        svg += marks
        var height = plot.bottom + 22
        if hasTemperature {
            let (strip, bottom) = temperatureStrip(columns, from: height + 4, x: x)
            svg += strip
            height = bottom + 18
        }
        svg += timeAxis(end: end, y: height - 5, x: x)

        var legend = key("<path class=\"line\" d=\"M0 6H22\"/>", "median")
        legend += key("<rect class=\"peak\" width=\"22\" height=\"12\"/>", "longest")
        if deadline > 0 {
            legend += key(
                "<path class=\"limit\" d=\"M0 6H22\"/>",
                "deadline " + Format.duration(UInt64(deadline)) + (deadline > scale.top ? " (above the scale)" : ""))
        }
        if columns.contains(where: { $0.isThrottled }) {
            legend += key("<rect class=\"heat\" width=\"22\" height=\"12\"/>", "CPU throttled")
        }
        if columns.contains(where: { $0.dropped > 0 }) {
            legend += key("<rect class=\"mark\" y=\"4\" width=\"22\" height=\"4\"/>", "frames dropped")
        }
        if columns.contains(where: { Double($0.maximum) > scale.top }) {
            legend += key("<path class=\"mark\" d=\"M6 10L11 2L16 10Z\"/>", "beyond the scale")
        }
        if hasTemperature { legend += key("<path class=\"line warm\" d=\"M0 6H22\"/>", "CPU temperature") }
        return picture(height: height, label: "Latency over time", svg) + "<div class=\"legend\">\(legend)</div>\n"
    }

    private static func temperatureStrip(
        _ columns: [Reports.TimeColumn], from top: Double, x: (Double) -> Double
    ) -> (svg: String, bottom: Double) {
        let known = columns.compactMap { $0.temperature }.map { Double($0) / 1000 }
        let low = floor(known.min()! / 10) * 10
        let high = max(ceil(known.max()! / 10) * 10, low + 10)
        let bottom = top + 48
        func y(_ celsius: Double) -> Double { bottom - (bottom - top) * (celsius - low) / (high - low) }
        var svg = ""
        for value in [low, high] {
            svg += horizontal("grid", y(value))
            svg += text(left - 4, y(value) + 4, "end", Format.fixed(value, decimals: 0) + " °C")
        }
        var line = ""
        var begin = 0.0
        var isDrawing = false
        for column in columns {
            let columnEnd = Double(column.end)
            if let temperature = column.temperature {
                line += (isDrawing ? "L" : "M") + point(x((begin + columnEnd) / 2), y(Double(temperature) / 1000))
                isDrawing = true
            } else {
                isDrawing = false
            }
            begin = columnEnd
        }
        return (svg + "<path class=\"line warm\" d=\"\(line)\"/>", bottom)
    }

    private static func timeAxis(end: Double, y: Double, x: (Double) -> Double) -> String {
        let steps: [Double] = [
            0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
        ]
        let seconds = end / 1000
        let step = steps.first { seconds / $0 <= 5 } ?? ceil(seconds / 86_400 / 5) * 86_400
        var svg = ""
        var value = 0.0
        while value <= seconds {
            let position = x(value * 1000)
            svg += text(
                position, y, value == 0 ? "start" : position > right - 14 ? "end" : "middle",
                value == 0 ? "0" : Format.span(milliseconds: UInt64(value * 1000)))
            value += step
        }
        return svg
    }

    // MARK: Percentiles

    /// Latency against the share of frames, with the slow tail stretched: each tick leaves a tenth as many frames. One
    /// line for each of up to six runs. Nil without results.
    static func percentileCurve(_ report: LatencyReport) -> String? {
        let count = report.captureToResult.count
        guard count > 1 else { return nil }
        let measured = report.runs.indices.filter { report.runs[$0].captureToResult.count > 0 }
        let runs = measured.count
        let lines = runs > 1 ? Array(measured.prefix(6)) : []
        let deepest = min(log10(Double(count)), 6)
        let reach = max(deepest, 1)
        func x(_ percent: Double) -> Double { left + (right - left) * min(-log10(1 - percent / 100), reach) / reach }

        let deadline = Double(report.runs.map { $0.metadata.deadlineNanoseconds }.max() ?? 0)
        let greatest = Double(report.captureToResult.maximum)
        let scale = Scale(reaching: max(greatest, deadline < 2 * greatest ? deadline : 0) * 1.03)
        let plot = Plot(top: 8, bottom: 150, scale: scale)
        var svg = plot.gridLines()
        var ticks = [(0.0, "0"), (50, "50 %"), (90, "90 %"), (99, "99 %"), (99.9, "99.9"), (99.99, "99.99"), (99.999, "99.999")]
        ticks = ticks.filter { -log10(1 - $0.0 / 100) <= reach + 1e-9 && ($0.0 > 0 || reach < 2.5) }
        for (percent, label) in ticks {
            svg += "<path class=\"grid\" d=\"M\(point(x(percent), plot.top))V\(number(plot.bottom))\"/>"
            svg += text(x(percent), plot.bottom + 14, percent == 0 ? "start" : x(percent) > right - 12 ? "end" : "middle", label)
        }
        if deadline > 0, deadline <= scale.top { svg += plot.limitLine(deadline) }
        func path(_ histogram: Histogram, _ style: String) -> String {
            var line = ""
            let depth = min(log10(Double(max(histogram.count, 2))), reach)
            for step in 0...120 {
                let percent = 100 * (1 - pow(10, -depth * Double(step) / 120))
                line += (step == 0 ? "M" : "L") + point(x(percent), plot.y(Double(histogram.percentile(percent))))
            }
            return "<path class=\"line \(style)\" d=\"\(line)\"/>"
        }
        var legend = ""
        if lines.isEmpty {
            svg += path(report.captureToResult, "c0")
        } else {
            for (position, index) in lines.enumerated() {
                svg += path(report.runs[index].captureToResult, "c\(position)")
                legend += key("<path class=\"line c\(position)\" d=\"M0 6H22\"/>", Reports.label(index, in: report))
            }
            if runs > lines.count { legend += "<span>the first \(lines.count) of \(runs) runs</span>" }
        }
        if deadline > 0, deadline <= scale.top {
            legend += key("<path class=\"limit\" d=\"M0 6H22\"/>", "deadline " + Format.duration(UInt64(deadline)))
        }
        let below = legend.isEmpty ? "" : "<div class=\"legend\">\(legend)</div>\n"
        return picture(height: plot.bottom + 20, label: "Latency percentiles", svg) + below
    }

    // MARK: Stages

    /// One bar divided by the stages' shares of the time.
    static func stageBar(_ report: LatencyReport, _ stages: [Stage]) -> String {
        var svg = ""
        var position = 0.0
        for stage in stages {
            let part = width * Double(report[stage].sum) / Double(report.stageSum)
            svg += rectangle("s\(stage.rawValue)", position, 0, max(part - 1, 0.5), 24)
            position += part
        }
        return picture(height: 24, label: "Share of each stage", svg)
    }

    // MARK: Parts

    /// A vertical axis from 0 to a round number, in 2 to 5 round steps.
    struct Scale {
        let step: Double
        let top: Double

        init(reaching value: Double) {
            let wanted = max(value, 1000) / 4
            let magnitude = pow(10, floor(log10(wanted)))
            step = magnitude * ([1, 2, 2.5, 5].first { $0 * magnitude >= wanted } ?? 10)
            top = step * ceil(max(value, 1000) / step)
        }
    }

    private struct Plot {
        let top: Double
        let bottom: Double
        let scale: Scale

        func y(_ value: Double) -> Double { bottom - (bottom - top) * min(max(value, 0), scale.top) / scale.top }

        func gridLines() -> String {
            var svg = ""
            for index in 0...Int((scale.top / scale.step).rounded()) {
                let value = Double(index) * scale.step
                svg += horizontal("grid", y(value))
                svg += text(left - 4, y(value) + 4, "end", index == 0 ? "0" : label(value))
            }
            return svg
        }

        func limitLine(_ value: Double) -> String { horizontal("limit", y(value)) }

        private func label(_ nanoseconds: Double) -> String {
            for (unit, size) in [("s", 1e9), ("ms", 1e6), ("µs", 1e3)] where scale.top >= size {
                return Format.trimmed(Format.fixed(nanoseconds / size, decimals: 2)) + " " + unit
            }
            return Format.fixed(nanoseconds, decimals: 0) + " ns"
        }
    }

    private static func picture(height: Double, label: String, _ content: String) -> String {
        "<svg viewBox=\"0 0 \(number(width)) \(number(height))\" role=\"img\" aria-label=\"\(label)\">\(content)</svg>\n"
    }

    private static func key(_ sign: String, _ name: String) -> String {
        "<span><svg viewBox=\"0 0 22 12\" aria-hidden=\"true\">\(sign)</svg>\(Reports.escaped(name))</span>"
    }

    private static func number(_ value: Double) -> String { Format.trimmed(Format.fixed(value, decimals: 1)) }

    private static func point(_ x: Double, _ y: Double) -> String { number(x) + " " + number(y) }

    private static func horizontal(_ style: String, _ y: Double) -> String {
        "<path class=\"\(style)\" d=\"M\(point(left, y))H\(number(right))\"/>"
    }

    private static func rectangle(_ style: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double) -> String {
        "<rect class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" "
            + "height=\"\(number(height))\"/>"
    }

    private static func triangle(_ x: Double, _ y: Double) -> String {
        "<path class=\"mark\" d=\"M\(point(x - 3.5, y + 6))L\(point(x, y))L\(point(x + 3.5, y + 6))Z\"/>"
    }

    private static func text(_ x: Double, _ y: Double, _ anchor: String, _ content: String) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(Reports.escaped(content))</text>"
    }
}
