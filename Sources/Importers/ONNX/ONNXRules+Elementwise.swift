import Graph

extension ONNXRules {
    static let elementwise: [String: Rule] = [
        "Abs": unary(.abs), "Acos": unary(.acos), "Acosh": unary(.acosh), "Asin": unary(.asin), "Asinh": unary(.asinh),
        "Atan": unary(.atan), "Atanh": unary(.atanh), "Ceil": unary(.ceil), "Cos": unary(.cos), "Cosh": unary(.cosh),
        "Erf": unary(.erf), "Exp": unary(.exp), "Floor": unary(.floor), "HardSwish": unary(.hardSwish),
        "IsNaN": unary(.isNaN), "Log": unary(.log), "Mish": unary(.mish), "Neg": unary(.neg), "Not": unary(.not),
        "Reciprocal": unary(.reciprocal), "Relu": unary(.relu), "Round": unary(.round), "Sigmoid": unary(.sigmoid),
        "Sign": unary(.sign), "Sin": unary(.sin), "Sinh": unary(.sinh), "Softplus": unary(.softplus),
        "Softsign": unary(.softsign), "Sqrt": unary(.sqrt), "Tan": unary(.tan), "Tanh": unary(.tanh),

        "Celu": celu, "Elu": elu, "Gelu": gelu, "HardSigmoid": hardSigmoid, "IsInf": isInf, "LeakyRelu": leakyRelu,
        "Selu": selu, "Shrink": shrink, "Swish": swish, "ThresholdedRelu": thresholdedRelu,

        "Add": binary(.add), "Sub": binary(.sub), "Mul": binary(.mul), "Div": binary(.div), "Pow": binary(.pow),
        "PRelu": binary(.prelu), "Equal": binary(.equal), "Greater": binary(.greater),
        "GreaterOrEqual": binary(.greaterOrEqual), "Less": binary(.less), "LessOrEqual": binary(.lessOrEqual),
        "And": binary(.and), "Or": binary(.or), "Xor": binary(.xor), "BitwiseAnd": binary(.bitwiseAnd),
        "BitwiseOr": binary(.bitwiseOr), "BitwiseXor": binary(.bitwiseXor), "BitShift": bitShift, "Mod": mod,

        "Max": variadic(.max), "Min": variadic(.min), "Sum": variadic(.sum), "Mean": variadic(.mean),
        "Clip": clip, "Where": plain(Where()),
    ]

    static let microsoftElementwise: [String: Rule] = ["Gelu": plain(Unary(.gelu(tanhApproximation: false)))]

    /// An operator without attributes whose inputs are the same in all opsets.
    static func plain(_ op: some Operator) -> Rule {
        { (node) throws(TranslationError) in try node.finish(op) }
    }

    private static func unary(_ function: Unary.Function) -> Rule { plain(Unary(function)) }
    private static func binary(_ function: Binary.Function) -> Rule { plain(Binary(function)) }
    private static func variadic(_ function: Variadic.Function) -> Rule { plain(Variadic(function)) }

    private static let celu: Rule = { (node) throws(TranslationError) in
        try node.finish(Unary(.celu(alpha: node.float("alpha", default: 1))))
    }

    private static let elu: Rule = { (node) throws(TranslationError) in
        try node.finish(Unary(.elu(alpha: node.float("alpha", default: 1))))
    }

    private static let gelu: Rule = { (node) throws(TranslationError) in
        let isTanh = try node.choice("approximate", default: "none", ["none": false, "tanh": true])
        try node.finish(Unary(.gelu(tanhApproximation: isTanh)))
    }

    private static let hardSigmoid: Rule = { (node) throws(TranslationError) in
        let (alpha, beta) = (try node.float("alpha", default: 0.2), try node.float("beta", default: 0.5))
        try node.finish(Unary(.hardSigmoid(alpha: alpha, beta: beta)))
    }

    private static let isInf: Rule = { (node) throws(TranslationError) in
        let negative = try node.flag("detect_negative", default: true)
        let positive = try node.flag("detect_positive", default: true)
        try node.finish(Unary(.isInf(detectNegative: negative, detectPositive: positive)))
    }

    private static let leakyRelu: Rule = { (node) throws(TranslationError) in
        try node.finish(Unary(.leakyRelu(alpha: node.float("alpha", default: 0.01))))
    }

    private static let selu: Rule = { (node) throws(TranslationError) in
        let alpha = try node.float("alpha", default: 1.67326319217681884765625)
        let gamma = try node.float("gamma", default: 1.05070102214813232421875)
        try node.finish(Unary(.selu(alpha: alpha, gamma: gamma)))
    }

    private static let shrink: Rule = { (node) throws(TranslationError) in
        let (bias, lambda) = (try node.float("bias", default: 0), try node.float("lambd", default: 0.5))
        try node.finish(Unary(.shrink(bias: bias, lambda: lambda)))
    }

    private static let swish: Rule = { (node) throws(TranslationError) in
        try node.finish(Unary(.swish(alpha: node.float("alpha", default: 1))))
    }

    private static let thresholdedRelu: Rule = { (node) throws(TranslationError) in
        try node.finish(Unary(.thresholdedRelu(alpha: node.float("alpha", default: 1))))
    }

    private static let bitShift: Rule = { (node) throws(TranslationError) in
        let left = try node.choice("direction", default: "", ["LEFT": true, "RIGHT": false])
        try node.finish(Binary(.bitShift(left: left)))
    }

    private static let mod: Rule = { (node) throws(TranslationError) in
        try node.finish(Binary(.mod(fmod: node.flag("fmod"))))
    }

    /// Bounds are attributes before opset 11.
    private static let clip: Rule = { (node) throws(TranslationError) in
        guard node.opset < 11 else { return try node.finish(Clip()) }
        let x = try node.input(0, "x")
        let type = try node.facts(x).type.elementType
        var bounds: [ValueID?] = []
        for name in ["min", "max"] {
            guard node.hasAttribute(name) else {
                bounds.append(nil)
                continue
            }
            bounds.append(node.constant(scalar: try node.float(name, default: 0), type, name))
        }
        try node.finish(Clip(), [x] + bounds)
    }
}
