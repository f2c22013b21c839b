import XCTest

@testable import Graph

final class ExecutorTests: XCTestCase {
    func testFloatGraph() throws {
        var builder = GraphBuilder()
        let x = builder.input("x", [2])
        let doubled = builder.node(Binary(.add), [x, x])
        let negative = builder.node(Unary(.neg), [doubled])
        builder.output("twice", doubled)
        builder.output("minus", negative)
        builder.output("same", x)
        let found = try Executor(builder.graph).run(["x": floats([1, 2], [2])])
        XCTAssertEqual(Set(found.keys), ["twice", "minus", "same"])
        assertClose(found["twice"]!, [2, 4])
        assertClose(found["minus"]!, [-2, -4])
        assertClose(found["same"]!, [1, 2])
    }

    func testQuantizedValuesHoldOnlyWhatTheirIntegersSay() throws {
        let input = Quantization(elementType: .uint8, scale: 0.5, zeroPoint: 10)
        let weights = Quantization(elementType: .int8, scales: [0.25, 2], zeroPoints: [0, 0], axis: 0)
        let result = Quantization(elementType: .int8, scale: 1, zeroPoint: -5)
        var builder = GraphBuilder()
        let x = builder.input("x", [1, 1, 2], .uint8, quantization: input)
        let w = builder.constant(Tensor([Int8(4), -3], shape: [2, 1, 1]), quantization: weights)
        let y = builder.node(Conv(), [x, w], quantization: result)
        builder.output("stored", y, .int8)
        builder.output("real", y)
        let executor = try Executor(builder.graph)

        var seen: [ValueID: [Float]] = [:]
        let stored = Tensor([UInt8(13), 255], shape: [1, 1, 2])
        let found = try executor.run(["x": stored]) { id, tensor in seen[id] = tensor.floats }
        // x = 1.5, 122.5; w = 1, -6; products 1.5, 122.5, -9, -735 → even 2, 122; saturated at 132 and -123.
        XCTAssertEqual(seen[x], [1.5, 122.5])
        XCTAssertEqual(seen[y], [2, 122, -9, -123])
        XCTAssertNil(seen[w])
        assertClose(found["real"]!, [2, 122, -9, -123])
        assertIntegers(found["stored"]!, [-3, 117, -14, -128])
        XCTAssertEqual(found["stored"]!.elementType, .int8)

        // Real numbers are taken for a quantized input, and rounded to what it can store.
        let real = try executor.run(["x": floats([1.6, 1e9], [1, 1, 2])])
        assertClose(real["real"]!, found["real"]!)
    }

    func testInputErrors() throws {
        var builder = GraphBuilder()
        let x = builder.input("x", [2])
        builder.output("y", builder.node(Unary(.relu), [x]))
        let executor = try Executor(builder.graph)
        func message(_ inputs: [String: Tensor]) -> String {
            do {
                _ = try executor.run(inputs)
                return ""
            } catch { return error.description }
        }
        XCTAssertEqual(message([:]), "input \"x\": expected float32, shape [2], found nothing")
        XCTAssertEqual(
            message(["x": floats([1], [1])]), "input \"x\": expected float32, shape [2], found float32, shape [1]")
        XCTAssertEqual(
            message(["x": ints([1, 2])]), "input \"x\": expected float32, shape [2], found int64, shape [2]")
        XCTAssertEqual(
            message(["x": floats([1, 2], [2]), "z": floats([1], [1])]),
            "input \"z\": expected one of \"x\", found this name")
    }

    func testGraphProblemsAreCollected() {
        var builder = GraphBuilder()
        let x = builder.input("x", [2, 3])
        let y = builder.input("y", [4])
        let bad = builder.node(Binary(.add), [x, y], name: "sum")
        let good = builder.node(Unary(.relu), [x])
        let worse = builder.node(Concat(axis: 5), [good], name: "cat")
        builder.output("a", bad)
        builder.output("b", worse)
        guard
            case .failure(.invalidGraph(let problems)) = Result(catching: { () throws(ExecutorError) in
                try Executor(builder.graph)
            })
        else { return XCTFail("the graph was taken") }
        XCTAssertEqual(
            problems.description,
            """
            2 problems:
              node "sum" (Add): input 1 (B): expected a shape that broadcasts with [2, 3], found shape [4].
              node "cat" (Concat): attribute axis: expected -2 to 1, found 5.
            """)
    }

    func testStructureIsChecked() {
        var builder = GraphBuilder()
        let x = builder.input("x", [2])
        let later = ValueID(2)
        _ = builder.node(Binary(.add), [x, later], name: "early")
        _ = builder.node(Unary(.relu), [x], name: "late")
        builder.output("y", later)
        XCTAssertEqual(builder.graph.nodes[1].outputs, [later])
        XCTAssertThrowsError(try Executor(builder.graph)) { error in
            XCTAssertEqual(
                "\(error)",
                "the graph can't be executed: 1 problem:\n  node \"early\" (Add): input 1: expected a value that an "
                    + "earlier node, a constant or a graph input gives, found \"late:0\".")
        }
    }

    func testDataDependentFailureNamesTheNode() throws {
        var builder = GraphBuilder()
        let (x, index) = (builder.input("x", [3]), builder.input("i", [1], .int64))
        builder.output("y", builder.node(Gather(), [x, index], name: "pick"))
        let executor = try Executor(builder.graph)
        assertClose(try executor.run(["x": floats([1, 2, 3], [3]), "i": ints([-1])])["y"]!, [3])
        XCTAssertThrowsError(try executor.run(["x": floats([1, 2, 3], [3]), "i": ints([3])])) { error in
            XCTAssertEqual("\(error)", "node \"pick\" (Gather): input 1 (indices): expected -3 to 2, found 3.")
        }
    }

    func testDynamicShapesAreSettledByTheData() throws {
        var builder = GraphBuilder()
        let (x, shape) = (builder.input("x", [2, 3]), builder.input("shape", [2], .int64))
        let reshaped = builder.node(Reshape(), [x, shape])
        builder.output("y", builder.node(Softmax(axis: 1), [reshaped]))
        let found = try Executor(builder.graph).run([
            "x": floats([0, 0, 0, 0, 0, 0], [2, 3]), "shape": ints([3, -1]),
        ])
        assertClose(found["y"]!, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], shape: [3, 2])
    }
}
