/// ONNX DynamicQuantizeLinear: input x (float32). Outputs y (uint8), scale (float32 scalar), zero point (uint8 scalar).
public struct DynamicQuantizeLinear: Operator, Hashable {
    public init() {}

    public var name: String { "DynamicQuantizeLinear" }
}

extension DynamicQuantizeLinear {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require([.float32])
        return [TensorType(.uint8, x.shape), TensorType(.float32, []), TensorType(.uint8, [])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!.floats
        let (least, greatest) = (min(0, x.min() ?? 0), max(0, x.max() ?? 0))
        let scale = (greatest - least) / 255
        let zeroPoint = scale > 0 ? UInt8.quantized(-least, scale: scale, zeroPoint: 0) : 0
        let stored = x.map { UInt8.quantized($0, scale: scale > 0 ? scale : 1, zeroPoint: Int32(zeroPoint)) }
        return [Tensor(stored, shape: inputs[0]!.shape), Tensor(scalar: scale), Tensor(scalar: zeroPoint)]
    }
}
