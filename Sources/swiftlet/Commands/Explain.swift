import Camera
import Engine
import Foundation
import NestFormat
import Platform
import Reports
import Telemetry
import Vision

let explainCommand = Command(
    name: "explain", summary: "Explains an error by its name: what it means and what to do.", positionals: ["[ERROR-NAME]"],
    options: [.json], examples: ["swiftlet explain truncated", "swiftlet explain            # lists all names"]
) { arguments in
    let known = explanations()
    guard let name = arguments.positionals.first else {
        if arguments.flag("--json") {
            return try Console.print(json: known.map { ["name": $0.name, "explanation": $0.text] })
        }
        for entry in known { Console.print(entry.name) }
        return
    }
    guard let entry = known.first(where: { $0.name == name }) else {
        throw UsageError("no error is named \"\(name)\"; `swiftlet explain` lists the names")
    }
    if arguments.flag("--json") { return try Console.print(json: ["name": entry.name, "explanation": entry.text]) }
    Console.print("\(entry.name): \(entry.text)")
}

/// All named errors and findings of device and tool, sorted.
private func explanations() -> [(name: String, text: String)] {
    var all: [(name: String, text: String)] = LoadError.catalogue.map { ("\($0.name)", "\($0.explanation)") }
    all += JPEGError.allCases.map { ($0.name, $0.explanation) }
    all += Finding.Code.allCases.map { ($0.rawValue, $0.explanation) }
    all.append(("system-error", "\(SystemError.explanation)"))
    all.append(("isa-unavailable", "\(SessionError.isaExplanation)"))
    let decoding: [DecodingError] = [
        .missingOutput(index: 0, available: 0), .unsuitableOutput(output: "", expected: "", found: ""),
    ]
    all += decoding.map { ($0.name, $0.explanation) }
    let sources: [SourceError] = [.unknownSource(text: "", expected: ""), .noPictures(path: "")]
    all += sources.map { ($0.name, SourceError.explanation(ofName: $0.name)) }
    let reports: [ReportFileError] = [
        .empty, .truncatedHeader(needed: 0, available: 0), .notAReport, .headerChecksum(expected: 0, found: 0),
        .newerVersion(needed: 0, supported: 0),
    ]
    all += reports.map { ("\($0.name)", "A latency report can't be read: " + $0.message) }
    return all.sorted { $0.name < $1.name }
}
