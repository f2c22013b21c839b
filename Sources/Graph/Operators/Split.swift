/// ONNX Split: inputs x, split?.
public struct Split: Operator, Hashable {
    public var axis: Int, numOutputs: Int?
    public init(axis: Int = 0, numOutputs: Int? = nil) { (self.axis, self.numOutputs) = (axis, numOutputs) }

    public var name: String { "Split" }
}

extension Split {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        let parts = inputs.optionalOperand(1, "split")
        let given = try parts?.integers()
        guard let count = given?.count ?? parts?.shape?.first ?? numOutputs else {
            throw OperatorError(
                subject: "attribute num_outputs", expected: "a number, as input 1 (split) is absent", found: "none")
        }
        guard (1...1 << 16).contains(count) else {
            throw OperatorError(
                subject: parts?.subject ?? "attribute num_outputs", expected: "1 to 65536 parts", found: "\(count)")
        }
        guard let shape = x.shape, parts == nil || given != nil else {
            return [TensorType](repeating: TensorType(x.elementType, nil), count: count)
        }
        let axis = try normalized(axis: axis, rank: shape.count)
        let extents = given ?? Self.equalParts(shape[axis], count: count)
        guard extents.allSatisfy({ (0...shape[axis]).contains($0) }), extents.reduce(0, +) == shape[axis] else {
            throw OperatorError(
                subject: parts?.subject ?? "attribute num_outputs", expected: "parts that add up to \(shape[axis])",
                found: "\(given ?? [count])")
        }
        return extents.map { extent in
            var part = shape
            part[axis] = extent
            return TensorType(x.elementType, part)
        }
    }

    /// `count` parts of equal extent but for the last, which may be smaller.
    private static func equalParts(_ extent: Int, count: Int) -> [Int] {
        let part = (extent + count - 1) / max(count, 1)
        return (0..<count).map { max(0, min(part, extent - $0 * part)) }
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let axis = try normalized(axis: axis, rank: x.shape.count)
        var start = 0
        return try outputTypes(inputs).map { type in
            let extent = type.shape![axis]
            defer { start += extent }
            return x.sliced(axis: axis, start..<(start + extent))
        }
    }
}
