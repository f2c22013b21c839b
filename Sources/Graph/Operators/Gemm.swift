/// ONNX Gemm: inputs A, B, C?.
public struct Gemm: Operator, Hashable {
    public var alpha: Float, beta: Float, transA: Bool, transB: Bool
    public init(alpha: Float = 1, beta: Float = 1, transA: Bool = false, transB: Bool = false) {
        (self.alpha, self.beta, self.transA, self.transB) = (alpha, beta, transA, transB)
    }

    public var name: String { "Gemm" }
}
