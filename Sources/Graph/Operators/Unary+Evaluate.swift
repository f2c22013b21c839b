extension Unary {
    /// The types that `function` takes.
    private var elementTypes: [ElementType] {
        switch function {
        case .not: [.bool]
        case .abs, .neg, .sign, .square, .relu: ElementType.numeric
        default: ElementType.floatingPoint
        }
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(elementTypes)
        switch function {
        case .isNaN, .isInf: return [TensorType(.bool, x.shape)]
        default: return [x.type]
        }
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        switch x.elementType {
        case .float32: return [real(x, Float.self)]
        case .float64: return [real(x, Double.self)]
        case .bool: return [Tensor.map(x) { (x: Bool) in !x }]
        default: return [numeric(x, x.elementType.numericType!)]
        }
    }

    private func numeric<Element: NumericElement>(_ x: Tensor, _: Element.Type) -> Tensor {
        switch function {
        case .abs: Tensor.map(x) { (x: Element) in x < 0 ? Element.difference(0, x) : x }
        case .neg: Tensor.map(x) { (x: Element) in Element.difference(0, x) }
        case .sign: Tensor.map(x) { (x: Element) in Element(integer: x > 0 ? 1 : x < 0 ? -1 : 0) }
        case .square: Tensor.map(x) { (x: Element) in Element.product(x, x) }
        default: Tensor.map(x) { (x: Element) in x > 0 ? x : 0 }
        }
    }

    @inline(__always)
    private func real<Element: RealElement>(_ x: Tensor, _: Element.Type) -> Tensor {
        func map(_ function: (Element) -> Element) -> Tensor { Tensor.map(x, function) }
        switch function {
        case .abs: return map { Swift.abs($0) }
        case .acos: return map(Element.acos)
        case .acosh: return map(Element.acosh)
        case .asin: return map(Element.asin)
        case .asinh: return map(Element.asinh)
        case .atan: return map(Element.atan)
        case .atanh: return map(Element.atanh)
        case .ceil: return map { $0.rounded(.up) }
        case .cos: return map(Element.cos)
        case .cosh: return map(Element.cosh)
        case .erf: return map(Element.erf)
        case .exp: return map(Element.exp)
        case .floor: return map { $0.rounded(.down) }
        case .log: return map(Element.log)
        case .neg: return map { -$0 }
        case .reciprocal: return map { 1 / $0 }
        case .round: return map { $0.rounded(.toNearestOrEven) }
        case .sign: return map { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
        case .sin: return map(Element.sin)
        case .sinh: return map(Element.sinh)
        case .sqrt: return map { $0.squareRoot() }
        case .tan: return map(Element.tan)
        case .tanh: return map(Element.tanh)
        case .sigmoid: return map { 1 / (1 + Element.exp(-$0)) }
        case .relu: return map { $0 < 0 ? 0 : $0 }
        case .softplus: return map { softplus($0) }
        case .softsign: return map { $0 / (1 + Swift.abs($0)) }
        case .mish: return map { $0 * Element.tanh(softplus($0)) }
        case .hardSwish: return map { $0 * Element.smaller(1, Element.larger(0, $0 / 6 + 0.5)) }
        case .square: return map { $0 * $0 }
        case .rsqrt: return map { 1 / $0.squareRoot() }
        case .not: preconditionFailure("Not takes bool")
        case .isNaN: return Tensor.map(x) { (x: Element) in x.isNaN }
        case .isInf(let negative, let positive):
            return Tensor.map(x) { (x: Element) in x.isInfinite && (x < 0 ? negative : positive) }
        case .leakyRelu(let alpha):
            let alpha = Element(alpha)
            return map { $0 < 0 ? alpha * $0 : $0 }
        case .elu(let alpha):
            let alpha = Element(alpha)
            return map { $0 < 0 ? alpha * Element.expm1($0) : $0 }
        case .celu(let alpha):
            let alpha = Element(alpha)
            return map { $0 < 0 ? alpha * Element.expm1($0 / alpha) : $0 }
        case .selu(let alpha, let gamma):
            let (alpha, gamma) = (Element(alpha), Element(gamma))
            return map { $0 > 0 ? gamma * $0 : gamma * alpha * Element.expm1($0) }
        case .thresholdedRelu(let alpha):
            let alpha = Element(alpha)
            return map { $0 > alpha ? $0 : 0 }
        case .hardSigmoid(let alpha, let beta):
            let (alpha, beta) = (Element(alpha), Element(beta))
            return map { Element.smaller(1, Element.larger(0, alpha * $0 + beta)) }
        case .shrink(let bias, let lambda):
            let (bias, lambda) = (Element(bias), Element(lambda))
            return map { $0 < -lambda ? $0 + bias : $0 > lambda ? $0 - bias : 0 }
        case .gelu(tanhApproximation: false):
            return map { 0.5 * $0 * (1 + Element.erf($0 * Element(0.5).squareRoot())) }
        case .gelu(tanhApproximation: true):
            let scale = (2 / Element.pi).squareRoot()
            return map { 0.5 * $0 * (1 + Element.tanh(scale * ($0 + 0.044715 * $0 * $0 * $0))) }
        case .swish(let alpha):
            let alpha = Element(alpha)
            return map { $0 / (1 + Element.exp(-alpha * $0)) }
        }
    }

    /// log(1 + exp(x)) without overflow.
    @inline(__always)
    private func softplus<Element: RealElement>(_ x: Element) -> Element {
        (x > 0 ? x : 0) + Element.log1p(Element.exp(-Swift.abs(x)))
    }
}
