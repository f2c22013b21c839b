import Kernels
import NestFormat
import Platform

/// Why a session could not start.
public enum SessionError: Error, Sendable {
    case kernels(KernelSelectionError)
    case system(SystemError)

    /// Stable name: `swiftlet explain NAME`.
    public var name: StaticString {
        switch self {
        case .kernels: "isa-unavailable"
        case .system(let error): error.name
        }
    }

    /// One line with the facts.
    public var message: String {
        switch self {
        case .kernels(.forcedISAUnavailable(let isa)):
            "this CPU or this build can't run \(string(isa.name)) kernels; available: \(Session.availableISANames)"
        case .system(let error): error.message
        }
    }

    /// What it means and what to do.
    public var explanation: StaticString {
        switch self {
        case .kernels: SessionError.isaExplanation
        case .system: SystemError.explanation
        }
    }

    /// Explanation of `isa-unavailable`.
    public static var isaExplanation: StaticString {
        """
        The forced instruction set is not one that this CPU runs. Leave --force-isa out to get the fastest kernels, or \
        name one that the message lists.
        """
    }
}

func string(_ text: StaticString) -> String {
    String(decoding: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), as: UTF8.self)
}

/// Runs a model: owns the arena, the threads and their scratch. All memory is allocated at start; `run` allocates nothing
/// and can't fail. Results are the same bytes for every thread count and instruction set. One caller at a time.
public final class Session {
    public let model: Model
    public let threadCount: Int
    public let kernels: KernelSet
    /// Nanoseconds that each operation of the plan took in the last run.
    public let layerNanoseconds: UnsafeBufferPointer<UInt64>
    /// Nanoseconds that one reading of the clock takes here: what timing costs an operation, measured once a process.
    public let timingNanoseconds: Double

    private let arena: AlignedMemory
    private let scratch: AlignedMemory
    private let prepared: AlignedMemory
    private let inputMemory: [UnsafeMutableRawBufferPointer]
    private let outputMemory: [UnsafeMutableRawBufferPointer]
    private let scratchByteCount: Int
    private let fitsTables: Bool
    private let pool: WorkerPool
    private let steps: UnsafeMutableBufferPointer<Step>
    private let times: UnsafeMutableBufferPointer<UInt64>
    private var current = 0

    private struct Step {
        let operation: Operation
        let kernels: ChosenKernels
        let parts: Int
        /// Offsets in `prepared`.
        let preparedOffset: Int
        let preparedTableOffset: Int
    }

    /// Below this work (multiply-accumulates or their like) a thread more costs more than it gives.
    public static let minimumWorkPerPart: UInt64 = 1 << 16

    /// Parts of an operation: one a thread, or up to four a thread where each is at least sixteen times `minimum`, so that
    /// threads on faster processors take over from slower ones.
    static func parts(work: UInt64, threadCount: Int, minimum: UInt64) -> Int {
        let useful = Int(clamping: work / max(1, minimum))
        if useful < threadCount || threadCount == 1 { return max(1, min(threadCount, useful)) }
        let each = useful / (16 * threadCount)
        return threadCount * (each >= 4 ? 4 : each >= 2 ? 2 : 1)
    }

    /// - Parameters:
    ///   - threadCount: threads, the caller's included: 1 … 256.
    ///   - forcing: an instruction set to use instead of the best one.
    ///   - features: of the CPU, for tests.
    ///   - minimumWorkPerPart: operations with less work than this a thread use fewer threads.
    @export(interface) public convenience init(
        model: Model, threadCount: Int = 1, forcing: ISA? = nil, features: CPUFeatures = .current,
        minimumWorkPerPart: UInt64 = Session.minimumWorkPerPart
    ) throws(SessionError) {
        let kernels: KernelSet
        do throws(KernelSelectionError) {
            kernels = try KernelSet(features: features, forcing: forcing)
        } catch {
            throw .kernels(error)
        }
        try self.init(
            model: model, threadCount: threadCount, kernels: kernels, minimumWorkPerPart: minimumWorkPerPart)
    }

    /// A session with kernels chosen before.
    @export(interface) public init(
        model: Model, threadCount: Int, kernels: KernelSet, minimumWorkPerPart: UInt64 = Session.minimumWorkPerPart
    ) throws(SessionError) {
        precondition(threadCount >= 1 && threadCount <= 256, "1 to 256 threads")
        (self.model, self.threadCount, self.kernels) = (model, threadCount, kernels)
        scratchByteCount = model.scratchByteCount
        fitsTables = kernels.preparedTableByteCount > 0
        let weights = model.file.weights.baseAddress!
        let operations = model.plan.operations
        let chosen = operations.map { $0.operation.chooseKernels(kernels, weights: weights) }
        let preparedByteCounts = zip(operations, chosen).map { $0.operation.preparedByteCount($1, kernels) }
        do throws(SystemError) {
            arena = try AlignedMemory(byteCount: model.plan.arenaBytes + NestLimits.readAheadBytes)
            scratch = try AlignedMemory(byteCount: threadCount * scratchByteCount)
            prepared = try AlignedMemory(byteCount: preparedByteCounts.reduce(0, +))
            pool = try WorkerPool(threadCount: threadCount)
        } catch {
            throw .system(error)
        }
        let bytes = arena.bytes
        func memory(of port: PortDescriptor) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(rebasing: bytes[port.arenaOffset..<port.arenaOffset + port.storedByteCount])
        }
        inputMemory = model.plan.inputs.map(memory)
        outputMemory = model.plan.outputs.map(memory)
        steps = .allocate(capacity: operations.count)
        var preparedOffset = 0
        for (index, planned) in operations.enumerated() {
            let parts = Session.parts(
                work: planned.operation.work, threadCount: threadCount, minimum: minimumWorkPerPart)
            steps.initializeElement(
                at: index,
                to: Step(
                    operation: planned.operation, kernels: chosen[index], parts: parts,
                    preparedOffset: preparedOffset,
                    preparedTableOffset: preparedOffset + chosen[index].preparedByteCount))
            planned.operation.prepare(
                chosen[index], kernels, weights: weights, into: prepared.bytes.baseAddress! + preparedOffset)
            preparedOffset += preparedByteCounts[index]
        }
        times = .allocate(capacity: operations.count)
        times.initialize(repeating: 0)
        layerNanoseconds = UnsafeBufferPointer(times)
        timingNanoseconds = Session.clockNanoseconds
    }

    deinit {
        steps.deinitialize()
        steps.deallocate()
        times.deallocate()
    }

    private static let clockNanoseconds = measureClock()

    private static func measureClock() -> Double {
        let readings = 256
        let start = MonotonicClock.now()
        var last = start
        for _ in 0..<readings { last = MonotonicClock.now() }
        return Double(last - start) / Double(readings)
    }

    /// Instruction sets that this CPU runs, separated by commas.
    public static var availableISANames: String {
        var names = ""
        for isa in ISA.allCases where CPUFeatures.current.supports(isa) {
            names += (names.isEmpty ? "" : ", ") + string(isa.name)
        }
        return names
    }

    /// Bytes of arena, read-ahead padding, scratch and what was prepared from the weights.
    public var memoryByteCount: Int { arena.bytes.count + scratch.bytes.count + prepared.bytes.count }

    /// Memory of input port `index`, `storedByteCount` bytes in the port's stored layout. Fill it before every run: a run
    /// may use it for other values once the input was read.
    public func input(_ index: Int) -> UnsafeMutableRawBufferPointer { inputMemory[index] }

    /// Result of the last run at output port `index`; valid until the next run or input.
    public func output(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(outputMemory[index])
    }

    /// Runs the model on what the inputs hold.
    @export(interface) public func run() {
        pool.beginJobs()
        var start = MonotonicClock.now()
        for index in 0..<steps.count {
            runStep(index)
            let end = MonotonicClock.now()
            times[index] = end - start
            start = end
        }
        pool.endJobs()
        finish()
    }

    func runStep(_ index: Int) {
        current = index
        pool.run(parts: steps[index].parts, context: Unmanaged.passUnretained(self).toOpaque()) {
            context, part, parts, thread, previous in
            let session = Unmanaged<Session>.fromOpaque(context!).takeUnretainedValue()
            let threads = min(Int(parts), session.threadCount)
            session.runPart(
                Part(index: Int(part), of: Int(parts), threads: threads, previous: Int(previous)), thread: Int(thread))
        }
    }

    private func runPart(_ part: Part, thread: Int) {
        let step = steps.baseAddress! + current
        let context = ExecutionContext(
            arena: arena.bytes.baseAddress!, weights: model.file.weights.baseAddress!, kernels: kernels,
            scratch: scratch.bytes.baseAddress! + thread * scratchByteCount,
            prepared: prepared.bytes.baseAddress! + step.pointee.preparedOffset,
            preparedTable: fitsTables ? prepared.bytes.baseAddress! + step.pointee.preparedTableOffset : nil)
        step.pointee.operation.run(context, part: part, kernels: step.pointee.kernels)
    }

    /// CPUs make NaNs of different bits: all of an output become the one of positive sign without payload.
    func finish() {
        for index in 0..<model.plan.outputs.count where model.plan.outputs[index].storedType == .float32 {
            let values = outputMemory[index].assumingMemoryBound(to: Float.self)
            for i in 0..<values.count where values[i] != values[i] { values[i] = Float(bitPattern: 0x7fc0_0000) }
        }
    }

    /// CRC-32C of the result of operation `index` right after it ran; NaNs count as the one of `finish`.
    func resultChecksum(_ index: Int) -> UInt32 {
        let operation = steps[index].operation
        let base = UnsafeRawPointer(arena.bytes.baseAddress!)
        let isWide = operation.resultType.byteCount == 4
        var crc = CRC32C()
        operation.forEachResultPiece { offset, byteCount in
            let piece = UnsafeRawBufferPointer(start: base + offset, count: byteCount)
            guard isWide else { return crc.update(piece) }
            var start = 0
            for word in stride(from: 0, to: byteCount, by: 4) {
                let value = piece.load(fromByteOffset: word, as: Float.self)
                if value != value {
                    crc.update(UnsafeRawBufferPointer(rebasing: piece[start..<word]))
                    withUnsafeBytes(of: UInt32(0x7fc0_0000).littleEndian) { crc.update($0) }
                    start = word + 4
                }
            }
            crc.update(UnsafeRawBufferPointer(rebasing: piece[start..<byteCount]))
        }
        return crc.value
    }

    /// Runs the model and calls `body` with each operation's index right after it ran, when its result can be read.
    public func run(observing body: (Int) -> Void) {
        for index in 0..<steps.count {
            runStep(index)
            body(index)
        }
        finish()
    }

    /// The elements of operation `index`'s result, packed. Valid inside `run(observing:)`.
    public func resultBytes(of index: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        let base = UnsafeRawPointer(arena.bytes.baseAddress!)
        steps[index].operation.forEachResultPiece { offset, byteCount in
            bytes += UnsafeRawBufferPointer(start: base + offset, count: byteCount)
        }
        return bytes
    }

    /// Element type of operation `index`'s result.
    public func resultType(of index: Int) -> DeviceType { steps[index].operation.resultType }

    // MARK: Facts

    /// Multiply-accumulates of operation `index`; 0 for operators that have none.
    public func macs(of index: Int) -> UInt64 { steps[index].operation.multiplyAccumulates }

    /// Threads that share operation `index`.
    public func threads(of index: Int) -> Int { min(steps[index].parts, threadCount) }

    /// Name of the kernel that does most of operation `index`, or `portable` for code without variants.
    public func kernelName(of index: Int) -> String {
        switch steps[index].kernels {
        case .integer(let chosen): return chosen.kernel.name
        case .float(let chosen): return chosen.kernel.name
        case .sparse(let chosen): return chosen.kernel.name
        case .none: break
        }
        switch steps[index].operation {
        case .elementwiseBinary(let operation):
            let isInt8 = operation.a.type == .int8 && operation.b.type == .int8 && operation.output.type == .int8
            switch operation.function {
            case .add where isInt8, .sub where isInt8: return name(of: .addInt8)
            case .mul where isInt8: return name(of: .multiplyInt8)
            default: return "portable"
            }
        case .pooling(let operation) where operation.type == .int8:
            return name(of: operation.isMax ? .maximumInt8 : .sumInt8)
        case .reduction(let operation) where operation.type == .int8 && operation.function != .min:
            return name(of: operation.function == .max ? .maximumInt8 : .sumInt8)
        case .resize(let operation) where operation.type == .int8 && !operation.isNearest:
            return name(of: operation.fixedPoint ? .bilinearFixedInt8 : .bilinearInt8)
        case .tableLookup(let operation): return operation.outputType == .int8 ? name(of: .tableInt8) : "portable"
        default: return "portable"
        }
    }

    private func name(of family: KernelFamily) -> String {
        for isa in kernels.isa.fallbacks {
            for index in 0..<Kernel.count {
                let kernel = Kernel(index: index)
                if kernel.family == family && kernel.isa == isa { return kernel.name }
            }
        }
        return "portable"
    }
}
