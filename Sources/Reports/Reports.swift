// Reports: what Telemetry measured, for people and programs.
//
//     let report = try ReportFile.read(bytes)               // Telemetry
//     Reports.verdict(of: report)                           // headline, why, what to do
//     Reports.text(report)                                  // terminal
//     Reports.json(report)                                  // stable keys, see Reports+JSON.swift
//     Reports.csv(report)                                   // one row for the whole, each stage, each layer
//     Reports.html(report)                                  // one self-contained file for a phone or a browser
//
// `TextTable`, `JSONValue` and `Format` serve the other commands of the tool as well.

import Telemetry

/// The forms of a latency report. Each is a pure function of the report.
public enum Reports {
    /// The percentiles that every form shows.
    static let percentiles: [(percent: Double, name: String)] = [
        (50, "p50"), (90, "p90"), (95, "p95"), (99, "p99"), (99.9, "p99.9"),
    ]
}
