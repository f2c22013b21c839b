import Graph
import Kernels

/// The numbers with which the device adds or subtracts int8 values: multipliers (input scale over output scale, the
/// second negative to subtract) and zero points.
///
/// A sum near the middle of two codes rounds by the last bits of the arithmetic, and a network that amplifies single
/// steps then ends elsewhere. The device computes `round((x - zx)·m + (y - zy)·n) + z` in float32; ONNX Runtime adds the
/// zero points, folded into one float, before it rounds; LiteRT (XNNPACK) multiplies by integers of 21 bits, halves up.
/// So the numbers are moved until the codes of all 65 536 pairs are those of the source's runtime: multipliers by a few
/// units in the last place, and zero points by whole numbers for which `k·m + l·n` is all but an integer, which the
/// output's zero point takes back. What remains of it shifts all sums by some 1e-5 of a step, as much as float32 rounds.
struct SumArithmetic: Hashable {
    var first: Float
    var second: Float
    var firstZeroPoint: Int32
    var secondZeroPoint: Int32
    var outputZeroPoint: Int32

    /// The plain quotients and the tensors' own zero points.
    init(_ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters, subtracts: Bool = false) {
        self.first = first.scale * (1 / output.scale)
        self.second = second.scale * (subtracts ? -1 : 1) * (1 / output.scale)
        firstZeroPoint = first.zeroPoint
        secondZeroPoint = second.zeroPoint
        outputZeroPoint = output.zeroPoint
    }

    /// The device's code of two codes.
    func code(_ x: Int32, _ y: Int32) -> Int8 {
        let sum = Float(x - firstZeroPoint) * first + Float(y - secondZeroPoint) * second
        return quantizedStep(sum, zeroPoint: outputZeroPoint, lowest: -128, highest: 127)
    }

    /// The numbers whose codes agree best with those of the source's runtime.
    /// - Parameter isUnsigned: whether the source stores uint8, 128 above the device's codes.
    static func agreeing(
        with rounding: IntegerRounding, _ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters,
        subtracts: Bool = false, isUnsigned: Bool
    ) -> SumArithmetic {
        let plain = SumArithmetic(first, second, to: output, subtracts: subtracts)
        var start = plain
        let runtimeCode: (Int32, Int32) -> Int8
        switch rounding {
        case .nearestEven:
            let sum = FoldedFloat(first, second, output, shift: isUnsigned ? 128 : 0, subtracts: subtracts)
            runtimeCode = { sum.code($0, $1) }
        case .tfLite:
            let sum = FixedPoint(first, second, output, subtracts: subtracts)
            runtimeCode = { sum.code($0, $1, first, second, output) }
            start.first = Float(sum.first) * sum.unit
            start.second = Float(sum.second) * sum.unit
        }
        let contested = plain.contestedPairs(runtimeCode)
        var (best, fewest) = (plain, plain.differences(contested, atMost: .max))
        // From the start outwards, so that of equal candidates the nearest wins. Simple ratios contest thousands of pairs;
        // one good candidate is then as good as many.
        var budget = searchBudget
        for shifted in [start] + start.shifts() where fewest > 0 {
            for reach in 0...8 where fewest > 0 && budget > 0 {
                budget -= 8 * reach * min(contested.count, fewest)
                for i in -reach...reach {
                    for j in -reach...reach where max(abs(i), abs(j)) == reach {
                        var candidate = shifted
                        candidate.first = moved(shifted.first, by: i)
                        candidate.second = moved(shifted.second, by: j)
                        guard candidate.first.isNormal, candidate.second.isNormal else { continue }
                        let differing = candidate.differences(contested, atMost: fewest)
                        if differing < fewest { (best, fewest) = (candidate, differing) }
                    }
                }
            }
        }
        return best
    }

    private static func moved(_ value: Float, by units: Int) -> Float {
        Float(bitPattern: UInt32(clamping: Int64(value.bitPattern) + Int64(units)))
    }

    // MARK: Search

    private struct Pair {
        var x: Int32
        var y: Int32
        var code: Int8
    }

    /// How far from the middle of two codes a sum may lie and still change its code in the search.
    private var reach: Double {
        let greater = max(abs(first), abs(second))
        let steps = 510 * (Double(greater.ulp) * 10 + Double(greater) * 0x1p-21)
        let roundings = 4 * Double((255 * (abs(first) + abs(second)) + 256).ulp)
        return steps + roundings + Self.largestShift
    }

    /// Sums that one search may compute: some 0.1 s.
    private static let searchBudget = 20_000_000

    /// The greatest shift of all sums that is tried.
    private static let largestShift = 0x1p-14

    /// The pairs of codes whose sums lie so near to the middle of two codes that the last bits decide, with the code that
    /// the runtime gives them.
    private func contestedPairs(_ runtimeCode: (Int32, Int32) -> Int8) -> [Pair] {
        let reach = reach
        let ends = -129 - Double(outputZeroPoint)...128 - Double(outputZeroPoint)
        var pairs: [Pair] = []
        for x in Int32(-128)...127 {
            let left = Double(x - firstZeroPoint) * Double(first)
            for y in Int32(-128)...127 {
                let sum = left + Double(y - secondZeroPoint) * Double(second)
                guard ends.contains(sum), abs(sum - sum.rounded(.down) - 0.5) <= reach else { continue }
                pairs.append(Pair(x: x, y: y, code: runtimeCode(x, y)))
            }
        }
        return pairs
    }

    private func differences(_ pairs: [Pair], atMost limit: Int) -> Int {
        var count = 0
        for pair in pairs where code(pair.x, pair.y) != pair.code {
            count += 1
            if count >= limit { return count }
        }
        return count
    }

    /// The same sums but for a tiny shift: zero points moved by whole numbers, least moved first.
    private func shifts() -> [SumArithmetic] {
        var found: [(moved: Int32, sum: SumArithmetic)] = []
        for x in Int32(-128)...127 {
            let left = Double(firstZeroPoint - x) * Double(first)
            for y in Int32(-128)...127 {
                let shift = left + Double(secondZeroPoint - y) * Double(second)
                let whole = shift.rounded(.toNearestOrEven)
                let output = Double(outputZeroPoint) - whole
                guard abs(shift - whole) <= Self.largestShift, output >= -128, output <= 127 else { continue }
                let moved = abs(firstZeroPoint - x) + abs(secondZeroPoint - y)
                guard moved > 0 else { continue }
                var sum = self
                (sum.firstZeroPoint, sum.secondZeroPoint, sum.outputZeroPoint) = (x, y, Int32(output))
                found.append((moved, sum))
            }
        }
        return found.sorted { $0.moved < $1.moved }.prefix(64).map(\.sum)
    }

    // MARK: Other runtimes

    /// XNNPACK's sum: `(first · (x - zx) + second · (y - zy) + half) >> shift`, the greater multiplier of 21 bits.
    struct FixedPoint {
        var first: Int32
        var second: Int32
        var shift: Int

        var unit: Float { Float(sign: .plus, exponent: -shift, significand: 1) }

        init(_ a: Int8Parameters, _ b: Int8Parameters, _ output: Int8Parameters, subtracts: Bool = false) {
            let (x, y) = (a.scale / output.scale, b.scale / output.scale)
            shift = max(1, 20 - Int(max(x, y).exponent))
            let factor = Float(sign: .plus, exponent: shift, significand: 1)
            first = Int32(min((x * factor).rounded(.toNearestOrEven), 0x1p21))
            second = Int32(min((y * factor).rounded(.toNearestOrEven), 0x1p21)) * (subtracts ? -1 : 1)
        }

        /// The code of two codes.
        func code(
            _ x: Int32, _ y: Int32, _ a: Int8Parameters, _ b: Int8Parameters, _ output: Int8Parameters
        ) -> Int8 {
            let sum = Int64(first) * Int64(x - a.zeroPoint) + Int64(second) * Int64(y - b.zeroPoint)
            let half = Int64(1) << Int64(shift - 1)
            return Int8(max(-128, min(127, ((sum + half) >> Int64(shift)) + Int64(output.zeroPoint))))
        }
    }

    /// ONNX Runtime's sum: the stored integers times their quotients, fused, on top of the folded zero points.
    struct FoldedFloat {
        var first: Float
        var second: Float
        var folded: Float
        var shift: Int32

        init(
            _ a: Int8Parameters, _ b: Int8Parameters, _ output: Int8Parameters, shift: Int32, subtracts: Bool = false
        ) {
            first = a.scale / output.scale
            second = b.scale / output.scale * (subtracts ? -1 : 1)
            self.shift = shift
            let right = second * Float(b.zeroPoint + shift)
            folded = Float(output.zeroPoint + shift) - right.addingProduct(first, Float(a.zeroPoint + shift))
        }

        /// The code of two codes.
        func code(_ x: Int32, _ y: Int32) -> Int8 {
            let right = folded.addingProduct(second, Float(y + shift))
            let sum = right.addingProduct(first, Float(x + shift)).rounded(.toNearestOrEven)
            return Int8(max(-128, min(127, sum - Float(shift))))
        }
    }
}
