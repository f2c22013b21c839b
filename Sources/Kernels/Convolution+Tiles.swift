import CKernels

/// The form of an int8 convolution of the 64-bit ARM micro-kernels, which run over all tiles of a block of output pixels,
/// panel by panel:
/// - `gemmPackedInt8` (SDOT, SMMLA) reads tiles that its packing kernel copied into scratch in its own order;
/// - `gemmChainInt8` (NEON) reads rows where they lie. Where taps hold a number of quads that its groups of four don't
///   divide, the taps of a pixel are copied into one row first.
///
/// Taps of one, two or three channels follow each other without gaps in such a row; `prepare` brings the weights into
/// that order.
extension Convolution {
    /// Where things lie in a thread's scratch. The same for every instruction set.
    struct TileLayout: Sendable {
        /// Whether taps of few channels are one row, filled up to quads once.
        let isFlat: Bool
        /// Quads of all taps.
        let depth: Int
        /// Whether the NEON kernel reads copied rows.
        let joinsTaps: Bool
        /// Most pixels of a block, a multiple of 8.
        let blockPixels: Int
        /// Bytes of one pixel in a packed tile.
        let pixelBytes: Int
        /// Offset of the row pointers; the row of input zero points lies before them.
        let rowsOffset: Int
        let pixelBiasOffset: Int
        /// Offset of one panel of weights in SMMLA's order.
        let panelOffset: Int
        /// Offset of four joined rows.
        let joinedOffset: Int
        let packedOffset: Int
        let byteCount: Int

        /// Pixels of a packed tile.
        static let tile = 8
        /// Deepest filter, in quads, whose panel has room in scratch.
        static let maximumDepth = 8192

        init(_ g: ConvolutionGeometry) {
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            isFlat = g.inputChannelsPerGroup < Packing.quadWidth && g.taps > 1 && !g.isTransposed
            depth =
                isFlat
                ? (g.taps * g.inputChannelsPerGroup + Packing.quadWidth - 1) / Packing.quadWidth
                : g.taps * Packing.quads(g)
            joinsTaps = g.taps > 1 && (isFlat || Packing.quads(g) % 4 != 0)
            pixelBytes = (depth + 3) / 4 * 16
            // What the second-level cache of a small core holds beside a panel of weights.
            let fitting = (192 << 10) / pixelBytes / TileLayout.tile * TileLayout.tile
            let wanted = (g.outputPixels + TileLayout.tile - 1) / TileLayout.tile * TileLayout.tile
            blockPixels = min(max(fitting, TileLayout.tile), 512, wanted)
            rowsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            pixelBiasOffset = rowsOffset + align(g.taps * blockPixels * 8)
            panelOffset = pixelBiasOffset + align(blockPixels * 4)
            joinedOffset =
                panelOffset + (depth <= TileLayout.maximumDepth ? align(pixelBytes * Packing.panelWidth + 64) : 0)
            packedOffset = joinedOffset + (joinsTaps ? align(4 * Packing.quadWidth * depth + 64) : 0)
            byteCount = packedOffset + align(pixelBytes * blockPixels + Packing.readAheadBytes)
        }
    }

    /// Bytes of the steps of one panel.
    private var panelStepBytes: Int {
        tileLayout.joinsTaps ? tileLayout.depth / 4 + 1 : geometry.taps * (Packing.quads(geometry) / 4 + 1)
    }

    /// Bytes of flat weights, which lie before the steps.
    private var flatByteCount: Int {
        let panelBytes = tileLayout.depth * Packing.panelWidth * Packing.quadWidth
        return tileLayout.isFlat ? (geometry.groups * Packing.panels(geometry) * panelBytes + 63) / 64 * 64 : 0
    }

    /// Bytes of what `prepareTiles` writes.
    var preparedTileByteCount: Int {
        let steps = kernel.family == .gemmChainInt8 ? geometry.groups * Packing.panels(geometry) * panelStepBytes : 0
        return flatByteCount + (steps + 63) / 64 * 64
    }

    /// Brings weights into the order of flat rows and finds out how far their products can be summed in 16 bits.
    func prepareTiles(weights: UnsafePointer<Int8>, into memory: UnsafeMutableRawPointer) {
        var ordered = weights
        if tileLayout.isFlat {
            let flat = memory.assumingMemoryBound(to: Int8.self)
            flattenWeights(weights, into: flat, depth: tileLayout.depth)
            ordered = UnsafePointer(flat)
        }
        if kernel.family != .gemmChainInt8 { return }
        let joins = tileLayout.joinsTaps
        swiftlet_chain_steps_s8(
            ordered, Int32(geometry.groups * Packing.panels(geometry)), joins ? 1 : Int32(geometry.taps),
            Int32(joins ? tileLayout.depth : Packing.quads(geometry)),
            (memory + flatByteCount).assumingMemoryBound(to: UInt8.self))
    }

    func runTiles(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        let cut = PixelChannelCut(
            part, pixels: g.outputPixels, fewest: 2 * TileLayout.tile, block: tileLayout.blockPixels, channelUnits: panels)
        let pixelRange = cut.pixels.range(of: g.outputPixels, unit: TileLayout.tile)
        let panelRange = cut.channels.range(of: panels)
        if pixelRange.isEmpty || panelRange.isEmpty { return }
        let isGathered = cut.repeatsPixels && pixelRange.count <= tileLayout.blockPixels && g.groups == 1
        if !g.isPointwise {
            scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: tileLayout.rowsOffset)
        }
        for group in panelRange.lowerBound / panelsPerGroup...(panelRange.upperBound - 1) / panelsPerGroup {
            let base = group * panelsPerGroup
            let first = max(panelRange.lowerBound - base, 0)
            let end = min(panelRange.upperBound - base, panelsPerGroup)
            var start = pixelRange.lowerBound
            while start < pixelRange.upperBound {
                let stop = min(start + tileLayout.blockPixels, pixelRange.upperBound)
                if !isGathered { gatherBlock(a, group: group, pixels: start..<stop, scratch: scratch) }
                runTileBlock(a, group: group, panels: first..<end, pixels: start..<stop, scratch: scratch)
                start = stop
            }
        }
    }

    /// Makes the rows or packed tiles of one block of one group, and sums inputs where the weights have an offset.
    private func gatherBlock(
        _ a: ConvolutionArguments, group: Int, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let isChain = kernel.family == .gemmChainInt8
        let isPacking = !isChain || tileLayout.joinsTaps
        let input = a.input + group * g.inputChannelsPerGroup
        let packed = (scratch + tileLayout.packedOffset).assumingMemoryBound(to: Int8.self)
        let rowBytes = tileLayout.depth * Packing.quadWidth
        if isPacking && isChain {
            gatherPixels(UnsafePointer(packed), stride: rowBytes, count: pixels.count, scratch: scratch)
        } else if isChain && g.isPointwise {
            gatherPixels(
                input + pixels.lowerBound * a.inputPixelStride, stride: a.inputPixelStride, count: pixels.count,
                scratch: scratch)
        }
        var arguments = swiftlet_pack_s8_arguments(
            image: image(a, group: group, padding: scratch), rows: nil, output: packed,
            joined: (scratch + tileLayout.joinedOffset).assumingMemoryBound(to: Int8.self),
            firstPixel: Int32(pixels.lowerBound), pixels: Int32(pixels.count), taps: Int32(g.taps),
            quads: Int32(Packing.quads(g)), flatInputs: tileLayout.isFlat ? Int32(g.inputChannelsPerGroup) : 0)
        let needsRows = g.isTransposed || a.weightOffset != 0
        if isPacking && !needsRows { return pack(&arguments) }
        if !isPacking && g.isPointwise && !needsRows { return }

        // One tile at a time where its rows are copied, and beside those of the copies or of the pixels.
        let tile = kernel.pixels
        let rows = (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        let pixelBias = (scratch + tileLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)
        let tileBytes = tile * (isChain ? rowBytes : tileLayout.pixelBytes)
        var table = rows + (isPacking && isChain ? tileLayout.blockPixels : 0)
        var start = pixels.lowerBound
        while start < pixels.upperBound {
            let valid = min(tile, pixels.upperBound - start)
            buildRows(
                table, first: start, pixels: valid, tile: tile, input: UnsafeRawPointer(input),
                inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: UnsafeRawPointer(scratch))
            if a.weightOffset != 0 {
                swiftlet_pixel_bias_s8(
                    UnsafePointer(table), Int32(tile), Int32(g.taps), Int32(g.inputChannelsPerGroup), Int32(valid),
                    a.weightOffset, pixelBias + (start - pixels.lowerBound))
            }
            if isPacking {
                arguments.rows = UnsafeRawPointer(table).assumingMemoryBound(to: UnsafePointer<Int8>?.self)
                pack(&arguments)
                arguments.output += tileBytes
            } else {
                table += tile * g.taps
            }
            start += valid
        }
    }

    @inline(__always)
    private func pack(_ arguments: inout swiftlet_pack_s8_arguments) {
        let kernel = packKernel.unsafelyUnwrapped
        kernel.markExecuted()
        kernel.entry.pointee.function.pack_s8(&arguments)
    }

    /// Rows of one tap at fixed distances.
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

    /// All panels in `panels` of one group for the pixels of one block.
    private func runTileBlock(
        _ a: ConvolutionArguments, group: Int, panels: Range<Int>, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let isJoined = kernel.family == .gemmPackedInt8 || tileLayout.joinsTaps
        let flat = a.prepared.map { $0.assumingMemoryBound(to: Int8.self) }
        let weights = tileLayout.isFlat ? flat.unsafelyUnwrapped : a.weights
        let packedPanel = group * Packing.panels(g) + panels.lowerBound
        let packedChannel = packedPanel * Packing.panelWidth
        let firstChannel = panels.lowerBound * Packing.panelWidth
        let channels = min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
        let outputChannel = group * g.outputChannelsPerGroup + firstChannel
        var arguments = swiftlet_gemm_tiles_arguments(
            activations: (scratch + tileLayout.packedOffset).assumingMemoryBound(to: Int8.self),
            rows: (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            weights: weights + packedChannel * tileLayout.depth * Packing.quadWidth,
            steps: a.prepared.map {
                $0.assumingMemoryBound(to: UInt8.self) + (flatByteCount + packedPanel * panelStepBytes)
            },
            bias: a.bias + packedChannel,
            pixelBias: a.weightOffset == 0
                ? nil : UnsafePointer((scratch + tileLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)),
            scales: a.scales + packedChannel,
            output: a.output + (pixels.lowerBound * a.outputPixelStride + outputChannel),
            outputPixelStride: a.outputPixelStride,
            panel: (scratch + tileLayout.panelOffset).assumingMemoryBound(to: Int8.self),
            taps: isJoined ? 1 : Int32(g.taps), quads: Int32(isJoined ? tileLayout.depth : Packing.quads(g)),
            pixels: Int32(pixels.count), channels: Int32(channels), zeroPoint: a.epilogue.output.zeroPoint,
            lowest: a.epilogue.output.lowest, highest: a.epilogue.output.highest)
        kernel.markExecuted()
        kernel.entry.pointee.function.gemmpacked_s8(&arguments)
        a.epilogue.finish(
            kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixels,
            channels: outputChannel..<outputChannel + channels)
    }
}
