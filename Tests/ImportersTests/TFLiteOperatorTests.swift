import Foundation
import Graph
import Importers
import XCTest

/// Every operator that the importer maps gives what LiteRT gives.
final class TFLiteOperatorTests: XCTestCase {
    private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("TFLiteOperatorGolden.txt")

    /// One output of one case.
    private struct Expected {
        var shape: [Int]
        var values: [Double]
    }

    private func expectations() throws -> [String: [Expected]] {
        var result: [String: [Expected]] = [:]
        for line in try String(contentsOf: Self.golden, encoding: .utf8).split(separator: "\n")
        where !line.hasPrefix("#") {
            let fields = line.split(separator: "|", omittingEmptySubsequences: false)
            result[String(fields[0]), default: []].append(
                Expected(
                    shape: fields[1].split(separator: ",").map { Int($0)! },
                    values: fields[2].split(separator: " ").map { Double($0)! }))
        }
        return result
    }

    /// With SWIFTLET_TFLITE_CASES=FOLDER: writes the models and inputs from which `tools/reference/make.py cases` makes
    /// TFLiteOperatorGolden.txt.
    func testWriteCases() throws {
        guard let folder = ProcessInfo.processInfo.environment["SWIFTLET_TFLITE_CASES"] else {
            throw XCTSkip("SWIFTLET_TFLITE_CASES is not set: nothing to write")
        }
        let url = URL(fileURLWithPath: folder)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for item in TFLiteOperatorCase.all {
            try Data(item.model.bytes()).write(to: url.appendingPathComponent("\(item.name).tflite"))
            for (index, input) in item.inputs.enumerated() {
                try Data(input.unsafeBytes).write(to: url.appendingPathComponent("\(item.name).input\(index)"))
            }
        }
    }

    func testOperatorsGiveWhatLiteRTGives() throws {
        let expectations = try expectations()
        XCTAssertEqual(
            Set(TFLiteOperatorCase.all.map(\.name)), Set(expectations.keys), "the golden file is out of date")
        XCTAssertEqual(TFLiteOperatorCase.all.count, expectations.count, "names of cases are not unique")
        for item in TFLiteOperatorCase.all {
            do {
                let graph = try TFLiteImporter.load(bytes: item.model.bytes())
                let inputs = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map(\.name), item.inputs))
                let outputs = try Executor(graph).run(inputs)
                for (port, expected) in zip(graph.outputs, expectations[item.name] ?? []) {
                    check(try XCTUnwrap(outputs[port.name]), expected, graph[port.value].quantization != nil, item.name)
                }
            } catch {
                XCTFail("\(item.name): \(error)")
            }
        }
    }

    /// Floats agree to 2e-5 of their size; stored integers, which LiteRT rounds in fixed point, to one step.
    private func check(_ found: Tensor, _ expected: Expected, _ isQuantized: Bool, _ name: String) {
        XCTAssertEqual(found.shape, expected.shape, name)
        let values = found.doubles
        guard values.count == expected.values.count else { return XCTFail("\(name): \(values.count) elements") }
        for (index, pair) in zip(values, expected.values).enumerated() {
            let tolerance =
                isQuantized ? 1 : found.elementType.isFloatingPoint ? 2e-5 * max(1, abs(pair.1)) : 0
            if !(abs(pair.0 - pair.1) <= tolerance) {
                return XCTFail("\(name): element \(index): expected \(pair.1), found \(pair.0)")
            }
        }
    }
}
