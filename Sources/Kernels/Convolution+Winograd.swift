import CKernels

/// The kernels of Winograd's F(4×4, 3×3).
struct WinogradKernels: Sendable, Equatable {
    let input: Kernel
    let weights: Kernel
    let gemm: Kernel
}

/// 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3) in integers: a quarter of the multiplications, 16-bit operands.
/// All transforms have integer factors, sums wrap at 32 bits, and what comes out is 576 times the convolution modulo 2^32;
/// times 1/9 modulo 2^32 it is 64 times the convolution, exactly, where that fits. Weights are transformed on the way,
/// panel by panel: they are stored once, as every other kernel reads them.
extension Convolution {
    /// Where things lie in a thread's scratch.
    struct WinogradLayout: Sendable {
        let tilesX: Int
        let tilesY: Int
        /// Input channels / 8, rounded up.
        let eights: Int
        /// Transformed inputs of so many groups of 8 tiles are kept at a time.
        let blockGroups: Int
        /// Offset of the pointers to a tile's 36 input pixels; the row of input zero points lies before them.
        let rowsOffset: Int
        let outputsOffset: Int
        let extentsOffset: Int
        let productsOffset: Int
        let weightsOffset: Int
        let inputsOffset: Int
        let byteCount: Int

        static let tile = 4
        /// Tiles of a group.
        static let group = 8
        /// Values of a tile and channel.
        static let positions = 36
        /// Most input channels, so that scratch stays small.
        static let maximumChannels = 512

        /// Elements of a group's transformed inputs, and of a panel's transformed weights.
        var groupElements: Int { WinogradLayout.positions * eights * 64 }

        /// nil where the geometry is not one that the transform computes.
        init?(_ g: ConvolutionGeometry) {
            guard g.kernelHeight == 3, g.kernelWidth == 3, g.strideY == 1, g.strideX == 1, g.dilationY == 1,
                g.dilationX == 1, !g.isTransposed, !g.isDepthwise,
                g.inputChannelsPerGroup >= 8, g.inputChannelsPerGroup <= WinogradLayout.maximumChannels
            else { return nil }
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            tilesX = (g.outputWidth + WinogradLayout.tile - 1) / WinogradLayout.tile
            tilesY = (g.outputHeight + WinogradLayout.tile - 1) / WinogradLayout.tile
            eights = (g.inputChannelsPerGroup + 7) / 8
            rowsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            outputsOffset = rowsOffset + align(WinogradLayout.positions * 8)
            extentsOffset = outputsOffset + WinogradLayout.group * 8
            productsOffset = extentsOffset + 64
            weightsOffset = productsOffset + WinogradLayout.positions * 64 * 4
            let groupBytes = WinogradLayout.positions * eights * 64 * 2
            inputsOffset = weightsOffset + groupBytes
            let groups = (tilesX * tilesY + WinogradLayout.group - 1) / WinogradLayout.group
            blockGroups = max(1, min(groups, (320 << 10) / groupBytes))
            byteCount = inputsOffset + blockGroups * groupBytes
        }

        /// Whether it takes fewer instructions than the direct form of NEON: estimates of both, in tenths.
        func pays(_ g: ConvolutionGeometry) -> Bool {
            let panels = Packing.panels(g)
            let tiles = tilesX * tilesY
            let groups = (tiles + WinogradLayout.group - 1) / WinogradLayout.group
            let blocks = (groups + blockGroups - 1) / blockGroups
            let multiplying = 36 * tiles * eights * panels * 170
            let transforming = 3000 * tiles * eights + 1300 * blocks * panels * eights * 8 + 7000 * tiles * panels
            let direct = g.outputPixels * panels * (Packing.quads(g) * 9 * 32 * 10 / 5 + 120)
            return multiplying + transforming < direct
        }
    }

    /// Chooses the transform: a pure function of its arguments.
    static func winogradLayout(
        _ g: ConvolutionGeometry, traits: Packing.WeightTraits, kernels: KernelSet
    ) -> WinogradLayout? {
        guard kernels.winograd != nil, !traits.hasOffset, let layout = WinogradLayout(g), layout.pays(g) else { return nil }
        // 64 * 128 * (sum of absolute weights) < 2^31.
        let largest = traits.largestFilterSum ?? g.taps * g.inputChannelsPerGroup * 128
        return largest < 1 << 18 ? layout : nil
    }

    func runWinograd(
        _ a: ConvolutionArguments, _ layout: WinogradLayout, part: Part, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        let tiles = layout.tilesX * layout.tilesY
        let blockTiles = layout.blockGroups * WinogradLayout.group
        let cut = PixelChannelCut(
            part, pixels: tiles, fewest: 4 * WinogradLayout.group, block: blockTiles, channelUnits: panels)
        let tileRange = cut.pixels.range(of: tiles, unit: WinogradLayout.group)
        let panelRange = cut.channels.range(of: panels)
        if tileRange.isEmpty || panelRange.isEmpty { return }
        let isTransformed = cut.repeatsPixels && tileRange.count <= blockTiles && g.groups == 1
        scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: layout.rowsOffset)
        for group in panelRange.lowerBound / panelsPerGroup...(panelRange.upperBound - 1) / panelsPerGroup {
            let base = group * panelsPerGroup
            let first = max(panelRange.lowerBound - base, 0)
            let end = min(panelRange.upperBound - base, panelsPerGroup)
            var start = tileRange.lowerBound
            while start < tileRange.upperBound {
                let stop = min(start + blockTiles, tileRange.upperBound)
                for tile in start..<stop where !isTransformed {
                    transformInput(a, layout, group: group, tile: tile, index: tile - start, scratch: scratch)
                }
                for panel in first..<end {
                    runPanel(a, layout, group: group, panel: panel, tiles: start..<stop, scratch: scratch)
                }
                finishTiles(a, layout, group: group, panels: first..<end, tiles: start..<stop)
                start = stop
            }
        }
    }

    private func transformInput(
        _ a: ConvolutionArguments, _ layout: WinogradLayout, group: Int, tile: Int, index: Int,
        scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let rows = (scratch + layout.rowsOffset).assumingMemoryBound(to: UnsafePointer<Int8>?.self)
        let zeroRow = UnsafeRawPointer(scratch).assumingMemoryBound(to: Int8.self)
        let y0 = tile / layout.tilesX * WinogradLayout.tile - g.padTop
        let x0 = tile % layout.tilesX * WinogradLayout.tile - g.padLeft
        var next = rows
        for y in y0..<y0 + 6 {
            let isRowInside = y >= 0 && y < g.inputHeight
            var address = a.input + ((y * g.inputWidth + x0) * a.inputPixelStride + group * g.inputChannelsPerGroup)
            for x in x0..<x0 + 6 {
                next.pointee = isRowInside && x >= 0 && x < g.inputWidth ? address : zeroRow
                next += 1
                address += a.inputPixelStride
            }
        }
        let lane = index % WinogradLayout.group
        let output = (scratch + layout.inputsOffset).assumingMemoryBound(to: Int16.self)
            + (index / WinogradLayout.group * layout.groupElements + lane * 8)
        let kernel = kernels.winograd.unsafelyUnwrapped.input
        kernel.markExecuted()
        var arguments = swiftlet_winoinput_s8_arguments(
            rows: rows, output: output, positionStride: layout.eights * 64, channels: Int32(g.inputChannelsPerGroup))
        kernel.entry.pointee.function.winoinput_s8(&arguments)
    }

    /// One panel: its weights transformed, then all groups of `tiles`.
    private func runPanel(
        _ a: ConvolutionArguments, _ layout: WinogradLayout, group: Int, panel: Int, tiles: Range<Int>,
        scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let used = kernels.winograd.unsafelyUnwrapped
        let packedPanel = group * Packing.panels(g) + panel
        let quads = Packing.quads(g)
        let weights = (scratch + layout.weightsOffset).assumingMemoryBound(to: Int16.self)
        var transform = swiftlet_winoweights_s8_arguments(
            weights: a.weights + packedPanel * 9 * quads * Packing.panelWidth * Packing.quadWidth, output: weights,
            quads: Int32(quads))
        used.weights.markExecuted()
        used.weights.entry.pointee.function.winoweights_s8(&transform)

        let outputs = (scratch + layout.outputsOffset).assumingMemoryBound(to: UnsafeMutablePointer<Int8>?.self)
        let extents = (scratch + layout.extentsOffset).assumingMemoryBound(to: UInt8.self)
        let inputs = (scratch + layout.inputsOffset).assumingMemoryBound(to: Int16.self)
        let channel = panel * Packing.panelWidth
        var arguments = swiftlet_winogemm_s8_arguments(
            inputs: inputs, weights: weights,
            products: (scratch + layout.productsOffset).assumingMemoryBound(to: Int32.self),
            bias: a.bias + packedPanel * Packing.panelWidth, scales: a.scales + packedPanel * Packing.panelWidth,
            output: outputs, rows: extents, columns: extents + WinogradLayout.group,
            outputPixelStride: a.outputPixelStride, outputRowStride: g.outputWidth * a.outputPixelStride,
            eights: Int32(layout.eights), tiles: 0,
            channels: Int32(min(Packing.panelWidth, g.outputChannelsPerGroup - channel)),
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest)
        let output = a.output + (group * g.outputChannelsPerGroup + channel)
        used.gemm.markExecuted()
        var first = tiles.lowerBound
        while first < tiles.upperBound {
            let count = min(WinogradLayout.group, tiles.upperBound - first)
            for t in 0..<count {
                let (y, x) = corner(layout, first + t)
                outputs[t] = output + (y * g.outputWidth + x) * a.outputPixelStride
                extents[t] = UInt8(truncatingIfNeeded: min(WinogradLayout.tile, g.outputHeight - y))
                extents[WinogradLayout.group + t] = UInt8(truncatingIfNeeded: min(WinogradLayout.tile, g.outputWidth - x))
            }
            arguments.inputs = UnsafePointer(
                inputs + (first - tiles.lowerBound) / WinogradLayout.group * layout.groupElements)
            arguments.tiles = Int32(count)
            used.gemm.entry.pointee.function.winogemm_s8(&arguments)
            first += count
        }
    }

    /// The first output pixel of a tile.
    @inline(__always)
    private func corner(_ layout: WinogradLayout, _ tile: Int) -> (y: Int, x: Int) {
        let row = tile / layout.tilesX
        return (row * WinogradLayout.tile, (tile - row * layout.tilesX) * WinogradLayout.tile)
    }

    /// Table and residual of what the tiles wrote.
    private func finishTiles(
        _ a: ConvolutionArguments, _ layout: WinogradLayout, group: Int, panels: Range<Int>, tiles: Range<Int>
    ) {
        if a.epilogue.table == nil && a.epilogue.residual == nil { return }
        let g = geometry
        let offset = group * g.outputChannelsPerGroup
        let channels =
            offset + panels.lowerBound * Packing.panelWidth
            ..< offset + min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup)
        for tile in tiles {
            let (y, x) = corner(layout, tile)
            let width = min(WinogradLayout.tile, g.outputWidth - x)
            for row in y..<min(y + WinogradLayout.tile, g.outputHeight) {
                let pixel = row * g.outputWidth + x
                a.epilogue.finish(
                    kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: pixel..<pixel + width,
                    channels: channels)
            }
        }
    }
}
