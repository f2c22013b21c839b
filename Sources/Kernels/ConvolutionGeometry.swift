/// Shape of a two-dimensional convolution, batch 1, NHWC. The element (y, x, c) of a tensor is at
/// base + (y * width + x) * pixelStride + c, with pixelStride >= channels, so a tensor can be a slice of channels of a
/// wider one.
///
/// Output (oy, ox) of a convolution reads input (oy * strideY - padTop + ky * dilationY, …) for every tap (ky, kx).
/// A transposed convolution reads, for every tap, input (ny / strideY, …) with ny = oy + padTop - ky * dilationY where
/// the division leaves no remainder. A tap outside the input reads the input zero point (0 in float). The tap order is
/// (ky, kx), row-major. Bottom and right padding follow from the output size.
public struct ConvolutionGeometry: Sendable, Equatable {
    public var inputHeight: Int
    public var inputWidth: Int
    public var outputHeight: Int
    public var outputWidth: Int
    public var groups: Int
    public var inputChannelsPerGroup: Int
    public var outputChannelsPerGroup: Int
    public var kernelHeight: Int
    public var kernelWidth: Int
    public var strideY: Int
    public var strideX: Int
    public var dilationY: Int
    public var dilationX: Int
    public var padTop: Int
    public var padLeft: Int
    public var isTransposed: Bool

    public init(
        inputHeight: Int, inputWidth: Int, outputHeight: Int, outputWidth: Int, groups: Int = 1,
        inputChannelsPerGroup: Int, outputChannelsPerGroup: Int, kernelHeight: Int = 1, kernelWidth: Int = 1,
        strideY: Int = 1, strideX: Int = 1, dilationY: Int = 1, dilationX: Int = 1, padTop: Int = 0, padLeft: Int = 0,
        isTransposed: Bool = false
    ) {
        self.inputHeight = inputHeight
        self.inputWidth = inputWidth
        self.outputHeight = outputHeight
        self.outputWidth = outputWidth
        self.groups = groups
        self.inputChannelsPerGroup = inputChannelsPerGroup
        self.outputChannelsPerGroup = outputChannelsPerGroup
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.strideY = strideY
        self.strideX = strideX
        self.dilationY = dilationY
        self.dilationX = dilationX
        self.padTop = padTop
        self.padLeft = padLeft
        self.isTransposed = isTransposed
    }

    public var inputChannels: Int { groups * inputChannelsPerGroup }
    public var outputChannels: Int { groups * outputChannelsPerGroup }
    public var outputPixels: Int { outputHeight * outputWidth }
    /// Taps per output pixel.
    public var taps: Int { kernelHeight * kernelWidth }
    /// Whether every group has one input and one output channel: what the depthwise kernels compute.
    public var isDepthwise: Bool { inputChannelsPerGroup == 1 && outputChannelsPerGroup == 1 && groups > 1 }
    /// Whether output pixel p reads input pixel p alone.
    public var isPointwise: Bool {
        taps == 1 && strideY == 1 && strideX == 1 && padTop == 0 && padLeft == 0
            && outputHeight == inputHeight && outputWidth == inputWidth
    }
    /// Multiply-accumulate operations, padding included, tails of panels not.
    public var multiplyAccumulates: Int { outputPixels * taps * inputChannelsPerGroup * outputChannels }

    /// The input coordinate that tap `k` of output `o` reads along one axis, nil where it reads padding.
    @inlinable @inline(__always)
    func inputCoordinate(
        _ o: Int, tap k: Int, stride: Int, dilation: Int, pad: Int, size: Int
    ) -> Int? {
        if isTransposed {
            let n = o + pad - k * dilation
            guard n >= 0, n % stride == 0, n / stride < size else { return nil }
            return n / stride
        }
        let i = o * stride - pad + k * dilation
        return i >= 0 && i < size ? i : nil
    }

    /// The flat input pixel that tap `tap` of output (oy, ox) reads, nil where it reads padding.
    @inlinable @inline(__always)
    func inputPixel(oy: Int, ox: Int, tap: Int) -> Int? {
        let ky = tap / kernelWidth
        let kx = tap - ky * kernelWidth
        guard
            let iy = inputCoordinate(oy, tap: ky, stride: strideY, dilation: dilationY, pad: padTop, size: inputHeight),
            let ix = inputCoordinate(ox, tap: kx, stride: strideX, dilation: dilationX, pad: padLeft, size: inputWidth)
        else { return nil }
        return iy * inputWidth + ix
    }
}
