import Graph

extension TFLiteMapper {
    func unary(_ function: Unary.Function) throws(GraphProblem) { try emit(Unary(function), [input(0)]) }

    /// Two operands; `type` when the options have a fused activation in their first field.
    func binary(_ function: Binary.Function, _ type: TFLiteOptionsType? = nil) throws(GraphProblem) {
        var activation = TFLiteActivation.none
        if let type { activation = try options(type).activation(0) }
        try emit(Binary(function), [input(0), input(1)], activation)
    }

    /// FLOOR_MOD: the remainder has the divisor's sign, for real numbers as well.
    func floorMod() throws(GraphProblem) {
        let (x, y) = (try input(0), try input(1))
        guard facts(x).type.elementType.isFloatingPoint else { return try emit(Binary(.mod(fmod: false)), [x, y]) }
        let quotient = try emit(Binary(.floorDiv), [x, y], "quotient")
        let product = try emit(Binary(.mul), [quotient, y], "product")
        try emit(Binary(.sub), [x, product])
    }

    func activate(_ id: ValueID, _ activation: TFLiteActivation) throws(GraphProblem) {
        switch activation {
        case .none: try emit(Identity(), [id])
        case .relu: try emit(Unary(.relu), [id])
        case .reluN1To1: try clip(id, -1, 1)
        case .relu6: try clip(id, 0, 6)
        case .tanh: try emit(Unary(.tanh), [id])
        }
    }

    func clip(_ id: ValueID, _ low: Float, _ high: Float) throws(GraphProblem) {
        try emit(Clip(), [id, scalar(low), scalar(high)])
    }

    /// SOFTMAX along the last axis, of `beta` times the input.
    func softmax() throws(GraphProblem) {
        let beta = try options(.softmax).float(0, "beta")
        var x = try input(0)
        if current.options != nil, beta != 1 { x = try emit(Binary(.mul), [x, scalar(beta)], "scaled") }
        try emit(Softmax(axis: -1), [x])
    }

    func l2Normalization() throws(GraphProblem) {
        let activation = try options(.l2Norm).activation(0)
        try emit(LpNormalization(axis: -1, p: 2, minimumNorm: 1e-6), [input(0)], activation)
    }

    /// DEQUANTIZE: of a constant it is the constant itself, since operators see real numbers anyway.
    func dequantize() throws(GraphProblem) {
        let x = try input(0)
        if quantization(x) != nil, constant(x) != nil { return try alias(x) }
        guard facts(x).type.elementType != .float32 else { return try emit(Identity(), [x]) }
        if let contents = constant(x), contents.elementType == .float16 {
            let name = model.tensors[try output(0)].name
            return try alias(addConstant(name, contents.converted(to: .float32)))
        }
        try emit(Cast(to: .float32), [x])
    }

    /// CAST: of stored integers; a quantized tensor's real numbers are something else.
    func cast() throws(GraphProblem) {
        let x = try input(0)
        let (elementType, result) = try type(of: try output(0))
        if quantization(x) != nil || result != nil {
            throw problem(
                "input 0", expected: "a tensor without scale and zero point", found: "a quantized one",
                remedy: "Convert the model again with DEQUANTIZE or QUANTIZE in the place of this CAST.")
        }
        try emit(Cast(to: elementType), [x])
    }

    /// SELECT, SELECT_V2: the first one's condition may choose along the first axis.
    func select() throws(GraphProblem) {
        var condition = try input(0)
        let (extents, whole) = (try shape(condition, 0), try shape(try input(1), 1))
        if current.name == "SELECT", extents.count == 1, whole.count > 1 {
            let shape = extents + [Int](repeating: 1, count: whole.count - 1)
            condition = try emit(Reshape(allowZero: true), [condition, integers(shape, "shape")], "condition")
        }
        try emit(Where(), [condition, input(1), input(2)])
    }

    /// WHERE: coordinates [n, axes] of what is true.
    func indicesWhereTrue() throws(GraphProblem) {
        let coordinates = try emit(NonZero(), [input(0)], "coordinates")
        try emit(Transpose(permutation: [1, 0]), [coordinates])
    }
}
