import Graph
import XCTest

@testable import Importers

/// Any bytes give a graph or a named problem.
final class ONNXMalformedTests: XCTestCase {
    /// A model that uses every kind of message.
    private static let model: TestModel = .init(
        opset: 11,
        inputs: [.init("x", ["n", 2, 4, 4])], outputs: ["y", "z"],
        nodes: [
            .init(
                "Conv", ["x", "w", "b"], ["a"], ["pads": .ints([1, 1, 1, 1]), "strides": .ints([2, 2])], name: "conv"),
            .init("Shape", ["a"], ["s"]),
            .init("Constant", [], ["i"], ["value": .tensor(.integers([0]))]),
            .init("Gather", ["s", "i"], ["n0"], ["axis": .int(0)]),
            .init("Concat", ["n0", "rest"], ["to"], ["axis": .int(0)]),
            .init("Reshape", ["a", "to"], ["r"]),
            .init("Softmax", ["r"], ["y"], ["axis": .int(1)]),
            .init("Equal", ["n0", "one"], ["isOne"]),
            .init(
                "If", ["isOne"], ["z"],
                [
                    "then_branch": .graph(
                        nodes: [.init("LeakyRelu", ["a"], ["t"], ["alpha": .float(0.1)])], outputs: ["t"]),
                    "else_branch": .graph(nodes: [.init("Neg", ["a"], ["u"])], outputs: ["u"]),
                ]),
        ],
        initializers: [
            ("w", .counting([3, 2, 3, 3])), ("b", .counting([3])), ("rest", .integers([-1])), ("one", .integers([1])),
        ])

    /// Whether the bytes are a model; any error but the importer's own ends the test process.
    private func isModel(_ bytes: [UInt8]) -> Bool {
        do throws(GraphProblems) {
            _ = try ONNXImporter.load(bytes: bytes)
            return true
        } catch {
            XCTAssertFalse(error.problems.isEmpty)
            for problem in error.problems
            where problem.subject.isEmpty || problem.expected.isEmpty || problem.found.isEmpty {
                XCTFail("nameless problem: \(problem)")
            }
            return false
        }
    }

    func testWholeModelIsImported() throws {
        let graph = try Self.model.load()
        XCTAssertEqual(graph.outputs.map { graph[$0.value].shape }, [[1, 12], [1, 3, 2, 2]])
    }

    func testEveryTruncation() {
        let bytes = Self.model.bytes
        for length in 0..<bytes.count { _ = isModel(Array(bytes[..<length])) }
        XCTAssertFalse(isModel(Array(bytes[..<(bytes.count / 2)])))
    }

    func testEveryByteReplaced() {
        let bytes = Self.model.bytes
        var refused = 0
        for index in bytes.indices {
            for value in [0xff, bytes[index] ^ 1] {
                var changed = bytes
                changed[index] = value
                if !isModel(changed) { refused += 1 }
            }
        }
        XCTAssertGreaterThan(refused, bytes.count / 2)
    }

    func testRandomChanges() {
        var random = SplitMix(seed: 20_26)
        let bytes = Self.model.bytes
        for _ in 0..<6_000 {
            var changed = bytes
            for _ in 0..<random.next(below: 8) + 1 {
                switch random.next(below: 4) {
                case 0: changed[random.next(below: changed.count)] = UInt8(random.next(below: 256))
                case 1: changed.remove(at: random.next(below: changed.count))
                case 2: changed.insert(UInt8(random.next(below: 256)), at: random.next(below: changed.count))
                default:
                    let start = random.next(below: changed.count)
                    let end = min(changed.count, start + random.next(below: 16))
                    changed.insert(contentsOf: changed[start..<end], at: random.next(below: changed.count))
                }
            }
            _ = isModel(changed)
        }
    }

    func testDeepNestingIsRefused() {
        // A graph inside an attribute inside a node inside a graph, far deeper than the limit.
        var inner = ProtobufWriter()
        for _ in 0..<200 {
            var graph = ProtobufWriter()
            graph.message(1) { node in node.message(5) { $0.data(6, inner.bytes) } }
            inner = graph
        }
        var model = ProtobufWriter()
        model.data(7, inner.bytes)
        do throws(GraphProblems) {
            _ = try ONNXImporter.load(bytes: model.bytes)
            XCTFail("imported")
        } catch {
            XCTAssertEqual(error.problems[0].expected, "at most 100 messages inside each other")
        }
    }

    func testHostileExtents() {
        for extents: [TestModel.Dimension] in [
            [.fixed(.max), .fixed(.max)], [.fixed(1 << 40), 2], [.fixed(1 << 32), .fixed(1 << 32), 0],
        ] {
            let model = TestModel(
                inputs: [.init("x", extents)], outputs: ["y", "s"],
                nodes: [.init("Relu", ["x"], ["y"]), .init("Size", ["x"], ["s"])])
            _ = isModel(model.bytes)
        }
        let growing = TestModel(
            inputs: [.init("x", [1, .fixed(1 << 20)])],
            nodes: [.init("Expand", ["x", "to"], ["y"])], initializers: [("to", .integers([1 << 30, 1]))])
        XCTAssertFalse(isModel(growing.bytes))
    }

    func testTensorFieldsThatDisagree() {
        func text(_ write: @escaping @Sendable (inout ProtobufWriter) -> Void) -> String {
            var model = TestModel(outputs: ["w"])
            model.extendGraph = { graph in
                graph.message(5) { tensor in
                    tensor.string(8, "w")
                    write(&tensor)
                }
            }
            return model.diagnosis()
        }
        XCTAssertEqual(
            text {
                $0.integer(1, 3)
                $0.integer(2, 1)
                $0.data(9, [UInt8](repeating: 0, count: 11))
            },
            "1 problem:\n  tensor \"w\": expected 12 bytes for float32 of shape [3], found 11.")
        XCTAssertEqual(
            text {
                $0.integer(1, 3)
                $0.integer(2, 1)
                $0.float(4, 1)
            },
            "1 problem:\n  tensor \"w\": expected 3 elements in float_data for shape [3], found 1.")
        XCTAssertEqual(
            text {
                $0.integer(1, 1)
                $0.integer(2, 2)
                $0.integer(5, 300)
            },
            "1 problem:\n  tensor \"w\": expected elements of type uint8, found 300.")
        XCTAssertEqual(
            text {
                $0.integer(1, -1)
                $0.integer(2, 1)
            },
            "1 problem:\n  tensor \"w\": expected extents of at most 2^31 elements in all, found shape [-1].")
        XCTAssertEqual(
            text { $0.integer(2, 8) },
            "1 problem:\n  tensor \"w\": expected elements of a numeric type of 4 to 64 bits or bool, found string.")
        XCTAssertEqual(
            text { $0.integer(2, 77) },
            "1 problem:\n  tensor \"w\": expected elements of a numeric type of 4 to 64 bits or bool, found data type 77."
        )
    }
}

/// A small generator with a fixed seed.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
