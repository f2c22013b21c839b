import CKernels

/// The form of an int8 convolution whose micro-kernel reads packed inputs: the inputs of a block of output pixels are
/// copied into scratch once, tile by tile, in the order in which the micro-kernel reads them, padding taps included;
/// then panels of weights run over the tiles while both stay in the nearest caches.
///
/// On AVX2, with inputs packed as bytes, the instructions that compute a quad of weights exactly depend on how large the
/// inputs are. `prepare` keeps the limits of each quad, three bytes for every two, beside a corrected bias; the micro-kernel
/// compares them with the inputs of each tile. VPDPBUSD computes everything exactly: what is prepared is the bias.
extension Convolution {
    /// How blocks are cut and where things lie in a thread's scratch. The same for every instruction set.
    struct PackedLayout: Sendable {
        /// Whether taps of few channels are one row, filled up to quads once: a session then keeps the weights in that
        /// order, too.
        let isFlat: Bool
        /// Quads of all taps.
        let depth: Int
        /// Most pixels of a tile.
        static let tile = 12
        /// Most pixels of a block.
        let blockPixels: Int
        /// Bytes from one packed tile to the next.
        let tileStride: Int
        /// Offset of the row pointers of one tile; the row of input zero points lies before them.
        let rowsOffset: Int
        /// Offset of the int32 that a weight offset adds to each pixel of a block.
        let pixelBiasOffset: Int
        /// Offset of what the micro-kernel notes of the inputs of each tile.
        let rangesOffset: Int
        /// Bytes from one tile's notes to the next.
        let rangeStride: Int
        /// Offset of the packed tiles.
        let packedOffset: Int
        let byteCount: Int

        init(_ g: ConvolutionGeometry) {
            let tile = PackedLayout.tile
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            let inputs = g.taps * g.inputChannelsPerGroup
            isFlat = g.inputChannelsPerGroup <= Packing.quadWidth && g.taps > 1 && !g.isTransposed
                && inputs <= Int(SWIFTLET_LARGEST_FLAT_ROW)
            depth = isFlat ? (inputs + Packing.quadWidth - 1) / Packing.quadWidth : g.taps * Packing.quads(g)
            let pixelBytes = depth * Packing.quadWidth
            let weightBytes = Packing.panels(g) * Packing.panelWidth * depth * Packing.quadWidth
            // Small weights stay in the first cache beside a small block; large ones are read once for a large block.
            let blockBytes = weightBytes <= 16 << 10 ? 16 << 10 : (weightBytes <= 128 << 10 ? 128 << 10 : 256 << 10)
            blockPixels = min(max(blockBytes / pixelBytes, tile), 4096, g.outputPixels)
            tileStride = align(pixelBytes * tile)
            rowsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            pixelBiasOffset = rowsOffset + align(g.taps * tile * 8)
            rangesOffset = pixelBiasOffset + align(blockPixels * 4)
            let tiles = (blockPixels + tile - 1) / tile
            rangeStride = 32 * limitChunks(depth) + 32
            packedOffset = rangesOffset + align(tiles * rangeStride)
            // The sums of a tile are read ahead of its end.
            byteCount = packedOffset + tiles * tileStride + 64
        }

        /// Tiles of a block.
        func tiles(_ pixels: Int) -> Int { (pixels + PackedLayout.tile - 1) / PackedLayout.tile }
    }

    /// Groups of quads whose limits lie together.
    static func limitChunks(_ depth: Int) -> Int {
        (depth + Int(SWIFTLET_LIMIT_QUADS) - 1) / Int(SWIFTLET_LIMIT_QUADS)
    }

    /// What a session keeps of one convolution: the corrected bias, the sums of each channel's weights, the limits of each
    /// panel, flat weights; each where the kernels want it.
    private struct PreparedLayout {
        let panels: Int
        let sumsOffset: Int
        /// Bytes from one panel's limits to the next.
        let limitStride: Int
        let limitsOffset: Int
        let weightsOffset: Int
        let byteCount: Int

        init(_ g: ConvolutionGeometry, _ layout: PackedLayout, _ packed: PackedKernels) {
            let depth = layout.depth
            panels = g.groups * Packing.panels(g)
            let channelBytes = panels * Packing.panelWidth * 4
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            limitStride = packed.measuresInputs ? limitChunks(depth) * Int(SWIFTLET_LIMIT_BYTES) : 0
            sumsOffset = align(channelBytes)
            limitsOffset = sumsOffset + (packed.measuresInputs ? align(channelBytes) : 0)
            weightsOffset = limitsOffset + align(panels * limitStride)
            byteCount = weightsOffset + (layout.isFlat ? align(panels * depth * 32) : 0)
        }
    }

    /// Bytes that `prepare` writes, a multiple of 64; 0 where nothing is prepared.
    public var preparedByteCount: Int {
        if kernel.runsOverTiles { return preparedTileByteCount }
        if let widenedLayout { return preparedWidenedByteCount(widenedLayout) }
        guard let packed else { return 0 }
        return PreparedLayout(geometry, packedLayout, packed).byteCount
    }

    /// Prepares what `run` needs beside these packed weights and this folded bias. Once per session, at its start.
    /// - Precondition: `memory` has `preparedByteCount` bytes, 64-byte aligned.
    public func prepare(weights: UnsafePointer<Int8>, bias: UnsafePointer<Int32>, into memory: UnsafeMutableRawPointer) {
        if kernel.runsOverTiles { return prepareTiles(weights: weights, into: memory) }
        if let widenedLayout { return prepareWidened(widenedLayout, weights: weights, into: memory) }
        guard let packed else { return }
        let g = geometry
        let prepared = PreparedLayout(g, packedLayout, packed)
        var scanned = weights
        if packedLayout.isFlat {
            let flat = (memory + prepared.weightsOffset).assumingMemoryBound(to: Int8.self)
            flattenWeights(weights, into: flat, depth: packedLayout.depth, rowInputs: g.kernelWidth * g.inputChannelsPerGroup)
            scanned = UnsafePointer(flat)
        }
        packed.scan.markExecuted()
        var arguments = swiftlet_scan_s8_arguments(
            weights: scanned, bias: bias, correctedBias: memory.assumingMemoryBound(to: Int32.self), weightSums: nil,
            limits: nil, limitStride: prepared.limitStride, quads: Int32(packedLayout.depth),
            panels: Int32(prepared.panels))
        if packed.measuresInputs {
            arguments.weightSums = (memory + prepared.sumsOffset).assumingMemoryBound(to: Int32.self)
            arguments.limits = (memory + prepared.limitsOffset).assumingMemoryBound(to: UInt8.self)
        }
        packed.scan.entry.pointee.function.scan_s8(&arguments)
    }

    /// Copies packed weights so that the inputs of the taps of a kernel row follow each other without gaps, and those of the
    /// rows begin every `rowInputs`: `depth` quads in all.
    func flattenWeights(
        _ weights: UnsafePointer<Int8>, into flat: UnsafeMutablePointer<Int8>, depth: Int, rowInputs: Int
    ) {
        let g = geometry
        let panelBytes = depth * Packing.panelWidth * Packing.quadWidth
        flat.initialize(repeating: 0, count: g.groups * Packing.panels(g) * panelBytes)
        for channel in 0..<g.outputChannels {
            let (group, o) = channel.quotientAndRemainder(dividingBy: g.outputChannelsPerGroup)
            let panel = flat + (group * Packing.panels(g) + o / Packing.panelWidth) * panelBytes
            for tap in 0..<g.taps {
                let first = tap / g.kernelWidth * rowInputs + tap % g.kernelWidth * g.inputChannelsPerGroup
                for input in 0..<g.inputChannelsPerGroup {
                    let (quad, place) = (first + input).quotientAndRemainder(dividingBy: Packing.quadWidth)
                    panel[(quad * Packing.panelWidth + o % Packing.panelWidth) * Packing.quadWidth + place] =
                        weights[Packing.weightOffset(g, channel: channel, tap: tap, input: input)]
                }
            }
        }
    }

    func runPacked(
        _ a: ConvolutionArguments, _ packed: PackedKernels, part: Part, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        let unit = kernel.channels / Packing.panelWidth
        let cut = PixelChannelCut(
            part, pixels: g.outputPixels, fewest: 24, block: packedLayout.blockPixels,
            channelUnits: (panels + unit - 1) / unit)
        let pixelRange = cut.pixels.range(of: g.outputPixels)
        let panelRange = cut.channels.range(of: panels, unit: unit)
        if pixelRange.isEmpty || panelRange.isEmpty { return }
        let blocks = (pixelRange.count + packedLayout.blockPixels - 1) / packedLayout.blockPixels
        let isPacked = cut.repeatsPixels && blocks == 1 && g.groups == 1
        if !g.isPointwise {
            scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: packedLayout.rowsOffset)
        }
        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            for block in 0..<blocks {
                let start = pixelRange.lowerBound + pixelRange.count * block / blocks
                let stop = pixelRange.lowerBound + pixelRange.count * (block + 1) / blocks
                if !isPacked { packBlock(a, packed.pack, group: group, pixels: start..<stop, scratch: scratch) }
                runPackedBlock(
                    a, packed, group: group, panels: own, pixels: start..<stop, isMeasured: isPacked,
                    scratch: scratch)
            }
        }
    }

    /// The input of one group as the C kernels take it.
    func image(_ a: ConvolutionArguments, group: Int, padding: UnsafeMutableRawPointer) -> swiftlet_image_s8 {
        let g = geometry
        return swiftlet_image_s8(
            input: a.input + group * g.inputChannelsPerGroup,
            padding: UnsafePointer(padding.assumingMemoryBound(to: Int8.self)), pixelStride: a.inputPixelStride,
            height: Int32(g.inputHeight), width: Int32(g.inputWidth), outputHeight: Int32(g.outputHeight),
            outputWidth: Int32(g.outputWidth), kernelHeight: Int32(g.kernelHeight), kernelWidth: Int32(g.kernelWidth),
            strideY: Int32(g.strideY), strideX: Int32(g.strideX), dilationY: Int32(g.dilationY),
            dilationX: Int32(g.dilationX), padTop: Int32(g.padTop), padLeft: Int32(g.padLeft))
    }

    /// Packs the inputs of one group for one block, and sums them where the weights have an offset.
    private func packBlock(
        _ a: ConvolutionArguments, _ kernel: Kernel, group: Int, pixels: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let output = (scratch + packedLayout.packedOffset).assumingMemoryBound(to: UInt8.self)
        let pixelBias = (scratch + packedLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)
        let tiles = Int32(packedLayout.tiles(pixels.count))
        var arguments = swiftlet_pack_u8_arguments(
            image: image(a, group: group, padding: scratch), rows: nil, output: output,
            tileStride: packedLayout.tileStride, pixelBias: pixelBias, factor: a.weightOffset,
            firstPixel: Int32(pixels.lowerBound), pixels: Int32(pixels.count), tiles: tiles, taps: Int32(g.taps),
            quads: Int32(Packing.quads(g)), inputs: Int32(g.inputChannelsPerGroup), flatInputs: 0)
        if packedLayout.isFlat {
            arguments.flatInputs = arguments.inputs
            arguments.taps = 1
            arguments.quads = Int32(packedLayout.depth)
            arguments.inputs = Int32(g.taps * g.inputChannelsPerGroup)
        }
        kernel.markExecuted()
        let function = kernel.entry.pointee.function.pack_u8.unsafelyUnwrapped
        if !g.isTransposed { return function(&arguments) }

        let rows = (scratch + packedLayout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        arguments.rows = UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafePointer<Int8>?.self)
        arguments.tiles = 1
        for tile in 0..<tiles {
            let first = swiftlet_tile_start(Int32(pixels.count), tiles, tile)
            arguments.pixels = swiftlet_tile_start(Int32(pixels.count), tiles, tile + 1) - first
            arguments.output = output + Int(tile) * packedLayout.tileStride
            arguments.pixelBias = pixelBias + Int(first)
            buildRows(
                rows, first: pixels.lowerBound + Int(first), pixels: Int(arguments.pixels),
                tile: Int(arguments.pixels), input: arguments.image.input.unsafelyUnwrapped,
                inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: scratch)
            function(&arguments)
        }
    }

    /// All panels in `panels` of one group for the pixels of one packed block, whose inputs the kernel measured before or not.
    private func runPackedBlock(
        _ a: ConvolutionArguments, _ packed: PackedKernels, group: Int, panels: Range<Int>, pixels: Range<Int>,
        isMeasured: Bool, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let prepared = PreparedLayout(g, packedLayout, packed)
        let packedPanel = group * Packing.panels(g) + panels.lowerBound
        let packedChannel = packedPanel * Packing.panelWidth
        let memory = a.prepared.unsafelyUnwrapped
        var sums: UnsafePointer<Int32>?
        var limits: UnsafePointer<UInt8>?
        if packed.measuresInputs {
            sums = (memory + prepared.sumsOffset).assumingMemoryBound(to: Int32.self) + packedChannel
            limits =
                (memory + prepared.limitsOffset).assumingMemoryBound(to: UInt8.self) + packedPanel * prepared.limitStride
        }
        let weights =
            packedLayout.isFlat ? (memory + prepared.weightsOffset).assumingMemoryBound(to: Int8.self) : a.weights
        let panelBytes = packedLayout.depth * Packing.panelWidth * Packing.quadWidth
        let firstChannel = panels.lowerBound * Packing.panelWidth
        let channels = min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
        let outputChannel = group * g.outputChannelsPerGroup + firstChannel
        let pixelBias = (scratch + packedLayout.pixelBiasOffset).assumingMemoryBound(to: Int32.self)
        var arguments = swiftlet_gemm_u8s8_arguments(
            activations: (scratch + packedLayout.packedOffset).assumingMemoryBound(to: UInt8.self),
            tileStride: packedLayout.tileStride,
            ranges: (scratch + packedLayout.rangesOffset).assumingMemoryBound(to: UInt8.self),
            rangeStride: packedLayout.rangeStride, weights: weights + packedPanel * panelBytes,
            panelStride: panelBytes, limits: limits, limitStride: prepared.limitStride, weightSums: sums,
            bias: memory.assumingMemoryBound(to: Int32.self) + packedChannel, pixelBias: a.weightOffset == 0 ? nil : UnsafePointer(pixelBias),
            scales: a.scales + packedChannel,
            output: a.output + (pixels.lowerBound * a.outputPixelStride + outputChannel),
            outputPixelStride: a.outputPixelStride, pixels: Int32(pixels.count),
            tiles: Int32(packedLayout.tiles(pixels.count)), channels: Int32(channels),
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest,
            // Behind a ReLU the least input is the zero point, which is low; else it may lie anywhere.
            movesInputs: a.inputZeroPoint >= -112 ? 1 : 0, isMeasured: isMeasured ? 1 : 0,
            hasSmallScales: hasSmallScales ? 1 : 0)
        kernel.markExecuted()
        kernel.entry.pointee.function.gemm_u8s8(&arguments)
        a.epilogue.finish(
            kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixels,
            channels: outputChannel..<outputChannel + channels)
    }
}
