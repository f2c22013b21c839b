import Graph
import XCTest

@testable import Importers

/// What users read when a model can't be imported.
final class ONNXDiagnosisTests: XCTestCase {
    private let image = [TestModel.Input("x", [1, 3, 8, 8])]

    func testAllProblemsAreNamedAtOnce() {
        let model = TestModel(
            inputs: image,
            nodes: [
                .init("LSTM", ["x"], ["a"], name: "recurrent"),
                .init("Conv", ["a", "w"], ["b"], ["auto_pad": .string("SAME")], name: "conv"),
                .init("FusedConv", ["b"], ["c"], name: "fused", domain: "com.microsoft"),
                .init("Relu", ["x"], ["d"], ["slope": .float(1)], name: "relu"),
                .init("Add", ["c", "d"], ["y"], name: "sum"),
            ],
            initializers: [("w", .counting([4, 3, 3, 3]))])
        XCTAssertEqual(
            model.diagnosis(),
            """
            4 problems:
              node "recurrent" (LSTM): operator: expected one that Swiftlet has, found LSTM. Recurrent networks have no \
            translation: convert the part of the model before this node.
              node "conv" (Conv): attribute auto_pad: expected NOTSET or SAME_UPPER or SAME_LOWER or VALID, found SAME.
              node "fused" (FusedConv): operator: expected one that Swiftlet has, found FusedConv of domain \
            "com.microsoft". It is made by ONNX Runtime's offline optimizer: convert the model as it was before optimization.
              node "relu" (Relu): attributes: expected those of Relu in opset 13, found slope. Export the model again, or \
            remove the attribute if it has no effect.
            """)
    }

    func testShapeProblemNamesTheNodeAndNothingThatFollows() {
        let model = TestModel(
            inputs: image,
            nodes: [
                .init("Conv", ["x", "w"], ["a"], name: "first"),
                .init("Relu", ["a"], ["b"], name: "second"),
                .init("Concat", ["b", "x"], ["y"], ["axis": .int(1)], name: "third"),
            ],
            initializers: [("w", .counting([4, 2, 3, 3]))])
        let text = model.diagnosis()
        XCTAssertTrue(text.hasPrefix("1 problem:\n  node \"first\" (Conv): input 1 (weights): expected "), text)
    }

    func testDynamicAxes() {
        let model = TestModel(
            inputs: [.init("x", ["batch", 3, "height", .unknown]), .init("z", nil), .init("n", ["count"])],
            nodes: [.init("Relu", ["x"], ["y"])])
        XCTAssertEqual(
            model.diagnosis(),
            """
            3 problems:
              input "x": expected fixed extents, found axis 2 ("height") and axis 3 without one. Pass --input-shape \
            x=1,3,…,… with numbers for the dots.
              input "z": expected a declared shape, found none. Pass --input-shape z=N,… with all extents.
              input "n": expected fixed extents, found axis 0 ("count") without one. Pass --input-shape n=… with numbers \
            for the dots.
            """)
    }

    func testInputShapeOverrides() throws {
        let model = TestModel(inputs: [.init("x", ["batch", 3, "h", "w"])], nodes: [.init("Relu", ["x"], ["y"])])
        let graph = try model.load(ImportOptions(inputShapes: ["x": [2, 3, 5, 7]]))
        XCTAssertEqual(graph[graph.inputs[0].value].shape, [2, 3, 5, 7])
        XCTAssertEqual(
            model.diagnosis(ImportOptions(inputShapes: ["x": [2, 4, 5, 7], "image": [1]])),
            """
            2 problems:
              --input-shape x: expected extents that fit the model's [batch, 3, h, w], found [2, 4, 5, 7].
              --input-shape image: expected one of the inputs "x", found "image".
            """)
        XCTAssertEqual(
            model.diagnosis(ImportOptions(inputShapes: ["x": [1, 3, 0, 7]])),
            """
            1 problem:
              --input-shape x: expected positive extents, found [1, 3, 0, 7].
            """)
    }

    func testBatchWithoutExtentIsOne() throws {
        let graph = try TestModel(inputs: [.init("x", [.unknown, 3])], nodes: [.init("Relu", ["x"], ["y"])]).load()
        XCTAssertEqual(graph[graph.inputs[0].value].shape, [1, 3])
        XCTAssertEqual(graph.sourceDescription, "ONNX opset 13, swiftlet-tests")
    }

    func testOperatorSets() {
        let nodes = [TestModel.Node("Relu", ["x"], ["y"])]
        XCTAssertEqual(
            TestModel(opset: 6, inputs: image, nodes: nodes).diagnosis(),
            """
            1 problem:
              operator set: expected opset 7 to 28, found opset 6. Convert the model with \
            onnx.version_converter.convert_version(model, 13).
            """)
        XCTAssertEqual(
            TestModel(opset: 99, inputs: image, nodes: nodes).diagnosis(),
            """
            1 problem:
              operator set: expected opset 7 to 28, found opset 99. Export the model for opset 28 or older.
            """)
    }

    func testUnsupportedConstructs() {
        var model = TestModel(
            inputs: image,
            nodes: [
                .init("Loop", ["n", "", "x"], ["a"], name: "loop"),
                .init("SequenceConstruct", ["x"], ["b"], name: "sequence"),
                .init("RandomNormalLike", ["x"], ["c"], name: "noise"),
                .init("Hide", ["x"], ["d"], name: "own", domain: "my.domain"),
                .init("Attention2", ["x"], ["e"], name: "function", domain: "local"),
                .init("Dropout", ["x", "", "train"], ["f"], name: "dropout"),
                .init("BatchNormalization", ["x", "s", "s", "s", "s"], ["g"], ["training_mode": .int(1)], name: "bn"),
                .init(
                    "If", ["condition"], ["h"],
                    [
                        "then_branch": .graph(nodes: [.init("Identity", ["x"], ["t"])], outputs: ["t"]),
                        "else_branch": .graph(nodes: [.init("Relu", ["x"], ["u"])], outputs: ["u"]),
                    ], name: "if"),
                .init("ScatterND", ["x", "n", "x"], ["i"], ["reduction": .string("add")], name: "scatter"),
            ],
            initializers: [
                ("n", .integers([3])), ("train", Tensor(scalar: true)), ("s", .counting([3])),
            ])
        model.opset = 16
        model.inputs.append(.init("condition", [], type: .bool))
        model.outputs = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
        model.extendModel = { writer in
            writer.message(25) { function in
                function.string(1, "Attention2")
                function.string(10, "local")
            }
        }
        XCTAssertEqual(
            model.diagnosis(),
            """
            9 problems:
              node "loop" (Loop): operator: expected one that Swiftlet has, found Loop. Unroll the iterations at export, \
            or cut the model before this node.
              node "sequence" (SequenceConstruct): operator: expected one that Swiftlet has, found SequenceConstruct. Use \
            Split, Concat and Gather on tensors at export, or cut the model before this node.
              node "noise" (RandomNormalLike): operator: expected one that Swiftlet has, found RandomNormalLike. It \
            belongs to training: export the model in inference mode.
              node "own" (Hide): operator: expected one that Swiftlet has, found Hide of domain "my.domain". Replace it by \
            standard ONNX operators before export, or cut the model before this node.
              node "function" (Attention2): operator: expected one that Swiftlet has, found Attention2 of domain "local". \
            It is a function of the model itself: inline it with onnx.inliner.inline_local_functions(model).
              node "dropout" (Dropout): input 2 (training_mode): expected false, found true. Export the model in inference \
            mode.
              node "bn" (BatchNormalization): attribute training_mode: expected 0, found 1. Export the model in inference \
            mode.
              node "if" (If): input 0 (condition): expected a value known at conversion, found one that depends on data. \
            Export the model with the branch that inference takes, or cut it before this node.
              node "scatter" (ScatterND): attribute reduction: expected none, found add.
            """)
    }

    func testGraphStructure() {
        var model = TestModel(
            inputs: image,
            nodes: [
                .init("Add", ["x", "missing"], ["a"], name: "sum"),
                .init("Relu", ["x"], ["b"], name: "one"),
                .init("Abs", ["x"], ["b"], name: "two"),
                .init("Neg", ["d"], ["c"], name: "round"),
                .init("Exp", ["c"], ["d"], name: "trip"),
                .init("Concat", ["x", "x"], ["e"], name: "concat"),
                .init("Concat", ["x", "x"], ["f"], ["axis": .string("1")], name: "text"),
            ])
        model.outputs = ["b", "nothing"]
        XCTAssertEqual(
            model.diagnosis(),
            """
            6 problems:
              node "sum" (Add): input 1: expected a value that a node, an initializer or a graph input gives, found \
            "missing". The graph has a cycle or was cut: export the model again.
              node "two" (Abs): output "b": expected a name that no other value has, found it twice.
              node "concat" (Concat): attribute axis: expected a value, found none.
              node "text" (Concat): attribute axis: expected type INT, found STRING.
              node "round" (Neg): input 0: expected a value that a node, an initializer or a graph input gives, found "d". \
            The graph has a cycle or was cut: export the model again.
              output "nothing": expected a value that a node gives, found none.
            """)
    }

    func testInputsThatAreNoTensors() {
        var model = TestModel(inputs: [], nodes: [.init("Identity", ["s"], ["y"])])
        model.extendGraph = { graph in
            graph.message(11) { input in
                input.string(1, "s")
                input.message(2) { $0.message(4) { _ in } }
            }
            graph.message(11) { input in
                input.string(1, "t")
                input.message(2) { $0.message(1) { $0.integer(1, 8) } }
            }
            graph.message(15) { sparse in sparse.message(1) { $0.string(8, "weights") } }
        }
        XCTAssertEqual(
            model.diagnosis(),
            """
            3 problems:
              initializer "weights": expected a dense tensor, found a sparse one. Save the weights as dense tensors; zeros \
            are compressed at conversion.
              input "s": expected a tensor, found sequence. Sequences, maps and optional values can't be inputs: cut the \
            model after the operator that reads it.
              input "t": expected elements of a numeric type of 4 to 64 bits or bool, found string.
            """)
    }

    func testFilesThatAreNoModels() throws {
        let missing = "/nonexistent/model.onnx"
        XCTAssertThrowsError(try ONNXImporter.load(path: missing)) { error in
            XCTAssertEqual(
                "\(error)",
                """
                1 problem:
                  file "/nonexistent/model.onnx": expected a readable file, found No such file or directory. Check the \
                path and its permissions.
                """)
        }
        func text(_ bytes: [UInt8]) -> String {
            do {
                _ = try ONNXImporter.load(bytes: bytes)
                return "imported"
            } catch {
                return "\(error)"
            }
        }
        XCTAssertEqual(
            text([]),
            """
            2 problems:
              model: expected an operator set version, found none. The file is damaged or not ONNX: copy or export it again.
              model: expected a graph, found none. The file is damaged or not ONNX: copy or export it again.
            """)
        XCTAssertEqual(
            text(Array("TFL3 is something else".utf8)),
            """
            1 problem:
              model, byte 0 (ModelProto): expected wire type 0, 1, 2 or 5, found 4. The file is damaged or not ONNX: copy \
            or export it again.
            """)
        XCTAssertEqual(
            text([0x3a, 0x7f, 0x0a]),
            """
            1 problem:
              model, byte 1 (ModelProto): expected a length of at most 1 bytes, found 127. The file is damaged or not \
            ONNX: copy or export it again.
            """)
    }
}
