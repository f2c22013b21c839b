import CKernels

/// The form of an int8 convolution whose micro-kernel reads inputs as 16-bit integers, for very short filters and first
/// layers: what outputs of one row read is widened into scratch, kernel row by kernel row, as it lies in the image. The
/// taps of a kernel row follow each other there, so that a row is one run of inputs and nothing needs to be put in another
/// order. Any weights and inputs are exact: nothing about them needs to be known.
extension Convolution {
    /// How rows are cut and where things lie in a thread's scratch. The same for every instruction set.
    struct WidenedLayout: Sendable {
        /// Inputs of a kernel row, rounded up to pairs.
        let rowInputs: Int
        /// Quads of all rows.
        let depth: Int
        /// Whether the weights of a kernel row, as they are packed, have gaps: a session then keeps them without.
        let joinsTaps: Bool
        /// Outputs of a row; where pixels are read one by one, the image is one row.
        let width: Int
        /// Most pixels of a block: consecutive outputs of a row.
        let blockPixels: Int
        /// Most panels whose weights are widened at a time, even.
        let panelsAtOnce: Int
        /// Values from one widened row to the next.
        let rowStride: Int
        /// The input zero point lies before them.
        let inputsOffset: Int
        let weightsOffset: Int
        let byteCount: Int
        /// Whether inputs widened once beat those that are packed as bytes and measured, as was measured on AVX2.
        let isShort: Bool

        /// Nil where the taps of a row don't follow each other.
        init?(_ g: ConvolutionGeometry) {
            guard !g.isTransposed, g.dilationX == 1 || g.kernelWidth == 1 else { return nil }
            func align(_ n: Int) -> Int { (n + 63) / 64 * 64 }
            let inputs = g.inputChannelsPerGroup
            rowInputs = (g.kernelWidth * inputs + 1) / 2 * 2
            depth = (g.kernelHeight * rowInputs + Packing.quadWidth - 1) / Packing.quadWidth
            joinsTaps = g.taps > 1 && inputs % Packing.quadWidth != 0
            width = g.isPointwise ? g.outputPixels : g.outputWidth
            // Inputs and weights stay in the first cache together.
            let columns = (8 << 10) / (g.kernelHeight * inputs)
            blockPixels = min(max((columns - g.kernelWidth) / g.strideX + 1, 24), width)
            let panels = (Packing.panels(g) + 1) / 2 * 2
            let panelBytes = depth * Packing.panelWidth * Packing.quadWidth * 2
            panelsAtOnce = min(max((24 << 10) / panelBytes / 2 * 2, 2), panels)
            // A pair at the end and the kernel's last store reach beyond the row.
            rowStride = ((blockPixels - 1) * g.strideX + g.kernelWidth) * inputs + 16
            inputsOffset = 64
            weightsOffset = inputsOffset + align(g.kernelHeight * rowStride * 2)
            byteCount = weightsOffset + align(panelsAtOnce * panelBytes)
            let isFirst = inputs <= Packing.quadWidth && g.taps > 1
            isShort = g.kernelHeight * rowInputs <= (isFirst ? 256 : g.taps > 1 ? 160 : 32)
        }
    }

    /// Chooses the form: a pure function of its arguments.
    static func widenedLayout(
        _ g: ConvolutionGeometry, traits: Packing.WeightTraits, kernels: KernelSet
    ) -> WidenedLayout? {
        guard kernels.widened != nil, !traits.hasOffset, traits.hasSmallScales, let layout = WidenedLayout(g),
            layout.isShort
        else { return nil }
        return layout
    }

    /// Bytes from one panel's weights to the next.
    private func widenedPanelBytes(_ layout: WidenedLayout) -> Int {
        layout.depth * Packing.panelWidth * Packing.quadWidth
    }

    func preparedWidenedByteCount(_ layout: WidenedLayout) -> Int {
        let bytes = geometry.groups * Packing.panels(geometry) * widenedPanelBytes(layout)
        return layout.joinsTaps ? (bytes + 63) / 64 * 64 : 0
    }

    func prepareWidened(_ layout: WidenedLayout, weights: UnsafePointer<Int8>, into memory: UnsafeMutableRawPointer) {
        if !layout.joinsTaps { return }
        flattenWeights(
            weights, into: memory.assumingMemoryBound(to: Int8.self), depth: layout.depth, rowInputs: layout.rowInputs)
    }

    func runWidened(
        _ a: ConvolutionArguments, _ layout: WidenedLayout, part: Part, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let panelsPerGroup = Packing.panels(g)
        let panels = g.groups * panelsPerGroup
        let cut = PixelChannelCut(
            part, pixels: g.outputPixels, fewest: 24, block: layout.blockPixels, channelUnits: (panels + 1) / 2)
        let pixelRange = cut.pixels.range(of: g.outputPixels)
        let panelRange = cut.channels.range(of: panels, unit: 2)
        if pixelRange.isEmpty || panelRange.isEmpty { return }
        // The weights are the same for all pixels.
        let before = Part(index: max(part.previous, 0), of: part.count)
        var isWidened = part.previous >= 0 && cut.pixels.count == part.count && panels <= layout.panelsAtOnce
            && g.groups == 1 && !before.range(of: g.outputPixels).isEmpty
        scratch.initializeMemory(as: Int8.self, repeating: a.inputZeroPoint, count: layout.inputsOffset)
        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            var first = own.lowerBound
            while first < own.upperBound {
                let stop = min(first + layout.panelsAtOnce, own.upperBound)
                runWidenedPanels(
                    a, layout, group: group, panels: first..<stop, pixels: pixelRange, isWidened: isWidened,
                    scratch: scratch)
                isWidened = false
                first = stop
            }
        }
    }

    /// Some panels of one group, whose weights lie widened in scratch or not, by all of `pixels`.
    private func runWidenedPanels(
        _ a: ConvolutionArguments, _ layout: WidenedLayout, group: Int, panels: Range<Int>, pixels: Range<Int>,
        isWidened: Bool, scratch: UnsafeMutableRawPointer
    ) {
        let g = geometry
        let used = kernels.widened.unsafelyUnwrapped
        let packedPanel = group * Packing.panels(g) + panels.lowerBound
        let firstChannel = panels.lowerBound * Packing.panelWidth
        let channels = min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
        let outputChannel = group * g.outputChannelsPerGroup + firstChannel
        let inputs = (scratch + layout.inputsOffset).assumingMemoryBound(to: Int16.self)
        let weights =
            layout.joinsTaps ? a.prepared.unsafelyUnwrapped.assumingMemoryBound(to: Int8.self) : a.weights
        var read = image(a, group: group, padding: scratch)
        if g.isPointwise {
            read.height = 1
            read.width = Int32(layout.width)
        }
        var widening = swiftlet_widen_s8_arguments(
            image: read, output: inputs, rowStride: layout.rowStride, inputs: Int32(g.inputChannelsPerGroup), row: 0,
            first: 0, pixels: 0)
        var arguments = swiftlet_gemm_s16s8_arguments(
            inputs: inputs, pixelStride: g.strideX * g.inputChannelsPerGroup, rowStride: layout.rowStride,
            weights: weights + packedPanel * widenedPanelBytes(layout), panelStride: widenedPanelBytes(layout),
            widenedWeights: (scratch + layout.weightsOffset).assumingMemoryBound(to: Int16.self),
            bias: a.bias + packedPanel * Packing.panelWidth, scales: a.scales + packedPanel * Packing.panelWidth,
            output: nil, outputPixelStride: a.outputPixelStride, rows: Int32(g.kernelHeight),
            pairs: Int32(layout.rowInputs / 2), pixels: 0, channels: Int32(channels),
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest, isWidened: isWidened ? 1 : 0)
        used.widen.markExecuted()
        kernel.markExecuted()
        var start = pixels.lowerBound
        while start < pixels.upperBound {
            let (row, first) = start.quotientAndRemainder(dividingBy: layout.width)
            // Blocks of a row as even as they can be.
            let left = min(layout.width - first, pixels.upperBound - start)
            let blocks = (left + layout.blockPixels - 1) / layout.blockPixels
            let count = (left + blocks - 1) / blocks
            widening.row = Int32(row)
            widening.first = Int32(first)
            widening.pixels = Int32(count)
            used.widen.entry.pointee.function.widen_s8(&widening)
            arguments.pixels = Int32(count)
            arguments.output = a.output + (start * a.outputPixelStride + outputChannel)
            kernel.entry.pointee.function.gemm_s16s8(&arguments)
            arguments.isWidened = 1
            a.epilogue.finish(
                kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: start..<start + count,
                channels: outputChannel..<outputChannel + channels)
            start += count
        }
    }
}
