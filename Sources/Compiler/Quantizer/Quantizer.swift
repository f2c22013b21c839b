import Graph

/// Progress of long work: a share from 0 to 1 and what is being done.
public typealias ProgressHandler = (_ share: Double, _ stage: String) -> Void

/// Post-training quantization of a float graph: int8 weights per output channel, int8 activations per tensor with ranges
/// from calibration pictures.
public struct Quantizer {
    public struct Options: Sendable {
        /// Source names of layers that must stay float.
        public var keepFloat: Set<String>
        /// Fixes the method; nil chooses the best for each tensor by the output error on the calibration pictures.
        public var method: RangeMethod?
        /// Calibration pictures on which candidates are compared.
        public var comparedPictures: Int
        /// Tensors whose method is chosen one by one (those on which the methods differ most).
        public var refinedTensors: Int

        public init(
            keepFloat: Set<String> = [], method: RangeMethod? = nil, comparedPictures: Int = 4, refinedTensors: Int = 12
        ) {
            (self.keepFloat, self.method) = (keepFloat, method)
            (self.comparedPictures, self.refinedTensors) = (comparedPictures, refinedTensors)
        }
    }

    /// What was chosen, for provenance and reports.
    public struct Outcome: Sendable {
        public var graph: Graph
        /// The method that was best for all tensors together.
        public var baseMethod: RangeMethod
        /// Tensors that got another one, by name.
        public var refined: [(tensor: String, method: RangeMethod)]
        /// Signal to quantization noise of the outputs on the compared pictures, in dB, worst output.
        public var outputSQNR: Double
    }

    /// Elements that all refinement together may touch: about a minute of work.
    static let refinementBudget = 400_000_000

    private let graph: Graph
    private let index: GraphIndex
    private let options: Options
    private var groups: [Int]
    private var isQuantized: [Bool]

    /// - Parameter graph: channels last, folded, composed; float.
    public init(_ graph: Graph, options: Options) {
        self.graph = graph
        index = GraphIndex(graph)
        var options = options
        options.keepFloat = Self.wholeLayers(options.keepFloat, graph, index)
        self.options = options
        groups = Array(graph.values.indices)
        isQuantized = [Bool](repeating: false, count: graph.values.count)
        chooseValues()
    }

    // MARK: Which values get integers

    /// The names with those of the nodes that are one step with them on the device: what leads from a convolution or
    /// product through sums and functions to a named node, and the clamp behind a named one. So a layer may be named by
    /// any of its nodes.
    private static func wholeLayers(_ names: Set<String>, _ graph: Graph, _ index: GraphIndex) -> Set<String> {
        var names = names
        for node in graph.nodes.reversed() where names.contains(node.name) {
            switch node.op {
            case is Unary, is UnaryComposite, is Clip, is Binary:
                for case let input? in node.inputs {
                    if let producer = index.producer[input], index.soleConsumer(of: input) != nil,
                        isProduct(graph.nodes[producer].op) || graph.nodes[producer].op is Binary
                    {
                        names.insert(graph.nodes[producer].name)
                    }
                }
            default: break
            }
        }
        for node in graph.nodes where names.contains(node.name) && isProduct(node.op) {
            if let output = node.outputs[0], let reader = index.soleConsumer(of: output) {
                let next = graph.nodes[reader]
                if next.op is Clip || (next.op as? Unary)?.function == .relu { names.insert(next.name) }
            }
        }
        return names
    }

    private mutating func chooseValues() {
        let feedsProduct = nodesAheadOfProducts()
        var isFloatTail = Set<ValueID>()
        var runsInteger = [Bool](repeating: false, count: graph.nodes.count)
        for (position, node) in graph.nodes.enumerated() {
            let isTail = !feedsProduct.contains(position)
            let inputs = node.inputs.compactMap { $0 }.filter { graph[$0].constant == nil }
            let readsFloatTail = inputs.contains { isFloatTail.contains($0) }
            var integer = Self.hasIntegerForm(node.op, graph, node) && !options.keepFloat.contains(node.name)
            let staysFloat: Bool
            if isTail {
                switch node.op {
                case is Conv, is ConvTranspose, is Gemm, is MatMul: staysFloat = false
                case is Unary, is UnaryComposite: staysFloat = !isFusableClamp(node)
                case is Clip: staysFloat = false
                case is Binary, is Variadic, is Softmax, is Concat: staysFloat = true
                default: staysFloat = readsFloatTail
                }
            } else {
                staysFloat = false
            }
            if staysFloat || (isTail && readsFloatTail && !Self.isProduct(node.op)) {
                for case let output? in node.outputs { isFloatTail.insert(output) }
                integer = false
            }
            runsInteger[position] = integer
        }
        for (position, node) in graph.nodes.enumerated() where runsInteger[position] {
            for case let id? in node.inputs + node.outputs where isActivation(id) { isQuantized[id.index] = true }
        }
        // A table reads integers although its own result stays float.
        for (position, node) in graph.nodes.enumerated() where !runsInteger[position] && (node.op is Unary || node.op is UnaryComposite) {
            if options.keepFloat.contains(node.name) { continue }
            if let input = node.inputs[0], let producer = index.producer[input], runsInteger[producer] {
                isQuantized[input.index] = isActivation(input)
            }
        }
        // What lies between a convolution or sum and the clamp fused behind it is never stored.
        for (position, node) in graph.nodes.enumerated() where runsInteger[position] && isFusableClamp(node) {
            if let input = node.inputs[0], let producer = index.producer[input],
                index.soleConsumer(of: input) == position, runsInteger[producer], Self.fusesClamp(graph.nodes[producer].op)
            {
                isQuantized[input.index] = false
            }
        }
        for (position, node) in graph.nodes.enumerated() where runsInteger[position] && Self.keepsCodes(node.op) {
            let members = (node.inputs + node.outputs).compactMap { $0 }.filter { isQuantized[$0.index] }
            if let first = members.first { for other in members.dropFirst() { unite(first, other) } }
        }
    }

    private func isActivation(_ id: ValueID) -> Bool {
        graph[id].constant == nil && graph[id].elementType == .float32 && graph[id].quantization == nil
    }

    private static func isProduct(_ op: any Operator) -> Bool {
        op is Conv || op is ConvTranspose || op is Gemm || op is MatMul
    }

    private static func fusesClamp(_ op: any Operator) -> Bool {
        if let binary = op as? Binary { return [.add, .sub, .mul].contains(binary.function) }
        return isProduct(op)
    }

    private func isFusableClamp(_ node: Node) -> Bool {
        switch node.op {
        case let op as Unary: op.function == .relu
        case is Clip: node.inputs.dropFirst().allSatisfy { $0 == nil || graph[$0!].constant != nil }
        default: false
        }
    }

    /// Nodes from which a convolution or matrix product can be reached.
    private func nodesAheadOfProducts() -> Set<Int> {
        var ahead: Set<Int> = []
        for position in graph.nodes.indices.reversed() {
            let node = graph.nodes[position]
            let leads = node.outputs.contains { id in
                id.map { (index.consumers[$0] ?? []).contains { ahead.contains($0) } } ?? false
            }
            if leads || Self.isProduct(node.op) { ahead.insert(position) }
        }
        return ahead
    }

    /// Operators that move elements: input and output share one quantization.
    private static func keepsCodes(_ op: any Operator) -> Bool {
        switch op {
        case is Reshape, is Transpose, is Flatten, is Squeeze, is Unsqueeze, is Slice, is Split, is Concat, is Pad,
            is Expand, is Tile, is DepthToSpace, is SpaceToDepth, is Gather, is Identity, is Resize:
            true
        case let op as Pool: if case .lp = op.kind { false } else { true }
        case let op as GlobalPool: op.kind == .max
        default: false
        }
    }

    private static func hasIntegerForm(_ op: any Operator, _ graph: Graph, _ node: Node) -> Bool {
        switch op {
        case is Conv, is ConvTranspose: graph[node.inputs[1]!].constant != nil
        case let op as Gemm: graph[node.inputs[1]!].constant != nil && op.alpha == 1 && op.beta == 1 && !op.transA
        case is MatMul: graph[node.inputs[1]!].constant != nil && graph.extents(node.inputs[1]!).count == 2
        case let op as Binary: [.add, .sub, .mul, .div, .prelu, .squaredDifference].contains(op.function)
        case let op as Variadic: op.function != .mean && node.inputs.count == 2
        case is Unary, is UnaryComposite, is Clip, is Softmax: true
        case let op as Reduce: [.mean, .sum, .max, .min].contains(op.function)
        case is GlobalPool: true
        case let op as Pool: if case .lp = op.kind { false } else { true }
        default: keepsCodes(op)
        }
    }

    private mutating func find(_ id: Int) -> Int {
        var root = id
        while groups[root] != root { root = groups[root] }
        groups[id] = root
        return root
    }

    private mutating func unite(_ a: ValueID, _ b: ValueID) {
        let (x, y) = (find(a.index), find(b.index))
        groups[max(x, y)] = min(x, y)
    }

    // MARK: Calibration

    /// Runs the float graph over the pictures and annotates a copy of it.
    ///
    /// - Parameters:
    ///   - pictures: how many there are.
    ///   - inputs: the tensors of one picture, by input name.
    public mutating func run(
        pictures: Int, inputs: (Int) throws -> [String: Tensor], progress: ProgressHandler = { _, _ in }
    ) throws -> Outcome {
        let executor = try Executor(graph)
        var statistics = [ActivationStatistics](repeating: .init(), count: graph.values.count)
        let wanted = isQuantized
        var means: [ValueID: ChannelMeans] = [:]
        for node in graph.nodes where Self.isProduct(node.op) {
            if let input = node.inputs[0] { means[input] = ChannelMeans() }
        }
        var references: [[String: Tensor]] = []
        let compared = min(options.comparedPictures, pictures)
        for picture in 0..<pictures {
            progress(Double(picture) / Double(pictures) * 0.5, "calibrating")
            let outputs = try executor.run(try inputs(picture)) { id, tensor in
                if wanted[id.index] { statistics[id.index].add(tensor) }
                means[id]?.add(tensor)
            }
            if picture < compared { references.append(outputs) }
        }
        var merged: [Int: ActivationStatistics] = [:]
        for value in graph.values.indices where isQuantized[value] {
            merged[find(value), default: .init()].merge(statistics[value])
        }
        var ranges: [Int: [RangeMethod: ClosedRange<Float>]] = [:]
        let methods = options.method.map { [$0] } ?? RangeMethod.allCases
        for (group, seen) in merged {
            for method in methods { ranges[group, default: [:]][method] = seen.range(by: method) }
        }
        let roots = graph.values.indices.map { find($0) }
        let quantizedWeights = weightAnnotations(means)

        func annotated(_ choice: (Int) -> RangeMethod) -> Graph {
            var result = graph
            quantizedWeights.apply(to: &result)
            for value in graph.values.indices where isQuantized[value] {
                let group = roots[value]
                result.values[value].quantization =
                    fixedQuantization(ValueID(value)) ?? Quantization(activationRange: ranges[group]![choice(group)]!)
            }
            return result
        }
        func error(_ candidate: Graph) throws -> Double {
            let simulation = try Executor(candidate)
            var (signal, noise): ([String: Double], [String: Double]) = ([:], [:])
            for picture in 0..<compared {
                let outputs = try simulation.run(try inputs(picture))
                for (name, reference) in references[picture] where reference.elementType == .float32 {
                    let found = outputs[name]!.asFloats
                    for (a, b) in zip(reference.asFloats, found) where a.isFinite && b.isFinite {
                        signal[name, default: 0] += Double(a) * Double(a)
                        noise[name, default: 0] += Double(a - b) * Double(a - b)
                    }
                }
            }
            return signal.keys.map { noise[$0]! / max(signal[$0]!, 1e-30) }.max() ?? 0
        }

        var base = methods[0]
        var bestError = Double.infinity
        for (number, method) in methods.enumerated() {
            progress(0.5 + 0.2 * Double(number) / Double(methods.count), "comparing range methods")
            let candidate = try error(annotated { _ in method })
            if candidate < bestError { (base, bestError) = (method, candidate) }
        }
        var chosen: [Int: RangeMethod] = [:]
        // Elements that one trial of a tensor's methods touches; large networks refine fewer tensors.
        let elements = graph.values.indices.reduce(0) { $0 + (isQuantized[$1] ? graph.values[$1].shape?.reduce(1, *) ?? 0 : 0) }
        let affordable = Self.refinementBudget / max(1, elements * compared * methods.count)
        let candidates =
            methods.count < 2 ? [] : disagreements(ranges).prefix(min(options.refinedTensors, affordable))
        for (number, group) in candidates.enumerated() {
            progress(0.7 + 0.3 * Double(number) / Double(candidates.count), "refining ranges")
            for method in methods where method != (chosen[group] ?? base) {
                var trial = chosen
                trial[group] = method
                let found = try error(annotated { trial[$0] ?? base })
                if found < bestError * 0.995 { (chosen, bestError) = (trial, found) }
            }
        }
        progress(1, "quantized")
        return Outcome(
            graph: annotated { chosen[$0] ?? base }, baseMethod: base,
            refined: chosen.filter { $0.value != base }.map { (graph.values[$0.key].name, $0.value) }.sorted { $0.0 < $1.0 },
            outputSQNR: -10 * DoubleMath.log10(max(bestError, 1e-30)))
    }

    /// Groups whose candidate ranges differ, most different first.
    private func disagreements(_ ranges: [Int: [RangeMethod: ClosedRange<Float>]]) -> [Int] {
        func spread(_ group: Int) -> Float {
            let spans = ranges[group]!.values.map { $0.upperBound - $0.lowerBound }
            return (spans.max() ?? 0) / max(spans.min() ?? 1, 1e-9)
        }
        return ranges.keys.filter { spread($0) > 1.05 }.sorted { (spread($0), $1) > (spread($1), $0) }
    }

    /// Quantization that follows from the function: probabilities in 1/256 steps, tanh in 1/128.
    private func fixedQuantization(_ id: ValueID) -> Quantization? {
        guard let producer = index.producer[id], groups[id.index] == id.index else { return nil }
        let isAlone = !graph.values.indices.contains { $0 != id.index && groups[$0] == id.index }
        guard isAlone else { return nil }
        switch graph.nodes[producer].op {
        case is Softmax: return Quantization(elementType: .int8, scale: 1 / 256, zeroPoint: -128)
        case let op as Unary where op.function == .sigmoid:
            return Quantization(elementType: .int8, scale: 1 / 256, zeroPoint: -128)
        case let op as Unary where op.function == .tanh:
            return Quantization(elementType: .int8, scale: 1 / 128, zeroPoint: 0)
        default: return nil
        }
    }

    // MARK: Weights

    /// int8 tensors of all weights that integer layers read, and the biases that go with them.
    private func weightAnnotations(_ means: [ValueID: ChannelMeans]) -> WeightAnnotations {
        var annotations = WeightAnnotations()
        for (position, node) in graph.nodes.enumerated()
        where Self.isProduct(node.op) && !options.keepFloat.contains(node.name) {
            guard let input = node.inputs[0], isQuantized[input.index], let w = node.inputs[1],
                let tensor = graph[w].constant, graph[w].quantization == nil, tensor.elementType == .float32
            else { continue }
            let axis: Int
            switch node.op {
            case is Conv: axis = 0
            case let op as ConvTranspose:
                // Output channels of several groups share an index: one scale for all then.
                axis = op.groups == 1 ? 1 : -1
            case let op as Gemm: axis = op.transB ? 0 : 1
            default: axis = 1
            }
            let annotation = quantizeWeights(tensor, axis: axis)
            annotations.weights[w] = annotation
            if let means = means[input]?.means,
                let shift = roundingShift(node, tensor, annotation.quantization.dequantize(annotation.tensor), means),
                let bias = bias(node, channels: shift.count)
            {
                annotations.biases[position] = zip(bias, shift).map { $0 - $1 }
            }
        }
        return annotations
    }

    /// The bias of a node, zeros where it has none; nil when it is no constant with one element per channel, or when the
    /// operator takes none.
    private func bias(_ node: Node, channels: Int) -> [Float]? {
        guard !(node.op is MatMul) else { return nil }
        guard node.inputs.count > 2, let id = node.inputs[2] else { return [Float](repeating: 0, count: channels) }
        guard graph[id].quantization == nil, let values = graph.realConstant(id), values.count == channels else { return nil }
        return values
    }

    /// What rounding the weights adds to each output channel on average: the weights' errors times the means of the input
    /// channels. The few weights of a depthwise filter do not average out, which costs a small network many points.
    private func roundingShift(_ node: Node, _ exact: Tensor, _ rounded: Tensor, _ means: [Float]) -> [Float]? {
        let errors = zip(rounded.elements(as: Float.self), exact.elements(as: Float.self)).map { $0 - $1 }
        let shape = exact.shape
        let (rows, columns) = (shape[0], shape[1])
        let taps = shape[2...].reduce(1, *)
        /// Sum over rows or columns of `errors`, each times the mean of its input channel.
        func sums(_ channels: Int, _ place: (_ row: Int, _ column: Int) -> (output: Int, input: Int)) -> [Float]? {
            var result = [Double](repeating: 0, count: channels)
            for row in 0..<rows {
                for column in 0..<columns {
                    let (output, input) = place(row, column)
                    guard input < means.count else { return nil }
                    let first = (row * columns + column) * taps
                    let error = errors[first..<first + taps].reduce(0) { $0 + Double($1) }
                    result[output] += error * Double(means[input])
                }
            }
            return result.map { Float($0) }
        }
        switch node.op {
        case let op as Conv:
            let perGroup = rows / op.groups
            return sums(rows) { ($0, $0 / perGroup * columns + $1) }
        case let op as ConvTranspose:
            // An output element meets only every stride-th tap.
            let share = 1 / Float(op.strides.reduce(1, *))
            let perGroup = rows / op.groups
            return sums(columns * op.groups) { ($0 / perGroup * columns + $1, $0) }?.map { $0 * share }
        case let op as Gemm:
            return op.transB ? sums(rows) { ($0, $1) } : sums(columns) { ($1, $0) }
        default:
            return nil
        }
    }
}

/// int8 weights by value, and biases by the position of their node.
struct WeightAnnotations {
    var weights: [ValueID: (tensor: Tensor, quantization: Quantization)] = [:]
    var biases: [Int: [Float]] = [:]

    func apply(to graph: inout Graph) {
        for (id, annotation) in weights {
            graph[id].constant = annotation.tensor
            graph[id].quantization = annotation.quantization
        }
        for (position, values) in biases.sorted(by: { $0.key < $1.key }) {
            let name = graph.freshName(graph.nodes[position].name + "/corrected bias")
            let id = graph.addConstant(name: name, Tensor(values, shape: [values.count]))
            while graph.nodes[position].inputs.count < 3 { graph.nodes[position].inputs.append(nil) }
            graph.nodes[position].inputs[2] = id
        }
    }
}

/// Symmetric int8 weights in [-127, 127], one scale for each index along `axis` (one in all when `axis` is negative).
func quantizeWeights(_ tensor: Tensor, axis: Int) -> (tensor: Tensor, quantization: Quantization) {
    let values = tensor.elements(as: Float.self)
    let channels = axis < 0 ? 1 : tensor.shape[axis]
    let inner = axis < 0 ? max(1, values.count) : tensor.shape[(axis + 1)...].reduce(1, *)
    var peaks = [Float](repeating: 0, count: channels)
    for (position, value) in values.enumerated() {
        let channel = position / inner % channels
        peaks[channel] = max(peaks[channel], abs(value))
    }
    // A channel of zeros gets the scale of the others, so that its bias keeps a sensible step.
    let largest = max(peaks.max() ?? 0, 1e-6)
    let scales = peaks.map { ($0 > 1e-9 ? $0 : largest) / 127 }
    let codes = values.enumerated().map { position, value in
        Int8(max(-127, min(127, (value / scales[position / inner % channels]).rounded(.toNearestOrEven))))
    }
    let quantization = Quantization(
        elementType: .int8, scales: scales, zeroPoints: [Int32](repeating: 0, count: channels),
        axis: axis < 0 || channels == 1 ? nil : axis)
    return (Tensor(codes, shape: tensor.shape), quantization)
}
