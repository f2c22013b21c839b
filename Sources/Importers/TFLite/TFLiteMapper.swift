import Graph

/// Turns the operators of a TFLite model, one after the other, into nodes of a graph whose shapes are inferred as it
/// grows. What can't be mapped becomes a problem, and mapping goes on with what the file declares of the outputs.
final class TFLiteMapper {
    let model: TFLiteModel
    private(set) var inference = ShapeInference(Graph())
    private(set) var problems: [GraphProblem] = []
    /// The operator that is being mapped.
    private(set) var current: TFLiteOperator
    private(set) var currentName = ""
    private var valueOfTensor: [ValueID?]
    private var valueNames: Set<String> = []
    private var nodeNames: Set<String> = []
    private var layoutsOfConstants: [ConstantLayout: ValueID] = [:]
    private var scalars: [Float: ValueID] = [:]

    private struct ConstantLayout: Hashable {
        var source: ValueID
        var permutation: [Int]
        var shape: [Int]
    }

    init(_ model: TFLiteModel) {
        self.model = model
        valueOfTensor = [ValueID?](repeating: nil, count: model.tensors.count)
        current = Self.nothing
    }

    /// Stands for the operator while the graph's own inputs and outputs are looked at: problems then name no node.
    private static let nothing = TFLiteOperator(
        builtinCode: TFLiteOperator.custom, customCode: "", inputs: [], outputs: [], optionsType: 0)

    /// Maps the whole model; `problems` then holds all that was wrong. Without sound inputs nothing else is looked at:
    /// what would be found depends on their shapes.
    func map(_ options: ImportOptions) -> Graph {
        addInputs(options)
        if !problems.isEmpty { return inference.graph }
        for operation in model.operators {
            current = operation
            currentName = operation.outputs.first.map { model.tensors[$0].name } ?? ""
            do {
                try mapCurrent()
            } catch {
                problems.append(error)
                declareOutputs()
            }
        }
        (current, currentName) = (Self.nothing, "")
        addOutputs()
        var graph = inference.graph
        graph.sourceDescription = "TFLite schema \(model.version)"
        return graph
    }

    // MARK: Ports

    private func addInputs(_ options: ImportOptions) {
        let names = model.inputs.map { model.tensors[$0].name }
        for name in options.inputShapes.keys.sorted() where !names.contains(name) {
            problems.append(
                GraphProblem(
                    subject: "input shape for \"\(name)\"",
                    expected: "the name of a graph input: \(names.map { "\"\($0)\"" }.joined(separator: ", "))",
                    found: "\"\(name)\""))
        }
        for index in model.inputs where valueOfTensor[index] == nil {
            let tensor = model.tensors[index]
            do throws(GraphProblem) {
                let shape = try inputShape(tensor, options.inputShapes[tensor.name])
                let (elementType, quantization) = try type(of: index)
                let id = addValue(
                    Value(name: tensor.name, elementType: elementType, shape: shape, quantization: quantization))
                valueOfTensor[index] = id
                let port = Port(
                    name: inference.graph[id].name, value: id, elementType: quantization?.elementType ?? elementType)
                inference.graph.inputs.append(port)
            } catch {
                problems.append(error)
            }
        }
    }

    private func inputShape(_ tensor: TFLiteTensor, _ override: [Int]?) throws(GraphProblem) -> [Int] {
        if let override {
            guard override.count == tensor.shape.count, override.allSatisfy({ $0 > 0 }) else {
                throw GraphProblem(
                    subject: "input shape for \"\(tensor.name)\"",
                    expected: "\(tensor.shape.count) positive extents, as in \(tensor.shape)", found: "\(override)")
            }
            return override
        }
        var shape = tensor.shape
        if shape.first == -1 { shape[0] = 1 }
        guard shape.allSatisfy({ $0 > 0 }), ShapeInference.count(shape) != nil else {
            let extents = shape.map { $0 > 0 ? "\($0)" : "N" }.joined(separator: ",")
            throw GraphProblem(
                subject: "input \"\(tensor.name)\"", expected: "positive extents of at most 2^31 elements in all",
                found: "shape \(tensor.shape)", remedy: "Give the extents with --input-shape \(tensor.name)=\(extents)."
            )
        }
        return shape
    }

    private func addOutputs() {
        if model.outputs.isEmpty {
            problems.append(
                GraphProblem(subject: "outputs of the model", expected: "at least one tensor", found: "none"))
        }
        var portNames: Set<String> = []
        for index in model.outputs {
            let tensor = model.tensors[index]
            do throws(GraphProblem) {
                let id = try value(of: index, subject: "output \"\(tensor.name)\" of the model")
                let value = inference.graph[id]
                let port = Port(
                    name: unique(value.name, in: &portNames), value: id,
                    elementType: value.quantization?.elementType ?? value.elementType)
                inference.graph.outputs.append(port)
            } catch {
                problems.append(error)
            }
        }
    }

    // MARK: Tensors

    /// What operators see of a tensor, and how it is stored. Of the 32-bit and 64-bit integers only biases are
    /// quantized; `bias(_:)` takes care of them.
    func type(of index: Int) throws(GraphProblem) -> (elementType: ElementType, quantization: Quantization?) {
        let tensor = model.tensors[index]
        let subject = "tensor \"\(tensor.name)\""
        guard let elementType = tensor.type.elementType else {
            throw problem(
                subject, expected: "numbers or booleans of at most 64 bits",
                found: "elements of type \(tensor.type.name)",
                remedy: "Convert the model again without such tensors.")
        }
        if tensor.isSparse {
            throw problem(
                subject, expected: "a dense tensor", found: "TFLite's sparse encoding",
                remedy:
                    "Convert the model again without sparse tensors: zeros of a dense one are found by Swiftlet itself."
            )
        }
        if tensor.isVariable {
            throw problem(
                subject, expected: "a tensor without state", found: "a variable",
                remedy: "Convert the model again with its state as inputs and outputs.")
        }
        guard [.int8, .uint8, .int16].contains(elementType), !tensor.scales.isEmpty else { return (elementType, nil) }
        return (.float32, try tensor.quantization(storedAs: elementType, subject: subject, at: self))
    }

    /// The value that holds a tensor: given by an earlier operator or the caller, or a constant.
    func value(of index: Int, subject: String) throws(GraphProblem) -> ValueID {
        if let id = valueOfTensor[index] { return id }
        let tensor = model.tensors[index]
        guard tensor.contents != nil || tensor.shape.contains(0) else {
            throw problem(
                subject, expected: "a tensor that an earlier operator, a constant or the caller gives",
                found: "tensor \"\(tensor.name)\", which nothing gives")
        }
        let (_, quantization) = try type(of: index)
        let contents = try tensor.constant(in: model.file, at: self)
        let id = addConstant(tensor.name, contents, quantization: quantization)
        valueOfTensor[index] = id
        return id
    }

    /// A constant whose stored numbers stand for a bias, int32 with the scale given in the file or, where the file has
    /// none, with `defaultScales`, those of input times weights.
    func bias(_ position: Int, defaultScales: [Float]?) throws(GraphProblem) -> ValueID? {
        guard let index = optionalTensor(position) else { return nil }
        let tensor = model.tensors[index]
        let isInteger = tensor.type.elementType == .int32 || tensor.type.elementType == .int64
        guard isInteger, valueOfTensor[index] == nil, tensor.contents != nil else { return try input(position) }
        let subject = "input \(position) (bias \"\(tensor.name)\")"
        let stored = try tensor.constant(in: model.file, at: self).integers
        var narrowed: [Int32] = []
        for element in stored {
            guard let element = Int32(exactly: element) else {
                throw problem(subject, expected: "elements of at most 32 bits", found: "\(element)")
            }
            narrowed.append(element)
        }
        var quantized = tensor
        if quantized.scales.isEmpty {
            guard let defaultScales else {
                throw problem(subject, expected: "scales", found: "none, and none of the input or the weights")
            }
            quantized.scales = defaultScales
            quantized.zeroPoints = []
        }
        let quantization = try quantized.quantization(storedAs: .int32, subject: subject, at: self)
        let contents = Tensor(narrowed, shape: tensor.shape)
        let id = addConstant(tensor.name, contents, quantization: quantization)
        valueOfTensor[index] = id
        return id
    }

    private func addValue(_ value: Value) -> ValueID {
        var value = value
        value.name = unique(value.name, in: &valueNames)
        return inference.graph.addValue(value)
    }

    func addConstant(_ name: String, _ tensor: Tensor, quantization: Quantization? = nil) -> ValueID {
        inference.graph.addConstant(name: unique(name, in: &valueNames), tensor, quantization: quantization)
    }

    /// An int64 constant of one axis: what the graph's operators take for axes, shapes, starts and such.
    func integers(_ elements: [Int], _ name: String) -> ValueID {
        addConstant("\(currentName)/\(name)", Tensor(elements.map(Int64.init), shape: [elements.count]))
    }

    /// A float32 constant without axes.
    func scalar(_ value: Float) -> ValueID {
        if let id = scalars[value] { return id }
        let id = addConstant("constant \(value)", Tensor(scalar: value))
        scalars[value] = id
        return id
    }

    private func unique(_ name: String, in names: inout Set<String>) -> String {
        let name = name.isEmpty ? "tensor" : name
        var candidate = name
        var suffix = 2
        while !names.insert(candidate).inserted {
            candidate = "\(name)#\(suffix)"
            suffix += 1
        }
        return candidate
    }

    // MARK: Inputs of the current operator

    private func optionalTensor(_ position: Int) -> Int? {
        guard current.inputs.indices.contains(position), current.inputs[position] >= 0 else { return nil }
        return current.inputs[position]
    }

    func input(_ position: Int) throws(GraphProblem) -> ValueID {
        guard let index = optionalTensor(position) else {
            throw problem("input \(position)", expected: "a tensor", found: "none")
        }
        return try value(of: index, subject: "input \(position)")
    }

    func optionalInput(_ position: Int) throws(GraphProblem) -> ValueID? {
        optionalTensor(position) == nil ? nil : try input(position)
    }

    func allInputs() throws(GraphProblem) -> [ValueID] {
        var result: [ValueID] = []
        for position in current.inputs.indices { result.append(try input(position)) }
        return result
    }

    func facts(_ id: ValueID) -> InputFacts { inference.facts(id) }

    func quantization(_ id: ValueID) -> Quantization? { inference.graph[id].quantization }

    func constant(_ id: ValueID) -> Tensor? { inference.graph[id].constant }

    /// The extents of an input; all must be known.
    func shape(_ id: ValueID, _ position: Int) throws(GraphProblem) -> [Int] {
        guard let shape = facts(id).type.shape else {
            throw problem(
                "input \(position)", expected: "a shape that is known at conversion", found: "one that depends on data")
        }
        return shape
    }

    /// Like `shape`, with a rank.
    func shape(_ id: ValueID, _ position: Int, rank: Int) throws(GraphProblem) -> [Int] {
        let shape = try shape(id, position)
        guard shape.count == rank else {
            throw problem("input \(position)", expected: "a tensor of \(rank) axes", found: "shape \(shape)")
        }
        return shape
    }

    /// The integers of an input whose contents must be known at conversion, kept within ±2^48.
    func integers(_ position: Int, _ what: String) throws(GraphProblem) -> [Int] {
        let id = try input(position)
        guard let tensor = facts(id).constant, !tensor.elementType.isFloatingPoint else {
            throw problem(
                "input \(position) (\(what))", expected: "integers that are known at conversion",
                found: facts(id).constant.map { "\($0.elementType)" } ?? "values that depend on data",
                remedy: "Convert the model again with fixed shapes.")
        }
        return tensor.integers.map { min(max($0, -(1 << 48)), 1 << 48) }
    }

    /// Like `integers` for a single one.
    func integer(_ position: Int, _ what: String) throws(GraphProblem) -> Int {
        let elements = try integers(position, what)
        guard elements.count == 1 else {
            throw problem("input \(position) (\(what))", expected: "one integer", found: "\(elements.count)")
        }
        return elements[0]
    }

    /// An input as int64 of one axis: a constant, or a node that converts.
    func asInt64(_ position: Int, _ what: String) throws(GraphProblem) -> ValueID {
        let id = try input(position)
        if let tensor = facts(id).constant, !tensor.elementType.isFloatingPoint {
            return integers(tensor.integers, what)
        }
        if facts(id).type.elementType == .int64 { return id }
        return try emit(Cast(to: .int64), [id], what)
    }

    /// `axis` from 0, for a tensor of `rank` axes.
    func normalized(_ axis: Int, rank: Int, _ what: String) throws(GraphProblem) -> Int {
        guard (-rank..<max(rank, 1)).contains(axis) else {
            throw problem(what, expected: "an axis of \(rank)", found: "\(axis)")
        }
        return axis < 0 ? axis + rank : axis
    }

    // MARK: Outputs of the current operator

    /// Adds a node whose output is the current operator's output `position`; the declared type is made by a Cast where
    /// the operator gives another integer type.
    func emit(_ op: any Operator, _ inputs: [ValueID?], output position: Int = 0) throws(GraphProblem) {
        let index = try output(position)
        let (elementType, quantization) = try type(of: index)
        let tensor = model.tensors[index]
        let id = addValue(Value(name: tensor.name, elementType: elementType, shape: nil, quantization: quantization))
        try append(op, inputs, [id], name: tensor.name)
        let inferred = inference.graph[id].elementType
        if inferred == elementType {
            valueOfTensor[index] = id
            return
        }
        guard quantization == nil, !inferred.isFloatingPoint, !elementType.isFloatingPoint else {
            throw problem("output \(position)", expected: "elements of type \(inferred)", found: tensor.type.name)
        }
        let cast = addValue(Value(name: "\(tensor.name)/cast", elementType: elementType, shape: nil))
        try append(Cast(to: elementType), [id], [cast], name: "\(tensor.name)/cast")
        valueOfTensor[index] = cast
    }

    /// Adds a node whose outputs are all of the current operator's.
    func emitAll(_ op: any Operator, _ inputs: [ValueID?]) throws(GraphProblem) {
        var ids: [ValueID?] = []
        for index in current.outputs {
            let (elementType, quantization) = try type(of: index)
            let name = model.tensors[index].name
            let id = addValue(Value(name: name, elementType: elementType, shape: nil, quantization: quantization))
            valueOfTensor[index] = id
            ids.append(id)
        }
        try append(op, inputs, ids, name: currentName)
    }

    /// Adds a node on the way to the current operator's output.
    func emit(
        _ op: any Operator, _ inputs: [ValueID?], _ suffix: String, quantization: Quantization? = nil
    ) throws(GraphProblem) -> ValueID {
        try emit(op, inputs, suffix, count: 1, quantization: quantization)[0]
    }

    /// Adds a node of `count` outputs on the way to the current operator's output.
    func emit(
        _ op: any Operator, _ inputs: [ValueID?], _ suffix: String, count: Int, quantization: Quantization? = nil
    ) throws(GraphProblem) -> [ValueID] {
        let name = "\(currentName)/\(suffix)"
        let ids = (0..<count).map { _ in
            addValue(Value(name: name, elementType: .float32, shape: nil, quantization: quantization))
        }
        try append(op, inputs, ids, name: name)
        return ids
    }

    private func append(
        _ op: any Operator, _ inputs: [ValueID?], _ outputs: [ValueID?], name: String
    ) throws(GraphProblem) {
        let node = Node(
            name: unique(name, in: &nodeNames), op: op, inputs: inputs, outputs: outputs, sourceOperator: current.name)
        inference.graph.nodes.append(node)
        do {
            try inference.visit(inference.graph.nodes.count - 1)
        } catch {
            inference.graph.nodes.removeLast()
            throw GraphProblem(error, at: node)
        }
    }

    /// Lets the current operator's output be a value that is there already.
    func alias(_ id: ValueID) throws(GraphProblem) { valueOfTensor[try output(0)] = id }

    func output(_ position: Int) throws(GraphProblem) -> Int {
        guard current.outputs.indices.contains(position) else {
            throw problem("output \(position)", expected: "a tensor", found: "none")
        }
        return current.outputs[position]
    }

    /// Gives the outputs of an operator that can't be mapped the declared types and shapes, so that what follows is
    /// checked all the same.
    private func declareOutputs() {
        for index in current.outputs {
            let tensor = model.tensors[index]
            let isUsable = !tensor.shape.contains { $0 < 0 } && ShapeInference.count(tensor.shape) != nil
            let stored = tensor.type.elementType ?? .float32
            let isQuantized = [.int8, .uint8, .int16].contains(stored) && !tensor.scales.isEmpty
            valueOfTensor[index] = addValue(
                Value(
                    name: tensor.name, elementType: isQuantized ? .float32 : stored,
                    shape: isUsable ? tensor.shape : nil))
        }
    }

    // MARK: Constants in another order

    /// A constant with its axes permuted and then seen under another shape of as many elements, `shape` (nil: as it
    /// is); or nodes that do so. The axis of a quantization is `axis` of the result.
    func rearranged(
        _ id: ValueID, permutation: [Int], shape: [Int]? = nil, quantizedAxis axis: Int
    ) throws(GraphProblem) -> ValueID {
        let key = ConstantLayout(source: id, permutation: permutation, shape: shape ?? [])
        if let known = layoutsOfConstants[key] { return known }
        let value = inference.graph[id]
        guard let contents = value.constant else {
            let transposed = try emit(
                Transpose(permutation: permutation), [id], "transposed", quantization: value.quantization)
            guard let shape else { return transposed }
            let extents = integers(shape, "shape")
            return try emit(
                Reshape(allowZero: true), [transposed, extents], "reshaped", quantization: value.quantization)
        }
        var result: Tensor
        do {
            result = try Transpose(permutation: permutation).evaluate([contents])[0]
        } catch {
            throw problem(error.subject, expected: error.expected, found: error.found)
        }
        if let shape { result = result.reshaped(shape) }
        var quantization = value.quantization
        if quantization?.axis != nil { quantization?.axis = axis }
        let rearranged = addConstant(value.name, result, quantization: quantization)
        layoutsOfConstants[key] = rearranged
        return rearranged
    }

    // MARK: Problems

    /// A problem of the current operator.
    func problem(_ subject: String, expected: String, found: String, remedy: String = "") -> GraphProblem {
        GraphProblem(
            nodeName: currentName, sourceOperator: current.name, subject: subject, expected: expected, found: found,
            remedy: remedy)
    }
}
