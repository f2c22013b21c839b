import Kernels
import NestFormat
import Platform

/// A model whose every byte was checked: any session made from it stays inside its arena and the file.
public final class Model {
    public let file: NestFile
    public let plan: Plan
    /// Cost of one inference in multiply-accumulates, or their like.
    public let work: UInt64
    private let storage: Storage

    private enum Storage {
        case borrowed
        case mapped(MappedFile)
        case copied(AlignedMemory)
    }

    /// Uses bytes that start at a multiple of 64 and stay, unchanged, as long as the model and its sessions live.
    public convenience init(borrowing bytes: UnsafeRawBufferPointer) throws(LoadError) {
        try self.init(bytes, storage: .borrowed)
    }

    /// Maps a file; its weights are used where they lie.
    @export(interface) public convenience init(path: String) throws(ModelError) {
        let map: MappedFile
        do throws(SystemError) { map = try MappedFile(path: path) } catch { throw .system(error) }
        do throws(LoadError) { try self.init(map.bytes, storage: .mapped(map)) } catch { throw .load(error) }
    }

    /// Copies a file's bytes.
    public convenience init(copying bytes: [UInt8]) throws(ModelError) {
        let memory: AlignedMemory
        do throws(SystemError) { memory = try AlignedMemory(byteCount: bytes.count) } catch { throw .system(error) }
        bytes.withUnsafeBytes { memory.bytes.copyMemory(from: $0) }
        do throws(LoadError) {
            try self.init(UnsafeRawBufferPointer(memory.bytes), storage: .copied(memory))
        } catch {
            throw .load(error)
        }
    }

    private init(_ bytes: UnsafeRawBufferPointer, storage: Storage) throws(LoadError) {
        let file = try NestFile(bytes)
        let plan = try Plan(decoding: file.plan)
        let work = try plan.check(weights: file.weights)
        try Model.checkSections(file, plan)
        (self.file, self.plan, self.work, self.storage) = (file, plan, work, storage)
    }

    /// Checks the other sections against the plan.
    private static func checkSections(_ file: NestFile, _ plan: Plan) throws(LoadError) {
        if let preprocess = file.preprocess, let tables = file.preprocessTables {
            guard let port = plan.inputs.first else {
                throw .inconsistentSection(.preprocess, reason: "the model has no input")
            }
            let shape = port.storedShape
            let picture = [preprocess.height, preprocess.width, preprocess.channels]
            guard shape.count >= 3, shape.suffix(3).elementsEqual(picture), port.elementCount == picture.reduce(1, *)
            else {
                throw .inconsistentSection(.preprocess, reason: "the picture's size is not that of input 0")
            }
            guard port.storedType == tables.type else {
                throw .inconsistentSection(.preprocess, reason: "the tables' type is not that of input 0")
            }
        }
        for index in file.decoding.outputIndices where index >= plan.outputs.count {
            throw .inconsistentSection(.decoding, reason: "an output index is beyond the model's outputs")
        }
        guard let golden = file.golden else { return }
        guard golden.inputs.count == plan.inputs.count else {
            throw .inconsistentSection(.golden, reason: "the golden inputs are not one for each input")
        }
        for (input, port) in zip(golden.inputs, plan.inputs) {
            if case .bytes(let bytes) = input, bytes.count != port.storedByteCount {
                throw .inconsistentSection(.golden, reason: "a golden input has another size than its port")
            }
        }
        guard golden.operationChecksums.count == plan.operations.count else {
            throw .inconsistentSection(.golden, reason: "the checksums are not one for each operation")
        }
        guard golden.outputDigests.count == plan.outputs.count else {
            throw .inconsistentSection(.golden, reason: "the digests are not one for each output")
        }
    }

    /// Bytes of memory that a session with `threadCount` threads and these kernels allocates besides the file's map.
    public func sessionByteCount(threadCount: Int, kernels: KernelSet) -> Int {
        let weights = file.weights.baseAddress!
        let prepared = plan.operations.reduce(0) {
            $0 + $1.operation.preparedByteCount($1.operation.chooseKernels(kernels, weights: weights), kernels)
        }
        return plan.arenaBytes + NestLimits.readAheadBytes + threadCount * scratchByteCount + prepared
    }

    /// Scratch bytes a thread.
    var scratchByteCount: Int {
        var bytes = 64
        for planned in plan.operations { bytes = max(bytes, planned.operation.scratchByteCount) }
        return (bytes + 63) / 64 * 64
    }
}
