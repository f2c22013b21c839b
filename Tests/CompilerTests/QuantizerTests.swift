import Foundation
import Graph
import XCTest

@testable import Compiler

/// Ranges, weights, shared scales, and the choice between range methods.
final class QuantizerTests: XCTestCase {
    // MARK: Ranges

    private func statistics(_ values: [Float]) -> ActivationStatistics {
        var statistics = ActivationStatistics()
        statistics.add(Tensor(values, shape: [values.count]))
        return statistics
    }

    func testRangesHoldZero() {
        for method in RangeMethod.allCases {
            XCTAssertEqual(statistics([2, 3, 4]).range(by: method).lowerBound, 0, method.rawValue)
            XCTAssertEqual(statistics([-2, -3, -4]).range(by: method).upperBound, 0, method.rawValue)
            XCTAssertEqual(ActivationStatistics().range(by: method), 0...0, method.rawValue)
        }
    }

    func testMinMaxIsExactBeyondTheSample() {
        var values = [Float](repeating: 0.5, count: 100_000)
        values[77_777] = 9
        values[3] = -7
        XCTAssertEqual(statistics(values).range(by: .minMax), -7...9)
    }

    func testNotFiniteValuesAreLeftOut() {
        XCTAssertEqual(statistics([.nan, 1, .infinity, -2, -.infinity]).range(by: .minMax), -2...1)
    }

    func testPercentilesLeaveOutliersOut() {
        var values = (0..<2000).map { Float($0) / 2000 }
        values[1000] = 500
        let s = statistics(values)
        XCTAssertEqual(s.range(by: .minMax).upperBound, 500)
        XCTAssertLessThan(s.range(by: .percentile999).upperBound, 1.01)
        XCTAssertLessThanOrEqual(s.range(by: .percentile999).upperBound, s.range(by: .percentile9999).upperBound)
    }

    func testLeastSquaresIsNotWorseThanMinMax() {
        var random = TestRandom(seed: 4)
        for power in [1, 3, 9] {
            let values = (0..<2000).map { _ -> Float in
                let x = Float.random(in: -1...1, using: &random)
                return (0..<power).reduce(Float(1)) { product, _ in product * x }
            }
            let s = statistics(values)
            XCTAssertLessThanOrEqual(s.squaredError(s.range(by: .mse)), s.squaredError(s.range(by: .minMax)))
        }
    }

    func testActivationQuantizationCoversItsRange() {
        var random = TestRandom(seed: 6)
        for _ in 0..<500 {
            let range = -Float.random(in: 0...10, using: &random)...Float.random(in: 0...10, using: &random)
            let q = Quantization(activationRange: range)
            let (scale, zero) = (q.scales[0], q.zeroPoints[0])
            XCTAssertTrue((-128...127).contains(zero))
            XCTAssertEqual(Float(-128 - zero) * scale, range.lowerBound, accuracy: scale * 0.51)
            XCTAssertEqual(Float(127 - zero) * scale, range.upperBound, accuracy: scale * 0.51)
        }
        let empty = Quantization(activationRange: 0...0)
        XCTAssertTrue(empty.scales[0].isNormal && empty.scales[0] > 0)
    }

    // MARK: Weights

    func testWeightsPerChannel() {
        let values: [Float] = [1, -0.5, 0.25, 0, 0, 0, -8, 4, 2]
        let (tensor, q) = quantizeWeights(Tensor(values, shape: [3, 3]), axis: 0)
        XCTAssertEqual(tensor.elements(as: Int8.self), [127, -64, 32, 0, 0, 0, -127, 64, 32])
        XCTAssertEqual(q.axis, 0)
        XCTAssertEqual(q.scales, [1 / 127, 8 / 127, 8 / 127], "a channel of zeros takes the largest scale")
        let (columns, byColumn) = quantizeWeights(Tensor(values, shape: [3, 3]), axis: 1)
        XCTAssertEqual(byColumn.scales, [8 / 127, 4 / 127, 2 / 127])
        XCTAssertEqual(columns.elements(as: Int8.self)[6], -127)
        let (_, whole) = quantizeWeights(Tensor(values, shape: [3, 3]), axis: -1)
        XCTAssertNil(whole.axis)
        XCTAssertEqual(whole.scales, [8 / 127])
        let (zeros, none) = quantizeWeights(Tensor([Float](repeating: 0, count: 6), shape: [2, 3]), axis: 0)
        XCTAssertEqual(zeros.elements(as: Int8.self), [0, 0, 0, 0, 0, 0])
        XCTAssertTrue(none.scales.allSatisfy { $0.isNormal && $0 > 0 })
    }

    func testWeightErrorIsHalfAStep() {
        var random = TestRandom(seed: 7)
        let weights = random.tensor([16, 5, 3, 3])
        let (tensor, q) = quantizeWeights(weights, axis: 0)
        for (index, (a, b)) in zip(weights.elements(as: Float.self), q.dequantize(tensor).elements(as: Float.self)).enumerated() {
            XCTAssertLessThanOrEqual(abs(a - b), q.scales[index / 45] * 0.5001)
        }
    }

    /// Rounding a depthwise filter shifts its channel by the errors times the input's mean; the bias takes that back.
    func testBiasesTakeBackWhatRoundingAdds() throws {
        let products: [(String, (inout NetworkBuilder, ValueID) -> ValueID)] = [
            ("dense", { $0.conv($1, 6, 8, name: "layer") }),
            ("depthwise", { $0.conv($1, 6, 6, groups: 6, name: "layer") }),
            ("two groups", { $0.conv($1, 6, 4, groups: 2, name: "layer") }),
            ("without bias", { $0.conv($1, 6, 8, bias: false, name: "layer") }),
        ]
        for (name, product) in products {
            var net = NetworkBuilder(seed: 150)
            let x = net.input([1, 6, 9, 9])
            net.output(product(&net, net.relu(net.pointwise(x, 6, 6))))
            let found = try annotated(net)
            let position = try XCTUnwrap(found.nodes.firstIndex { $0.name == "layer" }, name)
            let node = found.nodes[position]
            XCTAssertTrue(found[node.inputs[2]!].name.contains("corrected bias"), name)
            // Without padding every tap meets nearly the same mean: what is left is small beside what was taken back.
            let prepared = try ChannelsLastGraph.prepare(net.graph).graph
            let float = try XCTUnwrap(prepared.nodes.first { $0.name == "layer" }, name)
            var uncorrected = found
            let channels = found[node.inputs[2]!].shape![0]
            let bias = prepared.realConstant(float.inputs.count > 2 ? float.inputs[2] : nil) ?? [Float](repeating: 0, count: channels)
            uncorrected[node.inputs[2]!].constant = Tensor(bias, shape: [channels])
            func means(_ graph: Graph) throws -> [Float] {
                var graph = graph
                for value in graph.values.indices where graph.values[value].constant == nil { graph.values[value].quantization = nil }
                var sums = ChannelMeans()
                var random = TestRandom(seed: 9)
                let pictures = random.tensor([3, 6, 9, 9]).elements(as: Float.self)
                for picture in 0..<3 {
                    let input = Tensor(Array(pictures[picture * 486..<(picture + 1) * 486]), shape: [1, 6, 9, 9])
                    let output = graph.nodes.first { $0.name == "layer" }!.outputs[0]!
                    _ = try Executor(graph).run([graph.inputs[0].name: input.transposed([0, 2, 3, 1])]) { id, tensor in
                        if id == output { sums.add(tensor) }
                    }
                }
                return try XCTUnwrap(sums.means)
            }
            let (exact, with, without) = (try means(prepared), try means(found), try means(uncorrected))
            func distance(_ a: [Float]) -> Float { zip(a, exact).reduce(0) { $0 + abs($1.0 - $1.1) } }
            XCTAssertLessThan(distance(with), 0.5 * distance(without), name)
        }
    }

    // MARK: Which values get integers

    private func annotated(_ net: NetworkBuilder, options: Quantizer.Options = .init()) throws -> Graph {
        try compileCalibrated(net.graph, options: options).prepared.graph
    }

    private func quantization(of node: String, in graph: Graph, _ output: Int = 0) throws -> Quantization? {
        let node = try XCTUnwrap(graph.nodes.first { $0.name == node }, "no node \(node)")
        return graph[node.outputs[output]!].quantization
    }

    func testConcatSharesOneScale() throws {
        var net = NetworkBuilder(seed: 140)
        let x = net.input([1, 3, 8, 8])
        let (a, b) = (net.conv(x, 3, 4, name: "a"), net.conv(x, 3, 6, name: "b"))
        let joined = net.add(Concat(axis: 1), [a, b], name: "join")
        let pooled = net.add(Pool(kind: .max(storageOrder: 0), kernel: [2, 2], strides: [2, 2]), [joined], name: "pool")
        net.output(net.conv(pooled, 10, 3, name: "last"))
        let graph = try annotated(net)
        let shared = try XCTUnwrap(try quantization(of: "a", in: graph))
        for name in ["b", "join", "pool"] { XCTAssertEqual(try quantization(of: name, in: graph), shared, name) }
        XCTAssertNotEqual(try quantization(of: "last", in: graph), shared)
    }

    func testFixedScalesOfProbabilities() throws {
        var net = NetworkBuilder(seed: 141)
        let x = net.input([1, 3, 8, 8])
        let gate = net.add(Unary(.sigmoid), [net.conv(x, 3, 6)], name: "gate")
        let wave = net.add(Unary(.tanh), [net.conv(x, 3, 6)], name: "wave")
        net.output(net.conv(net.add(Binary(.mul), [gate, wave], name: "product"), 6, 4))
        let graph = try annotated(net)
        XCTAssertEqual(try quantization(of: "gate", in: graph), Quantization(elementType: .int8, scale: 1 / 256, zeroPoint: -128))
        XCTAssertEqual(try quantization(of: "wave", in: graph), Quantization(elementType: .int8, scale: 1 / 128, zeroPoint: 0))
    }

    func testClampsAreFused() throws {
        var net = NetworkBuilder(seed: 142)
        let x = net.input([1, 3, 8, 8])
        let a = net.add(Unary(.relu), [net.conv(x, 3, 4, name: "conv")], name: "relu")
        net.output(net.conv(a, 4, 4, name: "last"))
        let graph = try annotated(net)
        XCTAssertNil(try quantization(of: "conv", in: graph), "what a clamp overwrites is not stored")
        let q = try XCTUnwrap(try quantization(of: "relu", in: graph))
        XCTAssertEqual(q.zeroPoints, [-128], "a relu's zero is the lowest code")
    }

    func testUnknownLayerToKeepFloat() throws {
        var net = NetworkBuilder(seed: 143)
        let x = net.input([1, 3, 4, 4])
        net.output(net.conv(net.conv(x, 3, 4, name: "backbone/conv1"), 4, 4, name: "backbone/conv2"))
        XCTAssertThrowsError(try compileCalibrated(net.graph, options: .init(keepFloat: ["backbone/conv"]))) { error in
            XCTAssertEqual(
                "\(error)",
                """
                --keep-float backbone/conv: expected the name of a layer, found no layer of that name. Near names: \
                backbone/conv1, backbone/conv2; `swiftlet inspect` lists all layers.
                """)
        }
    }

    // MARK: The choice of ranges

    /// Error of the annotated graph's outputs over the calibration inputs, as the quantizer measures it.
    private func outputError(_ compilation: Compilation, _ source: Graph) throws -> Double {
        var random = TestRandom(seed: 9)
        let shape = source[source.inputs[0].value].shape!
        let inputs = random.tensor([3] + shape.dropFirst()).elements(as: Float.self)
        let each = shape.reduce(1, *)
        let (exact, rounded) = (try Executor(source), try Executor(compilation.asSource))
        var (signal, noise) = (0.0, 0.0)
        for picture in 0..<3 {
            let tensor = Tensor(Array(inputs[picture * each..<(picture + 1) * each]), shape: shape)
            let name = source.inputs[0].name
            let (a, b) = (try exact.run([name: tensor]), try rounded.run([name: tensor]))
            for output in a.keys {
                for (x, y) in zip(a[output]!.asFloats, b[output]!.asFloats) {
                    signal += Double(x) * Double(x)
                    noise += Double(x - y) * Double(x - y)
                }
            }
        }
        return noise / signal
    }

    func testChosenMethodIsNotWorseThanAnyFixedOne() throws {
        for seed: UInt64 in [150, 151, 152] {
            var net = NetworkBuilder(seed: seed)
            let x = net.input([1, 4, 10, 10])
            var y = net.relu(net.conv(x, 4, 8))
            // Heavy tails, so that the methods differ.
            y = net.add(Unary(.square), [net.add(Unary(.square), [y])])
            y = net.add(Binary(.add), [net.relu(net.conv(y, 8, 8)), y])
            net.output(net.conv(y, 8, 6))
            var source = net.graph
            XCTAssertEqual(source.inferShapes(), [])
            let chosen = try outputError(try compileCalibrated(source), source)
            for method in RangeMethod.allCases {
                let fixed = try compileCalibrated(source, options: .init(method: method))
                XCTAssertEqual(fixed.quantization?.baseMethod, method)
                XCTAssertEqual(fixed.quantization?.refined.count, 0)
                XCTAssertLessThanOrEqual(chosen, try outputError(fixed, source) * 1.0001, "seed \(seed), \(method.rawValue)")
            }
        }
    }

    func testReportedErrorIsTheMeasuredOne() throws {
        var net = NetworkBuilder(seed: 153)
        let x = net.input([1, 3, 8, 8])
        net.output(net.conv(net.relu(net.conv(x, 3, 8)), 8, 4))
        var source = net.graph
        XCTAssertEqual(source.inferShapes(), [])
        let compilation = try compileCalibrated(source)
        let decibels = -10 * log10(try outputError(compilation, source))
        XCTAssertEqual(try XCTUnwrap(compilation.quantization).outputSQNR, decibels, accuracy: 0.01)
        XCTAssertGreaterThan(decibels, 25)
    }

    func testProgressRisesToOne() throws {
        var net = NetworkBuilder(seed: 154)
        let x = net.input([1, 3, 8, 8])
        net.output(net.conv(net.relu(net.conv(x, 3, 4)), 4, 4))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        var shares: [Double] = []
        _ = try Compiler.compile(graph, options: CompileOptions(), calibration: try randomCalibration(graph)) { share, _ in
            shares.append(share)
        }
        XCTAssertEqual(shares, shares.sorted())
        XCTAssertEqual(shares.first, 0)
        XCTAssertEqual(shares.last, 1)
    }

    func testCalibrationThatDoesNotFit() throws {
        var net = NetworkBuilder(seed: 155)
        let x = net.input([1, 3, 8, 8])
        net.output(net.conv(x, 3, 4))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        XCTAssertThrowsError(try Compiler.compile(graph, options: CompileOptions())) { error in
            XCTAssertEqual(
                "\(error)",
                """
                float model: expected calibration pictures, found none. Give pictures like those of the camera with \
                --calibrate FOLDER, or keep the model float with --float.
                """)
        }
        let wrong = try CalibrationSet(source: .tensor(Tensor([Float](repeating: 0, count: 10), shape: [2, 5])), name: "wrong")
        XCTAssertThrowsError(try Compiler.compile(graph, options: CompileOptions(), calibration: wrong)) { error in
            XCTAssertEqual(
                "\(error)",
                """
                calibration tensor: expected float32 [pictures, 3, 8, 8], found float32 [2, 5]. Save the network's inputs with \
                numpy.save.
                """)
        }
    }
}
