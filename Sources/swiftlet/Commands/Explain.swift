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
    all += runtimeExplanations
    return all.sorted { $0.name < $1.name }
}

/// Names that `swiftlet-run` gives to what goes wrong during a run.
private let runtimeExplanations: [(name: String, text: String)] = [
    (
        "run-no-preprocessing",
        "The file does not say how pictures become the network's input. Convert the model again with --preprocess or --recipe."
    ),
    (
        "run-several-inputs",
        "swiftlet-run feeds one picture to one input. Run models with several inputs by `swiftlet run MODEL --input NAME=FILE.npy`."
    ),
    ("run-no-frames", "The source ended and none of its frames could be used. Check that it holds JPEG pictures or whole raw frames."),
    (
        "selftest-no-golden",
        "The file holds no golden input, so there is nothing to compare with. Convert the model again with this release."
    ),
    (
        "selftest-operation-differs",
        "An operation gives other bytes on this machine than on the workstation that converted the model. Try --force-isa scalar: if that passes, a kernel is wrong for this CPU; else suspect the memory or the storage. Please report it with the CPU's model."
    ),
    (
        "selftest-output-differs",
        "All operations agree, but an output's digest does not: the file's golden section is damaged. Convert the model again."
    ),
    ("file-unreadable", "A file of the source could not be read; the frame was skipped. Check the file's permissions and the storage."),
    ("raw-truncated", "The raw source ended inside a frame. Check that size= and format= are those of the camera or the tool that wrote it."),
    ("mjpeg-picture-too-large", "A picture of the stream has more bytes than a frame may have; it was skipped. Check that the source is MJPEG."),
    ("report-not-written", "The latency report could not be written on; the run went on without it. Check the free space and the storage."),
]
