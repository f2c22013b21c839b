import Kernels
import NestFormat

/// int8 convolution (fully connected included), one group, with weights stored sparse: see `SparseWeights`. Otherwise as
/// `Convolution`.
public struct SparseConvolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window
    /// Blocks of four weights, all channels together.
    public var blockCount: Int
    /// Offsets in the weights section: blocks per output channel (uint16), steps from block to block (4 bits), the blocks'
    /// weights (int8).
    public var countsOffset: Int, gapsOffset: Int, blocksOffset: Int
    /// Offsets of bias (int32) and scale (float32), one per output channel.
    public var biasOffset: Int, scalesOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8
    public var tableOffset: Int?
    public var add: FusedAdd?
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, blockCount: Int, countsOffset: Int, gapsOffset: Int,
        blocksOffset: Int, biasOffset: Int, scalesOffset: Int, inputZeroPoint: Int32, outputZeroPoint: Int32,
        clampMin: Int8, clampMax: Int8, tableOffset: Int? = nil, add: FusedAdd? = nil
    ) {
        (self.input, self.output, self.window, self.blockCount) = (input, output, window, blockCount)
        (self.countsOffset, self.gapsOffset, self.blocksOffset) = (countsOffset, gapsOffset, blocksOffset)
        (self.biasOffset, self.scalesOffset) = (biasOffset, scalesOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.clampMin, self.clampMax) =
            (inputZeroPoint, outputZeroPoint, clampMin, clampMax)
        (self.tableOffset, self.add) = (tableOffset, add)
    }
}

extension SparseConvolution: DeviceOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(input)
        writer.write(output)
        writer.write(window)
        writer.writeSize(blockCount)
        writer.writeSize(countsOffset)
        writer.writeSize(gapsOffset)
        writer.writeSize(blocksOffset)
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

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let window = try reader.readWindow()
        let blockCount = try reader.readSize()
        let countsOffset = try reader.readSize()
        let gapsOffset = try reader.readSize()
        let blocksOffset = try reader.readSize()
        let biasOffset = try reader.readSize()
        let scalesOffset = try reader.readSize()
        let inputZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        let clampMin = try reader.readInt8()
        let clampMax = try reader.readInt8()
        let tableOffset = try reader.readBool() ? try reader.readSize() : nil
        let add = try reader.readBool() ? try FusedAdd(decoding: &reader) : nil
        self.init(
            input: input, output: output, window: window, blockCount: blockCount, countsOffset: countsOffset,
            gapsOffset: gapsOffset, blocksOffset: blocksOffset, biasOffset: biasOffset, scalesOffset: scalesOffset,
            inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint, clampMin: clampMin, clampMax: clampMax,
            tableOffset: tableOffset, add: add)
    }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checkConvolution(
            checker, input: input, output: output, window: window, groups: 1, elementBytes: 1)
        let geometry = geometry
        try checker.require(SparseWeights.supports(geometry), "a sparse filter has more than 65536 weights")
        let channels = geometry.outputChannels
        try checker.tensor(countsOffset, count: Int64(channels), bytesEach: 2)
        let base = checker.weights.baseAddress.unsafelyUnwrapped
        let counts = (base + countsOffset).assumingMemoryBound(to: UInt16.self)
        let totals = SparseWeights.totals(counts: counts, channels: channels)
        try checker.require(totals.blocks == blockCount, "the counts of blocks do not add up")
        try checker.tensor(gapsOffset, count: Int64(totals.gapBytes), bytesEach: 1)
        try checker.tensor(blocksOffset, count: Int64(blockCount), bytesEach: SparseWeights.blockWidth)
        try checker.require(
            SparseWeights.areValid(
                geometry, counts: counts, gaps: (base + gapsOffset).assumingMemoryBound(to: UInt8.self),
                blocks: (base + blocksOffset).assumingMemoryBound(to: Int8.self), blockCount: blockCount),
            "sparse weights lie outside their filter, are -128 or exceed the sums of their pairs or their quad")
        try checker.tensor(biasOffset, count: Int64(channels), bytesEach: 4)
        try checker.finiteFloats(scalesOffset, count: channels)
        try checker.zeroPoint(inputZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.clamp(clampMin, clampMax)
        if let tableOffset { try checker.tensor(tableOffset, count: 256, bytesEach: 1) }
        if let add { try add.check(checker, output: output) }
    }

    var geometry: ConvolutionGeometry {
        makeGeometry(input: input, output: output, window: window, groups: 1, isTransposed: false)
    }

    /// Multiply-accumulates with the weights that are stored.
    var work: UInt64 { UInt64(geometry.outputPixels) * UInt64(blockCount) * UInt64(SparseWeights.blockWidth) }

    var resultType: DeviceType { .int8 }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { output.forEachPiece(elementBytes: 1, body) }

    /// The kernel for this layer on the CPU that `kernels` is for.
    func selectKernels(_ kernels: KernelSet, weights: UnsafeRawPointer) -> Kernels.SparseConvolution {
        let geometry = geometry
        let sum = kernels.needsFilterSums(geometry)
            ? SparseWeights.largestFilterSum(
                counts: (weights + countsOffset).assumingMemoryBound(to: UInt16.self),
                blocks: (weights + blocksOffset).assumingMemoryBound(to: Int8.self), channels: geometry.outputChannels)
            : nil
        return Kernels.SparseConvolution(geometry, blockCount: blockCount, largestFilterSum: sum, kernels: kernels)
    }

    /// Fills the `preparedByteCount` bytes at `memory`.
    func prepare(_ kernels: Kernels.SparseConvolution, weights: UnsafeRawPointer, into memory: UnsafeMutableRawPointer) {
        kernels.prepare(
            counts: (weights + countsOffset).assumingMemoryBound(to: UInt16.self),
            blocks: (weights + blocksOffset).assumingMemoryBound(to: Int8.self),
            bias: (weights + biasOffset).assumingMemoryBound(to: Int32.self), into: memory)
    }

    func run(_ context: ExecutionContext, part: Part, kernels: Kernels.SparseConvolution) {
        kernels.run(
            SparseConvolutionArguments(
                input: UnsafePointer(context.arenaInt8(input.offset)), inputPixelStride: input.pixelStride,
                inputZeroPoint: Int8(truncatingIfNeeded: inputZeroPoint),
                counts: (context.weights + countsOffset).assumingMemoryBound(to: UInt16.self),
                gaps: (context.weights + gapsOffset).assumingMemoryBound(to: UInt8.self),
                blocks: context.weightsInt8(blocksOffset), bias: context.weightsInt32(biasOffset),
                scales: context.weightsFloat(scalesOffset), output: context.arenaInt8(output.offset),
                outputPixelStride: output.pixelStride,
                epilogue: Epilogue(
                    output: OutputRange(
                        zeroPoint: outputZeroPoint, lowest: Int32(clampMin), highest: Int32(clampMax)),
                    table: tableOffset.map { context.table($0) }, residual: add.map { $0.residual(in: context) }),
                prepared: context.prepared),
            part: part, scratch: context.scratch)
    }
}
