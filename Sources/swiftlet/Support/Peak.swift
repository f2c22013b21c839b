import CPeak
import Kernels
import Platform

/// A sequence of instructions that multiplies and accumulates, on registers only: the most that an inner loop made of it
/// can do.
struct PeakSequence {
    let name: String
    let instructions: String
    private let entry: swiftlet_peak_sequence
    private let isAvailable: Bool
    /// Steps that take some 50 µs.
    private var steps: Int64 = 0
    /// Billions of multiply-accumulates a second of one core, one figure a sample.
    private var rates: [Double] = []

    /// All sequences of this architecture.
    static func all() -> [PeakSequence] { (0..<swiftlet_peak_count()).map { PeakSequence(swiftlet_peak_at($0).pointee) } }

    private init(_ entry: swiftlet_peak_sequence) {
        name = String(cString: entry.name)
        instructions = String(cString: entry.instructions)
        self.entry = entry
        isAvailable = CPUFeatures.current.isSuperset(of: CPUFeatures(rawValue: entry.features))
    }

    /// Measures once more, for some 50 µs, where this CPU has the instructions.
    mutating func sample() {
        guard isAvailable else { return }
        if steps == 0 {
            steps = 64
            while time() < 50_000 { steps *= 2 }
        }
        rates.append(Double(steps) * Double(entry.macsPerStep) / Double(time()))
    }

    private func time() -> UInt64 {
        let start = MonotonicClock.now()
        entry.run(steps)
        return max(1, MonotonicClock.now() - start)
    }

    /// The best sample; nil where this CPU lacks the instructions.
    var bestRate: Double? { rates.max() }
    /// The median sample: what to hold medians of times to that were measured in turn with the samples.
    var medianRate: Double? { rates.isEmpty ? nil : rates.sorted()[rates.count / 2] }

    /// Name of the sequence that the inner loop of a kernel consists of; nil where no multiply-accumulates are the work, or
    /// no listed sequence is what does them. Loops that mix several count as the fastest.
    static func name(ofKernel symbol: String) -> String? {
        let parts = symbol.components(separatedBy: "__")
        guard parts.count == 2 else { return nil }
        let family = parts[0].split(separator: "_").dropFirst().dropLast().joined(separator: "_")
        switch (family, parts[1]) {
        case ("gemm_u8s8", "avx2"): return "joint"
        case ("gemm_s16s8", "avx2"): return "maddwd"
        case ("gemm_u8s8", "avxvnni"): return "vnni256"
        case ("gemm_u8s8", "avx512vnni"): return "vnni512"
        case ("gemm_f32", "avx2"), ("gemm_f32", "neon"): return "muladd"
        case ("gemm_s8", "neon"): return "smull"
        case ("gemmany_s8", "neon"): return "smlal"
        case ("gemm_s8", "dotprod"): return "sdot"
        case ("gemm_s8", "i8mm"): return "smmla"
        default: return nil
        }
    }
}
