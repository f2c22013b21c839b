import Foundation
import NestFormat
import Platform
import Reports
import Telemetry

let reportCommand = Command(
    name: "report", summary: "Shows latency reports that swiftlet-run wrote; several files are merged.",
    positionals: ["FILE…"],
    options: [
        .json, Option(name: "--csv", value: nil, help: "Print comma-separated values."),
        Option(name: "--html", value: nil, help: "Print one self-contained web page."),
        Option(name: "-o", value: "OUT", help: "Write to a file instead of standard output."),
    ],
    examples: ["swiftlet report run.swr", "swiftlet report device1.swr device2.swr --html -o report.html"]
) { arguments in
    let forms = ["--json", "--csv", "--html"].filter { arguments.flag($0) }
    guard forms.count < 2 else { throw UsageError("\(forms.joined(separator: " and ")) exclude each other") }
    var reports: [LatencyReport] = []
    for path in arguments.positionals {
        guard let data = FileManager.default.contents(atPath: path) else { throw Failure("\(path): can't be read") }
        do {
            reports.append(try data.withUnsafeBytes { (bytes) throws(ReportFileError) in try ReportFile.read(bytes) })
        } catch {
            throw Failure("\(path): \(error)")
        }
    }
    let report: LatencyReport
    do {
        report = reports.count == 1 ? reports[0] : try LatencyReport.merged(reports)
    } catch {
        throw Failure("these reports can't be merged: \(error)")
    }
    let text: String =
        switch forms.first {
        case "--json"?: Reports.json(report)
        case "--csv"?: Reports.csv(report)
        case "--html"?: Reports.html(report)
        default: Reports.text(report)
        }
    if let output = arguments.string("-o") {
        try writeAtomically(Data((text + "\n").utf8), to: output)
    } else {
        Console.print(text)
    }
}
