/// Elementary functions from IEEE additions, multiplications, divisions and square roots alone: the same bits on every
/// CPU and C library. Double inside, so that results rounded to Float are within one unit in the last place.
enum DeterministicMath {
    private static let ln2High = 0x1.62e42feep-1
    private static let ln2Low = 0x1.a39ef35793c76p-33

    /// eˣ for the range in which Float needs it; 0 and infinity beyond (−745 … 709 are finite in Double).
    static func exp(_ x: Double) -> Double {
        if !(x > -700) { return x == x ? 0 : x }
        if x > 700 { return .infinity }
        let k = (x * 0x1.71547652b82fep0).rounded(.toNearestOrEven)
        let r = x - k * ln2High - k * ln2Low
        // Taylor's series: |r| <= ln 2 / 2, the first term left out is below 5e-18.
        var p = 1.0 / 6_227_020_800
        p = p * r + 1.0 / 479_001_600
        p = p * r + 1.0 / 39_916_800
        p = p * r + 1.0 / 3_628_800
        p = p * r + 1.0 / 362_880
        p = p * r + 1.0 / 40_320
        p = p * r + 1.0 / 5_040
        p = p * r + 1.0 / 720
        p = p * r + 1.0 / 120
        p = p * r + 1.0 / 24
        p = p * r + 1.0 / 6
        p = p * r + 0.5
        p = p * r + 1
        p = p * r + 1
        return p * Double(bitPattern: UInt64(Int64(k) + 1023) << 52)
    }

    /// eˣ − 1 without loss near 0.
    static func expMinusOne(_ x: Double) -> Double {
        if x > -0x1p-7 && x < 0x1p-7 {
            return x * (1 + x * (0.5 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120 + x * (1.0 / 720))))))
        }
        return exp(x) - 1
    }

    /// Natural logarithm; −infinity at 0, NaN below.
    static func log(_ x: Double) -> Double {
        if !(x > 0) { return x == 0 ? -.infinity : .nan }
        if x == .infinity { return x }
        var bits = x.bitPattern
        var exponent = Int64(bits >> 52)
        if exponent == 0 {
            bits = (x * 0x1p54).bitPattern
            exponent = Int64(bits >> 52) - 54
        }
        var mantissa = Double(bitPattern: bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
        exponent -= 1023
        if mantissa > 0x1.6a09e667f3bcdp0 {
            mantissa *= 0.5
            exponent += 1
        }
        // 2 artanh(s), |s| <= 0.172: the first term left out is below 1e-18.
        let s = (mantissa - 1) / (mantissa + 1)
        let z = s * s
        var p = 1.0 / 21
        p = p * z + 1.0 / 19
        p = p * z + 1.0 / 17
        p = p * z + 1.0 / 15
        p = p * z + 1.0 / 13
        p = p * z + 1.0 / 11
        p = p * z + 1.0 / 9
        p = p * z + 1.0 / 7
        p = p * z + 1.0 / 5
        p = p * z + 1.0 / 3
        let e = Double(exponent)
        return e * ln2High + (2 * s + (2 * s * z * p + e * ln2Low))
    }

    /// log(1 + x) for x >= 0.
    private static func logOnePlus(_ x: Double) -> Double {
        x < 0x1p-10 ? x * (1 - x * (0.5 - x * (1.0 / 3 - x * (0.25 - x * 0.2)))) : log(1 + x)
    }

    static func tanh(_ x: Double) -> Double {
        let magnitude = x < 0 ? -x : x
        if magnitude < 0x1p-7 {
            let z = x * x
            return x * (1 - z * (1.0 / 3 - z * (2.0 / 15 - z * (17.0 / 315))))
        }
        if magnitude > 20 { return x < 0 ? -1 : 1 }
        let e = exp(2 * magnitude)
        let t = (e - 1) / (e + 1)
        return x < 0 ? -t : t
    }

    static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    /// log(1 + eˣ).
    static func softplus(_ x: Double) -> Double { x > 40 ? x : logOnePlus(exp(x)) }

    /// The error function, from the series e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)), whose terms are all positive.
    static func erf(_ x: Double) -> Double {
        if x != x { return x }
        let magnitude = x < 0 ? -x : x
        if magnitude > 6 { return x < 0 ? -1 : 1 }
        let square = magnitude * magnitude
        var term = magnitude
        var sum = magnitude
        var odd = 1.0
        while term > sum * 0x1p-56 {
            odd += 2
            term = term * (2 * square) / odd
            sum += term
        }
        let result = 0x1.20dd750429b6dp0 * exp(-square) * sum
        return x < 0 ? -result : result
    }

    static func sin(_ x: Float) -> Double { circular(x, quadrantShift: 0) }

    static func cos(_ x: Float) -> Double { circular(x, quadrantShift: 1) }

    /// sin(x + quadrantShift · π/2).
    private static func circular(_ x: Float, quadrantShift: Int) -> Double {
        guard x.isFinite else { return .nan }
        let (quadrant, r) = reduce(x)
        let z = r * r
        switch (quadrant &+ quadrantShift) & 3 {
        case 0: return sine(r, z)
        case 1: return cosine(z)
        case 2: return -sine(r, z)
        default: return -cosine(z)
        }
    }

    private static func sine(_ r: Double, _ z: Double) -> Double {
        var p = 1.0 / 355_687_428_096_000
        p = p * z - 1.0 / 1_307_674_368_000
        p = p * z + 1.0 / 6_227_020_800
        p = p * z - 1.0 / 39_916_800
        p = p * z + 1.0 / 362_880
        p = p * z - 1.0 / 5_040
        p = p * z + 1.0 / 120
        p = p * z - 1.0 / 6
        return r + r * z * p
    }

    private static func cosine(_ z: Double) -> Double {
        var p = 1.0 / 20_922_789_888_000
        p = p * z - 1.0 / 87_178_291_200
        p = p * z + 1.0 / 479_001_600
        p = p * z - 1.0 / 3_628_800
        p = p * z + 1.0 / 40_320
        p = p * z - 1.0 / 720
        p = p * z + 1.0 / 24
        return 1 - 0.5 * z + z * z * p
    }

    /// x = quadrant · π/2 + r with |r| <= π/4.
    private static func reduce(_ x: Float) -> (quadrant: Int, r: Double) {
        let value = Double(x)
        if x > -1e5 && x < 1e5 {
            let n = (value * 0x1.45f306dc9c883p-1).rounded(.toNearestOrEven)
            // π/2 in three parts of 33 bits: the first two products are exact.
            let r = ((value - n * 0x1.921fb544p0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69
            return (Int(n), r)
        }
        // Payne and Hanek: the mantissa times those bits of 2/π that matter for the remainder modulo 4.
        let bits = x.bitPattern
        let mantissa = UInt64(bits & 0x007f_ffff | 0x0080_0000)
        let exponent = Int(bits >> 23 & 0xff) - 150
        let first = max(0, exponent - 2)
        let (high, low) = mantissa.multipliedFullWidth(by: twoOverPiBits(from: first))
        // The product in units of 2^(exponent - first - 64) of a quarter turn; `turns` has units of 2^-62.
        let shift = UInt64(2 - exponent + first)
        let turns = shift == 0
            ? low &+ mantissa.multipliedFullWidth(by: twoOverPiBits(from: first + 64)).high
            : high << (64 - shift) | low >> shift
        let quarter = Int(turns >> 62)
        let fraction = turns << 2
        let isUpperHalf = fraction >> 63 == 1
        let magnitude = isUpperHalf ? ~fraction &+ 1 : fraction
        let r = Double(magnitude) * 0x1p-64 * 0x1.921fb54442d18p0
        let quadrant = isUpperHalf ? quarter + 1 : quarter
        let signed = isUpperHalf ? -r : r
        return x < 0 ? (-quadrant, -signed) : (quadrant, signed)
    }

    /// 64 bits of the binary expansion of 2/π behind the point, from bit `start` (0 is the bit of weight 1/2).
    private static func twoOverPiBits(from start: Int) -> UInt64 {
        let word = start / 64
        let shift = UInt64(start % 64)
        let high = twoOverPi(word)
        return shift == 0 ? high : high << shift | twoOverPi(word + 1) >> (64 - shift)
    }

    private static func twoOverPi(_ word: Int) -> UInt64 {
        switch word {
        case 0: 0xa2f9_836e_4e44_1529
        case 1: 0xfc27_57d1_f534_ddc0
        case 2: 0xdb62_9599_3c43_9041
        case 3: 0xfe51_63ab_debb_c561
        default: 0
        }
    }

    /// IEEE 754 pow, to Float accuracy.
    static func pow(_ x: Float, _ y: Float) -> Float {
        if y == 0 || x == 1 { return 1 }
        if x != x || y != y { return .nan }
        let isInteger = y == y.rounded(.towardZero)
        let isOdd = isInteger && (y < 0 ? -y : y) < 0x1p24 && Int32(y) & 1 != 0
        let magnitude = x < 0 ? -x : x
        if y == .infinity || y == -.infinity {
            if magnitude == 1 { return 1 }
            return (magnitude > 1) == (y > 0) ? .infinity : 0
        }
        if x == 0 {
            let result: Float = y > 0 ? 0 : .infinity
            return isOdd && x.sign == .minus ? -result : result
        }
        if x < 0 && !isInteger && x != -.infinity { return .nan }
        if magnitude == .infinity {
            let result: Float = y > 0 ? .infinity : 0
            return isOdd && x < 0 ? -result : result
        }
        let result = Float(exp(Double(y) * log(Double(magnitude))))
        return isOdd && x < 0 ? -result : result
    }

    /// A float's integer part, saturated; NaN gives 0.
    static func int32(_ x: Float) -> Int32 {
        if !(x > -0x1p31) { return x == x ? .min : 0 }
        return x < 0x1p31 ? Int32(x) : .max
    }
}
