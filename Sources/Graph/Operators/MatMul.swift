/// ONNX MatMul (NumPy semantics).
public struct MatMul: Operator, Hashable {
    public init() {}

    public var name: String { "MatMul" }
}

extension MatMul {
    private static let elementTypes = ElementType.floatingPoint + [.int32, .uint32, .int64, .uint64]

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (a, b) = (try inputs.operand(0, "A"), try inputs.operand(1, "B"))
        try a.require(Self.elementTypes)
        try b.requireType(of: a)
        return [TensorType(a.elementType, try Self.productShape(a, b))]
    }

    /// NumPy's rule: matrices in the last two axes, the others broadcast, vectors count as a row or a column.
    static func productShape(_ a: Operand, _ b: Operand) throws(OperatorError) -> [Int]? {
        try a.requireRank(1...Int.max)
        try b.requireRank(1...Int.max)
        guard let aShape = a.shape, let bShape = b.shape else { return nil }
        let (k, kOfB) = (aShape.last!, bShape.count == 1 ? bShape[0] : bShape[bShape.count - 2])
        guard k == kOfB else {
            throw b.error(expected: "\(k) rows, as many as A has columns", found: "\(kOfB) (shape \(bShape))")
        }
        let batches = try broadcast([
            Operand(subject: a.subject, facts: InputFacts(type: TensorType(.float32, aShape.dropLast(2)))),
            Operand(subject: b.subject, facts: InputFacts(type: TensorType(.float32, bShape.dropLast(2)))),
        ])
        let rows = aShape.count == 1 ? [] : [aShape[aShape.count - 2]]
        let columns = bShape.count == 1 ? [] : [bShape.last!]
        return batches! + rows + columns
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let (a, b) = (inputs[0]!, inputs[1]!)
        if a.elementType == .float32 { return [Self.product(a, b, shape, Float.self)] }
        // Integers are exact in float64 as long as sums stay below 2^53.
        let product = Self.product(a.converted(to: .float64), b.converted(to: .float64), shape, Double.self)
        return [product.converted(to: a.elementType)]
    }

    private static func product<Element: RealElement>(
        _ a: Tensor, _ b: Tensor, _ shape: [Int], _: Element.Type
    ) -> Tensor {
        let aShape = a.shape.count == 1 ? [1, a.shape[0]] : a.shape
        let bShape = b.shape.count == 1 ? [b.shape[0], 1] : b.shape
        let (m, k, n) = (aShape[aShape.count - 2], aShape.last!, bShape.last!)
        let batchRank = max(aShape.count, bShape.count) - 2
        let batches = Array(shape[..<batchRank])
        return Tensor(shape: shape, of: Element.self) { output in
            a.withElements(of: Element.self) { a in
                b.withElements(of: Element.self) { b in
                    if bShape.count == 2 {
                        // One product serves all of A's batches.
                        let rows = aShape.dropLast().reduce(1, *)
                        Element.gemm(
                            transA: false, transB: false, m: rows, n: n, k: k, alpha: 1, a.baseAddress!, k,
                            b.baseAddress!,
                            n, beta: 0, output.baseAddress!, n)
                        return
                    }
                    let walk = StridedWalk(
                        shape: batches,
                        strides: [
                            broadcastStrides(aShape.dropLast(2), to: batches),
                            broadcastStrides(bShape.dropLast(2), to: batches),
                        ])
                    walk.forEachRow { first, offsets in
                        for index in 0..<walk.rowLength {
                            Element.gemm(
                                transA: false, transB: false, m: m, n: n, k: k, alpha: 1,
                                a.baseAddress! + (offsets[0] + index * walk.rowStrides[0]) * m * k, k,
                                b.baseAddress! + (offsets[1] + index * walk.rowStrides[1]) * k * n, n, beta: 0,
                                output.baseAddress! + (first + index) * m * n, n)
                        }
                    }
                }
            }
        }
    }
}
