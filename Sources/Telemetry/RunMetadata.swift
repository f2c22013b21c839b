/// What does not change during a run. Empty text and 0 mean "not known".
public struct RunMetadata: Sendable {
    /// Name of the model, usually its file name.
    public var modelName = ""
    /// Hash of the model file, hexadecimal. Runs merge only when it is equal.
    public var modelHash = ""
    /// Size of the model file.
    public var modelBytes: UInt64 = 0
    /// Exact size of the tensor arena.
    public var arenaBytes: UInt64 = 0
    public var toolVersion = ""
    /// A name for the machine, such as its host name or board model.
    public var deviceName = ""
    public var cpuModel = ""
    /// Instruction set that the kernels of this run use, such as "avx2", "neon-dotprod" or "scalar".
    public var isa = ""
    /// The best instruction set of this CPU that the tool has kernels for.
    public var bestIsa = ""
    /// True when the user chose `isa`.
    public var isIsaForced = false
    /// Linux frequency governor, such as "ondemand".
    public var governor = ""
    /// Highest frequency the CPU states, kHz.
    public var maximumFrequencyKilohertz: UInt32 = 0
    public var threads: UInt32 = 0
    public var commandLine = ""
    /// Where frames come from, as the user wrote it.
    public var source = ""
    /// Start, seconds since 1970-01-01T00:00:00Z.
    public var startUnixSeconds: UInt64 = 0
    /// Frames per second of the schedule or camera × 1000; 0 for as fast as possible.
    public var targetMilliFramesPerSecond: UInt32 = 0
    /// A result later than this after its capture time is late, nanoseconds; 0 for no limit. Usually one frame interval.
    public var deadlineNanoseconds: UInt64 = 0
    /// The layers in execution order.
    public var layers: [LayerDescription] = []

    public init() {}
}

/// One layer of the model as it runs on this CPU.
public struct LayerDescription: Sendable {
    public var name: String
    /// Operator, such as "Conv2D".
    public var operatorName: String
    /// Kernel that runs it on this CPU; a name that ends in "__scalar" has no SIMD.
    public var kernel: String
    /// True for a layer computed in float32.
    public var isFloat: Bool
    /// Multiply-accumulate operations of one frame; 0 when it has none.
    public var multiplyAccumulates: UInt64

    public init(
        name: String, operatorName: String, kernel: String, isFloat: Bool = false, multiplyAccumulates: UInt64 = 0
    ) {
        self.name = name
        self.operatorName = operatorName
        self.kernel = kernel
        self.isFloat = isFloat
        self.multiplyAccumulates = multiplyAccumulates
    }
}

extension RunMetadata {
    func encode<Output: ByteOutput>(to output: inout Output) {
        output.putText(modelName)
        output.putText(modelHash)
        output.putVarint(modelBytes)
        output.putVarint(arenaBytes)
        output.putText(toolVersion)
        output.putText(deviceName)
        output.putText(cpuModel)
        output.putText(isa)
        output.putText(bestIsa)
        output.putFlag(isIsaForced)
        output.putText(governor)
        output.putVarint(UInt64(maximumFrequencyKilohertz))
        output.putVarint(UInt64(threads))
        output.putText(commandLine)
        output.putText(source)
        output.putVarint(startUnixSeconds)
        output.putVarint(UInt64(targetMilliFramesPerSecond))
        output.putVarint(deadlineNanoseconds)
        output.putVarint(UInt64(layers.count))
        for layer in layers {
            output.putText(layer.name)
            output.putText(layer.operatorName)
            output.putText(layer.kernel)
            output.putFlag(layer.isFloat)
            output.putVarint(layer.multiplyAccumulates)
        }
    }

    static func decode(from input: inout ByteInput) throws(DecodingFailure) -> RunMetadata {
        var result = RunMetadata()
        result.modelName = try input.text()
        result.modelHash = try input.text()
        result.modelBytes = try input.varint()
        result.arenaBytes = try input.varint()
        result.toolVersion = try input.text()
        result.deviceName = try input.text()
        result.cpuModel = try input.text()
        result.isa = try input.text()
        result.bestIsa = try input.text()
        result.isIsaForced = try input.flag()
        result.governor = try input.text()
        result.maximumFrequencyKilohertz = try input.uint32("maximum frequency above 32 bits")
        result.threads = try input.uint32("thread count above 32 bits")
        result.commandLine = try input.text()
        result.source = try input.text()
        result.startUnixSeconds = try input.varint()
        result.targetMilliFramesPerSecond = try input.uint32("frame rate above 32 bits")
        result.deadlineNanoseconds = try input.varint()
        let layerCount = try input.itemCount(ofAtLeast: 5, limit: ReportFile.layerLimit)
        result.layers.reserveCapacity(layerCount)
        for _ in 0..<layerCount {
            let name = try input.text()
            let operatorName = try input.text()
            let kernel = try input.text()
            let isFloat = try input.flag()
            result.layers.append(
                LayerDescription(
                    name: name, operatorName: operatorName, kernel: kernel, isFloat: isFloat,
                    multiplyAccumulates: try input.varint()))
        }
        return result
    }
}
