import Graph
import XCTest

@testable import Importers

/// Operators on quantized tensors become DequantizeLinear, the operator, QuantizeLinear, with the integers' arithmetic.
final class ONNXQuantizationTests: XCTestCase {
    private let microsoft: [(String, Int64)] = [("com.microsoft", 1)]

    private func scale(_ name: String, _ value: Float) -> (String, Tensor) { (name, Tensor(scalar: value)) }
    private func zero(_ name: String, _ value: UInt8) -> (String, Tensor) { (name, Tensor(scalar: value)) }

    func testQLinearConv() throws {
        let model = TestModel(
            inputs: [.init("x", [1, 2, 1, 1], type: .uint8)],
            nodes: [.init("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], name: "conv")],
            initializers: [
                scale("xs", 0.5), zero("xz", 128), ("w", Tensor([Int8(2), -3, 4, 5], shape: [2, 2, 1, 1])),
                ("ws", .floats([0.25, 0.5], [2])), ("wz", Tensor([Int8(0), 0], shape: [2])), scale("ys", 1),
                zero("yz", 100), ("b", Tensor([Int32(8), -4], shape: [2])),
            ])
        let graph = try model.load()
        XCTAssertEqual(graph.nodes.map(\.op.name), ["DequantizeLinear", "Conv", "QuantizeLinear"])
        let conv = graph.nodes[1]
        let weights = graph[conv.inputs[1]!]
        XCTAssertEqual(weights.quantization?.scales, [0.25, 0.5])
        XCTAssertEqual(weights.quantization?.axis, 0)
        XCTAssertEqual(weights.constant?.elementType, .int8)
        let bias = graph[conv.inputs[2]!]
        XCTAssertEqual(bias.quantization?.elementType, .int32)
        XCTAssertEqual(bias.quantization?.scales, [0.125, 0.25])
        // x = (130 - 128, 120 - 128) / 2 = (1, -4); w · x = 0.25 (2 + 12), 0.5 (4 - 20); bias 1, -1.
        let y = try Executor(graph).run(["x": Tensor([UInt8(130), 120], shape: [1, 2, 1, 1])])["y"]!
        XCTAssertEqual(y.elements(as: UInt8.self), [104, 91])
    }

    func testQLinearMatMul() throws {
        let model = TestModel(
            inputs: [.init("a", [1, 2], type: .int8)],
            nodes: [.init("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"])],
            initializers: [
                scale("as", 0.5), ("az", Tensor(scalar: Int8(1))), ("b", Tensor([Int8(1), 2, 3, 4], shape: [2, 2])),
                ("bs", .floats([1, 2], [2])), ("bz", Tensor([Int8(0), 1], shape: [2])), scale("ys", 0.5),
                ("yz", Tensor(scalar: Int8(-2))),
            ])
        // a = (1, 2); b = [[1, 2], [3, 6]]; product (7, 14).
        let y = try model.run(["a": Tensor([Int8(3), 5], shape: [1, 2])])["y"]!
        XCTAssertEqual(y.elements(as: Int8.self), [12, 26])
    }

    func testElementwise() throws {
        // a = (4, 0), b = (2, 0.5); sums 6, 0.5; products 8, 0.
        for (name, expected): (String, [UInt8]) in [("QLinearAdd", [14, 3]), ("QLinearMul", [18, 2])] {
            let model = TestModel(
                domains: microsoft, inputs: [.init("a", [2], type: .uint8), .init("b", [2], type: .uint8)],
                nodes: [
                    .init(name, ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"], domain: "com.microsoft")
                ],
                initializers: [
                    scale("as", 0.5), zero("az", 2), scale("bs", 0.25), zero("bz", 0), scale("ys", 0.5), zero("yz", 2),
                ])
            let inputs = ["a": Tensor([UInt8(10), 2], shape: [2]), "b": Tensor([UInt8(8), 2], shape: [2])]
            XCTAssertEqual(try model.run(inputs)["y"]!.elements(as: UInt8.self), expected, name)
        }
    }

    func testUnaryAndPools() throws {
        func run(_ node: TestModel.Node, _ x: Tensor) throws -> [UInt8] {
            var model = TestModel(
                domains: microsoft, nodes: [node],
                initializers: [scale("xs", 0.5), zero("xz", 10), scale("ys", 0.25), zero("yz", 20)])
            model.inputs = [.init("x", x.shape.map { .fixed($0) }, type: .uint8)]
            return try model.run(["x": x])["y"]!.elements(as: UInt8.self)
        }
        func node(_ name: String, _ attributes: KeyValuePairs<String, TestModel.Attribute> = [:]) -> TestModel.Node {
            .init(name, ["x", "xs", "xz", "ys", "yz"], ["y"], attributes, domain: "com.microsoft")
        }
        let x = Tensor([UInt8(10), 14, 6, 30], shape: [1, 1, 2, 2])  // 0, 2, -2, 10
        XCTAssertEqual(try run(node("QLinearGlobalAveragePool"), x), [30])
        XCTAssertEqual(try run(node("QLinearGlobalAveragePool", ["channels_last": .int(0)]), x), [30])
        XCTAssertEqual(try run(node("QLinearAveragePool", ["kernel_shape": .ints([1, 2])]), x), [24, 36])
        XCTAssertEqual(try run(node("QLinearLeakyRelu", ["alpha": .float(0.5)]), x), [20, 28, 16, 60])
        XCTAssertEqual(try run(node("QLinearSigmoid"), x), [22, 24, 20, 24])
        XCTAssertEqual(
            try run(
                node("QLinearSoftmax", ["axis": .int(-1), "opset": .int(13)]), Tensor([UInt8(10), 10], shape: [1, 2])),
            [22, 22])
    }

    func testConcat() throws {
        let model = TestModel(
            domains: microsoft, inputs: [.init("a", [1, 2], type: .uint8), .init("b", [1, 1], type: .uint8)],
            nodes: [
                .init(
                    "QLinearConcat", ["ys", "yz", "a", "as", "az", "b", "bs", "bz"], ["y"], ["axis": .int(1)],
                    domain: "com.microsoft")
            ],
            initializers: [
                scale("as", 0.5), zero("az", 2), scale("bs", 0.25), zero("bz", 0), scale("ys", 0.5), zero("yz", 1),
            ])
        let inputs = ["a": Tensor([UInt8(10), 2], shape: [1, 2]), "b": Tensor([UInt8(8)], shape: [1, 1])]
        XCTAssertEqual(try model.run(inputs)["y"]!.elements(as: UInt8.self), [9, 1, 5])
    }

    func testGemm() throws {
        let base: [(String, Tensor)] = [
            scale("as", 0.5), zero("az", 1), ("b", Tensor([Int8(1), 2, 3, 4], shape: [2, 2])),
            ("bs", .floats([1, 2], [2])), ("bz", Tensor([Int8(0), 0], shape: [2])), scale("ys", 0.5), zero("yz", 3),
            ("c", Tensor([Int32(2), 1], shape: [2])),
        ]
        let a = Tensor([UInt8(3), 5], shape: [1, 2])  // 1, 2
        // b' = [[1, 2], [6, 8]] transposed; a · b' = (5, 22); bias (1, 1) times alpha.
        for (alpha, expected): (Float, [Float]) in [(1, [6, 23]), (2, [12, 46])] {
            let node = TestModel.Node(
                "QGemm", ["a", "as", "az", "b", "bs", "bz", "c"], ["y"], ["transB": .int(1), "alpha": .float(alpha)],
                domain: "com.microsoft")
            let model = TestModel(
                domains: microsoft, inputs: [.init("a", [1, 2], type: .uint8)], nodes: [node], initializers: base)
            assertClose(try model.run(["a": a])["y"], expected, shape: [1, 2])
        }
        let quantized = TestModel.Node(
            "QGemm", ["a", "as", "az", "b", "bs", "bz", "c", "ys", "yz"], ["y"], ["transB": .int(1)],
            domain: "com.microsoft")
        let model = TestModel(
            domains: microsoft, inputs: [.init("a", [1, 2], type: .uint8)], nodes: [quantized], initializers: base)
        XCTAssertEqual(try model.run(["a": a])["y"]!.elements(as: UInt8.self), [15, 49])
    }

    func testQDQNodesStay() throws {
        let model = TestModel(
            inputs: [.init("x", [2])],
            nodes: [
                .init("QuantizeLinear", ["x", "s", "z"], ["q"]), .init("DequantizeLinear", ["q", "s", "z"], ["d"]),
                .init("Relu", ["d"], ["y"]),
            ],
            initializers: [scale("s", 0.5), zero("z", 4)])
        let graph = try model.load()
        XCTAssertEqual(graph.nodes.map(\.op.name), ["QuantizeLinear", "DequantizeLinear", "Relu"])
        assertClose(try Executor(graph).run(["x": .floats([1.2, -9], [2])])["y"], [1, 0], shape: [2])
    }

    func testDynamicQuantizationStaysAsOperators() throws {
        let model = TestModel(
            inputs: [.init("x", [1, 2])],
            nodes: [
                .init("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                .init("MatMulInteger", ["q", "w", "z"], ["i"]),
                .init("Cast", ["i"], ["f"], ["to": .int(1)]),
                .init("Mul", ["s", "ws"], ["k"]),
                .init("Mul", ["f", "k"], ["y"]),
            ],
            initializers: [("w", Tensor([Int8(1), 2], shape: [2, 1])), scale("ws", 0.5)])
        let graph = try model.load()
        XCTAssertEqual(graph.nodes.map(\.op.name), ["DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul"])
        assertClose(
            try Executor(graph).run(["x": .floats([0, 255], [1, 2])])["y"], [255], shape: [1, 1])
    }

    func testOutputTypeOfDequantizeLinear() throws {
        let model = TestModel(
            opset: 23, inputs: [.init("x", [2], type: .uint8)],
            nodes: [.init("DequantizeLinear", ["x", "s"], ["y"], ["output_dtype": .int(10)])],
            initializers: [scale("s", 0.5)])
        let y = try model.run(["x": Tensor([UInt8(1), 2], shape: [2])])["y"]!
        XCTAssertEqual(y.elementType, .float16)
        XCTAssertEqual(y.floats, [0.5, 1])
    }
}
