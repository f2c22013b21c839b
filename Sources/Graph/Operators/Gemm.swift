/// ONNX Gemm: inputs A, B, C?.
public struct Gemm: Operator, Hashable {
    public var alpha: Float, beta: Float, transA: Bool, transB: Bool
    public init(alpha: Float = 1, beta: Float = 1, transA: Bool = false, transB: Bool = false) {
        (self.alpha, self.beta, self.transA, self.transB) = (alpha, beta, transA, transB)
    }

    public var name: String { "Gemm" }
}

extension Gemm {
    private static let elementTypes = ElementType.floatingPoint + [.int32, .uint32, .int64, .uint64]

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (a, b) = (try inputs.operand(0, "A"), try inputs.operand(1, "B"))
        try a.require(Self.elementTypes)
        try b.requireType(of: a)
        try a.requireRank(2...2)
        try b.requireRank(2...2)
        let c = inputs.optionalOperand(2, "C")
        try c?.requireType(of: a)
        guard let aShape = a.shape, let bShape = b.shape else { return [TensorType(a.elementType, nil)] }
        let (m, k) = transA ? (aShape[1], aShape[0]) : (aShape[0], aShape[1])
        let (kOfB, n) = transB ? (bShape[1], bShape[0]) : (bShape[0], bShape[1])
        guard k == kOfB else {
            throw b.error(expected: "\(k) rows, as many as A has columns", found: "\(kOfB) (shape \(bShape))")
        }
        if let c, let shape = c.shape {
            let fits =
                shape.count <= 2
                && zip(shape.reversed(), [n, m]).allSatisfy { extent, whole in extent == 1 || extent == whole }
            if !fits { throw c.error(expected: "a shape that broadcasts to [\(m), \(n)]", found: "shape \(shape)") }
        }
        return [TensorType(a.elementType, [m, n])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let elementType = inputs[0]!.elementType
        if elementType == .float32 { return [product(inputs, shape, Float.self)] }
        // Integers are exact in float64 as long as sums stay below 2^53.
        let wide = inputs.map { $0?.converted(to: .float64) }
        return [product(wide, shape, Double.self).converted(to: elementType)]
    }

    private func product<Element: RealElement>(_ inputs: [Tensor?], _ shape: [Int], _: Element.Type) -> Tensor {
        let (a, b) = (inputs[0]!, inputs[1]!)
        let (m, n, k) = (shape[0], shape[1], transA ? a.shape[0] : a.shape[1])
        return Tensor(shape: shape, of: Element.self) { output in
            let target = output.baseAddress!
            if let c = inputs.optional(2) {
                let walk = StridedWalk(shape: shape, strides: [broadcastStrides(c.shape, to: shape)])
                c.withElements(of: Element.self) { c in
                    walk.forEachRow { first, offsets in
                        for index in 0..<walk.rowLength {
                            target[first + index] = c[offsets[0] + index * walk.rowStrides[0]]
                        }
                    }
                }
            } else {
                target.update(repeating: 0, count: m * n)
            }
            a.withElements(of: Element.self) { a in
                b.withElements(of: Element.self) { b in
                    Element.gemm(
                        transA: transA, transB: transB, m: m, n: n, k: k, alpha: Element(alpha), a.baseAddress!,
                        transA ? m : k, b.baseAddress!, transB ? k : n, beta: Element(beta), target, n)
                }
            }
        }
    }
}
