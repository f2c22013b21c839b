import Graph

extension Graph {
    /// A channels-last image rearranged from space to depth: channel `k * C + c` of the result holds channel c of the
    /// pixels at offset `offsets[k]` of each block of `block` x `block` pixels.
    private struct Rearrangement {
        var source: ValueID
        var block: Int
        var offsets: [(y: Int, x: Int)]
        /// Quantization that the way from `source` to the result rounds to, if any.
        var quantization: Quantization?
    }

    /// Folds one rearrangement from space to depth (SpaceToDepth, or a Concat of slices that take every n-th row and
    /// column, the "focus" of YOLO networks) into the convolution that alone reads it: a kernel of k x k blocks with
    /// stride s on blocks is one of nk x nk pixels with stride ns, the same products in another order. False when there
    /// is none left.
    mutating func foldSpaceToDepth() -> Bool {
        let index = GraphIndex(self)
        for (position, node) in nodes.enumerated() {
            guard let conv = node.op as? Conv, conv.layout == .channelsLast, conv.groups == 1,
                conv.dilations.allSatisfy({ $0 == 1 }), let x = node.inputs[0], extents(x).count == 4,
                index.soleConsumer(of: x) == position, let weightsID = node.inputs[1],
                let weights = self[weightsID].constant, (self[weightsID].quantization?.axis ?? 0) == 0,
                let rearranged = rearrangement(x, index),
                let padding = conv.explicitPadding(input: extents(x), weights: weights.shape)
            else { continue }
            let n = rearranged.block
            var source = rearranged.source
            if let quantization = rearranged.quantization, self[source].quantization != quantization {
                guard self[source].quantization == nil else { continue }
                let rounded = addValue(
                    Value(
                        name: freshName(self[source].name + "/quantized"), elementType: self[source].elementType,
                        shape: extents(source), quantization: quantization))
                nodes.insert(
                    Node(
                        name: self[rearranged.source].name, op: Identity(), inputs: [source], outputs: [rounded],
                        sourceOperator: "QuantizeLinear"), at: position)
                source = rounded
            }
            let reader = source == rearranged.source ? position : position + 1
            let merged = addConstant(
                name: freshName(self[weightsID].name + "/pixels"), weightsOverPixels(weights, rearranged),
                quantization: self[weightsID].quantization)
            nodes[reader].op = Conv(
                strides: (conv.strides.isEmpty ? [1, 1] : conv.strides).map { n * $0 }, dilations: conv.dilations,
                padding: .explicit(padding.map { n * $0 }), groups: 1, layout: .channelsLast)
            nodes[reader].inputs[0] = source
            nodes[reader].inputs[1] = merged
            return true
        }
        return false
    }

    private func rearrangement(_ x: ValueID, _ index: GraphIndex) -> Rearrangement? {
        guard let producer = index.producer[x] else { return nil }
        let node = nodes[producer]
        let shape = extents(x)
        if let op = node.op as? SpaceToDepth, op.layout == .channelsLast, op.blockSize > 1, let source = node.inputs[0] {
            return Rearrangement(
                source: source, block: op.blockSize,
                offsets: (0..<op.blockSize * op.blockSize).map { ($0 / op.blockSize, $0 % op.blockSize) },
                quantization: self[x].quantization)
        }
        guard let op = node.op as? Concat, op.axis == 3 || op.axis == -1, node.inputs.count > 1 else { return nil }
        var result: Rearrangement?
        var roundings: [Quantization?] = []
        for case let input? in node.inputs {
            guard let slice = slices(input, index) else { return nil }
            let source = extents(slice.source)
            let block = slice.parts[1].step
            guard block > 1, slice.parts[2].step == block, source.count == 4, source[1] == block * shape[1],
                source[2] == block * shape[2], slice.parts[1].count == shape[1], slice.parts[2].count == shape[2],
                [0, 3].allSatisfy({ slice.parts[$0] == Slice.Part(start: 0, step: 1, count: source[$0]) })
            else { return nil }
            if result == nil { result = Rearrangement(source: slice.source, block: block, offsets: []) }
            guard result?.source == slice.source, result?.block == block else { return nil }
            result?.offsets.append((slice.parts[1].start, slice.parts[2].start))
            roundings.append(slice.quantization)
        }
        // All pixels of a block, each once.
        guard var result, Set(result.offsets.map { $0.y * result.block + $0.x }).count == result.offsets.count,
            result.offsets.count == result.block * result.block
        else { return nil }
        // Each value is rounded once, the same way: in every slice, or at the end.
        let end = self[x].quantization
        let roundsSlices = roundings[0] != nil
        guard roundings.allSatisfy({ $0 == roundings[0] }), !roundsSlices || end == nil || end == roundings[0] else {
            return nil
        }
        result.quantization = end ?? roundings[0]
        return result
    }

    /// The value that slices were taken of, one after the other, to make `id`; what they take together; and the
    /// quantization of the results, if any has one. Shape inference has accepted the slices' operands, so `parts` has
    /// nothing left to throw.
    private func slices(
        _ id: ValueID, _ index: GraphIndex
    ) -> (source: ValueID, parts: [Slice.Part], quantization: Quantization?)? {
        var source = id
        var parts = extents(id).map { Slice.Part(start: 0, step: 1, count: $0) }
        var quantization: Quantization?
        while let producer = index.producer[source], let slice = nodes[producer].op as? Slice,
            let input = nodes[producer].inputs[0],
            let taken = try? slice.parts(
                nodes[producer].inputs.map { id in
                    id.map { InputFacts(type: TensorType(self[$0].elementType, self[$0].shape), constant: self[$0].constant) }
                })
        {
            if let own = self[source].quantization {
                guard quantization == nil || quantization == own else { return nil }
                quantization = own
            }
            guard taken.count == parts.count, taken.allSatisfy({ $0.step > 0 }) else { return nil }
            for axis in parts.indices {
                parts[axis].start = taken[axis].start + parts[axis].start * taken[axis].step
                parts[axis].step *= taken[axis].step
            }
            source = input
        }
        return source == id ? nil : (source, parts, quantization)
    }

    /// Weights [out, n * n * C, height, width] over blocks as weights [out, C, n * height, n * width] over pixels.
    private func weightsOverPixels(_ weights: Tensor, _ rearranged: Rearrangement) -> Tensor {
        let n = rearranged.block
        let (outputs, height, width) = (weights.shape[0], weights.shape[2], weights.shape[3])
        let channels = weights.shape[1] / rearranged.offsets.count
        let size = weights.elementType.byteCount
        return withExtendedLifetime(weights) {
            let source = weights.unsafeBytes
            return Tensor(unsafeUninitialized: weights.elementType, shape: [outputs, channels, n * height, n * width]) { target in
                for o in 0..<outputs {
                    for (k, offset) in rearranged.offsets.enumerated() {
                        for c in 0..<channels {
                            for y in 0..<height {
                                for x in 0..<width {
                                    let from = ((o * weights.shape[1] + k * channels + c) * height + y) * width + x
                                    let row = (o * channels + c) * n * height + n * y + offset.y
                                    let to = row * n * width + n * x + offset.x
                                    for byte in 0..<size { target[to * size + byte] = source[from * size + byte] }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
