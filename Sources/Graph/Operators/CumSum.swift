/// ONNX CumSum: inputs x, axis (scalar).
public struct CumSum: Operator, Hashable {
    public var exclusive: Bool, reverse: Bool
    public init(exclusive: Bool = false, reverse: Bool = false) {
        (self.exclusive, self.reverse) = (exclusive, reverse)
    }

    public var name: String { "CumSum" }
}

extension CumSum {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, axis) = (try inputs.operand(0, "x"), try inputs.operand(1, "axis"))
        try x.require(ElementType.numeric)
        try axis.requireScalar()
        if let value = try axis.integers()?.first, let shape = x.shape {
            _ = try normalized(axis: value, rank: shape.count, subject: axis.subject)
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        let axis = try normalized(axis: inputs[1]!.integers[0], rank: x.shape.count)
        return [accumulate(x, axis, x.elementType.numericType!)]
    }

    private func accumulate<Element: NumericElement>(_ x: Tensor, _ axis: Int, _: Element.Type) -> Tensor {
        let (extent, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
        return Tensor(shape: x.shape, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                for line in 0..<(x.count / max(extent, 1)) {
                    let start = line / inner * extent * inner + line % inner
                    var sum: Element = 0
                    for step in 0..<extent {
                        let position = start + (reverse ? extent - 1 - step : step) * inner
                        if exclusive { output[position] = sum }
                        sum = Element.sum(sum, x[position])
                        if !exclusive { output[position] = sum }
                    }
                }
            }
        }
    }
}
