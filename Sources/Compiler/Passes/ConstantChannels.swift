import Graph

/// Channels that hold one real number known at conversion, whatever the input: filters of zeros and what becomes of them.
///
/// In a quantized graph a number is known only when it lies so far from the middle between two codes that every way to
/// compute it on the device gives the same code. Inputs are taken to be finite numbers.
struct ConstantChannels {
    /// By value: one number a channel, NaN where it is not known.
    private var reals: [[Float]]
    private let graph: Graph
    private let groups: ChannelGroups

    /// - Parameter zeros: those of the product at each position.
    init(_ graph: Graph, _ groups: ChannelGroups, _ index: GraphIndex, zeros: [Int: ChannelProduct.Zeros]) {
        (self.graph, self.groups) = (graph, groups)
        reals = graph.values.indices.map { [Float](repeating: .nan, count: groups.channels(of: ValueID($0)).count) }
        for (position, node) in graph.nodes.enumerated() {
            guard let y = node.outputs.first ?? nil, groups.axis(of: y) != nil else { continue }
            if let known = zeros[position], let product = ChannelProduct(node, graph) {
                settle(y, product.constants(node, reals[node.inputs[0]!.index], known.nonzero, graph, index))
            } else if let op = node.op as? Split {
                follow(node, op)
            } else if let found = channels(node, y), found.count == reals[y.index].count {
                settle(y, found)
            }
        }
    }

    /// One number a channel, NaN where it is not known.
    func reals(of id: ValueID) -> [Float] { reals[id.index] }

    // MARK: Rounding

    /// Distance from the middle between two codes, in codes, from which on all ways to compute a value agree: float32
    /// arithmetic and LiteRT's multipliers of 21 bits differ by less than a thousandth.
    private static let safeDistance = 0.002

    private mutating func settle(_ id: ValueID, _ found: [Float]) {
        guard let quantization = graph[id].quantization else {
            reals[id.index] = found.map { $0.isFinite ? $0 : .nan }
            return
        }
        guard quantization.scales.count == 1 else { return }
        let (scale, zeroPoint) = (quantization.scales[0], Double(quantization.zeroPoints[0]))
        let range = quantization.storedRange
        reals[id.index] = found.map { real in
            let code = Double(real) / Double(scale) + zeroPoint
            guard code.isFinite else { return .nan }
            let distance = abs(code - code.rounded(.down) - 0.5)
            guard distance >= Self.safeDistance else { return .nan }
            let stored = min(Double(range.upperBound), max(Double(range.lowerBound), code.rounded()))
            return Float(stored - zeroPoint) * scale
        }
    }

    // MARK: Operators

    private mutating func follow(_ node: Node, _ op: Split) {
        guard let x = node.inputs[0], let axis = groups.axis(of: x) else { return }
        let along = op.axis < 0 ? op.axis + graph.extents(x).count : op.axis
        var rest = reals(of: x)[...]
        for case let part? in node.outputs where groups.axis(of: part) == axis {
            settle(part, Array(rest.prefix(reals(of: part).count)))
            if along == axis { rest = rest.dropFirst(reals(of: part).count) }
        }
    }

    private func channels(_ node: Node, _ y: ValueID) -> [Float]? {
        switch node.op {
        case is Unary, is UnaryComposite, is Clip, is Identity, is Dropout, is Binary, is Variadic, is Cast:
            return elementwise(node, y)
        case let op as Concat:
            let axis = groups.axis(of: y)!
            let along = op.axis < 0 ? op.axis + graph.extents(y).count : op.axis
            let parts = node.inputs.compactMap { $0 }.map { id in
                graph[id].constant == nil ? reals(of: id) : uniform(id, axis: axis) ?? [Float](repeating: .nan, count: graph.extents(id)[axis])
            }
            if along == axis { return parts.flatMap { $0 } }
            return parts[0].indices.map { channel in
                parts.allSatisfy { $0.count == parts[0].count && $0[channel] == parts[0][channel] } ? parts[0][channel] : .nan
            }
        default: break
        }
        guard let x = node.inputs.first ?? nil, groups.axis(of: x) != nil else { return nil }
        let known = reals(of: x)
        let zeros = known.map { $0 == 0 ? $0 : Float.nan }
        switch node.op {
        case let op as Pool:
            // Padding that counts brings zeros into the mean.
            if case .average(countIncludesPadding: true) = op.kind { return zeros }
            return known
        case is GlobalPool, is Slice, is Transpose: return known
        case let op as Reduce:
            switch op.function {
            case .mean, .max, .min: return known
            case .sum, .l1, .l2, .sumSquare: return zeros
            default: return nil
            }
        case let op as Pad:
            guard op.mode == .constant else { return known }
            let fill = node.inputs.count > 2 ? node.inputs[2].map { graph.realConstant($0)?.first ?? .nan } ?? 0 : 0
            return known.map { $0 == fill ? $0 : .nan }
        case is Resize: return graph[x].quantization == graph[y].quantization ? known : zeros
        case is Reshape, is Flatten, is Squeeze, is Unsqueeze:
            let inner = graph.extents(x)[(groups.axis(of: x)! + 1)...].reduce(1, *)
            let below = graph.extents(y)[(groups.axis(of: y)! + 1)...].reduce(1, *)
            let run = max(1, inner / max(1, below))
            return reals(of: y).indices.map { known[$0 / run % known.count] }
        default: return nil
        }
    }

    /// A constant's number for each index of `axis`, where it has one; a single one where it does not vary along the axis.
    private func uniform(_ id: ValueID, axis: Int) -> [Float]? {
        let shape = graph.extents(id)
        guard let values = graph.realConstant(id) else { return nil }
        guard axis >= 0, axis < shape.count, values.count > 1 else { return values.count == 1 ? values : nil }
        let inner = shape[(axis + 1)...].reduce(1, *)
        var result = [Float](repeating: .nan, count: shape[axis])
        for channel in result.indices { result[channel] = values[channel * inner] }
        for (place, value) in values.enumerated() where value != result[place / inner % shape[axis]] {
            result[place / inner % shape[axis]] = .nan
        }
        return result
    }

    /// Evaluates the node on one element a channel.
    private func elementwise(_ node: Node, _ y: ValueID) -> [Float]? {
        guard graph[y].elementType == .float32, let axis = groups.axis(of: y) else { return nil }
        let rank = graph.extents(y).count
        let count = reals(of: y).count
        // Requantization in LiteRT's manner rounds its multiplier coarsely.
        if node.op is Identity, graph.integerRounding == .tfLite, let x = node.inputs[0],
            graph[x].quantization != graph[y].quantization
        {
            return reals(of: x).map { $0 == 0 ? $0 : .nan }
        }
        var operands: [[Float]?] = []
        for id in node.inputs {
            guard let id else { operands.append(nil); continue }
            let place = axis - (rank - graph.extents(id).count)
            let found: [Float]?
            if graph[id].constant != nil {
                found = uniform(id, axis: place)
            } else {
                // An operand without this axis that has one element for all channels.
                let isWhole = groups.axis(of: id) == place && reals(of: id).count == count
                found = isWhole || reals(of: id).count == 1 && graph.extents(id).reduce(1, *) == 1 ? reals(of: id) : nil
            }
            operands.append(found ?? [.nan])
        }
        let tensors = zip(node.inputs, operands).map { id, numbers -> Tensor? in
            guard let id, let numbers else { return nil }
            let isScalar = node.op is Clip || node.op is UnaryComposite || graph.extents(id).isEmpty
            return isScalar && numbers.count == 1 ? Tensor(scalar: numbers[0]) : Tensor(numbers, shape: [numbers.count])
        }
        guard let result = try? node.op.evaluate(tensors).first?.asFloats, result.count == count || result.count == 1 else {
            return nil
        }
        let isProduct = (node.op as? Binary)?.function == .mul
        return (0..<count).map { channel in
            let numbers = operands.compactMap { $0 }.map { $0.count == 1 ? $0[0] : $0[channel] }
            if isProduct, numbers.contains(0) { return 0 }
            return numbers.contains { $0.isNaN } ? .nan : result[result.count == 1 ? 0 : channel]
        }
    }
}

extension ChannelProduct {
    /// The input's quantization and the scales of the accumulators where the device computes the product on integers.
    func integerScales(_ node: Node, _ graph: Graph, _ index: GraphIndex) -> (input: Int8Parameters, scales: [Double])? {
        guard let input = Int8Parameters(graph[node.inputs[0]!].quantization), let own = graph[weights].quantization,
            [.int8, .uint8].contains(own.elementType), let y = node.outputs[0]
        else { return nil }
        var isStored = Int8Parameters(graph[y].quantization) != nil
        if !isStored, let reader = index.soleConsumer(of: y), let output = graph.nodes[reader].outputs[0] {
            let next = graph.nodes[reader].op
            isStored =
                (next is Clip || (next as? Unary)?.function == .relu) && Int8Parameters(graph[output].quantization) != nil
        }
        guard isStored else { return nil }
        return (
            input,
            (0..<allOutputs).map { output in
                let scale = own.scales.count == 1 ? own.scales[0] : own.scales[own.scales.count == outputs ? output % outputs : output]
                return Double(input.scale) * Double(scale)
            }
        )
    }

    /// Zero point of an output channel's weights, where they are stored as integers.
    private func zeroPoint(_ output: Int, _ graph: Graph) -> Int {
        guard let points = graph[weights].quantization?.zeroPoints else { return 0 }
        return Int(points.count == 1 ? points[0] : points[points.count == outputs ? output % outputs : output])
    }

    /// What constant input channels add to each output channel's accumulator.
    /// - Parameter inputs: the constants by input channel; NaN and zero add nothing.
    func integerSums(_ constants: [Float], _ input: Int8Parameters, _ graph: Graph) -> [Int] {
        let stored = graph[weights].constant!.asInts
        let steps = constants.map { $0.isNaN ? 0 : Int(($0 / input.scale).rounded()) }
        return sums { output, channel in
            guard steps[channel] != 0 else { return 0 }
            let start = place(output: output, input: channel % inputs)
            return stored[start..<start + taps].reduce(0) { $0 + $1 - zeroPoint(output, graph) } * steps[channel]
        }
    }

    /// The same in real numbers.
    func realSums(_ constants: [Float], _ graph: Graph) -> [Double] {
        let values = graph.realConstant(weights)!
        return sums { output, channel in
            guard constants[channel] != 0, !constants[channel].isNaN else { return 0 }
            let start = place(output: output, input: channel % inputs)
            return values[start..<start + taps].reduce(0) { $0 + Double($1) } * Double(constants[channel])
        }
    }

    private func sums<T: AdditiveArithmetic>(_ term: (_ output: Int, _ channel: Int) -> T) -> [T] {
        (0..<allOutputs).map { output in
            let first = output / outputs * inputs
            return (first..<first + inputs).reduce(T.zero) { $0 + term(output, $1) }
        }
    }

    /// Whether every output pixel sees every tap, so that a constant input channel adds a constant.
    func seesWholeWindows(_ node: Node, _ graph: Graph) -> Bool {
        switch node.op {
        case let op as Conv:
            (op.explicitPadding(input: graph.extents(node.inputs[0]!), weights: graph[weights].constant!.shape) ?? [1])
                .allSatisfy { $0 == 0 }
        case is ConvTranspose: false
        default: true
        }
    }

    /// The output channels that are constant, NaN for the others.
    fileprivate func constants(
        _ node: Node, _ known: [Float], _ nonzero: [Bool], _ graph: Graph, _ index: GraphIndex
    ) -> [Float] {
        guard known.count == allInputs else { return [Float](repeating: .nan, count: allOutputs) }
        let isWhole = seesWholeWindows(node, graph)
        let isConstant = (0..<allOutputs).map { output in
            let first = output / outputs * inputs
            return (0..<inputs).allSatisfy { input in
                let constant = known[first + input]
                return !nonzero[output * inputs + input] || constant == 0 || (isWhole && !constant.isNaN)
            }
        }
        guard isConstant.contains(true) else { return [Float](repeating: .nan, count: allOutputs) }
        let hasTerms = isWhole && known.contains { !$0.isNaN && $0 != 0 }
        if let (input, scales) = integerScales(node, graph, index) {
            guard let bias = graph.integerBias(bias, scales) else { return [Float](repeating: .nan, count: allOutputs) }
            let terms = hasTerms ? integerSums(known, input, graph) : []
            return isConstant.indices.map { output in
                isConstant[output] ? Float(Double(Int(bias[output]) + (hasTerms ? terms[output] : 0)) * scales[output]) : .nan
            }
        }
        let bias = bias.map { graph.realConstant($0)! } ?? [0]
        let terms = hasTerms ? realSums(known, graph) : []
        return isConstant.indices.map { output in
            isConstant[output]
                ? Float(Double(bias[bias.count == 1 ? 0 : output]) + (hasTerms ? terms[output] : 0)) : .nan
        }
    }
}
