import Graph

extension ONNXRules {
    static let products: [String: Rule] = [
        "Gemm": gemm, "MatMul": plain(MatMul()), "MatMulInteger": plain(MatMulInteger()), "Einsum": einsum,
    ]

    private static let gemm: Rule = { (node) throws(TranslationError) in
        let (alpha, beta) = (try node.float("alpha", default: 1), try node.float("beta", default: 1))
        try node.finish(Gemm(alpha: alpha, beta: beta, transA: node.flag("transA"), transB: node.flag("transB")))
    }

    private static let einsum: Rule = { (node) throws(TranslationError) in
        try node.finish(Einsum(equation: node.string("equation", default: "")))
    }
}
