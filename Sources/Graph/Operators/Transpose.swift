/// ONNX Transpose: input data.
public struct Transpose: Operator, Hashable {
    /// Nil reverses the axes.
    public var permutation: [Int]?
    public init(permutation: [Int]? = nil) { self.permutation = permutation }

    public var name: String { "Transpose" }
}

extension Transpose {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        guard let shape = data.shape else { return [data.type] }
        return [TensorType(data.elementType, try permutation(rank: shape.count).map { shape[$0] })]
    }

    private func permutation(rank: Int) throws(OperatorError) -> [Int] {
        guard let permutation else { return (0..<rank).reversed() }
        guard permutation.sorted() == Array(0..<rank) else {
            throw OperatorError(
                subject: "attribute perm", expected: "each of the axes 0 ..< \(rank) once", found: "\(permutation)")
        }
        return permutation
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let data = inputs[0]!
        return [data.transposed(try permutation(rank: data.shape.count))]
    }
}
