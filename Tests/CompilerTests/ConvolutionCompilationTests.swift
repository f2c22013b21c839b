import Graph
import XCTest

@testable import Compiler

/// Convolutions and matrix products: what the device computes against the graph in the executor.
final class ConvolutionCompilationTests: XCTestCase {
    func testGeometries() throws {
        let cases: [(name: String, input: [Int], outputs: Int, kernel: [Int], op: Conv)] = [
            ("3×3", [1, 5, 9, 11], 7, [3, 3], Conv(padding: .explicit([1, 1, 1, 1]))),
            ("no padding", [1, 3, 8, 7], 4, [3, 2], Conv(padding: .valid)),
            ("strides", [1, 6, 13, 10], 9, [3, 3], Conv(strides: [2, 3], padding: .explicit([1, 0, 1, 2]))),
            ("asymmetric pads", [1, 4, 7, 9], 5, [4, 3], Conv(padding: .explicit([0, 2, 3, 1]))),
            ("dilation", [1, 3, 14, 12], 6, [3, 3], Conv(dilations: [2, 3], padding: .explicit([2, 3, 2, 3]))),
            ("same upper", [1, 8, 11, 14], 8, [3, 5], Conv(strides: [2, 2], padding: .sameUpper)),
            ("same lower", [1, 8, 10, 9], 3, [2, 4], Conv(strides: [3, 2], padding: .sameLower)),
            ("groups", [1, 12, 6, 7], 8, [3, 3], Conv(padding: .explicit([1, 1, 1, 1]), groups: 4)),
            ("groups of odd sizes", [1, 9, 5, 5], 15, [1, 3], Conv(padding: .explicit([0, 1, 0, 1]), groups: 3)),
            ("one output channel", [1, 17, 4, 4], 1, [1, 1], Conv()),
            ("pointwise", [1, 33, 5, 6], 19, [1, 1], Conv()),
            ("pointwise with stride", [1, 16, 7, 7], 24, [1, 1], Conv(strides: [2, 2])),
            ("kernel as large as the picture", [1, 4, 6, 6], 10, [6, 6], Conv()),
            ("first layer", [1, 3, 16, 16], 16, [3, 3], Conv(strides: [2, 2], padding: .explicit([0, 0, 1, 1]))),
            ("wide", [1, 70, 3, 4], 65, [3, 3], Conv(padding: .explicit([1, 1, 1, 1]))),
        ]
        for (number, c) in cases.enumerated() {
            try verifyAllForms(seed: UInt64(100 + number), c.name) { net in
                let x = net.input(c.input)
                let weights = net.constant([c.outputs, c.input[1] / c.op.groups] + c.kernel)
                let bias = number % 3 == 2 ? nil : net.constant([c.outputs])
                net.output(net.add(c.op, [x, weights, bias]))
            }
        }
    }

    func testDepthwise() throws {
        let cases: [(name: String, channels: Int, multiplier: Int, kernel: [Int], op: Conv)] = [
            ("3×3", 16, 1, [3, 3], Conv(padding: .explicit([1, 1, 1, 1]))),
            ("5×5 of 19 channels", 19, 1, [5, 5], Conv(strides: [2, 2], padding: .explicit([2, 2, 2, 2]))),
            ("multiplier 2", 8, 2, [3, 3], Conv(padding: .sameUpper)),
            ("multiplier 3, stride", 5, 3, [3, 3], Conv(strides: [2, 1], padding: .sameUpper)),
            ("dilated", 24, 1, [3, 3], Conv(dilations: [2, 2], padding: .explicit([2, 2, 2, 2]))),
            ("asymmetric", 33, 1, [3, 2], Conv(padding: .explicit([0, 1, 2, 0]))),
            ("one channel", 1, 4, [3, 3], Conv(padding: .explicit([1, 1, 1, 1]))),
        ]
        for (number, c) in cases.enumerated() {
            var op = c.op
            op.groups = c.channels
            try verifyAllForms(seed: UInt64(200 + number), "depthwise \(c.name)") { net in
                let x = net.input([1, c.channels, 9, 10])
                let weights = net.constant([c.channels * c.multiplier, 1] + c.kernel)
                let bias = net.constant([c.channels * c.multiplier])
                net.output(net.relu(net.add(op, [x, weights, bias])))
            }
        }
    }

    func testOneDimension() throws {
        try verifyAllForms(seed: 31, "one-dimensional convolution") { net in
            let x = net.input([1, 6, 20])
            let weights = net.constant([8, 6, 5])
            net.output(net.add(Conv(strides: [2], padding: .explicit([2, 1])), [x, weights, nil]))
        }
    }

    func testTransposed() throws {
        let cases: [(name: String, op: ConvTranspose, kernel: [Int], channels: (Int, Int))] = [
            ("stride 2", ConvTranspose(strides: [2, 2]), [2, 2], (6, 5)),
            ("pads", ConvTranspose(strides: [2, 2], padding: .explicit([1, 1, 1, 1])), [4, 4], (8, 3)),
            ("output padding", ConvTranspose(strides: [2, 3], padding: .explicit([1, 0, 1, 0]), outputPadding: [1, 2]), [3, 3], (4, 7)),
            ("output shape", ConvTranspose(strides: [2, 2], padding: .sameUpper, outputShape: [10, 12]), [3, 3], (5, 4)),
            ("same lower", ConvTranspose(strides: [2, 2], padding: .sameLower), [3, 3], (5, 4)),
            ("dilated", ConvTranspose(dilations: [2, 2]), [3, 2], (3, 4)),
            ("no stride", ConvTranspose(padding: .explicit([1, 1, 1, 1])), [3, 3], (16, 17)),
        ]
        for (number, c) in cases.enumerated() {
            try verifyAllForms(seed: UInt64(300 + number), "transposed, \(c.name)") { net in
                let x = net.input([1, c.channels.0, 5, 6])
                let weights = net.constant([c.channels.0, c.channels.1] + c.kernel)
                let bias = net.constant([c.channels.1])
                net.output(net.add(c.op, [x, weights, bias]))
            }
        }
        try verifyAllForms(seed: 320, "transposed, groups") { net in
            let x = net.input([1, 6, 4, 5])
            let weights = net.constant([6, 2, 3, 3])
            net.output(net.add(ConvTranspose(strides: [2, 2], groups: 3), [x, weights, nil]))
        }
    }

    func testMatrixProducts() throws {
        try verifyAllForms(seed: 41, "Gemm, transposed weights") { net in
            let x = net.input([1, 37])
            let weights = net.constant([11, 37])
            let bias = net.constant([11])
            net.output(net.add(Gemm(transB: true), [x, weights, bias]))
        }
        try verifyAllForms(seed: 42, "Gemm, plain weights, several rows") { net in
            let x = net.input([5, 16])
            let weights = net.constant([16, 10])
            let bias = net.constant([1, 10])
            net.output(net.add(Gemm(), [x, weights, bias]))
        }
        try verifyAllForms(seed: 43, "MatMul with a bias added") { net in
            let x = net.input([1, 4, 24])
            let weights = net.constant([24, 9])
            let product = net.add(MatMul(), [x, weights])
            let bias = net.constant([9])
            net.output(net.relu(net.add(Binary(.add), [product, bias])))
        }
        try verifyAllForms(seed: 44, float: true, expectsIntegers: false, "Gemm with factors") { net in
            let x = net.input([2, 12])
            let weights = net.constant([12, 7])
            let bias = net.constant([7])
            net.output(net.add(Gemm(alpha: 0.5, beta: 2), [x, weights, bias]))
        }
        try verifyAllForms(
            seed: 45, expectsIntegers: false, tolerance: Tolerance(relative: 1e-4), "product of two activations"
        ) { net in
            let (a, b) = (net.input([1, 3, 8, 5], name: "a"), net.input([1, 3, 5, 6], name: "b"))
            net.output(net.add(MatMul(), [a, b]))
        }
    }

    func testClassifierHead() throws {
        try verifyAllForms(seed: 46, "convolution, flatten, Gemm") { net in
            let x = net.input([1, 4, 6, 5])
            let features = net.relu(net.conv(x, 4, 6, strides: [2, 2]))
            let flat = net.add(Flatten(), [features])
            let weights = net.constant([10, 6 * 3 * 3])
            let bias = net.constant([10])
            net.output(net.add(Gemm(transB: true), [flat, weights, bias]))
        }
    }

    func testUnsignedWeightsWithZeroPoint() throws {
        // 0: every weight is its code up to 255. 255: every weight is down to -255.
        for zeroPoint: Int32 in [0, 1, 100, 127, 128, 129, 200, 255] {
            try verifyAllForms(
                seed: 51, annotations: [Annotation(type: .uint8, weightZeroPoint: zeroPoint)], float: false,
                "convolution with weights around \(zeroPoint)"
            ) { net in
                let x = net.input([1, 7, 8, 9])
                net.output(net.relu(net.conv(x, 7, 10)))
            }
            try verifyAllForms(
                seed: 53, annotations: [Annotation(type: .uint8, weightZeroPoint: zeroPoint)], float: false,
                "Gemm with weights around \(zeroPoint)"
            ) { net in
                let x = net.input([1, 30])
                let weights = net.constant([12, 30])
                let bias = net.constant([12])
                net.output(net.add(Gemm(transB: true), [x, weights, bias]))
            }
            try verifyAllForms(
                seed: 52, annotations: [Annotation(type: .uint8, weightZeroPoint: zeroPoint)], float: false,
                "depthwise with weights around \(zeroPoint)"
            ) { net in
                let x = net.input([1, 18, 8, 9])
                net.output(net.conv(x, 18, 18, groups: 18))
            }
        }
    }

    /// Codes 0 and 255 with zero points at the other end: weight − zero point reaches ±255 exactly.
    func testFarthestUnsignedWeights() throws {
        for (zeroPoint, code) in [(Int32(0), UInt8(255)), (255, 0)] {
            var net = NetworkBuilder(seed: 54)
            let x = net.input([1, 16, 5, 5])
            let stored = Tensor([UInt8](repeating: code, count: 16 * 16 * 9), shape: [16, 16, 3, 3])
            let weights = net.constant(
                stored, quantization: Quantization(elementType: .uint8, scale: 0.001, zeroPoint: zeroPoint))
            net.output(net.add(Conv(padding: .explicit([1, 1, 1, 1])), [x, weights, nil]))
            var graph = net.graph
            XCTAssertEqual(graph.inferShapes(), [])
            let quantized = try Annotation(type: .uint8).apply(to: graph)
            let compilation = try Compiler.compile(quantized, options: CompileOptions())
            XCTAssertEqual(integerProducts(compilation), 1)
            try verify(compilation, against: quantized, "weights of \(Int32(code) - zeroPoint)")
        }
    }

    func testWeightsOfMinus128() throws {
        var net = NetworkBuilder(seed: 55)
        let x = net.input([1, 20, 6, 6])
        let codes = (0..<24 * 20 * 9).map { _ in Bool.random(using: &net.random) ? Int8.min : Int8.random(in: -128...127, using: &net.random) }
        let weights = net.constant(
            Tensor(codes, shape: [24, 20, 3, 3]), quantization: Quantization(elementType: .int8, scale: 0.002, zeroPoint: 0))
        net.output(net.add(Conv(padding: .sameUpper), [x, weights, nil]))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let quantized = try Annotation().apply(to: graph)
        try verify(try Compiler.compile(quantized, options: CompileOptions()), against: quantized, "weights of -128")
    }

    func testIntegerBiasIsKept() throws {
        var net = NetworkBuilder(seed: 56)
        let x = net.input([1, 6, 5, 5])
        let weights = net.constant([4, 6, 1, 1])
        let bias = net.graph.addConstant(name: "bias", Tensor([Int32(5000), -70_000, 0, 1], shape: [4]))
        net.output(net.add(Conv(), [x, weights, bias]))
        var graph = net.graph
        graph[bias].elementType = .float32
        graph[bias].quantization = Quantization(elementType: .int32, scales: [1, 1, 1, 1], zeroPoints: [0, 0, 0, 0], axis: 0)
        // The true scales are known only after the weights are annotated.
        let first = quantizeWeights(graph[weights].constant!, axis: 0)
        let inputScale: Float = 2 / 255
        graph[bias].quantization!.scales = first.quantization.scales.map { $0 * inputScale }
        XCTAssertEqual(graph.inferShapes(), [])
        var quantized = try Annotation().apply(to: graph)
        quantized[x].quantization = Quantization(elementType: .int8, scale: inputScale, zeroPoint: 0)
        try verify(try Compiler.compile(quantized, options: CompileOptions()), against: quantized, "int32 bias")
    }
}
