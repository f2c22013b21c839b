extension Binary {
    /// The types that `function` takes.
    private var elementTypes: [ElementType] {
        switch function {
        case .and, .or, .xor: [.bool]
        case .equal, .notEqual: ElementType.numeric + [.bool]
        case .bitwiseAnd, .bitwiseOr, .bitwiseXor: ElementType.integers
        case .bitShift: [.uint8, .uint16, .uint32, .uint64]
        default: ElementType.numeric
        }
    }

    private var isPredicate: Bool {
        switch function {
        case .equal, .greater, .greaterOrEqual, .less, .lessOrEqual, .notEqual: true
        default: false
        }
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (a, b) = (try inputs.operand(0, "A"), try inputs.operand(1, "B"))
        try a.require(elementTypes)
        if function == .pow { try b.require(elementTypes) } else { try b.requireType(of: a) }
        let shape = try broadcast([a, b])
        if function == .prelu, let x = a.shape, let shape, shape != x {
            throw b.error(expected: "a slope that broadcasts to \(x)", found: "shape \(b.shape!)")
        }
        return [TensorType(isPredicate ? .bool : a.elementType, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let (a, b) = (inputs[0]!, inputs[1]!)
        if function == .pow && a.elementType != b.elementType {
            let power = Tensor.map(a.converted(to: .float64), b.converted(to: .float64), shape: shape, Double.pow)
            return [power.converted(to: a.elementType)]
        }
        return [evaluate(a, b, shape)]
    }

    /// Applies the function to tensors of one type, which is none of the half types.
    func evaluate(_ a: Tensor, _ b: Tensor, _ shape: [Int]) -> Tensor {
        switch a.elementType {
        case .bool: logical(a, b, shape)
        case .float32: isPredicate ? compare(a, b, shape, Float.self) : arithmetic(a, b, shape, Float.self)
        default: numeric(a, b, shape, a.elementType.numericType!)
        }
    }

    private func logical(_ a: Tensor, _ b: Tensor, _ shape: [Int]) -> Tensor {
        switch function {
        case .and: Tensor.map(a, b, shape: shape) { (a: Bool, b: Bool) in a && b }
        case .or: Tensor.map(a, b, shape: shape) { (a: Bool, b: Bool) in a || b }
        case .equal: Tensor.map(a, b, shape: shape) { (a: Bool, b: Bool) in a == b }
        default: Tensor.map(a, b, shape: shape) { (a: Bool, b: Bool) in a != b }
        }
    }

    private func numeric<Element: NumericElement>(_ a: Tensor, _ b: Tensor, _ shape: [Int], _: Element.Type) -> Tensor {
        isPredicate ? compare(a, b, shape, Element.self) : arithmetic(a, b, shape, Element.self)
    }

    private func compare<Element: NumericElement>(_ a: Tensor, _ b: Tensor, _ shape: [Int], _: Element.Type) -> Tensor {
        func map(_ function: (Element, Element) -> Bool) -> Tensor { Tensor.map(a, b, shape: shape, function) }
        switch function {
        case .equal: return map { $0 == $1 }
        case .notEqual: return map { $0 != $1 }
        case .greater: return map { $0 > $1 }
        case .greaterOrEqual: return map { $0 >= $1 }
        case .less: return map { $0 < $1 }
        default: return map { $0 <= $1 }
        }
    }

    @inline(__always)
    private func arithmetic<Element: NumericElement>(
        _ a: Tensor, _ b: Tensor, _ shape: [Int], _: Element.Type
    ) -> Tensor {
        func map(_ function: (Element, Element) -> Element) -> Tensor { Tensor.map(a, b, shape: shape, function) }
        func mapBits(_ function: (Int64, Int64) -> Int64) -> Tensor {
            map { Element(integer: function($0.integer, $1.integer)) }
        }
        switch function {
        case .add: return map(Element.sum)
        case .sub: return map(Element.difference)
        case .mul: return map(Element.product)
        case .div: return map(Element.quotient)
        case .pow: return map(Self.power)
        case .prelu: return map { $0 < 0 ? Element.product($0, $1) : $0 }
        case .squaredDifference:
            return map {
                let difference = Element.difference($0, $1)
                return Element.product(difference, difference)
            }
        case .mod(let fmod): return map { Element.remainder($0, $1, flooring: !fmod) }
        case .floorDiv: return map(Element.flooredQuotient)
        case .bitwiseAnd: return mapBits { $0 & $1 }
        case .bitwiseOr: return mapBits { $0 | $1 }
        case .bitwiseXor: return mapBits { $0 ^ $1 }
        case .bitShift(left: true): return mapBits { $0 << $1 }
        case .bitShift(left: false):
            return mapBits { Int64(bitPattern: UInt64(bitPattern: $0) >> UInt64(bitPattern: $1)) }
        case .and, .or, .xor, .equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual:
            preconditionFailure("\(name) is not arithmetic")
        }
    }

    @inline(__always)
    private static func power<Element: NumericElement>(_ x: Element, _ y: Element) -> Element {
        if !Element.isInteger || y < 0 { return Element(real: Double.pow(x.real, y.real)) }
        var (result, base, exponent) = (Element(integer: 1), x, UInt64(bitPattern: y.integer))
        while exponent > 0 {
            if exponent & 1 == 1 { result = Element.product(result, base) }
            base = Element.product(base, base)
            exponent >>= 1
        }
        return result
    }
}
