import Kernels
import NestFormat

/// Elementwise float32 → float32 function, deterministic on every CPU (no libm). `not` gives 1 for 0, else 0; `round` is to
/// nearest even; `hardSwish` is `x * clamp(x * (1/6) + 0.5, 0, 1)`; `selu` has gamma in `beta`; `gelu` with `alpha` 1 uses
/// the tanh form; `swish` is `x * sigmoid(alpha * x)`; `clip` keeps NaN.
public struct ElementwiseUnary: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable {
        case abs = 0, ceil, cos, erf, exp, floor, log, neg, reciprocal, round, sign, sin, sqrt, tanh, sigmoid, softplus
        case hardSwish, square, rsqrt, elu, leakyRelu, hardSigmoid, gelu, swish, mish, clip, celu, selu, softsign
        case thresholdedRelu, not
    }
    public var function: Function, count: Int, inputOffset: Int, outputOffset: Int
    /// Function parameters (alpha, beta; clip: min, max), 0 when unused.
    public var alpha: Float, beta: Float
    public init(
        function: Function, count: Int, inputOffset: Int, outputOffset: Int, alpha: Float = 0, beta: Float = 0
    ) {
        (self.function, self.count, self.inputOffset, self.outputOffset) = (function, count, inputOffset, outputOffset)
        (self.alpha, self.beta) = (alpha, beta)
    }
}

extension ElementwiseUnary: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(function.rawValue)
        writer.writeCount(count)
        writer.writeSize(inputOffset)
        writer.writeSize(outputOffset)
        writer.write(alpha)
        writer.write(beta)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        guard let function = Function(rawValue: try reader.readUInt8()) else {
            throw reader.malformed("unknown function")
        }
        let count = try reader.readCount()
        let inputOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let alpha = try reader.readFloat()
        self.init(
            function: function, count: count, inputOffset: inputOffset, outputOffset: outputOffset, alpha: alpha,
            beta: try reader.readFloat())
    }

    var resultType: DeviceType { .float32 }

    var work: UInt64 { UInt64(count) * (ElementwiseUnary.isCheap(function) ? 4 : 64) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(count >= 1, "a count is 0")
        try checker.arena(inputOffset, count: Int64(count), type: .float32)
        try checker.arena(outputOffset, count: Int64(count), type: .float32)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, count * 4) }

    func run(_ context: ExecutionContext, part: Part) {
        let source = UnsafePointer(context.arenaFloat(inputOffset))
        let target = context.arenaFloat(outputOffset)
        for i in part.range(of: count, unit: 16) {
            target[i] = ElementwiseUnary.apply(function, source[i], alpha, beta)
        }
    }

    private static func isCheap(_ function: Function) -> Bool {
        switch function {
        case .abs, .ceil, .floor, .neg, .round, .sign, .square, .hardSwish, .leakyRelu, .hardSigmoid, .clip,
            .thresholdedRelu, .not:
            true
        default: false
        }
    }

    /// The function's value: simple ones in Float steps, transcendental ones in Double, rounded once.
    @inline(__always)
    static func apply(_ function: Function, _ x: Float, _ alpha: Float, _ beta: Float) -> Float {
        switch function {
        case .abs: x.magnitude
        case .ceil: x.rounded(.up)
        case .floor: x.rounded(.down)
        case .round: x.rounded(.toNearestOrEven)
        case .neg: -x
        case .reciprocal: 1 / x
        case .sign: x > 0 ? 1 : x < 0 ? -1 : x
        case .sqrt: x.squareRoot()
        case .rsqrt: 1 / x.squareRoot()
        case .square: x * x
        case .hardSwish: x * clip(x * (1 / 6) + 0.5, 0, 1)
        case .hardSigmoid: clip(alpha * x + beta, 0, 1)
        case .leakyRelu: x < 0 ? alpha * x : x
        case .thresholdedRelu: x > alpha ? x : 0
        case .clip: clip(x, alpha, beta)
        case .softsign: x / (1 + x.magnitude)
        case .not: x == 0 ? 1 : 0
        default: transcendental(function, x, alpha, beta)
        }
    }

    @inline(__always)
    private static func clip(_ x: Float, _ low: Float, _ high: Float) -> Float { x < low ? low : x > high ? high : x }

    private static func transcendental(_ function: Function, _ x: Float, _ alpha: Float, _ beta: Float) -> Float {
        typealias M = DeterministicMath
        let d = Double(x)
        let a = Double(alpha)
        switch function {
        case .cos: return Float(M.cos(x))
        case .sin: return Float(M.sin(x))
        case .erf: return Float(M.erf(d))
        case .exp: return Float(M.exp(d))
        case .log: return Float(M.log(d))
        case .tanh: return Float(M.tanh(d))
        case .sigmoid: return Float(M.sigmoid(d))
        case .softplus: return Float(M.softplus(d))
        case .elu: return x > 0 ? x : Float(a * M.expMinusOne(d))
        case .celu: return x > 0 ? x : Float(a * M.expMinusOne(d / a))
        case .selu: return Float(Double(beta) * (x > 0 ? d : a * M.expMinusOne(d)))
        case .swish: return Float(d * M.sigmoid(a * d))
        case .mish: return Float(d * M.tanh(M.softplus(d)))
        case .gelu:
            if alpha != 0 {
                return Float(0.5 * d * (1 + M.tanh(0x1.9884533d43651p-1 * (d + 0.044715 * (d * d * d)))))
            }
            return Float(0.5 * d * (1 + M.erf(d * 0x1.6a09e667f3bcdp-1)))
        default: return x
        }
    }
}
