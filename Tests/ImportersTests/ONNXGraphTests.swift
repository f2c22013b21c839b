import Foundation
import Graph
import XCTest

@testable import Importers

/// What an import does beyond single operators.
final class ONNXGraphTests: XCTestCase {
    func testShapeChainBecomesConstant() throws {
        let model = TestModel(
            opset: 11, inputs: [.init("x", ["n", 2, 3, 4])],
            nodes: [
                .init("Relu", ["x"], ["r"]),
                .init("Shape", ["r"], ["s"]),
                .init("Constant", [], ["zero"], ["value": .tensor(Tensor(scalar: Int64(0)))]),
                .init("Gather", ["s", "zero"], ["batch"]),
                .init("Unsqueeze", ["batch"], ["batch1"], ["axes": .ints([0])]),
                .init("Slice", ["s", "one", "three"], ["some"]),
                .init("ReduceProd", ["some"], ["count"], ["axes": .ints([0])]),
                .init("Cast", ["count"], ["countFloat"], ["to": .int(1)]),
                .init("Floor", ["countFloat"], ["floor"]),
                .init("Cast", ["floor"], ["countInt"], ["to": .int(7)]),
                .init("Concat", ["batch1", "countInt", "rest"], ["to"], ["axis": .int(0)]),
                .init("Reshape", ["r", "to"], ["y"]),
            ],
            initializers: [("one", .integers([1])), ("three", .integers([3])), ("rest", .integers([-1]))])
        let graph = try model.load()
        XCTAssertEqual(graph.nodes.map(\.op.name), ["Relu", "Reshape"])
        XCTAssertEqual(graph[graph.outputs[0].value].shape, [1, 6, 4])
        XCTAssertEqual(graph[graph.nodes[1].inputs[1]!].constant?.integers, [1, 6, -1])
    }

    func testIdentitiesUnusedNodesAndUnusedWeightsGo() throws {
        let model = TestModel(
            inputs: [.init("x", [2]), .init("w", [2]), .init("ignored", [2])],
            nodes: [
                .init("Identity", ["x"], ["a"]), .init("Identity", ["a"], ["b"]), .init("Add", ["b", "w"], ["c"]),
                .init("Exp", ["b"], ["dead"]), .init("Identity", ["c"], ["y"]),
            ],
            initializers: [("w", .floats([1, 2], [2])), ("unused", .counting([1000]))])
        let graph = try model.load()
        XCTAssertEqual(graph.nodes.map(\.op.name), ["Add"])
        XCTAssertEqual(graph.inputs.map(\.name), ["x", "ignored"])
        XCTAssertEqual(graph.outputs.map(\.name), ["y"])
        XCTAssertEqual(graph.values.map(\.name).sorted(), ["c", "ignored", "w", "x"])
        let outputs = try Executor(graph).run(["x": .floats([1, 1], [2]), "ignored": .floats([0, 0], [2])])
        assertClose(outputs["y"], [2, 3], shape: [2])
    }

    func testOutputThatIsAnInputOrAConstant() throws {
        var model = TestModel(
            inputs: [.init("x", [2])], nodes: [.init("Identity", ["x"], ["y"])],
            initializers: [("k", .floats([7], [1]))])
        model.outputs = ["y", "x", "k"]
        let outputs = try model.run(["x": .floats([1, 2], [2])])
        assertClose(outputs["y"], [1, 2], shape: [2])
        assertClose(outputs["x"], [1, 2], shape: [2])
        assertClose(outputs["k"], [7], shape: [1])
    }

    func testNodesInAnyOrder() throws {
        let model = TestModel(
            inputs: [.init("x", [2])],
            nodes: [
                .init("Add", ["b", "a"], ["y"]), .init("Neg", ["a"], ["b"]), .init("Exp", ["x"], ["a"]),
            ])
        XCTAssertEqual(try model.load().nodes.map(\.op.name), ["Exp", "Neg", "Add"])
        assertClose(try model.run(["x": .floats([1, 2], [2])])["y"], [0, 0], shape: [2])
    }

    func testNamesAreUnique() throws {
        let model = TestModel(
            inputs: [.init("x", [2])],
            nodes: [
                .init("Neg", ["x"], ["a"], name: "same"), .init("Exp", ["a"], ["b"], name: "same"),
                .init("Abs", ["b"], ["y"]),
            ])
        XCTAssertEqual(try model.load().nodes.map(\.name), ["same", "same_2", "y/Abs"])
    }

    func testConditionKnownAtConversion() throws {
        for (extent, expected): (Int, [Float]) in [(1, [-5]), (2, [6, 7])] {
            let model = TestModel(
                inputs: [.init("x", [.fixed(extent)])],
                nodes: [
                    .init("Shape", ["x"], ["s"]), .init("Equal", ["s", "one"], ["isOne"]),
                    .init(
                        "If", ["isOne"], ["y"],
                        [
                            "then_branch": .graph(
                                nodes: [.init("Identity", ["x"], ["t"]), .init("Neg", ["t"], ["u"])], outputs: ["u"]),
                            "else_branch": .graph(nodes: [.init("Add", ["x", "fone"], ["u"])], outputs: ["u"]),
                        ]),
                ],
                initializers: [("one", .integers([1])), ("fone", .floats([1], [1]))])
            let graph = try model.load()
            XCTAssertEqual(graph.nodes.count, 1)
            let x = Tensor.floats(Array([5, 6].prefix(extent)), [extent])
            assertClose(try Executor(graph).run(["x": x])["y"], expected, shape: [extent])
        }
    }

    func testShapeGivenAtRunTime() throws {
        let model = TestModel(
            inputs: [.init("x", [2, 3]), .init("to", [2], type: .int64)], nodes: [.init("Reshape", ["x", "to"], ["y"])])
        let graph = try model.load()
        XCTAssertNil(graph[graph.outputs[0].value].shape)
        let outputs = try Executor(graph).run(["x": .counting([2, 3]), "to": .integers([3, 2])])
        assertClose(outputs["y"], [0, 1, 2, 3, 4, 5], shape: [3, 2])
    }

    func testTensorsInEveryField() throws {
        func load(_ type: ElementType, _ shape: [Int], _ write: @escaping @Sendable (inout ProtobufWriter) -> Void)
            throws -> Tensor
        {
            var model = TestModel(outputs: ["w"])
            model.extendGraph = { graph in
                graph.message(5) { tensor in
                    for extent in shape { tensor.integer(1, Int64(extent)) }
                    tensor.integer(2, TestModel.dataType(type))
                    tensor.string(8, "w")
                    write(&tensor)
                }
            }
            return try model.run([:])["w"]!
        }
        @Sendable func packed(_ values: [Int64]) -> [UInt8] {
            var writer = ProtobufWriter()
            for value in values { writer.varint(UInt64(bitPattern: value)) }
            return writer.bytes
        }
        let eighths = try load(.float32, [2]) { writer in
            writer.float(4, 0.125)
            writer.float(4, -2)
        }
        XCTAssertEqual(eighths.elements(as: Float.self), [0.125, -2])
        let doubles = try load(.float64, [1]) { $0.data(10, withUnsafeBytes(of: 0.1) { Array($0) }) }
        XCTAssertEqual(doubles.elements(as: Double.self), [0.1])
        XCTAssertEqual(try load(.int64, [2]) { $0.data(7, packed([-1, .max])) }.elements(as: Int64.self), [-1, .max])
        XCTAssertEqual(try load(.int8, [2]) { $0.data(5, packed([-128, 127])) }.elements(as: Int8.self), [-128, 127])
        XCTAssertEqual(try load(.uint8, [2]) { $0.data(5, packed([0, 255])) }.elements(as: UInt8.self), [0, 255])
        XCTAssertEqual(try load(.int16, [1]) { $0.data(5, packed([-300])) }.elements(as: Int16.self), [-300])
        XCTAssertEqual(try load(.uint16, [1]) { $0.data(5, packed([65535])) }.elements(as: UInt16.self), [65535])
        XCTAssertEqual(try load(.int32, [1]) { $0.data(5, packed([-7])) }.elements(as: Int32.self), [-7])
        XCTAssertEqual(try load(.uint32, [1]) { $0.data(11, packed([1 << 31])) }.elements(as: UInt32.self), [1 << 31])
        XCTAssertEqual(try load(.uint64, [1]) { $0.data(11, packed([-1])) }.elements(as: UInt64.self), [.max])
        XCTAssertEqual(
            try load(.bool, [3]) { $0.data(5, packed([0, 1, 1])) }.elements(as: Bool.self), [false, true, true])
        XCTAssertEqual(try load(.bool, [3]) { $0.data(9, [0, 1, 200]) }.elements(as: Bool.self), [false, true, true])
        XCTAssertEqual(try load(.float16, [1]) { $0.data(5, packed([0x3e00])) }.floats, [1.5])
        XCTAssertEqual(try load(.bfloat16, [1]) { $0.data(5, packed([0x3fc0])) }.floats, [1.5])
        XCTAssertEqual(try load(.float16, []) { $0.data(9, [0, 0x3e]) }.floats, [1.5])
    }

    func testFourBitTensorsAreWidened() throws {
        for (type, expected): (Int64, [Int]) in [(22, [1, -1, -8]), (21, [1, 15, 8])] {
            var model = TestModel(outputs: ["w"])
            model.extendGraph = { graph in
                graph.message(5) { tensor in
                    tensor.integer(1, 3)
                    tensor.integer(2, type)
                    tensor.string(8, "w")
                    tensor.data(9, [0xf1, 0x08])
                }
            }
            XCTAssertEqual(try model.run([:])["w"]!.integers, expected)
        }
    }

    // MARK: External data

    private func external(_ entries: [(String, String)]) -> TestModel {
        var model = TestModel(inputs: [.init("x", [2])], nodes: [.init("Add", ["x", "w"], ["y"])])
        model.extendGraph = { graph in
            graph.message(5) { tensor in
                tensor.integer(1, 2)
                tensor.integer(2, 1)
                tensor.string(8, "w")
                tensor.integer(14, 1)
                for (key, value) in entries {
                    tensor.message(13) { entry in
                        entry.string(1, key)
                        entry.string(2, value)
                    }
                }
            }
        }
        return model
    }

    func testExternalData() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory.appendingPathComponent("weights"), withIntermediateDirectories: true)
        defer { XCTAssertNoThrow(try FileManager.default.removeItem(at: directory)) }
        let data = [Float(9), 10, 20].withUnsafeBytes { Data($0) }
        try data.write(to: directory.appendingPathComponent("weights/w.bin"))
        try FileManager.default.createSymbolicLink(
            atPath: directory.appendingPathComponent("escape").path, withDestinationPath: "/etc")
        let path = directory.appendingPathComponent("model.onnx").path

        func load(_ entries: [(String, String)]) throws -> Graph {
            try Data(external(entries).bytes).write(to: URL(fileURLWithPath: path))
            return try ONNXImporter.load(path: path)
        }
        let graph = try load([("location", "weights/w.bin"), ("offset", "4"), ("length", "8")])
        assertClose(try Executor(graph).run(["x": .floats([1, 1], [2])])["y"], [11, 21], shape: [2])
        XCTAssertNoThrow(try load([("location", "weights/w.bin"), ("offset", "4")]))

        for (entries, expected, found): ([(String, String)], String, String) in [
            ([], "a location", "none"),
            ([("location", "../w.bin")], "a file in the model's directory", "\"../w.bin\""),
            ([("location", "weights/../../w.bin")], "a file in the model's directory", "\"weights/../../w.bin\""),
            ([("location", "/etc/hostname")], "a file in the model's directory", "\"/etc/hostname\""),
            ([("location", "escape/hostname")], "a file in the model's directory", "\"escape/hostname\""),
            ([("location", "missing.bin")], "a readable file", "No such file or directory"),
            (
                [("location", "weights/w.bin"), ("offset", "8"), ("length", "8")],
                "8 bytes at offset 8 of \"weights/w.bin\"", "4"
            ),
            (
                [("location", "weights/w.bin"), ("offset", "9999999999999")],
                "an offset within the 12 bytes of \"weights/w.bin\"", "9999999999999"
            ),
            ([("location", "weights/w.bin"), ("offset", "-4")], "offset as a number of bytes", "\"-4\""),
            ([("location", "weights/w.bin"), ("length", "12")], "8 bytes for float32 of shape [2]", "12"),
        ] {
            XCTAssertThrowsError(try load(entries)) { error in
                let problem = (error as? GraphProblems)?.problems.first
                XCTAssertEqual(problem?.expected, expected)
                XCTAssertEqual(problem?.found, found)
            }
        }
        XCTAssertTrue(external([("location", "w.bin")]).diagnosis().contains("Load the model by its path."))
    }
}
