import Foundation
import Graph
import XCTest

@testable import Importers

/// ONNX's own node tests: each folder has a model of one operator, inputs and the outputs that the specification wants.
final class ConformanceTests: XCTestCase {
    /// Folders that don't pass, each with the reason. One that passes must leave the list.
    private static let exceptions: [String: String] = [
        "test_identity_opt": "the input is an optional sequence; graph values are tensors",
        "test_not_2d": "opset 1; imports start at opset 7",
        "test_not_3d": "opset 1; imports start at opset 7",
    ]

    func testONNXNodeTests() throws {
        let root = TestFiles.shared.appendingPathComponent("onnx-node-tests")
        guard FileManager.default.fileExists(atPath: root.path) else {
            throw XCTSkip("\(root.path) is absent: ONNX's node tests are not part of the repository")
        }
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.path)
            .filter { $0.hasPrefix("test_") }.sorted()
        var passed = 0
        for folder in folders {
            let failure = ConformanceCase(root.appendingPathComponent(folder)).failure()
            switch (failure, Self.exceptions[folder]) {
            case (nil, nil): passed += 1
            case (nil, let reason?): XCTFail("\(folder) passes, but is listed as failing: \(reason)")
            case (let failure?, nil): XCTFail("\(folder): \(failure)")
            case (_?, _?): continue
            }
        }
        for name in Self.exceptions.keys where !folders.contains(name) { XCTFail("\(name) is listed but absent") }
        print("ONNX node tests: \(passed) of \(folders.count) pass, \(Self.exceptions.count) are listed with a reason")
        XCTAssertGreaterThanOrEqual(passed * 461, folders.count * 440)
    }
}

/// One folder of the node tests.
struct ConformanceCase {
    private let folder: URL

    init(_ folder: URL) { self.folder = folder }

    /// Why the case fails, or nil when all data sets give the expected outputs.
    func failure() -> String? {
        do {
            let path = folder.appendingPathComponent("model.onnx").path
            let sets = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasPrefix("test_data_set_") }.sorted()
            if sets.isEmpty { return "no data set" }
            let declared =
                try ONNXModel(ProtobufReader(FileBytes(path: path), message: "ModelProto")).graph?.inputs ?? []
            for set in sets {
                let data = folder.appendingPathComponent(set)
                let inputs = try tensors(data, "input")
                let expected = try tensors(data, "output")
                let shapes = Dictionary(zip(declared.map(\.name), inputs.map(\.shape)), uniquingKeysWith: { $1 })
                let hasDynamicAxes = declared.contains { input in
                    guard case .tensor(_, let axes) = input.kind else { return false }
                    return axes?.contains { if case .dynamic = $0 { true } else { false } } ?? true
                }
                let options = ImportOptions(inputShapes: hasDynamicAxes ? shapes : [:])
                let graph = try ONNXImporter.load(path: path, options: options)
                let named = Dictionary(zip(declared.map(\.name), inputs), uniquingKeysWith: { $1 })
                let given = named.filter { name, _ in graph.inputs.contains { $0.name == name } }
                let outputs = try Executor(graph).run(given)
                for (port, expected) in zip(graph.outputs, expected) {
                    if let difference = Self.difference(outputs[port.name]!, expected) {
                        return "\(port.name): \(difference)"
                    }
                }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func tensors(_ folder: URL, _ prefix: String) throws -> [Tensor] {
        var result: [Tensor] = []
        while true {
            let path = folder.appendingPathComponent("\(prefix)_\(result.count).pb").path
            guard FileManager.default.fileExists(atPath: path) else { return result }
            result.append(try ONNXImporter.loadTensor(path: path))
        }
    }

    /// What differs beyond ONNX's own tolerance (relative 1e-3, absolute 1e-7; nothing for integers and bools), or nil.
    static func difference(_ found: Tensor, _ expected: Tensor) -> String? {
        guard found.elementType == expected.elementType, found.shape == expected.shape else {
            return "expected \(expected.elementType) \(expected.shape), found \(found.elementType) \(found.shape)"
        }
        guard expected.elementType.isFloatingPoint else {
            let (a, b) = (found.integers, expected.integers)
            guard let index = a.indices.first(where: { a[$0] != b[$0] }) else { return nil }
            return "element \(index): expected \(b[index]), found \(a[index])"
        }
        for (index, (a, b)) in zip(found.doubles, expected.doubles).enumerated() {
            let isClose = a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-7 + 1e-3 * abs(b)
            if !isClose { return "element \(index): expected \(b), found \(a)" }
        }
        return nil
    }
}

/// Where tests find files.
enum TestFiles {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Real models and data beside the repository, which are not part of it.
    static let shared = root.deletingLastPathComponent().appendingPathComponent("shared/real")
}
