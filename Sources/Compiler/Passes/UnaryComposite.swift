import Graph

/// Several elementwise nodes that together are a function of one tensor (SiLU written as x · sigmoid(x), h-swish written
/// as add, clip, multiply, divide …). Its steps read the tensor or earlier steps; constants are scalars.
public struct UnaryComposite: Operator {
    /// Where a step's operand comes from.
    public enum Operand: Sendable {
        case root
        case step(Int)
        case constant(Tensor)
        case absent
    }
    public struct Step: Sendable {
        public var op: any Operator
        public var operands: [Operand]
    }

    public var steps: [Step]

    public var name: String { steps.map(\.op.name).joined(separator: "+") }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        guard let input = inputs.first ?? nil else {
            throw OperatorError(subject: "input 0", expected: "a tensor", found: "none")
        }
        return [input.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        guard let root = inputs.first ?? nil else {
            throw OperatorError(subject: "input 0", expected: "a tensor", found: "none")
        }
        var results: [Tensor] = []
        for step in steps {
            var operands: [Tensor?] = []
            for operand in step.operands {
                switch operand {
                case .root: operands.append(root)
                case .step(let index): operands.append(results[index])
                case .constant(let tensor): operands.append(tensor)
                case .absent: operands.append(nil)
                }
            }
            results.append(try step.op.evaluate(operands)[0])
        }
        return [results[results.count - 1]]
    }
}

extension Graph {
    /// Replaces elementwise trees that read one unquantized tensor and scalars by one `UnaryComposite`, so that
    /// quantization sees (and a table computes) the whole function at once.
    public mutating func composeUnaryFunctions() {
        while composeOne() {}
        removeDeadNodes()
    }

    private static func isElementwise(_ op: any Operator) -> Bool {
        switch op {
        case is Unary, is Clip, is UnaryComposite: true
        case let op as Binary:
            switch op.function {
            case .add, .sub, .mul, .div, .pow, .prelu, .squaredDifference: true
            default: false
            }
        case let op as Variadic: op.function == .max || op.function == .min || op.function == .sum
        default: false
        }
    }

    /// Finds the last node of a tree with at least two elementwise nodes over one root; nil when the tree is not such.
    private func tree(endingAt position: Int, _ index: GraphIndex) -> (root: ValueID, members: [Int])? {
        var members: Set<Int> = [position]
        // Grow upwards: a producer joins when all readers of its output are members.
        var changed = true
        while changed {
            changed = false
            for member in members {
                for case let input? in nodes[member].inputs where self[input].constant == nil {
                    guard let producer = index.producer[input], !members.contains(producer),
                        Self.isElementwise(nodes[producer].op), self[input].quantization == nil,
                        !index.outputs.contains(input),
                        (index.consumers[input] ?? []).allSatisfy({ members.contains($0) })
                    else { continue }
                    members.insert(producer)
                    changed = true
                }
            }
        }
        // The largest set may reach past the root where paths meet; shrink to those fed by one value.
        let ordered = members.sorted()
        for start in ordered.indices {
            let subset = Set(ordered[start...])
            var leaves: Set<ValueID> = []
            var isScalar = true
            for member in subset {
                for case let input? in nodes[member].inputs {
                    if let constant = self[input].constant {
                        if constant.count != 1 || self[input].quantization != nil { isScalar = false }
                    } else if !(index.producer[input].map(subset.contains) ?? false) {
                        leaves.insert(input)
                    }
                }
            }
            let isClosed = subset.allSatisfy { member in
                member == position
                    || nodes[member].outputs.allSatisfy { id in
                        id.map { (index.consumers[$0] ?? []).allSatisfy(subset.contains) } ?? true
                    }
            }
            if isScalar, isClosed, leaves.count == 1, subset.count >= 2,
                extents(leaves.first!) == extents(nodes[position].outputs[0]!)
            {
                return (leaves.first!, subset.sorted())
            }
        }
        return nil
    }

    private mutating func composeOne() -> Bool {
        let index = GraphIndex(self)
        for position in nodes.indices.reversed() where Self.isElementwise(nodes[position].op) {
            guard let output = nodes[position].outputs[0], self[output].elementType == .float32,
                let (root, members) = tree(endingAt: position, index)
            else { continue }
            var steps: [UnaryComposite.Step] = []
            var places: [ValueID: Int] = [:]
            for member in members {
                let operands = nodes[member].inputs.map { id -> UnaryComposite.Operand in
                    guard let id else { return .absent }
                    if id == root { return .root }
                    if let place = places[id] { return .step(place) }
                    return .constant(self[id].constant!)
                }
                places[nodes[member].outputs[0]!] = steps.count
                steps.append(.init(op: nodes[member].op, operands: operands))
            }
            let last = nodes[position]
            nodes[position] = Node(
                name: last.name, op: UnaryComposite(steps: steps), inputs: [root], outputs: [output],
                sourceOperator: last.sourceOperator)
            let removed = Set(members).subtracting([position])
            nodes = nodes.indices.filter { !removed.contains($0) }.map { nodes[$0] }
            return true
        }
        return false
    }
}
