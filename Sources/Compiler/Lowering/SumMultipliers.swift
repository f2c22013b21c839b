import Graph
import Kernels

/// Multipliers (input scale over output scale) of an int8 sum.
///
/// A sum near the middle of two codes rounds by the last bits of the arithmetic. ONNX Runtime adds the zero points, folded
/// into one float, before it rounds; LiteRT (XNNPACK) multiplies by integers of 21 bits; the device adds the output's zero
/// point after rounding. Networks that amplify single steps then end elsewhere, so the multipliers are moved by a few units
/// in the last place to where most of the 65 536 pairs of codes give the source runtime's code. None moves by more than
/// 2^-19 of the greater one.
struct SumMultipliers: Hashable {
    var first: Float
    var second: Float

    /// The plain quotients.
    init(_ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters) {
        self.first = first.scale * (1 / output.scale)
        self.second = second.scale * (1 / output.scale)
    }

    /// The quotients, moved so that codes agree with those of the source's runtime.
    /// - Parameter isUnsigned: whether the source stores uint8, 128 above the device's codes.
    static func agreeing(
        with rounding: IntegerRounding, _ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters,
        isUnsigned: Bool
    ) -> SumMultipliers {
        let plain = SumMultipliers(first, second, to: output)
        let expected: [Int8]
        var start = plain
        switch rounding {
        case .nearestEven:
            expected = codesOfONNXRuntime(first, second, output, shift: isUnsigned ? 128 : 0)
        case .tfLite:
            let fixed = FixedPoint(first, second, output)
            expected = fixed.codes(first, second, output)
            start.first = Float(fixed.first) * fixed.unit
            start.second = Float(fixed.second) * fixed.unit
        }
        var (best, fewest) = (plain, plain.differences(from: expected, first, second, output, atMost: .max))
        // From the start outwards, so that of equal candidates the nearest wins.
        for reach in 0...8 where fewest > 0 {
            for i in -reach...reach {
                for j in -reach...reach where max(abs(i), abs(j)) == reach {
                    var candidate = start
                    candidate.first = moved(start.first, by: i)
                    candidate.second = moved(start.second, by: j)
                    let differing = candidate.differences(from: expected, first, second, output, atMost: fewest)
                    if differing < fewest { (best, fewest) = (candidate, differing) }
                }
            }
        }
        return best
    }

    private static func moved(_ value: Float, by units: Int) -> Float {
        Float(bitPattern: UInt32(Int64(value.bitPattern) + Int64(units)))
    }

    /// XNNPACK's sum: `(first · (x - zx) + second · (y - zy) + half) >> shift`, the greater multiplier of 21 bits.
    struct FixedPoint {
        var first: Int32
        var second: Int32
        var shift: Int

        var unit: Float { Float(sign: .plus, exponent: -shift, significand: 1) }

        init(_ a: Int8Parameters, _ b: Int8Parameters, _ output: Int8Parameters) {
            let (x, y) = (a.scale / output.scale, b.scale / output.scale)
            shift = max(1, 20 - Int(max(x, y).exponent))
            let factor = Float(sign: .plus, exponent: shift, significand: 1)
            first = Int32(min((x * factor).rounded(.toNearestOrEven), 0x1p21))
            second = Int32(min((y * factor).rounded(.toNearestOrEven), 0x1p21))
        }

        /// The code of the sum of two codes, of the difference if `subtracts`.
        func code(
            _ x: Int32, _ a: Int8Parameters, _ y: Int32, _ b: Int8Parameters, _ output: Int8Parameters,
            subtracts: Bool = false
        ) -> Int8 {
            let right = Int64(second) * Int64(y - b.zeroPoint)
            let sum = Int64(first) * Int64(x - a.zeroPoint) + (subtracts ? -right : right)
            let half = Int64(1) << Int64(shift - 1)
            return Int8(max(-128, min(127, ((sum + half) >> Int64(shift)) + Int64(output.zeroPoint))))
        }

        /// Codes of all pairs, first operand outermost.
        func codes(_ a: Int8Parameters, _ b: Int8Parameters, _ output: Int8Parameters) -> [Int8] {
            (-128...127).flatMap { x in
                (-128...127).map { y in code(Int32(x), a, Int32(y), b, output) }
            }
        }
    }

    /// ONNX Runtime's codes of all pairs, first operand outermost.
    private static func codesOfONNXRuntime(
        _ first: Int8Parameters, _ second: Int8Parameters, _ output: Int8Parameters, shift: Int32
    ) -> [Int8] {
        let (a, b) = (first.scale / output.scale, second.scale / output.scale)
        let zero = Float(output.zeroPoint + shift)
        let folded = zero - (b * Float(second.zeroPoint + shift)).addingProduct(a, Float(first.zeroPoint + shift))
        return (-128...127).flatMap { x in
            let left = Float(Int32(x) + shift) * a + folded
            return (-128...127).map { y in
                let sum = (left + Float(Int32(y) + shift) * b).rounded(.toNearestOrEven) - Float(shift)
                return Int8(max(-128, min(127, sum)))
            }
        }
    }

    private func differences(
        from expected: [Int8], _ first: Int8Parameters, _ second: Int8Parameters, _ output: Int8Parameters,
        atMost limit: Int
    ) -> Int {
        var count = 0
        expected.withUnsafeBufferPointer { expected in
            for x in 0..<256 {
                let left = Float(Int32(x) - 128 - first.zeroPoint) * self.first
                for y in 0..<256 {
                    let sum = left + Float(Int32(y) - 128 - second.zeroPoint) * self.second
                    let code = quantizedStep(sum, zeroPoint: output.zeroPoint, lowest: -128, highest: 127)
                    if code != expected[x * 256 + y] { count += 1 }
                }
                if count >= limit { return }
            }
        }
        return count
    }
}
