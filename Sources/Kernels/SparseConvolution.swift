import CKernels

/// Pointers and quantization of one sparse int8 convolution; weights as `SparseWeights`, bias with the input zero point
/// folded in (`Packing.foldedBias`), bias and scales one per output channel.
public struct SparseConvolutionArguments {
    public var input: UnsafePointer<Int8>
    /// Bytes from one input pixel to the next, at least `inputChannels`.
    public var inputPixelStride: Int
    public var inputZeroPoint: Int8
    public var counts: UnsafePointer<UInt16>
    public var gaps: UnsafePointer<UInt8>
    public var blocks: UnsafePointer<Int8>
    public var bias: UnsafePointer<Int32>
    public var scales: UnsafePointer<Float>
    public var output: UnsafeMutablePointer<Int8>
    public var outputPixelStride: Int
    public var epilogue: Epilogue
    /// What `SparseConvolution.prepare` made; nil where `SparseConvolution.preparedByteCount` is 0.
    public var prepared: UnsafeRawPointer?

    public init(
        input: UnsafePointer<Int8>, inputPixelStride: Int, inputZeroPoint: Int8, counts: UnsafePointer<UInt16>,
        gaps: UnsafePointer<UInt8>, blocks: UnsafePointer<Int8>, bias: UnsafePointer<Int32>,
        scales: UnsafePointer<Float>, output: UnsafeMutablePointer<Int8>, outputPixelStride: Int, epilogue: Epilogue,
        prepared: UnsafeRawPointer? = nil
    ) {
        self.input = input
        self.inputPixelStride = inputPixelStride
        self.inputZeroPoint = inputZeroPoint
        self.counts = counts
        self.gaps = gaps
        self.blocks = blocks
        self.bias = bias
        self.scales = scales
        self.output = output
        self.outputPixelStride = outputPixelStride
        self.epilogue = epilogue
        self.prepared = prepared
    }
}

/// An int8 convolution with sparse weights and its kernel chosen. The value is made once, at load; `run` allocates
/// nothing.
///
/// Pixels lie in the lanes of the micro-kernels: a tile of pixels is packed quad by quad, then every block of every output
/// channel is multiplied with all pixels of its quad at once. Channels share nothing but the packed tile, so that each may
/// have its blocks where it wants them. Where many blocks are left of a 3 × 3 kernel, Winograd's form is faster even so: it
/// runs on weights that are expanded two panels at a time.
public struct SparseConvolution: Sendable {
    public let geometry: ConvolutionGeometry
    let kernels: KernelSet
    public let kernel: Kernel
    let layout: Layout
    /// The same convolution with dense weights, which knows the rows of a tile and has Winograd's form.
    private let dense: Convolution

    /// Chooses the kernel for `geometry`: a pure function of its arguments.
    /// - Parameters:
    ///   - blockCount: blocks of all channels.
    ///   - largestFilterSum: `SparseWeights.largestFilterSum`; nil where it isn't known, for which
    ///     `KernelSet.needsFilterSums` tells whether it matters.
    /// - Precondition: `SparseWeights.supports(geometry)`
    public init(_ geometry: ConvolutionGeometry, blockCount: Int, largestFilterSum: Int? = nil, kernels: KernelSet) {
        let dense = Convolution(geometry, traits: .init(largestFilterSum: largestFilterSum), kernels: kernels)
        var kernel = kernels.sparse
        let costs = ConvolutionCosts.avx2
        if dense.kernel.family == .winogradInt8, let cost = costs.winograd(geometry, blockCount: blockCount),
            cost < costs.blockwise(geometry, blockCount: blockCount)
        {
            kernel = dense.kernel
        }
        self.init(geometry, kernel: kernel, dense: dense)
    }

    /// A given kernel.
    init(_ geometry: ConvolutionGeometry, kernel: Kernel, dense: Convolution) {
        precondition(SparseWeights.supports(geometry), "no sparse form for this geometry")
        self.geometry = geometry
        self.kernel = kernel
        self.dense = dense
        kernels = dense.kernels
        layout = Layout(geometry)
    }

    /// Pixels that kernels pack together.
    static let lanes = 8
    /// Output channels that kernels write together.
    static let channelGroup = 16

    /// Where things lie in a thread's scratch: a row of input zero points, row pointers, packed inputs.
    struct Layout: Sendable {
        /// Most pixels of a tile, 32 to 96: as many as leave room for weights in the second cache. Wide tiles that lie there
        /// were measured to be no slower than narrow ones in the first cache, since they read and decode weights less often.
        let tile: Int
        let rowsOffset: Int
        let packedOffset: Int
        let byteCount: Int

        init(_ g: ConvolutionGeometry) {
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            let pixelBytes = g.taps * Packing.quads(g) * Packing.quadWidth
            tile = min(max((96 << 10) / (pixelBytes * lanes), 4), 12) * lanes
            rowsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            packedOffset = rowsOffset + align(g.taps * tile * 8)
            byteCount = packedOffset + align(pixelBytes * tile)
        }
    }

    /// Bytes of scratch that each thread needs, 64-byte aligned: the same for every instruction set.
    public static func scratchByteCount(_ geometry: ConvolutionGeometry) -> Int {
        let winograd = Convolution.WinogradBlockLayout(geometry).map { $0.isFaster ? winogradByteCount(geometry, $0) : 0 }
        return max(Layout(geometry).byteCount, winograd ?? 0)
    }

    /// Bytes of scratch of Winograd's form, at whose end panels are expanded.
    static func winogradByteCount(_ geometry: ConvolutionGeometry, _ layout: Convolution.WinogradBlockLayout) -> Int {
        layout.byteCount + SparsePanels.byteCount(geometry)
    }

    private var countsFromMinus128: Bool { kernel.family == .sparseUInt8Int8 }

    /// Bytes that `prepare` writes, a multiple of 64; 0 where nothing is prepared.
    public var preparedByteCount: Int { countsFromMinus128 ? (geometry.outputChannels * 4 + 63) / 64 * 64 : 0 }

    /// Prepares what `run` needs beside weights and bias. Once per session, at its start.
    /// - Precondition: `memory` has `preparedByteCount` bytes, 4-byte aligned.
    public func prepare(
        counts: UnsafePointer<UInt16>, blocks: UnsafePointer<Int8>, bias: UnsafePointer<Int32>,
        into memory: UnsafeMutableRawPointer
    ) {
        guard countsFromMinus128 else { return }
        let corrected = memory.assumingMemoryBound(to: Int32.self)
        var block = blocks
        for channel in 0..<geometry.outputChannels {
            let count = Int(counts[channel]) * SparseWeights.blockWidth
            var sum: Int32 = 0
            for i in 0..<count { sum &+= Int32(block[i]) }
            corrected[channel] = bias[channel] &- 128 &* sum
            block += count
        }
    }

    /// Computes one part of the output. Parts may run at the same time, each with its own scratch.
    /// - Precondition: pointers and strides fit the geometry; `SparseWeights.areValid`; tensors and weights are followed
    ///   by `Packing.readAheadBytes` readable bytes; `scratch` has `scratchByteCount(geometry)` bytes, 64-byte aligned.
    public func run(_ a: SparseConvolutionArguments, part: Part = .whole, scratch: UnsafeMutableRawPointer) {
        if kernel.family == .winogradInt8, let winograd = dense.winogradBlockLayout {
            return runWinograd(a, winograd, part: part, scratch: scratch)
        }
        let g = geometry
        let unit = min(kernel.pixels, SparseConvolution.lanes)
        let units = (g.outputPixels + unit - 1) / unit
        // Tiles are packed anew for every part.
        guard let part = g.outputPixels < part.count * layout.tile ? part.wholeShare : part else { return }
        let byChannels =
            part.count > 1 && units < 8 * part.count && g.outputChannels >= SparseConvolution.channelGroup * part.count
        let pixelRange = byChannels ? 0..<g.outputPixels : part.range(of: g.outputPixels, unit: unit)
        let channelRange =
            byChannels ? part.range(of: g.outputChannels, unit: SparseConvolution.channelGroup) : 0..<g.outputChannels
        if pixelRange.isEmpty || channelRange.isEmpty { return }

        let before = SparseWeights.totals(counts: a.counts, channels: channelRange.lowerBound)
        let bias = countsFromMinus128 ? a.prepared.unsafelyUnwrapped.assumingMemoryBound(to: Int32.self) : a.bias
        let rows = (scratch + layout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        if !g.isPointwise {
            scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: layout.rowsOffset)
        }
        var arguments = swiftlet_sparse_s8_arguments(
            rows: UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            packed: (scratch + layout.packedOffset).assumingMemoryBound(to: UInt8.self),
            counts: a.counts + channelRange.lowerBound, gaps: a.gaps + before.gapBytes,
            weights: a.blocks + before.blocks * SparseWeights.blockWidth, bias: bias + channelRange.lowerBound,
            scales: a.scales + channelRange.lowerBound, output: nil, outputPixelStride: a.outputPixelStride,
            taps: Int32(g.taps), quads: Int32(Packing.quads(g)), pixels: 0, channels: Int32(channelRange.count),
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest)
        kernel.markExecuted()
        // Tiles of nearly the same number of vectors.
        let tile = min(layout.tile, kernel.pixels)
        let vectors = (pixelRange.count + unit - 1) / unit
        let tiles = (vectors * unit + tile - 1) / tile
        for index in 0..<tiles {
            let first = pixelRange.lowerBound + vectors * index / tiles * unit
            let end = min(pixelRange.lowerBound + vectors * (index + 1) / tiles * unit, pixelRange.upperBound)
            dense.buildRows(
                rows, first: first, pixels: end - first, tile: end - first, input: UnsafeRawPointer(a.input),
                inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: UnsafeRawPointer(scratch))
            arguments.pixels = Int32(end - first)
            arguments.output = a.output + (first * a.outputPixelStride + channelRange.lowerBound)
            run(&arguments)
            a.epilogue.finish(
                kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: first..<end, channels: channelRange)
        }
    }

    private func runWinograd(
        _ a: SparseConvolutionArguments, _ winograd: Convolution.WinogradBlockLayout, part: Part,
        scratch: UnsafeMutableRawPointer
    ) {
        let panels = SparsePanels(geometry, a, memory: scratch + winograd.byteCount)
        let arguments = ConvolutionArguments(
            input: a.input, inputPixelStride: a.inputPixelStride, inputZeroPoint: a.inputZeroPoint,
            weights: UnsafePointer(panels.expanded), bias: a.bias, scales: a.scales, output: a.output,
            outputPixelStride: a.outputPixelStride, epilogue: a.epilogue)
        dense.runWinogradBlocks(arguments, sparse: panels, winograd, part: part, scratch: scratch)
    }

    private func run(_ arguments: inout swiftlet_sparse_s8_arguments) {
        switch kernel.family {
        case .sparseUInt8Int8: kernel.entry.pointee.function.sparse_u8s8(&arguments)
        default:
            if kernel.isa == .scalar {
                sparseInt8Scalar(arguments)
            } else {
                kernel.entry.pointee.function.sparse_s8(&arguments)
            }
        }
    }
}

/// Tile of a sparse int8 convolution; tile of one pixel.
func sparseInt8Scalar(_ a: swiftlet_sparse_s8_arguments) {
    var weights = a.weights.unsafelyUnwrapped
    var gaps = a.gaps.unsafelyUnwrapped
    let quads = Int(a.quads)
    for channel in 0..<Int(a.channels) {
        let count = Int(a.counts[channel])
        var sum = a.bias[channel]
        var position = 0
        for block in 0..<count {
            position += SparseWeights.step(gaps, block)
            let row = a.rows[position / quads].unsafelyUnwrapped + position % quads * SparseWeights.blockWidth
            for i in 0..<SparseWeights.blockWidth {
                sum &+= Int32(weights[block * SparseWeights.blockWidth + i]) &* Int32(row[i])
            }
        }
        weights += count * SparseWeights.blockWidth
        gaps += SparseWeights.gapByteCount(count)
        a.output[channel] = requantize(
            sum, scale: a.scales[channel], zeroPoint: a.zeroPoint, lowest: a.lowest, highest: a.highest)
    }
}
