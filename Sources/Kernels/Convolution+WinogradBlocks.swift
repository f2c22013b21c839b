import CKernels

/// The form of an int8 convolution that computes tiles of 4 × 4 outputs of a 3 × 3 kernel with a quarter of the
/// multiplications, in integers and exactly (the formulas are in the C kernel), and tiles of three rows or columns where
/// the image is no multiple of four. Inputs of a block of tiles are
/// transformed once; the weights of two panels at a time are transformed into scratch, so that neither the file nor the
/// session holds more than the weights themselves.
extension Convolution {
    /// How blocks are cut and where things lie in a thread's scratch. The same for every instruction set.
    struct WinogradBlockLayout: Sendable {
        static let positions = 36

        let tiles: WinogradTiles
        /// Blocks of 16 input channels.
        let channelBlocks: Int
        /// Most tiles of a block.
        let blockTiles: Int
        /// Blocks of tiles, for each of which weights are transformed.
        let tileBlocks: Int
        /// Values from one position of the transformed inputs to the next, and sums likewise.
        let inputStride: Int
        let sumStride: Int
        /// The row of input zero points lies before them.
        let weightsOffset: Int
        let sumsOffset: Int
        let inputsOffset: Int
        let tilesOffset: Int
        let byteCount: Int
        /// What it takes of a core with AVX2, by `ConvolutionCosts`.
        let cost: Double
        /// Whether fewer multiplications outweigh the transforms.
        let isFaster: Bool

        /// Nil where the formulas do not apply.
        init?(_ g: ConvolutionGeometry) {
            guard g.kernelHeight == 3, g.kernelWidth == 3, g.strideY == 1, g.strideX == 1, g.dilationY == 1,
                g.dilationX == 1, !g.isTransposed, !g.isDepthwise
            else { return nil }
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            func divide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
            tiles = WinogradTiles(g)
            let quads = Packing.quads(g)
            channelBlocks = divide(quads, 4)
            let tileBytes = WinogradBlockLayout.positions * channelBlocks * 32
            blockTiles = min(max((320 << 10) / tileBytes, 12), tiles.count)
            // Off a power of two, against set conflicts.
            inputStride = blockTiles * channelBlocks * 16 + 32
            sumStride = blockTiles * Packing.panelWidth + 8
            weightsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            sumsOffset = weightsOffset + align(WinogradBlockLayout.positions * Int(SWIFTLET_WINOGRAD_WEIGHT_STRIDE) * 2)
            inputsOffset = sumsOffset + align(2 * WinogradBlockLayout.positions * sumStride * 4)
            tilesOffset = inputsOffset + align(WinogradBlockLayout.positions * inputStride * 2)
            byteCount = tilesOffset + align(blockTiles * MemoryLayout<swiftlet_winograd_tile>.stride)

            tileBlocks = divide(tiles.count, blockTiles)
            let costs = ConvolutionCosts.avx2
            cost = costs.winograd.unsafelyUnwrapped.cost(
                g, tiles: tiles, tileBlocks: tileBlocks, channelBlocks: channelBlocks)
            isFaster = cost < 0.95 * costs.direct(g)
        }

        /// Whether it beats the micro-kernel of `kernels`. Against VPDPBUSD, which multiplies a quad of a panel with half the
        /// instructions of AVX2 or fewer, it does not, by count of instructions.
        func beats(_ kernels: KernelSet) -> Bool { kernels.gemm.isa == .avx2 && isFaster }
    }

    /// Largest sum of absolute weights of an output channel with which the results are exact.
    static let largestWinogradFilterSum = 262_143

    /// Whether this geometry is computed by the Winograd form where its weights permit, and only the weights' own sums
    /// (`Packing.WeightTraits.largestFilterSum`) tell whether they do.
    static func dependsOnFilterSum(_ g: ConvolutionGeometry, kernels: KernelSet) -> Bool {
        kernels.winogradBlocks != nil && g.taps * g.inputChannelsPerGroup * 128 > largestWinogradFilterSum
            && WinogradBlockLayout(g)?.beats(kernels) ?? false
    }

    /// The kernel of the Winograd form where it is faster and exact.
    static func winogradBlockKernel(
        _ g: ConvolutionGeometry, _ layout: WinogradBlockLayout?, _ traits: Packing.WeightTraits, _ kernels: KernelSet
    ) -> Kernel? {
        guard let layout, layout.beats(kernels), !traits.hasOffset else { return nil }
        let bound = min(traits.largestFilterSum ?? .max, g.taps * g.inputChannelsPerGroup * 128)
        return bound <= largestWinogradFilterSum ? kernels.winogradBlocks : nil
    }

    /// - Parameter sparse: the weights where they are stored sparse; `a.weights` is not read then.
    func runWinogradBlocks(
        _ a: ConvolutionArguments, sparse: SparsePanels? = nil, _ layout: WinogradBlockLayout, part: Part,
        scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        // Sharing tiles, each thread transforms all weights, which takes as long as about 7 tiles; sharing panels, which
        // are computed two at a time, it transforms all inputs, which takes as long as about half a panel, and again for
        // every part where not all fit in a block.
        let tiles = layout.tiles.count
        let fewest = tiles > layout.blockTiles ? 24 : max(24, 12 * panels / part.threads)
        let cut = PixelChannelCut(
            part, pixels: tiles, fewest: fewest, block: layout.blockTiles, channelUnits: (panels + 1) / 2)
        let tileRange = cut.pixels.range(of: tiles)
        let panelRange = cut.channels.range(of: panels, unit: 2)
        if tileRange.isEmpty || panelRange.isEmpty { return }
        scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: layout.weightsOffset)
        let blocks = (tileRange.count + layout.blockTiles - 1) / layout.blockTiles
        let blockTiles = (scratch + layout.tilesOffset).assumingMemoryBound(to: swiftlet_winograd_tile.self)
        let isTransformed = cut.repeatsPixels && blocks == 1 && g.groups == 1
        let panelBytes = g.taps * Packing.quads(g) * Packing.panelWidth * Packing.quadWidth
        let ownSparse = sparse?.dropping(channels: panelRange.lowerBound * Packing.panelWidth)
        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            let firstPanel = group * panelsPerGroup + own.lowerBound
            let firstChannel = own.lowerBound * Packing.panelWidth
            let outputChannel = group * g.outputChannelsPerGroup + firstChannel
            let channels = min(own.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
            let packedChannel = firstPanel * Packing.panelWidth
            var arguments = swiftlet_winograd_s8_arguments(
                image: image(a, group: group, padding: scratch), weights: a.weights + firstPanel * panelBytes,
                bias: a.bias + packedChannel, scales: a.scales + packedChannel, output: a.output + outputChannel,
                outputPixelStride: a.outputPixelStride,
                transformedInputs: (scratch + layout.inputsOffset).assumingMemoryBound(to: Int16.self),
                inputStride: layout.inputStride,
                transformedWeights: (scratch + layout.weightsOffset).assumingMemoryBound(to: Int16.self),
                sums: (scratch + layout.sumsOffset).assumingMemoryBound(to: Int32.self), sumStride: layout.sumStride,
                tiles: blockTiles, tileCount: 0, quads: Int32(Packing.quads(g)), channels: Int32(channels),
                zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
                highest: a.epilogue.output.highest, isTransformed: isTransformed ? 1 : 0)
            for block in 0..<blocks {
                let start = tileRange.lowerBound + tileRange.count * block / blocks
                let stop = tileRange.lowerBound + tileRange.count * (block + 1) / blocks
                for index in start..<stop {
                    let tile = layout.tiles.tile(index)
                    blockTiles[index - start] = swiftlet_winograd_tile(
                        y: Int32(tile.y), x: Int32(tile.x), rows: Int32(tile.rows), columns: Int32(tile.columns))
                }
                arguments.tileCount = Int32(stop - start)
                runPanels(arguments, ownSparse)
                finishTiles(a, layout.tiles, start..<stop, channels: outputChannel..<outputChannel + channels)
            }
        }
    }

    /// All panels of one block of tiles: at once, or in pairs, each expanded into scratch before.
    private func runPanels(_ a: swiftlet_winograd_s8_arguments, _ sparse: SparsePanels?) {
        kernel.markExecuted()
        var arguments = a
        guard var sparse else { return kernel.entry.pointee.function.winograd_s8(&arguments) }
        arguments.weights = UnsafePointer(sparse.expanded)
        for channel in stride(from: 0, to: Int(a.channels), by: SparsePanels.channels) {
            let count = min(SparsePanels.channels, Int(a.channels) - channel)
            sparse.expand(channels: count)
            arguments.bias = a.bias + channel
            arguments.scales = a.scales + channel
            arguments.output = a.output + channel
            arguments.channels = Int32(count)
            kernel.entry.pointee.function.winograd_s8(&arguments)
            arguments.isTransformed = 1
        }
    }
}
