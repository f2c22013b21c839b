import CKernels

/// Pointers of one float convolution; weights and bias packed as `Packing` describes. Strides in elements.
public struct FloatConvolutionArguments {
    public var input: UnsafePointer<Float>
    public var inputPixelStride: Int
    public var weights: UnsafePointer<Float>
    public var bias: UnsafePointer<Float>
    public var output: UnsafeMutablePointer<Float>
    public var outputPixelStride: Int
    /// Clamp of the result: -infinity and infinity for none. NaN stays NaN.
    public var lowest: Float
    public var highest: Float

    public init(
        input: UnsafePointer<Float>, inputPixelStride: Int, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        output: UnsafeMutablePointer<Float>, outputPixelStride: Int, lowest: Float = -.infinity,
        highest: Float = .infinity
    ) {
        self.input = input
        self.inputPixelStride = inputPixelStride
        self.weights = weights
        self.bias = bias
        self.output = output
        self.outputPixelStride = outputPixelStride
        self.lowest = lowest
        self.highest = highest
    }
}

/// A float32 convolution (general, grouped, transposed, depthwise; fully connected as 1 × 1), the same bits everywhere:
/// every output starts with its bias and adds weight * input in the order tap, input channel, each product and each sum
/// rounded. Kernels use vectors only across output channels. A NaN result is NaN everywhere, though its payload differs
/// between architectures.
public struct FloatConvolution: Sendable {
    public let geometry: ConvolutionGeometry
    public let kernel: Kernel
    let rowsOffset: Int

    public init(_ geometry: ConvolutionGeometry, kernels: KernelSet) {
        self.geometry = geometry
        kernel = geometry.isDepthwise ? kernels.depthwiseFloat : kernels.gemmFloat
        rowsOffset = FloatConvolution.zeroRowByteCount(geometry)
    }

    static func zeroRowByteCount(_ g: ConvolutionGeometry) -> Int {
        ((g.isDepthwise ? g.inputChannels : g.inputChannelsPerGroup) * 4 + Packing.readAheadBytes + 63) / 64 * 64
    }

    /// Bytes of scratch that each thread needs, 64-byte aligned; the same for every instruction set.
    public static func scratchByteCount(_ geometry: ConvolutionGeometry) -> Int {
        zeroRowByteCount(geometry) + geometry.taps * Convolution.maximumTile * 8
    }

    /// Computes one part of the output, a range of output pixels, or of panels where pixels are few.
    @export(interface) public func run(_ a: FloatConvolutionArguments, part: Part = .whole, scratch: UnsafeMutableRawPointer) {
        let g = geometry
        scratch.initializeMemory(as: UInt8.self, repeating: 0, count: rowsOffset)
        let rows = (scratch + rowsOffset).assumingMemoryBound(to: UnsafePointer<Float>?.self)
        let zeroRow = UnsafePointer(scratch.assumingMemoryBound(to: Float.self))
        let tile = kernel.pixels
        let panelsPerGroup = g.isDepthwise ? 1 : Packing.panels(g)
        let groups = g.isDepthwise ? 1 : g.groups
        let byPanels = part.count > 1 && g.outputPixels < 8 * part.threads * tile
            && groups * panelsPerGroup >= 2 * part.count
        let pixelRange = byPanels ? 0..<g.outputPixels : part.range(of: g.outputPixels, unit: tile)
        let panelRange = byPanels ? part.range(of: groups * panelsPerGroup) : 0..<groups * panelsPerGroup
        if pixelRange.isEmpty || panelRange.isEmpty { return }

        Packing.forEachGroup(panelRange, panelsPerGroup: panelsPerGroup) { group, own in
            let input = g.isDepthwise ? a.input : a.input + group * g.inputChannelsPerGroup
            var start = pixelRange.lowerBound
            while start < pixelRange.upperBound {
                let valid = min(tile, pixelRange.upperBound - start)
                for p in 0..<tile {
                    let pixel = start + min(p, valid - 1)
                    let oy = pixel / g.outputWidth
                    let ox = pixel - oy * g.outputWidth
                    for tap in 0..<g.taps {
                        if let source = g.inputPixel(oy: oy, ox: ox, tap: tap) {
                            rows[tap * tile + p] = input + source * a.inputPixelStride
                        } else {
                            rows[tap * tile + p] = zeroRow
                        }
                    }
                }
                if g.isDepthwise {
                    runDepthwise(a, rows: rows, pixel: start, pixels: valid)
                } else {
                    runGemm(a, rows: rows, group: group, panels: own, pixel: start, pixels: valid)
                }
                start += valid
            }
        }
    }

    @inline(__always)
    private func runGemm(
        _ a: FloatConvolutionArguments, rows: UnsafeMutablePointer<UnsafePointer<Float>?>, group: Int,
        panels: Range<Int>, pixel: Int, pixels: Int
    ) {
        let g = geometry
        let panel = group * Packing.panels(g) + panels.lowerBound
        let firstChannel = panels.lowerBound * Packing.panelWidth
        let channels = min(panels.upperBound * Packing.panelWidth, g.outputChannelsPerGroup) - firstChannel
        var arguments = swiftlet_gemm_f32_arguments(
            rows: UnsafePointer(rows),
            weights: a.weights + panel * g.taps * g.inputChannelsPerGroup * Packing.panelWidth,
            bias: a.bias + panel * Packing.panelWidth,
            output: a.output + (pixel * a.outputPixelStride + group * g.outputChannelsPerGroup + firstChannel),
            outputPixelStride: a.outputPixelStride, taps: Int32(g.taps), inputs: Int32(g.inputChannelsPerGroup),
            pixels: Int32(pixels), channels: Int32(channels), lowest: a.lowest, highest: a.highest)
        kernel.markExecuted()
        if let function = kernel.entry.pointee.function.gemm_f32 {
            function(&arguments)
        } else {
            gemmFloatScalar(arguments)
        }
    }

    @inline(__always)
    private func runDepthwise(
        _ a: FloatConvolutionArguments, rows: UnsafeMutablePointer<UnsafePointer<Float>?>, pixel: Int, pixels: Int
    ) {
        let g = geometry
        var arguments = swiftlet_depthwise_f32_arguments(
            rows: UnsafePointer(rows), weights: a.weights, bias: a.bias,
            output: a.output + pixel * a.outputPixelStride, outputPixelStride: a.outputPixelStride,
            taps: Int32(g.taps), pixels: Int32(pixels), channels: Int32(g.outputChannels), lowest: a.lowest,
            highest: a.highest)
        kernel.markExecuted()
        if let function = kernel.entry.pointee.function.depthwise_f32 {
            function(&arguments)
        } else {
            depthwiseFloatScalar(arguments)
        }
    }
}
