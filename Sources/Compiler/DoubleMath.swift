#if canImport(Glibc)
import Glibc
#endif

/// Transcendental functions in double precision for tables and statistics on the workstation.
enum DoubleMath {
    static func exp(_ x: Double) -> Double { Glibc.exp(x) }
    static func log(_ x: Double) -> Double { Glibc.log(x) }
    static func log10(_ x: Double) -> Double { Glibc.log10(x) }
}
