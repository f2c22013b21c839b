import Kernels
import NestFormat

/// What `Convolution` and `DepthwiseConvolution` share: both run on `Kernels.Convolution`.
protocol IntegerConvolution: DeviceOperator {
    var input: FeatureMap { get }
    var output: FeatureMap { get }
    var window: Window { get }
    var groups: Int { get }
    var isTransposed: Bool { get }
    var weightsOffset: Int { get }
    /// What every weight is larger than stored.
    var weightOffset: Int32 { get }
    var biasOffset: Int { get }
    var scalesOffset: Int { get }
    var inputZeroPoint: Int32 { get }
    var outputZeroPoint: Int32 { get }
    var clampMin: Int8 { get }
    var clampMax: Int8 { get }
    var tableOffset: Int? { get }
    var add: FusedAdd? { get }
}

// Inlined into each type: shared specializations read one type's fields in the other's layout on armv7 (Embedded Swift 6.3).
extension IntegerConvolution {
    var resultType: DeviceType { .int8 }

    @inline(__always)
    var geometry: ConvolutionGeometry {
        makeGeometry(input: input, output: output, window: window, groups: groups, isTransposed: isTransposed)
    }

    @inline(__always)
    var work: UInt64 { convolutionWork(geometry) }

    @inline(__always)
    func encodeTail(into writer: inout ByteWriter) {
        writer.write(weightOffset)
        writer.writeSize(weightsOffset)
        writer.writeSize(biasOffset)
        writer.writeSize(scalesOffset)
        writer.write(inputZeroPoint)
        writer.write(outputZeroPoint)
        writer.write(clampMin)
        writer.write(clampMax)
        writer.write(tableOffset != nil)
        if let tableOffset { writer.writeSize(tableOffset) }
        writer.write(add != nil)
        add?.encode(into: &writer)
    }

    @inline(__always)
    func check(_ checker: PlanChecker) throws(LoadError) {
        try checkConvolution(
            checker, input: input, output: output, window: window, groups: groups, elementBytes: 1)
        let geometry = geometry
        try checker.tensor(weightsOffset, count: Int64(Packing.weightByteCount(geometry)), bytesEach: 1)
        let channels = Packing.paddedBiasCount(geometry)
        try checker.tensor(biasOffset, count: Int64(channels), bytesEach: 4)
        try checker.finiteFloats(scalesOffset, count: channels)
        try checker.require((-255...255).contains(weightOffset), "the weight offset is outside -255...255")
        try checker.zeroPoint(inputZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.clamp(clampMin, clampMax)
        if let tableOffset { try checker.tensor(tableOffset, count: 256, bytesEach: 1) }
        if let add { try add.check(checker, output: output) }
    }

    @inline(__always)
    func forEachResultPiece(_ body: (Int, Int) -> Void) { output.forEachPiece(elementBytes: 1, body) }

    /// The kernels for this layer on the CPU that `kernels` is for.
    @inline(__always)
    func selectKernels(_ kernels: KernelSet, weights: UnsafeRawPointer) -> Kernels.Convolution {
        typealias Traits = Packing.WeightTraits
        let geometry = geometry
        let packed = (weights + weightsOffset).assumingMemoryBound(to: Int8.self)
        var lowest: Int8 = 0
        if kernels.dependsOnWeights {
            for i in 0..<Packing.weightByteCount(geometry) { lowest = min(lowest, packed[i]) }
        }
        let scales = (weights + scalesOffset).assumingMemoryBound(to: Float.self)
        let biases = (weights + biasOffset).assumingMemoryBound(to: Int32.self)
        var largestScale: Float = 0
        var largestBias: UInt32 = 0
        for channel in 0..<geometry.outputChannels {
            let index = Packing.biasIndex(geometry, channel: channel)
            largestScale = max(largestScale, abs(scales[index]))
            largestBias = max(largestBias, biases[index].magnitude)
        }
        var traits = Traits(
            containsMinus128: lowest == -128, hasOffset: weightOffset != 0,
            hasSmallScales: Traits.areSmall(scales: largestScale, biases: largestBias, geometry))
        if kernels.needsFilterSums(geometry) {
            traits.largestFilterSum = Packing.largestFilterSum(geometry, packed: packed)
        }
        return Kernels.Convolution(geometry, traits: traits, kernels: kernels)
    }

    /// Fills the `preparedByteCount` bytes at `memory`.
    @inline(__always)
    func prepare(_ kernels: borrowing Kernels.Convolution, weights: UnsafeRawPointer, into memory: UnsafeMutableRawPointer) {
        kernels.prepare(
            weights: (weights + weightsOffset).assumingMemoryBound(to: Int8.self),
            bias: (weights + biasOffset).assumingMemoryBound(to: Int32.self), into: memory)
    }

    @inline(__always)
    func run(_ context: ExecutionContext, part: Part, kernels: borrowing Kernels.Convolution) {
        let arguments = ConvolutionArguments(
            input: UnsafePointer(context.arenaInt8(input.offset)), inputPixelStride: input.pixelStride,
            inputZeroPoint: Int8(truncatingIfNeeded: inputZeroPoint), weights: context.weightsInt8(weightsOffset),
            weightOffset: weightOffset,
            bias: context.weightsInt32(biasOffset), scales: context.weightsFloat(scalesOffset),
            output: context.arenaInt8(output.offset), outputPixelStride: output.pixelStride,
            epilogue: Epilogue(
                output: OutputRange(
                    zeroPoint: outputZeroPoint, lowest: Int32(clampMin), highest: Int32(clampMax)),
                table: tableOffset.map { context.table($0) }, residual: add.map { $0.residual(in: context) }),
            prepared: context.prepared)
        kernels.run(arguments, part: part, scratch: context.scratch)
    }
}

/// The geometry that `Kernels` works with.
func makeGeometry(
    input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool
) -> ConvolutionGeometry {
    ConvolutionGeometry(
        inputHeight: input.height, inputWidth: input.width, outputHeight: output.height, outputWidth: output.width,
        groups: groups, inputChannelsPerGroup: input.channels / groups, outputChannelsPerGroup: output.channels / groups,
        kernelHeight: window.kernelHeight, kernelWidth: window.kernelWidth, strideY: window.strideY,
        strideX: window.strideX, dilationY: window.dilationY, dilationX: window.dilationX, padTop: window.padTop,
        padLeft: window.padLeft, isTransposed: isTransposed)
}

/// Multiply-accumulates of a checked geometry.
func convolutionWork(_ g: ConvolutionGeometry) -> UInt64 {
    UInt64(g.outputPixels) * UInt64(g.taps) * UInt64(g.inputChannelsPerGroup) * UInt64(g.outputChannels)
}

/// Checks after which all of `ConvolutionGeometry`'s and `Packing`'s arithmetic fits 32 bits.
func checkConvolution(
    _ checker: PlanChecker, input: FeatureMap, output: FeatureMap, window: Window, groups: Int, elementBytes: Int
) throws(LoadError) {
    try checker.map(input, elementBytes: elementBytes)
    try checker.map(output, elementBytes: elementBytes)
    try checker.window(window, input: input, output: output, elementBytes: elementBytes)
    try checker.require(
        groups >= 1 && groups <= input.channels && input.channels % groups == 0 && output.channels % groups == 0,
        "the groups do not divide the channels")
    let taps = try checker.product(Int64(window.kernelHeight), Int64(window.kernelWidth))
    func roundedUp(_ value: Int, _ unit: Int64) -> Int64 { (Int64(value) + unit - 1) / unit * unit }
    let (inputs, outputs) = (input.channels / groups, output.channels / groups)
    let count = inputs == 1 && outputs == 1 && groups > 1
        ? try checker.product(roundedUp(groups, 16), taps)
        : try checker.product(Int64(groups), roundedUp(outputs, 8), taps, roundedUp(inputs, 4))
    let bytes = try checker.product(count, Int64(elementBytes))
    try checker.require(bytes <= Int64(NestLimits.maxWeightsBytes), "the weights are larger than any file")
    let depth = try checker.product(taps, roundedUp(inputs, 4))
    try checker.require(depth <= 1 << 22, "a filter has more than 4194304 weights")
    let pixels = Int64(output.height) * Int64(output.width)
    let work = try checker.product(pixels, taps, Int64(input.channels / groups), Int64(output.channels))
    try checker.require(UInt64(work) <= NestLimits.maxWork, "the work is above the limit")
}
