/// JSON text in memory that is taken once. Numbers have a fixed number of decimals and no exponent, so equal results give
/// equal bytes everywhere.
public struct JSONLine {
    private let memory: UnsafeMutablePointer<UInt8>
    public let capacity: Int
    private(set) public var count = 0
    /// A comma is due before the next value or key.
    private var needsComma = false

    public init(capacity: Int) {
        self.capacity = capacity
        memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    }

    public func deallocate() { memory.deallocate() }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    public mutating func removeAll() {
        count = 0
        needsComma = false
    }

    // MARK: Structure

    public mutating func beginObject() {
        separate()
        put(UInt8(ascii: "{"))
        needsComma = false
    }

    public mutating func endObject() {
        put(UInt8(ascii: "}"))
        needsComma = true
    }

    public mutating func beginArray() {
        separate()
        put(UInt8(ascii: "["))
        needsComma = false
    }

    public mutating func endArray() {
        put(UInt8(ascii: "]"))
        needsComma = true
    }

    /// A key that needs no escapes.
    public mutating func key(_ name: StaticString) {
        separate()
        put(UInt8(ascii: "\""))
        for i in 0..<name.utf8CodeUnitCount { put(name.utf8Start[i]) }
        put(UInt8(ascii: "\""))
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func endLine() {
        put(10)
        needsComma = false
    }

    // MARK: Values

    public mutating func value(_ integer: Int) {
        separate()
        digits(integer)
        needsComma = true
    }

    /// Rounded to `decimals` (0 … 9), ties to even; null for infinities, NaN and magnitudes from 10^15.
    public mutating func value(_ real: Double, decimals: Int) {
        separate()
        needsComma = true
        guard abs(real) < 1e15 else {
            put("null")
            return
        }
        var power = 1.0
        for _ in 0..<decimals { power *= 10 }
        // The whole part first, so that 15 digits before the point leave nothing to overflow behind it.
        let magnitude = abs(real)
        var whole = Int64(decimals > 0 ? magnitude : magnitude.rounded(.toNearestOrEven))
        var fraction = decimals > 0 ? Int64(((magnitude - Double(whole)) * power).rounded(.toNearestOrEven)) : 0
        if fraction >= Int64(power) {
            fraction -= Int64(power)
            whole += 1
        }
        if real < 0, whole != 0 || fraction != 0 { put(UInt8(ascii: "-")) }
        digits(whole)
        guard decimals > 0 else { return }
        put(UInt8(ascii: "."))
        var unit = Int64(power) / 10
        while unit > 0 {
            put(UInt8(ascii: "0") + UInt8(fraction / unit % 10))
            unit /= 10
        }
    }

    public mutating func value(_ real: Float, decimals: Int) { value(Double(real), decimals: decimals) }

    public mutating func null() {
        separate()
        put("null")
        needsComma = true
    }

    /// Text with JSON's escapes.
    public mutating func value(_ text: UnsafeBufferPointer<UInt8>) {
        separate()
        put(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                put(UInt8(ascii: "\\"))
                put(byte)
            case 10: put("\\n")
            case 13: put("\\r")
            case 9: put("\\t")
            case 0..<32, 127:
                put("\\u00")
                put(hexadecimal(byte >> 4))
                put(hexadecimal(byte & 15))
            default: put(byte)
            }
        }
        put(UInt8(ascii: "\""))
        needsComma = true
    }

    public mutating func value(_ text: String) {
        var copy = text
        copy.withUTF8 { value($0) }
    }

    // MARK: Bytes

    private func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }

    private mutating func separate() {
        if needsComma { put(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func digits<Integer: BinaryInteger>(_ integer: Integer) {
        if integer < 0 { put(UInt8(ascii: "-")) }
        var rest = UInt64(integer.magnitude)
        var divisor: UInt64 = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            put(UInt8(ascii: "0") + UInt8(rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    private mutating func put(_ text: StaticString) {
        for i in 0..<text.utf8CodeUnitCount { put(text.utf8Start[i]) }
    }

    private mutating func put(_ byte: UInt8) {
        precondition(count < capacity, "a JSON line is longer than its bound")
        memory[count] = byte
        count += 1
    }
}
