extension Graph {
    /// Shape inference: applies every node's shape rule in order and fills the types and shapes of its outputs,
    /// following small constant chains (Shape, Gather, Concat, Reshape). Returns the problems of all nodes rather than
    /// stopping at the first; the outputs of a node with a problem keep what the source model declares for them.
    public mutating func inferShapes() -> [GraphProblem] {
        var inference = ShapeInference(self)
        let problems = inference.run()
        self = inference.graph
        return problems
    }

    /// Infers shapes, then replaces every node whose outputs are known at conversion (all inputs constant, or Shape and
    /// Size of a known shape) by constants. A DequantizeLinear of constant integers becomes a constant with a
    /// quantization. Returns the problems met, each with its node, which then remains.
    public mutating func foldConstants() -> [GraphProblem] {
        var inference = ShapeInference(self, foldsConstants: true)
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

    /// Removes the values that are neither ports nor read or written by a node, and renumbers the others.
    public mutating func removeUnusedValues() {
        var isUsed = [Bool](repeating: false, count: values.count)
        for port in inputs + outputs { isUsed[port.value.index] = true }
        for node in nodes { for case let id? in node.inputs + node.outputs { isUsed[id.index] = true } }
        var renumbered = [ValueID](repeating: ValueID(-1), count: values.count)
        var kept: [Value] = []
        for index in values.indices where isUsed[index] {
            renumbered[index] = ValueID(kept.count)
            kept.append(values[index])
        }
        values = kept
        for index in inputs.indices { inputs[index].value = renumbered[inputs[index].value.index] }
        for index in outputs.indices { outputs[index].value = renumbered[outputs[index].value.index] }
        for index in nodes.indices {
            nodes[index].inputs = nodes[index].inputs.map { $0.map { renumbered[$0.index] } }
            nodes[index].outputs = nodes[index].outputs.map { $0.map { renumbered[$0.index] } }
        }
    }
}

/// Infers types and shapes node by node and remembers the small contents on which later shapes may depend. An importer
/// that appends nodes to `graph` visits each as soon as it is there.
public struct ShapeInference {
    /// Largest constant, in elements, that is evaluated only for the shapes that may depend on it.
    private static let smallCount = 4096
    /// Largest constant, in elements, that folding makes.
    private static let foldableCount = 1 << 26
    /// Most elements that a value may have: products of two extents stay far from overflow.
    public static let maximumCount = 1 << 31

    public var graph: Graph
    private let foldsConstants: Bool
    /// Contents that the walk found, by index of the value, as operators see them.
    private var evaluated: [Int: Tensor] = [:]
    /// Indices of the nodes whose outputs became constants.
    private(set) var folded: Set<Int> = []

    /// `foldsConstants`: whether outputs known at conversion are stored as constants of `graph`.
    public init(_ graph: Graph, foldsConstants: Bool = false) {
        self.graph = graph
        self.foldsConstants = foldsConstants
    }

    /// Visits all nodes in order; returns the problems met.
    mutating func run() -> [GraphProblem] {
        var problems: [GraphProblem] = []
        for index in graph.nodes.indices {
            do {
                try visit(index)
            } catch {
                problems.append(GraphProblem(error, at: graph.nodes[index]))
            }
        }
        return problems
    }

    /// Applies the shape rule of the node at `index`, whose inputs' producers have been visited.
    public mutating func visit(_ index: Int) throws(OperatorError) {
        let node = graph.nodes[index]
        var inputs: [InputFacts?] = []
        for input in node.inputs { inputs.append(input.map(facts)) }
        let types = try node.op.infer(inputs)
        if node.outputs.count > types.count {
            throw OperatorError(subject: "outputs", expected: "at most \(types.count)", found: "\(node.outputs.count)")
        }
        for case (let output?, let type) in zip(node.outputs, types) {
            try Self.requireCount(type, "output \"\(graph[output].name)\"")
            graph[output].elementType = type.elementType
            if type.shape != nil || graph[output].shape == nil { graph[output].shape = type.shape }
        }
        if try fold(node, types) { folded.insert(index) }
    }

    /// What is known of a value by now.
    public func facts(_ id: ValueID) -> InputFacts {
        InputFacts(type: TensorType(graph[id].elementType, graph[id].shape), constant: known(id))
    }

    /// The number of elements, or nil when an extent is negative or the product of those that are not 0 is more than
    /// `maximumCount`.
    public static func count(_ shape: [Int]) -> Int? {
        if shape.contains(where: { $0 < 0 }) { return nil }
        var count = 1
        for extent in shape where extent > 0 {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            if overflow || product > maximumCount { return nil }
            count = product
        }
        return shape.contains(0) ? 0 : count
    }

    /// Throws unless the shape, if known, has at most `maximumCount` elements.
    static func requireCount(_ type: TensorType, _ subject: String) throws(OperatorError) {
        if let shape = type.shape, count(shape) == nil {
            throw OperatorError(
                subject: subject, expected: "extents of at most 2^31 elements in all", found: "shape \(shape)")
        }
    }

    /// Contents known so far, as operators see them, without those of quantized constants.
    private func known(_ id: ValueID) -> Tensor? {
        evaluated[id.index] ?? (graph[id].quantization == nil ? graph[id].constant : nil)
    }

    /// Evaluates the node if its outputs are known at conversion; whether it did.
    private mutating func fold(_ node: Node, _ types: [TensorType]) throws(OperatorError) -> Bool {
        if foldsConstants, let annotated = quantizedConstant(node) {
            let output = node.outputs[0]!
            graph[output].quantization = annotated.quantization
            graph[output].constant = annotated.constant
            return true
        }
        let results: [Tensor]
        let extents = node.inputs.first?.flatMap { graph[$0].shape }
        if let extents, let op = node.op as? Shape {
            results = [op.extents(of: extents)]
        } else if let extents, let op = node.op as? Size {
            results = [op.count(of: extents)]
        } else if let inputs = foldableInputs(node, types) {
            results = try node.op.evaluate(inputs)
        } else {
            return false
        }
        for case (let output?, let result) in zip(node.outputs, results) {
            let quantization = graph[output].quantization
            evaluated[output.index] = quantization.map { $0.rounded(result) } ?? result
            graph[output].elementType = result.elementType
            graph[output].shape = result.shape
            if foldsConstants { graph[output].constant = quantization.map { $0.quantize(result) } ?? result }
        }
        return true
    }

    /// The inputs to evaluate `node` with, or nil when it can't or shouldn't be evaluated.
    private func foldableInputs(_ node: Node, _ types: [TensorType]) -> [Tensor?]? {
        let limit = foldsConstants ? Self.foldableCount : Self.smallCount
        if types.contains(where: { ($0.shape ?? []).reduce(1, *) > limit }) { return nil }
        var inputs: [Tensor?] = []
        for input in node.inputs {
            guard let input else {
                inputs.append(nil)
                continue
            }
            if let tensor = known(input) {
                inputs.append(tensor)
            } else if foldsConstants, let stored = graph[input].constant, let quantization = graph[input].quantization {
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
            let stored = known(input), let scaleID = node.inputs[1], let scale = known(scaleID),
            scale.elementType == .float32, let output = node.outputs[0], graph[output].quantization == nil,
            [.int8, .uint8, .int16, .int32].contains(stored.elementType)
        else { return nil }
        let scales = scale.elements(as: Float.self)
        guard !scales.isEmpty, scales.allSatisfy({ $0.isNormal && $0 > 0 }) else { return nil }
        var zeroPoints = [Int32](repeating: 0, count: scales.count)
        if node.inputs.count > 2, let id = node.inputs[2] {
            guard let tensor = known(id) else { return nil }
            zeroPoints = tensor.integers.map { Int32(truncatingIfNeeded: $0) }
        }
        let axis = op.axis < 0 ? op.axis + stored.shape.count : op.axis
        let quantization = Quantization(
            elementType: stored.elementType, scales: scales, zeroPoints: zeroPoints,
            axis: scales.count == 1 ? nil : axis)
        var value = graph[output]
        value.quantization = quantization
        value.constant = stored
        return value
    }
}
