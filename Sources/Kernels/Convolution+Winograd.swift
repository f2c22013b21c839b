import CKernels

/// The kernels of Winograd's F(4×4, 3×3) and its tiles of three rows or columns.
struct WinogradKernels: Sendable, Equatable {
    let input: Kernel
    let weights: Kernel
    let gemm: Kernel
}

/// 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3) in integers: a quarter of the multiplications, 16-bit operands.
/// Where the image is no multiple of four, some rows and columns of tiles have three outputs, F(3, 3): its points are
/// those of F(4, 3) but one, so that the same transformed weights serve, and 30 or 25 products instead of 36 are enough.
/// All transforms have integer factors, sums wrap at 32 bits, and what comes out is 576 times (144, 36 for tiles of
/// three) the convolution modulo 2^32; times 1/9 modulo 2^32 it is 64 (16, 4) times the convolution, exactly, where that
/// fits. Weights are transformed on the way, panel by panel: they are stored once, as every other kernel reads them.
extension Convolution {
    /// Where things lie in a thread's scratch.
    struct WinogradLayout: Sendable {
        let tiles: WinogradTiles
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
            tiles = WinogradTiles(g)
            eights = (g.inputChannelsPerGroup + 7) / 8
            rowsOffset = align(g.inputChannelsPerGroup + Packing.readAheadBytes)
            outputsOffset = rowsOffset + align(WinogradLayout.positions * 8)
            extentsOffset = outputsOffset + WinogradLayout.group * 8
            productsOffset = extentsOffset + 64
            weightsOffset = productsOffset + WinogradLayout.positions * 64 * 4
            let groupBytes = WinogradLayout.positions * eights * 64 * 2
            inputsOffset = weightsOffset + groupBytes
            let groups = (tiles.count + WinogradLayout.group - 1) / WinogradLayout.group
            blockGroups = max(1, min(groups, (320 << 10) / groupBytes))
            byteCount = inputsOffset + blockGroups * groupBytes
        }

        /// Whether it takes fewer instructions than the direct form of NEON: estimates of both, in tenths.
        func pays(_ g: ConvolutionGeometry) -> Bool {
            let panels = Packing.panels(g)
            let groups = (tiles.count + WinogradLayout.group - 1) / WinogradLayout.group
            let blocks = (groups + blockGroups - 1) / blockGroups
            let multiplying = tiles.products * eights * panels * 170
            let transforming = 3000 * tiles.count * eights + 1300 * blocks * panels * eights * 8 + 7000 * tiles.count * panels
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
        let tiles = layout.tiles.count
        let blockTiles = layout.blockGroups * WinogradLayout.group
        let cut = PixelChannelCut(
            part, pixels: tiles, fewest: 4 * WinogradLayout.group, block: blockTiles, channelUnits: panels)
        let tileRange = cut.pixels.range(of: tiles, unit: WinogradLayout.group)
        let panelRange = cut.channels.range(of: panels)
        if tileRange.isEmpty || panelRange.isEmpty { return }
        let isTransformed = cut.repeatsPixels && tileRange.count <= blockTiles && g.groups == 1
        scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: layout.rowsOffset)
        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            var start = tileRange.lowerBound
            while start < tileRange.upperBound {
                let stop = min(start + blockTiles, tileRange.upperBound)
                for tile in start..<stop where !isTransformed {
                    transformInput(a, layout, group: group, tile: tile, index: tile - start, scratch: scratch)
                }
                for panel in own {
                    runPanel(a, layout, group: group, panel: panel, tiles: start..<stop, scratch: scratch)
                }
                let offset = group * g.outputChannelsPerGroup
                let channelEnd = min(own.upperBound * Packing.panelWidth, g.outputChannelsPerGroup)
                finishTiles(
                    a, layout.tiles, start..<stop,
                    channels: offset + own.lowerBound * Packing.panelWidth..<offset + channelEnd)
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
        let place = layout.tiles.tile(tile)
        let y0 = place.y - g.padTop
        let x0 = place.x - g.padLeft
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
            rows: rows, output: output, positionStride: layout.eights * 64, channels: Int32(g.inputChannelsPerGroup),
            tileRows: Int32(place.rows), tileColumns: Int32(place.columns))
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
            tileRows: extents + 2 * WinogradLayout.group, tileColumns: extents + 3 * WinogradLayout.group,
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
                let tile = layout.tiles.tile(first + t)
                outputs[t] = output + (tile.y * g.outputWidth + tile.x) * a.outputPixelStride
                extents[t] = UInt8(truncatingIfNeeded: min(tile.rows, g.outputHeight - tile.y))
                extents[WinogradLayout.group + t] = UInt8(truncatingIfNeeded: min(tile.columns, g.outputWidth - tile.x))
                extents[2 * WinogradLayout.group + t] = UInt8(truncatingIfNeeded: tile.rows)
                extents[3 * WinogradLayout.group + t] = UInt8(truncatingIfNeeded: tile.columns)
            }
            arguments.inputs = UnsafePointer(
                inputs + (first - tiles.lowerBound) / WinogradLayout.group * layout.groupElements)
            arguments.tiles = Int32(count)
            used.gemm.entry.pointee.function.winogemm_s8(&arguments)
            first += count
        }
    }
}
