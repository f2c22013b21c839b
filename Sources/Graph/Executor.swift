/// Why a graph can't be executed, or not on the given inputs.
public enum ExecutorError: Error, Sendable, CustomStringConvertible {
    /// Problems of nodes that are known before anything runs.
    case invalidGraph(GraphProblems)
    /// `run` was not given this graph input.
    case missingInput(name: String, expected: String)
    /// `run` was given a tensor that no graph input is named for.
    case unknownInput(name: String, known: [String])
    /// A graph input of another type or shape.
    case wrongInput(name: String, expected: String, found: String)
    /// A node failed on the data it met.
    case failedNode(GraphProblem)

    public var description: String {
        switch self {
        case .invalidGraph(let problems): "the graph can't be executed: \(problems)"
        case .missingInput(let name, let expected): "input \"\(name)\": expected \(expected), found nothing"
        case .unknownInput(let name, let known):
            "input \"\(name)\": expected one of \(known.map { "\"\($0)\"" }.joined(separator: ", ")), found this name"
        case .wrongInput(let name, let expected, let found): "input \"\(name)\": expected \(expected), found \(found)"
        case .failedNode(let problem): problem.description
        }
    }
}

/// Runs a graph on the workstation in real numbers.
///
/// A value with a quantization holds, after every write, only what its integers can say: it is quantized (nearest even,
/// saturating) and dequantized again. So an annotated graph is a simulation of the integer model, and a graph without
/// annotations is the float model.
public struct Executor: Sendable {
    public let graph: Graph
    /// What operators see of constants, by value; quantized ones dequantized once.
    private let constants: [Tensor?]
    /// For each node, the values whose last reader it is.
    private let lastUses: [[ValueID]]

    /// Checks that every node can be applied, as far as that is known before inputs are.
    public init(_ graph: Graph) throws(ExecutorError) {
        var graph = graph
        var problems = Self.structuralProblems(graph)
        if problems.isEmpty { problems = graph.inferShapes() }
        if !problems.isEmpty { throw .invalidGraph(GraphProblems(problems)) }
        self.graph = graph
        constants = graph.values.map { value in
            value.constant.map { value.quantization?.dequantize($0) ?? $0 }
        }
        lastUses = Self.lastUses(graph)
    }

    /// Runs the graph. `inputs` are given by port name in the port's element type (stored integers where that is an
    /// integer type and the value has a quantization, for which float32 real numbers are taken as well); the result
    /// holds the outputs likewise, by port name. `observe` sees graph inputs and every node output in real numbers,
    /// after quantization.
    public func run(
        _ inputs: [String: Tensor], observe: ((ValueID, Tensor) -> Void)? = nil
    ) throws(ExecutorError) -> [String: Tensor] {
        var values = constants
        for name in inputs.keys.sorted() where !graph.inputs.contains(where: { $0.name == name }) {
            throw .unknownInput(name: name, known: graph.inputs.map(\.name))
        }
        for port in graph.inputs {
            let real = try read(port, from: inputs)
            values[port.value.index] = real
            observe?(port.value, real)
        }
        for (index, node) in graph.nodes.enumerated() {
            do {
                let arguments = node.inputs.map { $0.flatMap { values[$0.index] } }
                for type in try node.op.infer(arguments.map { $0.map(InputFacts.init(contents:)) }) {
                    try ShapeInference.requireCount(type, "output")
                }
                let results = try node.op.evaluate(arguments)
                for case (let output?, let result) in zip(node.outputs, results) {
                    let stored = graph[output].quantization.map { $0.rounded(result) } ?? result
                    values[output.index] = stored
                    observe?(output, stored)
                }
            } catch {
                throw .failedNode(GraphProblem(error, at: node))
            }
            for id in lastUses[index] { values[id.index] = nil }
        }
        var outputs: [String: Tensor] = [:]
        for port in graph.outputs { outputs[port.name] = write(port, values[port.value.index]!) }
        return outputs
    }

    /// The tensor given for a port as operators see it.
    private func read(_ port: Port, from inputs: [String: Tensor]) throws(ExecutorError) -> Tensor {
        let value = graph[port.value]
        let shape = value.shape.map { "shape \($0)" } ?? "any shape"
        guard let tensor = inputs[port.name] else {
            throw .missingInput(name: port.name, expected: "\(port.elementType), \(shape)")
        }
        let isReal = value.quantization != nil && tensor.elementType == .float32
        guard tensor.elementType == port.elementType || isReal, value.shape == nil || tensor.shape == value.shape else {
            throw .wrongInput(
                name: port.name, expected: "\(port.elementType), \(shape)",
                found: "\(tensor.elementType), shape \(tensor.shape)")
        }
        guard let quantization = value.quantization else { return tensor.converted(to: value.elementType) }
        return isReal ? quantization.rounded(tensor) : quantization.dequantize(tensor)
    }

    /// What a port gives for the value that operators see.
    private func write(_ port: Port, _ value: Tensor) -> Tensor {
        if let quantization = graph[port.value].quantization, quantization.elementType == port.elementType {
            return quantization.quantize(value)
        }
        return value.converted(to: port.elementType)
    }

    private static func lastUses(_ graph: Graph) -> [[ValueID]] {
        var result = [[ValueID]](repeating: [], count: graph.nodes.count)
        var seen = Set(graph.outputs.map(\.value))
        for (index, node) in graph.nodes.enumerated().reversed() {
            for case let id? in node.inputs + node.outputs where seen.insert(id).inserted { result[index].append(id) }
        }
        return result
    }

    /// Values that are read before they are written, and ports whose element type their value can't give.
    private static func structuralProblems(_ graph: Graph) -> [GraphProblem] {
        var problems: [GraphProblem] = []
        var isWritten = graph.values.map { $0.constant != nil }
        for port in graph.inputs { isWritten[port.value.index] = true }
        for (kind, ports) in [("input", graph.inputs), ("output", graph.outputs)] {
            for port in ports {
                guard let stored = graph[port.value].quantization?.elementType, port.elementType != .float32,
                    port.elementType != stored
                else { continue }
                problems.append(
                    GraphProblem(
                        subject: "\(kind) \"\(port.name)\"", expected: "\(stored) or float32",
                        found: "\(port.elementType)"))
            }
        }
        for node in graph.nodes {
            for (position, input) in node.inputs.enumerated() {
                guard let input, !isWritten[input.index] else { continue }
                problems.append(
                    GraphProblem(
                        nodeName: node.name, sourceOperator: node.sourceOperator, subject: "input \(position)",
                        expected: "a value that an earlier node, a constant or a graph input gives",
                        found: "\"\(graph[input].name)\""))
            }
            for case let output? in node.outputs { isWritten[output.index] = true }
        }
        for port in graph.outputs where !isWritten[port.value.index] {
            problems.append(
                GraphProblem(
                    subject: "output \"\(port.name)\"", expected: "a value that a node gives",
                    found: "\"\(graph[port.value].name)\""))
        }
        return problems
    }
}
