import Glibc
import XCTest

@testable import Graph

final class ElementwiseTests: XCTestCase {
    func testUnaryFunctionsAgainstTheirFormulas() throws {
        let x: [Double] = [-2.5, -1, -0.5, 0, 0.25, 0.5, 1, 2.5, 3.7]
        let cases: [(Unary.Function, (Double) -> Double)] = [
            (.abs, { Swift.abs($0) }), (.atan, { Glibc.atan($0) }), (.asinh, { Glibc.asinh($0) }),
            (.ceil, { $0.rounded(.up) }), (.floor, { $0.rounded(.down) }), (.cos, { Glibc.cos($0) }),
            (.sin, { Glibc.sin($0) }), (.cosh, { Glibc.cosh($0) }), (.sinh, { Glibc.sinh($0) }),
            (.tan, { Glibc.tan($0) }), (.tanh, { Glibc.tanh($0) }), (.erf, { Glibc.erf($0) }),
            (.exp, { Glibc.exp($0) }), (.neg, { -$0 }), (.square, { $0 * $0 }),
            (.round, { $0.rounded(.toNearestOrEven) }), (.sign, { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }),
            (.sigmoid, { 1 / (1 + Glibc.exp(-$0)) }), (.relu, { max($0, 0) }),
            (.softplus, { Glibc.log(1 + Glibc.exp($0)) }), (.softsign, { $0 / (1 + Swift.abs($0)) }),
            (.mish, { $0 * Glibc.tanh(Glibc.log(1 + Glibc.exp($0))) }),
            (.hardSwish, { $0 * min(1, max(0, $0 + 3) / 6) }),
            (.leakyRelu(alpha: 0.25), { $0 < 0 ? 0.25 * $0 : $0 }),
            (.elu(alpha: 2), { $0 < 0 ? 2 * (Glibc.exp($0) - 1) : $0 }),
            (.celu(alpha: 2), { max(0, $0) + min(0, 2 * (Glibc.exp($0 / 2) - 1)) }),
            (.selu(alpha: 1.5, gamma: 2), { $0 > 0 ? 2 * $0 : 2 * (1.5 * Glibc.exp($0) - 1.5) }),
            (.thresholdedRelu(alpha: 0.5), { $0 > 0.5 ? $0 : 0 }),
            (.hardSigmoid(alpha: 0.25, beta: 0.5), { max(0, min(1, 0.25 * $0 + 0.5)) }),
            (.shrink(bias: 0.25, lambda: 0.5), { $0 < -0.5 ? $0 + 0.25 : $0 > 0.5 ? $0 - 0.25 : 0 }),
            (.gelu(tanhApproximation: false), { 0.5 * $0 * (1 + Glibc.erf($0 / 2.0.squareRoot())) }),
            (
                .gelu(tanhApproximation: true),
                { 0.5 * $0 * (1 + Glibc.tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * Glibc.pow($0, 3)))) }
            ),
            (.swish(alpha: 0.5), { $0 / (1 + Glibc.exp(-0.5 * $0)) }),
        ]
        for (function, formula) in cases {
            let op = Unary(function)
            for type in [ElementType.float32, .float64, .float16, .bfloat16] {
                let input = Tensor(x, shape: [3, 3]).converted(to: type)
                let tolerance: Float = type == .float16 ? 2e-3 : type == .bfloat16 ? 1e-2 : 1e-5
                assertClose(try output(of: op, [input]), input.doubles.map { Float(formula($0)) }, tolerance: tolerance)
            }
        }
    }

    func testUnaryOfPositiveNumbers() throws {
        let x: [Float] = [0.25, 0.5, 0.75, 1]
        let cases: [(Unary.Function, (Float) -> Float)] = [
            (.log, { logf($0) }), (.sqrt, { $0.squareRoot() }), (.rsqrt, { 1 / $0.squareRoot() }),
            (.reciprocal, { 1 / $0 }), (.acos, { acosf($0) }), (.asin, { asinf($0) }), (.atanh, { atanhf($0) }),
        ]
        for (function, formula) in cases {
            assertClose(try output(of: Unary(function), [floats(x, [4])]), x.map(formula))
        }
        assertClose(try output(of: Unary(.acosh), [floats([1, 2], [2])]), [0, acoshf(2)])
    }

    func testUnaryOfOtherTypes() throws {
        assertIntegers(try output(of: Unary(.abs), [Tensor([Int8(-3), 4, -128], shape: [3])]), [3, 4, -128])
        assertIntegers(try output(of: Unary(.neg), [Tensor([Int32(-3), 4], shape: [2])]), [3, -4])
        assertIntegers(try output(of: Unary(.relu), [Tensor([Int64(-3), 4], shape: [2])]), [0, 4])
        assertIntegers(try output(of: Unary(.sign), [Tensor([Int16(-3), 0, 9], shape: [3])]), [-1, 0, 1])
        assertIntegers(try output(of: Unary(.square), [Tensor([Int32(-3), 9], shape: [2])]), [9, 81])
        assertIntegers(try output(of: Unary(.not), [Tensor([true, false], shape: [2])]), [0, 1])
        let odd = floats([.nan, .infinity, -.infinity, 0], [4])
        assertIntegers(try output(of: Unary(.isNaN), [odd]), [1, 0, 0, 0])
        assertIntegers(try output(of: Unary(.isInf(detectNegative: false, detectPositive: true)), [odd]), [0, 1, 0, 0])
        assertClose(try output(of: Unary(.softplus), [floats([1000, -1000], [2])]), [1000, 0])
    }

    func testBinaryBroadcastsLikeNestedLoops() throws {
        var random = TestRandom(seed: 1)
        let pairs: [([Int], [Int], [Int])] = [
            ([2, 3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5]), ([2, 3, 4, 5], [], [2, 3, 4, 5]), ([], [3, 1], [3, 1]),
            ([2, 3, 4, 5], [3, 1, 1], [2, 3, 4, 5]), ([2, 3, 4, 5], [5], [2, 3, 4, 5]), ([3, 1], [1, 4], [3, 4]),
            ([2, 1, 4, 1], [3, 1, 5], [2, 3, 4, 5]), ([1, 1], [1, 1], [1, 1]), ([0, 3], [3], [0, 3]),
        ]
        for (aShape, bShape, shape) in pairs {
            let (a, b) = (random.tensor(aShape), random.tensor(bShape))
            let found = try output(of: Binary(.sub), [a, b])
            XCTAssertEqual(found.shape, shape)
            var expected: [Float] = []
            for index in 0..<shape.reduce(1, *) {
                func element(_ x: Tensor) -> Float {
                    var (rest, position, stride) = (index, 0, 1)
                    for axis in shape.indices.reversed() {
                        let own = axis - (shape.count - x.shape.count)
                        if own >= 0 {
                            if x.shape[own] > 1 { position += rest % shape[axis] * stride }
                            stride *= x.shape[own]
                        }
                        rest /= shape[axis]
                    }
                    return x.floats[position]
                }
                expected.append(element(a) - element(b))
            }
            assertClose(found, expected)
        }
    }

    func testBinaryArithmetic() throws {
        let (a, b) = (floats([7, -7, 2, 0], [4]), floats([2, 2, -3, 5], [4]))
        assertClose(try output(of: Binary(.add), [a, b]), [9, -5, -1, 5])
        assertClose(try output(of: Binary(.mul), [a, b]), [14, -14, -6, 0])
        assertClose(try output(of: Binary(.div), [a, b]), [3.5, -3.5, -2 / 3, 0])
        assertClose(try output(of: Binary(.pow), [floats([2, 3, 4, 0.5], [4]), b]), [4, 9, 1 / 64, 0.03125])
        assertClose(try output(of: Binary(.prelu), [a, floats([0.5], [1])]), [7, -3.5, 2, 0])
        assertClose(try output(of: Binary(.squaredDifference), [a, b]), [25, 81, 25, 25])
        assertClose(try output(of: Binary(.mod(fmod: false)), [a, b]), [1, 1, -1, 0])
        assertClose(try output(of: Binary(.mod(fmod: true)), [a, b]), [1, -1, 2, 0])
        assertClose(try output(of: Binary(.floorDiv), [a, b]), [3, -4, -1, 0])
        assertClose(
            try output(of: Binary(.add), [a.converted(to: .float16), b.converted(to: .float16)]), [9, -5, -1, 5])
    }

    func testBinaryOfIntegers() throws {
        let (a, b) = (Tensor([Int8(127), -128, -7, 7], shape: [4]), Tensor([Int8(1), -1, 2, -2], shape: [4]))
        assertIntegers(try output(of: Binary(.add), [a, b]), [-128, 127, -5, 5])
        assertIntegers(try output(of: Binary(.div), [a, b]), [127, -128, -3, -3])
        assertIntegers(try output(of: Binary(.mod(fmod: false)), [a, b]), [0, 0, 1, -1])
        assertIntegers(try output(of: Binary(.mod(fmod: true)), [a, b]), [0, 0, -1, 1])
        assertIntegers(try output(of: Binary(.floorDiv), [a, b]), [127, -128, -4, -4])
        assertIntegers(try output(of: Binary(.bitwiseXor), [a, b]), [126, 127, -5, -7])
        assertIntegers(
            try output(of: Binary(.pow), [Tensor([Int32(3), -2], shape: [2]), Tensor([Int32(4), 3], shape: [2])]),
            [81, -8])
        let zero = Tensor([Int32(0)], shape: [1])
        assertIntegers(try output(of: Binary(.div), [Tensor([Int32(5)], shape: [1]), zero]), [0])
        let (u, shift) = (Tensor([UInt8(0x81), 16], shape: [2]), Tensor([UInt8(1), 2], shape: [2]))
        assertIntegers(try output(of: Binary(.bitShift(left: true)), [u, shift]), [2, 64])
        assertIntegers(try output(of: Binary(.bitShift(left: false)), [u, shift]), [64, 4])
        let mixed = try output(of: Binary(.pow), [floats([1.5, 2], [2]), Tensor([Int64(2), 3], shape: [2])])
        assertClose(mixed, [2.25, 8])
    }

    func testComparisonsAndLogic() throws {
        let (a, b) = (floats([1, 2, 3, .nan], [4]), floats([2, 2, 2, .nan], [4]))
        assertIntegers(try output(of: Binary(.less), [a, b]), [1, 0, 0, 0])
        assertIntegers(try output(of: Binary(.lessOrEqual), [a, b]), [1, 1, 0, 0])
        assertIntegers(try output(of: Binary(.greater), [a, b]), [0, 0, 1, 0])
        assertIntegers(try output(of: Binary(.greaterOrEqual), [a, b]), [0, 1, 1, 0])
        assertIntegers(try output(of: Binary(.equal), [a, b]), [0, 1, 0, 0])
        assertIntegers(try output(of: Binary(.notEqual), [a, b]), [1, 0, 1, 1])
        let (p, q) = (Tensor([true, true, false, false], shape: [4]), Tensor([true, false, true, false], shape: [4]))
        assertIntegers(try output(of: Binary(.and), [p, q]), [1, 0, 0, 0])
        assertIntegers(try output(of: Binary(.or), [p, q]), [1, 1, 1, 0])
        assertIntegers(try output(of: Binary(.xor), [p, q]), [0, 1, 1, 0])
        let large = Tensor([UInt64.max], shape: [1])
        assertIntegers(try output(of: Binary(.greater), [large, Tensor([UInt64(1)], shape: [1])]), [1])
    }

    func testVariadic() throws {
        let (a, b, c) = (floats([1, 5, 3], [3]), floats([4], [1]), floats([0, 10], [2, 1]))
        assertClose(try output(of: Variadic(.max), [a, b, c]), [4, 5, 4, 10, 10, 10], shape: [2, 3])
        assertClose(try output(of: Variadic(.min), [a, b, c]), [0, 0, 0, 1, 4, 3], shape: [2, 3])
        assertClose(try output(of: Variadic(.sum), [a, b, c]), [5, 9, 7, 15, 19, 17])
        assertClose(try output(of: Variadic(.mean), [a, b, c]), [5.0 / 3, 3, 7.0 / 3, 5, 19.0 / 3, 17.0 / 3])
        assertClose(try output(of: Variadic(.mean), [a]), [1, 5, 3])
        assertClose(try output(of: Variadic(.max), [floats([.nan, 1], [2]), floats([1, .nan], [2])]), [.nan, .nan])
        assertIntegers(
            try output(of: Variadic(.max), [Tensor([UInt64.max], shape: [1]), Tensor([UInt64(3)], shape: [1])]), [-1])
    }

    func testClipAndWhere() throws {
        let x = floats([-2, 0.5, 9], [3])
        assertClose(try output(of: Clip(), [x, Tensor(scalar: Float(0)), Tensor(scalar: Float(6))]), [0, 0.5, 6])
        assertClose(try output(of: Clip(), [x, nil, Tensor(scalar: Float(6))]), [-2, 0.5, 6])
        assertClose(try output(of: Clip(), [x]), [-2, 0.5, 9])
        assertClose(try output(of: Clip(), [x, Tensor(scalar: Float(3)), Tensor(scalar: Float(1))]), [1, 1, 1])
        assertIntegers(
            try output(of: Clip(), [Tensor([Int8(-9), 9], shape: [2]), Tensor(scalar: Int8(-1))]), [-1, 9])
        let condition = Tensor([true, false], shape: [2, 1])
        assertClose(try output(of: Where(), [condition, x, floats([7], [1])]), [-2, 0.5, 9, 7, 7, 7], shape: [2, 3])
    }

    func testRefusals() {
        let (x, y) = (floats([1, 2, 3], [3]), floats([1, 2], [2]))
        assertRefused(Binary(.add), [x, y], subject: "input 1 (B)")
        assertRefused(Binary(.add), [x, Tensor([Int32(1)], shape: [1])], subject: "input 1 (B)")
        assertRefused(Binary(.add), [x], subject: "input 1 (B)")
        assertRefused(Binary(.and), [x, x], subject: "input 0 (A)")
        assertRefused(Binary(.prelu), [y.reshaped([2, 1]), x], subject: "input 1 (B)")
        assertRefused(Unary(.sigmoid), [Tensor([Int8(1)], shape: [1])], subject: "input 0 (x)")
        assertRefused(Unary(.relu), [nil], subject: "input 0 (x)")
        assertRefused(Variadic(.max), [], subject: "inputs")
        assertRefused(Clip(), [x, y], subject: "input 1 (min)")
        assertRefused(Where(), [x, x, x], subject: "input 0 (condition)")
    }
}
