import CKernels

/// What the self-test found out about one kernel.
public enum KernelTestOutcome: Sendable, Equatable {
    /// Equal to the reference, byte for byte, in this many cases.
    case passed(cases: Int)
    /// Case number `number` (from 0) differs from the reference.
    case failed(case: Int)
    /// This binary or CPU can't run it.
    case notRunnable
}

/// Runs every kernel of the list that this binary and a CPU with `features` can run on pseudo-random shapes (odd tails,
/// every kind of padding, saturating values, ties, all zero points) and compares each byte with the reference, also the
/// bytes around the output, which must stay.
/// - Parameters:
///   - cases: per kernel; 256 or more go through every input zero point.
///   - seed: other seeds give other cases.
///   - report: called once for each kernel, in list order.
/// - Returns: whether no kernel failed.
@export(interface) public func selfTestAllKernels(
    features: CPUFeatures = .current, cases: Int = 256, seed: UInt32 = 0, report: (Kernel, KernelTestOutcome) -> Void
) -> Bool {
    var isGood = true
    for index in 0..<Kernel.count {
        let kernel = Kernel(index: index)
        let outcome = KernelTest.run(cases: cases, seed: seed, of: kernel, features: features)
        if case .failed = outcome { isGood = false }
        report(kernel, outcome)
    }
    return isGood
}

/// As `selfTestAllKernels`, for convolutions whose kernels are chosen as sessions choose them, by shape and weights: with
/// every instruction set that this binary and a CPU with `features` can run.
@export(interface) public func selfTestConvolutions(
    features: CPUFeatures = .current, cases: Int = 256, seed: UInt32 = 0, report: (ISA, KernelTestOutcome) -> Void
) -> Bool {
    var isGood = true
    for isa in ISA.allCases {
        guard features.supports(isa), let test = KernelTest(choosingFrom: isa, features: features) else { continue }
        let outcome = test.run(cases: cases, seed: seed)
        if case .failed = outcome { isGood = false }
        report(isa, outcome)
    }
    return isGood
}

/// A kernel, or the convolutions of an instruction set where `kernel` is nil, that differs from the reference.
public struct KernelDifference: Sendable, Equatable {
    public let isa: ISA
    public let kernel: Kernel?
    /// Where it is a convolution of integers.
    public let geometry: ConvolutionGeometry?
}

/// Compares with the reference in the one case that `bytes` choose (what is computed, geometry, quantization, kinds of
/// values; any bytes are a case): all kernels of a family that this binary and a CPU with `features` can run, or
/// convolutions with each of its instruction sets.
/// - Returns: the first that differs.
@export(interface) public func firstDifference(
    inCaseOf bytes: [UInt8], features: CPUFeatures = .current
) -> KernelDifference? {
    guard bytes.count >= 4 else { return nil }
    let seed = UInt64(bytes[1]) | UInt64(bytes[2]) << 8
    let number = Int(bytes[3])
    let choices = Array(bytes[4...])
    // Half of all first bytes: convolutions.
    guard bytes[0] < 128, let family = KernelFamily(rawValue: bytes[0] & 31) else {
        for isa in ISA.allCases where features.supports(isa) {
            guard let test = KernelTest(choosingFrom: isa, features: features) else { continue }
            var random = TestRandom(seed: seed, choices: choices)
            if !test.isEqual(&random, number) { return .init(isa: isa, kernel: nil, geometry: random.geometry) }
        }
        return nil
    }
    for index in 0..<Kernel.count {
        let kernel = Kernel(index: index)
        guard kernel.family == family, let test = KernelTest(kernel, features: features) else { continue }
        var random = TestRandom(seed: seed, choices: choices)
        if !test.isEqual(&random, number) { return .init(isa: kernel.isa, kernel: kernel, geometry: random.geometry) }
    }
    return nil
}

/// Whether the references themselves give the bits they must: a fixed set of convolutions, additions and
/// multiplications hashes to a known value. `selfTestAllKernels` compares kernels with references on one CPU; this ties
/// the references of all CPUs together.
@export(interface) public func selfTestReferences() -> Bool { referenceDigest() == expectedReferenceDigest }

/// FNV-1a of the results of the references on fixed pseudo-random cases.
func referenceDigest() -> UInt64 {
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ value: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            digest = (digest ^ UInt64(value >> shift & 0xFF)) &* 0x0000_0100_0000_01B3
        }
    }
    for number in 0..<40 {
        var random = TestRandom(seed: UInt64(number) + 7)
        let g = random.geometry(depthwise: number % 3 == 0)
        let channels = g.outputChannels
        let weightCount = channels * g.taps * g.inputChannelsPerGroup
        let inputCount = g.inputHeight * g.inputWidth * g.inputChannels
        var bias = [Int32](repeating: 0, count: channels)
        var scales = [Float](repeating: 0, count: channels)
        for i in 0..<channels {
            bias[i] = Int32(random.int(-40_000...40_000))
            scales[i] = random.scale(exponent: random.int(-10 ... -4))
        }
        let bytes = Reference.convolution(
            g, input: random.int8s(inputCount, extremes: number % 4 == 0), inputPixelStride: g.inputChannels,
            inputZeroPoint: Int8(random.int(-128...127)),
            weights: random.int8s(weightCount, extremes: number % 4 == 0), bias: bias, scales: scales,
            range: random.outputRange())
        for byte in bytes { mix(UInt32(UInt8(bitPattern: byte))) }

        let floats = Reference.convolution(
            g, input: random.floats(inputCount), inputPixelStride: g.inputChannels,
            weights: random.floats(channels * g.taps * g.inputChannelsPerGroup), bias: random.floats(channels),
            lowest: -.infinity, highest: .infinity)
        for value in floats { mix(value.bitPattern) }
    }
    var random = TestRandom(seed: 99)
    for _ in 0..<20_000 {
        let a = Float(random.int(-255...255)) * random.scale(exponent: random.int(-7...2))
        let b = Float(random.int(-255...255)) * random.scale(exponent: random.int(-7...2))
        let range = random.outputRange()
        let sum = quantizedStep(
            a + b, zeroPoint: range.zeroPoint, lowest: range.lowest, highest: range.highest)
        mix(UInt32(UInt8(bitPattern: sum)))
        let accumulator = Int32(truncatingIfNeeded: Int64(bitPattern: random.next()) >> Int64(random.int(32...60)))
        let requantized = requantize(
            accumulator, scale: random.scale(exponent: random.int(-30...0)), zeroPoint: range.zeroPoint,
            lowest: range.lowest, highest: range.highest)
        mix(UInt32(UInt8(bitPattern: requantized)))
    }
    return digest
}

let expectedReferenceDigest: UInt64 = 0x62924D272ACDF89A

/// A small generator of pseudo-random numbers: the same sequence everywhere.
struct TestRandom {
    private var state: UInt64
    /// What decides instead of the generator, from the first on, until no more are left.
    private let choices: [UInt8]
    private var nextChoice = 0
    /// Of the convolution that a test drew.
    var geometry: ConvolutionGeometry?

    init(seed: UInt64, choices: [UInt8] = []) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        self.choices = choices
    }


    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// Uniform in `range`, by the generator alone: one of many values.
    mutating func draw(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int((next() >> 16) % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// In `range`: the next choice, else `draw`.
    mutating func int(_ range: ClosedRange<Int>) -> Int {
        guard nextChoice < choices.count else { return draw(range) }
        let count = UInt64(range.upperBound - range.lowerBound + 1)
        var choice = UInt64(choices[nextChoice])
        nextChoice += 1
        if count > 256 && nextChoice < choices.count {
            choice |= UInt64(choices[nextChoice]) << 8
            nextChoice += 1
        }
        return range.lowerBound + Int(choice % count)
    }

    /// Int8 values: uniform, or extremes only.
    mutating func int8s(_ count: Int, lowest: Int = -128, extremes: Bool) -> [Int8] {
        var values = [Int8](repeating: 0, count: count)
        for i in 0..<count { values[i] = Int8(extremes ? (draw(0...1) == 0 ? lowest : 127) : draw(lowest...127)) }
        return values
    }

    /// 256 entries: any, or a parabola with a kink, a little noise and some rows of 16 that are any, which kernels that
    /// look for straight pieces find or not.
    mutating func table() -> [Int8] {
        var entries = int8s(256, extremes: false)
        if draw(0...3) == 0 { return entries }
        let (offset, slope, bend) = (draw(-128...127), draw(-400...400), draw(0...1) * draw(-40...40))
        let (center, noise) = (draw(0...255), draw(0...3))
        let kink = draw(0...1) * draw(0...255)
        let kept = (0..<draw(0...3)).map { _ in draw(0...15) }
        for i in 0..<256 where !kept.contains(i / 16) {
            let x = max(i, kink) - center
            let value = offset + slope * x / 64 + bend * x * x / 1024 + draw(0...noise)
            entries[i] = Int8(max(-128, min(127, value)))
        }
        return entries
    }

    /// A scale near 2^exponent: a power of two, which makes ties, in one case of four.
    mutating func scale(exponent: Int) -> Float {
        let power = Float(sign: .plus, exponent: exponent, significand: 1)
        return draw(0...3) == 0 ? power : power * (1 + Float(draw(0...8_388_607)) / 8_388_608)
    }

    /// Float32 values of widely different magnitude, their sums rounded all the time.
    mutating func floats(_ count: Int) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        for i in 0..<count { values[i] = Float(draw(-1_000_003...1_000_003)) * scale(exponent: draw(-30 ... -10)) }
        return values
    }

    mutating func outputRange() -> OutputRange {
        let zeroPoint = Int32(int(-128...127))
        switch int(0...2) {
        case 0: return OutputRange(zeroPoint: zeroPoint)
        case 1: return OutputRange(zeroPoint: zeroPoint, lowest: zeroPoint, highest: 127)
        default:
            let a = Int32(int(-128...127))
            let b = Int32(int(-128...127))
            return OutputRange(zeroPoint: zeroPoint, lowest: min(a, b), highest: max(a, b))
        }
    }

    /// A 3×3 convolution that Winograd's transform computes.
    mutating func winogradGeometry() -> ConvolutionGeometry {
        let (height, width) = (int(1...11), int(1...11))
        let (padTop, padLeft) = (int(0...1), int(0...1))
        return ConvolutionGeometry(
            inputHeight: height, inputWidth: width, outputHeight: max(1, height + padTop - int(0...2)),
            outputWidth: max(1, width + padLeft - int(0...2)), groups: int(0...5) == 0 ? 2 : 1,
            inputChannelsPerGroup: int(8...29), outputChannelsPerGroup: int(1...19), kernelHeight: 3, kernelWidth: 3,
            padTop: padTop, padLeft: padLeft)
    }

    /// A 3 × 3 convolution of stride 1 with any padding, some wider than the image: tiles of three and of four rows and
    /// columns, in one group and in several.
    mutating func winogradBlockGeometry() -> ConvolutionGeometry {
        var g = ConvolutionGeometry(
            inputHeight: int(1...15), inputWidth: int(1...13), outputHeight: int(1...14), outputWidth: int(1...12),
            groups: int(0...3) == 0 ? 2 : 1, inputChannelsPerGroup: int(1...37), outputChannelsPerGroup: int(1...27),
            kernelHeight: 3, kernelWidth: 3, padTop: int(0...2), padLeft: int(0...2))
        if g.isDepthwise { g.outputChannelsPerGroup = 2 }
        return g
    }

    /// A convolution small enough for an emulated CPU.
    mutating func geometry(depthwise: Bool) -> ConvolutionGeometry {
        let isPointwise = int(0...2) == 0
        let kernelHeight = isPointwise ? 1 : int(1...4)
        let kernelWidth = isPointwise ? 1 : int(1...4)
        let isTransposed = !isPointwise && int(0...4) == 0
        var g = ConvolutionGeometry(
            inputHeight: int(1...7), inputWidth: int(1...7), outputHeight: 1, outputWidth: 1,
            inputChannelsPerGroup: 1, outputChannelsPerGroup: 1, kernelHeight: kernelHeight, kernelWidth: kernelWidth,
            strideY: isPointwise ? 1 : int(1...3), strideX: isPointwise ? 1 : int(1...2),
            dilationY: int(1...2), dilationX: int(1...2), padTop: isPointwise ? 0 : int(0...kernelHeight - 1),
            padLeft: isPointwise ? 0 : int(0...kernelWidth - 1), isTransposed: isTransposed)
        if isPointwise {
            g.outputHeight = g.inputHeight
            g.outputWidth = g.inputWidth
        } else if isTransposed {
            g.outputHeight = max(1, (g.inputHeight - 1) * g.strideY + 1 - g.padTop + int(0...2))
            g.outputWidth = max(1, (g.inputWidth - 1) * g.strideX + 1 - g.padLeft + int(0...2))
        } else {
            g.outputHeight = (g.inputHeight + g.strideY - 1) / g.strideY
            g.outputWidth = (g.inputWidth + g.strideX - 1) / g.strideX
        }
        if depthwise {
            g.groups = int(2...40)
        } else {
            g.groups = int(0...3) == 0 ? int(2...3) : 1
            g.inputChannelsPerGroup = int(1...37)
            g.outputChannelsPerGroup = int(1...27)
            // Else the depthwise kernels would compute it, which pack their weights another way.
            if g.isDepthwise { g.outputChannelsPerGroup = 2 }
        }
        return g
    }

    /// A convolution of whole fours of quads, narrow and wide, with any padding: regions of all kinds.
    mutating func paddedGeometry() -> ConvolutionGeometry {
        let isWide = int(0...2) == 0
        return ConvolutionGeometry(
            inputHeight: int(1...6), inputWidth: isWide ? int(12...40) : int(1...9), outputHeight: int(1...6),
            outputWidth: isWide ? int(12...40) : int(1...9), groups: int(0...3) == 0 ? 2 : 1,
            inputChannelsPerGroup: 16 * int(1...3), outputChannelsPerGroup: int(1...27), kernelHeight: int(1...5),
            kernelWidth: int(1...5), strideY: int(1...3), strideX: int(1...2), dilationY: int(1...2),
            dilationX: int(1...2), padTop: int(0...4), padLeft: int(0...4))
    }

    /// A depthwise convolution for a kernel of whole rows: narrow and wide, any padding, also beside the input alone.
    mutating func rowsGeometry(size: Int) -> ConvolutionGeometry {
        let strideX = int(1...2)
        let dilationX = strideX == 1 ? int(1...3) : 1
        let isWide = int(0...15) == 0
        return ConvolutionGeometry(
            inputHeight: int(1...6), inputWidth: isWide ? int(60...150) : int(1...12), outputHeight: int(1...6),
            outputWidth: isWide ? int(60...150) : int(1...12), groups: int(2...40), inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: size, kernelWidth: size, strideY: int(1...3), strideX: strideX,
            dilationY: int(1...4), dilationX: dilationX, padTop: int(0...size), padLeft: dilationX * int(0...size))
    }

    /// A convolution of any of these kinds; some of the 3 × 3 are large enough for Winograd's transform to pay.
    mutating func anyGeometry(depthwise: Bool) -> ConvolutionGeometry {
        let kind = int(0...15)
        if depthwise { return kind < 8 ? rowsGeometry(size: kind < 5 ? 3 : 5) : geometry(depthwise: true) }
        switch kind {
        case 0: return wideGeometry()
        case 1:
            var g = winogradBlockGeometry()
            (g.inputHeight, g.inputWidth, g.groups) = (int(8...12), int(8...12), 1)
            (g.outputHeight, g.outputWidth) = (g.inputHeight - int(0...2), g.inputWidth - int(0...2))
            (g.inputChannelsPerGroup, g.outputChannelsPerGroup) = (8 * int(2...32), int(8...24))
            return g
        case 2, 3: return winogradBlockGeometry()
        default: return geometry(depthwise: false)
        }
    }
}

/// The differential test of one kernel.
struct KernelTest {
    /// What is tested; the reference where `choosesKernels`.
    let kernel: Kernel
    let kernels: KernelSet
    /// Whether kernels are chosen as sessions choose them.
    let choosesKernels: Bool

    /// Nil where this binary or a CPU with `features` can't run the kernel.
    init?(_ kernel: Kernel, features: CPUFeatures) {
        guard kernel.isRunnable(on: features),
            let kernels = try? KernelSet(features: features, forcing: kernel.isa)
        else { return nil }
        self.kernel = kernel
        self.kernels = kernels
        choosesKernels = false
    }

    /// Convolutions with the kernels of `isa` or its fallbacks; nil where this binary or a CPU with `features` can't run them.
    init?(choosingFrom isa: ISA, features: CPUFeatures) {
        guard let kernels = try? KernelSet(features: features, forcing: isa), kernels.gemm.isRunnable(on: features)
        else { return nil }
        kernel = Kernel.scalarGemm
        self.kernels = kernels
        choosesKernels = true
    }

    static func run(cases: Int, seed: UInt32, of kernel: Kernel, features: CPUFeatures) -> KernelTestOutcome {
        KernelTest(kernel, features: features)?.run(cases: cases, seed: seed) ?? .notRunnable
    }

    func run(cases: Int, seed: UInt32) -> KernelTestOutcome {
        for number in 0..<cases {
            let ownSeed = UInt64(kernel.index * 1000 + number + 1)
            var random = TestRandom(seed: UInt64(seed) << 32 | ownSeed)
            guard isEqual(&random, number) else { return .failed(case: number) }
        }
        return .passed(cases: cases)
    }

    /// Whether the kernel gives the reference's bytes in the case that `random` and `number` choose.
    func isEqual(_ random: inout TestRandom, _ number: Int) -> Bool {
        if choosesKernels {
            let isDepthwise = random.int(0...3) == 0
            return convolution(&random, number, depthwise: isDepthwise)
        }
        switch kernel.family {
        case .gemmInt8, .gemmUInt8Int8, .gemmInt16Int8, .gemmInt8AnyWeight, .gemmPackedInt8, .gemmChainInt8:
            return convolution(&random, number, depthwise: false)
        case .winogradInt8:
            return number % 4 == 3
                ? sparseConvolution(&random, number) : convolution(&random, number, depthwise: false)
        // No results of their own: they run under the kernel that reads what they write.
        case .packUInt8, .widenInt8, .scanInt8, .packInt8: return convolution(&random, number, depthwise: false)
        case .winogradInput, .winogradWeights, .winogradGemm: return convolution(&random, number, depthwise: false)
        case .depthwiseInt8, .depthwiseInt8AnyWeight, .depthwise3x3Int8, .depthwise5x5Int8:
            return convolution(&random, number, depthwise: true)
        case .sparseInt8, .sparseUInt8Int8: return sparseConvolution(&random, number)
        case .addInt8: return elementwise(&random, number, isAddition: true)
        case .multiplyInt8: return elementwise(&random, number, isAddition: false)
        case .tableInt8: return table(&random)
        case .maximumInt8, .sumInt8: return window(&random)
        case .bilinearInt8, .bilinearFixedInt8: return bilinear(&random, number)
        case .gemmFloat: return floatConvolution(&random, depthwise: false)
        case .depthwiseFloat: return floatConvolution(&random, depthwise: true)
        }
    }

    private func convolution(_ random: inout TestRandom, _ number: Int, depthwise: Bool) -> Bool {
        var g =
            choosesKernels
            ? random.anyGeometry(depthwise: depthwise)
            : kernel.isDepthwiseRows
                ? random.rowsGeometry(size: kernel.family == .depthwise3x3Int8 ? 3 : 5)
                : kernel.isWinograd
                    ? random.winogradGeometry()
                    : kernel.family == .winogradInt8
                        ? random.winogradBlockGeometry() : random.geometry(depthwise: depthwise)
        // Few channels and many: taps that are joined, and loops that are unrolled.
        if !depthwise && !kernel.isWinograd {
            if number % 8 == 1 { g.inputChannelsPerGroup = random.int(1...3) * (g.groups > 1 ? 2 : 1) }
            if number % 8 == 2 { g.inputChannelsPerGroup = 16 * random.int(1...8) }
        }
        if (kernel.family == .gemmPackedInt8 || kernel.family == .packInt8) && number % 4 == 2 {
            g = random.paddedGeometry()
        }
        let isInt16 = kernel.family == .gemmInt16Int8 || kernel.family == .widenInt8
        if isInt16 { (g.isTransposed, g.dilationX) = (false, 1) }
        random.geometry = g
        let inputStride = g.inputChannels + max(0, random.int(-2...5))
        let outputStride = g.outputChannels + random.int(0...5)
        let extremes = random.int(0...3) == 0
        let inputCount = g.inputHeight * g.inputWidth * inputStride
        var input = random.int8s(inputCount + Packing.readAheadBytes, extremes: extremes)
        // Smaller ones in some channels: which instructions compute them may depend on that.
        if number % 4 == 1 {
            let shifts = (0..<inputStride).map { _ in random.draw(0...4) }
            let isLow = random.draw(0...1) == 0
            for i in input.indices {
                let small = Int(input[i]) >> shifts[i % inputStride]
                input[i] = Int8(isLow ? max(-128, small - 120) : small)
            }
        }
        let lowestWeight = !kernel.takesAnyWeight || choosesKernels && random.int(0...1) == 0 ? -127 : -128
        var weights = random.int8s(
            g.outputChannels * g.taps * g.inputChannelsPerGroup, lowest: lowestWeight, extremes: extremes)
        // Smaller ones in some channels: how many products are summed in 16 bits depends on them.
        if number % 4 == 3 {
            let filter = g.taps * g.inputChannelsPerGroup
            for channel in 0..<g.outputChannels {
                let shift = random.draw(0...2)
                for i in channel * filter..<(channel + 1) * filter { weights[i] >>= shift }
            }
        }
        var bias = [Int32](repeating: 0, count: g.outputChannels)
        var scales = [Float](repeating: 0, count: g.outputChannels)
        let hasSmallScales = kernel.isDepthwiseRows || isInt16 || choosesKernels && random.int(0...1) == 0
        for i in 0..<g.outputChannels {
            bias[i] = Int32(random.draw(-40_000...40_000))
            scales[i] = random.scale(
                exponent: random.draw(0...9) == 0 ? random.draw(-40...(hasSmallScales ? -2 : 20)) : random.draw(-10 ... -4))
        }
        let zeroPoint = Int8(truncatingIfNeeded: number)
        let range = random.outputRange()
        let takesOffset =
            depthwise ? kernel.takesAnyWeight : !kernel.isWinograd && kernel.family != .winogradInt8 && !isInt16
        let weightOffset = takesOffset && random.int(0...3) == 0 ? Int32(random.int(-255...255)) : 0
        var expected = Reference.convolution(
            g, input: input, inputPixelStride: inputStride, inputZeroPoint: zeroPoint, weights: weights,
            weightOffset: weightOffset, bias: bias, scales: scales, range: range)

        let table = random.int(0...3) == 0 ? random.table() : []
        let residualStride = g.outputChannels + random.int(0...3)
        let residual =
            random.int(0...3) == 0
            ? random.int8s(g.outputPixels * residualStride + Packing.readAheadBytes, extremes: extremes) : []
        let sum = AddParameters(
            aZeroPoint: Int32(random.int(-128...127)), aMultiplier: random.scale(exponent: random.int(-3...1)),
            bZeroPoint: Int32(random.int(-128...127)), bMultiplier: random.scale(exponent: random.int(-3...1)),
            output: random.outputRange())
        for i in 0..<expected.count {
            if !table.isEmpty { expected[i] = table[Int(expected[i]) + 128] }
            if !residual.isEmpty {
                let other = residual[i / g.outputChannels * residualStride + i % g.outputChannels]
                let x = Float(Int32(expected[i]) - sum.aZeroPoint) * sum.aMultiplier
                let y = Float(Int32(other) - sum.bZeroPoint) * sum.bMultiplier
                expected[i] = quantizedStep(
                    x + y, zeroPoint: sum.output.zeroPoint, lowest: sum.output.lowest, highest: sum.output.highest)
            }
        }

        let packed = Packing.packWeights(g, weights)
        let packedBias = Packing.packPerChannel(
            g,
            Packing.foldedBias(
                g, bias: bias, weights: weights, weightOffset: weightOffset, inputZeroPoint: Int32(zeroPoint)),
            padding: 0)
        let packedScales = Packing.packPerChannel(g, scales, padding: 0)
        let prepared: Convolution
        let areSmall = Packing.WeightTraits.areSmall(
            scales: scales.reduce(0) { max($0, $1) }, biases: packedBias.reduce(0) { max($0, $1.magnitude) }, g)
        if choosesKernels {
            var traits = packed.traits
            traits.hasOffset = weightOffset != 0
            traits.hasSmallScales = areSmall
            if !kernels.needsFilterSums(g) { traits.largestFilterSum = nil }
            prepared = Convolution(g, traits: traits, kernels: kernels)
        } else {
            prepared = Convolution(g, testing: kernel, hasSmallScales: areSmall, kernels: kernels)
        }
        let outputCount = g.outputPixels * outputStride
        var output = [Int8](repeating: 99, count: outputCount + Packing.readAheadBytes)
        let threads = random.int(1...3)
        let parts = threads << random.int(0...2)
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: choosesKernels
                ? Convolution.scratchByteCount(g)
                : max(
                    Convolution.scratchByteCount(g), prepared.winogradBlockLayout?.byteCount ?? 0,
                    prepared.packedLayout.byteCount, prepared.widenedLayout?.byteCount ?? 0), alignment: 64)
        let preparation = UnsafeMutableRawPointer.allocate(byteCount: prepared.preparedByteCount, alignment: 64)
        defer {
            scratch.deallocate()
            preparation.deallocate()
        }
        output.withUnsafeMutableBufferPointer { output in
            input.withUnsafeBufferPointer { input in
                padded(packed.bytes).withUnsafeBufferPointer { weights in
                    packedBias.withUnsafeBufferPointer { bias in
                        prepared.prepare(
                            weights: weights.baseAddress.unsafelyUnwrapped, bias: bias.baseAddress.unsafelyUnwrapped,
                            into: preparation)
                        packedScales.withUnsafeBufferPointer { scales in
                            table.withUnsafeBufferPointer { table in
                                residual.withUnsafeBufferPointer { residual in
                                    var epilogue = Epilogue(
                                        output: range,
                                        table: table.isEmpty
                                            ? nil : LookUpTable(entries: table.baseAddress.unsafelyUnwrapped))
                                    if let base = residual.baseAddress, !residual.isEmpty {
                                        epilogue.residual = Epilogue.Residual(
                                            input: base, pixelStride: residualStride, zeroPoint: sum.bZeroPoint,
                                            multiplier: sum.bMultiplier, ownZeroPoint: sum.aZeroPoint,
                                            ownMultiplier: sum.aMultiplier, output: sum.output)
                                    }
                                    let arguments = ConvolutionArguments(
                                        input: input.baseAddress.unsafelyUnwrapped, inputPixelStride: inputStride,
                                        inputZeroPoint: zeroPoint, weights: weights.baseAddress.unsafelyUnwrapped,
                                        weightOffset: weightOffset,
                                        bias: bias.baseAddress.unsafelyUnwrapped,
                                        scales: scales.baseAddress.unsafelyUnwrapped,
                                        output: output.baseAddress.unsafelyUnwrapped,
                                        outputPixelStride: outputStride, epilogue: epilogue,
                                        prepared: UnsafeRawPointer(preparation))
                                    for part in 0..<parts {
                                        prepared.run(
                                            arguments, part: Part(index: part, of: parts, threads: threads, previous: part - 1),
                                            scratch: scratch)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return matches(output, expected, pixels: g.outputPixels, channels: g.outputChannels, stride: outputStride)
    }

    /// Whether `output` holds `expected` in its channels and the fill value everywhere else.
    func matches(_ output: [Int8], _ expected: [Int8], pixels: Int, channels: Int, stride: Int) -> Bool {
        for i in 0..<output.count {
            let pixel = i / stride
            let channel = i % stride
            let wanted = pixel < pixels && channel < channels ? expected[pixel * channels + channel] : 99
            if output[i] != wanted { return false }
        }
        return true
    }

    /// `bytes` followed by what kernels may read ahead.
    private func padded(_ bytes: [Int8]) -> [Int8] {
        bytes + [Int8](repeating: 77, count: Packing.readAheadBytes)
    }

    private func elementwise(_ random: inout TestRandom, _ number: Int, isAddition: Bool) -> Bool {
        let isNarrow = random.int(0...3) == 0
        let pixels = random.int(isNarrow ? 1...900 : 1...9)
        let channels = random.int(isNarrow ? 1...5 : 1...70)
        let broadcast = Broadcast(rawValue: UInt8(random.int(0...3))).unsafelyUnwrapped
        let hasGaps = random.int(0...1) == 0
        let aStride = channels + (hasGaps ? random.int(0...3) : 0)
        let bStride = broadcast == .none ? channels + (hasGaps ? random.int(0...3) : 0) : random.int(1...3)
        let outputStride = channels + (hasGaps ? random.int(0...3) : 0)
        let extremes = random.int(0...3) == 0
        let a = random.int8s(pixels * aStride + Packing.readAheadBytes, extremes: extremes)
        let b = random.int8s(max(pixels * bStride, channels) + Packing.readAheadBytes, extremes: extremes)
        let za = Int32(Int8(truncatingIfNeeded: number))
        let zb = Int32(random.int(-128...127))
        // Now and then what needs a limit before it converts to an integer.
        let large = random.int(0...15) == 0 ? 30 : 0
        let ma = random.scale(exponent: random.int(-6...2) + large) * (random.int(0...3) == 0 ? -1 : 1)
        let mb = random.scale(exponent: random.int(-6...2)) * (random.int(0...3) == 0 ? -1 : 1)
        let m = random.scale(exponent: random.int(-12...0) + large)
        let range = random.outputRange()
        var expected: [Int8] = []
        for pixel in 0..<pixels {
            for channel in 0..<channels {
                let j =
                    switch broadcast {
                    case .none: pixel * bStride + channel
                    case .perChannel: channel
                    case .perPixel: pixel * bStride
                    case .scalar: 0
                    }
                let x = Int32(a[pixel * aStride + channel]) - za
                let y = Int32(b[j]) - zb
                let value = isAddition ? Float(x) * ma + Float(y) * mb : Float(x * y) * m
                expected.append(
                    quantizedStep(
                        value, zeroPoint: range.zeroPoint, lowest: range.lowest, highest: range.highest))
            }
        }
        var output = [Int8](repeating: 99, count: pixels * outputStride + Packing.readAheadBytes)
        output.withUnsafeMutableBufferPointer { output in
            a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in
                    let operands = ElementwiseOperands(
                        a: a.baseAddress.unsafelyUnwrapped, aPixelStride: aStride,
                        b: b.baseAddress.unsafelyUnwrapped, bPixelStride: bStride, broadcast: broadcast,
                        output: output.baseAddress.unsafelyUnwrapped, outputPixelStride: outputStride,
                        pixels: pixels, channels: channels)
                    for part in 0..<2 {
                        operands.forEachRun(Part(index: part, of: 2)) { rows in
                            if isAddition {
                                addInt8(
                                    kernel, rows,
                                    AddParameters(
                                        aZeroPoint: za, aMultiplier: ma, bZeroPoint: zb, bMultiplier: mb,
                                        output: range))
                            } else {
                                multiplyInt8(
                                    kernel, rows,
                                    MultiplyParameters(
                                        aZeroPoint: za, bZeroPoint: zb, multiplier: m, output: range))
                            }
                        }
                    }
                }
            }
        }
        return matches(output, expected, pixels: pixels, channels: channels, stride: outputStride)
    }

    private func table(_ random: inout TestRandom) -> Bool {
        let count = random.int(0...1) == 0 ? random.int(1...70) : random.int(1...300)
        let rows = random.int(1...5)
        let (inputStride, outputStride) = (count + random.int(0...9), count + random.int(0...9))
        let values = random.table()
        let preparation = UnsafeMutableRawPointer.allocate(byteCount: kernels.preparedTableByteCount, alignment: 64)
        defer { preparation.deallocate() }
        let isPrepared = kernels.preparedTableByteCount > 0 && random.int(0...7) > 0
        let input = random.int8s(rows * inputStride + Packing.readAheadBytes, extremes: random.int(0...3) == 0)
        let isInPlace = random.int(0...1) == 0
        let stride = isInPlace ? inputStride : outputStride
        var output = isInPlace ? input : [Int8](repeating: 99, count: rows * stride + Packing.readAheadBytes)
        var expected = output
        for row in 0..<rows {
            for i in 0..<count { expected[row * stride + i] = values[Int(input[row * inputStride + i]) + 128] }
        }
        output.withUnsafeMutableBufferPointer { output in
            input.withUnsafeBufferPointer { input in
                values.withUnsafeBufferPointer { values in
                    let target = output.baseAddress.unsafelyUnwrapped
                    let entries = values.baseAddress.unsafelyUnwrapped
                    if isPrepared { kernels.prepareTable(entries, into: preparation) }
                    tableInt8(
                        kernel, table: LookUpTable(entries: entries, prepared: isPrepared ? preparation : nil),
                        input: isInPlace ? UnsafePointer(target) : input.baseAddress.unsafelyUnwrapped,
                        inputStride: inputStride, output: target, outputStride: stride, count: count, rows: rows)
                }
            }
        }
        return output == expected
    }

    private func window(_ random: inout TestRandom) -> Bool {
        let channels = random.int(1...140)
        let size = random.int(0...3) == 0 ? random.int(2...3) : nil
        let columns = size ?? (random.int(0...15) == 0 ? random.int(250...600) : random.int(0...6))
        let rows = size ?? random.int(0...4)
        let columnStride = channels + random.int(0...4)
        let rowStride = columnStride * columns + random.int(0...9)
        let input = random.int8s(rows * rowStride + channels + Packing.readAheadBytes, extremes: random.int(0...3) == 0)
        var output = [Int8](repeating: 99, count: channels + 8)
        var sums = [Int32](repeating: 99, count: channels + 8)
        input.withUnsafeBufferPointer { input in
            let pixels = PixelWindow(
                start: input.baseAddress.unsafelyUnwrapped, rows: rows, rowStride: rowStride, columns: columns,
                columnStride: columnStride)
            if kernel.family == .maximumInt8 {
                output.withUnsafeMutableBufferPointer {
                    maximumInt8(kernel, pixels, channels: channels, output: $0.baseAddress.unsafelyUnwrapped)
                }
            } else {
                sums.withUnsafeMutableBufferPointer {
                    sumInt8(kernel, pixels, channels: channels, sums: $0.baseAddress.unsafelyUnwrapped)
                }
            }
        }
        for c in 0..<channels + 8 {
            var maximum: Int8 = -128
            var sum: Int32 = 0
            if c < channels {
                for y in 0..<rows {
                    for x in 0..<columns {
                        let value = input[y * rowStride + x * columnStride + c]
                        maximum = max(maximum, value)
                        sum += Int32(value)
                    }
                }
            } else {
                (maximum, sum) = (99, 99)
            }
            if kernel.family == .maximumInt8 ? output[c] != maximum : sums[c] != sum { return false }
        }
        return true
    }

    private func bilinear(_ random: inout TestRandom, _ number: Int) -> Bool {
        let channels = random.int(1...40)
        let inputWidth = random.int(1...9)
        let width = random.int(1...13)
        let inputStride = channels + random.int(0...3)
        let outputStride = channels + random.int(0...3)
        let extremes = random.int(0...3) == 0
        let top = random.int8s(inputWidth * inputStride + Packing.readAheadBytes, extremes: extremes)
        let bottom = random.int8s(inputWidth * inputStride + Packing.readAheadBytes, extremes: extremes)
        var left = [Int32](repeating: 0, count: width)
        var right = left
        var fixedWeights = left
        var weights = [Float](repeating: 0, count: width)
        for x in 0..<width {
            left[x] = Int32(random.int(0...inputWidth - 1))
            right[x] = Int32(random.int(0...inputWidth - 1))
            fixedWeights[x] = Int32(random.int(0...8) * 256)
            if random.int(0...1) == 0 { fixedWeights[x] = Int32(random.int(0...2048)) }
            weights[x] = Float(fixedWeights[x]) / (random.int(0...1) == 0 ? 2048 : 2047)
        }
        let fixedRow = Int32(random.int(0...8) * 256)
        let rowWeight = Float(random.int(0...1000)) / (random.int(0...1) == 0 ? 1000 : 1024)
        let inputZeroPoint = Int32(Int8(truncatingIfNeeded: number))
        let zeroPoint = Int32(random.int(-128...127))
        let multiplier = random.scale(exponent: random.int(-4...3)) * (random.int(0...7) == 0 ? -1 : 1)
        var expected: [Int8] = []
        for x in 0..<width {
            for i in 0..<channels {
                func at(_ row: [Int8], _ column: Int32) -> Int32 { Int32(row[Int(column) * inputStride + i]) }
                let (a, b) = (at(top, left[x]), at(top, right[x]))
                let (c, d) = (at(bottom, left[x]), at(bottom, right[x]))
                if kernel.family == .bilinearFixedInt8 {
                    let upper = 2048 * a + (b - a) * fixedWeights[x]
                    let lower = 2048 * c + (d - c) * fixedWeights[x]
                    expected.append(
                        Int8(truncatingIfNeeded: (2048 * upper + (lower - upper) * fixedRow + 1 << 21) >> 22))
                } else {
                    func real(_ value: Int32) -> Float { Float(value - inputZeroPoint) }
                    let upper = real(a) + (real(b) - real(a)) * weights[x]
                    let lower = real(c) + (real(d) - real(c)) * weights[x]
                    expected.append(
                        quantizedStep(
                            (upper + (lower - upper) * rowWeight) * multiplier, zeroPoint: zeroPoint, lowest: -128,
                            highest: 127))
                }
            }
        }
        var output = [Int8](repeating: 99, count: width * outputStride + Packing.readAheadBytes)
        output.withUnsafeMutableBufferPointer { output in
            top.withUnsafeBufferPointer { top in
                bottom.withUnsafeBufferPointer { bottom in
                    left.withUnsafeBufferPointer { left in
                        right.withUnsafeBufferPointer { right in
                            let row = BilinearRow(
                                top: top.baseAddress.unsafelyUnwrapped, bottom: bottom.baseAddress.unsafelyUnwrapped,
                                inputPixelStride: inputStride, left: left.baseAddress.unsafelyUnwrapped,
                                right: right.baseAddress.unsafelyUnwrapped,
                                output: output.baseAddress.unsafelyUnwrapped, outputPixelStride: outputStride,
                                width: width, channels: channels)
                            if kernel.family == .bilinearFixedInt8 {
                                fixedWeights.withUnsafeBufferPointer {
                                    resizeFixedInt8(
                                        kernel, row, columnWeights: $0.baseAddress.unsafelyUnwrapped,
                                        rowWeight: fixedRow)
                                }
                            } else {
                                weights.withUnsafeBufferPointer {
                                    resizeInt8(
                                        kernel, row, columnWeights: $0.baseAddress.unsafelyUnwrapped,
                                        rowWeight: rowWeight, inputZeroPoint: inputZeroPoint, multiplier: multiplier,
                                        zeroPoint: zeroPoint)
                                }
                            }
                        }
                    }
                }
            }
        }
        return matches(output, expected, pixels: width, channels: channels, stride: outputStride)
    }

    private func floatConvolution(_ random: inout TestRandom, depthwise: Bool) -> Bool {
        let g = random.geometry(depthwise: depthwise)
        let inputStride = g.inputChannels + random.int(0...5)
        let outputStride = g.outputChannels + random.int(0...5)
        var input = random.floats(g.inputHeight * g.inputWidth * inputStride + 16)
        if random.int(0...7) == 0 {
            for special in [Float.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude] {
                input[random.int(0...input.count - 17)] = special
            }
        }
        let weights = random.floats(g.outputChannels * g.taps * g.inputChannelsPerGroup)
        let bias = random.floats(g.outputChannels)
        let isClamped = random.int(0...1) == 0
        let lowest: Float = isClamped ? -5.5 : -.infinity
        let highest: Float = isClamped ? 600.25 : .infinity
        let expected = Reference.convolution(
            g, input: input, inputPixelStride: inputStride, weights: weights, bias: bias, lowest: lowest,
            highest: highest)
        var output = [Float](repeating: 99, count: g.outputPixels * outputStride + 16)
        let packedWeights = Packing.packFloatWeights(g, weights) + [Float](repeating: .nan, count: 16)
        let packedBias = Packing.packFloatBias(g, bias)
        let prepared = FloatConvolution(g, testing: kernel)
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: FloatConvolution.scratchByteCount(g), alignment: 64)
        defer { scratch.deallocate() }
        output.withUnsafeMutableBufferPointer { output in
            input.withUnsafeBufferPointer { input in
                packedWeights.withUnsafeBufferPointer { weights in
                    packedBias.withUnsafeBufferPointer { bias in
                        let arguments = FloatConvolutionArguments(
                            input: input.baseAddress.unsafelyUnwrapped, inputPixelStride: inputStride,
                            weights: weights.baseAddress.unsafelyUnwrapped,
                            bias: bias.baseAddress.unsafelyUnwrapped,
                            output: output.baseAddress.unsafelyUnwrapped, outputPixelStride: outputStride,
                            lowest: lowest, highest: highest)
                        for part in 0..<2 {
                            prepared.run(arguments, part: Part(index: part, of: 2), scratch: scratch)
                        }
                    }
                }
            }
        }
        for i in 0..<output.count {
            let pixel = i / outputStride
            let channel = i % outputStride
            let isInside = pixel < g.outputPixels && channel < g.outputChannels
            let wanted = isInside ? expected[pixel * g.outputChannels + channel] : 99
            // Which NaN a NaN is differs between architectures.
            if output[i].isNaN && wanted.isNaN { continue }
            if output[i].bitPattern != wanted.bitPattern { return false }
        }
        return true
    }
}

extension Convolution {
    /// A convolution that runs `kernel` on every tile, whatever selection would choose.
    init(_ geometry: ConvolutionGeometry, testing kernel: Kernel, hasSmallScales: Bool, kernels: KernelSet) {
        self.geometry = geometry
        self.kernels = kernels
        self.hasSmallScales = hasSmallScales
        layout = ScratchLayout(geometry)
        winogradBlockLayout = WinogradBlockLayout(geometry)
        switch kernel.family {
        case .gemmUInt8Int8, .packUInt8, .scanInt8:
            packed = kernels.packed
            self.kernel = kernels.gemm
        case .packInt8:
            packed = nil
            self.kernel = kernels.gemm
        case .widenInt8:
            packed = nil
            self.kernel = kernels.widened.unsafelyUnwrapped.gemm
        default:
            packed = nil
            self.kernel = kernel
        }
        packedLayout = PackedLayout(geometry)
        widenedLayout = self.kernel.family == .gemmInt16Int8 ? WidenedLayout(geometry) : nil
        tileLayout = TileLayout(geometry)
        packKernel = kernels.tilePack
        winogradLayout = kernel.isWinograd ? WinogradLayout(geometry) : nil
        singlePixelKernel = self.kernel
        tileRegions =
            self.kernel.family == .gemmPackedInt8 ? Convolution.tileRegions(geometry, always: true) : TileRegions()
    }
}

extension FloatConvolution {
    /// A convolution that runs `kernel` on every tile, whatever selection would choose.
    init(_ geometry: ConvolutionGeometry, testing kernel: Kernel) {
        self.geometry = geometry
        self.kernel = kernel
        rowsOffset = FloatConvolution.zeroRowByteCount(geometry)
    }
}
