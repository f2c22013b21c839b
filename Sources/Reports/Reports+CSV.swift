import Telemetry

extension Reports {
    /// One row for capture→result, each run where there are several, each stage, each layer. RFC 4180: CRLF, quotes
    /// doubled. Times in nanoseconds, `share` of 1 (stages: of all stages, layers: of all layers).
    public static func csv(_ report: LatencyReport) -> String {
        var result = row([
            "kind", "index", "name", "operator", "kernel", "is_float", "count", "sum_ns", "mean_ns", "min_ns", "p50_ns",
            "p90_ns", "p95_ns", "p99_ns", "p999_ns", "max_ns", "share",
        ])
        result += row(["total", "0", "capture-to-result", "", "", ""] + figures(report.captureToResult) + [""])
        if report.runs.count > 1 {
            for (index, run) in report.runs.enumerated() {
                result += row(["run", String(index), label(index, in: report), "", "", ""] + figures(run.captureToResult) + [""])
            }
        }
        for stage in Stage.allCases {
            let histogram = report[stage]
            result += row(
                ["stage", String(stage.rawValue), stage.name.description, "", "", ""] + figures(histogram)
                    + [share(histogram.sum, of: report.stageSum)])
        }
        for (index, layer) in report.layers.enumerated() {
            let description = layer.description
            result += row(
                [
                    "layer", String(index), description.name, description.operatorName, description.kernel,
                    description.isFloat ? "1" : "0",
                ] + figures(layer.histogram) + [share(layer.histogram.sum, of: report.layerSum)])
        }
        return result
    }

    private static func figures(_ histogram: Histogram) -> [String] {
        guard histogram.count > 0 else { return ["0", "0"] + [String](repeating: "", count: 8) }
        return [
            String(histogram.count), String(histogram.sum), Format.fixed(histogram.mean, decimals: 0),
            String(histogram.minimum),
        ] + percentiles.map { String(histogram.percentile($0.percent)) } + [String(histogram.maximum)]
    }

    private static func share(_ part: UInt64, of whole: UInt64) -> String {
        whole == 0 ? "" : Format.fixed(Double(part) / Double(whole), decimals: 6)
    }

    private static func row(_ cells: [String]) -> String {
        cells.map { cell in
            let needsQuotes = cell.unicodeScalars.contains { "\",\r\n".unicodeScalars.contains($0) }
            return needsQuotes ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
        }.joined(separator: ",") + "\r\n"
    }
}
