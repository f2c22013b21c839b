import Kernels
import NestFormat

/// int8 convolution, grouped or not, transposed or not; fully connected is 1×1 on a 1×1 map.
/// `accumulator = bias[o] + Σ (w + weightOffset)·x`, bias already holding `-inputZeroPoint·Σ(w + weightOffset)`; padding
/// reads `inputZeroPoint`.
/// Then requantize with `scales[o]`, clamp, `table` (256 int8, index q + 128), `add`.
public struct Convolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool
    /// Packed as `Kernels` says (`Packing`); bias int32 and scales float32 padded likewise. Offsets in the weights section.
    public var weightsOffset: Int, biasOffset: Int, scalesOffset: Int
    /// What every weight is larger than stored, within ±255.
    public var weightOffset: Int32
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8
    public var tableOffset: Int?
    public var add: FusedAdd?
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, groups: Int = 1, isTransposed: Bool = false,
        weightsOffset: Int, biasOffset: Int, scalesOffset: Int, inputZeroPoint: Int32, outputZeroPoint: Int32,
        clampMin: Int8, clampMax: Int8, tableOffset: Int? = nil, add: FusedAdd? = nil, weightOffset: Int32 = 0
    ) {
        (self.input, self.output, self.window, self.groups) = (input, output, window, groups)
        (self.isTransposed, self.weightsOffset, self.biasOffset, self.scalesOffset) =
            (isTransposed, weightsOffset, biasOffset, scalesOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.clampMin, self.clampMax) =
            (inputZeroPoint, outputZeroPoint, clampMin, clampMax)
        (self.tableOffset, self.add, self.weightOffset) = (tableOffset, add, weightOffset)
    }
}

extension Convolution: IntegerConvolution {
    func encode(into writer: inout ByteWriter) {
        writer.write(input)
        writer.write(output)
        writer.write(window)
        writer.writeCount(groups)
        writer.write(isTransposed)
        encodeTail(into: &writer)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let input = try reader.readFeatureMap()
        let output = try reader.readFeatureMap()
        let window = try reader.readWindow()
        let groups = try reader.readCount()
        let isTransposed = try reader.readBool()
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
            input: input, output: output, window: window, groups: groups, isTransposed: isTransposed,
            weightsOffset: weightsOffset, biasOffset: biasOffset, scalesOffset: scalesOffset,
            inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint, clampMin: clampMin, clampMax: clampMax,
            tableOffset: tableOffset, add: add, weightOffset: weightOffset)
    }
}
