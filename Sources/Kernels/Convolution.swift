import CKernels

/// Pointers and quantization of one int8 convolution. Weights, bias and scales are packed as `Packing` describes; the
/// bias has the input zero point folded in (`Packing.foldedBias`).
public struct ConvolutionArguments {
    public var input: UnsafePointer<Int8>
    /// Bytes from one input pixel to the next, at least `inputChannels`.
    public var inputPixelStride: Int
    public var inputZeroPoint: Int8
    public var weights: UnsafePointer<Int8>
    /// What every weight is larger than stored in `weights`: nonzero for weights of nine bits (the difference of an
    /// unsigned weight and its zero point). Within -255...255.
    public var weightOffset: Int32
    public var bias: UnsafePointer<Int32>
    /// Input scale * weight scale / output scale of each channel.
    public var scales: UnsafePointer<Float>
    public var output: UnsafeMutablePointer<Int8>
    public var outputPixelStride: Int
    public var epilogue: Epilogue
    /// What `Convolution.prepare` made for these weights and bias; nil where `Convolution.preparedByteCount` is 0.
    public var prepared: UnsafeRawPointer?

    public init(
        input: UnsafePointer<Int8>, inputPixelStride: Int, inputZeroPoint: Int8, weights: UnsafePointer<Int8>,
        weightOffset: Int32 = 0, bias: UnsafePointer<Int32>, scales: UnsafePointer<Float>,
        output: UnsafeMutablePointer<Int8>, outputPixelStride: Int, epilogue: Epilogue,
        prepared: UnsafeRawPointer? = nil
    ) {
        self.input = input
        self.inputPixelStride = inputPixelStride
        self.inputZeroPoint = inputZeroPoint
        self.weights = weights
        self.weightOffset = weightOffset
        self.bias = bias
        self.scales = scales
        self.output = output
        self.outputPixelStride = outputPixelStride
        self.epilogue = epilogue
        self.prepared = prepared
    }
}

/// An int8 convolution (general, grouped, transposed, depthwise; fully connected as 1 × 1) with its kernels chosen.
/// The value is made once, at load; `run` allocates nothing.
///
/// An indirect matrix product: for a tile of output pixels a table of row pointers, one per tap and pixel, is built in
/// scratch (padding taps point to a row of input zero points); then the micro-kernel runs over panels of output
/// channels. A weight offset c adds c * (sum of all inputs of the pixel) to every output channel of a pixel; that
/// product is computed once per pixel and block and handed to the micro-kernel. `Convolution+Packed.swift` has the form
/// that copies a block of inputs into the order in which its micro-kernel reads them, `Convolution+Widened.swift` the one
/// whose micro-kernel reads them as 16-bit integers, `Convolution+Winograd.swift` the one that multiplies less.
public struct Convolution: Sendable {
    public let geometry: ConvolutionGeometry
    let kernels: KernelSet
    /// Micro-kernel of full tiles.
    public let kernel: Kernel
    /// Micro-kernel of a tile with one pixel.
    public let singlePixelKernel: Kernel
    /// Kernels beside a micro-kernel that reads packed inputs.
    let packed: PackedKernels?
    /// Kernel that packs for a micro-kernel that runs over tiles.
    let packKernel: Kernel?
    let layout: ScratchLayout
    let packedLayout: PackedLayout
    /// Set where inputs are widened.
    let widenedLayout: WidenedLayout?
    let tileLayout: TileLayout
    let tileRegions: TileRegions
    let winogradBlockLayout: WinogradBlockLayout?
    /// What `Packing.WeightTraits` told.
    let hasSmallScales: Bool
    /// Set where Winograd's transform computes it.
    let winogradLayout: WinogradLayout?

    /// Chooses kernels for `geometry`: a pure function of its arguments.
    public init(_ geometry: ConvolutionGeometry, traits: Packing.WeightTraits = .init(), kernels: KernelSet) {
        self.geometry = geometry
        self.kernels = kernels
        layout = ScratchLayout(geometry)
        tileLayout = TileLayout(geometry)
        packKernel = kernels.tilePack
        hasSmallScales = traits.hasSmallScales
        winogradBlockLayout = WinogradBlockLayout(geometry)
        let widened = Convolution.widenedLayout(geometry, traits: traits, kernels: kernels)
        let winograd = Convolution.winogradLayout(geometry, traits: traits, kernels: kernels)
        winogradLayout = winograd
        if winograd != nil {
            kernel = kernels.winograd.unsafelyUnwrapped.gemm
            singlePixelKernel = kernel
            packed = nil
        } else if let blocks = Convolution.winogradBlockKernel(geometry, winogradBlockLayout, traits, kernels) {
            kernel = blocks
            singlePixelKernel = kernel
            packed = nil
        } else if geometry.isDepthwise {
            kernel = Convolution.depthwiseKernel(geometry, traits, kernels)
            singlePixelKernel = kernel
            packed = nil
        } else if traits.containsMinus128 && !kernels.gemm.takesAnyWeight {
            kernel = kernels.gemmAnyWeight
            singlePixelKernel = kernel
            packed = nil
        } else if kernels.gemm.family == .gemmPackedInt8
            && (geometry.outputPixels == 1 || tileLayout.depth > TileLayout.maximumDepth)
        {
            // Packing pays where several panels and pixels read what it wrote.
            kernel = kernels.gemmSinglePixel
            singlePixelKernel = kernel
            packed = nil
        } else if widened != nil {
            kernel = kernels.widened.unsafelyUnwrapped.gemm
            singlePixelKernel = kernel
            packed = nil
        } else {
            kernel = kernels.gemm
            singlePixelKernel = kernels.gemmSinglePixel
            packed = kernels.packed
        }
        packedLayout = PackedLayout(geometry)
        widenedLayout = kernel.family == .gemmInt16Int8 ? widened : nil
        tileRegions = kernel.family == .gemmPackedInt8 ? Convolution.tileRegions(geometry) : TileRegions()
    }

    /// Bytes of scratch that each thread needs, 64-byte aligned: the same for every instruction set, so that it can be
    /// planned ahead.
    public static func scratchByteCount(_ geometry: ConvolutionGeometry) -> Int {
        let rows = ScratchLayout(geometry).byteCount
        let widened = WidenedLayout(geometry).map { $0.isShort ? $0.byteCount : 0 } ?? 0
        let blocks = WinogradBlockLayout(geometry).map { $0.isFaster ? $0.byteCount : 0 } ?? 0
        return geometry.isDepthwise
            ? rows
            : max(
                rows, PackedLayout(geometry).byteCount, widened,
                TileLayout(geometry).byteCount, WinogradLayout(geometry)?.byteCount ?? 0, blocks)
    }

    /// Computes one part of the output. Parts may run at the same time, each with its own scratch.
    /// - Precondition: pointers and strides fit the geometry; tensors and weights are followed by
    ///   `Packing.readAheadBytes` readable bytes; `traits` told of a weight offset, if there is one; `scratch` has
    ///   `scratchByteCount(geometry)` bytes, 64-byte aligned.
    @export(interface) public func run(_ arguments: ConvolutionArguments, part: Part = .whole, scratch: UnsafeMutableRawPointer) {
        if geometry.isDepthwise {
            runDepthwise(arguments, part: part, scratch: scratch)
        } else if kernel.family == .winogradInt8, let winogradBlockLayout {
            runWinogradBlocks(arguments, winogradBlockLayout, part: part, scratch: scratch)
        } else if let packed {
            runPacked(arguments, packed, part: part, scratch: scratch)
        } else if let widenedLayout {
            runWidened(arguments, widenedLayout, part: part, scratch: scratch)
        } else if let winogradLayout {
            runWinograd(arguments, winogradLayout, part: part, scratch: scratch)
        } else if kernel.runsOverTiles {
            runTiles(arguments, part: part, scratch: scratch)
        } else {
            runGemm(arguments, part: part, scratch: scratch)
        }
    }

    /// Most pixels of any kernel's tile.
    static let maximumTile = 8
    /// Most tiles prepared before the panels run over them.
    static let maximumBlock = 8

    /// Where things lie in a thread's scratch.
    struct ScratchLayout: Sendable {
        let zeroRowBytes: Int
        /// Offset of the row pointers.
        let rowsOffset: Int
        /// Offset of the int32 that a weight offset adds to each pixel of a block.
        let pixelBiasOffset: Int
        /// Tiles prepared before the panels run over them.
        let blockTiles: Int
        let byteCount: Int

        init(_ g: ConvolutionGeometry) {
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            let channels = g.isDepthwise ? g.inputChannels : g.inputChannelsPerGroup
            zeroRowBytes = align(channels + Packing.readAheadBytes)
            let depth = g.taps * Packing.quads(g) * Packing.quadWidth
            let groupWeightBytes = depth * Packing.panels(g) * Packing.panelWidth
            let tileBytes = 2 * Convolution.maximumTile * (depth + 32)
            // Where weights outgrow a cache, as many tiles as another level holds; else as many as stay in the first.
            let blockBytes = groupWeightBytes <= 192 << 10 ? 16 << 10 : 192 << 10
            blockTiles = g.isDepthwise ? 1 : max(1, min(Convolution.maximumBlock, blockBytes / tileBytes))
            rowsOffset = zeroRowBytes
            pixelBiasOffset = rowsOffset + align(blockTiles * g.taps * Convolution.maximumTile * 8)
            byteCount = pixelBiasOffset + (g.isDepthwise ? 0 : align(blockTiles * Convolution.maximumTile * 4))
        }
    }

    /// Fills the row of input zero points.
    func fillZeroRow(_ scratch: UnsafeMutableRawPointer, _ value: Int8) {
        scratch.initializeMemory(as: Int8.self, repeating: value, count: layout.zeroRowBytes)
    }

    /// Writes the row pointers of the tile that begins at output pixel `first`: `rows[tap * tile + pixel]`, `pixels` of
    /// them valid, the rest of the tile repeating the last valid one.
    @inline(__always)
    func buildRows(
        _ rows: UnsafeMutablePointer<UnsafeRawPointer?>, first: Int, pixels: Int, tile: Int, input: UnsafeRawPointer,
        inputPixelStride: Int, elementBytes: Int, zeroRow: UnsafeRawPointer
    ) {
        let g = geometry
        let step = inputPixelStride * elementBytes
        if g.isPointwise {
            for p in 0..<tile { rows[p] = input + (first + min(p, pixels - 1)) * step }
            return
        }
        var oy = first / g.outputWidth
        var ox = first - oy * g.outputWidth
        for p in 0..<tile {
            if p < pixels {
                buildPixelRows(rows + p, oy: oy, ox: ox, tile: tile, input: input, step: step, zeroRow: zeroRow)
                ox += 1
                if ox == g.outputWidth {
                    ox = 0
                    oy += 1
                }
            } else {
                for tap in 0..<g.taps { rows[tap * tile + p] = rows[tap * tile + pixels - 1] }
            }
        }
    }

    @inline(__always)
    private func buildPixelRows(
        _ rows: UnsafeMutablePointer<UnsafeRawPointer?>, oy: Int, ox: Int, tile: Int, input: UnsafeRawPointer,
        step: Int, zeroRow: UnsafeRawPointer
    ) {
        let g = geometry
        let y0 = oy * g.strideY - g.padTop
        let x0 = ox * g.strideX - g.padLeft
        if !g.isTransposed {
            var row = rows
            let rowStep = g.inputWidth * step
            let columnStep = g.dilationX * step
            for ky in 0..<g.kernelHeight {
                let y = y0 + ky * g.dilationY
                let isRowInside = y >= 0 && y < g.inputHeight
                var x = x0
                var address = input + (y * rowStep + x0 * step)
                for _ in 0..<g.kernelWidth {
                    row.pointee = isRowInside && x >= 0 && x < g.inputWidth ? address : zeroRow
                    row += tile
                    x += g.dilationX
                    address += columnStep
                }
            }
            return
        }
        for tap in 0..<g.taps {
            if let pixel = g.inputPixel(oy: oy, ox: ox, tap: tap) {
                rows[tap * tile] = input + pixel * step
            } else {
                rows[tap * tile] = zeroRow
            }
        }
    }

    /// Whether parts take ranges of output channels instead of pixels: where pixels are too few to share fairly.
    func splitsChannels(_ part: Part, tiles: Int, channelUnits: Int) -> Bool {
        part.count > 1 && tiles < 8 * part.threads && channelUnits >= 2 * part.count
    }

    private func runGemm(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let tile = kernel.pixels
        let tiles = (g.outputPixels + tile - 1) / tile
        let byChannels = splitsChannels(part, tiles: tiles, channelUnits: g.groups * panelsPerGroup)
        let pixelRange = byChannels ? 0..<g.outputPixels : part.range(of: g.outputPixels, unit: tile)
        let panelRange = byChannels ? part.range(of: g.groups * panelsPerGroup) : 0..<(g.groups * panelsPerGroup)
        if pixelRange.isEmpty || panelRange.isEmpty { return }
        if !g.isPointwise { fillZeroRow(scratch, a.inputZeroPoint) }

        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            var start = pixelRange.lowerBound
            while start < pixelRange.upperBound {
                let stop = min(start + layout.blockTiles * tile, pixelRange.upperBound)
                runGemmBlock(a, group: group, panels: own, pixels: start..<stop, scratch: scratch)
                start = stop
            }
        }
    }

    /// All panels in `panels` of one group for the pixels of one block.
    private func runGemmBlock(
        _ a: ConvolutionArguments, group: Int, panels: Range<Int>, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let tile = kernel.pixels
        let quads = Packing.quads(g)
        let panelBytes = g.taps * quads * Packing.panelWidth * Packing.quadWidth
        let panelsPerGroup = Packing.panels(g)
        let rows = (scratch + layout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        let input = UnsafeRawPointer(a.input + group * g.inputChannelsPerGroup)
        let rowsPerTile = g.taps * tile
        let pixelBias = (scratch + layout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)

        var tileIndex = 0
        var start = pixels.lowerBound
        while start < pixels.upperBound {
            let valid = min(tile, pixels.upperBound - start)
            let tileRows = rows + tileIndex * rowsPerTile
            // A tile with one pixel runs on the single-pixel kernel, whose table has one column.
            let column = valid == 1 ? singlePixelKernel.pixels : tile
            buildRows(
                tileRows, first: start, pixels: valid, tile: column, input: input,
                inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: UnsafeRawPointer(scratch))
            if a.weightOffset != 0 {
                swiftlet_pixel_bias_s8(
                    UnsafePointer(tileRows), Int32(column), Int32(g.taps), Int32(g.inputChannelsPerGroup), Int32(valid),
                    a.weightOffset, pixelBias + tileIndex * tile)
            }
            tileIndex += 1
            start += valid
        }
        // Several tiles: panel by panel, so that a panel is read from the nearest cache by all tiles but the first.
        let panelsPerCall = tileIndex > 1 ? max(1, (16 << 10) / panelBytes) : panels.count
        var panel = panels.lowerBound
        while panel < panels.upperBound {
            let panelEnd = min(panel + panelsPerCall, panels.upperBound)
            let packedPanel = group * panelsPerGroup + panel
            let channels = min(panelEnd * Packing.panelWidth, g.outputChannelsPerGroup) - panel * Packing.panelWidth
            var arguments = swiftlet_gemm_s8_arguments(
                rows: nil, weights: a.weights + packedPanel * panelBytes,
                bias: a.bias + packedPanel * Packing.panelWidth, pixelBias: nil,
                scales: a.scales + packedPanel * Packing.panelWidth, output: nil,
                outputPixelStride: a.outputPixelStride, taps: Int32(g.taps), quads: Int32(quads), pixels: 0,
                channels: Int32(channels),
                zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
                highest: a.epilogue.output.highest)
            let outputChannel = group * g.outputChannelsPerGroup + panel * Packing.panelWidth
            for t in 0..<tileIndex {
                let first = pixels.lowerBound + t * tile
                let valid = min(tile, pixels.upperBound - first)
                arguments.rows = UnsafePointer(rows + t * rowsPerTile)
                if a.weightOffset != 0 { arguments.pixelBias = UnsafePointer(pixelBias + t * tile) }
                arguments.output = a.output + (first * a.outputPixelStride + outputChannel)
                arguments.pixels = Int32(valid)
                runGemmKernel(valid == 1 ? singlePixelKernel : kernel, &arguments)
            }
            panel = panelEnd
        }
        let channels = panels.lowerBound * Packing.panelWidth
            ..< min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup)
        let offset = group * g.outputChannelsPerGroup
        a.epilogue.finish(
            kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixels,
            channels: channels.lowerBound + offset..<channels.upperBound + offset)
    }

    @inline(__always)
    private func runGemmKernel(_ kernel: Kernel, _ arguments: inout swiftlet_gemm_s8_arguments) {
        kernel.markExecuted()
        if let function = kernel.entry.pointee.function.gemm_s8 {
            function(&arguments)
        } else {
            gemmInt8Scalar(arguments)
        }
    }
}
