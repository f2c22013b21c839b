import Engine
import Graph
import XCTest

@testable import Compiler

final class OutputPlacementTests: XCTestCase {
    /// Parts of the last axis lie strided, so that each output is brought into place by a copy at the end.
    func testManyStridedOutputsDontOverwriteEachOther() throws {
        var graph = Graph()
        let x = graph.addValue(Value(name: "x", elementType: .float32, shape: [1, 30, 17]))
        graph.inputs = [Port(name: "x", value: x, elementType: .float32)]
        let sizes = graph.addConstant(name: "sizes", Tensor([2, 1, 14] as [Int64], shape: [3]))
        let parts = [2, 1, 14].map { width in
            graph.addValue(Value(name: "part\(width)", elementType: .float32, shape: [1, 30, width]))
        }
        graph.nodes = [
            Node(
                name: "split", op: Split(axis: 2, numOutputs: 3), inputs: [x, sizes], outputs: parts,
                sourceOperator: "Split")
        ]
        let scores = graph.addValue(Value(name: "scores", elementType: .float32, shape: [1, 30, 2]))
        graph.nodes.append(
            Node(name: "softmax", op: Softmax(), inputs: [parts[0]], outputs: [scores], sourceOperator: "Softmax"))
        graph.outputs = zip(["scores", "one", "rest"], [scores, parts[1], parts[2]]).map {
            Port(name: $0, value: $1, elementType: .float32)
        }
        let input = PreparationTests.random([1, 30, 17], seed: 9)
        let expected = try Executor(graph).run(["x": input])
        var options = CompileOptions()
        options.precision = .float32
        let compilation = try Compiler.compile(graph, options: options)
        let session = try Session(model: Model(copying: compilation.file), threadCount: 1)
        session.input(0).copyBytes(from: input.unsafeBytes)
        session.run()
        for (index, name) in ["scores", "one", "rest"].enumerated() {
            let found = [Float](session.output(index).assumingMemoryBound(to: Float.self))
            for (a, b) in zip(found, expected[name]!.elements(as: Float.self)) {
                XCTAssertEqual(a, b, accuracy: 1e-6, name)
            }
        }
    }

    /// A byte input that is cast to float32 is held as bytes.
    func testByteInputRuns() throws {
        var graph = Graph()
        let x = graph.addValue(Value(name: "x", elementType: .uint8, shape: [1, 4, 5, 3]))
        let real = graph.addValue(Value(name: "real", elementType: .float32, shape: [1, 4, 5, 3]))
        let y = graph.addValue(Value(name: "y", elementType: .float32, shape: [1, 4, 5, 3]))
        let factor = graph.addConstant(name: "factor", Tensor([0.5] as [Float], shape: [1]))
        graph.inputs = [Port(name: "x", value: x, elementType: .uint8)]
        graph.outputs = [Port(name: "y", value: y, elementType: .float32)]
        graph.nodes = [
            Node(name: "cast", op: Cast(to: .float32), inputs: [x], outputs: [real], sourceOperator: "Cast"),
            Node(name: "scale", op: Binary(.mul), inputs: [real, factor], outputs: [y], sourceOperator: "Mul"),
        ]
        var options = CompileOptions()
        options.precision = .float32
        let compilation = try Compiler.compile(graph, options: options)
        let session = try Session(model: Model(copying: compilation.file), threadCount: 1)
        XCTAssertEqual(compilation.lowered.plan.inputs[0].externalType, .uint8)
        let bytes = (0..<60).map { UInt8($0 * 4) }
        session.input(0).copyBytes(from: bytes.map { $0 ^ 0x80 })
        session.run()
        XCTAssertEqual([Float](session.output(0).assumingMemoryBound(to: Float.self)), bytes.map { Float($0) * 0.5 })
    }
}
