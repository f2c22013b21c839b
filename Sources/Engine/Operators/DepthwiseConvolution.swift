import Kernels
import NestFormat

/// int8 depthwise convolution with one output channel an input channel; fields as in `Convolution`.
public struct DepthwiseConvolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window
    public var weightsOffset: Int, biasOffset: Int, scalesOffset: Int
    public var weightOffset: Int32
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8
    public var tableOffset: Int?
    public var add: FusedAdd?
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, weightsOffset: Int, biasOffset: Int, scalesOffset: Int,
        inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8, tableOffset: Int? = nil,
        add: FusedAdd? = nil, weightOffset: Int32 = 0
    ) {
        (self.input, self.output, self.window) = (input, output, window)
        (self.weightsOffset, self.biasOffset, self.scalesOffset) = (weightsOffset, biasOffset, scalesOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.clampMin, self.clampMax) =
            (inputZeroPoint, outputZeroPoint, clampMin, clampMax)
        (self.tableOffset, self.add, self.weightOffset) = (tableOffset, add, weightOffset)
    }
}

extension DepthwiseConvolution: IntegerConvolution {
    /// One group a channel.
    var groups: Int { input.channels }
    var isTransposed: Bool { false }

    func encode(into writer: inout ByteWriter) {
        writer.write(input)
        writer.write(output)
        writer.write(window)
        encodeTail(into: &writer)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        guard input.channels == output.channels else {
            throw reader.malformed("a depthwise convolution changes the number of channels")
        }
        let window = try reader.readWindow()
        let weightOffset = try reader.readInt32()
        let weightsOffset = try reader.readSize()
        let biasOffset = try reader.readSize()
        let scalesOffset = try reader.readSize()
        let inputZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        let clampMin = try reader.readInt8()
        let clampMax = try reader.readInt8()
        let tableOffset = try reader.readBool() ? try reader.readSize() : nil
        let add = try reader.readBool() ? try FusedAdd(decoding: &reader) : nil
        self.init(
            input: input, output: output, window: window, weightsOffset: weightsOffset, biasOffset: biasOffset,
            scalesOffset: scalesOffset, inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint,
            clampMin: clampMin, clampMax: clampMax, tableOffset: tableOffset, add: add,
            weightOffset: weightOffset)
    }
}
