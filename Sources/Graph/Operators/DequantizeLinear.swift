/// ONNX DequantizeLinear: inputs x, scale, zeroPoint?.
public struct DequantizeLinear: Operator, Hashable {
    public var axis: Int, blockSize: Int
    public init(axis: Int = 1, blockSize: Int = 0) { (self.axis, self.blockSize) = (axis, blockSize) }

    public var name: String { "DequantizeLinear" }
}

extension DequantizeLinear {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, scale) = (try inputs.operand(0, "x"), try inputs.operand(1, "scale"))
        try x.require([.int8, .uint8, .int16, .uint16, .int32])
        try scale.require(ElementType.floatingPoint)
        let zeroPoint = inputs.optionalOperand(2, "zero point")
        try zeroPoint?.requireType(of: x)
        _ = try ScaleLayout(x, scale, zeroPoint, axis: axis, blockSize: blockSize)
        return [TensorType(scale.elementType, x.shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let facts = inputs.map { input in input.map(InputFacts.init(contents:)) }
        let scales = try ScaleLayout(
            facts.operand(0, "x"), facts.operand(1, "scale"), facts.optionalOperand(2, "zero point"), axis: axis,
            blockSize: blockSize)!
        let x = inputs[0]!.converted(to: .int32)
        let (factors, zeroPoints) = (inputs[1]!.floats, inputs.optional(2)?.integers)
        let real = Tensor(shape: x.shape, of: Float.self) { output in
            x.withElements(of: Int32.self) { x in
                scales.forEachRun { run, count, scale, scaleStride in
                    for index in 0..<count {
                        let entry = scale + index * scaleStride
                        output[run + index] = Float(Int(x[run + index]) - (zeroPoints?[entry] ?? 0)) * factors[entry]
                    }
                }
            }
        }
        return [real.converted(to: inputs[1]!.elementType)]
    }
}
