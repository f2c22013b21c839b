import Engine
import Graph
import Kernels
import XCTest

@testable import Compiler

/// Pruned layers: which are stored sparse, and that the bytes are those of the dense form.
final class SparseCompilationTests: XCTestCase {
    /// A network of three convolutions and a product, a share of whose blocks is zero.
    private func network(zeroShare: Float, seed: UInt64 = 3, channels: Int = 64) throws -> Graph {
        var net = NetworkBuilder(seed: seed)
        func weights(_ shape: [Int]) -> ValueID {
            var values = net.random.tensor(shape).elements(as: Float.self)
            let plane = shape.dropFirst(2).reduce(1, *)
            for o in 0..<shape[0] {
                for block in 0..<shape[1] / 4 {
                    for tap in 0..<plane where Float.random(in: 0..<1, using: &net.random) < zeroShare {
                        for i in 0..<4 { values[(o * shape[1] + block * 4 + i) * plane + tap] = 0 }
                    }
                }
            }
            return net.constant(Tensor(values, shape: shape))
        }
        let x = net.input([1, 8, 9, 11])
        let first = net.relu(net.add(Conv(), [x, weights([channels, 8, 1, 1]), net.constant([channels])], name: "expand"))
        let second = net.add(
            Conv(padding: .explicit([1, 1, 1, 1])), [first, weights([channels, channels, 3, 3]), nil], name: "wide")
        let sum = net.add(Binary(.add), [second, first], name: "sum")
        let grouped = net.conv(sum, channels, channels, groups: channels, name: "depthwise")
        let mean = net.add(GlobalPool(kind: .average), [grouped])
        let flat = net.reshape(mean, [1, channels])
        net.output(net.add(Gemm(transB: true), [flat, weights([24, channels]), net.constant([24])], name: "scores"))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        return try Annotation().apply(to: graph)
    }

    private func kinds(_ compilation: Compilation) -> [String] {
        compilation.lowered.plan.operations.compactMap {
            switch $0.operation {
            case .convolution: "dense"
            case .sparseConvolution: "sparse"
            default: nil
            }
        }
    }

    func testSparseFilesComputeTheDenseBytes() throws {
        for (number, share) in [Float(0.3), 0.5, 0.75, 0.95].enumerated() {
            let graph = try network(zeroShare: share, seed: UInt64(number))
            let dense = try Compiler.compile(graph, options: CompileOptions(sparse: .never))
            let sparse = try Compiler.compile(graph, options: CompileOptions(sparse: .always))
            XCTAssertEqual(kinds(dense), ["dense", "dense", "dense"])
            XCTAssertEqual(kinds(sparse), ["sparse", "sparse", "sparse"])
            XCTAssertEqual(dense.lowered.sparseChoices, [])
            // Rounded ties of the residual sum reach the 24 outputs through a depthwise layer and a mean.
            try verify(sparse, against: graph, tolerance: Tolerance(differing: 0.25), "\(share) zero")
            let sessions = try [dense, sparse].map { try Session(model: Model(copying: $0.file)) }
            var random = TestRandom(seed: 9)
            let input = (0..<sessions[0].input(0).count).map { _ in UInt8.random(in: 0...255, using: &random) }
            for session in sessions {
                session.input(0).copyBytes(from: input)
                session.run()
            }
            XCTAssertEqual(Array(sessions[0].output(0)), Array(sessions[1].output(0)), "\(share) zero")
            if share >= 0.75 { XCTAssertLessThan(sparse.file.count, dense.file.count) }
        }
    }

    /// The time that a smaller file is worth.
    private func isWorthIt(_ choice: SparseChoice) -> Bool {
        choice.sparseCost < choice.denseCost * (1 + choice.savedShare / 4)
    }

    func testTheCheaperFormIsChosen() throws {
        let whole = try Compiler.compile(try network(zeroShare: 0), options: CompileOptions())
        XCTAssertEqual(whole.lowered.sparseChoices, [], "layers without zero blocks are no choice")
        XCTAssertEqual(kinds(whole), ["dense", "dense", "dense"])
        let slightly = try Compiler.compile(try network(zeroShare: 0.1, channels: 128), options: CompileOptions())
        XCTAssertEqual(kinds(slightly), ["dense", "dense", "dense"])
        let mostly = try Compiler.compile(try network(zeroShare: 0.9, channels: 128), options: CompileOptions())
        XCTAssertEqual(kinds(mostly)[1], "sparse")
        for choice in slightly.lowered.sparseChoices + mostly.lowered.sparseChoices {
            XCTAssertEqual(choice.isSparse, isWorthIt(choice), choice.name)
        }
        let wide = try XCTUnwrap(mostly.lowered.sparseChoices.first { $0.name == "sum" }, "the fused sum names the layer")
        XCTAssertEqual(wide.keptShare, 0.1, accuracy: 0.02)
        XCTAssertTrue(mostly.lowered.plan.operations.contains { $0.name == wide.name })
    }

    func testTargetsChooseByTheirOwnCosts() throws {
        var found: [SparseTarget: [[String]]] = [:]
        for share in stride(from: Float(0.3), through: 0.9, by: 0.1) {
            let graph = try network(zeroShare: share, seed: 7, channels: 128)
            for target in SparseTarget.allCases {
                let compilation = try Compiler.compile(graph, options: CompileOptions(target: target))
                found[target, default: []].append(kinds(compilation))
                for choice in compilation.lowered.sparseChoices {
                    XCTAssertEqual(choice.isSparse, isWorthIt(choice), "\(target.rawValue), \(choice.name)")
                }
            }
        }
        XCTAssertNotEqual(found[.x86], found[.cortexA76])
        XCTAssertNotEqual(found[.cortexA53], found[.cortexA76])
        XCTAssertNotEqual(found[.cortexA76], found[.armv8_6])
    }

    /// A 3×3 layer that Winograd's form computes from either kind of weights.
    func testWinogradLayersAreStoredSparseWhereThatMakesTheFileSmaller() throws {
        func choice(zeroShare: Double, target: SparseTarget = .x86) throws -> SparseChoice {
            var net = NetworkBuilder(seed: 15)
            // Most are small, so that few blocks need two.
            var values = net.random.tensor([64, 64, 3, 3]).elements(as: Float.self).map { $0 * $0 * $0 }
            for i in values.indices {
                // Blocks of four inputs of one tap.
                let block = i / (4 * 9) * 9 + i % 9
                if Double(block * 7919 % 10_000) < 10_000 * zeroShare { values[i] = 0 }
            }
            let x = net.input([1, 64, 28, 28])
            let weights = net.constant(Tensor(values, shape: [64, 64, 3, 3]))
            net.output(net.add(Conv(padding: .explicit([1, 1, 1, 1])), [x, weights, nil]))
            var graph = net.graph
            XCTAssertEqual(graph.inferShapes(), [])
            let compiled = try Compiler.compile(try Annotation().apply(to: graph), options: CompileOptions(target: target))
            let choices = compiled.lowered.sparseChoices
            XCTAssertEqual(kinds(compiled), [try XCTUnwrap(choices.first).isSparse ? "sparse" : "dense"])
            return try XCTUnwrap(choices.first)
        }
        let half = try choice(zeroShare: 0.5)
        XCTAssertTrue(half.isSparse)
        XCTAssertGreaterThan(half.savedShare, 0.3)
        XCTAssertEqual(half.sparseCost / half.denseCost, 1, accuracy: 0.1, "expanding is cheap")
        XCTAssertFalse(try choice(zeroShare: 0.08).isSparse, "too few bytes saved")
        let most = try choice(zeroShare: 0.9)
        XCTAssertTrue(most.isSparse)
        XCTAssertLessThan(most.sparseCost, 0.7 * most.denseCost, "the sparse kernel")
        XCTAssertFalse(try choice(zeroShare: 0.5, target: .cortexA76).isSparse)
    }

    func testWeightsWithAnOffsetAndGroupsStayDense() throws {
        var net = NetworkBuilder(seed: 5)
        let x = net.input([1, 16, 6, 6])
        let zeros = Tensor([Float](repeating: 0, count: 16 * 8), shape: [16, 8, 1, 1])
        net.output(net.add(Conv(groups: 2), [x, net.constant(zeros), net.constant([16])]))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let grouped = try Compiler.compile(try Annotation().apply(to: graph), options: CompileOptions(sparse: .always))
        XCTAssertEqual(kinds(grouped), ["dense"])
        XCTAssertEqual(grouped.lowered.sparseChoices, [])
    }
}
