import Engine
import Kernels
import NestFormat

/// Small generator of test data: same numbers everywhere for a seed.
struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func float(_ range: ClosedRange<Float>) -> Float { Float.random(in: range, using: &self) }
    mutating func int8(_ range: ClosedRange<Int> = -128...127) -> Int8 { Int8(int(range)) }
    mutating func bool() -> Bool { next() >> 40 & 1 == 1 }
    mutating func int8s(_ count: Int, _ range: ClosedRange<Int> = -128...127) -> [Int8] {
        (0..<count).map { _ in int8(range) }
    }
    mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -2...2) -> [Float] {
        (0..<count).map { _ in float(range) }
    }
}

func littleEndianBytes(_ values: [Int8]) -> [UInt8] { values.map { UInt8(bitPattern: $0) } }
func littleEndianBytes(_ values: [Int32]) -> [UInt8] { values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } } }
func littleEndianBytes(_ values: [Float]) -> [UInt8] { littleEndianBytes(values.map { Int32(bitPattern: $0.bitPattern) }) }

/// Puts together plans, weights and files by hand.
struct ModelBuilder {
    var arenaBytes = 0
    var weights: [UInt8] = []
    var inputs: [PortDescriptor] = []
    var outputs: [PortDescriptor] = []
    var operations: [PlannedOperation] = []

    mutating func buffer(_ byteCount: Int) -> Int {
        defer { arenaBytes += (byteCount + 63) / 64 * 64 }
        return arenaBytes
    }

    mutating func store(_ bytes: [UInt8]) -> Int {
        while weights.count % 64 != 0 { weights.append(0) }
        defer { weights += bytes }
        return weights.count
    }

    mutating func store(_ values: [Int8]) -> Int { store(littleEndianBytes(values)) }
    mutating func store(_ values: [Int32]) -> Int { store(littleEndianBytes(values)) }
    mutating func store(_ values: [Float]) -> Int { store(littleEndianBytes(values)) }

    /// A new map; `slack` channels lie unused behind each pixel.
    mutating func map(_ height: Int, _ width: Int, _ channels: Int, bytes: Int = 1, slack: Int = 0) -> FeatureMap {
        let stride = channels + slack
        return FeatureMap(
            offset: buffer(height * width * stride * bytes), height: height, width: width, channels: channels,
            pixelStride: stride)
    }

    mutating func input(_ name: String, _ shape: [Int], _ type: DeviceType, offset: Int, scale: Float = 0) {
        inputs.append(port(name, shape, type, offset, scale))
    }

    mutating func output(_ name: String, _ shape: [Int], _ type: DeviceType, offset: Int, scale: Float = 0) {
        outputs.append(port(name, shape, type, offset, scale))
    }

    private func port(_ name: String, _ shape: [Int], _ type: DeviceType, _ offset: Int, _ scale: Float) -> PortDescriptor {
        PortDescriptor(
            name: name, shape: shape, externalType: type, storedType: type, arenaOffset: offset,
            permutation: Array(shape.indices), scale: scale, zeroPoint: 0)
    }

    /// All of the map's memory, unused channels included, as an input.
    mutating func input(_ name: String, _ map: FeatureMap, _ type: DeviceType) {
        input(name, [map.height, map.width, map.pixelStride], type, offset: map.offset)
    }

    mutating func output(_ name: String, _ map: FeatureMap, _ type: DeviceType) {
        output(name, [map.height, map.width, map.pixelStride], type, offset: map.offset)
    }

    mutating func add(_ operation: Operation, _ name: String? = nil) {
        operations.append(PlannedOperation(name: name ?? "layer \(operations.count)", operation: operation))
    }

    var plan: Plan { Plan(arenaBytes: arenaBytes, inputs: inputs, outputs: outputs, operations: operations) }
    var contents: NestContents { NestContents(plan: plan.encode(), weights: weights) }
    var bytes: [UInt8] { NestWriter.encode(contents) }

    func model() throws -> Model { try Model(copying: bytes) }
    func session(threadCount: Int = 1, forcing: ISA? = nil) throws -> Session {
        try Session(model: model(), threadCount: threadCount, forcing: forcing, minimumWorkPerPart: 1)
    }
}

extension Session {
    func set(_ index: Int, _ bytes: [UInt8]) {
        precondition(bytes.count == input(index).count)
        input(index).copyBytes(from: bytes)
    }
    func set(_ index: Int, _ values: [Int8]) { set(index, littleEndianBytes(values)) }
    func set(_ index: Int, _ values: [Int32]) { set(index, littleEndianBytes(values)) }
    func set(_ index: Int, _ values: [Float]) { set(index, littleEndianBytes(values)) }

    func bytes(_ index: Int = 0) -> [UInt8] { [UInt8](output(index)) }
    func int8s(_ index: Int = 0) -> [Int8] { [Int8](output(index).assumingMemoryBound(to: Int8.self)) }
    func int32s(_ index: Int = 0) -> [Int32] { [Int32](output(index).assumingMemoryBound(to: Int32.self)) }
    func floats(_ index: Int = 0) -> [Float] { [Float](output(index).assumingMemoryBound(to: Float.self)) }
}

/// Instruction sets that this machine can run.
let runnableISAs: [ISA] = ISA.allCases.filter { CPUFeatures.current.supports($0) }

/// The sequence of documented steps from a real value in output steps to int8.
func oracleStep(_ value: Float, zeroPoint: Int32, _ low: Int = -128, _ high: Int = 127) -> Int8 {
    let rounded = Double(value).rounded(.toNearestOrEven) + Double(zeroPoint)
    return Int8(Swift.max(Double(low), Swift.min(Double(high), rounded)))
}
