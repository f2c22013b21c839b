import CPeak
import Kernels
import Platform

/// How fast one core can multiply and accumulate at best with one sequence of instructions, registers only.
struct PeakSequence {
    let name: String
    let instructions: String
    /// Billions of multiply-accumulates a second of one core; nil where this CPU lacks the instructions.
    let gmacPerSecond: Double?

    /// All sequences of this architecture, measured: the best of many short repetitions, under half a second in all.
    static func measureAll() -> [PeakSequence] {
        (0..<swiftlet_peak_count()).map { PeakSequence(swiftlet_peak_at($0).pointee) }
    }

    private init(_ entry: swiftlet_peak_sequence) {
        name = String(cString: entry.name)
        instructions = String(cString: entry.instructions)
        let needed = CPUFeatures(rawValue: entry.features)
        gmacPerSecond = CPUFeatures.current.isSuperset(of: needed) ? PeakSequence.measure(entry) : nil
    }

    private static func measure(_ entry: swiftlet_peak_sequence) -> Double {
        var steps: Int64 = 1
        var best = 0.0
        var repetitions = 0
        while repetitions < 40 {
            let start = MonotonicClock.now()
            entry.run(steps)
            let nanoseconds = Double(max(1, MonotonicClock.now() - start))
            if nanoseconds < 1e6 {
                steps *= 2
                continue
            }
            best = max(best, Double(steps) * Double(entry.macsPerStep) / nanoseconds)
            repetitions += 1
        }
        return best
    }

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
