import Graph
import Importers
import XCTest

/// The texts that users read, all problems at once.
final class TFLiteDiagnosisTests: XCTestCase {
    private func problems(_ model: TFLiteModelWriter, _ options: ImportOptions = ImportOptions()) -> String {
        do {
            _ = try TFLiteImporter.load(bytes: model.bytes(), options: options)
            return "no problems"
        } catch {
            return "\(error)"
        }
    }

    func testAllProblemsAtOnce() {
        var model = TFLiteModelWriter()
        let x = model.add(.float([1, 4, 4, 2]).named("image"))
        var sparse = TFLiteTensorSpec.floats([Float](repeating: 1, count: 16), [2, 2, 2, 2]).named("sparse weights")
        sparse.isSparse = true
        let weights = model.add(sparse)
        let conv = model.add(
            3, [x, weights], to: [.float([1, 4, 4, 2]).named("features")], 1, [0: .byte(0), 1: .int(1), 2: .int(1)])
        let lstm = model.add(16, conv, to: [.float([1, 4, 4, 2]).named("memory")])
        let custom = model.add(
            32, custom: "Convolution2DTransposeBias", lstm, to: [.float([1, 8, 8, 2]).named("up")])
        let pool = model.add(
            17, custom, to: [.float([1, 4, 4, 2]).named("pooled")], 5,
            [0: .byte(1), 1: .int(0), 2: .int(2), 3: .int(2), 4: .int(2)])
        let perm = model.add(.ints([0, 1, 1, 2]))
        let transposed = model.add(39, [pool[0], perm], to: [.float([1, 4, 4, 2]).named("turned")], 26, [:])
        model.inputs = [x]
        model.outputs = model.add(
            45, transposed + [perm, perm, perm], to: [.float([1]).named("cut")], 5, [:])
        XCTAssertEqual(
            problems(model),
            """
            6 problems:
              node "features" (CONV_2D): tensor "sparse weights": expected a dense tensor, found TFLite's sparse encoding. \
            Convert the model again without sparse tensors: zeros of a dense one are found by Swiftlet itself.
              node "memory" (LSTM): operator: expected one that Swiftlet has, found LSTM. Convert the model again without \
            this operator.
              node "up" (Convolution2DTransposeBias): operator: expected one that Swiftlet has, found the custom operator \
            Convolution2DTransposeBias. This is MediaPipe's own transposed convolution with bias: convert the model again \
            with TensorFlow's Conv2DTranspose, which becomes TRANSPOSE_CONV.
              node "pooled" (MAX_POOL_2D): option stride_w: expected a positive integer, found 0.
              node "turned" (TRANSPOSE): input 1 (permutation): expected an order of 4 axes, found [0, 1, 1, 2].
              node "cut" (STRIDED_SLICE): options: expected a table of type 32 (stridedSlice), found type 5.
            """)
    }

    func testPortsAndShapes() {
        var model = TFLiteFileTests.smallModel()
        XCTAssertEqual(
            problems(model, ImportOptions(inputShapes: ["picture": [1], "image": [1, 4, 4]])),
            """
            2 problems:
              input shape for "picture": expected the name of a graph input: "image", found "picture".
              input shape for "image": expected 4 positive extents, as in [1, 4, 4, 2], found [1, 4, 4].
            """)
        model.tensors[0].shape = [1, 4, -1, 2]
        XCTAssertEqual(
            problems(model),
            """
            1 problem:
              input "image": expected positive extents of at most 2^31 elements in all, found shape [1, 4, -1, 2]. Give the \
            extents with --input-shape image=1,4,N,2.
            """)
        model = TFLiteModelWriter()
        let x = model.add(.float([2]).named("x"))
        let missing = model.add(.float([2]).named("lost"))
        model.inputs = [x]
        model.outputs = model.add(0, [x, missing], to: [.float([2]).named("sum")], 11, [:])
        XCTAssertEqual(
            problems(model),
            """
            1 problem:
              node "sum" (ADD): input 1: expected a tensor that an earlier operator, a constant or the caller gives, found \
            tensor "lost", which nothing gives.
            """)
    }

    func testQuantizations() {
        func problem(_ change: (inout TFLiteTensorSpec) -> Void) -> String {
            var model = TFLiteFileTests.smallModel()
            change(&model.tensors[1])
            return problems(model)
        }
        let prefix = "1 problem:\n  node \"t3\" (CONV_2D): "
        XCTAssertEqual(
            problem { $0.scales = [.nan] }, prefix + "tensor \"t1\": expected positive, finite scales, found nan.")
        XCTAssertEqual(
            problem { $0.zeroPoints = [256] }, prefix + "tensor \"t1\": expected zero points of 0…255, found 256.")
        XCTAssertEqual(
            problem { $0.zeroPoints = [1, 2] },
            prefix + "tensor \"t1\": expected as many zero points as scales (1), or one, found 2.")
        XCTAssertEqual(
            problem { ($0.scales, $0.axis) = ([1, 2], 0) },
            prefix + "tensor \"t1\": expected an axis of 2 extents, one for each scale, found shape [3, 2, 2, 2] with "
                + "quantized dimension 0.")
        XCTAssertEqual(
            problem { $0.data!.removeLast() },
            prefix + "constant \"t1\": expected 24 bytes for shape [3, 2, 2, 2] of UINT8, found 23.")
        XCTAssertEqual(
            problem { $0.isVariable = true },
            prefix
                + "tensor \"t1\": expected a tensor without state, found a variable. Convert the model again with its "
                + "state as inputs and outputs.")
    }

    /// A cast of stored integers, whose meaning depends on the scale, is not what operators on real numbers can say.
    func testCastOfQuantizedTensor() {
        var model = TFLiteModelWriter()
        let x = model.add(.quantized(.int8, [2], 0.5, 1).named("x"))
        model.inputs = [x]
        model.outputs = model.add(53, [x], to: [.float([2]).named("y")], 37, [0: .byte(9), 1: .byte(0)])
        XCTAssertEqual(
            problems(model),
            """
            1 problem:
              node "y" (CAST): input 0: expected a tensor without scale and zero point, found a quantized one. Convert the \
            model again with DEQUANTIZE or QUANTIZE in the place of this CAST.
            """)
    }
}
