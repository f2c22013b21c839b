import Graph

/// What calibration saw of one value: exact extremes and an evenly spread sample.
struct ActivationStatistics {
    private(set) var low = Float.infinity
    private(set) var high = -Float.infinity
    private(set) var sample: [Float] = []

    /// Elements kept of each picture.
    static let samplesPerPicture = 2048

    mutating func add(_ tensor: Tensor) {
        guard tensor.elementType == .float32, tensor.count > 0 else { return }
        tensor.withElements(of: Float.self) { values in
            for value in values where value.isFinite {
                if value < low { low = value }
                if value > high { high = value }
            }
            // An odd step visits all channels even when their count is a power of two.
            let step = max(1, values.count / Self.samplesPerPicture) | 1
            var position = 0
            while position < values.count {
                if values[position].isFinite { sample.append(values[position]) }
                position += step
            }
        }
    }

    mutating func merge(_ other: ActivationStatistics) {
        low = min(low, other.low)
        high = max(high, other.high)
        sample += other.sample
    }

    var isEmpty: Bool { low > high }
}

/// Means of a value's channels (its last axis) over all pictures.
struct ChannelMeans {
    private var sums: [Double] = []
    private var count = 0

    mutating func add(_ tensor: Tensor) {
        guard tensor.elementType == .float32, tensor.count > 0, let channels = tensor.shape.last else { return }
        if sums.isEmpty { sums = [Double](repeating: 0, count: channels) }
        tensor.withElements(of: Float.self) { values in
            sums.withUnsafeMutableBufferPointer { sums in
                for first in stride(from: 0, to: values.count, by: channels) {
                    for channel in 0..<channels { sums[channel] += Double(values[first + channel]) }
                }
            }
        }
        count += tensor.count / channels
    }

    /// Nil when nothing was seen, or something that is no number.
    var means: [Float]? {
        guard count > 0, sums.allSatisfy(\.isFinite) else { return nil }
        return sums.map { Float($0 / Double(count)) }
    }
}

/// A way to choose the range of a value from what calibration saw.
public enum RangeMethod: String, Sendable, CaseIterable {
    /// Smallest and largest value seen.
    case minMax = "min-max"
    /// All but 0.01 % of the values, half of it at each end.
    case percentile9999 = "percentile-99.99"
    /// All but 0.1 %.
    case percentile999 = "percentile-99.9"
    /// The shrunken min-max range with the least mean squared error.
    case mse
}

extension ActivationStatistics {
    /// The range by `method`; always holds 0, so that padding is exact.
    func range(by method: RangeMethod) -> ClosedRange<Float> {
        guard !isEmpty else { return 0...0 }
        let full = min(low, 0)...max(high, 0)
        switch method {
        case .minMax: return full
        case .percentile9999: return percentile(0.0001, full)
        case .percentile999: return percentile(0.001, full)
        case .mse: return leastSquares(full)
        }
    }

    private func percentile(_ tail: Double, _ full: ClosedRange<Float>) -> ClosedRange<Float> {
        let sorted = sample.sorted()
        guard sorted.count > 1 else { return full }
        let cut = Int((Double(sorted.count - 1) * tail / 2).rounded())
        return min(sorted[cut], 0)...max(sorted[sorted.count - 1 - cut], 0)
    }

    /// Mean squared error of quantizing the sample to 8 bits over `range`.
    func squaredError(_ range: ClosedRange<Float>) -> Double {
        guard let parameters = Int8Parameters(Quantization(activationRange: range)) else { return 0 }
        let inverse = 1 / parameters.scale
        let zero = Float(parameters.zeroPoint)
        var sum = 0.0
        for value in sample {
            let code = max(-128, min(127, (value * inverse).rounded(.toNearestOrEven) + zero))
            let error = Double(value - (code - zero) * parameters.scale)
            sum += error * error
        }
        return sum / Double(max(1, sample.count))
    }

    private func leastSquares(_ full: ClosedRange<Float>) -> ClosedRange<Float> {
        var best = full
        var bestError = squaredError(full)
        for step in 1...24 {
            let share = 1 - Float(step) * 0.03
            let candidate = full.lowerBound * share...full.upperBound * share
            let error = squaredError(candidate)
            if error < bestError { (best, bestError) = (candidate, error) }
        }
        return best
    }
}

extension Quantization {
    /// Asymmetric int8 over `range`, which holds 0; the zero point is exact.
    init(activationRange range: ClosedRange<Float>) {
        let span = max(range.upperBound - range.lowerBound, 1e-6)
        let scale = span / 255
        let zero = (-128 - range.lowerBound / scale).rounded(.toNearestOrEven)
        self.init(elementType: .int8, scale: scale, zeroPoint: Int32(max(-128, min(127, zero))))
    }
}
