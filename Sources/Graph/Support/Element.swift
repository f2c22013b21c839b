import COpenBLAS

/// An element type whose values convert to every other: the basis of Cast.
protocol ConvertibleElement: TensorElement {
    /// Whether values are integers or truth values.
    static var isInteger: Bool { get }
    var real: Double { get }
    /// Two's complement; meaningful when `isInteger`.
    var integer: Int64 { get }
    /// Integers: truncates towards zero and saturates, NaN gives 0. Truth values: not zero.
    init(real: Double)
    /// Integers: wraps. Truth values: not zero.
    init(integer: Int64)
}

/// An element type with arithmetic. Integers wrap on overflow; their division truncates, and by zero gives 0.
protocol NumericElement: ConvertibleElement, Numeric, Comparable {
    static func sum(_ a: Self, _ b: Self) -> Self
    static func difference(_ a: Self, _ b: Self) -> Self
    static func product(_ a: Self, _ b: Self) -> Self
    static func quotient(_ a: Self, _ b: Self) -> Self
    /// Remainder with the sign of the divisor (`flooring`) or of the dividend.
    static func remainder(_ a: Self, _ b: Self, flooring: Bool) -> Self
    static func flooredQuotient(_ a: Self, _ b: Self) -> Self
    /// The identities of minimum and maximum: infinities, or the integer bounds.
    static var greatest: Self { get }
    static var least: Self { get }
    /// NumPy's order: a NaN wins.
    static func larger(_ a: Self, _ b: Self) -> Self
    static func smaller(_ a: Self, _ b: Self) -> Self
}

extension ConvertibleElement where Self: FixedWidthInteger {
    static var isInteger: Bool { true }
    @inline(__always) var real: Double { Double(self) }
    @inline(__always) var integer: Int64 { Int64(truncatingIfNeeded: self) }
    @inline(__always) init(real: Double) {
        if real.isNaN {
            self = 0
        } else if real >= Double(Self.max) {
            self = .max
        } else if real <= Double(Self.min) {
            self = .min
        } else {
            self = Self(real)
        }
    }
    @inline(__always) init(integer: Int64) { self = Self(truncatingIfNeeded: integer) }
}

extension NumericElement where Self: FixedWidthInteger {
    @inline(__always) static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
    @inline(__always) static func difference(_ a: Self, _ b: Self) -> Self { a &- b }
    @inline(__always) static func product(_ a: Self, _ b: Self) -> Self { a &* b }
    @inline(__always) static func quotient(_ a: Self, _ b: Self) -> Self {
        b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
    }
    @inline(__always) static func remainder(_ a: Self, _ b: Self, flooring: Bool) -> Self {
        if b == 0 { return 0 }
        let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
        return flooring && rest != 0 && (rest < 0) != (b < 0) ? rest &+ b : rest
    }
    @inline(__always) static func flooredQuotient(_ a: Self, _ b: Self) -> Self {
        if b == 0 { return 0 }
        let (quotient, overflow) = a.dividedReportingOverflow(by: b)
        if overflow { return quotient }
        return (a % b != 0) && ((a < 0) != (b < 0)) ? quotient &- 1 : quotient
    }
    @inline(__always) static var greatest: Self { .max }
    @inline(__always) static var least: Self { .min }
    @inline(__always) static func larger(_ a: Self, _ b: Self) -> Self { a > b ? a : b }
    @inline(__always) static func smaller(_ a: Self, _ b: Self) -> Self { a < b ? a : b }
}

extension ConvertibleElement where Self: BinaryFloatingPoint {
    static var isInteger: Bool { false }
    @inline(__always) var real: Double { Double(self) }
    @inline(__always) var integer: Int64 { Int64(real: real) }
    @inline(__always) init(real: Double) { self = Self(real) }
    @inline(__always) init(integer: Int64) { self = Self(integer) }
}

extension NumericElement where Self: BinaryFloatingPoint {
    @inline(__always) static func sum(_ a: Self, _ b: Self) -> Self { a + b }
    @inline(__always) static func difference(_ a: Self, _ b: Self) -> Self { a - b }
    @inline(__always) static func product(_ a: Self, _ b: Self) -> Self { a * b }
    @inline(__always) static func quotient(_ a: Self, _ b: Self) -> Self { a / b }
    @inline(__always) static func remainder(_ a: Self, _ b: Self, flooring: Bool) -> Self {
        let rest = a.truncatingRemainder(dividingBy: b)
        return flooring && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
    }
    @inline(__always) static func flooredQuotient(_ a: Self, _ b: Self) -> Self { (a / b).rounded(.down) }
    @inline(__always) static var greatest: Self { .infinity }
    @inline(__always) static var least: Self { -.infinity }
    @inline(__always) static func larger(_ a: Self, _ b: Self) -> Self { a > b || a.isNaN ? a : b }
    @inline(__always) static func smaller(_ a: Self, _ b: Self) -> Self { a < b || a.isNaN ? a : b }
}

extension Int8: NumericElement {}
extension UInt8: NumericElement {}
extension Int16: NumericElement {}
extension UInt16: NumericElement {}
extension Int32: NumericElement {}
extension UInt32: NumericElement {}
extension Int64: NumericElement {}
extension UInt64: NumericElement {}
extension Float: NumericElement {}
extension Double: NumericElement {}
extension Float16: ConvertibleElement {}

extension Bool: ConvertibleElement {
    static var isInteger: Bool { true }
    var real: Double { self ? 1 : 0 }
    var integer: Int64 { self ? 1 : 0 }
    init(real: Double) { self = real != 0 }
    init(integer: Int64) { self = integer != 0 }
}

/// The upper half of a float32.
struct BFloat16: ConvertibleElement {
    var bitPattern: UInt16

    static var elementType: ElementType { .bfloat16 }
    static var isInteger: Bool { false }
    var real: Double { Double(Float(bitPattern: UInt32(bitPattern) << 16)) }
    var integer: Int64 { Int64(real: real) }
    /// Rounds to nearest, ties to even.
    init(real: Double) {
        let bits = Float(real).bitPattern
        if Float(bitPattern: bits).isNaN {
            bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x40
        } else {
            bitPattern = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
        }
    }
    init(integer: Int64) { self.init(real: Double(integer)) }
}

/// The floating-point types that operators compute in; float16 and bfloat16 are computed in float32 and rounded once.
protocol RealElement: NumericElement, BinaryFloatingPoint, Transcendental {
    /// C[m, n] = alpha * op(A)[m, k] * op(B)[k, n] + beta * C, row-major with leading dimensions.
    static func gemm(
        transA: Bool, transB: Bool, m: Int, n: Int, k: Int, alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
        _ b: UnsafePointer<Self>, _ ldb: Int, beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
}

extension Float: RealElement {
    static func gemm(
        transA: Bool, transB: Bool, m: Int, n: Int, k: Int, alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        if m == 0 || n == 0 { return }
        cblas_sgemm(
            CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans, Int32(m), Int32(n),
            Int32(k), alpha, a, Int32(max(lda, 1)), b, Int32(max(ldb, 1)), beta, c, Int32(max(ldc, 1)))
    }
}

extension Double: RealElement {
    static func gemm(
        transA: Bool, transB: Bool, m: Int, n: Int, k: Int, alpha: Double, _ a: UnsafePointer<Double>, _ lda: Int,
        _ b: UnsafePointer<Double>, _ ldb: Int, beta: Double, _ c: UnsafeMutablePointer<Double>, _ ldc: Int
    ) {
        if m == 0 || n == 0 { return }
        cblas_dgemm(
            CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans, Int32(m), Int32(n),
            Int32(k), alpha, a, Int32(max(lda, 1)), b, Int32(max(ldb, 1)), beta, c, Int32(max(ldc, 1)))
    }
}

extension ElementType {
    static let floatingPoint: [ElementType] = [.float32, .float64, .float16, .bfloat16]
    static let integers: [ElementType] = [.int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64]
    static let numeric = floatingPoint + integers
    static let indices: [ElementType] = [.int32, .int64]

    /// The Swift type to compute in; nil for the half types (computed in float32) and bool.
    var numericType: (any NumericElement.Type)? {
        switch self {
        case .float32: Float.self
        case .float64: Double.self
        case .int8: Int8.self
        case .uint8: UInt8.self
        case .int16: Int16.self
        case .uint16: UInt16.self
        case .int32: Int32.self
        case .uint32: UInt32.self
        case .int64: Int64.self
        case .uint64: UInt64.self
        case .float16, .bfloat16, .bool: nil
        }
    }

    var convertibleType: any ConvertibleElement.Type {
        switch self {
        case .float16: Float16.self
        case .bfloat16: BFloat16.self
        case .bool: Bool.self
        default: numericType!
        }
    }
}
