extension Graph {
    /// Shape inference: applies every node's shape rule in order and fills the types and shapes of its outputs, following
    /// small constant chains (Shape, Gather, Concat, Reshape). Returns the problems of all nodes rather than stopping at
    /// the first; the outputs of a node with a problem keep what the source model declares for them.
    public mutating func inferShapes() -> [GraphProblem] {
        var inference = Inference(graph: self, foldsLargeConstants: false)
        let problems = inference.run()
        for index in values.indices {
            values[index].elementType = inference.graph.values[index].elementType
            values[index].shape = inference.graph.values[index].shape
        }
        return problems
    }

    /// Infers shapes, then replaces every node whose outputs are known at conversion (all inputs constant, or Shape and
    /// Size of a known shape) by constants. A DequantizeLinear of constant integers becomes a constant with a quantization.
    /// Returns the problems met, each with its node, which then remains.
    public mutating func foldConstants() -> [GraphProblem] {
        var inference = Inference(graph: self, foldsLargeConstants: true)
        let problems = inference.run()
        self = inference.graph
        let folded = inference.folded
        nodes = nodes.indices.filter { !folded.contains($0) }.map { nodes[$0] }
        return problems
    }

    /// Removes the nodes of which no graph output depends on any output. Values stay, so that identifiers do.
    public mutating func removeDeadNodes() {
        var live = [Bool](repeating: false, count: values.count)
        for port in outputs { live[port.value.index] = true }
        var kept: [Node] = []
        for node in nodes.reversed() where node.outputs.contains(where: { $0.map { live[$0.index] } ?? false }) {
            for case let input? in node.inputs { live[input.index] = true }
            kept.append(node)
        }
        nodes = kept.reversed()
    }
}

/// One walk over a graph that infers shapes and evaluates what is known.
private struct Inference {
    /// Largest constant, in elements, that is evaluated only for the shapes that may depend on it.
    private static let smallCount = 4096

    var graph: Graph
    let foldsLargeConstants: Bool
    /// Contents known so far, as operators see them, without those of quantized constants.
    private var known: [Tensor?]
    /// Indices of the nodes whose outputs became constants.
    private(set) var folded: Set<Int> = []

    init(graph: Graph, foldsLargeConstants: Bool) {
        self.graph = graph
        self.foldsLargeConstants = foldsLargeConstants
        known = graph.values.map { $0.quantization == nil ? $0.constant : nil }
    }

    mutating func run() -> [GraphProblem] {
        var problems: [GraphProblem] = []
        for index in graph.nodes.indices {
            let node = graph.nodes[index]
            do {
                let types = try node.op.infer(node.inputs.map { $0.map(facts) })
                try requireOutputs(of: node, count: types.count)
                for case (let output?, let type) in zip(node.outputs, types) {
                    graph[output].elementType = type.elementType
                    if type.shape != nil || graph[output].shape == nil { graph[output].shape = type.shape }
                }
                if try fold(node, types) { folded.insert(index) }
            } catch {
                problems.append(GraphProblem(error, at: node))
            }
        }
        return problems
    }

    private func facts(_ id: ValueID) -> InputFacts {
        InputFacts(type: TensorType(graph[id].elementType, graph[id].shape), constant: known[id.index])
    }

    private func requireOutputs(of node: Node, count: Int) throws(OperatorError) {
        if node.outputs.count > count {
            throw OperatorError(subject: "outputs", expected: "at most \(count)", found: "\(node.outputs.count)")
        }
    }

    /// Evaluates the node if its outputs are known at conversion; whether it did.
    private mutating func fold(_ node: Node, _ types: [TensorType]) throws(OperatorError) -> Bool {
        if foldsLargeConstants, let annotated = quantizedConstant(node) {
            let output = node.outputs[0]!
            graph[output].quantization = annotated.quantization
            graph[output].constant = annotated.constant
            return true
        }
        guard let inputs = foldableInputs(node, types) else { return false }
        let results = try node.op.evaluate(inputs)
        for case (let output?, let result) in zip(node.outputs, results) {
            let quantization = graph[output].quantization
            known[output.index] = quantization.map { $0.rounded(result) } ?? result
            graph[output].elementType = result.elementType
            graph[output].shape = result.shape
            graph[output].constant = quantization.map { $0.quantize(result) } ?? result
        }
        return true
    }

    /// The inputs to evaluate `node` with, or nil when it can't or shouldn't be evaluated.
    private func foldableInputs(_ node: Node, _ types: [TensorType]) -> [Tensor?]? {
        if node.op is Shape || node.op is Size {
            guard let input = node.inputs[0], let shape = graph[input].shape else { return nil }
            // Only the extents matter: any tensor of that shape would do, and bool is the smallest.
            return [known[input.index] ?? Tensor(zeros: .bool, shape: shape)]
        }
        if !foldsLargeConstants && types.contains(where: { ($0.shape ?? []).reduce(1, *) > Self.smallCount }) {
            return nil
        }
        var inputs: [Tensor?] = []
        for input in node.inputs {
            guard let input else {
                inputs.append(nil)
                continue
            }
            if let tensor = known[input.index] {
                inputs.append(tensor)
            } else if foldsLargeConstants, let stored = graph[input].constant, let quantization = graph[input].quantization {
                inputs.append(quantization.dequantize(stored))
            } else {
                return nil
            }
        }
        return inputs
    }

    /// For a DequantizeLinear of constant integers, the value with a quantization that says the same.
    private func quantizedConstant(_ node: Node) -> Value? {
        guard let op = node.op as? DequantizeLinear, op.blockSize == 0, let input = node.inputs[0],
            let stored = known[input.index], let scaleID = node.inputs[1], let scale = known[scaleID.index],
            scale.elementType == .float32, let output = node.outputs[0], graph[output].quantization == nil,
            [.int8, .uint8, .int16, .int32].contains(stored.elementType)
        else { return nil }
        let scales = scale.elements(as: Float.self)
        guard !scales.isEmpty, scales.allSatisfy({ $0.isNormal && $0 > 0 }) else { return nil }
        var zeroPoints = [Int32](repeating: 0, count: scales.count)
        if node.inputs.count > 2, let id = node.inputs[2] {
            guard let tensor = known[id.index] else { return nil }
            zeroPoints = tensor.integers.map { Int32(truncatingIfNeeded: $0) }
        }
        let axis = op.axis < 0 ? op.axis + stored.shape.count : op.axis
        let quantization = Quantization(
            elementType: stored.elementType, scales: scales, zeroPoints: zeroPoints, axis: scale.shape.isEmpty ? nil : axis)
        var value = graph[output]
        value.quantization = quantization
        value.constant = stored
        return value
    }
}
