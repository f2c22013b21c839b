import Kernels
import NestFormat

/// float32 convolution (grouped, depthwise, transposed, fully connected). Weights packed float32, bias float32. One fixed
/// order of summation: tap, then channel; product, then sum, never fused. Then clamp.
public struct FloatConvolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool
    public var weightsOffset: Int, biasOffset: Int, clampMin: Float, clampMax: Float
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool, weightsOffset: Int,
        biasOffset: Int, clampMin: Float, clampMax: Float
    ) {
        (self.input, self.output, self.window, self.groups) = (input, output, window, groups)
        (self.isTransposed, self.weightsOffset, self.biasOffset) = (isTransposed, weightsOffset, biasOffset)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

extension FloatConvolution: DeviceOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(input)
        writer.write(output)
        writer.write(window)
        writer.writeCount(groups)
        writer.write(isTransposed)
        writer.writeSize(weightsOffset)
        writer.writeSize(biasOffset)
        writer.write(clampMin)
        writer.write(clampMax)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let window = try reader.readWindow()
        let groups = try reader.readCount()
        let isTransposed = try reader.readBool()
        let weightsOffset = try reader.readSize()
        let biasOffset = try reader.readSize()
        let clampMin = try reader.readFloat()
        self.init(
            input: input, output: output, window: window, groups: groups, isTransposed: isTransposed,
            weightsOffset: weightsOffset, biasOffset: biasOffset, clampMin: clampMin, clampMax: try reader.readFloat())
    }

    var resultType: DeviceType { .float32 }

    var geometry: ConvolutionGeometry {
        makeGeometry(input: input, output: output, window: window, groups: groups, isTransposed: isTransposed)
    }

    var work: UInt64 { convolutionWork(geometry) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checkConvolution(
            checker, input: input, output: output, window: window, groups: groups, elementBytes: 4)
        let geometry = geometry
        try checker.tensor(weightsOffset, count: Int64(Packing.floatWeightCount(geometry)), bytesEach: 4)
        try checker.tensor(biasOffset, count: Int64(Packing.floatBiasCount(geometry)), bytesEach: 4)
        try checker.clamp(clampMin, clampMax)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { output.forEachPiece(elementBytes: 4, body) }

    func run(_ context: ExecutionContext, part: Part, kernels: borrowing Kernels.FloatConvolution) {
        kernels.run(
            FloatConvolutionArguments(
                input: UnsafePointer(context.arenaFloat(input.offset)), inputPixelStride: input.pixelStride,
                weights: context.weightsFloat(weightsOffset), bias: context.weightsFloat(biasOffset),
                output: context.arenaFloat(output.offset), outputPixelStride: output.pixelStride, lowest: clampMin,
                highest: clampMax),
            part: part, scratch: context.scratch)
    }
}
