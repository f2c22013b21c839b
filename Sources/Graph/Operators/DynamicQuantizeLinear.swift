/// ONNX DynamicQuantizeLinear: input x (float32). Outputs y (uint8), scale (float32 scalar), zero point (uint8 scalar).
public struct DynamicQuantizeLinear: Operator, Hashable {
    public init() {}

    public var name: String { "DynamicQuantizeLinear" }
}
