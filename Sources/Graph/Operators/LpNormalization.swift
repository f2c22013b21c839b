/// ONNX LpNormalization: divides by the norm of order `p` (1 or 2) along `axis`, or by `minimumNorm` where the norm is
/// smaller (TFLite L2_NORMALIZATION: 1e-6). A zero norm gives zeros.
public struct LpNormalization: Operator, Hashable {
    public var axis: Int, p: Int, minimumNorm: Float
    public init(axis: Int = -1, p: Int = 2, minimumNorm: Float = 0) {
        (self.axis, self.p, self.minimumNorm) = (axis, p, minimumNorm)
    }

    public var name: String { "LpNormalization" }
}
