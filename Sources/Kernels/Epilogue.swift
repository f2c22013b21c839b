/// What happens to an accumulator after a convolution. The fused result EQUALS the sequence of separate operators:
///  1. q = requantize(accumulator, scale of the channel, output)
///  2. if there is a table: q = table of q
///  3. if there is a residual: q = quantizedStep(Float(q - ownZeroPoint) * ownMultiplier
///         + Float(r - zeroPoint) * multiplier, residual.output), products and sum rounded one by one
public struct Epilogue {
    public var output: OutputRange
    public var table: LookUpTable?
    public var residual: Residual?

    public init(output: OutputRange, table: LookUpTable? = nil, residual: Residual? = nil) {
        self.output = output
        self.table = table
        self.residual = residual
    }

    /// A tensor of the output's shape that is added.
    public struct Residual {
        public var input: UnsafePointer<Int8>
        public var pixelStride: Int
        public var zeroPoint: Int32
        /// Scale of the residual over scale of the sum.
        public var multiplier: Float
        /// Zero point of the convolution's own value (after the table, if any).
        public var ownZeroPoint: Int32
        /// Scale of the convolution's own value over scale of the sum.
        public var ownMultiplier: Float
        public var output: OutputRange

        public init(
            input: UnsafePointer<Int8>, pixelStride: Int, zeroPoint: Int32, multiplier: Float, ownZeroPoint: Int32,
            ownMultiplier: Float, output: OutputRange
        ) {
            self.input = input
            self.pixelStride = pixelStride
            self.zeroPoint = zeroPoint
            self.multiplier = multiplier
            self.ownZeroPoint = ownZeroPoint
            self.ownMultiplier = ownMultiplier
            self.output = output
        }
    }

    /// Applies steps 2 and 3 in place to channels `channels` of pixels `pixels` of `output`.
    @inline(__always)
    func finish(
        _ kernels: KernelSet, output base: UnsafeMutablePointer<Int8>, pixelStride: Int, pixels: Range<Int>,
        channels: Range<Int>
    ) {
        if table == nil && residual == nil { return }
        // Pixels without gaps between them are one run of values.
        let isContiguous = channels.count == pixelStride && (residual?.pixelStride ?? pixelStride) == pixelStride
        let (runs, width) = isContiguous ? (1, pixels.count * pixelStride) : (pixels.count, channels.count)
        let values = base + (pixels.lowerBound * pixelStride + channels.lowerBound)
        if let table {
            tableInt8(
                kernels.table, table: table, input: UnsafePointer(values), inputStride: pixelStride, output: values,
                outputStride: pixelStride, count: width, rows: runs)
        }
        guard let residual else { return }
        let parameters = AddParameters(
            aZeroPoint: residual.ownZeroPoint, aMultiplier: residual.ownMultiplier, bZeroPoint: residual.zeroPoint,
            bMultiplier: residual.multiplier, output: residual.output)
        let others = residual.input + (pixels.lowerBound * residual.pixelStride + channels.lowerBound)
        addInt8(
            kernels.add,
            ElementwiseRows(
                a: UnsafePointer(values), aStride: pixelStride, b: others, bStride: residual.pixelStride, output: values,
                outputStride: pixelStride, count: width, rows: runs), parameters)
    }
}
