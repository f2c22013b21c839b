/// An input as a shape rule looks at it; its methods throw errors that name it.
struct Operand {
    /// "input 1 (weights)".
    let subject: String
    let facts: InputFacts

    var elementType: ElementType { facts.type.elementType }
    var shape: [Int]? { facts.type.shape }
    var type: TensorType { facts.type }

    func error(expected: String, found: String) -> OperatorError {
        OperatorError(subject: subject, expected: expected, found: found)
    }

    func require(_ types: [ElementType]) throws(OperatorError) {
        if !types.contains(elementType) {
            throw error(
                expected: types.count == 1
                    ? "type \(types[0])" : "one of the types " + types.map(\.rawValue).joined(separator: ", "),
                found: "\(elementType)")
        }
    }

    func requireType(of other: Operand) throws(OperatorError) {
        if elementType != other.elementType {
            throw error(expected: "the type of \(other.subject), \(other.elementType)", found: "\(elementType)")
        }
    }

    /// Checks the number of axes, if known.
    func requireRank(_ ranks: ClosedRange<Int>) throws(OperatorError) {
        guard let shape, !ranks.contains(shape.count) else { return }
        let expected: String
        if ranks.lowerBound == ranks.upperBound {
            expected = "rank \(ranks.lowerBound)"
        } else if ranks.upperBound == .max {
            expected = "rank \(ranks.lowerBound) or more"
        } else {
            expected = "rank \(ranks.lowerBound) to \(ranks.upperBound)"
        }
        throw error(expected: expected, found: "shape \(shape)")
    }

    /// Checks the extents, if known.
    func requireShape(_ expected: [Int], _ why: String = "") throws(OperatorError) {
        if let shape, shape != expected {
            throw error(expected: "shape \(expected)" + (why.isEmpty ? "" : " (\(why))"), found: "shape \(shape)")
        }
    }

    /// Checks that there is one element, if the shape is known.
    func requireScalar() throws(OperatorError) {
        if let shape, shape.reduce(1, *) != 1 { throw error(expected: "one element", found: "shape \(shape)") }
    }

    /// The contents as extents, offsets or axes, when known; the operand must be of an integer type. Numbers beyond
    /// ±2^31 become ±2^31, which is beyond any extent too, so that sums and products of two don't overflow.
    func integers() throws(OperatorError) -> [Int]? {
        try require(ElementType.integers)
        return facts.constant?.integers.map { max(-1 << 31, min(1 << 31, $0)) }
    }
}

extension Array where Element == InputFacts? {
    /// The required input at `index`, called `name` in the operator's documentation.
    func operand(_ index: Int, _ name: String) throws(OperatorError) -> Operand {
        guard let operand = optionalOperand(index, name) else {
            throw OperatorError(subject: "input \(index) (\(name))", expected: "an input", found: "none")
        }
        return operand
    }

    func optionalOperand(_ index: Int, _ name: String) -> Operand? {
        guard index < count, let facts = self[index] else { return nil }
        return Operand(subject: "input \(index) (\(name))", facts: facts)
    }

    /// All inputs of an operator that takes any number, at least one.
    func operands() throws(OperatorError) -> [Operand] {
        if isEmpty { throw OperatorError(subject: "inputs", expected: "at least one", found: "none") }
        var result: [Operand] = []
        for index in indices { result.append(try operand(index, "\(index)")) }
        return result
    }
}

extension Array where Element == Tensor? {
    /// The input at `index` or nil where it is absent.
    func optional(_ index: Int) -> Tensor? { index < count ? self[index] : nil }
}

extension Operator {
    /// The shape rule applied to actual inputs: every shape that does not depend on more than extents and contents of
    /// shape-like inputs is known.
    func outputTypes(_ inputs: [Tensor?]) throws(OperatorError) -> [TensorType] {
        try infer(inputs.map { input in input.map(InputFacts.init(contents:)) })
    }

    /// The first output's shape for actual inputs.
    func outputShape(_ inputs: [Tensor?]) throws(OperatorError) -> [Int] {
        guard let shape = try outputTypes(inputs)[0].shape else {
            throw OperatorError(subject: "output", expected: "a shape that follows from the inputs", found: "none")
        }
        return shape
    }

    /// For inputs of which some are float16 or bfloat16: computes in float32 and rounds the outputs. Nil otherwise.
    func evaluateWidened(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor]? {
        func isHalf(_ type: ElementType) -> Bool { type == .float16 || type == .bfloat16 }
        guard inputs.contains(where: { $0.map { isHalf($0.elementType) } ?? false }) else { return nil }
        let types = try outputTypes(inputs)
        let outputs = try evaluate(
            inputs.map { input in input.map { isHalf($0.elementType) ? $0.converted(to: .float32) : $0 } })
        return zip(types, outputs).map { $1.converted(to: $0.elementType) }
    }
}

extension InputFacts {
    init(contents: Tensor) {
        self.init(type: TensorType(contents.elementType, contents.shape), constant: contents)
    }
}

/// `axis` counted from the front, or an error when it is outside -rank ..< rank.
func normalized(axis: Int, rank: Int, subject: String = "attribute axis") throws(OperatorError) -> Int {
    guard axis >= -rank, axis < rank else {
        throw OperatorError(subject: subject, expected: "-\(rank) to \(rank - 1)", found: "\(axis)")
    }
    return axis < 0 ? axis + rank : axis
}

/// `axes` counted from the front, without repetition.
func normalized(axes: [Int], rank: Int, subject: String) throws(OperatorError) -> [Int] {
    var result: [Int] = []
    for axis in axes {
        let axis = try normalized(axis: axis, rank: rank, subject: subject)
        if result.contains(axis) {
            throw OperatorError(subject: subject, expected: "each axis once", found: "\(axes)")
        }
        result.append(axis)
    }
    return result
}

/// The shape that NumPy's multidirectional broadcasting gives.
func broadcast(_ operands: [Operand]) throws(OperatorError) -> [Int]? {
    var result: [Int] = []
    for operand in operands {
        guard let shape = operand.shape else { return nil }
        if shape.count > result.count {
            result = [Int](repeating: 1, count: shape.count - result.count) + result
        }
        let offset = result.count - shape.count
        for axis in shape.indices where shape[axis] != result[offset + axis] {
            if result[offset + axis] == 1 {
                result[offset + axis] = shape[axis]
            } else if shape[axis] != 1 {
                throw operand.error(
                    expected: "a shape that broadcasts with \(result)", found: "shape \(shape)")
            }
        }
    }
    return result
}
