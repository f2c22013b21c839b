import Graph

@testable import Compiler

/// A fixed-seed generator of test data (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform numbers of the range.
    mutating func tensor(_ shape: [Int], _ range: ClosedRange<Float> = -1...1) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &self) }, shape: shape)
    }
}

/// Builds small networks in the layout of ONNX (channels first), as an importer would.
struct NetworkBuilder {
    var graph = Graph()
    var random: TestRandom

    init(seed: UInt64) { random = TestRandom(seed: seed) }

    mutating func input(_ shape: [Int], name: String = "x", _ type: ElementType = .float32) -> ValueID {
        let id = graph.addValue(Value(name: name, elementType: type, shape: shape))
        graph.inputs.append(Port(name: name, value: id, elementType: type))
        return id
    }

    mutating func constant(_ tensor: Tensor, quantization: Quantization? = nil) -> ValueID {
        graph.addConstant(name: "c\(graph.values.count)", tensor, quantization: quantization)
    }

    mutating func constant(_ shape: [Int], _ range: ClosedRange<Float> = -1...1) -> ValueID {
        constant(random.tensor(shape, range))
    }

    mutating func scalar(_ value: Float) -> ValueID { constant(Tensor(scalar: value)) }

    mutating func integers(_ values: [Int]) -> ValueID {
        constant(Tensor(values.map(Int64.init), shape: [values.count]))
    }

    mutating func add(_ op: any Operator, _ inputs: [ValueID?], name: String? = nil, type: ElementType = .float32) -> ValueID {
        addAll(op, inputs, outputs: 1, name: name, type: type)[0]
    }

    mutating func addAll(
        _ op: any Operator, _ inputs: [ValueID?], outputs: Int, name: String? = nil, type: ElementType = .float32
    ) -> [ValueID] {
        let name = name ?? "\(op.name.lowercased())\(graph.nodes.count)"
        let results = (0..<outputs).map { index in
            graph.addValue(
                Value(name: outputs == 1 ? "\(name)_out" : "\(name)_out\(index)", elementType: type, shape: nil))
        }
        graph.nodes.append(Node(name: name, op: op, inputs: inputs, outputs: results, sourceOperator: op.name))
        return results
    }

    mutating func output(_ id: ValueID, name: String? = nil, _ type: ElementType = .float32) {
        graph.outputs.append(Port(name: name ?? "y\(graph.outputs.count)", value: id, elementType: type))
    }

    // MARK: Layers with weights

    mutating func conv(
        _ x: ValueID, _ channels: Int, _ outputs: Int, _ kernel: [Int] = [3, 3], strides: [Int] = [], dilations: [Int] = [],
        padding: Padding = .explicit([1, 1, 1, 1]), groups: Int = 1, bias: Bool = true, name: String? = nil
    ) -> ValueID {
        let weights = constant([outputs, channels / groups] + kernel)
        let offset = bias ? constant([outputs]) : nil
        return add(
            Conv(strides: strides, dilations: dilations, padding: padding, groups: groups), [x, weights, offset], name: name)
    }

    mutating func pointwise(_ x: ValueID, _ channels: Int, _ outputs: Int, name: String? = nil) -> ValueID {
        conv(x, channels, outputs, [1, 1], padding: .valid, name: name)
    }

    mutating func relu(_ x: ValueID) -> ValueID { add(Unary(.relu), [x]) }

    mutating func clip(_ x: ValueID, _ low: Float, _ high: Float) -> ValueID {
        let bounds = [scalar(low), scalar(high)]
        return add(Clip(), [x, bounds[0], bounds[1]])
    }

    mutating func reshape(_ x: ValueID, _ shape: [Int]) -> ValueID {
        let extents = integers(shape)
        return add(Reshape(), [x, extents])
    }
}

/// How a float network is given 8-bit integers for a test, as a quantized file of a framework would have them.
struct Annotation {
    /// int8, or uint8 as in the early TFLite files.
    var type = ElementType.int8
    /// Whether operators that only move elements give their input's scale to their output; else each value has its own.
    var sharesScales = true
    /// Whether a value between a product or sum and a clamp is without integers, as in files with fused activations.
    var fusesClamps = true
    /// Values that stay float, by name.
    var floats: Set<String> = []
    /// One uint8 scale and this zero point for all weights of a layer instead of symmetric int8 per channel.
    var weightZeroPoint: Int32?

    /// Annotates every float32 activation with the range that it has over a few random inputs.
    func apply(to source: Graph, seed: UInt64 = 77) throws -> Graph {
        var graph = source
        _ = graph.inferShapes()
        var random = TestRandom(seed: seed)
        var ranges: [ValueID: ClosedRange<Float>] = [:]
        let executor = try Executor(graph)
        for _ in 0..<3 {
            var inputs: [String: Tensor] = [:]
            for port in graph.inputs where port.elementType == .float32 {
                inputs[port.name] = random.tensor(graph[port.value].shape!)
            }
            _ = try executor.run(inputs) { id, tensor in
                guard tensor.elementType == .float32 else { return }
                for value in tensor.elements(as: Float.self) {
                    let range = ranges[id] ?? 0...0
                    ranges[id] = min(range.lowerBound, value)...max(range.upperBound, value)
                }
            }
        }
        let index = GraphIndex(graph)
        func quantization(_ range: ClosedRange<Float>) -> Quantization {
            var result = Quantization(activationRange: range)
            if type == .uint8 {
                result.elementType = .uint8
                result.zeroPoints = [result.zeroPoints[0] + 128]
            }
            return result
        }
        for port in graph.inputs where port.elementType == .float32 && !floats.contains(graph[port.value].name) {
            graph[port.value].quantization = quantization(ranges[port.value]!)
        }
        for node in graph.nodes {
            annotateWeights(node, &graph)
            for case let output? in node.outputs where graph[output].elementType == .float32 {
                if floats.contains(graph[output].name) { continue }
                if fusesClamps, let reader = index.soleConsumer(of: output), Self.isClamp(graph.nodes[reader].op),
                    Self.takesClamp(node.op)
                {
                    continue
                }
                if sharesScales, Self.movesElements(node.op), let input = node.inputs[0] {
                    graph[output].quantization = graph[input].quantization
                } else {
                    graph[output].quantization = quantization(ranges[output] ?? 0...1)
                }
            }
        }
        return graph
    }

    private func annotateWeights(_ node: Node, _ graph: inout Graph) {
        guard node.inputs.count > 1, let w = node.inputs[1], let tensor = graph[w].constant, graph[w].quantization == nil,
            tensor.elementType == .float32
        else { return }
        let axis: Int
        switch node.op {
        case is Conv: axis = 0
        case let op as ConvTranspose: axis = op.groups == 1 ? 1 : -1
        case let op as Gemm: axis = op.transB ? 0 : 1
        case is MatMul: axis = 1
        default: return
        }
        if let zeroPoint = weightZeroPoint {
            let values = tensor.elements(as: Float.self)
            let peak = max(values.map { abs($0) }.max() ?? 1, 1e-3)
            let scale = peak / Float(max(zeroPoint, 255 - zeroPoint))
            let quantization = Quantization(elementType: .uint8, scale: scale, zeroPoint: zeroPoint)
            graph[w].constant = quantization.quantize(tensor)
            graph[w].quantization = quantization
        } else {
            let result = quantizeWeights(tensor, axis: axis)
            graph[w].constant = result.tensor
            graph[w].quantization = result.quantization
        }
    }

    private static func isClamp(_ op: any Operator) -> Bool { (op as? Unary)?.function == .relu || op is Clip }

    private static func takesClamp(_ op: any Operator) -> Bool {
        op is Conv || op is ConvTranspose || op is Gemm || op is MatMul || (op as? Binary)?.function == .add
    }

    private static func movesElements(_ op: any Operator) -> Bool {
        switch op {
        case is Reshape, is Transpose, is Flatten, is Squeeze, is Unsqueeze, is Slice, is Split, is Pad, is DepthToSpace,
            is SpaceToDepth, is Identity, is Resize:
            true
        case let pool as Pool: if case .max = pool.kind { true } else { false }
        default: false
        }
    }
}
