/// What the kernel tells about the machine. Everything that a system does not tell is nil or "unknown", never an error.
/// `root` replaces "/" in tests.
public struct SystemInfo {
    private let root: String
    private let frequencyPath: String
    private let temperaturePaths: [String]
    private let coolingPaths: [String]
    private let statusPath: String

    public static let unknown = "unknown"

    /// Looks for sensors once; the readings below allocate nothing.
    @export(interface) public init(root: String = "") {
        self.root = root
        frequencyPath = root + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
        statusPath = root + "/proc/self/status"
        var temperatures: [String] = []
        var cooling: [String] = []
        let thermal = root + "/sys/class/thermal"
        for name in SystemInfo.names(in: thermal) {
            if name.utf8.starts(with: "thermal_zone".utf8) {
                temperatures.append("\(thermal)/\(name)/temp")
            } else if name.utf8.starts(with: "cooling_device".utf8) {
                let type = SystemInfo.text(of: "\(thermal)/\(name)/type") ?? ""
                let utf8 = type.utf8
                if utf8.starts(with: "cpufreq".utf8) || utf8.starts(with: "thermal-cpufreq".utf8)
                    || utf8.starts(with: "Processor".utf8)
                {
                    cooling.append("\(thermal)/\(name)/cur_state")
                }
            }
        }
        (temperaturePaths, coolingPaths) = (temperatures, cooling)
    }

    // MARK: Fixed

    /// The CPU's name: "model name" of /proc/cpuinfo, or the ARM core that implementer and part stand for, or the
    /// RISC-V architecture string.
    public var cpuModel: String {
        guard let text = SystemInfo.text(of: root + "/proc/cpuinfo", capacity: 1 << 16) else { return SystemInfo.unknown }
        if let name = SystemInfo.value(of: "model name", in: text) { return name }
        if let part = SystemInfo.value(of: "CPU part", in: text) {
            let implementer = SystemInfo.value(of: "CPU implementer", in: text) ?? ""
            return SystemInfo.armCore(implementer: implementer, part: part)
        }
        return SystemInfo.value(of: "uarch", in: text) ?? SystemInfo.value(of: "isa", in: text) ?? SystemInfo.unknown
    }

    /// The board (device tree), or the host's name.
    public var deviceName: String {
        SystemInfo.text(of: root + "/proc/device-tree/model")
            ?? SystemInfo.text(of: root + "/proc/sys/kernel/hostname") ?? SystemInfo.unknown
    }

    public var governor: String {
        SystemInfo.text(of: root + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") ?? SystemInfo.unknown
    }

    /// kHz; nil when not told.
    public var maximumFrequencyKilohertz: UInt32? {
        SystemInfo.number(of: root + "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").flatMap {
            UInt32(exactly: $0)
        }
    }

    // MARK: Readings

    /// Of the first CPU, kHz; nil when not told.
    public var frequencyKilohertz: UInt32? { SystemInfo.number(of: frequencyPath).flatMap { UInt32(exactly: $0) } }

    /// Of the hottest thermal zone, thousandths of a degree Celsius; nil when not told.
    public var temperatureMilliCelsius: Int32? {
        var hottest: Int32?
        for path in temperaturePaths {
            guard let value = SystemInfo.number(of: path), let reading = Int32(exactly: value) else { continue }
            if hottest == nil || reading > hottest! { hottest = reading }
        }
        return hottest
    }

    /// True while the kernel's thermal framework holds the CPU's frequency down.
    public var isThrottled: Bool {
        for path in coolingPaths {
            if let state = SystemInfo.number(of: path), state > 0 { return true }
        }
        return false
    }

    /// The process's highest resident size, bytes; nil when not told.
    public var peakResidentBytes: UInt64? {
        // 1024 bytes stay on the stack, more would be allocated; the line lies within the first 500.
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) { buffer -> UInt64? in
            guard let count = FileSystem.readSmallFile(statusPath, into: buffer) else { return nil }
            let key: StaticString = "VmHWM:"
            var i = 0
            while i + key.utf8CodeUnitCount < count {
                var matches = true
                for k in 0..<key.utf8CodeUnitCount where buffer[i + k] != key.utf8Start[k] {
                    matches = false
                    break
                }
                if matches {
                    let rest = UnsafeRawBufferPointer(
                        rebasing: UnsafeRawBufferPointer(buffer)[(i + key.utf8CodeUnitCount)..<count])
                    return SystemInfo.firstNumber(in: rest).map { UInt64($0) * 1024 }
                }
                while i < count, buffer[i] != 10 { i += 1 }
                i += 1
            }
            return nil
        }
    }

    // MARK: Parsing

    private static func names(in directory: String) -> [String] {
        do throws(SystemError) {
            return try FileSystem.names(inDirectory: directory)
        } catch {
            return []
        }
    }

    /// A file's text without the white space and NULs at its end; nil when absent or empty.
    static func text(of path: String, capacity: Int = 512) -> String? {
        withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 16) { buffer -> String? in
            guard var count = FileSystem.readSmallFile(path, into: buffer) else { return nil }
            while count > 0, buffer[count - 1] <= 32 { count -= 1 }
            guard count > 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
        }
    }

    /// The first decimal number in a file.
    static func number(of path: String) -> Int64? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { buffer -> Int64? in
            guard let count = FileSystem.readSmallFile(path, into: buffer) else { return nil }
            return firstNumber(in: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    private static func firstNumber(in bytes: UnsafeRawBufferPointer) -> Int64? {
        var i = 0
        while i < bytes.count, bytes[i] <= 32 { i += 1 }
        let isNegative = i < bytes.count && bytes[i] == UInt8(ascii: "-")
        if isNegative { i += 1 }
        var value: Int64 = 0
        var digits = 0
        while i < bytes.count, bytes[i] >= 48, bytes[i] <= 57, digits < 18 {
            value = value * 10 + Int64(bytes[i] - 48)
            digits += 1
            i += 1
        }
        guard digits > 0 else { return nil }
        return isNegative ? -value : value
    }

    /// The value in the first line "key<white space>: value".
    static func value(of key: String, in text: String) -> String? {
        let bytes = Array(text.utf8)
        let key = Array(key.utf8)
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 10 { end += 1 }
            if end - start > key.count, bytes[start..<start + key.count].elementsEqual(key) {
                var i = start + key.count
                while i < end, bytes[i] == 32 || bytes[i] == 9 { i += 1 }
                if i < end, bytes[i] == UInt8(ascii: ":") {
                    i += 1
                    while i < end, bytes[i] == 32 { i += 1 }
                    if i < end { return String(decoding: bytes[i..<end], as: UTF8.self) }
                }
            }
            start = end + 1
        }
        return nil
    }

    /// Names of ARM's own cores; others by their numbers.
    static func armCore(implementer: String, part: String) -> String {
        guard hexadecimal(implementer) == 0x41, let number = hexadecimal(part) else {
            return "implementer \(implementer) part \(part)"
        }
        switch number {
        case 0xc05: return "Cortex-A5"
        case 0xc07: return "Cortex-A7"
        case 0xc08: return "Cortex-A8"
        case 0xc09: return "Cortex-A9"
        case 0xc0e: return "Cortex-A17"
        case 0xc0f: return "Cortex-A15"
        case 0xd01: return "Cortex-A32"
        case 0xd02: return "Cortex-A34"
        case 0xd03: return "Cortex-A53"
        case 0xd04: return "Cortex-A35"
        case 0xd05: return "Cortex-A55"
        case 0xd07: return "Cortex-A57"
        case 0xd08: return "Cortex-A72"
        case 0xd09: return "Cortex-A73"
        case 0xd0a: return "Cortex-A75"
        case 0xd0b: return "Cortex-A76"
        case 0xd0c: return "Neoverse-N1"
        case 0xd0d: return "Cortex-A77"
        case 0xd40: return "Neoverse-V1"
        case 0xd41: return "Cortex-A78"
        case 0xd44: return "Cortex-X1"
        case 0xd46: return "Cortex-A510"
        case 0xd47: return "Cortex-A710"
        case 0xd48: return "Cortex-X2"
        case 0xd49: return "Neoverse-N2"
        case 0xd4d: return "Cortex-A715"
        case 0xd80: return "Cortex-A520"
        case 0xd81: return "Cortex-A720"
        default: return "Arm part \(part)"
        }
    }

    private static func hexadecimal(_ text: String) -> Int? {
        var value = 0
        var digits = 0
        for byte in text.utf8.dropFirst(2) {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value * 16 + Int(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value * 16 + Int(byte - UInt8(ascii: "a")) + 10
            default: return nil
            }
            digits += 1
            if digits > 6 { return nil }
        }
        return digits > 0 ? value : nil
    }
}
