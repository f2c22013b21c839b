import Graph
import XCTest

@testable import Importers

/// Every attribute reaches the operator, and its default is the specification's.
final class ONNXAttributeTests: XCTestCase {
    /// Imports one node on `x` [1, 4, 6, 6], `s` [2, 3], `v` [4] (float32), `i` [2, 3] (int64), `b` [2, 3] (bool),
    /// `boxes` [1, 5, 4], `scores` [1, 2, 5], `grid` [1, 3, 3, 2], `rois` [2, 4], and checks its operator.
    private func check<Op: Operator & Hashable>(
        _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, TestModel.Attribute> = [:],
        opset: Int64 = 20, outputs: [String] = ["y"], is expected: Op, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        let model = TestModel(
            opset: opset,
            inputs: [
                .init("x", [1, 4, 6, 6]), .init("s", [2, 3]), .init("v", [4]), .init("i", [2, 3], type: .int64),
                .init("b", [2, 3], type: .bool), .init("boxes", [1, 5, 4]), .init("scores", [1, 2, 5]),
                .init("grid", [1, 3, 3, 2]), .init("rois", [2, 4]), .init("u", [2, 3], type: .uint8),
                .init("z", [1, 4, 6, 6], type: .uint8),
            ],
            outputs: outputs, nodes: [.init(type, inputs, outputs, attributes, name: "node")],
            initializers: [
                ("w", .counting([4, 2, 3, 3])), ("wz", Tensor([UInt8](repeating: 1, count: 72), shape: [4, 2, 3, 3])),
                ("one", .integers([1])), ("two", .integers([2])), ("batch", .integers([0, 0])),
                ("onoff", .floats([0, 1], [2])), ("axis", Tensor(scalar: Int64(1))),
                ("pads", .integers([1, 0, 0, 1])), ("to", .integers([3, 2])), ("scale", Tensor(scalar: Float(0.5))),
                ("lengths", .integers([1, 2, 2])),
            ])
        do {
            let graph = try model.load()
            let node = graph.nodes.first { $0.name == "node" }
            XCTAssertEqual(node?.op as? Op, expected, file: file, line: line)
        } catch {
            XCTFail("\(error)", file: file, line: line)
        }
    }

    func testElementwise() {
        check("Celu", ["s"], is: Unary(.celu(alpha: 1)))
        check("Celu", ["s"], ["alpha": .float(2)], is: Unary(.celu(alpha: 2)))
        check("Elu", ["s"], ["alpha": .float(2)], is: Unary(.elu(alpha: 2)))
        check("LeakyRelu", ["s"], ["alpha": .float(0.2)], is: Unary(.leakyRelu(alpha: 0.2)))
        check(
            "HardSigmoid", ["s"], ["alpha": .float(1), "beta": .float(2)], is: Unary(.hardSigmoid(alpha: 1, beta: 2)))
        check("Shrink", ["s"], is: Unary(.shrink(bias: 0, lambda: 0.5)))
        check("Shrink", ["s"], ["bias": .float(1), "lambd": .float(2)], is: Unary(.shrink(bias: 1, lambda: 2)))
        check("ThresholdedRelu", ["s"], ["alpha": .float(2)], is: Unary(.thresholdedRelu(alpha: 2)))
        check("Swish", ["s"], ["alpha": .float(2)], opset: 24, is: Unary(.swish(alpha: 2)))
        check("IsInf", ["s"], is: Unary(.isInf(detectNegative: true, detectPositive: true)))
        check(
            "IsInf", ["s"], ["detect_negative": .int(0)], is: Unary(.isInf(detectNegative: false, detectPositive: true))
        )
        check("Mod", ["s", "s"], ["fmod": .int(1)], is: Binary(.mod(fmod: true)))
        check("BitShift", ["u", "u"], ["direction": .string("LEFT")], is: Binary(.bitShift(left: true)))
        check("PRelu", ["s", "s"], is: Binary(.prelu))
        check("Xor", ["b", "b"], is: Binary(.xor))
        check("Mean", ["s", "s"], is: Variadic(.mean))
        check("Where", ["b", "s", "s"], is: Where())
    }

    func testWindows() {
        check(
            "Conv", ["x", "w"],
            ["strides": .ints([2, 1]), "dilations": .ints([1, 2]), "pads": .ints([1, 2, 3, 4]), "group": .int(2)],
            is: Conv(strides: [2, 1], dilations: [1, 2], padding: .explicit([1, 2, 3, 4]), groups: 2))
        check(
            "ConvInteger", ["z", "wz"], ["pads": .ints([1, 1, 1, 1]), "group": .int(2)],
            is: ConvInteger(padding: .explicit([1, 1, 1, 1]), groups: 2))
        check(
            "ConvTranspose", ["x", "w"],
            [
                "strides": .ints([2, 2]), "output_padding": .ints([1, 0]), "auto_pad": .string("VALID"),
                "group": .int(2),
            ],
            is: ConvTranspose(strides: [2, 2], padding: .valid, outputPadding: [1, 0], groups: 2))
        check(
            "ConvTranspose", ["x", "w"], ["output_shape": .ints([7, 8])],
            is: ConvTranspose(outputShape: [7, 8]))
        check(
            "MaxPool", ["x"],
            [
                "kernel_shape": .ints([2, 3]), "ceil_mode": .int(1), "storage_order": .int(1),
                "strides": .ints([2, 2]),
            ],
            is: Pool(kind: .max(storageOrder: 1), kernel: [2, 3], strides: [2, 2], ceilMode: true))
        check(
            "AveragePool", ["x"],
            ["kernel_shape": .ints([2, 3]), "count_include_pad": .int(1), "auto_pad": .string("SAME_LOWER")],
            is: Pool(kind: .average(countIncludesPadding: true), kernel: [2, 3], padding: .sameLower))
        check("LpPool", ["x"], ["kernel_shape": .ints([2, 2]), "p": .int(1)], is: Pool(kind: .lp(1), kernel: [2, 2]))
        check("GlobalMaxPool", ["x"], is: GlobalPool(kind: .max))
    }

    func testNormalizations() {
        check("LRN", ["x"], ["size": .int(3)], is: LRN(size: 3, alpha: 0.0001, beta: 0.75, bias: 1))
        check(
            "LRN", ["x"], ["size": .int(3), "alpha": .float(1), "beta": .float(2), "bias": .float(3)],
            is: LRN(size: 3, alpha: 1, beta: 2, bias: 3))
        check("LpNormalization", ["s"], ["axis": .int(0), "p": .int(1)], is: LpNormalization(axis: 0, p: 1))
        check(
            "LayerNormalization", ["s", "s"],
            ["axis": .int(0), "epsilon": .float(0.1)], is: LayerNormalization(axis: 0, epsilon: 0.1))
        check(
            "InstanceNormalization", ["x", "v", "v"], ["epsilon": .float(0.1)], is: InstanceNormalization(epsilon: 0.1))
        check("BatchNormalization", ["x", "v", "v", "v", "v"], is: BatchNormalization(epsilon: 1e-5))
        check("Softmax", ["s"], ["axis": .int(0)], is: Softmax(axis: 0))
        check("LogSoftmax", ["s"], is: Softmax(axis: -1, isLog: true))
    }

    func testProductsAndReductions() {
        check(
            "Gemm", ["s", "s"], ["alpha": .float(2), "beta": .float(3), "transB": .int(1)],
            is: Gemm(alpha: 2, beta: 3, transB: true))
        check("Gemm", ["s", "s"], ["transA": .int(1)], is: Gemm(transA: true))
        check("Einsum", ["s", "s"], ["equation": .string("ij,kj->ik")], is: Einsum(equation: "ij,kj->ik"))
        check("ReduceMean", ["s"], is: Reduce(.mean))
        check(
            "ReduceLogSumExp", ["s"], ["keepdims": .int(0), "noop_with_empty_axes": .int(1)],
            is: Reduce(.logSumExp, keepDims: false, noopWithEmptyAxes: true))
        check("ArgMax", ["s"], is: ArgReduce(isMax: true))
        check(
            "ArgMin", ["s"], ["axis": .int(1), "keepdims": .int(0), "select_last_index": .int(1)],
            is: ArgReduce(isMax: false, axis: 1, keepDims: false, selectLastIndex: true))
        check(
            "CumSum", ["s", "axis"], ["exclusive": .int(1), "reverse": .int(1)],
            is: CumSum(exclusive: true, reverse: true))
        check(
            "TopK", ["s", "two"], ["axis": .int(0), "largest": .int(0), "sorted": .int(0)], outputs: ["y", "k"],
            is: TopK(axis: 0, largest: false, sorted: false))
    }

    func testShapes() {
        check("Transpose", ["s"], ["perm": .ints([1, 0])], is: Transpose(permutation: [1, 0]))
        check("Transpose", ["s"], is: Transpose())
        check("Flatten", ["x"], ["axis": .int(2)], is: Flatten(axis: 2))
        check("Reshape", ["s", "to"], ["allowzero": .int(1)], is: Reshape(allowZero: true))
        check("Concat", ["s", "s"], ["axis": .int(-1)], is: Concat(axis: -1))
        check("DepthToSpace", ["x"], ["blocksize": .int(2)], is: DepthToSpace(blockSize: 2, mode: .dcr))
        check(
            "DepthToSpace", ["x"], ["blocksize": .int(2), "mode": .string("CRD")],
            is: DepthToSpace(blockSize: 2, mode: .crd))
        check("SpaceToDepth", ["x"], ["blocksize": .int(3)], is: SpaceToDepth(blockSize: 3))
        check("Cast", ["s"], ["to": .int(10), "saturate": .int(0)], is: Cast(to: .float16, saturate: false))
        check("Pad", ["s", "pads"], ["mode": .string("wrap")], is: Pad(mode: .wrap))
        check("CenterCropPad", ["s", "one"], ["axes": .ints([1])], is: CenterCropPad(axes: [1]))
        check("Expand", ["v", "one"], is: Expand())
        check("Tile", ["s", "to"], is: Tile())
    }

    func testIndexing() {
        check("Gather", ["s", "one"], ["axis": .int(1)], is: Gather(axis: 1))
        check("GatherElements", ["s", "i"], ["axis": .int(1)], is: GatherElements(axis: 1))
        check("GatherND", ["x", "batch"], is: GatherND(batchDims: 0))
        check(
            "ScatterElements", ["s", "i", "s"], ["axis": .int(1), "reduction": .string("none")],
            is: ScatterElements(axis: 1))
        check("ScatterND", ["v", "one", "scale"], is: ScatterND())
        check("OneHot", ["i", "two", "onoff"], ["axis": .int(0)], is: OneHot(axis: 0))
        check("NonZero", ["s"], is: NonZero())
        check(
            "ReverseSequence", ["s", "lengths"], ["batch_axis": .int(1), "time_axis": .int(0)],
            is: ReverseSequence(batchAxis: 1, timeAxis: 0))
        check(
            "NonMaxSuppression", ["boxes", "scores"], ["center_point_box": .int(1)],
            is: NonMaxSuppression(usesCenters: true))
        check(
            "RoiAlign", ["x", "rois", "batch"],
            [
                "mode": .string("max"), "output_height": .int(2), "output_width": .int(3), "sampling_ratio": .int(4),
                "spatial_scale": .float(0.5),
            ],
            is: RoiAlign(
                isMax: true, outputHeight: 2, outputWidth: 3, samplingRatio: 4, spatialScale: 0.5, halfPixel: true))
        check("RoiAlign", ["x", "rois", "batch"], opset: 10, is: RoiAlign(halfPixel: false))
        check("GridSample", ["x", "grid"], is: GridSample())
        check(
            "GridSample", ["x", "grid"],
            ["mode": .string("bicubic"), "padding_mode": .string("border"), "align_corners": .int(1)], opset: 16,
            is: GridSample(mode: .cubic, paddingMode: .border, alignCorners: true))
    }

    func testResize() {
        let sizes = TestModel.Attribute.string("cubic")
        check(
            "Resize", ["s", "", "", "to"],
            [
                "mode": sizes, "cubic_coeff_a": .float(-0.5), "exclude_outside": .int(1), "antialias": .int(1),
                "coordinate_transformation_mode": .string("align_corners"), "nearest_mode": .string("ceil"),
                "extrapolation_value": .float(2), "keep_aspect_ratio_policy": .string("not_larger"),
                "axes": .ints([0, 1]),
            ],
            is: Resize(
                mode: .cubic(coefficientA: -0.5, excludeOutside: true), coordinates: .alignCorners,
                nearestRounding: .ceil, antialias: true, axes: [0, 1], aspect: .notLarger, extrapolationValue: 2))
        for (name, coordinates): (String, Resize.Coordinates) in [
            ("half_pixel", .halfPixel), ("half_pixel_symmetric", .halfPixelSymmetric),
            ("pytorch_half_pixel", .pytorchHalfPixel), ("asymmetric", .asymmetric),
        ] {
            check(
                "Resize", ["s", "", "", "to"], ["coordinate_transformation_mode": .string(name)],
                is: Resize(coordinates: coordinates))
        }
        check(
            "Resize", ["s", "", "", "to"], ["coordinate_transformation_mode": .string("tf_half_pixel_for_nn")],
            opset: 11, is: Resize(coordinates: .tfHalfPixelForNN))
    }

    func testQuantization() {
        check("QuantizeLinear", ["s", "scale"], is: QuantizeLinear())
        check(
            "QuantizeLinear", ["s", "scale"], ["axis": .int(0), "output_dtype": .int(3), "saturate": .int(1)],
            opset: 21, is: QuantizeLinear(axis: 0, outputType: .int8))
        check("DequantizeLinear", ["u", "scale"], ["axis": .int(0)], is: DequantizeLinear(axis: 0))
        check("DynamicQuantizeLinear", ["s"], outputs: ["y", "ys", "yz"], is: DynamicQuantizeLinear())
    }

    func testConstants() throws {
        for (attribute, expected): ((String, TestModel.Attribute), Tensor) in [
            (("value_float", .float(2.5)), Tensor(scalar: Float(2.5))),
            (("value_floats", .floats([1, 2])), Tensor([Float(1), 2], shape: [2])),
            (("value_int", .int(.min)), Tensor(scalar: Int64.min)),
            (("value_ints", .ints([3, .max])), .integers([3, .max])),
            (("value", .tensor(Tensor([UInt8(7)], shape: [1]))), Tensor([UInt8(7)], shape: [1])),
        ] {
            let model = TestModel(nodes: [.init("Constant", [], ["y"], [attribute.0: attribute.1])])
            let found = try model.run([:])["y"]!
            XCTAssertNil(ConformanceCase.difference(found, expected), attribute.0)
        }
        let filled = TestModel(
            nodes: [.init("ConstantOfShape", ["to"], ["y"], ["value": .tensor(.integers([9]))])],
            initializers: [("to", .integers([2, 2]))])
        XCTAssertEqual(try filled.run([:])["y"]!.elements(as: Int64.self), [9, 9, 9, 9])
        let range = TestModel(
            nodes: [.init("Range", ["a", "b", "c"], ["y"])],
            initializers: [
                ("a", Tensor(scalar: Int64(1))), ("b", Tensor(scalar: Int64(8))), ("c", Tensor(scalar: Int64(3))),
            ])
        XCTAssertEqual(try range.run([:])["y"]!.elements(as: Int64.self), [1, 4, 7])
    }
}
