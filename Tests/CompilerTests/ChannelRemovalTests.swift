import Engine
import Foundation
import Graph
import Importers
import NestFormat
import XCTest

@testable import Compiler

/// Channels that no output needs: which go, and that all outputs stay.
final class ChannelRemovalTests: XCTestCase {
    // MARK: Networks with dead channels

    /// A convolution some of whose filters are zero (`dead`; their biases too unless `keepsBias`) and some of whose inputs
    /// it does not read.
    private func conv(
        _ net: inout NetworkBuilder, _ x: ValueID, _ inputs: Int, _ outputs: Int, _ kernel: Int = 1, stride: Int = 1,
        pad: Int? = nil, groups: Int = 1, dead: [Int] = [], unread: [Int] = [], keepsBias: Bool = false,
        bias: Bool = true, name: String
    ) -> ValueID {
        let taps = kernel * kernel
        let perGroup = inputs / groups
        var weights = net.random.tensor([outputs, perGroup, kernel, kernel]).elements(as: Float.self)
        for output in dead { for i in 0..<perGroup * taps { weights[output * perGroup * taps + i] = 0 } }
        for input in unread {
            for output in 0..<outputs { for tap in 0..<taps { weights[(output * perGroup + input) * taps + tap] = 0 } }
        }
        var offsets = net.random.tensor([outputs]).elements(as: Float.self)
        if !keepsBias { for output in dead { offsets[output] = 0 } }
        let w = net.constant(Tensor(weights, shape: [outputs, perGroup, kernel, kernel]))
        let b = bias ? net.constant(Tensor(offsets, shape: [outputs])) : nil
        let p = pad ?? kernel / 2
        return net.add(
            Conv(strides: [stride, stride], padding: .explicit([p, p, p, p]), groups: groups), [x, w, b], name: name)
    }

    private func product(
        _ net: inout NetworkBuilder, _ x: ValueID, _ inputs: Int, _ outputs: Int, dead: [Int] = [], unread: [Int] = [],
        name: String
    ) -> ValueID {
        var weights = net.random.tensor([outputs, inputs]).elements(as: Float.self)
        for output in dead { for input in 0..<inputs { weights[output * inputs + input] = 0 } }
        for input in unread { for output in 0..<outputs { weights[output * inputs + input] = 0 } }
        return net.add(
            Gemm(transB: true), [x, net.constant(Tensor(weights, shape: [outputs, inputs])), net.constant([outputs])], name: name)
    }

    // MARK: Checks

    private func outputs(_ file: [UInt8], _ inputs: [[UInt8]]) throws -> [[UInt8]] {
        let session = try Session(model: Model(copying: file), threadCount: 1)
        for (index, bytes) in inputs.enumerated() { session.input(index).copyBytes(from: bytes) }
        session.run()
        return session.model.plan.outputs.indices.map { Array(session.output($0)) }
    }

    private func file(_ prepared: ChannelsLastGraph) throws -> [UInt8] {
        let lowered = try Lowering.lower(prepared)
        return NestWriter.encode(NestContents(plan: lowered.plan.encode(), weights: lowered.weights))
    }

    /// Compares the files with and without removal on random inputs.
    private func compare(
        _ source: Graph, isExact: Bool, seed: UInt64, _ label: String, file path: StaticString = #filePath, line: UInt = #line
    ) throws -> ChannelRemoval {
        let whole = try ChannelsLastGraph.arrange(source)
        let smaller = try ChannelsLastGraph.prepare(source)
        for value in smaller.graph.nodes.flatMap(\.outputs).compactMap({ $0 }) {
            XCTAssertFalse(smaller.graph.extents(value).contains(0), "\(label): an empty tensor", file: path, line: line)
        }
        for (old, new) in zip(whole.graph.inputs + whole.graph.outputs, smaller.graph.inputs + smaller.graph.outputs) {
            XCTAssertEqual(whole.graph.extents(old.value), smaller.graph.extents(new.value), "\(label): \(old.name)", file: path, line: line)
        }
        let files = (try self.file(whole), try self.file(smaller))
        let plan = try Model(copying: files.0).plan
        var random = TestRandom(seed: seed)
        for trial in 0..<4 {
            let given = plan.inputs.map { port -> [UInt8] in
                let count = port.shape.reduce(1, *)
                if port.storedType == .int8 {
                    return (0..<count).map { _ in trial == 3 ? [0x7F, 0x80].randomElement(using: &random)! : UInt8.random(in: 0...255, using: &random) }
                }
                return random.tensor([count]).unsafeBytesCopy
            }
            let (a, b) = (try outputs(files.0, given), try outputs(files.1, given))
            if isExact {
                XCTAssertEqual(a, b, "\(label): bytes, trial \(trial)", file: path, line: line)
            } else {
                for (x, y) in zip(a, b) {
                    let (u, v) = (floats(x), floats(y))
                    let largest = max(u.map { abs($0) }.max() ?? 0, 1e-6)
                    let error = zip(u, v).map { abs($0 - $1) }.max() ?? 0
                    // Sums of some hundred terms in another order.
                    XCTAssertLessThanOrEqual(error / largest, 2e-6, "\(label): trial \(trial)", file: path, line: line)
                }
            }
        }
        return smaller.removal
    }

    private func floats(_ bytes: [UInt8]) -> [Float] { bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } }

    /// Biases as QDQ files and TFLite have them: int32 in units of the accumulator.
    private func withIntegerBiases(_ source: Graph) -> Graph {
        var graph = source
        for node in source.nodes where node.inputs.count > 2 {
            guard let input = node.inputs[0].flatMap({ source[$0].quantization }), input.scales.count == 1, let w = node.inputs[1],
                let own = source[w].quantization, let b = node.inputs[2], let tensor = source[b].constant,
                tensor.elementType == .float32
            else { continue }
            let scales = tensor.elements(as: Float.self).indices.map { input.scales[0] * (own.scales.count == 1 ? own.scales[0] : own.scales[$0]) }
            let quantization = Quantization(
                elementType: .int32, scales: scales, zeroPoints: scales.map { _ in 0 }, axis: scales.count == 1 ? nil : 0)
            graph[b].constant = quantization.quantize(tensor)
            graph[b].quantization = quantization
        }
        return graph
    }

    /// Builds the network in float32 and in several quantized forms and compares each; every form loses the given number of
    /// output channels of all layers together.
    private func check(
        _ label: String, seed: UInt64, removes expected: Int, file path: StaticString = #filePath, line: UInt = #line,
        _ build: (inout NetworkBuilder) -> Void
    ) throws {
        var net = NetworkBuilder(seed: seed)
        build(&net)
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [], label, file: path, line: line)
        var found = try compare(graph, isExact: false, seed: seed, "\(label), float32", file: path, line: line)
        XCTAssertEqual(found.channels - found.keptChannels, expected, "\(label), float32: \(found.layers)", file: path, line: line)
        let forms: [(String, Annotation)] = [
            ("int8", Annotation()), ("uint8", Annotation(type: .uint8)), ("own scales", Annotation(sharesScales: false)),
            ("own scales before clamps", Annotation(type: .uint8, sharesScales: false, fusesClamps: false)),
            ("weights with a zero point", Annotation(type: .uint8, weightZeroPoint: 117)),
        ]
        for (name, annotation) in forms {
            for rounding in [IntegerRounding.nearestEven, .tfLite] {
                var quantized = try annotation.apply(to: graph, seed: seed)
                quantized.integerRounding = rounding
                for form in [quantized, withIntegerBiases(quantized)] {
                    found = try compare(form, isExact: true, seed: seed, "\(label), \(name), \(rounding)", file: path, line: line)
                    XCTAssertEqual(
                        found.channels - found.keptChannels, expected, "\(label), \(name): \(found.layers)", file: path, line: line)
                }
            }
        }
    }

    // MARK: Operators

    func testChainOfConvolutions() throws {
        try check("zero filters", seed: 1, removes: 5) { net in
            let x = net.input([1, 4, 7, 9])
            let a = net.relu(conv(&net, x, 4, 12, 3, dead: [0, 5, 11], name: "a"))
            let b = net.relu(conv(&net, a, 12, 8, 3, stride: 2, dead: [1], unread: [7], name: "b"))
            net.output(conv(&net, b, 8, 5, 1, name: "c"))
        }
    }

    func testConstantsOtherThanZeroGoIntoBiases() throws {
        try check("no padding", seed: 2, removes: 4) { net in
            let x = net.input([1, 4, 7, 9])
            let a = net.add(Unary(.hardSwish), [conv(&net, x, 4, 12, 3, dead: [0, 5], keepsBias: true, name: "a")])
            let b = net.relu(conv(&net, a, 12, 8, 1, dead: [6, 7], keepsBias: true, name: "b"))
            net.output(conv(&net, b, 8, 5, 3, pad: 0, bias: false, name: "c"))
        }
        try check("padding: only zeros go", seed: 3, removes: 1) { net in
            let x = net.input([1, 4, 7, 9])
            var offsets = [Float](repeating: 0.7, count: 6)
            (offsets[1], offsets[2]) = (-0.5, 0.5)
            let weights = net.constant(Tensor((0..<24).map { 4..<12 ~= $0 ? 0 : Float($0) / 24 - 0.4 }, shape: [6, 4, 1, 1]))
            let a = net.relu(net.add(Conv(), [x, weights, net.constant(Tensor(offsets, shape: [6]))], name: "a"))
            net.output(conv(&net, a, 6, 5, 3, name: "c"))
        }
    }

    func testDepthwiseAndPools() throws {
        try check("depthwise", seed: 4, removes: 9) { net in
            let x = net.input([1, 4, 8, 8])
            let a = net.clip(conv(&net, x, 4, 16, 1, dead: [2, 3, 9], name: "a"), 0, 6)
            let b = net.clip(conv(&net, a, 16, 16, 3, stride: 2, groups: 16, keepsBias: true, name: "depthwise"), 0, 6)
            let c = conv(&net, b, 16, 8, 1, dead: [0, 1, 4], name: "project")
            net.output(conv(&net, c, 8, 4, 1, name: "last"))
        }
        try check("pools", seed: 5, removes: 4) { net in
            let x = net.input([1, 4, 9, 9])
            let a = net.relu(conv(&net, x, 4, 12, 3, dead: [4], unread: [1], name: "a"))
            let most = net.add(Pool(kind: .max(storageOrder: 0), kernel: [3, 3], strides: [2, 2], padding: .explicit([1, 1, 1, 1])), [a])
            let b = net.relu(conv(&net, most, 12, 10, 1, dead: [3, 8], keepsBias: true, name: "b"))
            let mean = net.add(Pool(kind: .average(countIncludesPadding: false), kernel: [3, 3], strides: [1, 1], padding: .explicit([1, 1, 1, 1])), [b])
            let c = net.relu(conv(&net, mean, 10, 6, 1, dead: [0], name: "c"))
            let padded = net.add(Pool(kind: .average(countIncludesPadding: true), kernel: [3, 3], strides: [1, 1], padding: .explicit([1, 1, 1, 1])), [c])
            net.output(conv(&net, padded, 6, 3, 1, name: "d"))
        }
    }

    func testConcatSplitAndResize() throws {
        try check("concat", seed: 6, removes: 4) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 7], name: "a"))
            let b = net.add(Unary(.sigmoid), [conv(&net, x, 4, 6, 1, dead: [2], keepsBias: true, name: "b")])
            let joined = net.add(Concat(axis: 1), [a, x, b])
            net.output(conv(&net, joined, 18, 5, 1, unread: [4], name: "c"))
        }
        try check("split", seed: 7, removes: 3) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 12, 3, dead: [1, 2, 9], name: "a"))
            let parts = net.addAll(Split(axis: 1, numOutputs: 2), [a], outputs: 2)
            let left = conv(&net, parts[0], 6, 4, 3, name: "left")
            let right = conv(&net, parts[1], 6, 4, 3, name: "right")
            net.output(net.add(Binary(.add), [left, right]))
        }
        try check("resize and pad", seed: 8, removes: 2) { net in
            let x = net.input([1, 4, 5, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [1, 6], name: "a"))
            let larger = net.add(Resize(mode: .nearest, coordinates: .asymmetric, nearestRounding: .floor), [a, nil, nil, net.integers([1, 8, 10, 12])])
            let padded = net.add(Pad(), [larger, net.integers([0, 0, 1, 0, 0, 0, 0, 1])])
            net.output(conv(&net, padded, 8, 3, 3, pad: 0, name: "b"))
        }
    }

    func testSumsLoseWhatAllOperandsLose() throws {
        try check("residual", seed: 9, removes: 4) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [1, 2, 5], name: "a"))
            let b = conv(&net, a, 8, 8, 3, dead: [1, 5, 6], name: "b")
            let sum = net.relu(net.add(Binary(.add), [a, b]))
            net.output(conv(&net, sum, 8, 4, 3, name: "c"))
        }
        try check("per-channel steps", seed: 10, removes: 3) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 3], name: "a"))
            let squared = net.add(Binary(.mul), [a, net.constant([8, 1, 1], 0.2...1)])
            let shifted = net.add(Binary(.prelu), [net.add(Binary(.sub), [squared, net.constant([1, 8, 1, 1])]), net.constant([8, 1, 1], 0...0.3)])
            net.output(conv(&net, shifted, 8, 4, 1, unread: [6], name: "c"))
        }
    }

    func testSqueezeAndExcite() throws {
        try check("gate", seed: 11, removes: 8) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 12, 3, dead: [2, 7, 8], name: "a"))
            let mean = net.add(GlobalPool(kind: .average), [a])
            let s = net.relu(conv(&net, mean, 12, 6, 1, dead: [4, 5], keepsBias: true, name: "fc1"))
            let gate = net.add(Unary(.sigmoid), [conv(&net, s, 6, 12, 1, name: "fc2")])
            let scaled = net.add(Binary(.mul), [a, gate])
            net.output(conv(&net, scaled, 12, 5, 1, name: "c"))
        }
    }

    func testFlattenAndProducts() throws {
        try check("pooled", seed: 12, removes: 7) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 12, 3, dead: [2, 7], name: "a"))
            let flat = net.add(Flatten(), [net.add(GlobalPool(kind: .average), [a])])
            let hidden = net.relu(product(&net, flat, 12, 10, dead: [0, 9, 4], unread: [5, 6], name: "hidden"))
            net.output(product(&net, hidden, 10, 4, name: "scores"))
        }
        try check("pixels", seed: 13, removes: 3) { net in
            let x = net.input([1, 4, 6, 5])
            let a = net.relu(conv(&net, x, 4, 6, 3, dead: [2, 4, 5], name: "a"))
            net.output(product(&net, net.reshape(a, [1, -1]), 180, 4, name: "scores"))
        }
        try check("mean over axes", seed: 14, removes: 3) { net in
            let x = net.input([1, 4, 6, 5])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 4, 5], name: "a"))
            let mean = net.add(Reduce(.mean, keepDims: false), [a, net.integers([2, 3])])
            net.output(net.add(MatMul(), [mean, net.constant([8, 3])], name: "scores"))
        }
        try check("transposed convolution", seed: 15, removes: 3) { net in
            let x = net.input([1, 4, 5, 5])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 4], name: "a"))
            let up = net.add(ConvTranspose(strides: [2, 2]), [a, net.constant([8, 6, 2, 2]), net.constant([6])], name: "up")
            net.output(conv(&net, up, 6, 3, 3, unread: [5], name: "b"))
        }
    }

    // MARK: Hard cases

    func testWholeLayersOfZerosKeepAChannel() throws {
        try check("all dead", seed: 16, removes: 14) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: Array(0..<8), name: "a"))
            let b = net.relu(conv(&net, a, 8, 8, 3, dead: Array(0..<8), keepsBias: true, name: "b"))
            net.output(conv(&net, b, 8, 3, 1, name: "c"))
        }
        try check("no input is read", seed: 17, removes: 7) { net in
            let x = net.input([1, 4, 6, 6])
            let a = conv(&net, x, 4, 8, 3, name: "a")
            net.output(conv(&net, a, 8, 3, 1, unread: Array(0..<8), name: "c"))
        }
        try check("a dead product", seed: 18, removes: 7) { net in
            let x = net.input([1, 4])
            let a = net.relu(product(&net, x, 4, 8, dead: Array(0..<8), name: "a"))
            net.output(product(&net, a, 8, 3, name: "b"))
        }
    }

    func testOutputsAndInputsStay() throws {
        try check("an output inside", seed: 19, removes: 1) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 1], unread: [2], name: "a"))
            let b = net.relu(conv(&net, a, 8, 8, 3, dead: [3], name: "b"))
            net.output(a)
            net.output(conv(&net, b, 8, 4, 3, dead: [1], name: "c"))
        }
    }

    func testSharedWeights() throws {
        try check("shared weights", seed: 20, removes: 5) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 1, dead: [0, 1], name: "a"))
            let b = net.relu(conv(&net, x, 4, 8, 1, dead: [5], name: "b"))
            var values = net.random.tensor([6, 8, 3, 3]).elements(as: Float.self)
            for i in 0..<72 { values[i] = 0 }
            let weights = net.constant(Tensor(values, shape: [6, 8, 3, 3]))
            let left = net.relu(net.add(Conv(padding: .explicit([1, 1, 1, 1])), [a, weights, nil], name: "left"))
            let right = net.relu(net.add(Conv(padding: .explicit([1, 1, 1, 1])), [b, weights, nil], name: "right"))
            net.output(conv(&net, net.add(Concat(axis: 1), [left, right]), 12, 4, 3, name: "c"))
        }
    }

    func testGroups() throws {
        // A group goes when all of its channels can; a group of which some channel is needed keeps all.
        try check("groups of two", seed: 21, removes: 4) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 8, 3, dead: [0, 1, 4], name: "a"))
            let b = net.relu(conv(&net, a, 8, 8, 3, groups: 4, keepsBias: true, bias: false, name: "grouped"))
            net.output(conv(&net, b, 8, 4, 1, name: "c"))
        }
        try check("multiplier of two", seed: 122, removes: 6) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 6, 1, dead: [1, 4], name: "a"))
            let b = net.relu(conv(&net, a, 6, 12, 3, groups: 6, name: "depthwise"))
            net.output(conv(&net, b, 12, 4, 1, name: "c"))
        }
    }

    func testBlockSparseLayersLoseWholeBlocksOfInputs() throws {
        try check("blocks", seed: 24, removes: 4) { net in
            let x = net.input([1, 4, 6, 6])
            let a = net.relu(conv(&net, x, 4, 32, 3, dead: [1, 8, 9, 10, 11, 30], name: "a"))
            var values = net.random.tensor([16, 32]).elements(as: Float.self)
            for block in 0..<128 where Float.random(in: 0..<1, using: &net.random) < 0.6 {
                for i in 0..<4 { values[block * 4 + i] = 0 }
            }
            net.output(net.add(Conv(), [a, net.constant(Tensor(values, shape: [16, 32, 1, 1])), net.constant([16])], name: "b"))
        }
    }

    func testBatchNormalizationBehindZeroFilters() throws {
        var net = NetworkBuilder(seed: 23)
        let x = net.input([1, 4, 6, 6])
        let a = conv(&net, x, 4, 8, 3, dead: [0, 6], bias: false, name: "a")
        let parameters = [net.constant([8], 0.5...1), net.constant([8]), net.constant([8]), net.constant([8], 0.5...1)]
        let normal = net.relu(net.add(BatchNormalization(), [a] + parameters))
        net.output(conv(&net, normal, 8, 5, 1, name: "b"))
        var graph = net.graph
        XCTAssertEqual(graph.inferShapes(), [])
        let removal = try compare(graph, isExact: false, seed: 23, "batch normalization")
        XCTAssertEqual(removal.layers, [
            .init(name: "a", inputs: 4, keptInputs: 4, outputs: 8, keptOutputs: 6),
            .init(name: "b", inputs: 8, keptInputs: 6, outputs: 5, keptOutputs: 5),
        ])
        XCTAssertEqual([removal.channels, removal.keptChannels], [13, 11])
        XCTAssertEqual([removal.parameters, removal.keptParameters], [8 * 4 * 9 + 8 + 5 * 8 + 5, 6 * 4 * 9 + 6 + 5 * 6 + 5])
        XCTAssertEqual([removal.operations, removal.keptOperations], [36 * (8 * 36 + 40), 36 * (6 * 36 + 30)])
    }

    /// A random network of every operator above, with random channels dead, biases and all.
    func testRandomNetworks() throws {
        for seed in UInt64(100)..<112 {
            var net = NetworkBuilder(seed: seed)
            var dice = TestRandom(seed: seed &* 77)
            func some(_ count: Int) -> [Int] { (0..<count).filter { _ in Int.random(in: 0..<4, using: &dice) == 0 } }
            let x = net.input([1, 4, 11, 9])
            var (value, count) = (conv(&net, x, 4, 12, 3, dead: some(12), keepsBias: Bool.random(using: &dice), name: "first"), 12)
            for layer in 0..<5 {
                let name = "layer\(layer)"
                switch Int.random(in: 0..<6, using: &dice) {
                case 0:
                    value = net.relu(conv(&net, value, count, count, 3, groups: count, dead: some(count), keepsBias: true, name: name))
                case 1:
                    let other = conv(&net, value, count, count, 3, dead: some(count), keepsBias: Bool.random(using: &dice), name: name)
                    value = net.add(Binary(.add), [value, net.relu(other)])
                case 2:
                    let other = net.add(Unary(.hardSwish), [conv(&net, value, count, 6, 1, dead: some(6), keepsBias: true, name: name)])
                    value = net.add(Concat(axis: 1), [other, value])
                    count += 6
                case 3:
                    let gate = net.add(Unary(.sigmoid), [conv(&net, net.add(GlobalPool(kind: .average), [value]), count, count, 1, dead: some(count), name: name)])
                    value = net.add(Binary(.mul), [value, gate])
                case 4:
                    value = net.add(Pool(kind: .max(storageOrder: 0), kernel: [3, 3], strides: [1, 1], padding: .explicit([1, 1, 1, 1])), [value])
                default:
                    value = net.clip(conv(&net, value, count, 10, 1, dead: some(10), unread: some(count), keepsBias: true, name: name), -1, 4)
                    count = 10
                }
            }
            net.output(conv(&net, value, count, 5, 1, name: "last"))
            var graph = net.graph
            XCTAssertEqual(graph.inferShapes(), [])
            _ = try compare(graph, isExact: false, seed: seed, "random \(seed), float32")
            for annotation in [Annotation(), Annotation(type: .uint8, sharesScales: false, fusesClamps: false)] {
                for rounding in [IntegerRounding.nearestEven, .tfLite] {
                    var quantized = withIntegerBiases(try annotation.apply(to: graph, seed: seed))
                    quantized.integerRounding = rounding
                    _ = try compare(quantized, isExact: true, seed: seed, "random \(seed), \(annotation.type), \(rounding)")
                }
            }
        }
    }

    // MARK: A shipped model

    func testCIFAR10WithDeadChannels() throws {
        let path = packageRoot.appendingPathComponent("models/cifar10/cifar10.onnx").path
        var graph = try ONNXImporter.load(path: path, options: ImportOptions())
        XCTAssertEqual(try ChannelsLastGraph.prepare(graph).removal.layers, [], "nothing to remove as it is shipped")
        var random = TestRandom(seed: 31)
        for node in graph.nodes where node.op is Conv {
            guard let w = node.inputs[1], let tensor = graph[w].constant, graph.nodes.filter({ $0.inputs.contains(w) }).count == 1 else { continue }
            let perFilter = tensor.count / tensor.shape[0]
            let dead = (0..<tensor.shape[0]).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            var values = tensor.elements(as: Float.self)
            for filter in dead { for i in 0..<perFilter { values[filter * perFilter + i] = 0 } }
            graph[w].constant = Tensor(values, shape: tensor.shape)
            if node.inputs.count > 2, let b = node.inputs[2], let bias = graph[b].constant {
                var offsets = bias.elements(as: Float.self)
                for filter in dead { offsets[filter] = 0 }
                graph[b].constant = Tensor(offsets, shape: bias.shape)
            }
        }
        let removal = try compare(graph, isExact: false, seed: 31, "cifar10, float32")
        XCTAssertGreaterThan(removal.channels - removal.keptChannels, 10, "\(removal.layers)")
        XCTAssertLessThan(removal.keptOperations, removal.operations)
        XCTAssertLessThan(removal.keptParameters, removal.parameters)
        var shaped = graph
        XCTAssertEqual(shaped.inferShapes(), [])
        let quantized = try Annotation().apply(to: shaped)
        let exact = try compare(quantized, isExact: true, seed: 32, "cifar10, int8")
        XCTAssertGreaterThan(exact.channels - exact.keptChannels, 10)
        // The compiled file proves itself against the scalar reference on every instruction set.
        let compilation = try Compiler.compile(quantized, options: CompileOptions())
        XCTAssertEqual(compilation.prepared.removal, exact)
        try verify(compilation, against: compilation.asSource, tolerance: Tolerance(steps: 3, differing: 1), "cifar10")
    }
}

extension Tensor {
    fileprivate var unsafeBytesCopy: [UInt8] { withExtendedLifetime(self) { Array(unsafeBytes) } }
}
