/// Elementwise function of one tensor.
public struct Unary: Operator, Hashable {
    public enum Function: Sendable, Hashable {
        case abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, erf, exp, floor, log, neg, reciprocal, round
        case sign, sin, sinh, sqrt, tan, tanh, sigmoid, relu, softplus, softsign, mish, hardSwish, square, rsqrt, not
        case isNaN
        case isInf(detectNegative: Bool, detectPositive: Bool)
        case leakyRelu(alpha: Float)
        case elu(alpha: Float)
        case celu(alpha: Float)
        case selu(alpha: Float, gamma: Float)
        case thresholdedRelu(alpha: Float)
        case hardSigmoid(alpha: Float, beta: Float)
        case shrink(bias: Float, lambda: Float)
        case gelu(tanhApproximation: Bool)
        case swish(alpha: Float)
    }
    public var function: Function
    public init(_ function: Function) { self.function = function }

    public var name: String { function.name }
}

extension Unary.Function {
    /// The ONNX name; for functions that ONNX lacks, the TFLite one.
    public var name: String {
        switch self {
        case .abs: "Abs"
        case .acos: "Acos"
        case .acosh: "Acosh"
        case .asin: "Asin"
        case .asinh: "Asinh"
        case .atan: "Atan"
        case .atanh: "Atanh"
        case .ceil: "Ceil"
        case .cos: "Cos"
        case .cosh: "Cosh"
        case .erf: "Erf"
        case .exp: "Exp"
        case .floor: "Floor"
        case .log: "Log"
        case .neg: "Neg"
        case .reciprocal: "Reciprocal"
        case .round: "Round"
        case .sign: "Sign"
        case .sin: "Sin"
        case .sinh: "Sinh"
        case .sqrt: "Sqrt"
        case .tan: "Tan"
        case .tanh: "Tanh"
        case .sigmoid: "Sigmoid"
        case .relu: "Relu"
        case .softplus: "Softplus"
        case .softsign: "Softsign"
        case .mish: "Mish"
        case .hardSwish: "HardSwish"
        case .square: "Square"
        case .rsqrt: "Rsqrt"
        case .not: "Not"
        case .isNaN: "IsNaN"
        case .isInf: "IsInf"
        case .leakyRelu: "LeakyRelu"
        case .elu: "Elu"
        case .celu: "Celu"
        case .selu: "Selu"
        case .thresholdedRelu: "ThresholdedRelu"
        case .hardSigmoid: "HardSigmoid"
        case .shrink: "Shrink"
        case .gelu: "Gelu"
        case .swish: "Swish"
        }
    }
}
