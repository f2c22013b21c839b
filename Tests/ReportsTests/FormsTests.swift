import Foundation
import Telemetry
import XCTest

@testable import Reports

final class FormsTests: XCTestCase {
    /// Names that would break every form if one forgot to quote.
    private let hostile = "<script>alert(1)</script>\"'&,\r\n\u{1B}[31m\u{7F}%&#x"

    private func hostileReport() -> LatencyReport {
        var scenario = Scenario()
        scenario.seconds = 12
        scenario.dropEvery = 20
        scenario.stopReason = .error
        scenario.stopText = hostile
        scenario.throttledFrom = 8
        scenario.floatLayers = [1]
        let name = hostile
        scenario.change = { metadata in
            metadata.modelName = name
            metadata.modelHash = name
            metadata.toolVersion = name
            metadata.deviceName = name
            metadata.cpuModel = name
            metadata.isa = name
            metadata.bestIsa = name + "2"
            metadata.governor = name
            metadata.commandLine = name
            metadata.source = name
            for index in metadata.layers.indices {
                metadata.layers[index].name = name
                metadata.layers[index].operatorName = name
                metadata.layers[index].kernel = name
            }
        }
        scenario.extra = { recorder in
            recorder.recordBadFrame(named: name, frame: 1, at: 1_000_000_000)
            recorder.recordError(named: name, frame: 2, at: 2_000_000_000)
            recorder.recordSourceLost(named: name, frame: 3, at: 3_000_000_000)
        }
        return scenario.report()
    }

    private func allKinds() throws -> [LatencyReport] {
        var throttled = Scenario()
        throttled.throttledFrom = 30
        throttled.slowEvery = 50
        throttled.badEvery = 100
        return [
            LatencyReport(), Scenario().report(), throttled.report(), hostileReport(),
            try LatencyReport.merged([Scenario().report(), throttled.report(), Scenario().report()]),
        ]
    }

    // MARK: Text

    func testTextPutsTheVerdictFirstAndAlignsTables() {
        var scenario = Scenario()
        scenario.throttledFrom = 45
        let text = Reports.text(scenario.report())
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        XCTAssertTrue(lines[0].hasPrefix("Keeps up: "), lines[0])
        XCTAssertTrue(text.contains("\n!! The CPU was throttled 25 % of the time"), text)
        XCTAssertTrue(text.contains("The stages add up to "), text)
        XCTAssertTrue(text.contains("The layers add up to 98 % of inference; measuring them took "), text)
        XCTAssertTrue(text.contains("throttled    ·"), text)
        XCTAssertTrue(text.contains("started      2026-11-21T06:40:15Z"), text)
        XCTAssertFalse(lines.contains { $0.hasSuffix(" ") })
        let stageLines = lines.filter { $0.hasPrefix("  preprocess") || $0.hasPrefix("  decode") }
        XCTAssertEqual(stageLines.count, 2)
        let columns = stageLines.map { $0.distance(from: $0.startIndex, to: $0.firstIndex(of: "%")!) }
        XCTAssertEqual(columns[0], columns[1])
    }

    func testTextListsTheSlowestLayersOnly() {
        let report = Scenario().report()
        let text = Reports.text(report, layerLimit: 2)
        XCTAssertTrue(text.contains("Layers, slowest first (2 of 6)"))
        XCTAssertTrue(text.contains("block2/conv"))
        XCTAssertFalse(text.contains("block5/conv"))
        XCTAssertTrue(Reports.text(report, layerLimit: nil).contains("block5/conv"))
    }

    func testTextLetsNoControlCharacterThrough() throws {
        for report in try allKinds() {
            let text = Reports.text(report)
            for scalar in text.unicodeScalars where scalar != "\n" {
                XCTAssertFalse(scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value), "\(scalar.value)")
            }
        }
    }

    // MARK: JSON

    func testJSONParsesAndKeepsItsKeys() throws {
        for report in try allKinds() {
            let document = try JSONSerialization.jsonObject(with: Data(Reports.json(report).utf8)) as! [String: Any]
            XCTAssertEqual(
                Set(document.keys),
                [
                    "schema", "schemaVersion", "verdict", "frames", "badFrames", "captureToResult", "stages",
                    "stageCoverage", "layers", "layerCoverage", "instrumentationShare", "runs",
                ])
            XCTAssertEqual(document["schema"] as? String, "swiftlet-latency-report")
            let stages = document["stages"] as! [[String: Any]]
            XCTAssertEqual(
                stages.map { $0["name"] as! String },
                ["wait", "decode", "preprocess", "inference", "postprocess", "output"])
            for entry in stages + [document["captureToResult"] as! [String: Any]] {
                XCTAssertTrue(
                    Set(entry.keys).isSuperset(of: [
                        "count", "sumNs", "meanNs", "minNs", "p50Ns", "p90Ns", "p95Ns", "p99Ns", "p999Ns", "maxNs",
                        "beyond60s",
                    ]))
            }
            let runs = document["runs"] as! [[String: Any]]
            XCTAssertEqual(runs.count, report.runs.count)
            XCTAssertEqual(
                Set(runs[0].keys),
                [
                    "metadata", "frames", "captureToResult", "elapsedNs", "peakResidentBytes", "instrumentation",
                    "stopReason", "stopText", "eventTotals", "events", "samples", "integrity",
                ])
            let metadata = runs[0]["metadata"] as! [String: Any]
            XCTAssertEqual(metadata["modelName"] as? String, report.runs[0].metadata.modelName)
        }
    }

    func testJSONFiguresAreTheReports() throws {
        let report = hostileReport()
        let document = try JSONSerialization.jsonObject(with: Data(Reports.json(report).utf8)) as! [String: Any]
        let frames = document["frames"] as! [String: UInt64]
        XCTAssertEqual(frames["processed"], report.counters.processed)
        XCTAssertEqual(frames["dropped"], report.counters.dropped)
        let total = document["captureToResult"] as! [String: Any]
        XCTAssertEqual(total["p99Ns"] as? UInt64, report.captureToResult.percentile(99))
        let layers = document["layers"] as! [[String: Any]]
        XCTAssertEqual(layers[1]["name"] as? String, hostile)
        XCTAssertEqual(layers[1]["isFloat"] as? Bool, true)
        XCTAssertEqual(layers[2]["sumNs"] as? UInt64, report.layers[2].histogram.sum)
        let verdict = document["verdict"] as! [String: Any]
        XCTAssertEqual(verdict["outcome"] as? String, "failed")
        let samples = (document["runs"] as! [[String: Any]])[0]["samples"] as! [[String: Any]]
        XCTAssertEqual(samples.count, 12)
        XCTAssertEqual(samples[9]["isThrottled"] as? Bool, true)
    }

    func testJSONValueForms() {
        let value = JSONValue.object([
            ("z", .array([.integer(-1), .unsigned(.max), .number(0.5), .number(.nan), .null])),
            ("a", .string("q\"\\\u{1}\u{7F}é\n")), ("e", .array([])), ("o", .object([])), ("b", .bool(true)),
        ])
        XCTAssertEqual(
            value.compact(),
            #"{"z":[-1,18446744073709551615,0.5,null,null],"a":"q\"\\\u0001\u007fé\n","e":[],"o":{},"b":true}"#)
        XCTAssertEqual(
            JSONValue.object([("a", .array([.integer(1), .integer(2)])), ("b", .array([]))]).rendered(),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}\n")
    }

    // MARK: CSV

    /// A reader of RFC 4180 as small as it gets.
    private func parseCSV(_ text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell = ""
        var isQuoted = false
        var scalars = Array(text.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"" where isQuoted && scalars.first == "\"":
                cell += "\""
                scalars.removeFirst()
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                row.append(cell)
                cell = ""
            case "\r" where !isQuoted: break
            case "\n" where !isQuoted:
                rows.append(row + [cell])
                row = []
                cell = ""
            default: cell.unicodeScalars.append(scalar)
            }
        }
        return rows
    }

    func testCSVHasOneRowForEachThing() throws {
        for report in try allKinds() {
            let rows = parseCSV(Reports.csv(report))
            XCTAssertTrue(rows.allSatisfy { $0.count == 17 })
            let runs = report.runs.count > 1 ? report.runs.count : 0
            XCTAssertEqual(rows.count, 2 + runs + 6 + report.layers.count)
            XCTAssertEqual(rows.filter { $0[0] == "layer" }.map { $0[2] }, report.layers.map { $0.description.name })
            XCTAssertEqual(rows[1][6], String(report.captureToResult.count))
            let shares = rows.filter { $0[0] == "stage" }.compactMap { Double($0[16]) }
            if report.stageSum > 0 { XCTAssertEqual(shares.reduce(0, +), 1, accuracy: 1e-5) }
        }
    }

    // MARK: HTML

    /// Walks the markup: known tags only, properly nested, no `<` elsewhere. Returns the attribute texts.
    @discardableResult
    private func checkMarkup(_ html: String, file: StaticString = #filePath, line: UInt = #line) -> [String] {
        let known: Set<String> = [
            "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "dl", "div", "dt", "dd",
            "section", "ul", "li", "b", "svg", "path", "rect", "text", "table", "thead", "tbody", "tr", "th", "td", "i",
            "span", "details", "summary", "code", "h3",
        ]
        let void: Set<String> = ["meta"]
        var open: [String] = []
        var attributes: [String] = []
        var rest = Substring(html)
        XCTAssertTrue(rest.hasPrefix("<!doctype html>\n"), file: file, line: line)
        rest = rest.dropFirst("<!doctype html>".count)
        while let start = rest.firstIndex(of: "<") {
            guard let end = rest[start...].firstIndex(of: ">") else {
                XCTFail("unclosed tag", file: file, line: line)
                break
            }
            var tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            let isClosing = tag.hasPrefix("/")
            if isClosing { tag = tag.dropFirst() }
            let isEmpty = tag.hasSuffix("/")
            let name = String(tag.prefix { $0 != " " && $0 != "/" })
            XCTAssertTrue(known.contains(name), "<\(tag)>", file: file, line: line)
            if isClosing {
                XCTAssertEqual(open.popLast(), name, file: file, line: line)
            } else {
                attributes.append(String(tag.dropFirst(name.count)))
                if !isEmpty, !void.contains(name) { open.append(name) }
            }
        }
        XCTAssertEqual(open, [], file: file, line: line)
        return attributes
    }

    func testHTMLIsWellFormedAndLoadsNothing() throws {
        for report in try allKinds() {
            let html = Reports.html(report)
            let attributes = checkMarkup(html)
            for attribute in attributes {
                XCTAssertFalse(attribute.contains(" src") || attribute.contains(" href") || attribute.contains(" on"), attribute)
            }
            for part in ["http://", "https://", "url(", "@import", "<script", "<link", "<img", "javascript:"] {
                XCTAssertFalse(html.contains(part), part)
            }
            XCTAssertTrue(html.contains("default-src 'none'"))
            XCTAssertTrue(html.contains("width=device-width"))
            XCTAssertTrue(html.contains("prefers-color-scheme:dark"))
        }
    }

    func testHTMLEscapesEveryName() {
        let html = Reports.html(hostileReport())
        XCTAssertFalse(html.contains("<script"))
        XCTAssertFalse(html.contains("\u{1B}"))
        XCTAssertFalse(html.contains("\"'&,"))
        XCTAssertTrue(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;,"))
    }

    func testHTMLShowsTheVerdictFirst() {
        var scenario = Scenario()
        scenario.throttledFrom = 30
        scenario.dropEvery = 30
        let html = Reports.html(scenario.report())
        let body = html[html.range(of: "<body>")!.upperBound...]
        let heading = body.range(of: "<h1>Sometimes late</h1>")!
        let why = body.range(of: "Why, and what to do")!
        let time = body.range(of: "Latency over time")!
        XCTAssertLessThan(heading.lowerBound, why.lowerBound)
        XCTAssertLessThan(why.lowerBound, time.lowerBound)
        XCTAssertTrue(body.contains("CPU throttled"))
        XCTAssertTrue(body.contains("frames dropped"))
        XCTAssertTrue(body.contains("CPU temperature"))
        XCTAssertTrue(body.contains("The layers add up to 98 % of inference"))
    }

    func testHTMLFoldsLongListsAway() {
        var scenario = Scenario()
        scenario.seconds = 3
        scenario.layerParts = [UInt64](repeating: 2, count: 49)
        let html = Reports.html(scenario.report())
        XCTAssertTrue(html.contains("<summary>37 more layers, 76 % together</summary>"))
    }

    func testHTMLStaysSmall() {
        var scenario = Scenario()
        scenario.seconds = 300
        scenario.layerParts = [UInt64](repeating: 1, count: 70)
        XCTAssertLessThan(Reports.html(scenario.report()).utf8.count, 120_000)
    }

    func testExtremeFiguresDoNotBreakTheCharts() {
        let metadata = RunMetadata()
        for values: [UInt64] in [[0], [1, 2], [.max], [0, .max], [1, 60_000_000_000, .max]] {
            let recorder = Recorder(metadata: metadata, startNanoseconds: 0, sampleCapacity: 4)
            for value in values {
                recorder.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: value)
                recorder.sample(
                    at: value, frequencyKilohertz: .max, temperatureMilliCelsius: .min, isThrottled: value == .max)
            }
            recorder.sample(at: .max, frequencyKilohertz: 1, temperatureMilliCelsius: .max, isThrottled: false)
            let report = recorder.report(at: .max)
            checkMarkup(Reports.html(report))
            XCTAssertFalse(Reports.html(report).contains("nan"))
            XCTAssertFalse(Reports.text(report).isEmpty)
        }
    }

    func testAxesEndAtRoundNumbers() {
        for value in [1.0, 999, 1e6, 3.3e7, 1.01e8, 7e9, 1.8e19] {
            let scale = Charts.Scale(reaching: value)
            XCTAssertGreaterThanOrEqual(scale.top, value)
            let steps = scale.top / scale.step
            XCTAssertEqual(steps, steps.rounded(), accuracy: 1e-9)
            XCTAssertTrue((1...5).contains(steps), "\(value): \(steps)")
        }
    }

    // MARK: Table

    func testTextTableAlignsAndCuts() {
        var table = TextTable([("name", .left), ("count", .right)])
        table.add(["é", "1"])
        table.add(["a longer name", "12345"])
        XCTAssertEqual(
            table.rendered(indent: 1, columnLimit: 8), " name      count\n é             1\n a longe…  12345\n")
        var untitled = TextTable([("", .right), ("", .left)])
        XCTAssertTrue(untitled.isEmpty)
        untitled.add(["1", "x\ny"])
        XCTAssertEqual(untitled.rendered(), "1  x y\n")
    }
}
