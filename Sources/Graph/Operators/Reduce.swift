/// ONNX Reduce…: inputs data, axes?.
public struct Reduce: Operator, Hashable {
    public enum Function: Sendable, Hashable {
        case mean, sum, max, min, prod, l1, l2, logSum, logSumExp, sumSquare
    }
    public var function: Function, keepDims: Bool, noopWithEmptyAxes: Bool
    public init(_ function: Function, keepDims: Bool = true, noopWithEmptyAxes: Bool = false) {
        (self.function, self.keepDims, self.noopWithEmptyAxes) = (function, keepDims, noopWithEmptyAxes)
    }

    public var name: String { function.name }
}

extension Reduce {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        let isOrder = function == .max || function == .min
        try data.require(ElementType.numeric + (isOrder ? [.bool] : []))
        let shapes = try shapes(inputs)
        return [TensorType(data.elementType, keepDims ? shapes?.kept : shapes?.squeezed)]
    }

    /// The output's shape with reduced axes as ones and without them; nil when not known.
    private func shapes(_ inputs: [InputFacts?]) throws(OperatorError) -> (kept: [Int], squeezed: [Int])? {
        let data = try inputs.operand(0, "data")
        let axes = inputs.optionalOperand(1, "axes")
        let values = try axes?.integers()
        guard let shape = data.shape, (axes == nil) == (values == nil) else { return nil }
        var reduced = try normalized(axes: values ?? [], rank: shape.count, subject: "input 1 (axes)")
        if reduced.isEmpty && !noopWithEmptyAxes { reduced = Array(shape.indices) }
        return (
            shape.indices.map { reduced.contains($0) ? 1 : shape[$0] },
            shape.indices.filter { !reduced.contains($0) }.map { shape[$0] }
        )
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shapes = try shapes(inputs.map { input in input.map(InputFacts.init(contents:)) })!
        let x = inputs[0]!
        if noopWithEmptyAxes && (inputs.optional(1)?.count ?? 0) == 0 { return [x] }
        let result: Tensor
        switch x.elementType {
        case .bool: result = reduce(x.converted(to: .uint8), shapes.kept, UInt8.self).converted(to: .bool)
        case .float32: result = reduceReal(x, shapes.kept, Float.self)
        case .float64: result = reduceReal(x, shapes.kept, Double.self)
        default: result = reduce(x, shapes.kept, x.elementType.numericType!)
        }
        return [result.reshaped(keepDims ? shapes.kept : shapes.squeezed)]
    }

    /// Integers: in their own type where that is exact, else in float64.
    private func reduce<Element: NumericElement>(_ x: Tensor, _ shape: [Int], _: Element.Type) -> Tensor {
        func accumulate(from start: Element, _ function: (Element, Element) -> Element) -> Tensor {
            Tensor(accumulating: x, shape: shape, from: start, function)
        }
        switch function {
        case .max: return accumulate(from: Element.least, Element.larger)
        case .min: return accumulate(from: Element.greatest, Element.smaller)
        case .sum: return accumulate(from: 0, Element.sum)
        case .prod: return accumulate(from: 1, Element.product)
        case .sumSquare: return accumulate(from: 0) { Element.sum($0, Element.product($1, $1)) }
        case .l1: return accumulate(from: 0) { Element.sum($0, $1 < 0 ? Element.difference(0, $1) : $1) }
        case .mean, .l2, .logSum, .logSumExp:
            return reduceReal(x.converted(to: .float64), shape, Double.self).converted(to: x.elementType)
        }
    }

    /// Floating-point numbers, accumulated in float64.
    private func reduceReal<Element: RealElement>(_ x: Tensor, _ shape: [Int], _: Element.Type) -> Tensor {
        func accumulate(from start: Double, _ function: (Double, Element) -> Double) -> Tensor {
            Tensor(accumulating: x, shape: shape, from: start, function)
        }
        func finish(_ accumulated: Tensor, _ function: (Double) -> Double) -> Tensor {
            Tensor.map(accumulated) { (x: Double) in Element(function(x)) }
        }
        switch function {
        case .max: return finish(accumulate(from: -.infinity) { Double.larger($0, Double($1)) }) { $0 }
        case .min: return finish(accumulate(from: .infinity) { Double.smaller($0, Double($1)) }) { $0 }
        case .sum: return finish(accumulate(from: 0) { $0 + Double($1) }) { $0 }
        case .prod: return finish(accumulate(from: 1) { $0 * Double($1) }) { $0 }
        case .l1: return finish(accumulate(from: 0) { $0 + Double(abs($1)) }) { $0 }
        case .sumSquare: return finish(accumulate(from: 0) { $0 + Double($1) * Double($1) }) { $0 }
        case .l2: return finish(accumulate(from: 0) { $0 + Double($1) * Double($1) }) { $0.squareRoot() }
        case .logSum: return finish(accumulate(from: 0) { $0 + Double($1) }, Double.log)
        case .mean:
            let count = Double(x.count) / Double(max(1, shape.reduce(1, *)))
            return finish(accumulate(from: 0) { $0 + Double($1) }) { $0 / count }
        case .logSumExp:
            // Shifted by the greatest element so that no exponential overflows.
            let greatest = accumulate(from: -.infinity) { Double.larger($0, Double($1)) }
            let shift = Tensor.map(greatest) { (x: Double) in x.isFinite ? x : 0 }
            let shifted = Tensor.map(x.converted(to: .float64), shift, shape: x.shape) { (x: Double, shift: Double) in
                Double.exp(x - shift)
            }
            let sums = Tensor(accumulating: shifted, shape: shape, from: 0.0) { (sum: Double, x: Double) in sum + x }
            return Tensor.map(sums, shift, shape: shape) { (sum: Double, shift: Double) in
                Element(Double.log(sum) + shift)
            }
        }
    }
}

extension Tensor {
    /// A tensor of `shape`, which has 1 where `x` is reduced, of `function` applied to all elements that fall together.
    @inline(__always)
    fileprivate init<Element: TensorElement, Sum: TensorElement>(
        accumulating x: Tensor, shape: [Int], from start: Sum, _ function: (Sum, Element) -> Sum
    ) {
        self.init(shape: shape, of: Sum.self) { output in
            let target = output.baseAddress!
            target.update(repeating: start, count: output.count)
            let walk = StridedWalk(shape: x.shape, strides: [broadcastStrides(shape, to: x.shape)])
            let stride = walk.rowStrides[0]
            x.withElements(of: Element.self) { x in
                walk.forEachRow { first, offsets in
                    let source = x.baseAddress! + first
                    let row = target + offsets[0]
                    if stride == 0 {
                        var sum = row[0]
                        for index in 0..<walk.rowLength { sum = function(sum, source[index]) }
                        row[0] = sum
                    } else {
                        for index in 0..<walk.rowLength {
                            row[index * stride] = function(row[index * stride], source[index])
                        }
                    }
                }
            }
        }
    }
}

extension Reduce.Function {
    /// The ONNX name.
    public var name: String {
        switch self {
        case .mean: "ReduceMean"
        case .sum: "ReduceSum"
        case .max: "ReduceMax"
        case .min: "ReduceMin"
        case .prod: "ReduceProd"
        case .l1: "ReduceL1"
        case .l2: "ReduceL2"
        case .logSum: "ReduceLogSum"
        case .logSumExp: "ReduceLogSumExp"
        case .sumSquare: "ReduceSumSquare"
        }
    }
}
