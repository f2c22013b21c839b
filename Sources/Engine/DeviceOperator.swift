import Kernels
import NestFormat

/// What every operator of the device provides: its record in the plan section, its checks at load, its execution.
/// A run after a passed check reads and writes inside the arena and the weights section only, whatever the data.
protocol DeviceOperator {
    /// Writes the fields in order of declaration.
    func encode(into writer: inout ByteWriter)
    /// Reads the fields; `check` judges them.
    init(decoding reader: inout ByteReader) throws(LoadError)
    /// Throws when the operator reads or writes outside its buffers or has values that make no sense.
    func check(_ checker: PlanChecker) throws(LoadError)
    /// Cost of a run in multiply-accumulates, or their like. Meaningful after `check`.
    var work: UInt64 { get }
    /// Element type of the result.
    var resultType: DeviceType { get }
    /// Calls `body` with the byte offset in the arena and byte count of pieces that make up the result, in its order.
    func forEachResultPiece(_ body: (_ offset: Int, _ byteCount: Int) -> Void)
}

/// An operator that needs no kernels chosen ahead.
protocol DirectOperator: DeviceOperator {
    /// Computes one part; all parts together write every result element once.
    func run(_ context: ExecutionContext, part: Part)
}

/// Where an operator finds its bytes.
struct ExecutionContext {
    let arena: UnsafeMutableRawPointer
    let weights: UnsafeRawPointer
    let kernels: KernelSet
    /// Memory of this thread alone, `scratchByteCount` of the greediest operator, 64-byte aligned.
    let scratch: UnsafeMutableRawPointer
    /// What the session prepared for this operator at its start, if anything.
    let prepared: UnsafeRawPointer?
    /// What it prepared for this operator's table of int8, if anything.
    let preparedTable: UnsafeRawPointer?

    @inline(__always)
    func arenaInt8(_ offset: Int) -> UnsafeMutablePointer<Int8> { (arena + offset).assumingMemoryBound(to: Int8.self) }

    @inline(__always)
    func arenaFloat(_ offset: Int) -> UnsafeMutablePointer<Float> {
        (arena + offset).assumingMemoryBound(to: Float.self)
    }

    @inline(__always)
    func arenaInt32(_ offset: Int) -> UnsafeMutablePointer<Int32> {
        (arena + offset).assumingMemoryBound(to: Int32.self)
    }

    @inline(__always)
    func weightsInt8(_ offset: Int) -> UnsafePointer<Int8> { (weights + offset).assumingMemoryBound(to: Int8.self) }

    /// The operator's table of int8, `Operation.tableOffset`.
    @inline(__always)
    func table(_ offset: Int) -> LookUpTable { LookUpTable(entries: weightsInt8(offset), prepared: preparedTable) }

    @inline(__always)
    func weightsFloat(_ offset: Int) -> UnsafePointer<Float> { (weights + offset).assumingMemoryBound(to: Float.self) }

    @inline(__always)
    func weightsInt32(_ offset: Int) -> UnsafePointer<Int32> { (weights + offset).assumingMemoryBound(to: Int32.self) }

    @inline(__always)
    func base(_ space: Space) -> UnsafeRawPointer { space == .arena ? UnsafeRawPointer(arena) : weights }
}
