import Graph
import XCTest

@testable import Importers

/// Well-formed files whose numbers are hostile: each gives a graph or a named problem, never a trap or a huge allocation.
final class ONNXHostileValuesTests: XCTestCase {
    private static let hostile: [Int64] = [
        .max, .min, .max - 1, .min + 1, 1 << 62, 1 << 40, -(1 << 40), 1 << 31, (1 << 31) - 1, -(1 << 31), 30, 7, 3, 2,
        1, 0, -1, -2, -5,
    ]

    /// One node on inputs `x` [1, 4, 6, 6], `m` [3, 4], `i` [2, 3] int64, `q` [1, 4, 6, 6] uint8, with constants.
    private struct Case {
        var opset: Int64 = 18
        var operatorType: String
        var inputs: [String]
        var outputs = ["y"]
        var ints: [(String, [Int64])] = []
        var scalars: [(String, Int64)] = []
        var strings: [(String, String)] = []
        var constants: [(String, [Int64])] = []

        var bytes: [UInt8] {
            // A literal is the only way to make key-value pairs, so attributes are written by hand.
            var model = ProtobufWriter()
            model.integer(1, 8)
            model.message(8) { $0.integer(2, opset) }
            model.message(8) { domain in
                domain.string(1, "com.microsoft")
                domain.integer(2, 1)
            }
            let base = TestModel(
                opset: opset,
                inputs: [
                    .init("x", [1, 4, 6, 6]), .init("m", [3, 4]), .init("i", [2, 3], type: .int64),
                    .init("q", [1, 4, 6, 6], type: .uint8),
                ],
                outputs: outputs,
                initializers: constants.map { ($0.0, .integers($0.1)) } + [
                    ("w", .counting([4, 4, 3, 3])), ("w2", .counting([8, 2, 3, 3])), ("s", Tensor(scalar: Float(0.5))),
                    ("scales", .floats([1, 1, 2, 2], [4])), ("c", .counting([4])),
                    ("qc", Tensor([UInt8](0..<8), shape: [8])), ("known", .counting([2, 3])),
                    ("onoff", .floats([0, 1], [2])), ("flag", Tensor(scalar: Int64(2))),
                ])
            model.message(7) { graph in
                graph.message(1) { node in
                    for input in inputs { node.string(1, input) }
                    for output in outputs { node.string(2, output) }
                    node.string(4, operatorType)
                    for (name, values) in ints {
                        node.message(5) { attribute in
                            attribute.string(1, name)
                            for value in values { attribute.integer(8, value) }
                            attribute.integer(20, 7)
                        }
                    }
                    for (name, value) in scalars {
                        node.message(5) { attribute in
                            attribute.string(1, name)
                            attribute.integer(3, value)
                            attribute.integer(20, 2)
                        }
                    }
                    for (name, value) in strings {
                        node.message(5) { attribute in
                            attribute.string(1, name)
                            attribute.string(4, value)
                            attribute.integer(20, 3)
                        }
                    }
                }
                base.writeValues(to: &graph)
            }
            return model.bytes
        }
    }

    private let cases: [Case] = [
        Case(
            operatorType: "Conv", inputs: ["x", "w"],
            ints: [("pads", [1, 1, 1, 1]), ("strides", [1, 1]), ("dilations", [1, 1])], scalars: [("group", 1)]),
        Case(
            operatorType: "Conv", inputs: ["x", "w"], ints: [("strides", [1, 1]), ("dilations", [1, 1])],
            strings: [("auto_pad", "SAME_UPPER")]),
        Case(
            operatorType: "ConvTranspose", inputs: ["x", "w"],
            ints: [
                ("pads", [0, 0, 0, 0]), ("strides", [2, 2]), ("dilations", [1, 1]), ("output_padding", [1, 1]),
                ("output_shape", [13, 13]),
            ], scalars: [("group", 1)]),
        Case(
            operatorType: "MaxPool", inputs: ["x"],
            ints: [("kernel_shape", [2, 2]), ("pads", [1, 0, 0, 0]), ("strides", [2, 2]), ("dilations", [1, 1])],
            scalars: [("ceil_mode", 1)]),
        Case(
            operatorType: "AveragePool", inputs: ["x"], ints: [("kernel_shape", [3, 3]), ("strides", [2, 2])],
            scalars: [("count_include_pad", 1)], strings: [("auto_pad", "SAME_LOWER")]),
        Case(operatorType: "LpPool", inputs: ["x"], ints: [("kernel_shape", [3, 3])], scalars: [("p", 2)]),
        Case(operatorType: "Reshape", inputs: ["x", "a"], constants: [("a", [1, -1, 6])]),
        Case(
            operatorType: "Reshape", inputs: ["known", "a"], scalars: [("allowzero", 1)], constants: [("a", [3, 2])]),
        Case(operatorType: "Expand", inputs: ["m", "a"], constants: [("a", [2, 3, 4])]),
        Case(operatorType: "Expand", inputs: ["known", "a"], constants: [("a", [2, 2, 3])]),
        Case(operatorType: "Tile", inputs: ["known", "a"], constants: [("a", [2, 3])]),
        Case(operatorType: "Tile", inputs: ["x", "a"], constants: [("a", [1, 2, 1, 2])]),
        Case(
            operatorType: "Slice", inputs: ["x", "a", "b", "d", "e"],
            constants: [("a", [0, 1]), ("b", [4, 5]), ("d", [1, 2]), ("e", [1, 2])]),
        Case(
            operatorType: "Slice", inputs: ["known", "a", "b", "d", "e"],
            constants: [("a", [0, 2]), ("b", [2, -4]), ("d", [0, 1]), ("e", [1, -1])]),
        Case(
            opset: 9, operatorType: "Slice", inputs: ["known"], ints: [("starts", [0]), ("ends", [1]), ("axes", [1])]),
        Case(operatorType: "Pad", inputs: ["x", "a"], constants: [("a", [0, 0, 1, 1, 0, 0, 2, 2])]),
        Case(
            operatorType: "Pad", inputs: ["known", "a"], strings: [("mode", "reflect")],
            constants: [("a", [1, 1, 1, 2])]),
        Case(
            operatorType: "Pad", inputs: ["known", "a"], strings: [("mode", "wrap")], constants: [("a", [1, 1, -1, 2])]),
        Case(
            operatorType: "Pad", inputs: ["known", "a"], strings: [("mode", "edge")], constants: [("a", [1, 1, 0, 2])]),
        Case(operatorType: "Pad", inputs: ["known", "a", "", "b"], constants: [("a", [1, 1]), ("b", [1])]),
        Case(
            operatorType: "Split", inputs: ["x", "a"], outputs: ["y", "z"], scalars: [("axis", 1)],
            constants: [("a", [1, 3])]),
        Case(
            operatorType: "Split", inputs: ["known"], outputs: ["y", "z"], scalars: [("axis", 1), ("num_outputs", 2)]),
        Case(operatorType: "Squeeze", inputs: ["x", "a"], constants: [("a", [0])]),
        Case(operatorType: "Unsqueeze", inputs: ["known", "a"], constants: [("a", [0, 3])]),
        Case(operatorType: "Flatten", inputs: ["known"], scalars: [("axis", 1)]),
        Case(operatorType: "Transpose", inputs: ["known"], ints: [("perm", [1, 0])]),
        Case(operatorType: "Concat", inputs: ["known", "known"], scalars: [("axis", 1)]),
        Case(operatorType: "Gather", inputs: ["known", "a"], scalars: [("axis", 1)], constants: [("a", [0, 2])]),
        Case(operatorType: "GatherElements", inputs: ["c", "a"], scalars: [("axis", 0)], constants: [("a", [0, 2])]),
        Case(
            operatorType: "GatherND", inputs: ["known", "a"], scalars: [("batch_dims", 0)], constants: [("a", [1, 2])]),
        Case(
            operatorType: "ScatterElements", inputs: ["c", "a", "onoff"], scalars: [("axis", 0)],
            constants: [("a", [0, 2])]),
        Case(
            operatorType: "OneHot", inputs: ["a", "b", "onoff"], scalars: [("axis", -1)],
            constants: [("a", [0, 2]), ("b", [4])]),
        Case(operatorType: "OneHot", inputs: ["i", "b", "onoff"], scalars: [("axis", -1)], constants: [("b", [4])]),
        Case(operatorType: "ConstantOfShape", inputs: ["a"], constants: [("a", [2, 3])]),
        Case(
            operatorType: "TopK", inputs: ["c", "a"], outputs: ["y", "z"], scalars: [("axis", 0)],
            constants: [("a", [2])]),
        Case(
            operatorType: "TopK", inputs: ["x", "a"], outputs: ["y", "z"], scalars: [("axis", 1)],
            constants: [("a", [2])]),
        Case(operatorType: "CumSum", inputs: ["c", "a"], scalars: [("exclusive", 0)], constants: [("a", [0])]),
        Case(operatorType: "Resize", inputs: ["x", "", "", "a"], constants: [("a", [1, 4, 12, 3])]),
        Case(operatorType: "Resize", inputs: ["known", "", "", "a"], ints: [("axes", [1])], constants: [("a", [6])]),
        Case(
            operatorType: "Resize", inputs: ["known", "", "", "a"], strings: [("mode", "cubic")],
            constants: [("a", [4, 6])]),
        Case(operatorType: "ReduceSum", inputs: ["known", "a"], scalars: [("keepdims", 1)], constants: [("a", [1])]),
        Case(opset: 11, operatorType: "ReduceMax", inputs: ["x"], ints: [("axes", [1, 2])]),
        Case(operatorType: "ArgMax", inputs: ["known"], scalars: [("axis", 1), ("select_last_index", 1)]),
        Case(operatorType: "Softmax", inputs: ["known"], scalars: [("axis", 1)]),
        Case(opset: 11, operatorType: "Softmax", inputs: ["x"], scalars: [("axis", 1)]),
        Case(operatorType: "DepthToSpace", inputs: ["x"], scalars: [("blocksize", 2)]),
        Case(operatorType: "SpaceToDepth", inputs: ["x"], scalars: [("blocksize", 2)]),
        Case(operatorType: "CenterCropPad", inputs: ["known", "a"], ints: [("axes", [1])], constants: [("a", [5])]),
        Case(operatorType: "GroupNormalization", inputs: ["x", "onoff", "onoff"], scalars: [("num_groups", 2)]),
        Case(operatorType: "LayerNormalization", inputs: ["m", "c", "c"], scalars: [("axis", -1)]),
        Case(operatorType: "LpNormalization", inputs: ["known"], scalars: [("axis", 1), ("p", 2)]),
        Case(operatorType: "LRN", inputs: ["x"], scalars: [("size", 3)]),
        Case(operatorType: "Shape", inputs: ["x"], scalars: [("start", 1), ("end", 3)]),
        Case(operatorType: "Range", inputs: ["a", "b", "d"], constants: [("a", [0]), ("b", [9]), ("d", [2])]),
        Case(
            operatorType: "ReverseSequence", inputs: ["m", "a"], scalars: [("batch_axis", 1), ("time_axis", 0)],
            constants: [("a", [1, 2, 3, 3])]),
        Case(
            operatorType: "ReverseSequence", inputs: ["known", "a"], scalars: [("batch_axis", 1), ("time_axis", 0)],
            constants: [("a", [1, 2, 2])]),
        Case(operatorType: "DequantizeLinear", inputs: ["q", "s"], scalars: [("axis", 1)]),
        Case(
            opset: 21, operatorType: "DequantizeLinear", inputs: ["qc", "c"], scalars: [("axis", 0), ("block_size", 2)]),
        Case(operatorType: "QuantizeLinear", inputs: ["x", "s"], scalars: [("axis", 1)]),
        Case(operatorType: "Cast", inputs: ["a"], scalars: [("to", 3)], constants: [("a", [1, -1])]),
        Case(operatorType: "Div", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(
            operatorType: "Mod", inputs: ["a", "b"], scalars: [("fmod", 0)],
            constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(operatorType: "Pow", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(operatorType: "Mul", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(operatorType: "Neg", inputs: ["a"], constants: [("a", [4, 5])]),
        Case(operatorType: "Abs", inputs: ["a"], constants: [("a", [4, 5])]),
        Case(operatorType: "Max", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(operatorType: "ReduceProd", inputs: ["a"], constants: [("a", [4, 5])]),
        Case(operatorType: "ReduceSum", inputs: ["a"], constants: [("a", [4, 5])]),
        Case(operatorType: "ReduceL2", inputs: ["a"], constants: [("a", [4, 5])]),
        Case(operatorType: "CumSum", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [0])]),
        Case(operatorType: "MatMul", inputs: ["a", "b"], constants: [("a", [4, 5]), ("b", [2, 3])]),
        Case(operatorType: "Clip", inputs: ["a"], constants: [("a", [4, 5])]),
    ]

    private func isModel(_ bytes: [UInt8], _ label: @autoclosure () -> String) -> Bool {
        do throws(GraphProblems) {
            _ = try ONNXImporter.load(bytes: bytes)
            return true
        } catch {
            XCTAssertFalse(error.problems.isEmpty, label())
            return false
        }
    }

    func testEachCaseIsAModelAsItStands() {
        for item in cases {
            do {
                _ = try ONNXImporter.load(bytes: item.bytes)
            } catch {
                XCTFail("\(item.operatorType): \(error)")
            }
        }
    }

    func testEveryNumberReplaced() {
        var refused = 0
        for item in cases {
            for value in Self.hostile {
                var variants: [Case] = []
                for (list, entry) in item.ints.enumerated() {
                    for index in entry.1.indices {
                        var changed = item
                        changed.ints[list].1[index] = value
                        variants.append(changed)
                    }
                    var longer = item
                    longer.ints[list].1.append(value)
                    variants.append(longer)
                }
                for index in item.scalars.indices {
                    var changed = item
                    changed.scalars[index].1 = value
                    variants.append(changed)
                }
                for (list, entry) in item.constants.enumerated() {
                    for index in entry.1.indices {
                        var changed = item
                        changed.constants[list].1[index] = value
                        variants.append(changed)
                    }
                    var longer = item
                    longer.constants[list].1.append(value)
                    variants.append(longer)
                }
                for variant in variants where !isModel(variant.bytes, "\(variant)") { refused += 1 }
            }
        }
        XCTAssertGreaterThan(refused, 1_000)
    }

    func testRandomCombinations() {
        var random = SplitMix(seed: 7)
        for _ in 0..<3_000 {
            var item = cases[random.next(below: cases.count)]
            func value() -> Int64 { Self.hostile[random.next(below: Self.hostile.count)] }
            for list in item.ints.indices {
                for index in item.ints[list].1.indices where random.next(below: 2) == 0 {
                    item.ints[list].1[index] = value()
                }
            }
            for index in item.scalars.indices where random.next(below: 2) == 0 { item.scalars[index].1 = value() }
            for list in item.constants.indices {
                for index in item.constants[list].1.indices where random.next(below: 2) == 0 {
                    item.constants[list].1[index] = value()
                }
                if random.next(below: 8) == 0 { item.constants[list].1.removeLast() }
            }
            _ = isModel(item.bytes, "\(item)")
        }
    }
}
