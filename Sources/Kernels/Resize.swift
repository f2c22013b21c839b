import CKernels

/// One output row of a bilinear resize of an int8 tensor: the source rows, and for each output column its source columns.
public struct BilinearRow {
    public var top: UnsafePointer<Int8>
    public var bottom: UnsafePointer<Int8>
    public var inputPixelStride: Int
    /// `width` source columns each.
    public var left: UnsafePointer<Int32>
    public var right: UnsafePointer<Int32>
    public var output: UnsafeMutablePointer<Int8>
    public var outputPixelStride: Int
    public var width: Int
    public var channels: Int

    public init(
        top: UnsafePointer<Int8>, bottom: UnsafePointer<Int8>, inputPixelStride: Int, left: UnsafePointer<Int32>,
        right: UnsafePointer<Int32>, output: UnsafeMutablePointer<Int8>, outputPixelStride: Int, width: Int,
        channels: Int
    ) {
        (self.top, self.bottom, self.inputPixelStride) = (top, bottom, inputPixelStride)
        (self.left, self.right, self.output) = (left, right, output)
        (self.outputPixelStride, self.width, self.channels) = (outputPixelStride, width, channels)
    }
}

extension KernelSet {
    /// With a, b, c, d = value - inputZeroPoint at (top, left), (top, right), (bottom, left), (bottom, right):
    /// upper = a + (b - a) * columnWeight, lower = c + (d - c) * columnWeight, and
    /// output = quantizedStep((upper + (lower - upper) * rowWeight) * multiplier), every step rounded to Float.
    /// `columnWeights` has `width` elements.
    @export(interface) public func resize(
        _ row: BilinearRow, columnWeights: UnsafePointer<Float>, rowWeight: Float, inputZeroPoint: Int32,
        multiplier: Float, zeroPoint: Int32
    ) {
        resizeInt8(
            bilinear, row, columnWeights: columnWeights, rowWeight: rowWeight, inputZeroPoint: inputZeroPoint,
            multiplier: multiplier, zeroPoint: zeroPoint)
    }

    /// The same on stored integers with weights in 1/2048, 0...2048: upper = 2048 a + (b - a) columnWeight, lower alike,
    /// output = (2048 upper + (lower - upper) rowWeight + 2^21) >> 22.
    @export(interface) public func resizeFixed(_ row: BilinearRow, columnWeights: UnsafePointer<Int32>, rowWeight: Int32) {
        resizeFixedInt8(bilinearFixed, row, columnWeights: columnWeights, rowWeight: rowWeight)
    }
}

@inline(__always)
func resizeInt8(
    _ kernel: Kernel, _ row: BilinearRow, columnWeights: UnsafePointer<Float>, rowWeight: Float,
    inputZeroPoint: Int32, multiplier: Float, zeroPoint: Int32
) {
    kernel.markExecuted()
    var arguments = swiftlet_bilinear_s8_arguments(
        top: row.top, bottom: row.bottom, inputPixelStride: row.inputPixelStride, left: row.left, right: row.right,
        columnWeights: columnWeights, rowWeight: rowWeight, multiplier: multiplier, output: row.output,
        outputPixelStride: row.outputPixelStride, width: Int32(row.width), channels: Int32(row.channels),
        inputZeroPoint: inputZeroPoint, zeroPoint: zeroPoint)
    if let function = kernel.entry.pointee.function.bilinear_s8 {
        function(&arguments)
    } else {
        bilinearInt8Scalar(arguments)
    }
}

@inline(__always)
func resizeFixedInt8(
    _ kernel: Kernel, _ row: BilinearRow, columnWeights: UnsafePointer<Int32>, rowWeight: Int32
) {
    kernel.markExecuted()
    var arguments = swiftlet_bilinearfixed_s8_arguments(
        top: row.top, bottom: row.bottom, inputPixelStride: row.inputPixelStride, left: row.left, right: row.right,
        columnWeights: columnWeights, rowWeight: rowWeight, output: row.output,
        outputPixelStride: row.outputPixelStride, width: Int32(row.width), channels: Int32(row.channels))
    if let function = kernel.entry.pointee.function.bilinearfixed_s8 {
        function(&arguments)
    } else {
        bilinearFixedInt8Scalar(arguments)
    }
}
