import Graph

/// Weights to be set to zero before a float model is quantized: what pruning would bring, before anyone trains for it.
public enum Pruning: Sendable, Hashable {
    /// In each layer, this share of its blocks of four inputs of one filter: those of least magnitude. Grouped convolutions
    /// and layers whose inputs don't fill blocks (pictures) stay whole.
    case blocks(Double)
    /// In each layer, this share of its filters: those of the least sum of absolute weights. Filters whose channels meet in
    /// a sum count and go together, depthwise ones with those before them. The convolutions that read the input, and what
    /// makes the outputs, stay whole.
    case channels(Double)

    /// Reads "blocks:0.5" or "channels:0.3"; nil for anything else. The share is more than 0 and less than 1.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let share = Double(parts[1]), share > 0, share < 1 else { return nil }
        switch parts[0] {
        case "blocks": self = .blocks(share)
        case "channels": self = .channels(share)
        default: return nil
        }
    }

    /// As `init` reads it.
    public var text: String {
        switch self {
        case .blocks(let share): "blocks:\(share)"
        case .channels(let share): "channels:\(share)"
        }
    }
}

extension Graph {
    /// Sets weights to zero; the graph is float, channels last, with folded structure. Channels of which nothing is left
    /// are for `removeChannels`.
    mutating func prune(_ pruning: Pruning) {
        switch pruning {
        case .blocks(let share): pruneBlocks(share)
        case .channels(let share): pruneChannels(share)
        }
    }

    private mutating func pruneBlocks(_ share: Double) {
        var done: [ValueID: ValueID] = [:]
        for position in nodes.indices {
            guard let product = ChannelProduct(nodes[position], self), product.groups == 1,
                product.inputs % ChannelProduct.blockWidth == 0, product.form != .transposed
            else { continue }
            if done[product.weights] == nil {
                let tensor = self[product.weights].constant!
                var values = realConstant(product.weights)!
                // Block: output, four inputs, tap.
                let perOutput = product.inputs / ChannelProduct.blockWidth * product.taps
                func places(_ block: Int) -> [Int] {
                    let (output, rest) = (block / perOutput, block % perOutput)
                    return (0..<ChannelProduct.blockWidth).map {
                        product.place(output: output, input: rest / product.taps * ChannelProduct.blockWidth + $0) + rest % product.taps
                    }
                }
                let magnitudes = (0..<product.outputs * perOutput).map { block in
                    places(block).reduce(0.0) { $0 + Double(values[$1]) * Double(values[$1]) }
                }
                for block in Self.least(magnitudes, share) { for place in places(block) { values[place] = 0 } }
                done[product.weights] = addConstant(
                    name: freshName(self[product.weights].name + "/pruned"), Tensor(values, shape: tensor.shape))
            }
            nodes[position].inputs[1] = done[product.weights]
        }
    }

    /// Indices of the given share of numbers, the least first, of equal ones the first.
    private static func least(_ numbers: [Double], _ share: Double) -> ArraySlice<Int> {
        numbers.indices.sorted { (numbers[$0], $0) < (numbers[$1], $1) }
            .prefix(Int((share * Double(numbers.count)).rounded(.toNearestOrEven)))
    }

    private mutating func pruneChannels(_ share: Double) {
        let index = GraphIndex(self)
        let groups = ChannelGroups(self, index)
        let needed = groups.needed
        // What a group of channels is made by: positions of products, with the filter of each.
        var filters: [Int: [(position: Int, output: Int)]] = [:]
        for (position, node) in nodes.enumerated() {
            guard let product = ChannelProduct(node, self), let y = node.outputs[0] else { continue }
            let channels = groups.channels(of: y)
            guard channels.count == product.allOutputs else { continue }
            for channel in channels {
                filters[groups.group(of: channel), default: []].append((position, channel - channels.lowerBound))
            }
        }
        // Groups made by the same products compete with each other.
        var families: [[Int]: [Int]] = [:]
        for (group, made) in filters where !needed[group] {
            let makers = Array(Set(made.map(\.position))).sorted()
            let readsInput = makers.contains { nodes[$0].inputs[0].map { index.inputs.contains($0) } ?? false }
            if !readsInput { families[makers, default: []].append(group) }
        }
        var doomed: [Int: [Int]] = [:]
        for (makers, members) in families {
            let members = members.sorted()
            var norms = [Double](repeating: 0, count: members.count)
            for position in makers {
                let product = ChannelProduct(nodes[position], self)!
                guard product.groups == 1 else { continue }
                let values = realConstant(product.weights)!
                for (number, group) in members.enumerated() {
                    for filter in filters[group]! where filter.position == position {
                        for input in 0..<product.inputs {
                            let start = product.place(output: filter.output, input: input)
                            for tap in start..<start + product.taps { norms[number] += Double(abs(values[tap])) }
                        }
                    }
                }
            }
            for number in Self.least(norms, share).prefix(members.count - 1) {
                for filter in filters[members[number]]! { doomed[filter.position, default: []].append(filter.output) }
            }
        }
        for (position, outputs) in doomed.sorted(by: { $0.key < $1.key }) { silence(outputs, ofProductAt: position) }
    }

    /// Sets filters and their biases to zero.
    private mutating func silence(_ outputs: [Int], ofProductAt position: Int) {
        let product = ChannelProduct(nodes[position], self)!
        var values = realConstant(product.weights)!
        for output in outputs {
            for input in 0..<product.inputs {
                let start = product.place(output: output, input: input)
                for tap in start..<start + product.taps { values[tap] = 0 }
            }
        }
        let name = nodes[position].name
        nodes[position].inputs[1] = addConstant(
            name: freshName(name + "/pruned weights"), Tensor(values, shape: self[product.weights].constant!.shape))
        guard let bias = product.bias else { return }
        let old = realConstant(bias)!
        var offsets = (0..<product.allOutputs).map { old[old.count == 1 ? 0 : $0] }
        for output in outputs { offsets[output] = 0 }
        nodes[position].inputs[2] = addConstant(
            name: freshName(name + "/pruned bias"), Tensor(offsets, shape: [offsets.count]))
    }
}
