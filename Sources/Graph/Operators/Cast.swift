/// ONNX Cast: integer overflow wraps, float to integer truncates towards zero and saturates.
public struct Cast: Operator, Hashable {
    public var to: ElementType, saturate: Bool
    public init(to: ElementType, saturate: Bool = true) { (self.to, self.saturate) = (to, saturate) }

    public var name: String { "Cast" }
}

extension Cast {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        [TensorType(to, try inputs.operand(0, "x").shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] { [inputs[0]!.converted(to: to)] }
}
