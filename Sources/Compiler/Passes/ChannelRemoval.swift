import Graph

/// What `Graph.removeChannels` removed.
public struct ChannelRemoval: Sendable, Hashable {
    /// One convolution or product, before and after.
    public struct Layer: Sendable, Hashable {
        public var name: String
        public var inputs: Int, keptInputs: Int
        public var outputs: Int, keptOutputs: Int
    }

    /// The layers that lost channels, in execution order.
    public var layers: [Layer] = []
    /// Output channels of all convolutions and products.
    public var channels = 0, keptChannels = 0
    /// Their weights and biases.
    public var parameters = 0, keptParameters = 0
    /// Their multiply-accumulates for one inference.
    public var operations = 0, keptOperations = 0
}

extension Graph {
    /// Removes the channels without which every output stays the same: those that hold a constant, which goes into the
    /// biases of their readers, and those that only weights of zero read. Operators in between lose them as well. Channels
    /// that add a constant to windows at the border of a picture stay, since the padding there adds zeros; and the inputs of
    /// block-sparse layers go in whole blocks, as others would tear the rest apart.
    ///
    /// Float results stay the same up to the order of summation, integer ones to the bit. Every value keeps a channel;
    /// graph inputs and outputs keep all. The graph is channels last, with folded structure.
    public mutating func removeChannels() -> ChannelRemoval {
        let before = sizes()
        var seen: [WeightsKey: ChannelProduct.Zeros] = [:]
        while removeOnce(&seen) {}
        let after = sizes()
        var removal = ChannelRemoval()
        for (old, new) in zip(before, after) {
            if old.inputs != new.inputs || old.outputs != new.outputs {
                removal.layers.append(
                    .init(
                        name: old.name, inputs: old.inputs, keptInputs: new.inputs, outputs: old.outputs,
                        keptOutputs: new.outputs))
            }
            removal.channels += old.outputs
            removal.keptChannels += new.outputs
            removal.parameters += old.parameters
            removal.keptParameters += new.parameters
            removal.operations += old.operations
            removal.keptOperations += new.operations
        }
        return removal
    }

    private func sizes() -> [(name: String, inputs: Int, outputs: Int, parameters: Int, operations: Int)] {
        nodes.compactMap { node in
            guard let product = ChannelProduct(node, self) else { return nil }
            let weights = self[product.weights].constant!.count
            // Every weight meets each pixel of the output, or of a transposed convolution's input.
            let pixels = extents(product.form == .transposed ? node.inputs[0]! : node.outputs[0]!).dropLast().reduce(1, *)
            return (node.name, product.allInputs, product.allOutputs, weights + product.allOutputs, weights * pixels)
        }
    }

    // MARK: One round

    private struct WeightsKey: Hashable {
        var weights: ValueID
        var form: ChannelProduct.Form
    }

    /// Removes all channels that are known to be removable now; whether there were any. What is left may make others so.
    /// - Parameter seen: the zeros of weights that were looked at.
    private mutating func removeOnce(_ seen: inout [WeightsKey: ChannelProduct.Zeros]) -> Bool {
        let index = GraphIndex(self)
        let groups = ChannelGroups(self, index)
        var zeros: [Int: ChannelProduct.Zeros] = [:]
        for (position, node) in nodes.enumerated() {
            guard let product = ChannelProduct(node, self) else { continue }
            let key = WeightsKey(weights: product.weights, form: product.form)
            let found = seen[key] ?? product.zeros(self)
            seen[key] = found
            zeros[position] = found
        }
        let constants = ConstantChannels(self, groups, index, zeros: zeros)

        var stays = groups.needed
        // Inputs that go together or not at all.
        var blocks: [ArraySlice<Int>] = []
        for (position, found) in zeros.sorted(by: { $0.key < $1.key }) {
            let node = nodes[position]
            let (product, x) = (ChannelProduct(node, self)!, node.inputs[0]!)
            let channels = groups.channels(of: x)
            guard product.groups == 1, channels.count == product.inputs else { continue }
            let known = constants.reals(of: x)
            let folds = takesConstants(node, product, known, index)
            var isRead = [Bool](repeating: false, count: product.inputs)
            for place in found.nonzero.indices where found.nonzero[place] { isRead[place % product.inputs] = true }
            for input in 0..<product.inputs where isRead[input] && known[input] != 0 && (known[input].isNaN || !folds) {
                stays[groups.group(of: channels.lowerBound + input)] = true
            }
            guard found.isBlockSparse else { continue }
            let members = channels.map { groups.group(of: $0) }
            for first in stride(from: 0, to: members.count, by: ChannelProduct.blockWidth) {
                blocks.append(members[first..<min(first + ChannelProduct.blockWidth, members.count)])
            }
        }
        keepWhole(groups, blocks, &stays)
        var keeps: [ValueID: [Int]] = [:]
        for value in values.indices {
            let channels = groups.channels(of: ValueID(value))
            let kept = channels.filter { stays[groups.group(of: $0)] }
            if kept.count < channels.count { keeps[ValueID(value)] = kept.map { $0 - channels.lowerBound } }
        }
        guard !keeps.isEmpty else { return false }
        var rewriter = ChannelRewriter(graph: self, index: index, groups: groups, constants: constants, keeps: keeps)
        self = rewriter.rewritten()
        return true
    }

    /// No value may lose all of its channels, and no block a part of them.
    private func keepWhole(_ groups: ChannelGroups, _ blocks: [ArraySlice<Int>], _ stays: inout [Bool]) {
        var changed = true
        while changed {
            changed = false
            for value in values.indices {
                let channels = groups.channels(of: ValueID(value))
                guard let first = channels.first, !channels.contains(where: { stays[groups.group(of: $0)] }) else { continue }
                stays[groups.group(of: first)] = true
                changed = true
            }
            for block in blocks where block.contains(where: { stays[$0] }) {
                for group in block where !stays[group] {
                    stays[group] = true
                    changed = true
                }
            }
        }
    }

    /// Whether constants other than zero of the input can go into the product's bias.
    private func takesConstants(_ node: Node, _ product: ChannelProduct, _ known: [Float], _ index: GraphIndex) -> Bool {
        guard product.seesWholeWindows(node, self) else { return false }
        if node.op is MatMul, extents(node.inputs[0]!).count != 2 { return false }
        if let (input, scales) = product.integerScales(node, self, index) {
            guard !(node.op is MatMul), scales.allSatisfy({ Float($0).isNormal }), let bias = integerBias(product.bias, scales) else { return false }
            // Whatever is removed, no accumulator may overflow.
            let steps = known.map { $0.isNaN ? 0 : abs(Int(($0 / input.scale).rounded())) }.reduce(0, +)
            return bias.allSatisfy { abs(Int($0)) + steps * product.taps * 255 <= Int(Int32.max) }
        }
        // Sums in float32 of what is stored as integers would change in their last bits.
        return self[node.inputs[0]!].quantization == nil && product.bias.map { self[$0].quantization == nil } ?? true
    }

    /// A product's bias in units of accumulators of these scales; nil when it is no constant of one element each.
    func integerBias(_ id: ValueID?, _ scales: [Double]) -> [Int32]? {
        guard let id else { return [Int32](repeating: 0, count: scales.count) }
        guard let tensor = self[id].constant, tensor.count == scales.count || tensor.count == 1 else { return nil }
        if let own = self[id].quantization, own.elementType == .int32, own.zeroPoints.allSatisfy({ $0 == 0 }) {
            let matches = scales.indices.allSatisfy { channel in
                let scale = Double(own.scales.count == 1 ? own.scales[0] : own.scales[channel])
                return abs(scale - scales[channel]) <= 1e-4 * scales[channel]
            }
            if matches {
                let stored = tensor.asInts
                return scales.indices.map { Int32(clamping: stored[stored.count == 1 ? 0 : $0]) }
            }
        }
        let reals = realConstant(id)!
        return scales.indices.map { channel in
            let exact = (Double(reals[reals.count == 1 ? 0 : channel]) / scales[channel]).rounded(.toNearestOrEven)
            return Int32(max(-2_147_483_648, min(2_147_483_647, exact)))
        }
    }
}

/// Takes channels out of the values, constants and attributes of a graph.
private struct ChannelRewriter {
    var graph: Graph
    let index: GraphIndex
    let groups: ChannelGroups
    let constants: ConstantChannels
    /// The channels that are left, of values that lose some.
    let keeps: [ValueID: [Int]]
    /// Parts of constants that are made already: several nodes may read one.
    private var parts: [Part: ValueID] = [:]

    private struct Part: Hashable {
        var constant: ValueID
        var tables: [[Int]?]
    }

    init(graph: Graph, index: GraphIndex, groups: ChannelGroups, constants: ConstantChannels, keeps: [ValueID: [Int]]) {
        (self.graph, self.index, self.groups, self.constants, self.keeps) = (graph, index, groups, constants, keeps)
    }

    mutating func rewritten() -> Graph {
        let source = graph
        // Shapes first: attributes are made from them.
        for (id, kept) in keeps { graph[id].shape![groups.axis(of: id)!] = kept.count }
        for position in source.nodes.indices { graph.nodes[position] = rewritten(source.nodes[position], source) }
        return graph
    }

    private mutating func rewritten(_ old: Node, _ source: Graph) -> Node {
        var node = old
        guard let y = old.outputs.first ?? nil else { return node }
        if let product = ChannelProduct(old, source) {
            rewrite(&node, product, source, y)
            return node
        }
        guard let axis = groups.axis(of: y) else { return node }
        switch old.op {
        case is Unary, is UnaryComposite, is Clip, is Identity, is Dropout, is Binary, is Variadic, is Cast:
            guard let kept = keeps[y] else { break }
            let rank = source.extents(y).count
            for (place, input) in old.inputs.enumerated() {
                guard let input, source[input].constant != nil else { continue }
                let shape = source.extents(input)
                let own = axis - (rank - shape.count)
                if own >= 0, shape[own] != 1 { node.inputs[place] = part(input, [own: kept], source) }
            }
        case let op as Concat:
            guard let kept = keeps[y] else { break }
            let along = op.axis < 0 ? op.axis + source.extents(y).count : op.axis
            var start = 0
            for (place, input) in old.inputs.enumerated() {
                guard let input else { continue }
                let count = source.extents(input)[axis]
                let own = along == axis ? kept.filter { (start..<start + count).contains($0) }.map { $0 - start } : kept
                if source[input].constant != nil, own.count < count { node.inputs[place] = part(input, [axis: own], source) }
                if along == axis { start += count }
            }
            // A constant that is left without elements.
            node.inputs.removeAll { id in id.map { graph[$0].constant?.count == 0 } ?? false }
        case var op as Split:
            guard let x = old.inputs[0], keeps[x] != nil else { break }
            let along = op.axis < 0 ? op.axis + source.extents(x).count : op.axis
            guard along == axis else { break }
            op.numOutputs = nil
            node.op = op
            node.inputs = [x, integers(old.outputs.map { graph.extents($0!)[axis] }, name: old.name + "/split")]
        case is Reshape:
            guard keeps[y] != nil else { break }
            node.inputs[1] = integers(graph.extents(y), name: old.name + "/shape")
        case let op as Resize:
            guard let kept = keeps[y], old.inputs.count > 3, let sizes = old.inputs[3], source[sizes].constant != nil else { break }
            let axes = op.axes ?? Array(source.extents(y).indices)
            guard let place = axes.firstIndex(where: { ($0 < 0 ? $0 + source.extents(y).count : $0) == axis }),
                var numbers = source.integerConstant(sizes)
            else { break }
            numbers[place] = kept.count
            node.inputs[3] = integers(numbers, name: old.name + "/sizes")
        default: break
        }
        return node
    }

    private mutating func rewrite(_ node: inout Node, _ product: ChannelProduct, _ source: Graph, _ y: ValueID) {
        let x = node.inputs[0]!
        let (keptInputs, keptOutputs) = (keeps[x], keeps[y])
        guard keptInputs != nil || keptOutputs != nil else { return }
        if let keptInputs, product.groups == 1 { foldConstants(&node, product, source, x, keptInputs) }
        var tables: [Int: [Int]] = [:]
        if product.groups == 1 {
            tables[product.inputAxis] = keptInputs
            tables[product.outputAxis] = keptOutputs
        } else {
            // Whole groups are gone.
            tables[0] = product.form == .transposed ? keptInputs : keptOutputs
            let left = (keptInputs?.count ?? product.allInputs) / product.inputs
            switch node.op {
            case var op as Conv:
                op.groups = left
                node.op = op
            case var op as ConvTranspose:
                op.groups = left
                node.op = op
            default: break
            }
        }
        node.inputs[1] = part(product.weights, tables, source)
        if let keptOutputs, node.inputs.count > 2, let bias = node.inputs[2], let tensor = graph[bias].constant,
            tensor.count == product.allOutputs, product.allOutputs > 1
        {
            node.inputs[2] = part(bias, [tensor.shape.firstIndex(of: tensor.count)!: keptOutputs], graph)
        }
    }

    /// Puts what the constant channels among the removed ones add into the bias.
    private mutating func foldConstants(
        _ node: inout Node, _ product: ChannelProduct, _ source: Graph, _ x: ValueID, _ kept: [Int]
    ) {
        var removed = constants.reals(of: x)
        for channel in kept { removed[channel] = 0 }
        guard removed.contains(where: { !$0.isNaN && $0 != 0 }) else { return }
        let name = graph.freshName(node.name + "/bias")
        let bias: ValueID
        if let (input, scales) = product.integerScales(node, source, index) {
            let sums = product.integerSums(removed, input, source)
            guard sums.contains(where: { $0 != 0 }) else { return }
            let old = source.integerBias(product.bias, scales)!
            let stored = old.indices.map { Int32(Int(old[$0]) + sums[$0]) }
            bias = graph.addConstant(
                name: name, Tensor(stored, shape: [stored.count]),
                quantization: Quantization(
                    elementType: .int32, scales: scales.map { Float($0) },
                    zeroPoints: scales.map { _ in 0 }, axis: scales.count == 1 ? nil : 0))
        } else {
            let sums = product.realSums(removed, source)
            guard sums.contains(where: { $0 != 0 }) else { return }
            let old = product.bias.map { source.realConstant($0)! } ?? [0]
            let values = sums.indices.map { Float(Double(old[old.count == 1 ? 0 : $0]) + sums[$0]) }
            bias = graph.addConstant(name: name, Tensor(values, shape: [values.count]))
        }
        if node.op is MatMul { node.op = Gemm() }
        while node.inputs.count < 3 { node.inputs.append(nil) }
        node.inputs[2] = bias
    }

    /// A constant of the elements at these indices of its axes.
    private mutating func part(_ id: ValueID, _ tables: [Int: [Int]], _ source: Graph) -> ValueID {
        let value = source[id]
        let tensor = value.constant!
        let entries = tensor.shape.indices.map { tables[$0] }
        let key = Part(constant: id, tables: entries)
        if let known = parts[key] { return known }
        var quantization = value.quantization
        if let axis = quantization?.axis, let kept = entries[axis], quantization!.scales.count > 1 {
            quantization!.scales = kept.map { quantization!.scales[$0] }
            quantization!.zeroPoints = kept.map { quantization!.zeroPoints[$0] }
            if kept.count == 1 { quantization!.axis = nil }
        }
        let result = graph.addConstant(name: graph.freshName(value.name + "/kept"), tensor.indexed(entries), quantization: quantization)
        parts[key] = result
        return result
    }

    private mutating func integers(_ values: [Int], name: String) -> ValueID {
        graph.addConstant(name: graph.freshName(name), Tensor(values.map { Int64($0) }, shape: [values.count]))
    }
}
