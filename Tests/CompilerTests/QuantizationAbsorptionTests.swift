import Engine
import Graph
import XCTest

@testable import Compiler

/// Models that come with QuantizeLinear and DequantizeLinear nodes, as QDQ exports and as QLinear operators (which are
/// imported as dequantize, operator, quantize).
final class QuantizationAbsorptionTests: XCTestCase {
    private struct Parameters {
        var scale: Float
        var zeroPoint: Int
        var type = ElementType.int8
    }

    private func parameters(_ p: Parameters, _ net: inout NetworkBuilder) -> [ValueID?] {
        let zero =
            p.type == .uint8
            ? Tensor(scalar: UInt8(p.zeroPoint)) : p.type == .int16 ? Tensor(scalar: Int16(p.zeroPoint)) : Tensor(scalar: Int8(p.zeroPoint))
        return [net.scalar(p.scale), net.constant(zero)]
    }

    private func quantize(_ x: ValueID, _ p: Parameters, _ net: inout NetworkBuilder) -> ValueID {
        let numbers = parameters(p, &net)
        return net.add(QuantizeLinear(), [x] + numbers, type: p.type)
    }

    private func dequantize(_ x: ValueID, _ p: Parameters, _ net: inout NetworkBuilder) -> ValueID {
        let numbers = parameters(p, &net)
        return net.add(DequantizeLinear(), [x] + numbers)
    }

    private func rounded(_ x: ValueID, _ p: Parameters, _ net: inout NetworkBuilder) -> ValueID {
        dequantize(quantize(x, p, &net), p, &net)
    }

    /// int8 weights [outputs, channels, kernel…] by DequantizeLinear along axis 0.
    private func weights(_ shape: [Int], _ net: inout NetworkBuilder) -> ValueID {
        let codes = net.constant(
            Tensor((0..<shape.reduce(1, *)).map { _ in Int8.random(in: -127...127, using: &net.random) }, shape: shape))
        let scales = net.constant([shape[0]], 0.002...0.01)
        let zeros = net.constant(Tensor([Int8](repeating: 0, count: shape[0]), shape: [shape[0]]))
        return net.add(DequantizeLinear(axis: 0), [codes, scales, zeros])
    }

    private func conv(_ x: ValueID, _ channels: Int, _ outputs: Int, _ net: inout NetworkBuilder) -> ValueID {
        let w = weights([outputs, channels, 3, 3], &net)
        let bias = net.constant([outputs])
        return net.add(Conv(padding: .explicit([1, 1, 1, 1])), [x, w, bias])
    }

    private func compile(_ net: NetworkBuilder, nodes: Int? = nil, _ label: String, tolerance: Tolerance = Tolerance()) throws -> Compilation {
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [], label)
        let compilation = try Compiler.compile(graph, options: CompileOptions())
        XCTAssertTrue(compilation.keptScales, label)
        let left = compilation.prepared.graph.nodes.filter { $0.op is QuantizeLinear || $0.op is DequantizeLinear }
        XCTAssertEqual(left.map(\.name), [], "\(label): quantization nodes left")
        if let nodes { XCTAssertEqual(compilation.lowered.plan.operations.count, nodes, "\(label): operations") }
        try verify(compilation, against: graph, tolerance: tolerance, label)
        return compilation
    }

    func testQDQNetwork() throws {
        for type in [ElementType.int8, .uint8] {
            let shift = type == .uint8 ? 128 : 0
            var net = NetworkBuilder(seed: 160)
            let x = net.input([1, 4, 6, 6])
            let a = rounded(x, Parameters(scale: 0.01, zeroPoint: 3 + shift, type: type), &net)
            let first = net.relu(conv(a, 4, 8, &net))
            let b = rounded(first, Parameters(scale: 0.05, zeroPoint: -128 + shift, type: type), &net)
            let c = rounded(conv(b, 8, 8, &net), Parameters(scale: 0.07, zeroPoint: 5 + shift, type: type), &net)
            let d = rounded(net.add(Binary(.add), [c, b]), Parameters(scale: 0.1, zeroPoint: -3 + shift, type: type), &net)
            let pool = rounded(
                net.add(Pool(kind: .max(storageOrder: 0), kernel: [2, 2], strides: [2, 2]), [d]),
                Parameters(scale: 0.1, zeroPoint: -3 + shift, type: type), &net)
            net.output(pool)
            // The sum's scales are in simple ratios, which makes exact halves.
            let compilation = try compile(net, "QDQ \(type)", tolerance: Tolerance(differing: 0.1))
            XCTAssertEqual(integerProducts(compilation), 2)
            XCTAssertEqual(compilation.lowered.floatNodes, [])
        }
    }

    func testQLinearOperators() throws {
        let p = Parameters(scale: 0.02, zeroPoint: 128, type: .uint8)
        let q = Parameters(scale: 0.06, zeroPoint: 20, type: .uint8)
        let r = Parameters(scale: 0.09, zeroPoint: 100, type: .uint8)
        var net = NetworkBuilder(seed: 161)
        let x = net.input([1, 3, 8, 8], .uint8)
        let a = quantize(conv(dequantize(x, p, &net), 3, 6, &net), q, &net)
        let b = quantize(conv(dequantize(a, q, &net), 6, 6, &net), r, &net)
        let sum = quantize(net.add(Binary(.add), [dequantize(a, q, &net), dequantize(b, r, &net)]), r, &net)
        let pooled = quantize(net.add(GlobalPool(kind: .average), [dequantize(sum, r, &net)]), q, &net)
        let flat = net.add(Flatten(), [pooled], type: .uint8)
        let w = weights([5, 6], &net)
        let product = net.add(Gemm(transB: true), [dequantize(flat, q, &net), w, nil])
        net.output(quantize(product, r, &net), name: "scores", .uint8)
        let compilation = try compile(net, "QLinear network")
        XCTAssertEqual(integerProducts(compilation), 3)
        let plan = compilation.lowered.plan
        XCTAssertEqual(plan.inputs[0].externalType, .uint8)
        XCTAssertEqual(plan.outputs[0].externalType, .uint8)
        XCTAssertEqual(plan.outputs[0].storedType, .int8)
        XCTAssertEqual(plan.outputs[0].zeroPoint, -28, "stored as int8, shifted by 128")
    }

    /// x · f(x), whose two roundings one table holds: behind a convolution, alone, before a residual sum; not where
    /// something else reads f(x).
    func testProductsWithOwnFunction() throws {
        for type in [ElementType.int8, .uint8] {
            let shift = type == .uint8 ? 128 : 0
            func parameters(_ scale: Float, _ zeroPoint: Int) -> Parameters {
                Parameters(scale: scale, zeroPoint: zeroPoint + shift, type: type)
            }
            for (number, function) in [Unary.Function.sigmoid, .tanh, .hardSigmoid(alpha: 1 / 6, beta: 0.5)].enumerated() {
                var net = NetworkBuilder(seed: 170 + UInt64(number))
                func product(_ x: ValueID) -> ValueID {
                    let gate = rounded(net.add(Unary(function), [x]), parameters(0.00793, -5), &net)
                    let operands = number == 0 ? [x, gate] : [gate, x]
                    return rounded(net.add(Binary(.mul), operands), parameters(0.0317, -100), &net)
                }
                let x = dequantize(net.input([1, 4, 6, 6], type), parameters(0.0213, 3), &net)
                let alone = product(x)
                let first = product(rounded(conv(alone, 4, 8, &net), parameters(0.0491, -10), &net))
                let second = product(rounded(conv(first, 8, 8, &net), parameters(0.0413, 7), &net))
                net.output(rounded(net.add(Binary(.add), [first, second]), parameters(0.0577, -90), &net))
                let compilation = try compile(net, nodes: 3, "\(function.name), \(type)", tolerance: Tolerance(differing: 0.05))
                XCTAssertEqual(integerProducts(compilation), 2)
                XCTAssertEqual(compilation.lowered.floatNodes, [])
            }
        }
        var net = NetworkBuilder(seed: 173)
        let p = Parameters(scale: 0.05, zeroPoint: 3), q = Parameters(scale: 1 / 256, zeroPoint: -128)
        let x = rounded(conv(dequantize(net.input([1, 3, 5, 5], .int8), p, &net), 3, 6, &net), p, &net)
        let gate = rounded(net.add(Unary(.sigmoid), [x]), q, &net)
        net.output(gate, name: "gate")
        net.output(rounded(net.add(Binary(.mul), [x, gate]), p, &net), name: "product")
        _ = try compile(net, nodes: 3, "a gate that is a result, too")
    }

    func testConcatOfCodes() throws {
        let p = Parameters(scale: 0.02, zeroPoint: 3)
        var net = NetworkBuilder(seed: 162)
        let x = net.input([1, 4, 5, 5])
        let a = rounded(x, p, &net)
        let (left, right) = (quantize(conv(a, 4, 3, &net), p, &net), quantize(conv(a, 4, 5, &net), p, &net))
        let joined = net.add(Concat(axis: 1), [left, right], type: .int8)
        let halves = net.addAll(Split(axis: 1, numOutputs: 2), [joined], outputs: 2, type: .int8)
        let moved = net.add(Concat(axis: 1), [halves[1], halves[0]], type: .int8)
        net.output(rounded(conv(dequantize(moved, p, &net), 8, 4, &net), p, &net))
        let compilation = try compile(net, "concat and split of codes")
        XCTAssertEqual(integerProducts(compilation), 3)
    }

    func testValueReadRawAndRounded() throws {
        var net = NetworkBuilder(seed: 163)
        let x = net.input([1, 4, 5, 5])
        let p = Parameters(scale: 0.03, zeroPoint: 0)
        let raw = net.add(Unary(.tanh), [x])
        let a = rounded(raw, p, &net)
        let y = rounded(conv(a, 4, 4, &net), Parameters(scale: 0.05, zeroPoint: 1), &net)
        net.output(y)
        net.output(net.add(Unary(.exp), [raw]))
        _ = try compile(net, "a value read raw and rounded", tolerance: Tolerance(relative: 1e-4))
    }

    func testRequantization() throws {
        var net = NetworkBuilder(seed: 164)
        let x = net.input([1, 4, 5, 5])
        let a = rounded(x, Parameters(scale: 0.01, zeroPoint: 0), &net)
        let b = rounded(a, Parameters(scale: 0.03, zeroPoint: 7), &net)
        net.output(rounded(conv(b, 4, 3, &net), Parameters(scale: 0.05, zeroPoint: -9), &net))
        _ = try compile(net, "one scale after another")
    }

    func testScalesComputedAtRunTimeAreLeftAlone() throws {
        var net = NetworkBuilder(seed: 165)
        let x = net.input([1, 6])
        let scale = net.input([], name: "scale")
        let zero = net.constant(Tensor(scalar: Int8(0)))
        let q = net.add(QuantizeLinear(), [x, scale, zero], name: "dynamic", type: .int8)
        net.output(net.add(DequantizeLinear(), [q, scale, zero], name: "back"))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let before = graph.nodes.map(\.name)
        graph.absorbQuantization()
        XCTAssertEqual(graph.nodes.map(\.name), before)
        XCTAssertTrue(graph.values.allSatisfy { $0.quantization == nil })
    }

    func testBadScalesAreLeftAlone() throws {
        for scale in [Float(0), -1, .nan, .infinity] {
            var net = NetworkBuilder(seed: 166)
            let x = net.input([1, 6])
            net.output(rounded(x, Parameters(scale: scale, zeroPoint: 0), &net))
            var graph = net.graph
            XCTAssertEqual(graph.inferShapes(), [])
            graph.absorbQuantization()
            XCTAssertEqual(graph.nodes.count, 2, "scale \(scale)")
        }
    }

    func testFloatOptionDropsIntegers() throws {
        var net = NetworkBuilder(seed: 167)
        let x = net.input([1, 4, 5, 5])
        let a = rounded(x, Parameters(scale: 0.5, zeroPoint: 0), &net)
        net.output(conv(a, 4, 3, &net))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let compilation = try Compiler.compile(graph, options: CompileOptions(precision: .float32))
        XCTAssertEqual(integerProducts(compilation), 0)
        // What is left is the convolution of the dequantized weights, without the rounding of its input.
        var plain = NetworkBuilder(seed: 0)
        let px = plain.input([1, 4, 5, 5])
        let node = graph.nodes.first { $0.op is Conv }!
        let dequantized = graph.nodes.first { $0.outputs[0] == node.inputs[1] }!
        let w = try dequantized.op.evaluate(dequantized.inputs.map { graph[$0!].constant })[0]
        let (weight, bias) = (plain.constant(w), plain.constant(graph[node.inputs[2]!].constant!))
        plain.output(plain.add(node.op, [px, weight, bias]))
        XCTAssertEqual(plain.graph.inferShapes(), [])
        try verify(compilation, against: plain.graph, "float form of a quantized model")
    }

    /// A value that becomes integers in passing (TFLite's QUANTIZE) keeps their range in float32 as well.
    func testFloatFormKeepsSaturation() throws {
        var net = NetworkBuilder(seed: 166)
        let x = net.input([1, 4])
        let stored = net.add(Identity(), [x])
        net.graph[stored].quantization = Quantization(elementType: .int8, scale: 1 / 256, zeroPoint: -128)
        net.output(net.add(Identity(), [stored]))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let compilation = try Compiler.compile(graph, options: CompileOptions(precision: .float32))
        let session = try Session(model: Model(copying: compilation.file), threadCount: 1)
        [Float]([-1, 0.3, 0.9, 3]).withUnsafeBytes { session.input(0).copyMemory(from: $0) }
        session.run()
        XCTAssertEqual([Float](session.output(0).assumingMemoryBound(to: Float.self)), [0, 0.3, 0.9, 255 / 256])
    }

    /// QUANTIZE from one int8 quantization to another, alone and fused behind a convolution: XNNPACK's quotient of 8
    /// fraction bits, halves up.
    func testRequantizationOfTFLite() throws {
        var net = NetworkBuilder(seed: 167)
        let x = net.input([1, 256])
        net.graph[x].quantization = Quantization(elementType: .int8, scale: 0.1, zeroPoint: 7)
        let y = net.add(Identity(), [x])
        net.graph[y].quantization = Quantization(elementType: .int8, scale: 0.15, zeroPoint: -4)
        net.graph.inputs[0].elementType = .int8
        net.output(y)
        net.graph.outputs[0].elementType = .int8
        net.graph.integerRounding = .tfLite
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let compilation = try Compiler.compile(graph, options: CompileOptions())
        let session = try Session(model: Model(copying: compilation.file), threadCount: 1)
        let codes = (-128...127).map { Int8($0) }
        codes.withUnsafeBytes { session.input(0).copyMemory(from: $0) }
        session.run()
        // 0.1 / 0.15 is 171 / 256.
        let expected = codes.map { Int8(((Int($0) - 7) * 171 + 128) >> 8 - 4) }
        XCTAssertEqual([Int8](session.output(0).assumingMemoryBound(to: Int8.self)), expected)
    }
}
