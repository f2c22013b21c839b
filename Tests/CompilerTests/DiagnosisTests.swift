import Graph
import XCTest

@testable import Compiler

/// What a user reads when a model can't run on the device: every problem at once, each with its node and a remedy.
final class DiagnosisTests: XCTestCase {
    private func message(_ net: NetworkBuilder, options: CompileOptions = CompileOptions(precision: .float32)) -> String {
        do {
            _ = try Compiler.compile(net.graph, options: options)
            return "compiled"
        } catch {
            return "\(error)"
        }
    }

    func testUnsupportedOperator() {
        var net = NetworkBuilder(seed: 170)
        let x = net.input([1, 3, 6, 6])
        net.output(net.add(LRN(size: 3), [net.conv(x, 3, 4)], name: "norm1"))
        XCTAssertEqual(
            message(net),
            """
            1 problem:
              node "norm1" (LRN): operator LRN: expected an operator that the device runs, found LRN. Replace it in the \
            model, or cut the model before it and do this step on the results.
            """)
    }

    func testOperatorWhoseShapeDependsOnData() {
        var net = NetworkBuilder(seed: 171)
        let x = net.input([1, 5])
        net.output(net.add(NonZero(), [net.relu(x)], name: "picks", type: .int64), .int64)
        XCTAssertEqual(
            message(net),
            """
            1 problem:
              node "picks" (NonZero): operator NonZero: expected an operator that the device runs, found NonZero. Replace it in \
            the model, or cut the model before it and do this step on the results.
            """)
    }

    func test16BitQuantization() throws {
        var net = NetworkBuilder(seed: 172)
        let x = net.input([1, 3, 4, 4])
        net.output(net.conv(x, 3, 4, name: "wide"))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let y = graph.nodes[0].outputs[0]!
        graph[y].quantization = Quantization(elementType: .int16, scale: 0.001, zeroPoint: 0)
        net.graph = graph
        XCTAssertEqual(
            message(net, options: CompileOptions()),
            """
            1 problem:
              node "wide" (Conv): output "wide_out": expected float32, int32 or 8-bit quantization per tensor, found int16 \
            quantization. Requantize the model to 8 bits, or convert its float original.
            """)
    }

    func testSeveralProblemsAtOnce() {
        var net = NetworkBuilder(seed: 173)
        let x = net.input([1, 4, 6, 6])
        let weights = net.input([4, 4, 3, 3], name: "w")
        let a = net.add(LRN(size: 3), [x], name: "norm")
        let b = net.add(Conv(padding: .explicit([1, 1, 1, 1])), [a, weights, nil], name: "dynamic")
        let c = net.add(InstanceNormalization(), [b, net.constant([4]), net.constant([4])], name: "style")
        net.output(net.add(Binary(.mod(fmod: true)), [c, x], name: "rest"))
        let text = message(net)
        let lines = text.split(separator: "\n").map(String.init)
        XCTAssertEqual(lines.count, 4, text)
        XCTAssertEqual(lines.first, "3 problems:")
        for (line, start) in zip(lines.dropFirst(), [
            "  node \"norm\" (LRN): ", "  node \"dynamic\" (Conv): input 1 (weights): expected a constant, found a value computed at run time.",
            "  node \"style\" (InstanceNormalization): ",
        ]) {
            XCTAssertTrue(line.hasPrefix(start), "\(line) does not start with \(start)")
            XCTAssertTrue(line.hasSuffix("."), line)
        }
    }

    func testShapeProblemsOfTheSourceAreCollected() {
        var net = NetworkBuilder(seed: 174)
        let x = net.input([1, 4, 6, 6])
        let first = net.conv(x, 3, 4, name: "narrow")
        let second = net.conv(x, 5, 4, name: "broad")
        net.output(first)
        net.output(second)
        let text = message(net)
        XCTAssertTrue(text.hasPrefix("2 problems:"), text)
        XCTAssertTrue(text.contains("node \"narrow\" (Conv)"), text)
        XCTAssertTrue(text.contains("node \"broad\" (Conv)"), text)
    }

    func testBatch() {
        var net = NetworkBuilder(seed: 175)
        let x = net.input([2, 3, 6, 6])
        net.output(net.conv(x, 3, 4, name: "conv"))
        XCTAssertEqual(
            message(net),
            """
            1 problem:
              node "conv" (Conv): input 0: expected one picture: [1, height, width, channels] after conversion, found shape \
            [2, 6, 6, 3]. Use --input-shape to set the batch to 1.
            """)
    }

    func testPreprocessingThatDoesNotFit() throws {
        var net = NetworkBuilder(seed: 176)
        let x = net.input([1, 1, 6, 8])
        net.output(net.conv(x, 1, 4))
        var options = CompileOptions(precision: .float32)
        options.recipe.preprocess = try Recipe.preprocess("unit", width: 8, height: 6)
        XCTAssertEqual(
            message(net, options: options),
            """
            preprocessing: expected the network's input to be a picture [1, 6, 8, 3], found [1, 6, 8, 1]. Choose \
            --preprocess with color=gray for one channel, or leave it out for inputs that are no pictures.
            """)
    }
}
