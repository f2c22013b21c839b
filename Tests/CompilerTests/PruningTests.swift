import Engine
import Graph
import XCTest

@testable import Compiler

/// What `--prune` sets to zero, and what is left of the network.
final class PruningTests: XCTestCase {
    /// Two inverted residual blocks, a squeeze and a classifier over 16 channels.
    private func network(seed: UInt64) -> Graph {
        var net = NetworkBuilder(seed: seed)
        let x = net.input([1, 3, 12, 12])
        var value = net.relu(net.conv(x, 3, 16, name: "first"))
        for block in 0..<2 {
            let expanded = net.clip(net.pointwise(value, 16, 48, name: "expand\(block)"), 0, 6)
            let filtered = net.clip(net.conv(expanded, 48, 48, groups: 48, name: "depthwise\(block)"), 0, 6)
            let gate = net.pointwise(net.add(GlobalPool(kind: .average), [filtered]), 48, 48, name: "gate\(block)")
            let scaled = net.add(Binary(.mul), [filtered, net.add(Unary(.sigmoid), [gate])])
            let projected = net.pointwise(scaled, 48, 16, name: "project\(block)")
            value = net.add(Binary(.add), [value, projected])
        }
        value = net.relu(net.conv(value, 16, 24, name: "last"))
        let flat = net.add(Flatten(), [net.add(GlobalPool(kind: .average), [value])])
        net.output(net.add(Gemm(transB: true), [flat, net.constant([10, 24]), net.constant([10])], name: "scores"))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        return graph
    }

    private func weights(_ name: String, _ graph: Graph) throws -> (product: ChannelProduct, values: [Float]) {
        let node = try XCTUnwrap(graph.nodes.first { $0.name == name }, name)
        let product = try XCTUnwrap(ChannelProduct(node, graph), name)
        return (product, graph.realConstant(product.weights)!)
    }

    func testTheLeastBlocksOfEachLayerBecomeZero() throws {
        let whole = try ChannelsLastGraph.arrange(network(seed: 1)).graph
        for share in [0.25, 0.5, 0.9] {
            var graph = whole
            graph.prune(.blocks(share))
            for name in ["first", "depthwise0", "depthwise1"] {
                XCTAssertEqual(try weights(name, graph).values, try weights(name, whole).values, name)
            }
            for name in ["expand0", "gate1", "project1", "last", "scores"] {
                let (product, values) = try weights(name, graph)
                let old = try weights(name, whole).values
                var (removed, kept): ([Float], [Float]) = ([], [])
                for output in 0..<product.outputs {
                    for first in stride(from: 0, to: product.inputs, by: 4) {
                        for tap in 0..<product.taps {
                            let places = (first..<first + 4).map { product.place(output: output, input: $0) + tap }
                            let magnitude = places.reduce(0) { $0 + old[$1] * old[$1] }
                            if places.allSatisfy({ values[$0] == 0 }) {
                                removed.append(magnitude)
                            } else {
                                kept.append(magnitude)
                                XCTAssertEqual(places.map { values[$0] }, places.map { old[$0] }, name)
                            }
                        }
                    }
                }
                let expected = (share * Double(removed.count + kept.count)).rounded(.toNearestOrEven)
                XCTAssertEqual(removed.count, Int(expected), "\(name), \(share)")
                XCTAssertLessThanOrEqual(removed.max() ?? 0, (kept.min() ?? 1) * 1.00001, "\(name), \(share)")
            }
        }
    }

    func testTheLeastFiltersGo() throws {
        let source = network(seed: 2)
        let whole = try ChannelsLastGraph.arrange(source)
        var smaller = whole
        smaller.graph.prune(.channels(0.25))
        let pruned = smaller
        smaller.removeChannels()
        let outputs = Dictionary(uniqueKeysWithValues: smaller.removal.layers.map { ($0.name, [$0.keptInputs, $0.keptOutputs]) })
        // The residual stream meets the convolution that reads the input, so it stays whole.
        XCTAssertEqual(outputs["expand0"], [16, 36])
        XCTAssertEqual(outputs["depthwise0"], [36, 36])
        XCTAssertEqual(outputs["gate0"], [36, 36])
        XCTAssertEqual(outputs["project1"], [36, 16])
        XCTAssertEqual(outputs["last"], [16, 18])
        XCTAssertEqual(outputs["scores"], [18, 10])
        XCTAssertNil(outputs["first"])
        let last = try weights("last", whole.graph)
        let norms = (0..<24).map { filter in last.values[filter * 144..<(filter + 1) * 144].reduce(0) { $0 + abs($1) } }
        let gone = Set(norms.indices.sorted { norms[$0] < norms[$1] }.prefix(6))
        let left = try weights("last", smaller.graph).values
        XCTAssertEqual(left, (0..<24).filter { !gone.contains($0) }.flatMap { Array(last.values[$0 * 144..<($0 + 1) * 144]) })
        // What the removal leaves computes what the zeros compute.
        let picture = PreparationTests.random([1, 12, 12, 3], seed: 3)
        let (a, b) = (
            try Executor(pruned.graph).run(["x": picture])["y0"]!.asFloats, try Executor(smaller.graph).run(["x": picture])["y0"]!.asFloats
        )
        let largest = a.map { abs($0) }.max()!
        for (x, y) in zip(a, b) { XCTAssertEqual(x, y, accuracy: 2e-6 * largest) }
    }

    func testCompiledFilesShrinkAndSayWhatWasPruned() throws {
        let source = network(seed: 4)
        let calibration = try randomCalibration(source)
        let whole = try Compiler.compile(source, options: CompileOptions(), calibration: calibration)
        for pruning in [Pruning.channels(0.5), .blocks(0.9)] {
            let compilation = try Compiler.compile(
                source, options: CompileOptions(sparse: .always, pruning: pruning), calibration: calibration)
            XCTAssertLessThan(compilation.file.count, whole.file.count)
            let model = try Model(copying: compilation.file)
            XCTAssertEqual(model.file.provenance.entries.first { $0.key == "pruned" }?.value, pruning.text)
            try verify(compilation, against: compilation.asSource, tolerance: Tolerance(steps: 3, differing: 1, relative: 0.05), pruning.text)
        }
    }

    func testAQuantizedModelIsRefused() throws {
        let quantized = try Annotation().apply(to: network(seed: 5))
        XCTAssertThrowsError(try Compiler.compile(quantized, options: CompileOptions(pruning: .blocks(0.5)))) { error in
            XCTAssertTrue("\(error)".contains("--prune blocks:0.5: expected a float model"), "\(error)")
        }
    }

    func testText() {
        XCTAssertEqual(Pruning("blocks:0.5"), .blocks(0.5))
        XCTAssertEqual(Pruning("channels:0.3")?.text, "channels:0.3")
        for text in ["", "blocks", "blocks:", "blocks:0", "blocks:1", "channels:-0.5", "rows:0.5", "blocks:0.5:1", "channels:nan"] {
            XCTAssertNil(Pruning(text), text)
        }
    }
}
