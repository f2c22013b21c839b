/// ONNX MatMulInteger: inputs A, B (int8 or uint8), zero point of A?, zero point of B?. Output int32.
public struct MatMulInteger: Operator, Hashable {
    public init() {}

    public var name: String { "MatMulInteger" }
}

extension MatMulInteger {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (a, b) = (try inputs.operand(0, "A"), try inputs.operand(1, "B"))
        try a.require([.int8, .uint8])
        try b.require([.int8, .uint8])
        let zeroPoints = [inputs.optionalOperand(2, "zero point of A"), inputs.optionalOperand(3, "zero point of B")]
        for (zeroPoint, data) in zip(zeroPoints, [a, b]) { try zeroPoint?.requireType(of: data) }
        let shape = try MatMul.productShape(a, b)
        if let rows = a.shape?.dropLast().last { try Self.requireCount(zeroPoints[0], rows) }
        if let columns = b.shape?.last { try Self.requireCount(zeroPoints[1], columns) }
        return [TensorType(.int32, shape)]
    }

    private static func requireCount(_ zeroPoint: Operand?, _ count: Int) throws(OperatorError) {
        guard let zeroPoint, let shape = zeroPoint.shape, shape.reduce(1, *) != 1 else { return }
        if shape.reduce(1, *) != count {
            throw zeroPoint.error(expected: "1 or \(count) elements", found: "shape \(shape)")
        }
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (a, b) = (inputs[0]!, inputs[1]!)
        // A zero point for each row of A, or for each column of B.
        let rowwise = inputs.optional(2).map { $0.count == 1 ? $0.reshaped([]) : $0.reshaped([$0.count, 1]) }
        let columnwise = inputs.optional(3).map { $0.count == 1 ? $0.reshaped([]) : $0.reshaped([$0.count]) }
        return [
            try MatMul().evaluate([a.withoutZeroPoint(rowwise), b.withoutZeroPoint(columnwise)])[0].converted(
                to: .int32)
        ]
    }
}

extension Tensor {
    /// Stored integers less their zero point, which broadcasts, in float64: there, sums of products are exact.
    func withoutZeroPoint(_ zeroPoint: Tensor?) -> Tensor {
        let wide = converted(to: .float64)
        guard let zeroPoint else { return wide }
        return Tensor.map(wide, zeroPoint.converted(to: .float64), shape: shape) { (x: Double, zero: Double) in x - zero
        }
    }
}
