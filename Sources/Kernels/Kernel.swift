import CKernels

/// What a kernel computes.
public enum KernelFamily: UInt8, Sendable {
    /// Tile of an int8 convolution, int8 rows.
    case gemmInt8 = 0
    /// Block of an int8 convolution, inputs packed as uint8.
    case gemmUInt8Int8 = 1
    /// Packs the inputs that `gemmUInt8Int8` reads.
    case packUInt8 = 2
    case depthwiseInt8 = 3
    case addInt8 = 4
    case multiplyInt8 = 5
    case tableInt8 = 6
    case gemmFloat = 7
    case depthwiseFloat = 8
    /// As `gemmInt8`, for weights that include -128, where an instruction set has a faster kernel for those that don't.
    case gemmInt8AnyWeight = 9
    /// As `depthwiseInt8`, for weights that include -128 or have an offset.
    case depthwiseInt8AnyWeight = 10
    /// Whole rows of a depthwise convolution, 3 × 3.
    case depthwise3x3Int8 = 11
    /// Whole rows of a depthwise convolution, 5 × 5.
    case depthwise5x5Int8 = 12
    /// Sorts the weights that `gemmUInt8Int8` reads, once.
    case scanInt8 = 13
    /// Maximum of the pixels of a window.
    case maximumInt8 = 14
    /// Sums of the pixels of a window.
    case sumInt8 = 15
    /// One row of a bilinear resize, in float.
    case bilinearInt8 = 16
    /// One row of a bilinear resize of stored integers.
    case bilinearFixedInt8 = 17
    /// Block of an int8 convolution, tiles packed by `packInt8` of the same instruction set.
    case gemmPackedInt8 = 18
    /// Block of an int8 convolution, int8 rows; products are summed in 16 bits as far as the weights allow.
    case gemmChainInt8 = 19
    /// Packs a tile of inputs for `gemmPackedInt8`, or copies the taps of a pixel into one row for `gemmChainInt8`.
    case packInt8 = 20
    /// Winograd's F(4×4, 3×3): transforms inputs.
    case winogradInput = 21
    /// Winograd's F(4×4, 3×3): transforms weights.
    case winogradWeights = 22
    /// Winograd's F(4×4, 3×3): products of what the others transformed, and outputs from them.
    case winogradGemm = 23
    /// Tiles of 4 × 4 outputs of a 3 × 3 convolution, transformed.
    case winogradInt8 = 24
    /// Tile of an int8 convolution with sparse weights.
    case sparseInt8 = 25
    /// As `sparseInt8`, inputs counted from -128.
    case sparseUInt8Int8 = 26
    /// Block of an int8 convolution, inputs widened to int16.
    case gemmInt16Int8 = 27
    /// Widens the inputs that `gemmInt16Int8` reads.
    case widenInt8 = 28
}

/// One entry of the list of kernels (`kernels.def`): every kernel of every architecture is listed on all of them.
public struct Kernel: Sendable, Equatable {
    /// Position in the list.
    public let index: Int

    /// Number of kernels in the list.
    public static var count: Int { Int(swiftlet_kernel_count()) }

    /// The kernel at `index`, 0..<`count`.
    public init(index: Int) {
        precondition(index >= 0 && index < Kernel.count, "no such kernel")
        self.index = index
    }

    @inline(__always)
    var entry: UnsafePointer<swiftlet_kernel> { swiftlet_kernel_at(Int32(truncatingIfNeeded: index)) }

    /// Symbol and file name, for example `swiftlet_gemm_s16s8_6x8__avx2`.
    public var name: String { String(cString: entry.pointee.name) }
    /// `name` without copying: NUL-terminated ASCII.
    public var unsafeName: UnsafePointer<CChar> { entry.pointee.name }
    public var isa: ISA { ISA(rawValue: entry.pointee.isa).unsafelyUnwrapped }
    public var family: KernelFamily { KernelFamily(rawValue: entry.pointee.family).unsafelyUnwrapped }
    /// Output pixels of one tile.
    public var pixels: Int { Int(entry.pointee.pixels) }
    /// Output channels of one step of its inner loop.
    var channels: Int { Int(entry.pointee.channels) }
    /// Whether this binary contains it.
    public var isCompiled: Bool { entry.pointee.isCompiled != 0 }
    /// Whether it has run since the start of the process.
    public var wasExecuted: Bool { swiftlet_kernel_was_executed(Int32(truncatingIfNeeded: index)) != 0 }

    @inline(__always)
    func markExecuted() { swiftlet_kernel_mark_executed(Int32(truncatingIfNeeded: index)) }

    /// Whether it exists for and runs on a CPU with `features` (of any architecture, also another than this binary's).
    public func isSupported(on features: CPUFeatures) -> Bool {
        features.supports(isa)
            && (entry.pointee.architectures != UInt8(SWIFTLET_ARCHITECTURES_ARM64)
                || features.contains(.aarch64))
    }
    /// Whether this binary on a CPU with `features` can run it.
    public func isRunnable(on features: CPUFeatures) -> Bool { isCompiled && isSupported(on: features) }
}

/// Kernels that have run since the start of the process, in list order.
public func executedKernels() -> [Kernel] {
    var kernels: [Kernel] = []
    for i in 0..<Kernel.count where Kernel(index: i).wasExecuted { kernels.append(Kernel(index: i)) }
    return kernels
}

/// Why no set of kernels could be made.
public enum KernelSelectionError: Error, Equatable, Sendable {
    /// The forced instruction set is not one that this CPU runs.
    case forcedISAUnavailable(ISA)
}

/// The kernels that one CPU uses: a pure function of its features and a forced instruction set. Operations that depend
/// on the shape too (`Convolution`) choose from it.
public struct KernelSet: Sendable, Equatable {
    public let features: CPUFeatures
    /// The most preferred instruction set in use; a kernel that does not exist in it comes from its `fallbacks`.
    public let isa: ISA

    let gemm: Kernel
    let gemmSinglePixel: Kernel
    let packed: PackedKernels?
    /// For very short filters and first layers, where that beats `gemm`.
    let widened: WidenedKernels?
    /// Packs inputs for `gemm` of a family that runs over tiles.
    let tilePack: Kernel?
    /// 3×3 convolutions with fewer multiplications, where that beats `gemm`.
    let winograd: WinogradKernels?
    /// The same in one kernel that cuts blocks of tiles.
    let winogradBlocks: Kernel?
    /// For weights that contain -128 or, depthwise, have an offset: the 16-bit sums of most NEON kernels overflow.
    let gemmAnyWeight: Kernel
    let depthwise: Kernel
    let depthwiseAnyWeight: Kernel
    let depthwise3x3: Kernel?
    let depthwise5x5: Kernel?
    let sparse: Kernel
    let add: Kernel
    let multiply: Kernel
    let table: Kernel
    let maximum: Kernel
    let sum: Kernel
    let bilinear: Kernel
    let bilinearFixed: Kernel
    let gemmFloat: Kernel
    let depthwiseFloat: Kernel

    /// - Parameters:
    ///   - features: of the CPU that will run the kernels.
    ///   - forcing: an instruction set to use instead of the best one.
    public init(features: CPUFeatures = .current, forcing: ISA? = nil) throws(KernelSelectionError) {
        if let forcing, !features.supports(forcing) { throw .forcedISAUnavailable(forcing) }
        self.features = features
        isa = forcing ?? features.bestISA
        let order = isa.fallbacks
        (gemm, packed) = KernelSet.gemmKernel(order, features, singlePixel: false)
        (gemmSinglePixel, _) = KernelSet.gemmKernel(order, features, singlePixel: true)
        widened = KernelSet.widenedKernels(gemm.isa, features)
        tilePack = KernelSet.find(.packInt8, gemm.isa, features, singlePixel: false)
        winograd = KernelSet.winogradKernels(gemm.isa, features)
        winogradBlocks = KernelSet.firstIfAny(.winogradInt8, order, features)
        gemmAnyWeight = gemm.takesAnyWeight ? gemm : KernelSet.first(.gemmInt8AnyWeight, order, features)
        depthwise = KernelSet.first(.depthwiseInt8, order, features)
        depthwiseAnyWeight =
            depthwise.takesAnyWeight ? depthwise : KernelSet.first(.depthwiseInt8AnyWeight, order, features)
        depthwise3x3 = KernelSet.firstIfAny(.depthwise3x3Int8, order, features)
        depthwise5x5 = KernelSet.firstIfAny(.depthwise5x5Int8, order, features)
        sparse =
            KernelSet.firstIfAny(.sparseUInt8Int8, order, features) ?? KernelSet.first(.sparseInt8, order, features)
        add = KernelSet.first(.addInt8, order, features)
        multiply = KernelSet.first(.multiplyInt8, order, features)
        table = KernelSet.first(.tableInt8, order, features)
        maximum = KernelSet.first(.maximumInt8, order, features)
        sum = KernelSet.first(.sumInt8, order, features)
        bilinear = KernelSet.first(.bilinearInt8, order, features)
        bilinearFixed = KernelSet.first(.bilinearFixedInt8, order, features)
        gemmFloat = KernelSet.first(.gemmFloat, order, features)
        depthwiseFloat = KernelSet.first(.depthwiseFloat, order, features)
    }

    /// The kernel of `family` with the largest tile in the first instruction set of `order` that has one.
    private static func first(_ family: KernelFamily, _ order: [ISA], _ features: CPUFeatures) -> Kernel {
        firstIfAny(family, order, features) ?? find(family, .scalar, features, singlePixel: false).unsafelyUnwrapped
    }

    private static func firstIfAny(_ family: KernelFamily, _ order: [ISA], _ features: CPUFeatures) -> Kernel? {
        for isa in order {
            if let kernel = find(family, isa, features, singlePixel: false) { return kernel }
        }
        return nil
    }

    static func find(
        _ family: KernelFamily, _ isa: ISA, _ features: CPUFeatures, singlePixel: Bool
    ) -> Kernel? {
        var best: Kernel?
        for i in 0..<Kernel.count {
            let kernel = Kernel(index: i)
            guard kernel.family == family, kernel.isa == isa, kernel.isSupported(on: features) else { continue }
            if let known = best, singlePixel ? known.pixels <= kernel.pixels : known.pixels >= kernel.pixels { continue }
            best = kernel
        }
        return best
    }

    private static func gemmKernel(
        _ order: [ISA], _ features: CPUFeatures, singlePixel: Bool
    ) -> (Kernel, PackedKernels?) {
        for isa in order {
            if !singlePixel, let kernel = find(.gemmPackedInt8, isa, features, singlePixel: false) { return (kernel, nil) }
            if let kernel = find(.gemmChainInt8, isa, features, singlePixel: false) { return (kernel, nil) }
            if let kernel = find(.gemmInt8, isa, features, singlePixel: singlePixel) { return (kernel, nil) }
            if let kernel = find(.gemmUInt8Int8, isa, features, singlePixel: singlePixel),
                let pack = firstIfAny(.packUInt8, isa.fallbacks, features),
                let scan = firstIfAny(.scanInt8, isa.fallbacks, features)
            {
                return (
                    kernel, PackedKernels(gemm: kernel, pack: pack, scan: scan, measuresInputs: isa == .avx2)
                )
            }
        }
        return (Kernel.scalarGemm, nil)
    }

    private static func widenedKernels(_ isa: ISA, _ features: CPUFeatures) -> WidenedKernels? {
        guard let gemm = find(.gemmInt16Int8, isa, features, singlePixel: false),
            let widen = find(.widenInt8, isa, features, singlePixel: false)
        else { return nil }
        return WidenedKernels(gemm: gemm, widen: widen)
    }

    /// Whether the choice of kernels for `geometry` depends on `WeightTraits.largestFilterSum`.
    public func needsFilterSums(_ geometry: ConvolutionGeometry) -> Bool {
        (winograd != nil && Convolution.WinogradLayout(geometry)?.pays(geometry) ?? false)
            || Convolution.dependsOnFilterSum(geometry, kernels: self)
    }

    private static func winogradKernels(_ isa: ISA, _ features: CPUFeatures) -> WinogradKernels? {
        guard let input = find(.winogradInput, isa, features, singlePixel: false),
            let weights = find(.winogradWeights, isa, features, singlePixel: false),
            let gemm = find(.winogradGemm, isa, features, singlePixel: false)
        else { return nil }
        return WinogradKernels(input: input, weights: weights, gemm: gemm)
    }

    /// Whether the choice of kernels depends on the weights.
    public var dependsOnWeights: Bool { gemmAnyWeight != gemm || depthwiseAnyWeight != depthwise }
}

/// A micro-kernel that reads packed inputs, and what prepares them for it.
struct PackedKernels: Sendable, Equatable {
    let gemm: Kernel
    /// Packs inputs.
    let pack: Kernel
    /// Corrects biases and, for a micro-kernel that `measuresInputs`, finds the limits of the weights.
    let scan: Kernel
    /// Whether the micro-kernel's instructions depend on the range of the inputs.
    let measuresInputs: Bool
}

/// A micro-kernel that reads inputs of 16 bits, and what widens them.
struct WidenedKernels: Sendable, Equatable {
    let gemm: Kernel
    let widen: Kernel
}

extension Kernel {
    /// The reference of the int8 micro-kernels.
    static var scalarGemm: Kernel {
        KernelSet.find(.gemmInt8, .scalar, [], singlePixel: false).unsafelyUnwrapped
    }

    /// Whether it computes whole rows of a depthwise convolution.
    var isDepthwiseRows: Bool { family == .depthwise3x3Int8 || family == .depthwise5x5Int8 }

    /// Whether it is a kernel of rows for a depthwise convolution of this geometry.
    func computesRows(of g: ConvolutionGeometry) -> Bool {
        let size = family == .depthwise3x3Int8 ? 3 : family == .depthwise5x5Int8 ? 5 : 0
        return g.kernelHeight == size && g.kernelWidth == size && !g.isTransposed
            && (g.strideX == 1 || (g.strideX == 2 && g.dilationX == 1)) && g.padLeft % g.dilationX == 0
    }

    /// Output rows that a kernel of rows computes together.
    var rowsAtOnce: Int { isDepthwiseRows && isa == .dotprod ? 2 : 1 }

    /// Whether it is part of Winograd's transform.
    var isWinograd: Bool { family == .winogradInput || family == .winogradWeights || family == .winogradGemm }

    /// Whether it takes all tiles of a block (`Convolution+Tiles.swift`).
    var runsOverTiles: Bool { family == .gemmPackedInt8 || family == .gemmChainInt8 }

    /// Whether weights of -128, and depthwise weights with an offset, are computed exactly; most NEON kernels sum pairs
    /// of products in 16 bits.
    var takesAnyWeight: Bool {
        isa != .neon || family == .gemmInt8AnyWeight || family == .depthwiseInt8AnyWeight || family == .gemmChainInt8
            || isDepthwiseRows
    }
}
