/// ONNX Clip: inputs x, min?, max?.
public struct Clip: Operator, Hashable {
    public init() {}

    public var name: String { "Clip" }
}

extension Clip {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.numeric)
        for bound in [inputs.optionalOperand(1, "min"), inputs.optionalOperand(2, "max")] {
            guard let bound else { continue }
            try bound.requireType(of: x)
            try bound.requireScalar()
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        if x.elementType == .float32 { return [clip(x, inputs.optional(1), inputs.optional(2), Float.self)] }
        return [clip(x, inputs.optional(1), inputs.optional(2), x.elementType.numericType!)]
    }

    private func clip<Element: NumericElement>(_ x: Tensor, _ min: Tensor?, _ max: Tensor?, _: Element.Type) -> Tensor {
        let least = min.map { $0.withElements(of: Element.self) { $0[0] } } ?? Element.least
        let greatest = max.map { $0.withElements(of: Element.self) { $0[0] } } ?? Element.greatest
        return Tensor.map(x) { (x: Element) in
            let raised = x < least ? least : x
            return raised > greatest ? greatest : raised
        }
    }
}
