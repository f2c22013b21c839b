/// Fixed numbers of the format, and bounds on what a reader accepts.
public enum NestLimits {
    /// 0x89 "NEST" CR LF 0x1A: not text, and broken by transfers that rewrite line ends.
    public static let magic: [UInt8] = [0x89, 0x4e, 0x45, 0x53, 0x54, 0x0d, 0x0a, 0x1a]
    public static let headerBytes = 64
    public static let sectionEntryBytes = 32
    /// Version that the writer writes, and the newest that the reader understands.
    public static let formatVersion: UInt32 = 1
    public static let maxSections = 64
    public static let sectionAlignment = 64
    public static let weightsAlignment = 4096
    /// Tensors inside the weights section and buffers in the arena start at multiples of this.
    public static let tensorAlignment = 64
    /// Zero bytes that follow the last weight: kernels may read, and ignore, that far past a tensor's end.
    public static let readAheadBytes = 64
    public static let maxPorts = 64
    public static let maxAxes = 6
    public static let maxOperations = 65_536
    public static let maxNameBytes = 1024
    /// Weights and arena stay addressable on 32-bit devices.
    public static let maxArenaBytes = 1 << 30
    public static let maxWeightsBytes = 1 << 30
    /// Multiply-accumulates, or element visits, that one inference may cost.
    public static let maxWork: UInt64 = 1 << 42
}
