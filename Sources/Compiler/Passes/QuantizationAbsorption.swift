import Graph

extension Graph {
    /// Turns QuantizeLinear/DequantizeLinear pairs into quantization annotations of values, so that models that arrive as
    /// QDQ, QLinear operators or TFLite look alike afterwards.
    ///
    /// - `DequantizeLinear(constant)` becomes a constant that keeps its integers.
    /// - `x → QuantizeLinear → q → DequantizeLinear → y`: `x` itself gets the annotation when nobody else reads it raw;
    ///   else an Identity with an annotated output stands for the rounding.
    /// - Operators that only move elements (Reshape, MaxPool, Concat …) applied to `q` move to the real side.
    /// - Graph inputs and outputs that are integers become annotated values; their ports keep the integer type.
    ///
    /// Nodes whose scale or zero point is not a constant stay as they are.
    public mutating func absorbQuantization() {
        var index = GraphIndex(self)
        var real: [ValueID: ValueID] = [:]
        var kept: [Node] = []
        let original = nodes

        func annotation(_ node: Node, storedType: ElementType, axis: Int, blockSize: Int, rank: Int) -> Quantization? {
            guard blockSize == 0, let scaleID = node.inputs[1], let scales = realConstant(scaleID) else { return nil }
            var zeros = [Int32](repeating: 0, count: scales.count)
            if node.inputs.count > 2, let zeroID = node.inputs[2] {
                guard let stored = integerConstant(zeroID), stored.count == scales.count else { return nil }
                zeros = stored.map { Int32(truncatingIfNeeded: $0) }
            }
            guard scales.allSatisfy({ $0.isNormal && $0 > 0 }) else { return nil }
            let isPerAxis = scales.count > 1
            return Quantization(
                elementType: storedType, scales: scales, zeroPoints: zeros,
                axis: isPerAxis ? (axis < 0 ? axis + rank : axis) : nil)
        }

        for node in original {
            if let op = node.op as? DequantizeLinear, let source = node.inputs[0], let target = node.outputs[0] {
                let storedType = self[source].elementType
                let rank = self[source].shape?.count ?? 0
                let quantization = annotation(
                    node, storedType: storedType, axis: op.axis, blockSize: op.blockSize, rank: rank)
                if let quantization, let tensor = self[source].constant, self[source].quantization == nil {
                    self[target].constant = tensor
                    self[target].quantization = quantization
                    self[target].shape = tensor.shape
                    continue
                }
                if let quantization, let known = real[source], self[known].quantization == quantization {
                    replaceUsesLater(&real, target, known)
                    continue
                }
                if let quantization, index.inputs.contains(source), real[source] == nil {
                    self[target].quantization = quantization
                    for port in inputs.indices where inputs[port].value == source { inputs[port].value = target }
                    real[source] = target
                    continue
                }
            }
            if let op = node.op as? QuantizeLinear, let source = node.inputs[0], let target = node.outputs[0] {
                let resolved = real[source] ?? source
                let rank = self[source].shape?.count ?? 0
                let quantization = annotation(
                    node, storedType: self[target].elementType, axis: op.axis, blockSize: op.blockSize, rank: rank)
                if let quantization, self[resolved].constant == nil {
                    let isOnlyReader = index.consumers[source]?.count == 1 && !index.outputs.contains(source)
                    if (self[resolved].quantization == nil && isOnlyReader) || self[resolved].quantization == quantization {
                        self[resolved].quantization = quantization
                        real[target] = resolved
                    } else {
                        let rounded = addValue(
                            Value(
                                name: freshName(self[source].name + "/quantized"), elementType: .float32,
                                shape: self[source].shape, quantization: quantization))
                        kept.append(
                            Node(
                                name: node.name, op: Identity(), inputs: [resolved], outputs: [rounded],
                                sourceOperator: node.sourceOperator))
                        real[target] = rounded
                    }
                    continue
                }
            }
            var moved = node
            moved.inputs = node.inputs.map { id in id.flatMap { known(real, $0) } ?? id }
            if let first = node.inputs.first, let source = first, let known = real[source],
                self[source].elementType != .float32, movesElementsOnly(node.op)
            {
                let quantization = self[known].quantization
                let dataInputs = node.op is Concat ? node.inputs : [first]
                let agree = dataInputs.allSatisfy { id in
                    id.flatMap { real[$0] }.map { self[$0].quantization == quantization } ?? false
                }
                if agree {
                    moved.inputs = node.inputs.map { id in id.flatMap { real[$0] } ?? id }
                    for case let output? in node.outputs where self[output].elementType == self[source].elementType {
                        let result = addValue(
                            Value(
                                name: freshName(self[output].name + "/real"), elementType: .float32,
                                shape: self[output].shape, quantization: quantization))
                        real[output] = result
                        moved.outputs = moved.outputs.map { $0 == output ? result : $0 }
                    }
                }
            }
            kept.append(moved)
        }
        nodes = kept
        for port in outputs.indices {
            if let resolved = real[outputs[port].value] { outputs[port].value = resolved }
        }
        index = GraphIndex(self)
        removeDeadNodes()
    }

    /// Records that `target` is `known`, without a node.
    private func replaceUsesLater(_ real: inout [ValueID: ValueID], _ target: ValueID, _ known: ValueID) {
        real[target] = known
    }

    /// The value to read instead of `id`, for reals only: integer values keep their own identity for readers that want them.
    private func known(_ real: [ValueID: ValueID], _ id: ValueID) -> ValueID? {
        self[id].elementType == .float32 ? real[id] : nil
    }

    /// Whether the operator only moves or selects elements, so that it commutes with quantization.
    private func movesElementsOnly(_ op: any Operator) -> Bool {
        switch op {
        case is Reshape, is Transpose, is Flatten, is Squeeze, is Unsqueeze, is Slice, is Concat, is Split, is Gather,
            is Expand, is Tile, is Identity, is DepthToSpace, is SpaceToDepth:
            true
        case let pool as Pool: if case .max = pool.kind { true } else { false }
        case let pool as GlobalPool: pool.kind == .max
        default: false
        }
    }
}
