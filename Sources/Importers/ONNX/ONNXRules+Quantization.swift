import Graph

extension ONNXRules {
    static let quantization: [String: Rule] = [
        "QuantizeLinear": quantizeLinear, "DequantizeLinear": dequantizeLinear,
        "DynamicQuantizeLinear": plain(DynamicQuantizeLinear()), "QLinearConv": qLinearConv,
        "QLinearMatMul": qLinearMatMul,
    ]

    static let microsoftQuantization: [String: Rule] = [
        "QuantizeLinear": quantizeLinear, "DequantizeLinear": dequantizeLinear,
        "QLinearAdd": qLinearBinary(.add), "QLinearMul": qLinearBinary(.mul),
        "QLinearGlobalAveragePool": qLinearGlobalAveragePool, "QLinearAveragePool": qLinearAveragePool,
        "QLinearConcat": qLinearConcat, "QLinearSigmoid": qLinearSigmoid, "QLinearLeakyRelu": qLinearLeakyRelu,
        "QLinearSoftmax": qLinearSoftmax, "QGemm": qGemm,
    ]

    private static let quantizeLinear: Rule = { (node) throws(TranslationError) in
        // Saturation and precision matter to 8-bit floats only.
        node.ignoreAttribute("saturate")
        let precision = ONNXDataType(number: Int64(try node.int("precision", default: 0)))
        guard precision.number == 0 || precision.elementType == .float32 else {
            throw node.refuse("attribute precision", expected: "float32", found: precision.name)
        }
        let number = try node.int("output_dtype", default: 0)
        let type = number == 0 ? nil : try elementType(node, "output_dtype", number: number)
        try node.finish(
            QuantizeLinear(
                axis: node.int("axis", default: 1), blockSize: node.int("block_size", default: 0), outputType: type))
    }

    private static let dequantizeLinear: Rule = { (node) throws(TranslationError) in
        let number = try node.int("output_dtype", default: 0)
        let op = DequantizeLinear(
            axis: try node.int("axis", default: 1), blockSize: try node.int("block_size", default: 0))
        guard number != 0 else { return try node.finish(op) }
        let type = try elementType(node, "output_dtype", number: number)
        guard try node.facts(node.input(1, "scale")).type.elementType != type else { return try node.finish(op) }
        try node.finish(Cast(to: type), [node.add(op, node.inputs, "dequantized")])
    }

    // MARK: Operators on quantized tensors: DequantizeLinear, the operator on real numbers, QuantizeLinear

    /// The real numbers of the quantized input at `index`; its scale and zero point are the two inputs after it.
    private static func dequantized(
        _ node: ONNXNodeTranslation, _ index: Int, _ label: String, axis: Int = 1
    ) throws(TranslationError) -> ValueID {
        let scale = try realScale(node, index + 1, label + "_scale")
        return try node.add(
            DequantizeLinear(axis: axis), [node.input(index, label), scale, node.optionalInput(index + 2)], label)
    }

    /// A scale as float32: sums of products in float16 would not be those of the integers.
    private static func realScale(
        _ node: ONNXNodeTranslation, _ index: Int, _ label: String
    ) throws(TranslationError) -> ValueID {
        let scale = try node.input(index, label)
        guard try node.facts(scale).type.elementType != .float32 else { return scale }
        return try node.add(Cast(to: .float32), [scale], label)
    }

    /// Quantizes `real` to the node's output with the scale at `index` and the zero point after it.
    private static func finishQuantized(
        _ node: ONNXNodeTranslation, _ real: ValueID, scaleAt index: Int
    ) throws(TranslationError) {
        let scale = try realScale(node, index, "y_scale")
        // Without a zero point the result has the input's type.
        var type: ElementType?
        if node.optionalInput(index + 1) == nil { type = try node.facts(node.input(0, "x")).type.elementType }
        try node.finish(QuantizeLinear(outputType: type), [real, scale, node.optionalInput(index + 1)])
    }

    /// x, its scale and zero point, w, its scale and zero point, scale and zero point of y, bias as int32 in units of the
    /// product of the scales of x and w.
    private static let qLinearConv: Rule = { (node) throws(TranslationError) in
        let conv = try readConv(node, weights: node.input(3, "w"))
        let x = try dequantized(node, 0, "x")
        let w = try dequantized(node, 3, "w", axis: 0)
        var inputs: [ValueID?] = [x, w]
        if let bias = node.optionalInput(8) {
            inputs.append(try dequantizedBias(node, bias, xScale: 1, wScale: 4))
        }
        try finishQuantized(node, node.add(conv, inputs, "real"), scaleAt: 6)
    }

    /// A bias in units of the product of the two scales and `factor`.
    private static func dequantizedBias(
        _ node: ONNXNodeTranslation, _ bias: ValueID, xScale: Int, wScale: Int, factor: Float = 1
    ) throws(TranslationError) -> ValueID {
        var scale = try node.add(
            Binary(.mul), [realScale(node, xScale, "x_scale"), realScale(node, wScale, "w_scale")], "bias_scale")
        if factor != 1 {
            let constant = node.constant(scalar: factor, .float32, "bias_factor")
            scale = try node.add(Binary(.mul), [scale, constant], "bias_unit")
        }
        return try node.add(DequantizeLinear(axis: 0), [bias, scale, nil], "bias")
    }

    /// Scales of a are per tensor or per row, those of b per tensor or per column.
    private static let qLinearMatMul: Rule = { (node) throws(TranslationError) in
        let a = try dequantized(node, 0, "a", axis: -2)
        let b = try dequantized(node, 3, "b", axis: -1)
        try finishQuantized(node, node.add(MatMul(), [a, b], "real"), scaleAt: 6)
    }

    private static func qLinearBinary(_ function: Binary.Function) -> Rule {
        { (node) throws(TranslationError) in
            let (a, b) = (try dequantized(node, 0, "a"), try dequantized(node, 3, "b"))
            try finishQuantized(node, node.add(Binary(function), [a, b], "real"), scaleAt: 6)
        }
    }

    private static func layout(_ node: ONNXNodeTranslation) throws(TranslationError) -> Layout {
        try node.flag("channels_last") ? .channelsLast : .channelsFirst
    }

    private static let qLinearGlobalAveragePool: Rule = { (node) throws(TranslationError) in
        let op = GlobalPool(kind: .average, layout: try layout(node))
        try finishQuantized(node, node.add(op, [dequantized(node, 0, "x")], "real"), scaleAt: 3)
    }

    private static let qLinearAveragePool: Rule = { (node) throws(TranslationError) in
        var op = try readPool(node, .average(countIncludesPadding: node.flag("count_include_pad")))
        op.layout = try layout(node)
        try finishQuantized(node, node.add(op, [dequantized(node, 0, "x")], "real"), scaleAt: 3)
    }

    /// Scale and zero point of y, then each input with its own.
    private static let qLinearConcat: Rule = { (node) throws(TranslationError) in
        let op = Concat(axis: try node.requiredInt("axis"))
        var parts: [ValueID?] = []
        for index in stride(from: 2, to: node.inputs.count, by: 3) {
            parts.append(try dequantized(node, index, "x\(parts.count)"))
        }
        let real = try node.add(op, parts, "real")
        try node.finish(QuantizeLinear(), [real, realScale(node, 0, "y_scale"), node.input(1, "y_zero_point")])
    }

    private static let qLinearSigmoid: Rule = { (node) throws(TranslationError) in
        try finishQuantized(node, node.add(Unary(.sigmoid), [dequantized(node, 0, "x")], "real"), scaleAt: 3)
    }

    private static let qLinearLeakyRelu: Rule = { (node) throws(TranslationError) in
        let op = Unary(.leakyRelu(alpha: try node.float("alpha", default: 0.01)))
        try finishQuantized(node, node.add(op, [dequantized(node, 0, "x")], "real"), scaleAt: 3)
    }

    /// `opset` says whose Softmax is meant; both agree when the axis is the last.
    private static let qLinearSoftmax: Rule = { (node) throws(TranslationError) in
        let axis = try node.int("axis", default: -1)
        let opset = try node.int("opset", default: 13)
        let x = try node.input(0, "x")
        if opset < 13 {
            let rank = try node.shape(x, "input 0 (x)").count
            guard axis == -1 || axis == rank - 1 else {
                throw node.refuse(
                    "attribute axis", expected: "the last axis before opset 13", found: "\(axis)",
                    remedy: "Quantize the model again after exporting it for opset 13 or newer.")
            }
        }
        try finishQuantized(node, node.add(Softmax(axis: axis), [dequantized(node, 0, "x")], "real"), scaleAt: 3)
    }

    /// Quantized Gemm; without a scale of y the result is float32.
    private static let qGemm: Rule = { (node) throws(TranslationError) in
        let transB = try node.flag("transB")
        let alpha = try node.float("alpha", default: 1)
        let op = Gemm(alpha: alpha, transA: try node.flag("transA"), transB: transB)
        let a = try dequantized(node, 0, "a")
        let b = try dequantized(node, 3, "b", axis: transB ? 0 : 1)
        var inputs: [ValueID?] = [a, b]
        if let bias = node.optionalInput(6) {
            inputs.append(try dequantizedBias(node, bias, xScale: 1, wScale: 4, factor: alpha))
        }
        guard node.optionalInput(7) != nil else { return try node.finish(op, inputs) }
        try finishQuantized(node, node.add(op, inputs, "real"), scaleAt: 7)
    }
}
