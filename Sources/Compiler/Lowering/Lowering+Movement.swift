import Engine
import Graph
import NestFormat

extension Lowering {
    // MARK: Concat without copies

    /// Decides which values are written straight into the output of the concat that reads them.
    func chooseSlots() {
        for node in graph.nodes {
            guard let op = node.op as? Concat, let output = node.outputs[0] else { continue }
            let shape = graph.extents(output)
            let axis = op.axis < 0 ? op.axis + shape.count : op.axis
            let isChannelSlice = axis == shape.count - 1 && shape.count > 1
            let isLeading = shape[..<axis].allSatisfy { $0 == 1 }
            guard isChannelSlice || isLeading else { continue }
            var position = 0
            for input in node.inputs {
                guard let id = input else { continue }
                let extent = graph.extents(id)[axis]
                let start = position
                position += extent * (isChannelSlice ? 1 : shape[(axis + 1)...].reduce(1, *))
                guard graph[id].constant == nil, slots[id] == nil, !index.inputs.contains(id), !index.outputs.contains(id),
                    node.inputs.filter({ $0 == id }).count == 1, graph[id].quantization == graph[output].quantization,
                    storedType(id) == storedType(output), let producer = index.producer[id],
                    writesStrided(graph.nodes[producer], isContiguous: !isChannelSlice)
                else { continue }
                slots[id] = (output, start, isChannelSlice)
            }
        }
    }

    /// Whether an operator's result can go anywhere; views of other values can't, they are where those are.
    private func writesStrided(_ node: Node, isContiguous: Bool) -> Bool {
        switch node.op {
        case is Conv, is ConvTranspose, is Binary, is Unary, is Clip, is UnaryComposite, is Pool, is Resize, is Concat,
            is Gemm, is MatMul, is Transpose, is Pad, is DepthToSpace, is SpaceToDepth, is Expand, is Tile, is Where:
            true
        case is GlobalPool, is Reduce, is Softmax, is ArgReduce, is Cast, is Gather: isContiguous
        // A table, unless it changes nothing.
        case is Identity: graph[node.inputs[0]!].quantization != graph[node.outputs[0]!].quantization
        default: false
        }
    }

    func lowerConcat(_ node: Node, _ op: Concat) {
        let output = node.outputs[0]!
        let shape = graph.extents(output)
        let axis = op.axis < 0 ? op.axis + shape.count : op.axis
        let target = destination(output)
        let strides = target.strides
        var position = 0
        for case let id? in node.inputs {
            let extents = graph.extents(id)
            let start = position
            position += extents[axis]
            if let slot = slots[id], slot.parent == output { continue }
            guard extents.reduce(1, *) > 0 else { continue }
            var part = location(of: id)
            if graph[id].quantization != graph[output].quantization || part.type != target.type {
                part = converted(id, to: output)
            }
            emitCopy(
                extents: extents, bytes: part.type.byteCount, source: part, sourceStrides: part.strides, target: target,
                targetElements: start * strides[axis], targetStrides: strides)
        }
    }

    /// The value in the type and quantization of another.
    private func converted(_ id: ValueID, to other: ValueID) -> Location {
        let place = location(of: id)
        guard let target = Int8Parameters(graph[other].quantization) else { return real(id) }
        if let own = Int8Parameters(graph[id].quantization), place.type == .int8 {
            let result = newLocation(type: .int8, shape: place.shape)
            emitTable(own.codebook.map(target.code), from: place, to: result, name: (currentNode?.name ?? "") + "/requantize")
            return result
        }
        let value = dense(real(id))
        let result = newLocation(type: .int8, shape: value.shape)
        emit(
            .convert(
                Convert(
                    from: .float32, to: .int8, count: value.count, inputOffset: absolute(value),
                    outputOffset: absolute(result), inverseScale: 1 / target.scale, zeroPoint: target.zeroPoint)),
            reads: [value], writes: [result], name: (currentNode?.name ?? "") + "/quantize")
        return result
    }

    // MARK: Views

    /// Reshape and its like: the same bytes where they lie.
    func lowerView(_ node: Node) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        var place = location(of: x)
        if graph[x].quantization != graph[y].quantization || place.type != storedType(y) {
            place = storedType(y) == .float32 && place.type != .float32 ? real(x) : converted(x, to: y)
        }
        let shape = graph.extents(y)
        if !place.isDense, shape.last != place.shape.last { place = dense(place) }
        if place.isDense { place.pixelStride = shape.last ?? 1 }
        place.shape = shape
        if slots[y] != nil {
            copy(from: place, to: destination(y))
        } else {
            locations[y] = place
        }
    }

    /// Gives `id` a part of another value: where it lies when it can be seen as pixels, else a copy.
    private func take(
        _ id: ValueID, from input: ValueID, start: [Int], step: [Int]
    ) {
        let isSame = graph[id].quantization == graph[input].quantization
        let source = isSame ? location(of: input) : converted(input, to: id)
        let shape = graph.extents(id)
        let strides = source.strides
        let first = zip(start, strides).map(*).reduce(0, +)
        let isUnit = step.allSatisfy { $0 == 1 }
        let last = shape.count - 1
        let isWholeBelow = { (axis: Int) in (axis + 1..<shape.count).allSatisfy { shape[$0] == source.shape[$0] } }
        let cut = shape.indices.filter { shape[$0] != source.shape[$0] }
        if isUnit, slots[id] == nil {
            if cut.isEmpty || cut == [last] || (cut.count == 1 && shape[..<cut[0]].allSatisfy({ $0 == 1 }) && isWholeBelow(cut[0])) {
                var view = source
                view.offset += first * source.type.byteCount
                view.shape = shape
                if cut == [last] { view.pixelStride = source.isDense ? source.channels : source.pixelStride }
                locations[id] = view
                return
            }
        }
        let moved = zip(strides, step).map(*)
        let target = destination(id)
        emitCopy(
            extents: shape, bytes: source.type.byteCount, source: source, sourceElements: first, sourceStrides: moved,
            target: target, targetStrides: target.strides)
    }

    func lowerSlice(_ node: Node) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let shape = graph.extents(x)
        guard let starts = graph.integerConstant(node.inputs[1]) else {
            return problem(node, "input 1 (starts)", "a constant", "a value computed at run time")
        }
        let axes = node.inputs.count > 3 ? graph.integerConstant(node.inputs[3]) : nil
        let steps = node.inputs.count > 4 ? graph.integerConstant(node.inputs[4]) : nil
        var (start, step) = ([Int](repeating: 0, count: shape.count), [Int](repeating: 1, count: shape.count))
        for (position, axis) in (axes ?? Array(starts.indices)).enumerated() {
            let axis = axis < 0 ? axis + shape.count : axis
            step[axis] = steps?[position] ?? 1
            let from = starts[position] < 0 ? starts[position] + shape[axis] : starts[position]
            start[axis] = max(0, min(step[axis] > 0 ? shape[axis] : shape[axis] - 1, from))
        }
        take(y, from: x, start: start, step: step)
    }

    func lowerSplit(_ node: Node, _ op: Split) {
        let x = node.inputs[0]!
        let shape = graph.extents(x)
        let axis = op.axis < 0 ? op.axis + shape.count : op.axis
        var start = [Int](repeating: 0, count: shape.count)
        for output in node.outputs {
            guard let output else { continue }
            take(output, from: x, start: start, step: [Int](repeating: 1, count: shape.count))
            start[axis] += graph.extents(output)[axis]
        }
    }

    // MARK: Copies

    /// A copy with other strides; the annotation must not change.
    private func rearrange(
        _ node: Node, extents: [Int], sourceStrides: (Location) -> [Int], targetStrides: (Location) -> [Int]
    ) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        var source = location(of: x)
        if graph[x].quantization != graph[y].quantization { source = converted(x, to: y) }
        let target = destination(y)
        emitCopy(
            extents: extents, bytes: source.type.byteCount, source: source, sourceStrides: sourceStrides(source),
            target: target, targetStrides: targetStrides(target))
    }

    func lowerTranspose(_ node: Node, _ op: Transpose) {
        let rank = graph.extents(node.inputs[0]!).count
        let order = op.permutation ?? Array((0..<rank).reversed())
        rearrange(
            node, extents: graph.extents(node.outputs[0]!), sourceStrides: { source in order.map { source.strides[$0] } },
            targetStrides: \.strides)
    }

    func lowerExpand(_ node: Node) {
        let shape = graph.extents(node.outputs[0]!)
        rearrange(
            node, extents: shape,
            sourceStrides: { self.broadcastStrides($0.shape, $0.strides, to: shape) }, targetStrides: \.strides)
    }

    func lowerTile(_ node: Node) {
        let (from, to) = (graph.extents(node.inputs[0]!), graph.extents(node.outputs[0]!))
        let extents = from.indices.flatMap { [to[$0] / max(1, from[$0]), from[$0]] }
        rearrange(
            node, extents: extents, sourceStrides: { $0.strides.flatMap { [0, $0] } },
            targetStrides: { target in target.strides.indices.flatMap { [target.strides[$0] * from[$0], target.strides[$0]] } })
    }

    /// Depth [.., block row, block column, c] to rows and columns (ONNX DepthToSpace; `crd` has the channel first).
    func lowerDepthToSpace(_ node: Node, _ op: DepthToSpace) {
        let (from, to) = (graph.extents(node.inputs[0]!), graph.extents(node.outputs[0]!))
        let (b, depth) = (op.blockSize, to[3])
        rearrange(
            node, extents: [from[0], from[1], b, from[2], b, depth],
            sourceStrides: { source in
                let s = source.strides
                let (blockRow, blockColumn, channel) = op.mode == .dcr ? (b * depth, depth, 1) : (b, 1, b * b)
                return [s[0], s[1], blockRow, s[2], blockColumn, channel]
            },
            targetStrides: { target in
                let s = target.strides
                return [s[0], s[1] * b, s[1], s[2] * b, s[2], s[3]]
            })
    }

    func lowerSpaceToDepth(_ node: Node, _ op: SpaceToDepth) {
        let (from, to) = (graph.extents(node.inputs[0]!), graph.extents(node.outputs[0]!))
        let (b, depth) = (op.blockSize, from[3])
        rearrange(
            node, extents: [to[0], to[1], b, to[2], b, depth],
            sourceStrides: { source in
                let s = source.strides
                return [s[0], s[1] * b, s[1], s[2] * b, s[2], s[3]]
            },
            targetStrides: { target in
                let s = target.strides
                return [s[0], s[1], b * depth, s[2], depth, 1]
            })
    }

    func lowerPad(_ node: Node, _ op: Pad) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        guard op.mode == .constant, let pads = graph.integerConstant(node.inputs[1]) else {
            return problem(
                node, "attribute mode", "constant, with constant pads", op.mode.rawValue,
                "Export the model with zero padding, or put the padding into preprocessing.")
        }
        let (from, to) = (graph.extents(x), graph.extents(y))
        let value = node.inputs.count > 2 && node.inputs[2] != nil ? graph.realConstant(node.inputs[2])?.first ?? 0 : 0
        guard pads.count == 2 * from.count, pads.allSatisfy({ $0 >= 0 }) else {
            return problem(node, "input 1 (pads)", "\(2 * from.count) non-negative numbers", "\(pads)")
        }
        var source = location(of: x)
        if graph[x].quantization != graph[y].quantization { source = converted(x, to: y) }
        writingDense(y) { target in
            let pattern: UInt32
            switch target.type {
            case .int8: pattern = UInt32(UInt8(bitPattern: Int8Parameters(graph[y].quantization)?.code(value) ?? Int8(value)))
            case .int32: pattern = UInt32(bitPattern: Int32(value))
            default: pattern = value.bitPattern
            }
            emit(
                .fill(
                    Fill(
                        elementBytes: target.type.byteCount, count: target.count, offset: absolute(target), pattern: pattern)),
                reads: [], writes: [target])
            let strides = target.strides
            emitCopy(
                extents: from, bytes: target.type.byteCount, source: source, sourceStrides: source.strides, target: target,
                targetElements: from.indices.map { pads[$0] * strides[$0] }.reduce(0, +), targetStrides: strides)
        }
        precondition(to.count == from.count, "pad keeps the rank")
    }

    // MARK: Gathers

    func lowerGather(_ node: Node, _ op: Gather) {
        let (x, indices, y) = (node.inputs[0]!, node.inputs[1]!, node.outputs[0]!)
        let shape = graph.extents(x)
        let axis = op.axis < 0 ? op.axis + shape.count : op.axis
        guard graph[x].quantization == graph[y].quantization else {
            return problem(node, "quantization of the output", "that of the input", "another one")
        }
        if let constants = graph.integerConstant(indices), constants.count <= 64 {
            let source = location(of: x)
            let target = destination(y)
            let inner = Array(shape[(axis + 1)...])
            let extents = Array(shape[..<axis]) + inner
            let targetDense = target.strides
            let indexRank = graph.extents(indices).count
            let outer = Array(targetDense[..<axis]) + Array(targetDense[(axis + indexRank)...])
            for (place, index) in constants.enumerated() {
                let index = index < 0 ? index + shape[axis] : index
                let step = indexRank == 0 ? 0 : targetDense[axis + indexRank - 1]
                emitCopy(
                    extents: extents.isEmpty ? [1] : extents, bytes: source.type.byteCount, source: source,
                    sourceElements: index * source.strides[axis],
                    sourceStrides: extents.isEmpty ? [1] : Array(source.strides[..<axis]) + Array(source.strides[(axis + 1)...]),
                    target: target, targetElements: place * step, targetStrides: extents.isEmpty ? [1] : outer)
            }
            return
        }
        guard shape[..<axis].allSatisfy({ $0 == 1 }), graph[indices].elementType == .int64 || graph[indices].elementType == .int32 else {
            return problem(
                node, "gather by run-time indices", "along the first axis that is not 1", "axis \(axis) of \(shape)",
                "Transpose the data so that the gathered axis comes first.")
        }
        emitGather(node, x, indices, y, depth: 1, extents: [shape[axis]], inner: shape[(axis + 1)...].reduce(1, *))
    }

    func lowerGatherND(_ node: Node, _ op: GatherND) {
        let (x, indices, y) = (node.inputs[0]!, node.inputs[1]!, node.outputs[0]!)
        let shape = graph.extents(x)
        let depth = graph.extents(indices).last ?? 0
        guard op.batchDims == 0, depth > 0, depth <= shape.count, graph[x].quantization == graph[y].quantization else {
            return problem(
                node, "GatherND", "batch_dims 0 and equal quantization of data and output", "batch_dims \(op.batchDims)",
                "Write the batch axis into the indices.")
        }
        emitGather(
            node, x, indices, y, depth: depth, extents: Array(shape[..<depth]), inner: shape[depth...].reduce(1, *))
    }

    private func emitGather(
        _ node: Node, _ x: ValueID, _ indices: ValueID, _ y: ValueID, depth: Int, extents: [Int], inner: Int
    ) {
        let source = dense(location(of: x))
        let tuples = dense(location(of: indices))
        guard tuples.type == .int32 else {
            return problem(node, "input 1 (indices)", "int32 or int64", "\(graph[indices].elementType)")
        }
        let bytes = source.type.byteCount
        var strides = [Int](repeating: inner * bytes, count: depth)
        for axis in extents.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * extents[axis + 1] }
        writingDense(y) { target in
            emit(
                .gatherSlices(
                    GatherSlices(
                        dataOffset: absolute(source), indicesOffset: absolute(tuples), outputOffset: absolute(target),
                        count: tuples.count / depth, sliceBytes: inner * bytes, extents: extents, strides: strides)),
                reads: [source, tuples], writes: [target])
        }
    }
}

extension Graph {
    /// The node that rounds input `input` of the concat at `position` to `quantization`; the concat reads its result.
    private mutating func requantization(before position: Int, input: Int, _ quantization: Quantization) -> Node {
        let id = nodes[position].inputs[input]!
        var value = self[id]
        let producer = nodes.first { $0.outputs.contains(id) }
        // Behind a convolution it is part of that layer, and goes by its name.
        let isPart = producer.map { $0.op is Conv || $0.op is ConvTranspose || $0.op is Gemm || $0.op is MatMul || $0.op is Binary } ?? false
        value.name = freshName(value.name + "/requantized")
        value.quantization = quantization
        let requantized = addValue(value)
        nodes[position].inputs[input] = requantized
        return Node(
            name: isPart ? producer!.name : nodes[position].name + "/requantize", op: Identity(), inputs: [id],
            outputs: [requantized], sourceOperator: nodes[position].sourceOperator)
    }

    /// Gives concats inputs of their own quantization: what rounds a value again becomes a node, which then joins the
    /// operation that makes the value or writes where the concat wants it. Not for TFLite, whose QUANTIZE rounds otherwise.
    mutating func requantizeBeforeConcats() {
        guard integerRounding != .tfLite else { return }
        var position = 0
        while position < nodes.count {
            defer { position += 1 }
            guard nodes[position].op is Concat, let output = nodes[position].outputs[0],
                let quantization = self[output].quantization, Int8Parameters(quantization) != nil
            else { continue }
            for input in nodes[position].inputs.indices {
                guard let id = nodes[position].inputs[input], self[id].constant == nil, let own = self[id].quantization,
                    Int8Parameters(own) != nil, own != quantization
                else { continue }
                nodes.insert(requantization(before: position, input: input, quantization), at: position)
                position += 1
            }
        }
    }
}
