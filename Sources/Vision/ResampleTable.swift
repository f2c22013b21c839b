import NestFormat

/// Taps of one axis: output i is the sum of `counts[i]` source samples from `firsts[i]` on, times coefficients in 22-bit
/// fixed point that start at `i * tapCapacity`. Axes are done one after the other, horizontal first (as Pillow does up to
/// version 12; later ones take the cheaper order, which moves some values by one).
///
/// - bilinearAntialias: a triangle of half-width max(1, scale) around the source position (i + 0.5) scale of the output's
///   centre, cut at the picture's edges, normalised in Double, each coefficient rounded to 22 bits half away from zero:
///   the arithmetic of Pillow's BILINEAR.
/// - bilinear: the two samples whose centres enclose that position, repeated at the edges.
/// - nearest: the sample under that position.
struct ResampleTable {
    static let precisionBits: Int32 = 22

    private(set) var firsts: [Int32] = []
    private(set) var counts: [Int32] = []
    private(set) var coefficients: [Int32] = []
    private(set) var tapCapacity = 0
    /// Largest of `counts`.
    private(set) var largestCount = 0
    /// Samples that any output reads.
    private(set) var sourceRange = 0..<0

    private static func triangle(_ x: Double) -> Double {
        let distance = abs(x)
        return distance < 1 ? 1 - distance : 0
    }

    /// Most taps of an output.
    private static func tapCapacity(filter: Preprocess.Filter, scale: Double) -> Int {
        switch filter {
        case .bilinearAntialias: Int(max(scale, 1).rounded(.up)) * 2 + 1
        case .bilinear: 2
        case .nearest: 1
        }
    }

    /// Fills the table for `outputs` (of `outputSize`), reading `low ..< high` of an axis of `sourceSize` samples. Memory
    /// of earlier fillings is used again; it grows only for a larger need than ever before.
    mutating func fill(
        filter: Preprocess.Filter, sourceSize: Int, low: Float, high: Float, outputSize: Int, outputs: Range<Int>
    ) {
        let scale = Double(high - low) / Double(outputSize)
        let width = max(scale, 1)
        tapCapacity = ResampleTable.tapCapacity(filter: filter, scale: scale)
        firsts.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        coefficients.removeAll(keepingCapacity: true)
        largestCount = 0
        var (begin, end) = (sourceSize, 0)
        let one = Double(1 << ResampleTable.precisionBits)
        for output in outputs {
            let center = Double(low) + (Double(output) + 0.5) * scale
            let first: Int
            let count: Int
            let base = coefficients.count
            switch filter {
            case .bilinearAntialias:
                first = max(0, Int(center - width + 0.5))
                count = min(sourceSize, Int(center + width + 0.5)) - first
                let inverse = 1 / width
                var total = 0.0
                for tap in 0..<count {
                    total += ResampleTable.triangle((Double(tap + first) - center + 0.5) * inverse)
                }
                for tap in 0..<count {
                    var weight = ResampleTable.triangle((Double(tap + first) - center + 0.5) * inverse)
                    if total != 0 { weight /= total }
                    coefficients.append(Int32(0.5 + weight * one))
                }
            case .bilinear:
                let position = center - 0.5
                let lower = Int(position.rounded(.down))
                let fraction = Int32(((position - Double(lower)) * one).rounded(.toNearestOrEven))
                first = max(0, min(sourceSize - 1, lower))
                if lower < 0 || lower + 1 >= sourceSize || fraction == 0 {
                    count = 1
                    coefficients.append(Int32(one))
                } else {
                    count = 2
                    coefficients.append(Int32(one) - fraction)
                    coefficients.append(fraction)
                }
            case .nearest:
                first = max(0, min(sourceSize - 1, Int(center)))
                count = 1
                coefficients.append(Int32(one))
            }
            while coefficients.count < base + tapCapacity { coefficients.append(0) }
            firsts.append(Int32(first))
            counts.append(Int32(count))
            largestCount = max(largestCount, count)
            begin = min(begin, first)
            end = max(end, first + count)
        }
        sourceRange = min(begin, end)..<end
    }
}
