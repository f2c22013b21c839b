import CLinux

/// Zero-filled memory that starts at a multiple of 64 bytes, freed with this object.
public final class AlignedMemory {
    public let bytes: UnsafeMutableRawBufferPointer

    /// Throws ENOMEM when the system has not that much.
    public init(byteCount: Int) throws(SystemError) {
        precondition(byteCount >= 0)
        guard let start = swiftlet_aligned_allocate(UInt64(byteCount)) else {
            throw SystemError(subject: "\(byteCount) bytes", call: "mmap", code: AlignedMemory.outOfMemory)
        }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    deinit { swiftlet_aligned_free(bytes.baseAddress, UInt64(bytes.count)) }

    /// ENOMEM on every Linux.
    private static let outOfMemory: Int32 = 12
}
