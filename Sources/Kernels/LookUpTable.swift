import CKernels

/// A function of int8: 256 entries, for -128 ... 127 in that order, and where a session prepared it, the form in which its
/// kernel looks it up with less work.
public struct LookUpTable {
    public var entries: UnsafePointer<Int8>
    let fitted: UnsafePointer<swiftlet_fitted_table>?

    /// - Parameter prepared: what `KernelSet.prepareTable` wrote for these entries; nil: nothing was prepared.
    public init(entries: UnsafePointer<Int8>, prepared: UnsafeRawPointer? = nil) {
        self.entries = entries
        fitted = prepared?.assumingMemoryBound(to: swiftlet_fitted_table.self)
    }
}

extension KernelSet {
    /// Bytes that `prepareTable` writes, a multiple of 64; 0 where the kernel reads nothing but a table's entries.
    public var preparedTableByteCount: Int {
        table.isa == .avx2 ? (MemoryLayout<swiftlet_fitted_table>.size + 63) / 64 * 64 : 0
    }

    /// Looks for the form of 256 entries that `LookUpTable` keeps. Once a session, at its start.
    /// - Precondition: `memory` has `preparedTableByteCount` bytes, not 0.
    public func prepareTable(_ entries: UnsafePointer<Int8>, into memory: UnsafeMutableRawPointer) {
        swiftlet_fit_table_s8(entries, memory.assumingMemoryBound(to: swiftlet_fitted_table.self))
    }
}
