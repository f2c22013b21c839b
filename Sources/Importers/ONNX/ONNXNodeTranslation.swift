import Graph

/// Why a node has no translation.
enum TranslationError: Error {
    case problem(GraphProblem)
    /// It needs a fact about a value that follows from another problem, which is reported there.
    case followsFromAnother
}

/// One node while it is translated: its attributes and inputs, and where the nodes that replace it go.
final class ONNXNodeTranslation {
    typealias Rule = @Sendable (ONNXNodeTranslation) throws(TranslationError) -> Void

    private let builder: ONNXGraphBuilder
    private let proto: ONNXNode
    /// Unique in the graph.
    let name: String
    /// Absent ones are nil; there are no absent ones at the end.
    let inputs: [ValueID?]
    /// The values that the node's outputs have become, by name.
    private(set) var bound: [String: ValueID] = [:]
    private var unreadAttributes: [String: ONNXAttribute] = [:]

    init(_ builder: ONNXGraphBuilder, _ proto: ONNXNode, name: String, inputs: [ValueID?]) {
        (self.builder, self.proto, self.name, self.inputs) = (builder, proto, name, inputs)
        for attribute in proto.attributes { unreadAttributes[attribute.name] = attribute }
    }

    /// Applies the rule of the node's operator.
    func run() throws(TranslationError) {
        let domain = ONNXGraphBuilder.canonical(proto.domain)
        guard let rule = ONNXRules.rule(domain: domain, operatorType: proto.operatorType) else {
            throw .problem(unsupportedOperator(domain))
        }
        if domain.isEmpty && builder.opset(domain: "") == nil {
            throw refuse("domain", expected: "an operator set that the model imports", found: "\"ai.onnx\"")
        }
        try rule(self)
        for attribute in proto.attributes where unreadAttributes[attribute.name] != nil {
            builder.report(
                problem(
                    "attributes", expected: "those of \(proto.operatorType) in opset \(opset)",
                    found: attribute.name.isEmpty ? "one without a name" : attribute.name,
                    remedy: "Export the model again, or remove the attribute if it has no effect."))
        }
    }

    /// Version of the default domain's operator set; the newest when the model uses other domains only.
    var opset: Int { builder.opset(domain: "") ?? ONNXImporter.supportedOpsets.upperBound }

    var outputCount: Int { proto.outputs.count }

    /// Whether something may read the output at `index`.
    func hasOutput(_ index: Int) -> Bool { index < proto.outputs.count && !proto.outputs[index].isEmpty }

    // MARK: Problems

    func problem(_ subject: String, expected: String, found: String, remedy: String = "") -> GraphProblem {
        GraphProblem(
            nodeName: name, sourceOperator: proto.operatorType, subject: subject, expected: expected, found: found,
            remedy: remedy)
    }

    func refuse(_ subject: String, expected: String, found: String, remedy: String = "") -> TranslationError {
        .problem(problem(subject, expected: expected, found: found, remedy: remedy))
    }

    private func unsupportedOperator(_ domain: String) -> GraphProblem {
        let found =
            proto.operatorType.isEmpty
            ? "a node without an operator"
            : domain.isEmpty ? proto.operatorType : "\(proto.operatorType) of domain \"\(proto.domain)\""
        let remedy =
            builder.isModelFunction(domain: domain, name: proto.operatorType)
            ? "It is a function of the model itself: inline it with onnx.inliner.inline_local_functions(model)."
            : ONNXRules.remedy(domain: domain, operatorType: proto.operatorType)
        return problem("operator", expected: "one that Swiftlet has", found: found, remedy: remedy)
    }

    // MARK: Inputs

    /// The input at `index`, or nil when it is absent.
    func optionalInput(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }

    /// The input at `index`, called `label` in the operator's documentation.
    func input(_ index: Int, _ label: String) throws(TranslationError) -> ValueID {
        guard let id = optionalInput(index) else {
            throw refuse("input \(index) (\(label))", expected: "an input", found: "none")
        }
        return id
    }

    /// What is known about a value.
    func facts(_ id: ValueID) throws(TranslationError) -> InputFacts {
        if builder.isTainted(id) { throw .followsFromAnother }
        return builder.inference.facts(id)
    }

    /// The value's extents; `label` names it when they depend on data.
    func shape(_ id: ValueID, _ label: String) throws(TranslationError) -> [Int] {
        guard let shape = try facts(id).type.shape else {
            throw refuse(
                label, expected: "a shape known at conversion", found: "one that depends on data",
                remedy: "Export the model with fixed shapes.")
        }
        return shape
    }

    // MARK: Attributes

    private func attribute(_ name: String) -> ONNXAttribute.Value? { unreadAttributes.removeValue(forKey: name)?.value }

    private func mismatch(_ name: String, expected: String, _ value: ONNXAttribute.Value) -> TranslationError {
        refuse("attribute \(name)", expected: "type \(expected)", found: value.typeName)
    }

    func int(_ name: String) throws(TranslationError) -> Int? {
        guard let value = try rawInt(name) else { return nil }
        return try bounded(value, name)
    }

    /// An integer of any size.
    func rawInt(_ name: String) throws(TranslationError) -> Int64? {
        guard let value = attribute(name) else { return nil }
        guard case .int(let int) = value else { throw mismatch(name, expected: "INT", value) }
        return int
    }

    func int(_ name: String, default fallback: Int) throws(TranslationError) -> Int { try int(name) ?? fallback }

    func requiredInt(_ name: String) throws(TranslationError) -> Int {
        guard let value = try int(name) else {
            throw refuse("attribute \(name)", expected: "a value", found: "none")
        }
        return value
    }

    /// An attribute that is 0 or 1.
    func flag(_ name: String, default fallback: Bool = false) throws(TranslationError) -> Bool {
        guard let value = try int(name) else { return fallback }
        guard value == 0 || value == 1 else { throw refuse("attribute \(name)", expected: "0 or 1", found: "\(value)") }
        return value == 1
    }

    func float(_ name: String, default fallback: Float) throws(TranslationError) -> Float {
        guard let value = attribute(name) else { return fallback }
        guard case .float(let float) = value else { throw mismatch(name, expected: "FLOAT", value) }
        return float
    }

    func string(_ name: String, default fallback: String) throws(TranslationError) -> String {
        guard let value = attribute(name) else { return fallback }
        guard case .string(let string) = value else { throw mismatch(name, expected: "STRING", value) }
        return string
    }

    /// Integers that say extents, offsets or axes.
    func ints(_ name: String) throws(TranslationError) -> [Int]? {
        guard let values = try rawInts(name) else { return nil }
        var result: [Int] = []
        for value in values { result.append(try bounded(value, name)) }
        return result
    }

    /// Integers of any size.
    func rawInts(_ name: String) throws(TranslationError) -> [Int64]? {
        guard let value = attribute(name) else { return nil }
        guard case .ints(let ints) = value else { throw mismatch(name, expected: "INTS", value) }
        return ints
    }

    func floats(_ name: String) throws(TranslationError) -> [Float]? {
        guard let value = attribute(name) else { return nil }
        guard case .floats(let floats) = value else { throw mismatch(name, expected: "FLOATS", value) }
        return floats
    }

    func tensor(_ name: String) throws(TranslationError) -> Tensor? {
        guard let value = attribute(name) else { return nil }
        guard case .tensor(let tensor) = value else { throw mismatch(name, expected: "TENSOR", value) }
        do {
            return try builder.contents(of: tensor)
        } catch {
            throw refuse(
                "attribute \(name), " + error.subject, expected: error.expected, found: error.found,
                remedy: error.remedy)
        }
    }

    func graph(_ name: String) throws(TranslationError) -> ONNXGraph {
        guard let value = attribute(name) else { throw refuse("attribute \(name)", expected: "a graph", found: "none") }
        guard case .graph(let graph) = value else { throw mismatch(name, expected: "GRAPH", value) }
        return graph
    }

    /// An attribute whose strings stand for `choices`; the first is the default.
    func choice<Choice>(
        _ name: String, default fallback: String, _ choices: KeyValuePairs<String, Choice>
    ) throws(TranslationError) -> Choice {
        let found = try string(name, default: fallback)
        guard let choice = choices.first(where: { $0.key == found }) else {
            throw refuse(
                "attribute \(name)", expected: choices.map(\.key).filter { !$0.isEmpty }.joined(separator: " or "),
                found: found.isEmpty ? "an empty string" : found)
        }
        return choice.value
    }

    /// Takes note of an attribute that has no effect on the result of inference.
    func ignoreAttribute(_ name: String) { unreadAttributes[name] = nil }

    var attributeNames: [String] { proto.attributes.map(\.name) }

    func hasAttribute(_ name: String) -> Bool { unreadAttributes[name] != nil }

    private func bounded(_ value: Int64, _ name: String) throws(TranslationError) -> Int {
        guard (-1 << 30...1 << 30).contains(value) else {
            throw refuse("attribute \(name)", expected: "a number from -2^30 to 2^30", found: "\(value)")
        }
        return Int(value)
    }

    // MARK: Results

    /// A new constant.
    func constant(_ tensor: Tensor, _ suffix: String) -> ValueID {
        builder.addValue("\(name)/\(suffix)", tensor.elementType, tensor.shape, constant: tensor)
    }

    /// A one-dimensional int64 constant.
    func constant(_ integers: [Int], _ suffix: String) -> ValueID {
        constant(Tensor(integers.map(Int64.init), shape: [integers.count]), suffix)
    }

    /// A constant scalar of a floating-point or integer type.
    func constant(scalar: Float, _ type: ElementType, _ suffix: String) -> ValueID {
        constant(Tensor(scalar: scalar).converted(to: type), suffix)
    }

    /// Adds a helper node; returns its output.
    func add(_ op: any Operator, _ inputs: [ValueID?], _ suffix: String) throws(TranslationError) -> ValueID {
        let output = builder.addValue("\(name)/\(suffix)", .float32, nil)
        try append(
            Node(
                name: builder.uniqueNodeName("\(name)/\(suffix)"), op: op, inputs: inputs, outputs: [output],
                sourceOperator: proto.operatorType))
        return output
    }

    /// Adds the node that gives the outputs.
    func finish(_ op: any Operator, _ inputs: [ValueID?]) throws(TranslationError) {
        var outputs: [ValueID?] = []
        for output in proto.outputs {
            guard !output.isEmpty else {
                outputs.append(nil)
                continue
            }
            let id = builder.addValue(output, .float32, nil)
            bound[output] = id
            outputs.append(id)
        }
        while case nil? = outputs.last { outputs.removeLast() }
        if outputs.isEmpty { return }
        try append(Node(name: name, op: op, inputs: inputs, outputs: outputs, sourceOperator: proto.operatorType))
    }

    /// Adds the node that gives the outputs, on the inputs as they are.
    func finish(_ op: any Operator) throws(TranslationError) { try finish(op, inputs) }

    /// Lets the output at `index` be an existing value.
    func bind(_ index: Int, to id: ValueID) {
        if hasOutput(index) { bound[proto.outputs[index]] = id }
    }

    /// Lets the only output be a constant.
    func bindConstant(_ tensor: Tensor) {
        guard let output = proto.outputs.first, !output.isEmpty else { return }
        bound[output] = builder.addValue(output, tensor.elementType, tensor.shape, constant: tensor)
    }

    /// Translates a branch in place of this node; its outputs become the node's.
    func inline(_ branch: ONNXGraph) throws(TranslationError) {
        let results = try builder.inline(branch, into: self)
        guard results.count >= outputCount else {
            throw refuse("outputs of the branch", expected: "\(outputCount)", found: "\(results.count)")
        }
        for index in 0..<outputCount { bind(index, to: results[index]) }
    }

    private func append(_ node: Node) throws(TranslationError) {
        do {
            try builder.append(node)
        } catch {
            throw .problem(
                GraphProblem(
                    error,
                    at: Node(
                        name: name, op: node.op, inputs: node.inputs, outputs: node.outputs,
                        sourceOperator: proto.operatorType)))
        }
    }
}
