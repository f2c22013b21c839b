/// ONNX Einsum: one or more inputs; terms of letters and one optional ellipsis.
public struct Einsum: Operator, Hashable {
    public var equation: String
    public init(equation: String) { self.equation = equation }

    public var name: String { "Einsum" }
}

extension Einsum {
    /// The equation resolved for actual ranks: a letter for each axis of each input and of the output. The axes of an
    /// ellipsis get digits, counted from the last one.
    private struct Terms {
        var inputs: [[Character]]
        var output: [Character]
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let operands = try inputs.operands()
        for operand in operands {
            try operand.require(ElementType.numeric)
            try operand.requireType(of: operands[0])
        }
        let shapes = operands.compactMap(\.shape)
        guard shapes.count == operands.count else { return [TensorType(operands[0].elementType, nil)] }
        let terms = try terms(shapes)
        let extents = try extents(terms, shapes)
        return [TensorType(operands[0].elementType, terms.output.map { extents[$0]! })]
    }

    private func terms(_ shapes: [[Int]]) throws(OperatorError) -> Terms {
        let sides = equation.filter { $0 != " " }.split(separator: "-", omittingEmptySubsequences: false)
        let names = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.count == shapes.count, sides.count <= 2, sides.count == 1 || sides[1].first == ">" else {
            throw OperatorError(
                subject: "attribute equation", expected: "\(shapes.count) terms, then possibly -> and one more",
                found: "\"\(equation)\"")
        }
        var inputs: [[Character]] = []
        var ellipsisRank = 0
        for (name, shape) in zip(names, shapes) {
            let letters = name.filter { $0 != "." }
            let rank = shape.count - letters.count
            guard rank == 0 || (rank > 0 && name.contains("...")), letters.allSatisfy(\.isLetter) else {
                throw OperatorError(
                    subject: "attribute equation", expected: "a term of letters for shape \(shape)",
                    found: "\"\(name)\"")
            }
            inputs.append(Self.expand(name, ellipsisRank: rank))
            ellipsisRank = max(ellipsisRank, rank)
        }
        if sides.count == 2 {
            let output = Self.expand(String(sides[1].dropFirst()), ellipsisRank: ellipsisRank)
            guard Set(output).count == output.count, Set(output).isSubset(of: Set(inputs.joined())) else {
                throw OperatorError(
                    subject: "attribute equation", expected: "an output term of different letters of the inputs",
                    found: "\"\(equation)\"")
            }
            return Terms(inputs: inputs, output: output)
        }
        // Without an output term: the ellipsis, then the letters that occur once, in alphabetical order.
        let all = Array(inputs.joined())
        let once = Set(all).filter { letter in letter.isLetter && all.filter { $0 == letter }.count == 1 }
        return Terms(inputs: inputs, output: Self.expand("...", ellipsisRank: ellipsisRank) + once.sorted())
    }

    private static func expand(_ name: String, ellipsisRank: Int) -> [Character] {
        let digits = (0..<ellipsisRank).reversed().map { Character("\($0)") }
        guard let first = name.firstIndex(of: ".") else { return Array(name) }
        return Array(name[..<first]) + digits + name[first...].filter { $0 != "." }
    }

    private func extents(_ terms: Terms, _ shapes: [[Int]]) throws(OperatorError) -> [Character: Int] {
        var extents: [Character: Int] = [:]
        for (term, shape) in zip(terms.inputs, shapes) {
            for (letter, extent) in zip(term, shape) {
                let known = extents[letter] ?? 1
                guard known == 1 || extent == 1 || known == extent else {
                    throw OperatorError(
                        subject: "attribute equation", expected: "extent \(known) for \"\(letter)\"", found: "\(extent)"
                    )
                }
                extents[letter] = max(known, extent) == 1 ? extent : extent == 1 ? known : extent
            }
        }
        return extents
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let tensors = inputs.map { $0! }
        let shapes = tensors.map(\.shape)
        let terms = try terms(shapes)
        let extents = try extents(terms, shapes)
        let summed = Set(terms.inputs.joined()).subtracting(terms.output).sorted()
        let letters = terms.output + summed
        // A letter that an input has twice runs along its diagonal.
        var strides = zip(terms.inputs, shapes).map { term, shape -> [Int] in
            let own = rowMajorStrides(shape)
            return letters.map { letter in
                term.indices.reduce(0) { $0 + (term[$1] == letter && shape[$1] > 1 ? own[$1] : 0) }
            }
        }
        let shape = terms.output.map { extents[$0]! }
        strides.append(rowMajorStrides(shape) + summed.map { _ in 0 })
        let walk = StridedWalk(shape: letters.map { extents[$0]! }, strides: strides)
        let values = tensors.map(\.doubles)
        var result = [Double](repeating: 0, count: shape.reduce(1, *))
        walk.forEachRow { _, offsets in
            for index in 0..<walk.rowLength {
                var product = 1.0
                for input in values.indices {
                    product *= values[input][offsets[input] + index * walk.rowStrides[input]]
                }
                result[offsets[values.count] + index * walk.rowStrides[values.count]] += product
            }
        }
        return [Tensor(result, shape: shape).converted(to: tensors[0].elementType)]
    }
}
