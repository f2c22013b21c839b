/// ONNX LpNormalization: divides by the norm of order `p` (1 or 2) along `axis`, or by `minimumNorm` where the norm is
/// smaller (TFLite L2_NORMALIZATION: 1e-6). A zero norm gives zeros.
public struct LpNormalization: Operator, Hashable {
    public var axis: Int, p: Int, minimumNorm: Float
    public init(axis: Int = -1, p: Int = 2, minimumNorm: Float = 0) {
        (self.axis, self.p, self.minimumNorm) = (axis, p, minimumNorm)
    }

    public var name: String { "LpNormalization" }
}

extension LpNormalization {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        if let shape = x.shape { _ = try normalized(axis: axis, rank: shape.count) }
        guard p == 1 || p == 2 else { throw OperatorError(subject: "attribute p", expected: "1 or 2", found: "\(p)") }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let axis = try normalized(axis: axis, rank: x.shape.count)
        let axes = Tensor(integers: [axis], shape: [1])
        let wide = x.converted(to: .float64)
        let norms = try Reduce(p == 1 ? .l1 : .l2).evaluate([wide, axes])[0]
        let least = Double(minimumNorm)
        let result = Tensor.map(wide, norms, shape: x.shape) { (x: Double, norm: Double) in
            let divisor = max(norm, least)
            return divisor == 0 ? 0 : x / divisor
        }
        return [result.converted(to: x.elementType)]
    }
}
