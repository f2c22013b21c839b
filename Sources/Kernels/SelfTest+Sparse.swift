extension KernelTest {
    /// A convolution with pruned weights: blocks of every density, among them none and all.
    func sparseConvolution(_ random: inout TestRandom, _ number: Int) -> Bool {
        var g = random.geometry(depthwise: false)
        (g.groups, g.isTransposed) = (1, false)
        let usesWinograd = kernel.family == .winogradInt8
        if usesWinograd {
            g = random.winogradBlockGeometry()
            g.groups = 1
        } else if number % 16 == 0 {
            g = random.wideGeometry()
        }
        random.geometry = g
        let inputs = g.inputChannelsPerGroup
        let inputStride = inputs + random.int(0...5)
        let outputStride = g.outputChannels + random.int(0...5)
        let extremes = random.int(0...3) == 0
        let input = random.int8s(
            g.inputHeight * g.inputWidth * inputStride + Packing.readAheadBytes, extremes: extremes)
        let density = random.int(0...100)
        var weights = random.int8s(g.outputChannels * g.taps * inputs, lowest: -127, extremes: extremes)
        for row in 0..<g.outputChannels * g.taps {
            for first in stride(from: 0, to: inputs, by: SparseWeights.blockWidth) where random.draw(0...99) >= density {
                for i in first..<min(first + SparseWeights.blockWidth, inputs) { weights[row * inputs + i] = 0 }
            }
        }
        var bias = [Int32](repeating: 0, count: g.outputChannels)
        var scales = [Float](repeating: 0, count: g.outputChannels + Packing.readAheadBytes / 4)
        for i in 0..<g.outputChannels {
            bias[i] = Int32(random.draw(-40_000...40_000))
            scales[i] = random.scale(exponent: random.draw(0...9) == 0 ? random.draw(-40...20) : random.draw(-10 ... -4))
        }
        let zeroPoint = Int8(truncatingIfNeeded: number)
        let range = random.outputRange()
        let expected = Reference.convolution(
            g, input: input, inputPixelStride: inputStride, inputZeroPoint: zeroPoint, weights: weights, bias: bias,
            scales: scales, range: range)

        let sparse = SparseWeights(g, weights)
        let folded =
            Packing.foldedBias(g, bias: bias, weights: weights, inputZeroPoint: Int32(zeroPoint))
            + [Int32](repeating: 0, count: Packing.readAheadBytes / 4)
        let convolution = SparseConvolution(
            g, kernel: kernel, dense: Convolution(g, testing: kernel, hasSmallScales: false, kernels: kernels))
        let winogradByteCount = Convolution.WinogradBlockLayout(g).map { SparseConvolution.winogradByteCount(g, $0) }
        var output = [Int8](repeating: 99, count: g.outputPixels * outputStride + Packing.readAheadBytes)
        let threads = random.int(1...3)
        let parts = threads << random.int(0...2)
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: max(SparseConvolution.scratchByteCount(g), usesWinograd ? winogradByteCount ?? 0 : 0), alignment: 64)
        let prepared = UnsafeMutableRawPointer.allocate(byteCount: convolution.preparedByteCount, alignment: 64)
        defer {
            scratch.deallocate()
            prepared.deallocate()
        }
        var isValid = false
        output.withUnsafeMutableBufferPointer { output in
            input.withUnsafeBufferPointer { input in
                sparse.withPointers { counts, gaps, blocks in
                    isValid = SparseWeights.areValid(
                        g, counts: counts, gaps: gaps, blocks: blocks, blockCount: sparse.blocks.count / 4)
                    folded.withUnsafeBufferPointer { bias in
                        scales.withUnsafeBufferPointer { scales in
                            convolution.prepare(
                                counts: counts, blocks: blocks, bias: bias.baseAddress.unsafelyUnwrapped, into: prepared)
                            let arguments = SparseConvolutionArguments(
                                input: input.baseAddress.unsafelyUnwrapped, inputPixelStride: inputStride,
                                inputZeroPoint: zeroPoint, counts: counts, gaps: gaps, blocks: blocks,
                                bias: bias.baseAddress.unsafelyUnwrapped, scales: scales.baseAddress.unsafelyUnwrapped,
                                output: output.baseAddress.unsafelyUnwrapped, outputPixelStride: outputStride,
                                epilogue: Epilogue(output: range), prepared: UnsafeRawPointer(prepared))
                            for part in 0..<parts {
                                convolution.run(
                                    arguments, part: Part(index: part, of: parts, threads: threads, previous: part - 1),
                                    scratch: scratch)
                            }
                        }
                    }
                }
            }
        }
        return isValid
            && matches(output, expected, pixels: g.outputPixels, channels: g.outputChannels, stride: outputStride)
    }
}

extension TestRandom {
    /// A pointwise convolution of more pixels than a tile, or of more quads than one step reaches.
    mutating func wideGeometry() -> ConvolutionGeometry {
        let pixels = int(1...230)
        return ConvolutionGeometry(
            inputHeight: 1, inputWidth: pixels, outputHeight: 1, outputWidth: pixels, inputChannelsPerGroup: int(1...300),
            outputChannelsPerGroup: int(1...40))
    }
}
