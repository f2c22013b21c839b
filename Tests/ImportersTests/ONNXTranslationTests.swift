import Graph
import XCTest

@testable import Importers

/// Each operator whose attributes became inputs, or whose meaning changed, gives the same result from every opset.
final class ONNXTranslationTests: XCTestCase {
    private func run(
        _ opset: Int64, _ x: Tensor, _ nodes: [TestModel.Node], constants: [(String, Tensor)] = []
    ) throws -> Tensor {
        var model = TestModel(opset: opset, nodes: nodes, initializers: constants)
        model.inputs = [.init("x", x.shape.map { .fixed($0) }, type: x.elementType)]
        return try model.run(["x": x])["y"]!
    }

    func testClip() throws {
        let x = Tensor.floats([-3, 0.5, 9], [3])
        for opset: Int64 in [7, 10] {
            let y = try run(opset, x, [.init("Clip", ["x"], ["y"], ["min": .float(0), "max": .float(6)])])
            assertClose(y, [0, 0.5, 6], shape: [3])
            assertClose(try run(opset, x, [.init("Clip", ["x"], ["y"], ["max": .float(6)])]), [-3, 0.5, 6], shape: [3])
        }
        let bounds = [("low", Tensor(scalar: Float(0))), ("high", Tensor(scalar: Float(6)))]
        for opset: Int64 in [11, 13, 23] {
            let y = try run(opset, x, [.init("Clip", ["x", "low", "high"], ["y"])], constants: bounds)
            assertClose(y, [0, 0.5, 6], shape: [3])
            assertClose(
                try run(opset, x, [.init("Clip", ["x", "", "high"], ["y"])], constants: bounds), [-3, 0.5, 6],
                shape: [3])
        }
    }

    func testClipBoundsHaveTheTypeOfTheData() throws {
        let x = Tensor([-3.0, 0.5, 9.0], shape: [3])
        let y = try run(7, x, [.init("Clip", ["x"], ["y"], ["min": .float(0), "max": .float(6)])])
        XCTAssertEqual(y.elements(as: Double.self), [0, 0.5, 6])
    }

    func testSlice() throws {
        let x = Tensor.counting([3, 4])
        let old = TestModel.Node(
            "Slice", ["x"], ["y"], ["starts": .ints([1, 0]), "ends": .ints([.max, -1]), "axes": .ints([0, 1])])
        assertClose(try run(9, x, [old]), [4, 5, 6, 8, 9, 10], shape: [2, 3])
        let constants = [
            ("starts", Tensor.integers([1, 0])), ("ends", .integers([.max, -1])), ("axes", .integers([0, 1])),
            ("steps", .integers([1, 2])),
        ]
        let new = TestModel.Node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])
        for opset: Int64 in [10, 11, 13] {
            assertClose(try run(opset, x, [new], constants: constants), [4, 6, 8, 10], shape: [2, 2])
        }
    }

    func testSqueezeAndUnsqueeze() throws {
        let x = Tensor.counting([1, 2, 1])
        for opset: Int64 in [7, 11] {
            assertClose(
                try run(opset, x, [.init("Squeeze", ["x"], ["y"], ["axes": .ints([0])])]), [0, 1], shape: [2, 1])
            assertClose(try run(opset, x, [.init("Squeeze", ["x"], ["y"])]), [0, 1], shape: [2])
            assertClose(
                try run(opset, x, [.init("Unsqueeze", ["x"], ["y"], ["axes": .ints([0, 4])])]), [0, 1],
                shape: [1, 1, 2, 1, 1])
        }
        let constants = [("one", Tensor.integers([0])), ("two", .integers([0, 4]))]
        for opset: Int64 in [13, 21] {
            assertClose(
                try run(opset, x, [.init("Squeeze", ["x", "one"], ["y"])], constants: constants), [0, 1], shape: [2, 1])
            assertClose(
                try run(opset, x, [.init("Unsqueeze", ["x", "two"], ["y"])], constants: constants), [0, 1],
                shape: [1, 1, 2, 1, 1])
        }
    }

    func testSplit() throws {
        let x = Tensor.counting([6])
        func sum(_ split: TestModel.Node) -> [TestModel.Node] { [split, .init("Sub", ["b", "a"], ["y"])] }
        for opset: Int64 in [7, 11] {
            let equal = sum(.init("Split", ["x"], ["a", "b"], ["axis": .int(0)]))
            assertClose(try run(opset, x, equal), [3, 3, 3], shape: [3])
            let given = sum(.init("Split", ["x"], ["a", "b"], ["split": .ints([1, 5])]))
            assertClose(try run(opset, x, given), [1, 2, 3, 4, 5], shape: [5])
        }
        let extents = [("extents", Tensor.integers([1, 5]))]
        for opset: Int64 in [13, 18] {
            let given = sum(.init("Split", ["x", "extents"], ["a", "b"]))
            assertClose(try run(opset, x, given, constants: extents), [1, 2, 3, 4, 5], shape: [5])
        }
        assertClose(try run(13, x, sum(.init("Split", ["x"], ["a", "b"]))), [3, 3, 3], shape: [3])
        let counted = sum(.init("Split", ["x"], ["a", "b"], ["num_outputs": .int(2)]))
        assertClose(try run(18, x, counted), [3, 3, 3], shape: [3])
    }

    func testPad() throws {
        let x = Tensor.floats([1, 2], [2])
        for opset: Int64 in [7, 10] {
            let node = TestModel.Node("Pad", ["x"], ["y"], ["pads": .ints([1, 2]), "value": .float(9)])
            assertClose(try run(opset, x, [node]), [9, 1, 2, 9, 9], shape: [5])
        }
        let constants = [("pads", Tensor.integers([1, 2])), ("value", Tensor(scalar: Float(9)))]
        for opset: Int64 in [11, 13, 18] {
            assertClose(
                try run(opset, x, [.init("Pad", ["x", "pads", "value"], ["y"])], constants: constants),
                [9, 1, 2, 9, 9],
                shape: [5])
        }
        let reflected = TestModel.Node("Pad", ["x", "pads"], ["y"], ["mode": .string("edge")])
        assertClose(try run(11, x, [reflected], constants: constants), [1, 1, 2, 2, 2], shape: [5])
    }

    func testReductions() throws {
        let x = Tensor.counting([2, 3])
        for (name, expected): (String, [Float]) in [
            ("ReduceSum", [3, 12]), ("ReduceMean", [1, 4]), ("ReduceMax", [2, 5]), ("ReduceMin", [0, 3]),
            ("ReduceProd", [0, 60]), ("ReduceL1", [3, 12]), ("ReduceSumSquare", [5, 50]),
        ] {
            for opset: Int64 in name == "ReduceSum" ? [7, 11] : [7, 11, 17] {
                let attributes = TestModel.Node(name, ["x"], ["y"], ["axes": .ints([1]), "keepdims": .int(0)])
                assertClose(try run(opset, x, [attributes]), expected, shape: [2])
            }
            let input = TestModel.Node(name, ["x", "axes"], ["y"], ["keepdims": .int(0)])
            for opset: Int64 in name == "ReduceSum" ? [13, 18] : [18, 23] {
                let y = try run(opset, x, [input], constants: [("axes", .integers([1]))])
                assertClose(y, expected, shape: [2])
            }
        }
        assertClose(try run(11, x, [.init("ReduceSum", ["x"], ["y"])]), [15], shape: [1, 1])
    }

    func testTopK() throws {
        let x = Tensor.floats([3, 1, 2], [3])
        assertClose(try run(9, x, [.init("TopK", ["x"], ["y", "i"], ["k": .int(2)])]), [3, 2], shape: [2])
        let k = [("k", Tensor.integers([2]))]
        assertClose(try run(10, x, [.init("TopK", ["x", "k"], ["y", "i"])], constants: k), [3, 2], shape: [2])
        let smallest = TestModel.Node("TopK", ["x", "k"], ["y", "i"], ["largest": .int(0)])
        assertClose(try run(11, x, [smallest], constants: k), [1, 2], shape: [2])
    }

    func testSoftmaxSeesAMatrixBeforeOpset13() throws {
        let x = Tensor.floats([0, 0, 0, 0, 1, 1, 1, 1], [2, 2, 2])
        let node = TestModel.Node("Softmax", ["x"], ["y"])
        assertClose(try run(11, x, [node]), [Float](repeating: 0.25, count: 8), shape: [2, 2, 2])
        assertClose(try run(13, x, [node]), [Float](repeating: 0.5, count: 8), shape: [2, 2, 2])
        let log = TestModel.Node("LogSoftmax", ["x"], ["y"], ["axis": .int(0)])
        let e = Float(4 * (1 + M_E))
        assertClose(
            try run(9, x, [log]), [0, 0, 0, 0, 1, 1, 1, 1].map { $0 - Float(log10(Double(e)) / log10(M_E)) },
            shape: [2, 2, 2])
    }

    func testSoftmaxOverOneAxisStaysOneNode() throws {
        for (axes, axis): ([TestModel.Dimension], Int64) in [([2, 5], 1), ([1, 5, 1, 1], 1), ([2, 3, 5], -1)] {
            let model = TestModel(
                opset: 9, inputs: [.init("x", axes)], nodes: [.init("Softmax", ["x"], ["y"], ["axis": .int(axis)])])
            XCTAssertEqual(try model.load().nodes.map(\.op.name), ["Softmax"])
        }
    }

    func testUpsampleAndEarlyResize() throws {
        let x = Tensor.floats([1, 2], [1, 1, 1, 2])
        let scales = Tensor.floats([1, 1, 1, 2], [4])
        let attribute = TestModel.Node(
            "Upsample", ["x"], ["y"], ["scales": .floats([1, 1, 1, 2]), "mode": .string("nearest")])
        assertClose(try run(7, x, [attribute]), [1, 1, 2, 2], shape: [1, 1, 1, 4])
        for (opset, name): (Int64, String) in [(9, "Upsample"), (10, "Resize")] {
            let nearest = TestModel.Node(name, ["x", "scales"], ["y"])
            assertClose(
                try run(opset, x, [nearest], constants: [("scales", scales)]), [1, 1, 2, 2], shape: [1, 1, 1, 4])
            let linear = TestModel.Node(name, ["x", "scales"], ["y"], ["mode": .string("linear")])
            assertClose(
                try run(opset, x, [linear], constants: [("scales", scales)]), [1, 1.5, 2, 2], shape: [1, 1, 1, 4])
        }
        // An axis that shrinks takes the pixel above: ceil(i / scale), ONNX Runtime's choice.
        let shrink = TestModel.Node("Resize", ["x", "scales"], ["y"])
        let third = Tensor.floats([1, 1, 1, 0.6], [4])
        assertClose(
            try run(10, .counting([1, 1, 1, 5]), [shrink], constants: [("scales", third)]), [0, 2, 4],
            shape: [1, 1, 1, 3])
    }

    func testResize() throws {
        let x = Tensor.floats([1, 2], [1, 1, 1, 2])
        let constants = [
            ("none", Tensor([Float](), shape: [0])), ("scales", Tensor.floats([1, 1, 1, 2], [4])),
            ("sizes", .integers([1, 1, 1, 4])),
        ]
        let linear: KeyValuePairs<String, TestModel.Attribute> = ["mode": .string("linear")]
        for opset: Int64 in [11, 13, 18, 19] {
            for inputs in [["x", "none", "scales"], ["x", "none", "none", "sizes"], ["x", "", "", "sizes"]] {
                let y = try run(opset, x, [.init("Resize", inputs, ["y"], linear)], constants: constants)
                assertClose(y, [1, 1.25, 1.75, 2], shape: [1, 1, 1, 4])
            }
        }
        let asymmetric = TestModel.Node(
            "Resize", ["x", "none", "scales"], ["y"],
            ["coordinate_transformation_mode": .string("asymmetric"), "nearest_mode": .string("floor")])
        assertClose(try run(11, x, [asymmetric], constants: constants), [1, 1, 2, 2], shape: [1, 1, 1, 4])
    }

    func testBatchNormalizationAndDropout() throws {
        let x = Tensor.floats([1, 2], [1, 2])
        let constants: [(String, Tensor)] = [
            ("s", .floats([2, 2], [2])), ("b", .floats([1, 1], [2])), ("m", .floats([1, 1], [2])),
            ("v", .floats([4, 4], [2])),
        ]
        for (opset, attributes): (Int64, KeyValuePairs<String, TestModel.Attribute>) in [
            (7, ["spatial": .int(1), "momentum": .float(0.9), "epsilon": .float(0)]), (9, ["epsilon": .float(0)]),
            (15, ["epsilon": .float(0), "training_mode": .int(0)]),
        ] {
            let node = TestModel.Node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], attributes)
            assertClose(try run(opset, x, [node], constants: constants), [1, 2], shape: [1, 2])
        }
        for opset: Int64 in [7, 10, 12, 13] {
            let ratio: KeyValuePairs<String, TestModel.Attribute> = opset < 12 ? ["ratio": .float(0.3)] : [:]
            let model = TestModel(
                opset: opset, inputs: [.init("x", [1, 2])],
                nodes: [.init("Dropout", ["x"], ["d"], ratio), .init("Neg", ["d"], ["y"])])
            XCTAssertEqual(try model.load().nodes.map(\.op.name), ["Neg"])
            assertClose(try model.run(["x": x])["y"], [-1, -2], shape: [1, 2])
        }
    }

    func testGroupNormalization() throws {
        var x = [Float](repeating: 0, count: 16)
        for index in 0..<16 { x[index] = Float(index % 4) }
        let input = Tensor.floats(x, [1, 4, 4])
        let perGroup: [(String, Tensor)] = [("s", .floats([1, 2], [2])), ("b", .floats([0, 10], [2]))]
        let perChannel: [(String, Tensor)] = [("s", .floats([1, 1, 2, 2], [4])), ("b", .floats([0, 0, 10, 10], [4]))]
        let node = TestModel.Node("GroupNormalization", ["x", "s", "b"], ["y"], ["num_groups": .int(2)])
        let old = try run(18, input, [node], constants: perGroup)
        let new = try run(21, input, [node], constants: perChannel)
        assertClose(old, new.floats, shape: [1, 4, 4])
        XCTAssertEqual(old.floats[15], 10 + 2 * (3 - 1.5) / (1.25 + 1e-5 as Float).squareRoot(), accuracy: 1e-4)
    }

    func testCastByTypeAndByExample() throws {
        let x = Tensor.floats([1.75, -2], [2])
        XCTAssertEqual(try run(9, x, [.init("Cast", ["x"], ["y"], ["to": .int(6)])]).elements(as: Int32.self), [1, -2])
        let like = try run(15, x, [.init("CastLike", ["x", "t"], ["y"])], constants: [("t", .integers([0]))])
        XCTAssertEqual(like.elements(as: Int64.self), [1, -2])
        let text = TestModel(
            inputs: [.init("x", [2])], nodes: [.init("Cast", ["x"], ["y"], ["to": .int(8)], name: "c")])
        XCTAssertEqual(
            text.diagnosis(),
            "1 problem:\n  node \"c\" (Cast): attribute to: expected a numeric type of 8 to 64 bits or bool, found string."
        )
    }

    func testPaddingAttributes() throws {
        let x = Tensor.counting([1, 1, 3, 3])
        let w = [("w", Tensor.floats([Float](repeating: 1, count: 9), [1, 1, 3, 3]))]
        func shape(_ attributes: KeyValuePairs<String, TestModel.Attribute>) throws -> [Int] {
            try run(11, x, [.init("Conv", ["x", "w"], ["y"], attributes)], constants: w).shape
        }
        XCTAssertEqual(try shape([:]), [1, 1, 1, 1])
        XCTAssertEqual(try shape(["pads": .ints([1, 1, 1, 1]), "kernel_shape": .ints([3, 3])]), [1, 1, 3, 3])
        XCTAssertEqual(try shape(["auto_pad": .string("SAME_UPPER"), "pads": .ints([0, 0, 0, 0])]), [1, 1, 3, 3])
        XCTAssertEqual(try shape(["auto_pad": .string("VALID")]), [1, 1, 1, 1])
        XCTAssertThrowsError(try shape(["kernel_shape": .ints([5, 5])])) { error in
            XCTAssertEqual(
                "\(error)",
                "1 problem:\n  node \"y/Conv\" (Conv): attribute kernel_shape: expected that of the weights, [3, 3], found [5, 5]."
            )
        }
    }

    func testDefaultsOfActivations() throws {
        let x = Tensor.floats([-1, 2], [2])
        for (name, expected): (String, [Float]) in [
            ("LeakyRelu", [-0.01, 2]), ("Elu", [Float(exp(-1.0) - 1), 2]), ("HardSigmoid", [0.3, 0.9]),
            ("ThresholdedRelu", [0, 2]),
            ("Selu", [Float(1.05070098735548049 * 1.67326324235437728 * (exp(-1.0) - 1)), 2.101402]),
        ] {
            assertClose(try run(13, x, [.init(name, ["x"], ["y"])]), expected, shape: [2])
        }
        assertClose(
            try run(20, x, [.init("Gelu", ["x"], ["y"], ["approximate": .string("tanh")])]), [-0.158808, 1.954598],
            shape: [2])
        assertClose(try run(20, x, [.init("Gelu", ["x"], ["y"])]), [-0.158655, 1.954500], shape: [2])
        assertClose(try run(14, x, [.init("HardSwish", ["x"], ["y"])]), [-1.0 / 3, 5.0 / 3], shape: [2])
    }

    func testGlobalLpPool() throws {
        let y = try run(11, .floats([3, 4, 6, 8], [1, 2, 2]), [.init("GlobalLpPool", ["x"], ["y"])])
        assertClose(y, [5, 10], shape: [1, 2, 1])
    }
}
