/// Elementary functions from IEEE additions, multiplications and divisions alone, so that every CPU gives the same bits;
/// libm's differ between systems. Accuracy: below 1e-14 relative before the last rounding to the result type.
public enum DeterministicMath {
    /// e^x. Overflows to infinity, underflows to 0, NaN stays.
    public static func exp(_ x: Double) -> Double {
        guard x == x else { return x }
        if x > 709 { return .infinity }
        if x < -708 { return 0 }
        // x = k ln2 + r, |r| <= ln2 / 2; ln2 in two parts so that k ln2 is exact enough.
        let k = (x * 1.442695040888963407).rounded(.toNearestOrEven)
        let r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
        // Taylor's series, smallest terms first.
        var sum = 1.0
        var n = 14.0
        while n >= 1 {
            sum = 1 + r / n * sum
            n -= 1
        }
        return sum * Double(bitPattern: UInt64(Int64(k) + 1023) << 52)
    }

    public static func exp(_ x: Float) -> Float { Float(exp(Double(x))) }

    /// 1 / (1 + e^-x)
    public static func sigmoid(_ x: Float) -> Float { Float(1 / (1 + exp(-Double(x)))) }

    /// The angle of (x, y) against the x axis, -π … π; 0 for (0, 0).
    public static func atan2(_ y: Double, _ x: Double) -> Double {
        let (ay, ax) = (abs(y), abs(x))
        guard ax + ay > 0 else { return 0 }
        let angle = ax >= ay ? atan(ay / ax) : Double.pi / 2 - atan(ax / ay)
        let right = x < 0 ? Double.pi - angle : angle
        return y < 0 ? -right : right
    }

    /// For 0 … 1.
    private static func atan(_ t: Double) -> Double {
        // Around tan(π/8), so that the series' argument stays within ±0.4143.
        let pivot = 0.41421356237309504880
        let u = (t - pivot) / (1 + t * pivot)
        let square = u * u
        var sum = 0.0
        var n = 31.0
        while n >= 3 {
            sum = square * (1 / n - sum)
            n -= 2
        }
        // After the loop sum = u²/3 - u⁴/5 + …
        return Double.pi / 8 + (u - u * sum)
    }
}
