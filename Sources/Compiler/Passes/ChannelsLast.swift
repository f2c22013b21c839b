import Graph

/// A graph whose values are stored as written in it, with how the ports of the source model map on to it.
public struct ChannelsLastGraph: Sendable {
    public var graph: Graph
    /// For each graph input and output, the source shape and the order: stored axis k is source axis `order[k]`.
    public var inputs: [PortLayout]
    public var outputs: [PortLayout]
    /// The channels that no output needed.
    public var removal = ChannelRemoval()

    public struct PortLayout: Sendable, Hashable {
        public var shape: [Int]
        public var order: [Int]
    }
}

/// Rewrites a graph so that every spatial operator reads and writes channels last.
///
/// Each value is given a *stored order* (stored axis k holds axis `order[k]` of the source's value). Operators that don't
/// care about the order of axes follow their inputs; Transpose only changes the order that is written down; Reshape
/// keeps the bytes whenever the axes that it merges are neighbours in memory. A Transpose node is made only where an
/// operator needs an order that its input does not have.
public struct ChannelsLastPass {
    private struct Stored {
        var id: ValueID
        var order: [Int]
    }

    private let source: Graph
    private var result = Graph()
    private var stored: [ValueID: Stored] = [:]
    private var reordered: [String: ValueID] = [:]
    private let index: GraphIndex

    public static func run(_ graph: Graph) -> ChannelsLastGraph {
        var pass = ChannelsLastPass(source: graph, index: GraphIndex(graph))
        return pass.rewrite()
    }

    private init(source: Graph, index: GraphIndex) {
        self.source = source
        self.index = index
    }

    // MARK: The walk

    private mutating func rewrite() -> ChannelsLastGraph {
        result.sourceDescription = source.sourceDescription
        result.integerRounding = source.integerRounding
        var inputs: [ChannelsLastGraph.PortLayout] = []
        for port in source.inputs {
            let shape = source.extents(port.value)
            let order = inputOrder(port.value, rank: shape.count)
            var value = source[port.value]
            value.shape = order.map { shape[$0] }
            let id = result.addValue(value)
            stored[port.value] = Stored(id: id, order: order)
            result.inputs.append(Port(name: port.name, value: id, elementType: port.elementType))
            inputs.append(.init(shape: shape, order: order))
        }
        for node in source.nodes { rewrite(node) }
        var outputs: [ChannelsLastGraph.PortLayout] = []
        for port in source.outputs {
            let value = fetch(port.value)
            result.outputs.append(Port(name: port.name, value: value.id, elementType: port.elementType))
            outputs.append(.init(shape: source.extents(port.value), order: value.order))
        }
        result.removeDeadNodes()
        return ChannelsLastGraph(graph: result, inputs: inputs, outputs: outputs)
    }

    /// Channels last for an input of rank 4 whose first spatial operators take channels first.
    private func inputOrder(_ id: ValueID, rank: Int) -> [Int] {
        guard rank == 4 else { return Self.identity(rank) }
        var queue = [id]
        var seen: Set<ValueID> = [id]
        while let value = queue.popLast() {
            for position in index.consumers[value] ?? [] {
                let node = source.nodes[position]
                if let layout = Self.layout(of: node.op) {
                    return layout == .channelsFirst ? Self.channelsLast(rank) : Self.identity(rank)
                }
                if let op = node.op as? Transpose, op.permutation == [0, 2, 3, 1] { return Self.channelsLast(rank) }
                // Behind these the axes have another meaning.
                if node.op is Transpose || node.op is Reshape || node.op is Flatten || node.op is Gemm || node.op is MatMul {
                    continue
                }
                for case let output? in node.outputs where seen.insert(output).inserted { queue.insert(output, at: 0) }
            }
        }
        return Self.identity(rank)
    }

    static func identity(_ rank: Int) -> [Int] { Array(0..<rank) }
    static func channelsLast(_ rank: Int) -> [Int] { rank < 3 ? identity(rank) : [0] + Array(2..<rank) + [1] }

    private mutating func fetch(_ id: ValueID) -> Stored {
        if let known = stored[id] { return known }
        let copy = Stored(id: result.addValue(source[id]), order: Self.identity(source[id].shape?.count ?? 0))
        stored[id] = copy
        return copy
    }

    /// The value with its axes stored in `order`.
    private mutating func fetch(_ id: ValueID, order: [Int]) -> ValueID {
        let value = fetch(id)
        guard value.order != order else { return value.id }
        let key = "\(value.id.index):\(value.order)>\(order)"
        if let known = reordered[key] { return known }
        let moves = order.map { axis in value.order.firstIndex(of: axis)! }
        let shape = result.extents(value.id)
        var target = result[value.id]
        target.shape = moves.map { shape[$0] }
        if let axis = target.quantization?.axis { target.quantization!.axis = moves.firstIndex(of: axis)! }
        let id: ValueID
        if let constant = target.constant {
            target.constant = constant.transposed(moves)
            id = result.addValue(target)
        } else if moves.filter({ shape[$0] != 1 }) == moves.filter({ shape[$0] != 1 }).sorted() {
            id = result.addValue(target)
            appendReshape(value.id, id, name: target.name + "/view")
        } else {
            target.name = result.freshName(target.name + "/transposed")
            id = result.addValue(target)
            result.nodes.append(
                Node(
                    name: target.name, op: Transpose(permutation: moves), inputs: [value.id], outputs: [id],
                    sourceOperator: "Transpose"))
        }
        reordered[key] = id
        return id
    }

    private mutating func appendReshape(_ from: ValueID, _ to: ValueID, name: String) {
        let shape = result.addConstant(
            name: name + "/shape", Tensor(result.extents(to).map { Int64($0) }, shape: [result.extents(to).count]))
        result.nodes.append(
            Node(name: name, op: Reshape(), inputs: [from, shape], outputs: [to], sourceOperator: "Reshape"))
    }

    /// Adds `node` to the result with all outputs in `order(rank)` of theirs.
    private mutating func emit(
        _ node: Node, op: any Operator, inputs: [ValueID?], order: (Int) -> [Int] = ChannelsLastPass.identity
    ) {
        var outputs: [ValueID?] = []
        for output in node.outputs {
            guard let output else { outputs.append(nil); continue }
            var value = source[output]
            let shape = value.shape ?? []
            let orderOfOutput = order(shape.count)
            value.shape = orderOfOutput.map { shape[$0] }
            let id = result.addValue(value)
            stored[output] = Stored(id: id, order: orderOfOutput)
            outputs.append(id)
        }
        result.nodes.append(
            Node(name: node.name, op: op, inputs: inputs, outputs: outputs, sourceOperator: node.sourceOperator))
    }

    /// Copies of the inputs from `start` on, in source order (shapes, axes, scalars, weights).
    private mutating func plain(_ node: Node, from start: Int) -> [ValueID?] {
        node.inputs.dropFirst(start).map { id in id.map { fetch($0, order: Self.identity(source.extents($0).count)) } }
    }

    // MARK: Operators

    static func layout(of op: any Operator) -> Layout? {
        switch op {
        case let op as Conv: op.layout
        case let op as ConvTranspose: op.layout
        case let op as Pool: op.layout
        case let op as GlobalPool: op.layout
        case let op as BatchNormalization: op.layout
        case let op as DepthToSpace: op.layout
        case let op as SpaceToDepth: op.layout
        default: nil
        }
    }

    private static func withChannelsLast(_ op: any Operator) -> any Operator {
        func changed<Op>(_ op: Op, _ path: WritableKeyPath<Op, Layout>) -> Op {
            var copy = op
            copy[keyPath: path] = .channelsLast
            return copy
        }
        return switch op {
        case let op as Conv: changed(op, \.layout)
        case let op as ConvTranspose: changed(op, \.layout)
        case let op as Pool: changed(op, \.layout)
        case let op as GlobalPool: changed(op, \.layout)
        case let op as BatchNormalization: changed(op, \.layout)
        case let op as DepthToSpace: changed(op, \.layout)
        case let op as SpaceToDepth: changed(op, \.layout)
        default: op
        }
    }

    private mutating func rewrite(_ node: Node) {
        if let layout = Self.layout(of: node.op), let input = node.inputs[0] {
            let rank = source.extents(input).count
            let order = layout == .channelsFirst ? Self.channelsLast(rank) : Self.identity(rank)
            let x = fetch(input, order: order)
            emit(
                node, op: Self.withChannelsLast(node.op), inputs: [x] + plain(node, from: 1),
                order: { layout == .channelsFirst ? Self.channelsLast($0) : Self.identity($0) })
            return
        }
        switch node.op {
        case is Unary, is Clip, is Cast, is Identity, is QuantizeLinear, is DequantizeLinear:
            guard let input = node.inputs[0], !isPerAxis(node) else { return rewriteInSourceOrder(node) }
            let value = fetch(input)
            emit(node, op: node.op, inputs: [value.id] + plain(node, from: 1), order: { _ in value.order })
        case is Binary, is Variadic, is Where:
            rewriteElementwise(node)
        case let op as Concat:
            let order = commonOrder(node.inputs)
            let axis = normalized(op.axis, order.count)
            let inputs = node.inputs.map { id in id.map { fetch($0, order: order) } }
            emit(node, op: Concat(axis: order.firstIndex(of: axis)!), inputs: inputs, order: { _ in order })
        case var op as Split:
            let value = fetch(node.inputs[0]!)
            op.axis = value.order.firstIndex(of: normalized(op.axis, value.order.count))!
            emit(node, op: op, inputs: [value.id] + plain(node, from: 1), order: { _ in value.order })
        case var op as Softmax:
            let value = fetch(node.inputs[0]!)
            op.axis = value.order.firstIndex(of: normalized(op.axis, value.order.count))!
            emit(node, op: op, inputs: [value.id], order: { _ in value.order })
        case var op as ArgReduce:
            let value = fetch(node.inputs[0]!)
            let axis = normalized(op.axis, value.order.count)
            op.axis = value.order.firstIndex(of: axis)!
            let keep = op.keepDims
            emit(node, op: op, inputs: [value.id], order: { _ in Self.dropping([axis], from: value.order, keep: keep) })
        case let op as Reduce:
            rewriteReduce(node, op)
        case is Slice:
            rewriteSlice(node)
        case is Pad:
            rewritePad(node)
        case is Resize:
            rewriteResize(node)
        case let op as Transpose:
            rewriteTranspose(node, op)
        case is Reshape, is Flatten, is Squeeze, is Unsqueeze:
            rewriteReshape(node)
        default:
            rewriteInSourceOrder(node)
        }
    }

    private func isPerAxis(_ node: Node) -> Bool {
        node.outputs.contains { id in id.flatMap { source[$0].quantization?.axis } != nil }
    }

    private mutating func rewriteInSourceOrder(_ node: Node) {
        emit(node, op: node.op, inputs: plain(node, from: 0))
    }

    private func normalized(_ axis: Int, _ rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    /// Order that most of the work already has: that of the largest input that is not a constant.
    private mutating func commonOrder(_ inputs: [ValueID?]) -> [Int] {
        let candidates = inputs.compactMap { $0 }.filter { source[$0].constant == nil }
        let largest = candidates.max { a, b in
            let (sizeA, sizeB) = (source.extents(a).reduce(1, *), source.extents(b).reduce(1, *))
            if sizeA != sizeB { return sizeA < sizeB }
            return fetch(a).order == Self.identity(fetch(a).order.count) && fetch(b).order != fetch(a).order
        }
        if let largest { return fetch(largest).order }
        return Self.identity(inputs.compactMap { $0 }.map { source.extents($0).count }.max() ?? 0)
    }

    /// Order of what is left after removing source axes; the rest keep their relative places.
    private static func dropping(_ axes: [Int], from order: [Int], keep: Bool) -> [Int] {
        guard !keep else { return order }
        let left = order.indices.filter { !axes.contains($0) }
        return order.filter { !axes.contains($0) }.map { left.firstIndex(of: $0)! }
    }

    private mutating func rewriteElementwise(_ node: Node) {
        let rank = node.inputs.compactMap { $0 }.map { source.extents($0).count }.max() ?? 0
        let full = node.inputs.filter { id in id.map { source.extents($0).count == rank } ?? false }
        let order = commonOrder(full)
        guard order.count == rank else { return rewriteInSourceOrder(node) }
        let inputs = node.inputs.map { id -> ValueID? in
            guard let id else { return nil }
            let shape = source.extents(id)
            if shape.count == rank { return fetch(id, order: order) }
            let padded = [Int](repeating: 1, count: rank - shape.count) + shape
            let plain = fetch(id, order: Self.identity(shape.count))
            var value = result[plain]
            value.shape = order.map { padded[$0] }
            let shift = rank - shape.count
            if let axis = value.quantization?.axis {
                value.quantization!.axis = order.firstIndex(of: axis + shift)!
            }
            if let constant = value.constant {
                value.constant = constant.reshaped(padded).transposed(order)
                return result.addValue(value)
            }
            value.shape = padded
            value.name = result.freshName(value.name + "/expanded")
            let expanded = result.addValue(value)
            appendReshape(plain, expanded, name: value.name)
            guard order != Self.identity(rank) else { return expanded }
            value.shape = order.map { padded[$0] }
            value.name = result.freshName(value.name + "/transposed")
            let moved = result.addValue(value)
            let isView = order.filter { padded[$0] != 1 } == order.filter { padded[$0] != 1 }.sorted()
            if isView {
                appendReshape(expanded, moved, name: value.name)
            } else {
                result.nodes.append(
                    Node(
                        name: value.name, op: Transpose(permutation: order), inputs: [expanded], outputs: [moved],
                        sourceOperator: "Transpose"))
            }
            return moved
        }
        emit(node, op: node.op, inputs: inputs, order: { _ in order })
    }

    private mutating func integers(_ values: [Int], name: String) -> ValueID {
        result.addConstant(name: result.freshName(name), Tensor(values.map { Int64($0) }, shape: [values.count]))
    }

    private mutating func rewriteReduce(_ node: Node, _ op: Reduce) {
        let value = fetch(node.inputs[0]!)
        let rank = value.order.count
        let listed = node.inputs.count > 1 ? node.inputs[1] : nil
        guard let listed else {
            if op.noopWithEmptyAxes {
                return emit(node, op: Identity(), inputs: [value.id], order: { _ in value.order })
            }
            return emit(
                node, op: op, inputs: [value.id],
                order: { rank in op.keepDims ? value.order : Self.identity(rank) })
        }
        guard let axes = source.integerConstant(listed)?.map({ normalized($0, rank) }) else {
            return rewriteInSourceOrder(node)
        }
        let moved = integers(axes.map { value.order.firstIndex(of: $0)! }.sorted(), name: node.name + "/axes")
        emit(
            node, op: op, inputs: [value.id, moved],
            order: { _ in Self.dropping(axes, from: value.order, keep: op.keepDims) })
    }

    private mutating func rewriteSlice(_ node: Node) {
        let value = fetch(node.inputs[0]!)
        let rank = value.order.count
        guard let starts = source.integerConstant(node.inputs[1]), source.integerConstant(node.inputs[2]) != nil else {
            return rewriteInSourceOrder(node)
        }
        let axesID = node.inputs.count > 3 ? node.inputs[3] : nil
        let axes = axesID.flatMap { source.integerConstant($0) } ?? Array(0..<starts.count)
        let moved = integers(axes.map { value.order.firstIndex(of: normalized($0, rank))! }, name: node.name + "/axes")
        var inputs: [ValueID?] = [value.id] + plain(node, from: 1)
        while inputs.count < 4 { inputs.append(nil) }
        inputs[3] = moved
        emit(node, op: node.op, inputs: inputs, order: { _ in value.order })
    }

    private mutating func rewritePad(_ node: Node) {
        let value = fetch(node.inputs[0]!)
        let rank = value.order.count
        guard let pads = source.integerConstant(node.inputs[1]) else { return rewriteInSourceOrder(node) }
        let axesID = node.inputs.count > 3 ? node.inputs[3] : nil
        let axes = axesID.flatMap { source.integerConstant($0) } ?? Array(0..<rank)
        var all = [Int](repeating: 0, count: 2 * rank)
        for (position, axis) in axes.enumerated() {
            let place = value.order.firstIndex(of: normalized(axis, rank))!
            all[place] = pads[position]
            all[rank + place] = pads[axes.count + position]
        }
        var inputs: [ValueID?] = [value.id, integers(all, name: node.name + "/pads")]
        if node.inputs.count > 2 { inputs.append(node.inputs[2].map { fetch($0).id }) }
        emit(node, op: node.op, inputs: inputs, order: { _ in value.order })
    }

    private mutating func rewriteResize(_ node: Node) {
        guard var op = node.op as? Resize, op.aspect == .stretch else { return rewriteInSourceOrder(node) }
        let value = fetch(node.inputs[0]!)
        let order = value.order
        let axes = op.axes.map { $0.map { normalized($0, order.count) } } ?? Self.identity(order.count)
        op.axes = axes.map { order.firstIndex(of: $0)! }
        if op.axes == Self.identity(order.count) { op.axes = nil }
        emit(node, op: op, inputs: [value.id] + plain(node, from: 1), order: { _ in order })
    }

    private mutating func rewriteTranspose(_ node: Node, _ op: Transpose) {
        let value = fetch(node.inputs[0]!)
        let rank = value.order.count
        let permutation = op.permutation ?? Array((0..<rank).reversed())
        let order = value.order.map { axis in permutation.firstIndex(of: axis)! }
        alias(node, value.id, order: order, stored: result.extents(value.id))
    }

    /// Gives `node`'s output the bytes of `id`, seen as `stored` extents; a node is made only if the annotation or the
    /// extents change.
    private mutating func alias(_ node: Node, _ id: ValueID, order: [Int], stored shape: [Int]) {
        let output = node.outputs[0]!
        var target = source[output]
        target.shape = shape
        let isSame = target.quantization == result[id].quantization && result.extents(id) == shape
        if isSame {
            stored[output] = Stored(id: id, order: order)
            return
        }
        let moved = result.addValue(target)
        stored[output] = Stored(id: moved, order: order)
        if result.extents(id) == shape {
            result.nodes.append(
                Node(
                    name: node.name, op: Identity(), inputs: [id], outputs: [moved], sourceOperator: node.sourceOperator))
        } else {
            appendReshape(id, moved, name: node.name)
        }
    }

    private mutating func rewriteReshape(_ node: Node) {
        let input = node.inputs[0]!
        let value = fetch(input)
        let from = source.extents(input)
        let to = source.extents(node.outputs[0]!)
        guard let groups = Self.groups(from: from, to: to) else {
            let plain = fetch(input, order: Self.identity(from.count))
            return alias(node, plain, order: Self.identity(to.count), stored: to)
        }
        // Storage order of the axes that hold more than one element, made contiguous within each group.
        let solid = value.order.filter { from[$0] != 1 }
        var arranged: [Int] = []
        var outOrder: [Int] = []
        for axis in solid.reversed() where !arranged.contains(axis) {
            let group = groups.first { $0.input.contains(axis) }!
            arranged.insert(contentsOf: group.input, at: 0)
            outOrder.insert(contentsOf: group.output, at: 0)
        }
        var source = value.id
        if arranged != solid {
            let units = value.order.filter { from[$0] == 1 }
            source = fetch(input, order: units + arranged)
        }
        let order = Self.withUnits(outOrder, extents: to)
        alias(node, source, order: order, stored: order.map { to[$0] })
    }

    /// Inserts the axes of extent 1 so that the order is the identity or channels last where it can be.
    private static func withUnits(_ solid: [Int], extents: [Int]) -> [Int] {
        let rank = extents.count
        for candidate in [identity(rank), channelsLast(rank)] where candidate.filter({ extents[$0] != 1 }) == solid {
            return candidate
        }
        return identity(rank).filter { extents[$0] == 1 } + solid
    }

    /// Splits two shapes of as many elements into smallest runs of axes (extent 1 left out) with equal products.
    private static func groups(from: [Int], to: [Int]) -> [(input: [Int], output: [Int])]? {
        let a = from.indices.filter { from[$0] != 1 }
        let b = to.indices.filter { to[$0] != 1 }
        guard !from.contains(0), !to.contains(0) else { return nil }
        var (i, j) = (0, 0)
        var groups: [(input: [Int], output: [Int])] = []
        while i < a.count || j < b.count {
            guard i < a.count, j < b.count else { return nil }
            var (left, right) = ([a[i]], [b[j]])
            var (p, q) = (from[a[i]], to[b[j]])
            i += 1
            j += 1
            while p != q {
                if p < q {
                    guard i < a.count else { return nil }
                    p *= from[a[i]]
                    left.append(a[i])
                    i += 1
                } else {
                    guard j < b.count else { return nil }
                    q *= to[b[j]]
                    right.append(b[j])
                    j += 1
                }
            }
            groups.append((left, right))
        }
        return groups
    }
}
