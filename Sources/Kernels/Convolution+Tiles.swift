import CKernels

/// The form of an int8 convolution of the 64-bit ARM micro-kernels, which run over all tiles of a block of output pixels,
/// panel by panel:
/// - `gemmPackedInt8` (SDOT, SMMLA) reads tiles that its packing kernel copied into scratch in its own order;
/// - `gemmChainInt8` (NEON) reads rows where they lie. Where taps hold a number of quads that its groups of four don't
///   divide, the taps of a pixel are copied into one row first.
extension Convolution {
    /// Where things lie in a thread's scratch. The same for every instruction set.
    struct TileLayout: Sendable {
        /// Quads of all taps.
        let depth: Int
        /// Whether the NEON kernel reads copied rows.
        let joinsTaps: Bool
        /// Most pixels of a block, a multiple of 8.
        let blockPixels: Int
        /// Bytes of one pixel in a packed tile.
        let pixelBytes: Int
        /// Offset of the tap offsets; the row of input zero points lies before them.
        let offsetsOffset: Int
        /// Offset of where the first tap of each pixel of a tile reads.
        let basesOffset: Int
        let rowsOffset: Int
        let pixelBiasOffset: Int
        /// Offset of one panel of weights in SMMLA's order.
        let panelOffset: Int
        /// Offset of one tile of joined rows.
        let joinedOffset: Int
        let packedOffset: Int
        let byteCount: Int

        /// Pixels of a packed tile.
        static let tile = 8
        /// Deepest filter, in quads, whose panel has room in scratch.
        static let maximumDepth = 8192

        init(_ g: ConvolutionGeometry) {
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            depth = g.taps * Packing.quads(g)
            joinsTaps = g.taps > 1 && Packing.quads(g) % 4 != 0
            pixelBytes = (depth + 3) / 4 * 16
            // What the second-level cache of a small core holds beside a panel of weights.
            let fitting = (192 << 10) / pixelBytes / TileLayout.tile * TileLayout.tile
            let wanted = (g.outputPixels + TileLayout.tile - 1) / TileLayout.tile * TileLayout.tile
            blockPixels = min(max(fitting, TileLayout.tile), 512, wanted)
            offsetsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            basesOffset = offsetsOffset + align(g.taps * 8)
            rowsOffset = basesOffset + TileLayout.tile * 8
            pixelBiasOffset = rowsOffset + align(g.taps * blockPixels * 8)
            panelOffset = pixelBiasOffset + align(blockPixels * 4)
            joinedOffset = panelOffset + (depth <= TileLayout.maximumDepth ? align(pixelBytes * Packing.panelWidth) : 0)
            packedOffset = joinedOffset + (joinsTaps ? align(TileLayout.tile * pixelBytes + 16) : 0)
            byteCount = packedOffset + align(pixelBytes * blockPixels + Packing.readAheadBytes)
        }
    }

    /// Bytes of the steps of one panel.
    private var panelStepBytes: Int {
        tileLayout.joinsTaps ? tileLayout.depth / 4 + 1 : geometry.taps * (Packing.quads(geometry) / 4 + 1)
    }

    /// Bytes of what `prepareSteps` writes.
    var stepByteCount: Int { (geometry.groups * Packing.panels(geometry) * panelStepBytes + 63) / 64 * 64 }

    /// Finds out how far products of these weights can be summed in 16 bits.
    func prepareSteps(weights: UnsafePointer<Int8>, into memory: UnsafeMutableRawPointer) {
        let joins = tileLayout.joinsTaps
        swiftlet_chain_steps_s8(
            weights, Int32(geometry.groups * Packing.panels(geometry)), joins ? 1 : Int32(geometry.taps),
            Int32(joins ? tileLayout.depth : Packing.quads(geometry)), memory.assumingMemoryBound(to: UInt8.self))
    }

    func runTiles(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        // Threads share out whichever is longer, so that each reads the least.
        let byChannels =
            part.count > 1
            && (g.outputChannels > g.outputPixels ? panels >= 8 * part.count : g.outputPixels < 8 * part.count)
        let pixelRange = byChannels ? 0..<g.outputPixels : part.range(of: g.outputPixels, unit: TileLayout.tile)
        let panelRange = byChannels ? part.range(of: panels) : 0..<panels
        if pixelRange.isEmpty || panelRange.isEmpty { return }
        if !g.isPointwise {
            scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: tileLayout.offsetsOffset)
        }
        fillTapOffsets(
            (scratch + tileLayout.offsetsOffset).assumingMemoryBound(to: Int.self), pixelStride: a.inputPixelStride)
        for group in panelRange.lowerBound / panelsPerGroup...(panelRange.upperBound - 1) / panelsPerGroup {
            let base = group * panelsPerGroup
            let first = max(panelRange.lowerBound - base, 0)
            let end = min(panelRange.upperBound - base, panelsPerGroup)
            var start = pixelRange.lowerBound
            while start < pixelRange.upperBound {
                let stop = min(start + tileLayout.blockPixels, pixelRange.upperBound)
                gatherBlock(a, group: group, pixels: start..<stop, scratch: scratch)
                runTileBlock(a, group: group, panels: first..<end, pixels: start..<stop, scratch: scratch)
                start = stop
            }
        }
    }

    /// How far every tap's input pixel is from the first tap's, in bytes.
    private func fillTapOffsets(_ offsets: UnsafeMutablePointer<Int>, pixelStride: Int) {
        let g = geometry
        for tap in 0..<g.taps {
            let position = tap % (g.kernelHeight * g.kernelWidth)
            let y = position / g.kernelWidth * g.dilationY
            let x = position % g.kernelWidth * g.dilationX
            offsets[tap] = (y * g.inputWidth + x) * pixelStride
        }
    }

    /// Makes the rows or packed tiles of one block of one group, and sums inputs where the weights have an offset.
    private func gatherBlock(
        _ a: ConvolutionArguments, group: Int, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let isChain = kernel.family == .gemmChainInt8
        let input = a.input + group * g.inputChannelsPerGroup
        if g.isPointwise && a.weightOffset == 0 {
            let first = input + pixels.lowerBound * a.inputPixelStride
            return isChain
                ? gatherPixels(first, stride: a.inputPixelStride, count: pixels.count, scratch: scratch)
                : packPixels(first, stride: a.inputPixelStride, count: pixels.count, scratch: scratch)
        }
        let tile = kernel.pixels
        let isPacking = !isChain || tileLayout.joinsTaps
        let offsets = (scratch + tileLayout.offsetsOffset).assumingMemoryBound(to: Int.self)
        let bases = (scratch + tileLayout.basesOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        var rows = (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        let pixelBias = (scratch + tileLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)
        let tileBytes = tile * (isChain ? tileLayout.depth * Packing.quadWidth : tileLayout.pixelBytes)
        var arguments = packArguments(scratch)
        arguments.step = Int32(clamping: g.dilationX * a.inputPixelStride)
        var start = pixels.lowerBound
        while start < pixels.upperBound {
            let valid = min(tile, pixels.upperBound - start)
            let isInside = fillBases(
                bases, first: start, pixels: valid, tile: tile, input: UnsafeRawPointer(input),
                pixelStride: a.inputPixelStride)
            // Rows of one tile at a time where they are copied, then behind those that the block's copies give.
            let table = rows + (isPacking && isChain ? tile : 0)
            let needsRows = !isInside || a.weightOffset != 0
            if needsRows {
                buildRows(
                    table, first: start, pixels: valid, tile: tile, input: UnsafeRawPointer(input),
                    inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: UnsafeRawPointer(scratch))
            } else if !isPacking {
                for tap in 0..<g.taps {
                    let offset = offsets[tap]
                    for p in 0..<tile { table[tap * tile + p] = bases[p].unsafelyUnwrapped + offset }
                }
            }
            if a.weightOffset != 0 {
                swiftlet_pixel_bias_s8(
                    UnsafePointer(table), Int32(tile), Int32(g.taps), Int32(g.inputChannelsPerGroup), Int32(valid),
                    a.weightOffset, pixelBias + (start - pixels.lowerBound))
            }
            if isPacking {
                arguments.rows =
                    needsRows ? UnsafeRawPointer(table).assumingMemoryBound(to: UnsafePointer<Int8>?.self) : nil
                pack(&arguments)
                if isChain {
                    let row = UnsafeRawPointer(arguments.output.unsafelyUnwrapped)
                    for p in 0..<tile { rows[p] = row + p * tileLayout.depth * Packing.quadWidth }
                    rows += tile
                }
                arguments.output += tileBytes
            } else {
                rows += tile * g.taps
            }
            start += valid
        }
    }

    @inline(__always)
    private func packArguments(_ scratch: UnsafeMutableRawPointer) -> swiftlet_pack_s8_arguments {
        swiftlet_pack_s8_arguments(
            rows: nil, bases: (scratch + tileLayout.basesOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            offsets: (scratch + tileLayout.offsetsOffset).assumingMemoryBound(to: Int.self), input: nil,
            inputPixelStride: 0, output: (scratch + tileLayout.packedOffset).assumingMemoryBound(to: Int8.self),
            joined: (scratch + tileLayout.joinedOffset).assumingMemoryBound(to: Int8.self),
            pixels: Int32(TileLayout.tile), taps: Int32(geometry.taps), quads: Int32(Packing.quads(geometry)),
            run: Int32(geometry.kernelWidth), step: 0)
    }

    @inline(__always)
    private func pack(_ arguments: inout swiftlet_pack_s8_arguments) {
        let kernel = packKernel.unsafelyUnwrapped
        kernel.markExecuted()
        kernel.entry.pointee.function.pack_s8(&arguments)
    }

    /// All tiles of a pointwise convolution.
    private func packPixels(
        _ first: UnsafePointer<Int8>, stride: Int, count: Int, scratch: UnsafeMutableRawPointer
    ) {
        var arguments = packArguments(scratch)
        arguments.bases = nil
        arguments.input = first
        arguments.inputPixelStride = stride
        arguments.pixels = Int32(count)
        pack(&arguments)
    }

    /// The rows of a pointwise convolution.
    private func gatherPixels(
        _ first: UnsafePointer<Int8>, stride: Int, count: Int, scratch: UnsafeMutableRawPointer
    ) {
        let rows = (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self)
        var next = first
        for p in 0..<count {
            rows[p] = next
            next += stride
        }
    }

    /// Where the first tap of each pixel of a tile reads, the last one repeated to fill it; false where a tap of a pixel
    /// lies outside the input, or where taps don't lie at fixed distances.
    @inline(__always)
    private func fillBases(
        _ bases: UnsafeMutablePointer<UnsafeRawPointer?>, first: Int, pixels: Int, tile: Int,
        input: UnsafeRawPointer, pixelStride: Int
    ) -> Bool {
        let g = geometry
        if g.isPointwise {
            var address = input + first * pixelStride
            for p in 0..<tile {
                bases[p] = address
                if p + 1 < pixels { address += pixelStride }
            }
            return true
        }
        if g.isTransposed { return false }
        let lastX = g.inputWidth - (g.kernelWidth - 1) * g.dilationX
        let lastY = g.inputHeight - (g.kernelHeight - 1) * g.dilationY
        var oy = first / g.outputWidth
        var ox = first - oy * g.outputWidth
        for p in 0..<tile {
            let y = oy * g.strideY - g.padTop
            let x = ox * g.strideX - g.padLeft
            guard y >= 0, y < lastY, x >= 0, x < lastX else { return false }
            bases[p] = input + (y * g.inputWidth + x) * pixelStride
            if p + 1 < pixels {
                ox += 1
                if ox == g.outputWidth {
                    ox = 0
                    oy += 1
                }
            }
        }
        return true
    }

    /// All panels in `panels` of one group for the pixels of one block.
    private func runTileBlock(
        _ a: ConvolutionArguments, group: Int, panels: Range<Int>, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let isFlat = kernel.family == .gemmPackedInt8 || tileLayout.joinsTaps
        let packedPanel = group * Packing.panels(g) + panels.lowerBound
        let packedChannel = packedPanel * Packing.panelWidth
        let firstChannel = panels.lowerBound * Packing.panelWidth
        let channels = min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
        let outputChannel = group * g.outputChannelsPerGroup + firstChannel
        var arguments = swiftlet_gemm_tiles_arguments(
            activations: (scratch + tileLayout.packedOffset).assumingMemoryBound(to: Int8.self),
            rows: (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            weights: a.weights + packedChannel * tileLayout.depth * Packing.quadWidth,
            steps: a.prepared.map { $0.assumingMemoryBound(to: UInt8.self) + packedPanel * panelStepBytes },
            bias: a.bias + packedChannel,
            pixelBias: a.weightOffset == 0
                ? nil : UnsafePointer((scratch + tileLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)),
            scales: a.scales + packedChannel,
            output: a.output + (pixels.lowerBound * a.outputPixelStride + outputChannel),
            outputPixelStride: a.outputPixelStride,
            panel: (scratch + tileLayout.panelOffset).assumingMemoryBound(to: Int8.self),
            taps: isFlat ? 1 : Int32(g.taps), quads: Int32(isFlat ? tileLayout.depth : Packing.quads(g)),
            pixels: Int32(pixels.count), channels: Int32(channels), zeroPoint: a.epilogue.output.zeroPoint,
            lowest: a.epilogue.output.lowest, highest: a.epilogue.output.highest)
        kernel.markExecuted()
        kernel.entry.pointee.function.gemmpacked_s8(&arguments)
        a.epilogue.finish(
            kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixels,
            channels: outputChannel..<outputChannel + channels)
    }
}
