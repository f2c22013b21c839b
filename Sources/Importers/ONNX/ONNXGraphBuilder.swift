import Graph

/// Turns one ONNX model into a graph, node by node, and collects all problems.
final class ONNXGraphBuilder {
    private let model: ONNXModel
    private let externalData: ONNXExternalData
    private let options: ImportOptions
    /// Version of the operator set by domain; "ai.onnx" is "".
    private var opsets: [String: Int] = [:]

    /// The graph so far, with the shapes and small constants that are known.
    private(set) var inference = ShapeInference(Graph())
    private var problems: [GraphProblem] = []
    /// Values that follow from a node with a problem: nothing is known about them, and nothing is reported twice.
    private var tainted: Set<ValueID> = []
    private var scopes: [Scope] = []
    private var valueNames: Set<String> = []
    private var nodeNames: Set<String> = []

    /// Names of the main graph, or of the branch of an If that is inlined.
    private struct Scope {
        var values: [String: ValueID] = [:]
        /// Initializers that no node has read yet.
        var initializers: [String: ONNXTensor] = [:]
    }

    init(_ model: ONNXModel, externalData: ONNXExternalData, options: ImportOptions) {
        (self.model, self.externalData, self.options) = (model, externalData, options)
    }

    func build() throws(GraphProblems) -> Graph {
        readOperatorSets()
        guard let proto = model.graph else {
            report(
                GraphProblem(
                    subject: "model", expected: "a graph", found: "none",
                    remedy: "The file is damaged or not ONNX: copy or export it again."))
            throw GraphProblems(problems)
        }
        guard problems.isEmpty else { throw GraphProblems(problems) }
        inference.graph.sourceDescription = sourceDescription
        scopes = [openScope(proto)]
        declareInputs(proto)
        for node in sorted(proto.nodes) { translate(node) }
        declareOutputs(proto)
        guard problems.isEmpty else { throw GraphProblems(problems) }

        var graph = inference.graph
        graph.removeDeadNodes()
        let foldingProblems = graph.foldConstants()
        guard foldingProblems.isEmpty else { throw GraphProblems(foldingProblems) }
        graph.removeDeadNodes()
        graph.removeUnusedValues()
        return graph
    }

    // MARK: Problems

    func report(_ problem: GraphProblem) { problems.append(problem) }

    func isTainted(_ id: ValueID) -> Bool { tainted.contains(id) }

    // MARK: Model

    private var sourceDescription: String {
        var text = "ONNX opset \(opset(domain: "") ?? 0)"
        if !model.producerName.isEmpty {
            text += ", " + ([model.producerName, model.producerVersion].filter { !$0.isEmpty }).joined(separator: " ")
        }
        return text
    }

    private func readOperatorSets() {
        let supported = ONNXImporter.supportedOpsets
        for set in model.operatorSets { opsets[Self.canonical(set.domain)] = Int(set.version) }
        guard let version = opsets[""] else {
            if opsets.isEmpty {
                report(
                    GraphProblem(
                        subject: "model", expected: "an operator set version", found: "none",
                        remedy: "The file is damaged or not ONNX: copy or export it again."))
            }
            return
        }
        if !supported.contains(version) {
            report(
                GraphProblem(
                    subject: "operator set", expected: "opset \(supported.lowerBound) to \(supported.upperBound)",
                    found: "opset \(version)",
                    remedy: version < supported.lowerBound
                        ? "Convert the model with onnx.version_converter.convert_version(model, 13)."
                        : "Export the model for opset \(supported.upperBound) or older."))
        }
    }

    /// The operator-set version that the model imports for a domain.
    func opset(domain: String) -> Int? { opsets[Self.canonical(domain)] }

    static func canonical(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

    /// Whether the model defines the operator itself.
    func isModelFunction(domain: String, name: String) -> Bool {
        model.functions.contains { Self.canonical($0.domain) == Self.canonical(domain) && $0.name == name }
    }

    private func openScope(_ proto: ONNXGraph) -> Scope {
        var scope = Scope()
        for tensor in proto.initializers { scope.initializers[tensor.name] = tensor }
        for name in proto.sparseInitializers {
            report(
                GraphProblem(
                    subject: "initializer \"\(name)\"", expected: "a dense tensor", found: "a sparse one",
                    remedy: "Save the weights as dense tensors; zeros are compressed at conversion."))
        }
        return scope
    }

    private func declareInputs(_ proto: ONNXGraph) {
        var declared: Set<String> = []
        // Files older than IR version 4 list initializers among the inputs.
        for input in proto.inputs where scopes[0].initializers[input.name] == nil {
            declared.insert(input.name)
            guard scopes[0].values[input.name] == nil else {
                report(
                    GraphProblem(
                        subject: "input \"\(input.name)\"", expected: "each name once", found: "it twice"))
                continue
            }
            do {
                let (type, shape) = try ONNXInputShape(input, override: options.inputShapes[input.name]).resolved()
                let id = addValue(input.name, type, shape)
                scopes[0].values[input.name] = id
                inference.graph.inputs.append(Port(name: input.name, value: id, elementType: type))
            } catch {
                report(error)
                let id = addValue(input.name, .float32, nil)
                tainted.insert(id)
                scopes[0].values[input.name] = id
            }
        }
        for name in options.inputShapes.keys.sorted() where !declared.contains(name) {
            report(
                GraphProblem(
                    subject: "--input-shape \(name)",
                    expected: "one of the inputs " + declared.sorted().map { "\"\($0)\"" }.joined(separator: ", "),
                    found: "\"\(name)\""))
        }
    }

    private func declareOutputs(_ proto: ONNXGraph) {
        if proto.outputs.isEmpty {
            report(GraphProblem(subject: "graph", expected: "an output", found: "none"))
        }
        for output in proto.outputs {
            guard let id = value(named: output.name) else {
                report(
                    GraphProblem(
                        subject: "output \"\(output.name)\"", expected: "a value that a node gives", found: "none"))
                continue
            }
            guard !tainted.contains(id) else { continue }
            let type = inference.graph[id].elementType
            inference.graph.outputs.append(Port(name: output.name, value: id, elementType: type))
        }
    }

    // MARK: Values

    /// Adds a value under `name`, or a name made from it when that is taken.
    func addValue(_ name: String, _ type: ElementType, _ shape: [Int]?, constant: Tensor? = nil) -> ValueID {
        inference.graph.addValue(
            Value(name: Self.unique(name, among: &valueNames), elementType: type, shape: shape, constant: constant))
    }

    /// `name`, or with a number when another node has it.
    func uniqueNodeName(_ name: String) -> String { Self.unique(name, among: &nodeNames) }

    /// `name`, or with a number when it is taken; taken from now on.
    private static func unique(_ name: String, among used: inout Set<String>) -> String {
        var candidate = name
        var suffix = 1
        while !used.insert(candidate).inserted {
            suffix += 1
            candidate = "\(name)_\(suffix)"
        }
        return candidate
    }

    /// The value that nodes of the innermost scope call `name`; initializers become constants on their first use.
    private func value(named name: String) -> ValueID? {
        for index in scopes.indices.reversed() {
            if let id = scopes[index].values[name] { return id }
            guard let tensor = scopes[index].initializers[name] else { continue }
            let id: ValueID
            do {
                let contents = try tensor.contents(externalData)
                id = addValue(name, contents.elementType, contents.shape, constant: contents)
            } catch {
                report(error)
                id = addValue(name, .float32, nil)
                tainted.insert(id)
            }
            scopes[index].values[name] = id
            return id
        }
        return nil
    }

    /// The contents of a tensor attribute.
    func contents(of tensor: ONNXTensor) throws(GraphProblem) -> Tensor { try tensor.contents(externalData) }

    // MARK: Nodes

    /// `nodes`, each after the producers of its inputs, otherwise in the given order. Nodes on a cycle come last.
    private func sorted(_ nodes: [ONNXNode]) -> [ONNXNode] {
        var producer: [String: Int] = [:]
        for (index, node) in nodes.enumerated() {
            for output in node.outputs where !output.isEmpty { producer[output] = index }
        }
        var pending = nodes.map { node in Set(node.readNames.compactMap { producer[$0] }) }
        if nodes.indices.allSatisfy({ index in pending[index].allSatisfy { $0 < index } }) { return nodes }
        var readers: [[Int]] = Array(repeating: [], count: nodes.count)
        for index in nodes.indices { for source in pending[index] { readers[source].append(index) } }
        var order: [Int] = []
        var ready = nodes.indices.filter { pending[$0].isEmpty }
        while !ready.isEmpty {
            var next: [Int] = []
            for index in ready {
                order.append(index)
                for reader in readers[index] {
                    pending[reader].remove(index)
                    if pending[reader].isEmpty { next.append(reader) }
                }
            }
            ready = next.sorted()
        }
        let placed = Set(order)
        return (order + nodes.indices.filter { !placed.contains($0) }).map { nodes[$0] }
    }

    /// Translates a node, or reports why not and taints its outputs.
    private func translate(_ proto: ONNXNode) {
        let firstOutput = proto.outputs.first { !$0.isEmpty } ?? ""
        let name = uniqueNodeName(
            !proto.name.isEmpty
                ? proto.name
                : !firstOutput.isEmpty
                    ? firstOutput + "/" + proto.operatorType
                    : proto.operatorType)
        var inputs: [ValueID?] = []
        var isComplete = true
        for (index, input) in proto.inputs.enumerated() {
            guard !input.isEmpty else {
                inputs.append(nil)
                continue
            }
            if let id = value(named: input) {
                inputs.append(id)
            } else {
                isComplete = false
                report(
                    GraphProblem(
                        nodeName: name, sourceOperator: proto.operatorType, subject: "input \(index)",
                        expected: "a value that a node, an initializer or a graph input gives", found: "\"\(input)\"",
                        remedy: "The graph has a cycle or was cut: export the model again."))
            }
        }
        while case nil? = inputs.last { inputs.removeLast() }
        let node = ONNXNodeTranslation(self, proto, name: name, inputs: inputs)
        if isComplete {
            do {
                try node.run()
            } catch {
                if case .problem(let problem) = error { report(problem) }
            }
        }
        for output in proto.outputs where !output.isEmpty {
            let id: ValueID
            if let bound = node.bound[output] {
                id = bound
            } else {
                id = addValue(output, .float32, nil)
                tainted.insert(id)
            }
            if scopes[scopes.count - 1].values.updateValue(id, forKey: output) != nil {
                report(
                    node.problem("output \"\(output)\"", expected: "a name that no other value has", found: "it twice"))
            }
        }
    }

    /// Appends a node and infers the types of its outputs; whether anything is known about them.
    func append(_ node: Node) throws(OperatorError) {
        inference.graph.nodes.append(node)
        if node.inputs.contains(where: { $0.map(tainted.contains) ?? false }) {
            for case let output? in node.outputs { tainted.insert(output) }
            return
        }
        do {
            try inference.visit(inference.graph.nodes.count - 1)
        } catch {
            for case let output? in node.outputs { tainted.insert(output) }
            throw error
        }
    }

    /// Translates the nodes of a subgraph without inputs; returns its outputs' values.
    func inline(_ proto: ONNXGraph, into node: ONNXNodeTranslation) throws(TranslationError) -> [ValueID] {
        scopes.append(openScope(proto))
        defer { scopes.removeLast() }
        for child in sorted(proto.nodes) { translate(child) }
        var results: [ValueID] = []
        for output in proto.outputs {
            guard let id = value(named: output.name) else {
                throw .problem(
                    node.problem("output \"\(output.name)\" of the branch", expected: "a value", found: "none"))
            }
            results.append(id)
        }
        return results
    }
}

extension ONNXNode {
    /// Names that the node reads, also inside its subgraphs.
    fileprivate var readNames: [String] {
        var names = inputs.filter { !$0.isEmpty }
        for attribute in attributes {
            guard case .graph(let graph) = attribute.value else { continue }
            names += graph.nodes.flatMap(\.readNames) + graph.outputs.map(\.name)
        }
        return names
    }
}
