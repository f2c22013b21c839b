import CKernels

/// The form of an int8 convolution of the 64-bit ARM micro-kernels, which run over all tiles of a block of output pixels,
/// panel by panel:
/// - `gemmPackedInt8` (SDOT, SMMLA) reads tiles that its packing kernel copied into scratch in its own order, region by
///   region (`TileRegions`), without taps that lie in the padding;
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
        /// Offset of the runs of a block.
        let runsOffset: Int
        /// Offset of one panel of weights in SMMLA's order.
        let panelOffset: Int
        /// Offset of four joined rows.
        let joinedOffset: Int
        let packedOffset: Int
        let byteCount: Int

        /// Pixels of a packed tile.
        static let tile = 8
        /// Tiles of so many pixels.
        static func tiles(_ pixels: Int) -> Int { (pixels + tile - 1) / tile }
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
            runsOffset = pixelBiasOffset + align(blockPixels * 4)
            panelOffset = runsOffset + align(TileRegions.maximumCount * MemoryLayout<swiftlet_tile_run>.stride)
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

    /// Sums of skipped weights that are kept: 8 a panel of each region.
    private var skippedSumCount: Int {
        let channels = geometry.groups * Packing.panels(geometry) * Packing.panelWidth
        return tileRegions.leavesTapsOut ? tileRegions.count * channels : 0
    }

    /// Bytes of what `prepareTiles` writes.
    var preparedTileByteCount: Int {
        let steps = kernel.family == .gemmChainInt8 ? geometry.groups * Packing.panels(geometry) * panelStepBytes : 0
        return flatByteCount + (steps + skippedSumCount * 4 + 63) / 64 * 64
    }

    /// Brings weights into the order of flat rows and finds out how far their products can be summed in 16 bits, or sums
    /// those that regions leave out.
    func prepareTiles(weights: UnsafePointer<Int8>, into memory: UnsafeMutableRawPointer) {
        let g = geometry
        var ordered = weights
        if tileLayout.isFlat {
            let flat = memory.assumingMemoryBound(to: Int8.self)
            flattenWeights(
                weights, into: flat, depth: tileLayout.depth, rowInputs: g.kernelWidth * g.inputChannelsPerGroup)
            ordered = UnsafePointer(flat)
        }
        let panels = g.groups * Packing.panels(g)
        if kernel.family == .gemmChainInt8 {
            let joins = tileLayout.joinsTaps
            swiftlet_chain_steps_s8(
                ordered, Int32(panels), joins ? 1 : Int32(g.taps), Int32(joins ? tileLayout.depth : Packing.quads(g)),
                (memory + flatByteCount).assumingMemoryBound(to: UInt8.self))
            return
        }
        if skippedSumCount == 0 { return }
        let sums = (memory + flatByteCount).assumingMemoryBound(to: Int32.self)
        for index in 0..<tileRegions.count {
            let region = tileRegions.region(index, g)
            swiftlet_skipped_sums_s8(
                weights, Int32(panels), Int32(g.kernelHeight), Int32(g.kernelWidth), Int32(Packing.quads(g)),
                Int32(region.firstY), Int32(region.kernelHeight), Int32(region.firstX), Int32(region.kernelWidth),
                sums + index * panels * Packing.panelWidth)
        }
    }

    /// Regions whose taps are multiplied by themselves, where that saves anything.
    static func tileRegions(_ g: ConvolutionGeometry, always: Bool = false) -> TileRegions {
        // Parts of a panel come in fours of quads.
        guard Packing.quads(g) % 4 == 0, let regions = TileRegions(g) else { return TileRegions() }
        return always || regions.cost(g) < TileRegions().cost(g) ? regions : TileRegions()
    }

    func runTiles(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        // A weight offset counts padding as it counts other inputs.
        let regions = a.weightOffset == 0 ? tileRegions : TileRegions()
        var tiles = 0
        for index in 0..<regions.count { tiles += TileLayout.tiles(regions.region(index, g).pixels) }
        let cut = PixelChannelCut(
            part, pixels: g.outputPixels, fewest: 2 * TileLayout.tile, block: tileLayout.blockPixels, channelUnits: panels)
        let tileRange = cut.pixels.range(of: tiles)
        let panelRange = cut.channels.range(of: panels)
        if tileRange.isEmpty || panelRange.isEmpty { return }
        let isGathered = cut.repeatsPixels && g.groups == 1 && isOneBlock(regions, tileRange)
        if !g.isPointwise {
            scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: tileLayout.rowsOffset)
        }
        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            var start = tileRange.lowerBound
            while start < tileRange.upperBound {
                start = runTileBlock(
                    a, regions, group: group, panels: own, tiles: start..<tileRange.upperBound,
                    isGathered: isGathered, scratch: scratch)
            }
        }
    }

    /// Bytes of a packed pixel of a region.
    @inline(__always)
    private func pixelBytes(_ regions: TileRegions, _ region: TileRegions.Region) -> Int {
        regions.leavesTapsOut
            ? region.taps * Packing.quads(geometry) * Packing.quadWidth : tileLayout.pixelBytes
    }

    /// Whether scratch holds all of `tiles`.
    private func isOneBlock(_ regions: TileRegions, _ tiles: Range<Int>) -> Bool {
        var (bytes, start) = (0, 0)
        for index in 0..<regions.count {
            let region = regions.region(index, geometry)
            let stop = start + TileLayout.tiles(region.pixels)
            bytes += tiles.clamped(to: start..<stop).count * TileLayout.tile * pixelBytes(regions, region)
            start = stop
        }
        return bytes <= tileLayout.blockPixels * tileLayout.pixelBytes
    }

    /// All panels in `panels` of one group for as many of `tiles` as scratch holds; returns the first that it doesn't.
    /// `isGathered`: scratch holds them already.
    private func runTileBlock(
        _ a: ConvolutionArguments, _ regions: TileRegions, group: Int, panels: Range<Int>, tiles: Range<Int>,
        isGathered: Bool, scratch: UnsafeMutableRawPointer
    ) -> Int {
        let g = geometry
        let runs = (scratch + tileLayout.runsOffset).assumingMemoryBound(to: swiftlet_tile_run.self)
        let room = tileLayout.blockPixels * tileLayout.pixelBytes
        var (count, used, next, regionStart) = (0, 0, tiles.lowerBound, 0)
        for index in 0..<regions.count {
            let region = regions.region(index, g)
            let regionTiles = TileLayout.tiles(region.pixels)
            defer { regionStart += regionTiles }
            let first = next - regionStart
            if first >= regionTiles { continue }
            let pixelBytes = pixelBytes(regions, region)
            let fitting = (room - used) / (pixelBytes * TileLayout.tile)
            let taken = min(fitting, regionTiles - first, tiles.upperBound - next)
            if taken == 0 { break }
            let start = first * TileLayout.tile
            let stop = min(start + taken * TileLayout.tile, region.pixels)
            if !isGathered {
                gatherBlock(a, region, group: group, pixels: start..<stop, offset: used, scratch: scratch)
            }
            runs[count] = run(a, regions, index, region, group: group, panels: panels, pixels: start..<stop)
            count += 1
            used += taken * pixelBytes * TileLayout.tile
            next += taken
            if start + taken * TileLayout.tile < region.pixels { break }
        }
        runTileKernel(
            a, group: group, panels: panels, runs: UnsafeBufferPointer(start: runs, count: count), scratch: scratch)
        return next
    }

    /// Pixels of a region as the kernels take them.
    private func run(
        _ a: ConvolutionArguments, _ regions: TileRegions, _ index: Int, _ region: TileRegions.Region, group: Int,
        panels: Range<Int>, pixels: Range<Int>
    ) -> swiftlet_tile_run {
        let g = geometry
        let quads = Packing.quads(g)
        let quadBytes = Packing.panelWidth * Packing.quadWidth
        let (row, column) = pixels.lowerBound.quotientAndRemainder(dividingBy: region.width)
        let isContiguous = region.width == g.outputWidth
        let rowStride = g.outputWidth * a.outputPixelStride
        var run = swiftlet_tile_run(
            output: ((region.y + row) * g.outputWidth + region.x + column) * a.outputPixelStride,
            pixelStride: a.outputPixelStride, rowStride: rowStride - (region.width - 1) * a.outputPixelStride,
            weights: 0, weightStride: 0, skippedSums: nil, pixels: Int32(pixels.count),
            width: isContiguous ? Int32.max : Int32(region.width), column: isContiguous ? 0 : Int32(column), parts: 1,
            quads: Int32(tileLayout.depth))
        if region.width == 1 {
            (run.pixelStride, run.width, run.column) = (rowStride, Int32.max, 0)
        }
        if !regions.leavesTapsOut { return run }
        // Rows of whole taps follow each other.
        run.weights = (region.firstY * g.kernelWidth + region.firstX) * quads * quadBytes
        run.weightStride = g.kernelWidth * quads * quadBytes
        let isOnePart = region.kernelWidth == g.kernelWidth
        run.parts = isOnePart ? 1 : Int32(region.kernelHeight)
        run.quads = Int32((isOnePart ? region.kernelHeight : 1) * region.kernelWidth * quads)
        if a.inputZeroPoint != 0 && region.taps < g.taps {
            let sums = (a.prepared.unsafelyUnwrapped + flatByteCount).assumingMemoryBound(to: Int32.self)
            let panel = (index * g.groups + group) * Packing.panels(g) + panels.lowerBound
            run.skippedSums = sums + panel * Packing.panelWidth
        }
        return run
    }

    /// Makes the rows of pixels of one group, or the packed tiles of pixels of a region, `offset` bytes behind the first
    /// of the block; sums inputs where the weights have an offset.
    private func gatherBlock(
        _ a: ConvolutionArguments, _ region: TileRegions.Region, group: Int, pixels: Range<Int>, offset: Int,
        scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let isChain = kernel.family == .gemmChainInt8
        let isPacking = !isChain || tileLayout.joinsTaps
        let input = a.input + group * g.inputChannelsPerGroup
        let packed = (scratch + (tileLayout.packedOffset + offset)).assumingMemoryBound(to: Int8.self)
        let rowBytes = tileLayout.depth * Packing.quadWidth
        if isPacking && isChain {
            gatherPixels(UnsafePointer(packed), stride: rowBytes, count: pixels.count, scratch: scratch)
        } else if isChain && g.isPointwise {
            gatherPixels(
                input + pixels.lowerBound * a.inputPixelStride, stride: a.inputPixelStride, count: pixels.count,
                scratch: scratch)
        }
        let needsRows = g.isTransposed || a.weightOffset != 0
        if !isPacking && g.isPointwise && !needsRows { return }
        var arguments = swiftlet_pack_s8_arguments(
            image: image(a, region, group: group, padding: scratch), rows: nil, output: packed,
            joined: (scratch + tileLayout.joinedOffset).assumingMemoryBound(to: Int8.self),
            firstPixel: Int32(pixels.lowerBound), pixels: Int32(pixels.count), taps: Int32(region.taps),
            quads: Int32(Packing.quads(g)), flatInputs: tileLayout.isFlat ? Int32(g.inputChannelsPerGroup) : 0)
        if isPacking && !needsRows { return pack(&arguments) }

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

    /// The input of one group as the packing kernels take it for a region.
    private func image(
        _ a: ConvolutionArguments, _ region: TileRegions.Region, group: Int, padding: UnsafeMutableRawPointer
    ) -> swiftlet_image_s8 {
        let g = geometry
        var image = image(a, group: group, padding: padding)
        (image.outputHeight, image.outputWidth) = (Int32(region.height), Int32(region.width))
        (image.kernelHeight, image.kernelWidth) = (Int32(region.kernelHeight), Int32(region.kernelWidth))
        image.padTop -= Int32(region.y * g.strideY + region.firstY * g.dilationY)
        image.padLeft -= Int32(region.x * g.strideX + region.firstX * g.dilationX)
        return image
    }

    /// All panels in `panels` of one group for the pixels of one block.
    private func runTileKernel(
        _ a: ConvolutionArguments, group: Int, panels: Range<Int>, runs: UnsafeBufferPointer<swiftlet_tile_run>,
        scratch: UnsafeMutableRawPointer
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
            runs: runs.baseAddress,
            rows: (scratch + tileLayout.rowsOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            weights: weights + packedChannel * tileLayout.depth * Packing.quadWidth,
            steps: a.prepared.map {
                $0.assumingMemoryBound(to: UInt8.self) + (flatByteCount + packedPanel * panelStepBytes)
            },
            bias: a.bias + packedChannel,
            pixelBias: a.weightOffset == 0
                ? nil : UnsafePointer((scratch + tileLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)),
            scales: a.scales + packedChannel, output: a.output + outputChannel, outputPixelStride: a.outputPixelStride,
            panel: (scratch + tileLayout.panelOffset).assumingMemoryBound(to: Int8.self), runCount: Int32(runs.count),
            taps: isJoined ? 1 : Int32(g.taps), quads: Int32(isJoined ? tileLayout.depth : Packing.quads(g)),
            channels: Int32(channels), inputZeroPoint: Int32(a.inputZeroPoint),
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest)
        kernel.markExecuted()
        kernel.entry.pointee.function.gemmpacked_s8(&arguments)
        if a.epilogue.table == nil && a.epilogue.residual == nil { return }
        for run in runs { finishRun(a, run, channels: outputChannel..<outputChannel + channels) }
    }

    /// Table and residual of what a run wrote, row by row.
    private func finishRun(_ a: ConvolutionArguments, _ run: swiftlet_tile_run, channels: Range<Int>) {
        var (pixel, left) = (run.output / a.outputPixelStride, Int(run.pixels))
        var inRow = Int(run.width - run.column)
        // A column: each pixel is a row.
        let isColumn = run.pixelStride != a.outputPixelStride
        while left > 0 {
            let count = isColumn ? 1 : min(left, inRow)
            a.epilogue.finish(
                kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixel..<pixel + count,
                channels: channels)
            left -= count
            pixel += isColumn
                ? run.pixelStride / a.outputPixelStride : count - 1 + run.rowStride / a.outputPixelStride
            inRow = Int(run.width)
        }
    }
}
