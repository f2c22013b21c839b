import Engine
import Foundation
import Graph
import Importers
import NestFormat
import XCTest

@testable import Compiler

/// The file as a whole: the same bytes every time, no larger than promised, and what the shipped models become.
final class CompiledFileTests: XCTestCase {
    private func network(_ net: inout NetworkBuilder) {
        let x = net.input([1, 3, 16, 16])
        let stem = net.clip(net.conv(x, 3, 8, strides: [2, 2]), 0, 6)
        let branch = net.conv(net.clip(net.conv(stem, 8, 8, groups: 8), 0, 6), 8, 8)
        let sum = net.add(Binary(.add), [branch, stem])
        let pooled = net.add(Flatten(), [net.add(GlobalPool(kind: .average), [sum])])
        let weights = net.constant([10, 8])
        net.output(net.add(Softmax(), [net.add(Gemm(transB: true), [pooled, weights, nil])]))
    }

    func testSameBytesEveryTime() throws {
        var net = NetworkBuilder(seed: 180)
        network(&net)
        let (first, second) = (try compileCalibrated(net.graph), try compileCalibrated(net.graph))
        XCTAssertTrue(first.file == second.file, "int8")
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let options = CompileOptions(precision: .float32)
        XCTAssertTrue(try Compiler.compile(graph, options: options).file == Compiler.compile(graph, options: options).file, "float32")
    }

    func testProvenance() throws {
        var net = NetworkBuilder(seed: 181)
        network(&net)
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        graph.sourceDescription = "ONNX opset 13"
        let options = CompileOptions(provenance: [.init(key: "source", value: "net.onnx")])
        let compilation = try Compiler.compile(graph, options: options, calibration: try randomCalibration(graph))
        let model = try Model(copying: compilation.file)
        let entries = Dictionary(model.file.provenance.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { a, _ in a })
        XCTAssertEqual(entries["source"], "net.onnx")
        XCTAssertEqual(entries["source-format"], "ONNX opset 13")
        XCTAssertEqual(entries["calibration"], "random (3 pictures)")
        XCTAssertEqual(entries["calibration-sha256"]?.count, 64)
        XCTAssertEqual(entries["method"], compilation.quantization?.baseMethod.rawValue)
        XCTAssertEqual(entries["arena-bytes"], "\(model.plan.arenaBytes)")
        XCTAssertEqual(entries["arena-lower-bound-bytes"], "\(compilation.lowered.memory.lowerBoundBytes)")
        XCTAssertNotNil(model.file.golden)
    }

    /// MobileNetV2's layers (1.0, 1000 classes) over a small picture: the parameters don't depend on its size.
    private func mobileNetV2(_ net: inout NetworkBuilder) -> Int {
        var parameters = 0
        func convolution(_ x: ValueID, _ channels: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1, clamps: Bool = true) -> ValueID {
            parameters += outputs * (channels / groups) * kernel * kernel + 4 * outputs
            let pad = kernel / 2
            let y = net.conv(
                x, channels, outputs, [kernel, kernel], strides: [stride, stride], padding: .explicit([pad, pad, pad, pad]), groups: groups)
            return clamps ? net.clip(y, 0, 6) : y
        }
        let input = net.input([1, 3, 32, 32])
        var (x, channels) = (convolution(input, 3, 32, 3, stride: 2), 32)
        for (expansion, outputs, count, stride) in [
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ] {
            for index in 0..<count {
                let hidden = channels * expansion
                var y = expansion == 1 ? x : convolution(x, channels, hidden, 1)
                y = convolution(y, hidden, hidden, 3, stride: index == 0 ? stride : 1, groups: hidden)
                y = convolution(y, hidden, outputs, 1, clamps: false)
                x = index > 0 ? net.add(Binary(.add), [y, x]) : y
                channels = outputs
            }
        }
        x = convolution(x, channels, 1280, 1)
        let pooled = net.add(Flatten(), [net.add(GlobalPool(kind: .average), [x])])
        let (weights, bias) = (net.constant([1000, 1280]), net.constant([1000]))
        parameters += 1000 * 1280 + 4 * 1000
        net.output(net.add(Gemm(transB: true), [pooled, weights, bias]))
        return parameters
    }

    func testFileSizeOfMobileNetV2() throws {
        var net = NetworkBuilder(seed: 182)
        let parameters = mobileNetV2(&net)
        XCTAssertEqual(parameters / 1_000_000, 3)
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let quantized = try Annotation().apply(to: graph)
        var options = CompileOptions()
        options.recipe.labels = (0..<1000).map { "class number \($0)" }
        let compilation = try Compiler.compile(quantized, options: options)
        XCTAssertEqual(compilation.lowered.parameterBytes, parameters)
        XCTAssertLessThanOrEqual(Double(compilation.file.count), 1.02 * Double(parameters) + 65_536)
        XCTAssertEqual(compilation.lowered.floatNodes, [])
        XCTAssertEqual(integerProducts(compilation), 53)
        XCTAssertEqual(compilation.lowered.plan.operations.count, 54, "53 products and one pool: all else is fused")
        XCTAssertLessThanOrEqual(
            Double(compilation.lowered.memory.arenaBytes), 1.05 * Double(compilation.lowered.memory.lowerBoundBytes))
        XCTAssertEqual(
            try Session(model: Model(copying: compilation.file), threadCount: 2).selfTest(), .passed(operations: 54))
    }

    // MARK: Shipped models

    private func shipped(_ name: String) throws -> (graph: Graph, recipe: Recipe) {
        let folder = packageRoot.appendingPathComponent("models/\(name)")
        let graph = try ONNXImporter.load(path: folder.appendingPathComponent("\(name).onnx").path, options: ImportOptions())
        let shape = graph[graph.inputs[0].value].shape!
        let data = try Data(contentsOf: folder.appendingPathComponent("model.json"))
        return (graph, try Recipe(json: data, width: shape[3], height: shape[2]))
    }

    func testGauge() throws {
        let (graph, recipe) = try shipped("gauge")
        let folder = packageRoot.appendingPathComponent("models/gauge/calibration").path
        let compilation = try Compiler.compile(
            graph, options: CompileOptions(recipe: recipe), calibration: try CalibrationSet.folder(folder, limit: 8))
        XCTAssertEqual(compilation.lowered.floatNodes.map(\.name), [])
        let quantization = try XCTUnwrap(compilation.quantization)
        XCTAssertGreaterThan(quantization.outputSQNR, 15)
        let model = try Model(copying: compilation.file)
        XCTAssertNotNil(model.file.preprocess)
        guard case .keypoints(let keypoints) = model.file.decoding else { return XCTFail("\(model.file.decoding)") }
        XCTAssertEqual(keypoints.gauge?.unit, "bar")
        XCTAssertEqual(model.file.labels, ["centre", "tip", "min", "max"])
        try verify(compilation, against: compilation.asSource, tolerance: Tolerance(relative: 0.15), "gauge")
        let float = try Compiler.compile(graph, options: CompileOptions(precision: .float32, recipe: recipe))
        try verify(float, against: graph, tolerance: Tolerance(relative: 1e-4), "gauge, float32")
    }

    func testCIFAR10() throws {
        let (graph, recipe) = try shipped("cifar10")
        let compilation = try Compiler.compile(
            graph, options: CompileOptions(recipe: recipe), calibration: try randomCalibration(graph))
        XCTAssertEqual(compilation.lowered.floatNodes.map(\.name), [])
        let model = try Model(copying: compilation.file)
        XCTAssertEqual(model.file.labels.count, 10)
        XCTAssertEqual(model.file.labels.first, "airplane")
        try verify(compilation, against: compilation.asSource, tolerance: Tolerance(steps: 3, differing: 1), "cifar10")
        let float = try Compiler.compile(graph, options: CompileOptions(precision: .float32, recipe: recipe))
        try verify(float, against: graph, tolerance: Tolerance(relative: 1e-4), "cifar10, float32")
    }
}
