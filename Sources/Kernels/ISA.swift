import CKernels

/// An instruction set for which kernels exist.
public enum ISA: UInt8, Sendable, CaseIterable {
    /// Portable Swift: the specification of every kernel, and the only choice on RISC-V.
    case scalar = 0
    /// x86-64 with AVX2.
    case avx2 = 1
    /// ARMv7 Advanced SIMD (armv7) or the AArch64 baseline.
    case neon = 2
    /// AArch64 with the SDOT instruction (FEAT_DotProd).
    case dotprod = 3
    /// AArch64 with the SMMLA instruction (FEAT_I8MM).
    case i8mm = 4
    /// x86-64 with AVX2 and the VPDPBUSD instruction on 256 bits (AVX-VNNI).
    case avxvnni = 5
    /// x86-64 with the VPDPBUSD instruction on 512 bits (AVX-512 F, BW, VL and VNNI).
    case avx512vnni = 6

    /// The name used by `--force-isa`, reports and kernel symbols.
    public var name: StaticString {
        switch self {
        case .scalar: "scalar"
        case .avx2: "avx2"
        case .neon: "neon"
        case .dotprod: "dotprod"
        case .i8mm: "i8mm"
        case .avxvnni: "avxvnni"
        case .avx512vnni: "avx512vnni"
        }
    }

    /// The instruction set whose `name` is exactly `bytes`, if any.
    public init?(name bytes: UnsafeBufferPointer<UInt8>) {
        for isa in ISA.allCases {
            let known = UnsafeBufferPointer(start: isa.name.utf8Start, count: isa.name.utf8CodeUnitCount)
            guard known.count == bytes.count else { continue }
            var isEqual = true
            for i in 0..<known.count where known[i] != bytes[i] { isEqual = false }
            if isEqual {
                self = isa
                return
            }
        }
        return nil
    }

    /// Instruction sets that a CPU able to run this one always has too, most preferred first, this one first.
    public var fallbacks: [ISA] {
        switch self {
        case .scalar: [.scalar]
        case .avx2: [.avx2, .scalar]
        case .neon: [.neon, .scalar]
        case .dotprod: [.dotprod, .neon, .scalar]
        case .i8mm: [.i8mm, .dotprod, .neon, .scalar]
        case .avxvnni: [.avxvnni, .avx2, .scalar]
        // A CPU may have either form of VPDPBUSD without the other.
        case .avx512vnni: [.avx512vnni, .avx2, .scalar]
        }
    }
}

/// What a CPU and its operating system let a program execute. A value, so that selection is testable with made-up CPUs.
public struct CPUFeatures: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let avx2 = CPUFeatures(rawValue: SWIFTLET_CPU_AVX2)
    public static let neon = CPUFeatures(rawValue: SWIFTLET_CPU_NEON)
    public static let dotprod = CPUFeatures(rawValue: SWIFTLET_CPU_DOTPROD)
    /// The 64-bit ARM architecture: its NEON kernels may use all of its registers and instructions.
    public static let aarch64 = CPUFeatures(rawValue: SWIFTLET_CPU_AARCH64)
    public static let avxvnni = CPUFeatures(rawValue: SWIFTLET_CPU_AVXVNNI)
    /// AVX-512 F, BW, VL and VNNI, and an operating system that saves registers of 512 bits.
    public static let avx512vnni = CPUFeatures(rawValue: SWIFTLET_CPU_AVX512VNNI)
    public static let i8mm = CPUFeatures(rawValue: SWIFTLET_CPU_I8MM)
    /// Detected and reported; no kernel of this version uses it.
    public static let rvv = CPUFeatures(rawValue: SWIFTLET_CPU_RVV)

    /// The features of the CPU that runs this process, as far as the operating system enables them.
    public static var current: CPUFeatures { CPUFeatures(rawValue: swiftlet_cpu_features()) }

    /// Whether kernels of `isa` can run on a CPU with these features.
    public func supports(_ isa: ISA) -> Bool {
        switch isa {
        case .scalar: true
        case .avx2: contains(.avx2)
        case .neon: contains(.neon)
        case .dotprod: contains([.neon, .dotprod])
        // Every CPU with I8MM has DotProd (Armv8.6 requires both).
        case .i8mm: contains([.neon, .dotprod, .i8mm])
        case .avxvnni: contains([.avx2, .avxvnni])
        case .avx512vnni: contains([.avx2, .avx512vnni])
        }
    }

    /// The most preferred instruction set of this CPU.
    public var bestISA: ISA {
        if supports(.i8mm) { return .i8mm }
        if supports(.dotprod) { return .dotprod }
        if supports(.neon) { return .neon }
        if supports(.avx512vnni) { return .avx512vnni }
        if supports(.avxvnni) { return .avxvnni }
        if supports(.avx2) { return .avx2 }
        return .scalar
    }
}
