import Graph
import Kernels

/// The channels of every value of a channels-last graph, and which of them can only be removed together: those that an
/// operator other than a product leads from its inputs to its output, sums of several tensors and groups of a
/// convolution included.
struct ChannelGroups {
    /// The axis along which a value has its channels; nil for scalars and values that no node makes.
    private var axes: [Int?]
    /// Number of each value's first channel.
    private var first: [Int]
    private var parents: [Int] = []
    private var pinned: [Bool] = []
    private let graph: Graph

    init(_ graph: Graph, _ index: GraphIndex) {
        self.graph = graph
        axes = [Int?](repeating: nil, count: graph.values.count)
        first = [Int](repeating: 0, count: graph.values.count)
        for port in graph.inputs { pin(track(port.value, axis: graph.extents(port.value).count - 1)) }
        for node in graph.nodes where !tie(node) {
            for case let id? in node.inputs { pin(channels(of: id)) }
            for case let id? in node.outputs { pin(track(id, axis: graph.extents(id).count - 1)) }
        }
        for id in index.outputs { pin(channels(of: id)) }
    }

    // MARK: What others ask

    func axis(of id: ValueID) -> Int? { axes[id.index] }

    /// The numbers of a value's channels; empty where it has none.
    func channels(of id: ValueID) -> Range<Int> {
        guard let axis = axes[id.index] else { return 0..<0 }
        return first[id.index]..<first[id.index] + graph.extents(id)[axis]
    }

    /// One number for all channels that are removed together.
    func group(of channel: Int) -> Int {
        var root = channel
        while parents[root] != root { root = parents[root] }
        return root
    }

    var count: Int { parents.count }

    /// For each channel that stands for a group, whether something needs the group whatever it holds: a port, or an
    /// operator that mixes channels or that this pass does not know.
    var needed: [Bool] {
        var result = [Bool](repeating: false, count: count)
        for channel in pinned.indices where pinned[channel] { result[group(of: channel)] = true }
        return result
    }

    // MARK: Ties

    private mutating func track(_ id: ValueID, axis: Int) -> Range<Int> {
        guard axis >= 0 else { return 0..<0 }
        axes[id.index] = axis
        first[id.index] = parents.count
        let range = parents.count..<parents.count + graph.extents(id)[axis]
        parents.append(contentsOf: range)
        pinned.append(contentsOf: range.map { _ in false })
        let isPlain = graph[id].elementType == .float32 && (graph[id].quantization?.scales.count ?? 1) == 1
        if !isPlain { pin(range) }
        return range
    }

    private mutating func pin(_ channels: Range<Int>) {
        for channel in channels { pinned[channel] = true }
    }

    private mutating func tie(_ a: Int, _ b: Int) {
        let (x, y) = (group(of: a), group(of: b))
        parents[max(x, y)] = min(x, y)
        // Keeps the chains short.
        (parents[a], parents[b]) = (min(x, y), min(x, y))
    }

    private mutating func tie(_ a: Range<Int>, _ b: Range<Int>) {
        for (x, y) in zip(a, b) { tie(x, y) }
    }

    /// Follows one node; false when nothing is known of what it does with channels.
    private mutating func tie(_ node: Node) -> Bool {
        guard node.outputs.allSatisfy({ $0 == nil || graph[$0!].shape != nil }), let y = node.outputs.first ?? nil,
            node.outputs.count == 1 || node.op is Split || node.outputs.dropFirst().allSatisfy({ $0 == nil })
        else { return false }
        if let product = ChannelProduct(node, graph) { return tie(product, node.inputs[0]!, y) }
        switch node.op {
        case is Unary, is UnaryComposite, is Clip, is Identity, is Dropout, is Binary, is Variadic, is Cast:
            return tieElementwise(node, y)
        case let op as Concat: return tieConcat(node, op, y)
        default: break
        }
        guard let x = node.inputs.first ?? nil, let axis = axes[x.index] else { return false }
        let (from, to) = (graph.extents(x), graph.extents(y))
        switch node.op {
        case let op as Pool:
            if case .lp = op.kind { return false }
            guard op.layout == .channelsLast, axis == from.count - 1 else { return false }
            tie(channels(of: x), track(y, axis: axis))
        case let op as GlobalPool:
            guard op.layout == .channelsLast, axis == from.count - 1 else { return false }
            tie(channels(of: x), track(y, axis: axis))
        case let op as Reduce:
            guard node.inputs.count > 1, let listed = graph.integerConstant(node.inputs[1]), !listed.isEmpty else { return false }
            let reduced = listed.map { $0 < 0 ? $0 + from.count : $0 }
            guard !reduced.contains(axis) else { return false }
            tie(channels(of: x), track(y, axis: op.keepDims ? axis : axis - reduced.filter { $0 < axis }.count))
        case let op as Split:
            let along = op.axis < 0 ? op.axis + from.count : op.axis
            var next = channels(of: x).lowerBound
            for case let part? in node.outputs {
                let own = track(part, axis: axis)
                tie(next..<next + own.count, own)
                if along == axis { next += own.count }
            }
        case is Slice:
            guard node.inputs.count > 3, let along = graph.integerConstant(node.inputs[3]),
                !along.contains(where: { ($0 < 0 ? $0 + from.count : $0) == axis })
            else { return false }
            tie(channels(of: x), track(y, axis: axis))
        case is Pad:
            guard let pads = graph.integerConstant(node.inputs[1]), pads.count == 2 * from.count, pads[axis] == 0,
                pads[from.count + axis] == 0, node.inputs.count < 4 || node.inputs[3] == nil
            else { return false }
            tie(channels(of: x), track(y, axis: axis))
        case let op as Resize:
            guard op.aspect == .stretch, op.coordinates != .tfCropAndResize, from[axis] == to[axis] else { return false }
            tie(channels(of: x), track(y, axis: axis))
        case let op as Transpose:
            let order = op.permutation ?? Array((0..<from.count).reversed())
            tie(channels(of: x), track(y, axis: order.firstIndex(of: axis)!))
        case is Reshape, is Flatten, is Squeeze, is Unsqueeze:
            return tieReshape(x, y, axis, from, to)
        default:
            return false
        }
        return true
    }

    /// Products mix channels, but within the groups of a convolution only.
    private mutating func tie(_ product: ChannelProduct, _ x: ValueID, _ y: ValueID) -> Bool {
        let rank = graph.extents(x).count
        guard axes[x.index] == rank - 1 else { return false }
        let inputs = channels(of: x)
        let outputs = track(y, axis: graph.extents(y).count - 1)
        guard product.groups > 1 else { return true }
        for group in 0..<product.groups {
            let leader = inputs.lowerBound + group * product.inputs
            for input in 0..<product.inputs { tie(leader, leader + input) }
            for output in 0..<product.outputs { tie(leader, outputs.lowerBound + group * product.outputs + output) }
        }
        return true
    }

    private mutating func tieElementwise(_ node: Node, _ y: ValueID) -> Bool {
        let to = graph.extents(y)
        let operands = node.inputs.compactMap { $0 }.filter { graph[$0].constant == nil }
        guard operands.allSatisfy({ axes[$0.index] != nil }),
            let whole = operands.first(where: { graph.extents($0).count == to.count && graph.extents($0)[axes[$0.index]!] == to[axes[$0.index]!] }),
            let axis = axes[whole.index]
        else { return false }
        let result = track(y, axis: axis)
        for operand in operands {
            let shape = graph.extents(operand)
            let place = axis - (to.count - shape.count)
            if place >= 0, shape[place] == to[axis] {
                if axes[operand.index] == place { tie(channels(of: operand), result) } else { return false }
            } else {
                // One element for all channels.
                pin(channels(of: operand))
            }
        }
        return true
    }

    private mutating func tieConcat(_ node: Node, _ op: Concat, _ y: ValueID) -> Bool {
        let operands = node.inputs.compactMap { $0 }
        let rank = graph.extents(y).count
        let along = op.axis < 0 ? op.axis + rank : op.axis
        let known = Set(operands.filter { graph[$0].constant == nil }.map { axes[$0.index] })
        guard known.count == 1, let axis = known.first ?? nil else { return false }
        let result = track(y, axis: axis)
        var next = result.lowerBound
        for operand in operands {
            let count = graph.extents(operand)[axis]
            if graph[operand].constant == nil { tie(channels(of: operand), next..<next + count) }
            if along == axis { next += count }
        }
        return true
    }

    /// A reshape repeats the input's channels along one axis of the output, each as a run, where the extents allow it: a
    /// flattened picture has its channels once for each pixel.
    private mutating func tieReshape(_ x: ValueID, _ y: ValueID, _ axis: Int, _ from: [Int], _ to: [Int]) -> Bool {
        let inner = from[(axis + 1)...].reduce(1, *)
        for place in to.indices.reversed() {
            let below = to[(place + 1)...].reduce(1, *)
            guard below > 0, inner % below == 0, from[axis] > 0 else { continue }
            let run = inner / below
            guard to[place] > 0, to[place] % (from[axis] * run) == 0 else { continue }
            let source = channels(of: x).lowerBound
            for (number, channel) in track(y, axis: place).enumerated() { tie(source + number / run % from[axis], channel) }
            return true
        }
        return false
    }
}

/// A convolution, transposed convolution or matrix product with constant weights, as far as channels go.
struct ChannelProduct {
    enum Form { case convolution, transposed, outputsFirst, inputsFirst }
    let form: Form
    let weights: ValueID
    let bias: ValueID?
    let groups: Int
    /// Channels of one group.
    let inputs: Int, outputs: Int
    /// Weights of one output and input channel; they lie next to each other.
    let taps: Int

    /// Nil for other operators, and for products whose parameters are no plain constants.
    init?(_ node: Node, _ graph: Graph) {
        guard node.inputs.count >= 2, let w = node.inputs[1], let tensor = graph[w].constant, node.inputs[0] != nil,
            graph[node.inputs[0]!].constant == nil
        else { return nil }
        let shape = tensor.shape
        weights = w
        bias = node.inputs.count > 2 ? node.inputs[2] : nil
        switch node.op {
        case let op as Conv where op.layout == .channelsLast:
            (form, groups) = (.convolution, op.groups)
            (inputs, outputs, taps) = (shape[1], shape[0] / op.groups, shape[2...].reduce(1, *))
        case let op as ConvTranspose where op.layout == .channelsLast:
            (form, groups) = (.transposed, op.groups)
            (inputs, outputs, taps) = (shape[0] / op.groups, shape[1], shape[2...].reduce(1, *))
        case let op as Gemm where op.alpha == 1 && op.beta == 1 && !op.transA:
            (form, groups, taps) = (op.transB ? .outputsFirst : .inputsFirst, 1, 1)
            (inputs, outputs) = op.transB ? (shape[1], shape[0]) : (shape[0], shape[1])
        case is MatMul where shape.count == 2 && graph.extents(node.inputs[0]!).count >= 2:
            (form, groups, taps) = (.inputsFirst, 1, 1)
            (inputs, outputs) = (shape[0], shape[1])
        default:
            return nil
        }
        guard inputs > 0, outputs > 0, taps > 0, tensor.elementType == .float32 || graph[w].quantization != nil else { return nil }
        let axis = graph[w].quantization?.axis
        guard axis == nil || axis == outputAxis else { return nil }
        if let bias {
            guard let tensor = graph[bias].constant, tensor.count == allOutputs || tensor.count == 1 else { return nil }
        }
    }

    var allInputs: Int { inputs * groups }
    var allOutputs: Int { outputs * groups }

    /// Axes of the weights.
    var outputAxis: Int { form == .transposed || form == .inputsFirst ? 1 : 0 }
    var inputAxis: Int { 1 - outputAxis }

    /// Place in the weights of the first tap of an output channel and an input channel of its group.
    func place(output: Int, input: Int) -> Int {
        switch form {
        case .convolution: (output * inputs + input) * taps
        case .transposed: ((output / outputs * inputs + input) * outputs + output % outputs) * taps
        case .outputsFirst: output * inputs + input
        case .inputsFirst: input * outputs + output
        }
    }

    /// What is known of the weights.
    struct Zeros {
        /// For each output channel, then each input channel of its group, whether a weight is not zero.
        var nonzero: [Bool]
        /// Whether zeros come in blocks of four inputs where neither a filter nor an input is all zeros.
        var isBlockSparse: Bool
    }

    /// Inputs of a block of a sparse layer.
    static let blockWidth = SparseWeights.blockWidth

    func zeros(_ graph: Graph) -> Zeros {
        let values = graph.realConstant(weights)!
        var nonzero = [Bool](repeating: false, count: allOutputs * inputs)
        for output in 0..<allOutputs {
            for input in 0..<inputs {
                let start = place(output: output, input: input)
                for tap in start..<start + taps where values[tap] != 0 {
                    nonzero[output * inputs + input] = true
                    break
                }
            }
        }
        guard groups == 1 else { return Zeros(nonzero: nonzero, isBlockSparse: false) }
        var isRead = [Bool](repeating: false, count: inputs)
        for place in nonzero.indices where nonzero[place] { isRead[place % inputs] = true }
        var (blocks, zero) = (0, 0)
        for output in 0..<outputs where nonzero[output * inputs..<(output + 1) * inputs].contains(true) {
            for first in stride(from: 0, through: inputs - Self.blockWidth, by: Self.blockWidth)
            where !isRead[first..<first + Self.blockWidth].contains(false) {
                for tap in 0..<taps {
                    blocks += 1
                    let block = first..<first + Self.blockWidth
                    if !block.contains(where: { values[place(output: output, input: $0) + tap] != 0 }) { zero += 1 }
                }
            }
        }
        return Zeros(nonzero: nonzero, isBlockSparse: Double(zero) > SparseWeights.leastZeroShare * Double(blocks))
    }
}
