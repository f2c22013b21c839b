import Kernels

/// Multipliers (input scale over output scale) of an int8 sum.
///
/// A sum near the middle of two codes rounds by the last bits of the arithmetic. ONNX Runtime adds the zero points, folded
/// into one float, before it rounds; the device adds the output's after. Networks that amplify single steps then end
/// elsewhere, so the multipliers are moved by a few units in the last place to where most of the 65 536 pairs of codes give
/// ONNX Runtime's code. The sum stays within 2^-20 of the exact one.
struct SumMultipliers: Hashable {
    var first: Float
    var second: Float

    /// The plain quotients.
    init(_ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters) {
        self.first = first.scale * (1 / output.scale)
        self.second = second.scale * (1 / output.scale)
    }

    /// The quotients, moved so that codes agree with ONNX Runtime's.
    /// - Parameter isUnsigned: whether the source stores uint8, 128 above the device's codes.
    static func likeONNXRuntime(
        _ first: Int8Parameters, _ second: Int8Parameters, to output: Int8Parameters, isUnsigned: Bool
    ) -> SumMultipliers {
        let plain = SumMultipliers(first, second, to: output)
        let expected = referenceCodes(first, second, output, shift: isUnsigned ? 128 : 0)
        var (best, fewest) = (plain, Int.max)
        // From the plain quotients outwards, so that of equal candidates the nearest wins.
        for reach in 0...8 where fewest > 0 {
            for i in -reach...reach {
                for j in -reach...reach where max(abs(i), abs(j)) == reach {
                    var candidate = plain
                    candidate.first = moved(plain.first, by: i)
                    candidate.second = moved(plain.second, by: j)
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

    /// ONNX Runtime's codes of all pairs, first operand outermost.
    private static func referenceCodes(
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
        from expected: [Int8], _ first: Int8Parameters, _ second: Int8Parameters, _ output: Int8Parameters, atMost limit: Int
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
