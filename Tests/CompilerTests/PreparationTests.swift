import Graph
import Importers
import XCTest

@testable import Compiler

/// Graphs in the compiler's form compute what their source computes.
final class PreparationTests: XCTestCase {
    static let root = packageRoot

    static func random(_ shape: [Int], seed: UInt64, low: Float = -1, high: Float = 1) -> Tensor {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return Tensor(shape: shape, of: Float.self) { buffer in
            for i in buffer.indices {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                buffer[i] = low + (high - low) * Float(state >> 40) * 0x1p-24
            }
        }
    }

    /// Largest difference of outputs between the source and its prepared form, relative to the outputs' largest value.
    static func difference(_ source: Graph, inputs: [String: Tensor]) throws -> Float {
        let prepared = try ChannelsLastGraph.prepare(source)
        let expected = try Executor(source).run(inputs)
        var moved: [String: Tensor] = [:]
        for (port, layout) in zip(prepared.graph.inputs, prepared.inputs) {
            moved[port.name] = inputs[port.name]!.transposed(layout.order)
        }
        let found = try Executor(prepared.graph).run(moved)
        var worst: Float = 0
        for (port, layout) in zip(prepared.graph.outputs, prepared.outputs) {
            let a = expected[port.name]!.transposed(layout.order)
            XCTAssertEqual(a.shape, found[port.name]!.shape, port.name)
            let (x, y) = (a.asFloats, found[port.name]!.asFloats)
            let largest = max(x.map { abs($0) }.max() ?? 0, 1e-6)
            worst = max(worst, zip(x, y).map { abs($0 - $1) }.max().map { $0 / largest } ?? 0)
        }
        return worst
    }

    private func checkModel(_ path: String, tolerance: Float) throws {
        let graph = try ONNXImporter.load(path: path, options: ImportOptions())
        var inputs: [String: Tensor] = [:]
        for port in graph.inputs { inputs[port.name] = Self.random(graph[port.value].shape!, seed: 1) }
        XCTAssertLessThan(try Self.difference(graph, inputs: inputs), tolerance, path)
    }

    func testShippedModels() throws {
        for name in ["cifar10/cifar10.onnx", "gauge/gauge.onnx"] {
            try checkModel(Self.root.appendingPathComponent("models/\(name)").path, tolerance: 1e-4)
        }
    }

    func testRealModels() throws {
        let folder = Self.root.appendingPathComponent("../shared/real/models")
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw XCTSkip("../shared/real/models is absent")
        }
        for name in names.sorted() where name.hasSuffix(".onnx") {
            try checkModel(folder.appendingPathComponent(name).path, tolerance: 1e-3)
        }
    }
}
