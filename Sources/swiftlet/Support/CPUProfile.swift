import Engine
import Kernels

/// A kind of CPU that `inspect` names kernels for, whatever machine it runs on.
struct CPUProfile {
    let name: String
    let features: CPUFeatures

    static let all = [
        CPUProfile(name: "x86-64 with AVX2", features: [.avx2]),
        CPUProfile(name: "x86-64 with AVX-VNNI", features: [.avx2, .avxvnni]),
        CPUProfile(name: "x86-64 with AVX512-VNNI", features: [.avx2, .avx512vnni]),
        CPUProfile(name: "Cortex-A53, A72", features: [.aarch64, .neon]),
        CPUProfile(name: "Cortex-A55, A76", features: [.aarch64, .neon, .dotprod]),
        CPUProfile(name: "Armv8.6 and later", features: [.aarch64, .neon, .dotprod, .i8mm]),
        CPUProfile(name: "Armv7 with NEON", features: [.neon]),
        CPUProfile(name: "any other", features: []),
    ]

    /// The kernel of each operation of `model` on such a CPU.
    func kernelNames(of model: Model) throws -> [String] {
        let session = try Session(model: model, features: features)
        return model.plan.operations.indices.map { session.kernelName(of: $0) }
    }
}
