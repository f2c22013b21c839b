import XCTest

@testable import Graph

final class PassesTests: XCTestCase {
    /// Flattens x by way of Shape, Gather, Concat and Reshape.
    private func shapeChain() -> (builder: GraphBuilder, result: ValueID) {
        var builder = GraphBuilder()
        let x = builder.input("x", [2, 3, 4])
        let shape = builder.node(Shape(), [x])
        let first = builder.node(Gather(), [shape, builder.constant(ints([0]))])
        let target = builder.node(Concat(axis: 0), [first, builder.constant(ints([-1]))])
        let result = builder.node(Reshape(), [x, target])
        builder.output("y", result)
        return (builder, result)
    }

    func testInferenceFollowsShapeChains() {
        var (builder, result) = shapeChain()
        let nodeCount = builder.graph.nodes.count
        XCTAssertEqual(builder.graph.inferShapes(), [])
        XCTAssertEqual(builder.graph[result].shape, [2, 12])
        XCTAssertEqual(builder.graph.nodes.count, nodeCount)
        XCTAssertTrue(builder.graph.nodes.allSatisfy { builder.graph[$0.outputs[0]!].constant == nil })
    }

    func testFoldingLeavesWhatDependsOnInputs() throws {
        var (builder, _) = shapeChain()
        XCTAssertEqual(builder.graph.foldConstants(), [])
        XCTAssertEqual(builder.graph.nodes.map { $0.op.name }, ["Reshape"])
        let x = floats((0..<24).map(Float.init), [2, 3, 4])
        assertClose(try Executor(builder.graph).run(["x": x])["y"]!, x.floats, shape: [2, 12])
    }

    func testFoldingEvaluatesLargeConstants() {
        var builder = GraphBuilder()
        let x = builder.input("x", [1])
        let big = builder.node(ConstantOfShape(), [builder.constant(ints([100, 100]))])
        let shifted = builder.node(Unary(.cos), [big])
        builder.output("y", builder.node(Binary(.add), [x, shifted]))
        XCTAssertEqual(builder.graph.foldConstants(), [])
        XCTAssertEqual(builder.graph.nodes.count, 1)
        XCTAssertEqual(builder.graph[shifted].constant?.floats.first, 1)
    }

    func testFoldingKeepsQuantizedConstantsAsIntegers() throws {
        var builder = GraphBuilder()
        let stored = Tensor([Int8(-4), 2, 6, 8], shape: [2, 2])
        let weights = builder.node(
            DequantizeLinear(axis: 0),
            [
                builder.constant(stored), builder.constant(floats([0.5, 2], [2])),
                builder.constant(Tensor([Int8(0), 2], shape: [2])),
            ])
        let x = builder.input("x", [1, 2])
        builder.output("y", builder.node(MatMul(), [x, weights]))
        let before = try Executor(builder.graph).run(["x": floats([1, 1], [1, 2])])["y"]!
        XCTAssertEqual(builder.graph.foldConstants(), [])
        XCTAssertEqual(builder.graph.nodes.count, 1)
        XCTAssertEqual(
            builder.graph[weights].quantization,
            Quantization(elementType: .int8, scales: [0.5, 2], zeroPoints: [0, 2], axis: 0))
        assertIntegers(builder.graph[weights].constant!, [-4, 2, 6, 8])
        assertClose(try Executor(builder.graph).run(["x": floats([1, 1], [1, 2])])["y"]!, before.floats)
        assertClose(before, [-2 + 8, 1 + 12])
    }

    func testFoldingIntoAQuantizedValueStoresIntegers() {
        var builder = GraphBuilder()
        let quantization = Quantization(elementType: .int8, scale: 2, zeroPoint: 1)
        let sum = builder.node(
            Binary(.add), [builder.constant(floats([1, 2], [2])), builder.constant(floats([1, 3], [2]))],
            quantization: quantization)
        builder.output("y", sum)
        XCTAssertEqual(builder.graph.foldConstants(), [])
        // 2 / 2 and 5 / 2, to even, plus 1.
        assertIntegers(builder.graph[sum].constant!, [2, 3])
        XCTAssertEqual(builder.graph[sum].constant!.elementType, .int8)
    }

    func testProblemsDoNotStopInference() {
        var builder = GraphBuilder()
        let x = builder.input("x", [2, 3])
        _ = builder.node(Transpose(permutation: [0]), [x], name: "bad")
        _ = builder.nodes(Unary(.relu), [x], name: "many", quantizations: [nil, nil])
        let good = builder.node(Flatten(axis: 0), [x])
        builder.output("y", good)
        let problems = builder.graph.inferShapes()
        XCTAssertEqual(problems.map(\.nodeName), ["bad", "many"])
        XCTAssertEqual(problems.map(\.subject), ["attribute perm", "outputs"])
        XCTAssertEqual(builder.graph[good].shape, [1, 6])
    }

    func testDeadNodesAreRemoved() {
        var builder = GraphBuilder()
        let x = builder.input("x", [2])
        let dead = builder.node(Unary(.exp), [x], name: "dead")
        _ = builder.node(Unary(.exp), [dead], name: "deader")
        let live = builder.node(Unary(.relu), [x], name: "live")
        builder.output("y", builder.node(Unary(.neg), [live], name: "last"))
        builder.graph.removeDeadNodes()
        XCTAssertEqual(builder.graph.nodes.map(\.name), ["live", "last"])
    }

    func testUnusedValuesAreRemovedAndTheOthersRenumbered() throws {
        var builder = GraphBuilder()
        _ = builder.constant(floats([1], [1]))
        let x = builder.input("x", [2])
        _ = builder.node(Unary(.exp), [x], name: "dead")
        builder.output("y", builder.node(Binary(.add), [x, builder.constant(floats([5], [1]))], name: "live"))
        builder.graph.removeDeadNodes()
        builder.graph.removeUnusedValues()
        XCTAssertEqual(builder.graph.values.count, 3)
        assertClose(try Executor(builder.graph).run(["x": floats([1, 2], [2])])["y"]!, [6, 7])
    }

    func testProblemText() {
        let error = OperatorError(subject: "attribute pads", expected: "4 numbers", found: "[1]")
        let node = Node(name: "c1", op: Conv(), inputs: [], outputs: [], sourceOperator: "CONV_2D")
        XCTAssertEqual(
            GraphProblem(error, at: node, remedy: "Export again.").description,
            "node \"c1\" (CONV_2D): attribute pads: expected 4 numbers, found [1]. Export again.")
        XCTAssertEqual(
            GraphProblem(subject: "file", expected: "a", found: "b").description, "file: expected a, found b.")
        XCTAssertEqual(
            GraphProblem(sourceOperator: "Foo", subject: "operator", expected: "a", found: "b").description,
            "operator Foo: operator: expected a, found b.")
    }
}
