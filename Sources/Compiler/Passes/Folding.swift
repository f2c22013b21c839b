import Graph

extension Graph {
    /// Rewrites that leave every output the same up to float rounding: identities removed, batch normalization and
    /// constant affine steps folded into the convolution before them, zero pads and rearrangements of space to depth into
    /// the convolution after them.
    public mutating func foldStructure() {
        removeIdentities()
        foldBatchNormalization()
        while foldAffineStep() {}
        while foldPad() {}
        while foldSpaceToDepth() {}
        removeDeadNodes()
    }

    // MARK: Identities

    private mutating func removeIdentities() {
        for node in nodes {
            guard let input = node.inputs.first ?? nil, let output = node.outputs.first ?? nil else { continue }
            let isIdentity =
                switch node.op {
                case is Identity, is Dropout: true
                case let op as Cast: self[input].elementType == op.to || (self[input].elementType.isFloatingPoint && op.to.isFloatingPoint)
                default: false
                }
            guard isIdentity, self[output].quantization == nil || self[output].quantization == self[input].quantization
            else { continue }
            if self[input].constant != nil, self[input].elementType != self[output].elementType { continue }
            let wasInput = inputs.contains { $0.value == input }
            if wasInput && outputs.contains(where: { $0.value == output }) { continue }
            replaceUses(of: output, with: input)
        }
        removeDeadNodes()
    }

    // MARK: Batch normalization

    /// y = scale · (x - mean) / sqrt(variance + epsilon) + bias, as a multiply and an add that the next fold takes in.
    private mutating func foldBatchNormalization() {
        var rewritten: [Node] = []
        for node in nodes {
            guard let op = node.op as? BatchNormalization, let x = node.inputs[0], let y = node.outputs[0],
                let scale = realConstant(node.inputs[1]), let bias = realConstant(node.inputs[2]),
                let mean = realConstant(node.inputs[3]), let variance = realConstant(node.inputs[4])
            else {
                rewritten.append(node)
                continue
            }
            let factor = zip(scale, variance).map { Float(Double($0) / (Double($1) + Double(op.epsilon)).squareRoot()) }
            let offset = scale.indices.map { Float(Double(bias[$0]) - Double(mean[$0]) * Double(factor[$0])) }
            let rank = extents(x).count
            var shape = [Int](repeating: 1, count: rank)
            shape[op.layout == .channelsLast ? rank - 1 : min(1, rank - 1)] = factor.count
            let product = addValue(
                Value(name: freshName(node.name + "/scaled"), elementType: .float32, shape: extents(x)))
            let k = addConstant(name: freshName(node.name + "/factor"), Tensor(factor, shape: shape))
            let b = addConstant(name: freshName(node.name + "/offset"), Tensor(offset, shape: shape))
            rewritten.append(
                Node(name: node.name + "/mul", op: Binary(.mul), inputs: [x, k], outputs: [product], sourceOperator: node.sourceOperator))
            rewritten.append(
                Node(name: node.name, op: Binary(.add), inputs: [product, b], outputs: [y], sourceOperator: node.sourceOperator))
        }
        nodes = rewritten
    }

    // MARK: Affine steps

    /// Folds one `conv → (mul | add | sub | div) constant per channel`; false when there is none left.
    private mutating func foldAffineStep() -> Bool {
        let index = GraphIndex(self)
        for (position, node) in nodes.enumerated() {
            guard let step = node.op as? Binary, let output = node.outputs[0],
                let (variable, values) = affineOperands(node, step.function),
                let producer = index.producer[variable], index.soleConsumer(of: variable) == position,
                self[variable].quantization == nil,
                let channels = outputChannels(of: nodes[producer]),
                let perChannel = perChannel(values, shape: self[variable].shape ?? [], channels: channels, producer: nodes[producer]),
                var (weights, bias) = parameters(of: nodes[producer], channels: channels)
            else { continue }
            switch step.function {
            case .add: for c in 0..<channels { bias[c] += perChannel[c] }
            case .sub: for c in 0..<channels { bias[c] -= perChannel[c] }
            case .mul, .div:
                let factors = step.function == .mul ? perChannel : perChannel.map { 1 / $0 }
                scale(&weights, by: factors, of: nodes[producer])
                for c in 0..<channels { bias[c] *= factors[c] }
            default: continue
            }
            let weightShape = self[nodes[producer].inputs[1]!].constant!.shape
            let base = nodes[producer].name
            let w = addConstant(name: freshName(base + "/weights"), Tensor(weights, shape: weightShape))
            let b = addConstant(name: freshName(base + "/bias"), Tensor(bias, shape: [channels]))
            nodes[producer].inputs = [nodes[producer].inputs[0], w, b]
            nodes[producer].outputs = [output]
            nodes.remove(at: position)
            return true
        }
        return false
    }

    private func affineOperands(_ node: Node, _ function: Binary.Function) -> (ValueID, (values: [Float], shape: [Int]))? {
        guard let a = node.inputs[0], let b = node.inputs[1] else { return nil }
        if let values = realConstant(b) { return (a, (values, extents(b))) }
        if function == .add || function == .mul, let values = realConstant(a) { return (b, (values, extents(a))) }
        return nil
    }

    /// Output channels of a convolution or Gemm with constant float parameters that no other node shares in part.
    private func outputChannels(of node: Node) -> Int? {
        guard node.inputs.count >= 2, let w = node.inputs[1], let weights = self[w].constant, self[w].quantization == nil,
            weights.elementType == .float32
        else { return nil }
        switch node.op {
        case is Conv: return weights.shape[0]
        case let op as ConvTranspose: return weights.shape[1] * op.groups
        case let op as Gemm where op.alpha == 1 && op.beta == 1 && !op.transA:
            return op.transB ? weights.shape[0] : weights.shape[1]
        default: return nil
        }
    }

    private func parameters(of node: Node, channels: Int) -> (weights: [Float], bias: [Float])? {
        guard let weights = realConstant(node.inputs[1]) else { return nil }
        guard node.inputs.count > 2, let biasID = node.inputs[2] else {
            return (weights, [Float](repeating: 0, count: channels))
        }
        guard let bias = realConstant(biasID) else { return nil }
        if bias.count == channels { return (weights, bias) }
        return bias.count == 1 ? (weights, [Float](repeating: bias[0], count: channels)) : nil
    }

    /// The constant as one number a channel of the producer's output, if it varies along no other axis.
    private func perChannel(
        _ constant: (values: [Float], shape: [Int]), shape: [Int], channels: Int, producer: Node
    ) -> [Float]? {
        if constant.values.count == 1 { return [Float](repeating: constant.values[0], count: channels) }
        let axis: Int =
            switch ChannelsLastPass.layout(of: producer.op) {
            case .channelsFirst?: 1
            case .channelsLast?: shape.count - 1
            case nil: shape.count - 1
            }
        let padded = [Int](repeating: 1, count: max(0, shape.count - constant.shape.count)) + constant.shape
        guard padded.count == shape.count, padded[axis] == channels, constant.values.count == channels else { return nil }
        return constant.values
    }

    private func scale(_ weights: inout [Float], by factors: [Float], of node: Node) {
        let shape = self[node.inputs[1]!].constant!.shape
        switch node.op {
        case is Conv:
            let inner = weights.count / shape[0]
            for i in weights.indices { weights[i] *= factors[i / inner] }
        case let op as ConvTranspose:
            let taps = shape[2...].reduce(1, *)
            let inputsPerGroup = shape[0] / op.groups
            for i in weights.indices {
                let (input, output) = (i / taps / shape[1], i / taps % shape[1])
                weights[i] *= factors[input / inputsPerGroup * shape[1] + output]
            }
        default:
            let isTransposed = (node.op as? Gemm)?.transB ?? false
            for i in weights.indices { weights[i] *= factors[isTransposed ? i / shape[1] : i % shape[1]] }
        }
    }

    // MARK: Pads

    /// Folds one zero Pad of rows and columns into the convolution that alone reads it; false when there is none left.
    private mutating func foldPad() -> Bool {
        let index = GraphIndex(self)
        for (position, node) in nodes.enumerated() {
            guard let pad = node.op as? Pad, pad.mode == .constant, let x = node.inputs[0], let y = node.outputs[0],
                let reader = index.soleConsumer(of: y), let conv = nodes[reader].op as? Conv, nodes[reader].inputs[0] == y,
                let pads = integerConstant(node.inputs[1]), node.inputs.count < 4 || node.inputs[3] == nil,
                self[y].quantization == self[x].quantization
            else { continue }
            if node.inputs.count > 2, let fill = node.inputs[2] {
                guard let value = realConstant(fill), value.allSatisfy({ $0 == 0 }) else { continue }
            }
            let rank = extents(x).count
            let spatial = conv.layout == .channelsLast ? Array(1..<rank - 1) : Array(2..<rank)
            let others = (0..<rank).filter { !spatial.contains($0) }
            guard pads.count == 2 * rank, pads.allSatisfy({ $0 >= 0 }),
                others.allSatisfy({ pads[$0] == 0 && pads[rank + $0] == 0 }),
                let old = conv.explicitPadding(input: extents(y), weights: extents(nodes[reader].inputs[1]!))
            else { continue }
            var merged = conv
            merged.padding = .explicit(
                spatial.enumerated().map { old[$0.offset] + pads[$0.element] }
                    + spatial.enumerated().map { old[spatial.count + $0.offset] + pads[rank + $0.element] })
            nodes[reader].op = merged
            nodes[reader].inputs[0] = x
            nodes.remove(at: position)
            return true
        }
        return false
    }
}

extension Conv {
    /// Begins, then ends, of the padding in pixels for the given extents (ONNX specification, `auto_pad`).
    func explicitPadding(input: [Int], weights: [Int]) -> [Int]? {
        let spatial = layout == .channelsLast ? Array(input[1..<input.count - 1]) : Array(input[2...])
        return resolvePadding(
            padding, extents: spatial, kernel: Array(weights[2...]), strides: strides, dilations: dilations)
    }
}

/// Explicit pads for `padding`: begins, then ends (ONNX specification, `auto_pad`).
func resolvePadding(_ padding: Padding, extents: [Int], kernel: [Int], strides: [Int], dilations: [Int]) -> [Int] {
    switch padding {
    case .explicit(let pads): return pads
    case .valid: return [Int](repeating: 0, count: 2 * extents.count)
    case .sameUpper, .sameLower:
        var begins: [Int] = []
        var ends: [Int] = []
        for axis in extents.indices {
            let stride = strides.isEmpty ? 1 : strides[axis]
            let reach = (kernel[axis] - 1) * (dilations.isEmpty ? 1 : dilations[axis]) + 1
            let outputs = (extents[axis] + stride - 1) / stride
            let total = max(0, (outputs - 1) * stride + reach - extents[axis])
            let small = total / 2
            begins.append(padding == .sameUpper ? small : total - small)
            ends.append(padding == .sameUpper ? total - small : small)
        }
        return begins + ends
    }
}
