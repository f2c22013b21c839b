import CKernels

extension Convolution {
    /// The kernel of whole rows where there is one for the geometry and the weights, else one of tiles.
    static func depthwiseKernel(
        _ g: ConvolutionGeometry, _ traits: Packing.WeightTraits, _ kernels: KernelSet
    ) -> Kernel {
        if let rows = g.kernelHeight == 3 ? kernels.depthwise3x3 : kernels.depthwise5x5, rows.computesRows(of: g),
            traits.hasSmallScales
        {
            return rows
        }
        return traits.containsMinus128 || traits.hasOffset ? kernels.depthwiseAnyWeight : kernels.depthwise
    }

    func runDepthwise(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        fillZeroRow(scratch, a.inputZeroPoint)
        if kernel.isDepthwiseRows {
            runDepthwiseRows(a, part: part, scratch: scratch)
        } else {
            runDepthwiseTiles(a, part: part, scratch: scratch)
        }
    }

    /// Input bytes of the rows that one call of a kernel of rows goes through, block of channels after block: they
    /// stay in a near cache meanwhile.
    private static let bandBytes = 64 << 10

    /// A depthwise convolution whole rows at a time. Dilated columns: the outputs that share columns, one in
    /// `dilationX`, are a convolution without dilation of a narrower input.
    private func runDepthwiseRows(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let blocks = (g.outputChannels + Packing.depthwiseBlock - 1) / Packing.depthwiseBlock
        // Rows as long as they suffice: a thread then reads mostly what it wrote itself.
        let unit = kernel.rowsAtOnce
        let byChannels = part.count > 1 && g.outputHeight < 2 * unit * part.threads && blocks >= part.count
        let rows = byChannels ? 0..<g.outputHeight : part.range(of: g.outputHeight, unit: unit)
        let channels = byChannels
            ? part.range(of: g.outputChannels, unit: Packing.depthwiseBlock) : 0..<g.outputChannels
        if rows.isEmpty || channels.isEmpty { return }

        let offset = channels.lowerBound
        let inputRowStride = g.inputWidth * a.inputPixelStride
        let outputRowStride = g.outputWidth * a.outputPixelStride
        let dilation = g.dilationX
        var arguments = swiftlet_depthwise_rows_s8_arguments(
            input: nil, inputPixelStride: dilation * a.inputPixelStride, inputRowStride: inputRowStride,
            padding: UnsafePointer(scratch.assumingMemoryBound(to: Int8.self)), weights: a.weights + offset * g.taps,
            bias: a.bias + offset, scales: a.scales + offset, output: nil,
            outputPixelStride: dilation * a.outputPixelStride, outputRowStride: outputRowStride,
            inputHeight: Int32(g.inputHeight), inputWidth: 0, outputWidth: 0, firstRow: 0, rows: 0,
            strideY: Int32(g.strideY), strideX: Int32(g.strideX), dilationY: Int32(g.dilationY),
            padTop: Int32(g.padTop), padLeft: Int32(g.padLeft / dilation), channels: Int32(channels.count),
            weightOffset: a.weightOffset, zeroPoint: a.epilogue.output.zeroPoint,
            lowest: a.epilogue.output.lowest, highest: a.epilogue.output.highest)
        let bandRows = max(2, Convolution.bandBytes / max(1, inputRowStride * g.strideY) / unit * unit)
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(start + bandRows, rows.upperBound)
            arguments.firstRow = Int32(start)
            arguments.rows = Int32(end - start)
            for phase in 0..<min(dilation, g.outputWidth) {
                // Where the input is narrower than the dilation, some phases read padding alone.
                arguments.input = a.input + (offset + phase * a.inputPixelStride)
                arguments.inputWidth = Int32((g.inputWidth - phase + dilation - 1) / dilation)
                arguments.outputWidth = Int32((g.outputWidth - phase + dilation - 1) / dilation)
                arguments.output = a.output + (start * outputRowStride + phase * a.outputPixelStride + offset)
                kernel.markExecuted()
                kernel.entry.pointee.function.depthwise3x3_s8(&arguments)
            }
            a.epilogue.finish(
                kernels, output: a.output, pixelStride: a.outputPixelStride,
                pixels: start * g.outputWidth..<end * g.outputWidth, channels: channels)
            start = end
        }
    }

    /// A depthwise convolution tile by tile, for any geometry: row pointers as for the matrix product.
    private func runDepthwiseTiles(_ a: ConvolutionArguments, part: Part, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        let tile = kernel.pixels
        let tiles = (g.outputPixels + tile - 1) / tile
        let blocks = (g.outputChannels + Packing.depthwiseBlock - 1) / Packing.depthwiseBlock
        let byChannels = splitsChannels(part, tiles: tiles, channelUnits: blocks)
        let pixelRange = byChannels ? 0..<g.outputPixels : part.range(of: g.outputPixels, unit: tile)
        let channels = byChannels
            ? part.range(of: g.outputChannels, unit: Packing.depthwiseBlock) : 0..<g.outputChannels
        if pixelRange.isEmpty || channels.isEmpty { return }
        let rows = (scratch + layout.rowsOffset).assumingMemoryBound(to: UnsafeRawPointer?.self)
        let offset = channels.lowerBound
        var arguments = swiftlet_depthwise_s8_arguments(
            rows: UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafePointer<Int8>?.self),
            weights: a.weights + offset * g.taps, bias: a.bias + offset,
            scales: a.scales + offset, output: nil, outputPixelStride: a.outputPixelStride, taps: Int32(g.taps),
            pixels: 0, channels: Int32(channels.count), weightOffset: a.weightOffset,
            zeroPoint: a.epilogue.output.zeroPoint, lowest: a.epilogue.output.lowest,
            highest: a.epilogue.output.highest)
        var start = pixelRange.lowerBound
        while start < pixelRange.upperBound {
            let valid = min(tile, pixelRange.upperBound - start)
            buildRows(
                rows, first: start, pixels: valid, tile: tile, input: UnsafeRawPointer(a.input + offset),
                inputPixelStride: a.inputPixelStride, elementBytes: 1, zeroRow: UnsafeRawPointer(scratch))
            arguments.output = a.output + (start * a.outputPixelStride + offset)
            arguments.pixels = Int32(valid)
            kernel.markExecuted()
            if let function = kernel.entry.pointee.function.depthwise_s8 {
                function(&arguments)
            } else {
                depthwiseInt8Scalar(arguments)
            }
            a.epilogue.finish(
                kernels, output: a.output, pixelStride: a.outputPixelStride, pixels: start..<start + valid,
                channels: channels)
            start += valid
        }
    }
}
