import Graph
import Importers
import XCTest

/// What the graph of a TFLite model looks like: annotations, weights, rewrites.
final class TFLiteGraphTests: XCTestCase {
    private func int8(_ shape: [Int], _ scales: [Float], axis: Int, data: [UInt8]? = nil) -> TFLiteTensorSpec {
        let count = shape.reduce(1, *)
        return TFLiteTensorSpec(
            type: .int8, shape: shape, scales: scales, zeroPoints: scales.map { _ in 0 }, axis: axis,
            data: data ?? (0..<count).map { UInt8($0 % 100) })
    }

    private func bias(_ scales: [Float], axis: Int) -> TFLiteTensorSpec {
        TFLiteTensorSpec(
            type: .int32, shape: [scales.count], scales: scales, zeroPoints: scales.map { _ in 0 }, axis: axis,
            data: [UInt8](repeating: 1, count: 4 * scales.count))
    }

    /// One operator on a quantized input, with weights and bias.
    private func product(
        _ code: Int32, _ x: TFLiteTensorSpec, _ weights: TFLiteTensorSpec, _ bias: TFLiteTensorSpec?,
        _ y: TFLiteTensorSpec, _ type: Int8, _ options: [Int: FlatField]
    ) throws -> Graph {
        var model = TFLiteModelWriter()
        let input = model.add(x.named("x"))
        let inputs = [input, model.add(weights.named("w"))] + (bias.map { [model.add($0.named("b"))] } ?? [])
        model.inputs = [input]
        model.outputs = model.add(code, inputs, to: [y.named("y")], type, options)
        return try TFLiteImporter.load(bytes: model.bytes())
    }

    private func input(_ graph: Graph, _ position: Int, node: Int = 0) throws -> Value {
        graph[try XCTUnwrap(graph.nodes[node].inputs[position])]
    }

    func testWeightsGoToONNXOrderWithTheirScales() throws {
        let scales: [Float] = [0.1, 0.2, 0.3]
        // The legacy metadata: an axis that a bias of one axis doesn't have.
        let graph = try product(
            4, .quantized(.int8, [1, 4, 4, 3], 0.5, 0), int8([1, 2, 1, 3], scales, axis: 3),
            bias(scales.map { $0 * 0.5 }, axis: 3), .quantized(.int8, [1, 4, 4, 3], 1, 0), 2,
            [0: .byte(0), 1: .int(1), 2: .int(1), 3: .int(1), 4: .byte(1)])
        let weights = try input(graph, 1)
        XCTAssertEqual(weights.shape, [3, 1, 2, 1])
        XCTAssertEqual(weights.constant?.elements(as: Int8.self), [0, 3, 1, 4, 2, 5])
        XCTAssertEqual(weights.quantization?.axis, 0)
        XCTAssertEqual(weights.quantization?.scales, scales)
        XCTAssertEqual(try input(graph, 2).quantization?.axis, 0)
        XCTAssertEqual(try input(graph, 2).quantization?.elementType, .int32)
        XCTAssertEqual((graph.nodes[0].op as? Conv)?.groups, 3)
        // The annotation is the activation's output's; between the two values are real.
        XCTAssertEqual(graph.nodes.map(\.op.name), ["Conv", "Relu"])
        XCTAssertNil(graph[graph.nodes[0].outputs[0]!].quantization)
        XCTAssertEqual(
            graph[graph.nodes[1].outputs[0]!].quantization, Quantization(elementType: .int8, scale: 1, zeroPoint: 0))
        XCTAssertEqual(graph.nodes.map(\.name), ["y/pre_activation", "y"])
        XCTAssertEqual(graph.inputs.map(\.elementType), [.int8])
        XCTAssertEqual(graph[graph.inputs[0].value].elementType, .float32)
    }

    func testTransposedConvolutionKeepsItsAxis() throws {
        var model = TFLiteModelWriter()
        let shape = model.add(.ints([1, 4, 4, 2]))
        let weights = model.add(int8([2, 2, 2, 3], [0.5, 0.25], axis: 0))
        let x = model.add(.quantized(.int8, [1, 2, 2, 3], 0.5, 3).named("x"))
        model.inputs = [x]
        model.outputs = model.add(
            67, [shape, weights, x], to: [.quantized(.int8, [1, 4, 4, 2], 1, 0)], 49,
            [0: .byte(0), 1: .int(2), 2: .int(2)])
        let graph = try TFLiteImporter.load(bytes: model.bytes())
        XCTAssertEqual(try input(graph, 1).shape, [3, 2, 2, 2])
        XCTAssertEqual(try input(graph, 1).quantization?.axis, 1)
    }

    func testBiasWithoutScalesTakesThoseOfTheProduct() throws {
        var plain = bias([1, 1], axis: 0)
        plain.scales = []
        plain.zeroPoints = []
        let graph = try product(
            9, .quantized(.int8, [1, 3], 0.5, 0), int8([2, 3], [0.25], axis: 0), plain,
            .quantized(.int8, [1, 2], 1, 0),
            8, [:])
        XCTAssertEqual(
            try input(graph, 2).quantization, Quantization(elementType: .int32, scale: 0.125, zeroPoint: 0))
    }

    func testScalesOfZeroBecomeTheSmallestNormal() throws {
        let graph = try product(
            9, .quantized(.int8, [1, 3], 0.5, 0), int8([2, 3], [0.25, 0], axis: 0), nil,
            .quantized(.int8, [1, 2], 1, 0), 8, [:])
        XCTAssertEqual(try input(graph, 1).quantization?.scales, [0.25, .leastNormalMagnitude])
    }

    /// Dynamic range: integers for weights, reals for activations.
    func testDynamicRange() throws {
        let graph = try product(
            9, .float([1, 3]), int8([2, 3], [0.25], axis: 0), .floats([1, 2], [2]), .float([1, 2]), 8, [:])
        XCTAssertEqual(try input(graph, 1).quantization?.elementType, .int8)
        XCTAssertNil(graph[graph.outputs[0].value].quantization)
        let y = try Executor(graph).run(["x": Tensor([1, 1, 1] as [Float], shape: [1, 3])])
        XCTAssertEqual(y["y"]?.elements(as: Float.self), [1 + 3 * 0.25, 2 + 12 * 0.25])
    }

    func testFloat16WeightsBecomeFloat32() throws {
        var model = TFLiteModelWriter()
        let x = model.add(.float([1, 2]).named("x"))
        let halves = model.add(
            TFLiteTensorSpec(
                type: .float16, shape: [1, 2], data: ([1.5, -2] as [Float16]).withUnsafeBytes(Array.init)))
        let weights = model.add(6, [halves], to: [.float([1, 2]).named("w")])
        model.inputs = [x]
        model.outputs = model.add(9, [x] + weights, to: [.float([1, 1])], 8, [:])
        let graph = try TFLiteImporter.load(bytes: model.bytes())
        XCTAssertEqual(graph.nodes.count, 1)
        XCTAssertEqual(try input(graph, 1).constant?.elements(as: Float.self), [1.5, -2])
        XCTAssertEqual(graph.values.count, 3, "values that nothing refers to are gone")
    }

    func testInt4WeightsAreUnpacked() throws {
        var weights = int8([1, 3], [1], axis: 0, data: [0x71, 0x0f])
        weights.type = .int4
        let graph = try product(9, .float([1, 3]), weights, nil, .float([1, 1]), 8, [:])
        XCTAssertEqual(try input(graph, 1).constant?.elements(as: Int8.self), [1, 7, -1])
    }

    func testShapeChainsFold() throws {
        var model = TFLiteModelWriter()
        let x = model.add(.float([2, 3, 4]).named("x"))
        let shape = model.add(77, [x], to: [.int([3])], 55, [0: .byte(2)])
        let (one, two) = (model.add(.ints([0])), model.add(.ints([1])))
        let batch = model.add(45, shape + [one, two, two], to: [.int([])], 32, [4: .int(1)])
        let rest = model.add(.ints([12], []))
        let target = model.add(83, batch + [rest], to: [.int([2])], 59, [0: .int(2), 1: .int(0)])
        model.inputs = [x]
        model.outputs = model.add(22, [x] + target, to: [.float([1, 12])], 17, [:])
        for batch in [2, 5] {
            let graph = try TFLiteImporter.load(
                bytes: model.bytes(), options: ImportOptions(inputShapes: ["x": [batch, 3, 4]]))
            XCTAssertEqual(graph.nodes.map(\.op.name), ["Reshape"])
            XCTAssertEqual(graph[graph.outputs[0].value].shape, [batch, 12])
        }
    }

    // MARK: Dilated convolutions

    /// SPACE_TO_BATCH_ND → CONV_2D or DEPTHWISE_CONV_2D → BATCH_TO_SPACE_ND.
    private struct Chain {
        var size = [9, 8], block: [Int32] = [2, 3], pads: [Int32] = [2, 3, 3, 4], crops: [Int32] = [0, 0, 0, 0]
        var padding: Int8 = 1, stride: Int32 = 1, activation: Int8 = 1
        var readsPhases = false
    }

    private func chain(_ chain: Chain) -> TFLiteModelWriter {
        var model = TFLiteModelWriter()
        let x = model.add(.float([1, chain.size[0], chain.size[1], 2]).named("x"))
        let block = model.add(.ints(chain.block))
        let phases = model.add(
            38, [x, block, model.add(.ints(chain.pads, [2, 2]))], to: [.float([6, 1, 1, 2])], 25, [:])
        var generator = CaseGenerator("chain")
        let weights = model.add(.floats((0..<54).map { _ in generator.real(-1...1) }, [3, 3, 3, 2]))
        let conv = model.add(
            3, phases + [weights], to: [.float([6, 1, 1, 3])], 1,
            [0: .byte(chain.padding), 1: .int(chain.stride), 2: .int(chain.stride), 3: .byte(chain.activation)])
        let y = model.add(
            37, conv + [block, model.add(.ints(chain.crops, [2, 2]))], to: [.float([1, 1, 1, 3]).named("y")], 24, [:])
        model.inputs = [x]
        model.outputs = y + (chain.readsPhases ? phases : [])
        return model
    }

    private func run(_ graph: Graph, _ size: [Int]) throws -> Tensor {
        var generator = CaseGenerator("pixels")
        let x = Tensor(
            (0..<size[0] * size[1] * 2).map { _ in generator.real(-1...1) }, shape: [1, size[0], size[1], 2])
        return try XCTUnwrap(try Executor(graph).run(["x": x])["y"])
    }

    func testDilatedConvolutionsAreFusedAndGiveTheSame() throws {
        for item in [
            // 9 + 5 = 14 rows of phases of 2; 8 + 7 = 15 columns of phases of 3.
            Chain(), Chain(crops: [1, 2, 3, 1]), Chain(activation: 0), Chain(padding: 0),
            Chain(padding: 0, activation: 3),
            Chain(size: [13, 13], block: [4, 4], pads: [4, 7, 4, 7], crops: [0, 3, 0, 3]),
        ] {
            let model = chain(item)
            let fused = try TFLiteImporter.load(bytes: model.bytes())
            XCTAssertEqual(fused.nodes.count, item.activation == 0 ? 1 : 2, "\(item)")
            // A second reader of the phases keeps the chain as it is.
            var whole = item
            whole.readsPhases = true
            let plain = try TFLiteImporter.load(bytes: chain(whole).bytes())
            XCTAssertEqual(plain.nodes.count, item.activation == 0 ? 3 : 4)
            let (a, b) = (try run(fused, item.size), try run(plain, item.size))
            XCTAssertEqual(a.shape, b.shape)
            for (x, y) in zip(a.floats, b.floats) { XCTAssertEqual(x, y, accuracy: 1e-5) }
        }
    }

    func testOtherChainsStay() throws {
        for item in [Chain(stride: 2), Chain(pads: [0, 5, 3, 4], crops: [1, 0, 0, 0])] {
            let graph = try TFLiteImporter.load(bytes: chain(item).bytes())
            XCTAssertEqual(graph.nodes.map(\.op.name), ["SpaceToBatch", "Conv", "Relu", "BatchToSpace"], "\(item)")
            _ = try run(graph, item.size)
        }
    }
}
