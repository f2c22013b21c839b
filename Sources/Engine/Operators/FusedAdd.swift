import Kernels
import NestFormat

/// Residual add fused behind a convolution: `out = clamp(rne(Float(q - zc) * mc + Float(r - zr) * mr) + zo)`, q being the
/// convolution's own int8 result (zero point `zc`). Equals the unfused sequence bit for bit.
public struct FusedAdd: Sendable, Hashable {
    public var residual: FeatureMap
    public var convolutionZeroPoint: Int32, residualZeroPoint: Int32, outputZeroPoint: Int32
    public var convolutionMultiplier: Float, residualMultiplier: Float
    public var clampMin: Int8, clampMax: Int8
    public init(
        residual: FeatureMap, convolutionZeroPoint: Int32, residualZeroPoint: Int32, outputZeroPoint: Int32,
        convolutionMultiplier: Float, residualMultiplier: Float, clampMin: Int8, clampMax: Int8
    ) {
        (self.residual, self.convolutionZeroPoint, self.residualZeroPoint) =
            (residual, convolutionZeroPoint, residualZeroPoint)
        (self.outputZeroPoint, self.convolutionMultiplier, self.residualMultiplier) =
            (outputZeroPoint, convolutionMultiplier, residualMultiplier)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

extension FusedAdd {
    func encode(into writer: inout ByteWriter) {
        writer.write(residual)
        writer.write(convolutionZeroPoint)
        writer.write(residualZeroPoint)
        writer.write(outputZeroPoint)
        writer.write(convolutionMultiplier)
        writer.write(residualMultiplier)
        writer.write(clampMin)
        writer.write(clampMax)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let residual = try reader.readFeatureMap()
        let convolutionZeroPoint = try reader.readInt32()
        let residualZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        let convolutionMultiplier = try reader.readFiniteFloat()
        let residualMultiplier = try reader.readFiniteFloat()
        let clampMin = try reader.readInt8()
        self.init(
            residual: residual, convolutionZeroPoint: convolutionZeroPoint, residualZeroPoint: residualZeroPoint,
            outputZeroPoint: outputZeroPoint, convolutionMultiplier: convolutionMultiplier,
            residualMultiplier: residualMultiplier, clampMin: clampMin, clampMax: try reader.readInt8())
    }

    func check(_ checker: PlanChecker, output: FeatureMap) throws(LoadError) {
        try checker.map(residual, elementBytes: 1)
        try checker.require(
            residual.height == output.height && residual.width == output.width && residual.channels == output.channels,
            "the residual has another shape than the output")
        try checker.zeroPoint(convolutionZeroPoint)
        try checker.zeroPoint(residualZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.multiplier(convolutionMultiplier)
        try checker.multiplier(residualMultiplier)
        try checker.clamp(clampMin, clampMax)
    }

    func residual(in context: ExecutionContext) -> Epilogue.Residual {
        Epilogue.Residual(
            input: UnsafePointer(context.arenaInt8(residual.offset)), pixelStride: residual.pixelStride,
            zeroPoint: residualZeroPoint, multiplier: residualMultiplier, ownZeroPoint: convolutionZeroPoint,
            ownMultiplier: convolutionMultiplier,
            output: OutputRange(zeroPoint: outputZeroPoint, lowest: Int32(clampMin), highest: Int32(clampMax)))
    }
}
