extension Variadic {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let operands = try inputs.operands()
        let isArithmetic = function == .sum || function == .mean
        for operand in operands {
            try operand.require(isArithmetic ? ElementType.floatingPoint : ElementType.numeric)
            try operand.requireType(of: operands[0])
        }
        return [TensorType(operands[0].elementType, try broadcast(operands))]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let first = inputs[0]!
        if first.elementType == .float32 { return [fold(inputs, shape, Float.self)] }
        return [fold(inputs, shape, first.elementType.numericType!)]
    }

    private func fold<Element: NumericElement>(_ inputs: [Tensor?], _ shape: [Int], _: Element.Type) -> Tensor {
        func fold(_ function: (Element, Element) -> Element) -> Tensor {
            var result = inputs[0]!
            for next in inputs.dropFirst() {
                // Partial results keep the extents seen so far; the last one has all of `shape`.
                result = Tensor.map(result, next!, shape: Self.commonShape(result.shape, next!.shape), function)
            }
            return result
        }
        switch function {
        case .max: return fold(Element.larger)
        case .min: return fold(Element.smaller)
        case .sum: return fold(Element.sum)
        case .mean:
            let count = Element(integer: Int64(inputs.count))
            return Tensor.map(fold(Element.sum)) { (x: Element) in Element.quotient(x, count) }
        }
    }

    /// Common shape of two shapes that are known to broadcast.
    private static func commonShape(_ a: [Int], _ b: [Int]) -> [Int] {
        let rank = max(a.count, b.count)
        return (0..<rank).map { axis in
            let (i, j) = (axis - (rank - a.count), axis - (rank - b.count))
            let (x, y) = (i < 0 ? 1 : a[i], j < 0 ? 1 : b[j])
            return x == 1 ? y : x
        }
    }
}
