/// Numbers as people read them. A narrow rule everywhere: three significant digits, SI units, a space before the unit.
public enum Format {
    /// A number with exactly `decimals` (0…9) digits behind the point, rounded half up: "12.30".
    public static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "–" : value > 0 ? "∞" : "-∞" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e18 else { return "\(value)" }
        let digits = String(UInt64(scaled))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// Three significant digits without an exponent, whole above 100: "0.512", "1.25", "18.2", "250", "12345".
    public static func significant(_ value: Double) -> String {
        let size = abs(value)
        if size >= 99.95 || size == 0 { return fixed(value, decimals: 0) }
        if size >= 9.995 { return fixed(value, decimals: 1) }
        if size >= 0.9995 { return fixed(value, decimals: 2) }
        return fixed(value, decimals: 3)
    }

    /// A latency: "850 ns", "12.5 µs", "18.2 ms", "1.25 s".
    public static func duration(_ nanoseconds: UInt64) -> String {
        duration(Double(nanoseconds))
    }

    public static func duration(_ nanoseconds: Double) -> String {
        if nanoseconds < 999.5 { return fixed(nanoseconds, decimals: 0) + " ns" }
        if nanoseconds < 999_500 { return significant(nanoseconds / 1e3) + " µs" }
        if nanoseconds < 999_500_000 { return significant(nanoseconds / 1e6) + " ms" }
        return significant(nanoseconds / 1e9) + " s"
    }

    /// A stretch of time: "12 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
    public static func span(milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1000
        if seconds == 0, milliseconds > 0 { return "\(milliseconds) ms" }
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return pair(seconds / 60, "min", seconds % 60, "s") }
        if seconds < 86_400 { return pair(seconds / 3600, "h", seconds % 3600 / 60, "min") }
        return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }

    private static func pair(_ large: UInt64, _ largeUnit: String, _ small: UInt64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }

    /// A share of 1 as a percentage: "0.03 %", "4.2 %", "38 %". Never "100 %" or "0 %" for what is not quite that.
    public static func percent(_ share: Double) -> String {
        let value = share * 100
        if value > 0, value < 0.01 { return "<0.01 %" }
        if value > 99.95, value < 100 { return ">99.9 %" }
        if value > 0, value < 0.995 { return fixed(value, decimals: 2) + " %" }
        if value < 9.95 || (value > 99 && value < 100) { return trimmed(fixed(value, decimals: 1)) + " %" }
        return fixed(value, decimals: 0) + " %"
    }

    /// Without a fraction of zeros: "4.0" becomes "4".
    static func trimmed(_ number: String) -> String {
        guard number.contains(".") else { return number }
        var result = Substring(number)
        while result.last == "0" { result.removeLast() }
        if result.last == "." { result.removeLast() }
        return String(result)
    }

    /// "512 B", "96.0 KiB", "3.40 MiB".
    public static func bytes(_ count: UInt64) -> String {
        if count < 1024 { return "\(count) B" }
        if count < 1 << 20 { return significant(Double(count) / 1024) + " KiB" }
        if count < 1 << 30 { return significant(Double(count) / Double(1 << 20)) + " MiB" }
        return significant(Double(count) / Double(1 << 30)) + " GiB"
    }

    /// "600 MHz", "1.50 GHz".
    public static func frequency(kilohertz: UInt32) -> String {
        kilohertz < 999_500
            ? significant(Double(kilohertz) / 1e3) + " MHz" : significant(Double(kilohertz) / 1e6) + " GHz"
    }

    /// "83.5 °C".
    public static func temperature(milliCelsius: Int32) -> String {
        trimmed(fixed(Double(milliCelsius) / 1000, decimals: 1)) + " °C"
    }

    /// "30 fps", "29.97 fps".
    public static func frameRate(milli: UInt32) -> String {
        trimmed(fixed(Double(milli) / 1000, decimals: 2)) + " fps"
    }

    /// Thousands apart by a thin space: "1 234 567".
    public static func count(_ value: UInt64) -> String {
        let digits = Array(String(value))
        var result = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % 3 == 0 { result += "\u{202F}" }
            result.append(digit)
        }
        return result
    }

    /// "1 frame", "3 frames".
    public static func counted(_ value: UInt64, _ noun: String) -> String {
        count(value) + " " + noun + (value == 1 ? "" : "s")
    }

    /// UTC date and time, ISO 8601: "2026-11-21T06:40:15Z". Proleptic Gregorian calendar, from days since 1970-01-01.
    public static func utc(unixSeconds: UInt64) -> String {
        let seconds = min(unixSeconds, 253_402_300_799)  // the end of year 9999
        // Count from 0000-03-01, so that leap days end their 4-, 100- and 400-year cycles.
        let days = seconds / 86_400 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let clock = seconds % 86_400
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
            + "\(padded(clock / 3600, 2)):\(padded(clock % 3600 / 60, 2)):\(padded(clock % 60, 2))Z"
    }

    private static func padded(_ value: UInt64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
