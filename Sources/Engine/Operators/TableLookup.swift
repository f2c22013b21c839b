import Kernels
import NestFormat

/// Look-up of every int8 (index q + 128): `entries` are 256 int8 or 256 float32 in the weights section. Unary functions,
/// requantization and dequantization of int8 tensors.
public struct TableLookup: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, outputType: DeviceType, tableOffset: Int
    public init(input: FeatureMap, output: FeatureMap, outputType: DeviceType, tableOffset: Int) {
        (self.input, self.output, self.outputType, self.tableOffset) = (input, output, outputType, tableOffset)
    }
}

extension TableLookup: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(input)
        writer.write(output)
        writer.write(outputType.rawValue)
        writer.writeSize(tableOffset)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let outputType = try reader.readDeviceType()
        self.init(input: input, output: output, outputType: outputType, tableOffset: try reader.readSize())
    }

    var resultType: DeviceType { outputType }

    var work: UInt64 { UInt64(output.pixels) * UInt64(output.channels) * 2 }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(outputType == .int8 || outputType == .float32, "a table gives neither int8 nor float32")
        try checker.map(input, elementBytes: 1)
        try checker.map(output, elementBytes: outputType.byteCount)
        try checker.require(
            input.height == output.height && input.width == output.width && input.channels == output.channels,
            "input and output differ in shape")
        try checker.tensor(tableOffset, count: 256, bytesEach: outputType.byteCount)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) {
        output.forEachPiece(elementBytes: outputType.byteCount, body)
    }

    func run(_ context: ExecutionContext, part: Part) {
        let source = UnsafePointer(context.arenaInt8(input.offset))
        if outputType == .int8 {
            return context.kernels.lookUp(
                table: context.table(tableOffset), input: source, inputPixelStride: input.pixelStride,
                output: context.arenaInt8(output.offset), outputPixelStride: output.pixelStride, pixels: output.pixels,
                channels: output.channels, part: part)
        }
        let table = context.weightsFloat(tableOffset)
        let target = context.arenaFloat(output.offset)
        if input.pixelStride == input.channels && output.pixelStride == output.channels {
            let share = part.range(of: output.pixels * output.channels)
            return lookUpFloat(
                table: table, input: source + share.lowerBound, output: target + share.lowerBound, count: share.count)
        }
        for pixel in part.range(of: output.pixels) {
            lookUpFloat(
                table: table, input: source + pixel * input.pixelStride, output: target + pixel * output.pixelStride,
                count: output.channels)
        }
    }
}
