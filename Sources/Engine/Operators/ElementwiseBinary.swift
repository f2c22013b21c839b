import Kernels
import NestFormat

/// Elementwise function of two operands over `extents` (up to 6 axes, outermost first).
/// int8 × int8 → int8 add and mul: `clamp(rne(Float(a - za) * (sa·inv) + Float(b - zb) * (sb·inv)) + zo)` and
/// `clamp(rne(Float((a - za)·(b - zb)) * (sa·sb·inv)) + zo)`, with inv = 1/scale of the output, multipliers rounded to Float
/// once, left to right; sub is add with the second multiplier negated. Other functions, and int8 mixed with float32:
/// dequantize (`Float(q - z) * s`), apply in float32, `clamp(rne(r * inv) + zo)`, or clamp as float32. int32 × int32 →
/// int32 directly: sums and products wrap, `div` truncates, `floorDiv` and `mod` floor, division by 0 gives 0; `mod` of
/// float32 has the dividend's sign. Comparisons (of values) and logic (of not being 0) give int8 0 or 1, unclamped.
public struct ElementwiseBinary: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable {
        case add = 0, sub, mul, div, max, min, pow, squaredDifference, prelu, floorDiv, mod
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, and, or, xor
    }
    public var function: Function, extents: [Int], a: StridedOperand, b: StridedOperand, output: StridedOperand
    /// Output clamp: int8 codes, or floats for float32 outputs.
    public var clampMin: Float, clampMax: Float
    public init(
        function: Function, extents: [Int], a: StridedOperand, b: StridedOperand, output: StridedOperand,
        clampMin: Float, clampMax: Float
    ) {
        (self.function, self.extents, self.a, self.b, self.output) = (function, extents, a, b, output)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

extension ElementwiseBinary: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(function.rawValue)
        writer.write(extents: extents)
        writer.write(a)
        writer.write(b)
        writer.write(output)
        writer.write(clampMin)
        writer.write(clampMax)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        guard let function = Function(rawValue: try reader.readUInt8()) else {
            throw reader.malformed("unknown function")
        }
        let extents = try reader.readExtents()
        let a = try reader.readOperand(axes: extents.count)
        let b = try reader.readOperand(axes: extents.count)
        let output = try reader.readOperand(axes: extents.count)
        let clampMin = try reader.readFloat()
        self.init(
            function: function, extents: extents, a: a, b: b, output: output, clampMin: clampMin,
            clampMax: try reader.readFloat())
    }

    var resultType: DeviceType { output.type }

    var work: UInt64 { extents.reduce(function == .pow ? 64 : 4) { $0 * UInt64($1) } }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.axes(extents)
        try checker.operand(a, extents: extents)
        try checker.operand(b, extents: extents)
        try checker.result(output, extents: extents)
        try checker.clamp(clampMin, clampMax)
        try checker.require(
            (a.type == .int32) == (b.type == .int32), "int32 is combined with another type")
        if function.isPredicate {
            try checker.require(output.type == .int8, "a comparison's result is not int8")
            return
        }
        try checker.require(
            (a.type == .int32) == (output.type == .int32), "operands and result are not all int32, or none")
        guard output.type == .int8 else { return }
        try checker.require(
            clampMin >= -128 && clampMin <= 127 && clampMax >= -128 && clampMax <= 127,
            "an int8 clamp is not in -128 … 127")
        let inverse = 1 / output.scale
        for multiplier in [inverse, a.scale * inverse, b.scale * inverse, a.scale * b.scale * inverse] {
            try checker.require(multiplier.isFinite, "a multiplier is not a normal number")
        }
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { output.forEachPiece(extents: extents, body) }

    private var loop: StridedLoop {
        var loop = StridedLoop()
        for axis in extents.indices {
            loop.append(extent: extents[axis], a.strides[axis], b.strides[axis], output.strides[axis])
        }
        return loop
    }

    func run(_ context: ExecutionContext, part: Part) {
        let isInt8 = a.type == .int8 && b.type == .int8 && output.type == .int8
        switch function {
        case .add where isInt8, .sub where isInt8: runInt8Sum(context, part)
        case .mul where isInt8: runInt8Product(context, part)
        default:
            if a.type == .int32 {
                runInt32(context, part)
            } else if a.type == .float32 && b.type == .float32 && output.type == .float32 {
                runFloat(context, part)
            } else {
                runMixed(context, part)
            }
        }
    }

    // MARK: int8

    private var range: OutputRange {
        OutputRange(zeroPoint: output.zeroPoint, lowest: Int32(clampMin), highest: Int32(clampMax))
    }

    private func runInt8Sum(_ context: ExecutionContext, _ part: Part) {
        let inverse = 1 / output.scale
        let bMultiplier = b.scale * inverse
        let parameters = AddParameters(
            aZeroPoint: a.zeroPoint, aMultiplier: a.scale * inverse, bZeroPoint: b.zeroPoint,
            bMultiplier: function == .sub ? -bMultiplier : bMultiplier, output: range)
        let swapped = AddParameters(
            aZeroPoint: parameters.bZeroPoint, aMultiplier: parameters.bMultiplier, bZeroPoint: parameters.aZeroPoint,
            bMultiplier: parameters.aMultiplier, output: parameters.output)
        forEachInt8Row(context, part) { operands, isSwapped in
            context.kernels.add(operands, isSwapped ? swapped : parameters)
        } element: { x, y in
            let left = Float(Int32(x) - parameters.aZeroPoint) * parameters.aMultiplier
            let right = Float(Int32(y) - parameters.bZeroPoint) * parameters.bMultiplier
            return quantizedStep(
                left + right, zeroPoint: parameters.output.zeroPoint, lowest: parameters.output.lowest,
                highest: parameters.output.highest)
        }
    }

    private func runInt8Product(_ context: ExecutionContext, _ part: Part) {
        let parameters = MultiplyParameters(
            aZeroPoint: a.zeroPoint, bZeroPoint: b.zeroPoint, multiplier: a.scale * b.scale * (1 / output.scale),
            output: range)
        let swapped = MultiplyParameters(
            aZeroPoint: parameters.bZeroPoint, bZeroPoint: parameters.aZeroPoint, multiplier: parameters.multiplier,
            output: parameters.output)
        forEachInt8Row(context, part) { operands, isSwapped in
            context.kernels.multiply(operands, isSwapped ? swapped : parameters)
        } element: { x, y in
            requantize(
                (Int32(x) - parameters.aZeroPoint) * (Int32(y) - parameters.bZeroPoint), scale: parameters.multiplier,
                zeroPoint: parameters.output.zeroPoint, lowest: parameters.output.lowest,
                highest: parameters.output.highest)
        }
    }

    /// Gives rows to a kernel where one operand and the result are dense along them and the other is dense or one value,
    /// else element by element. The kernel's first operand is the dense one: `isSwapped` when that is `b`.
    @inline(__always)
    private func forEachInt8Row(
        _ context: ExecutionContext, _ part: Part, kernel: (ElementwiseOperands, _ isSwapped: Bool) -> Void,
        element: (Int8, Int8) -> Int8
    ) {
        let loop = loop
        let step = loop.innerStrides
        let left = (context.base(a.space) + a.offset).assumingMemoryBound(to: Int8.self)
        let right = (context.base(b.space) + b.offset).assumingMemoryBound(to: Int8.self)
        let target = context.arenaInt8(output.offset)
        let isSwapped = step[0] == 0 && step[1] == 1
        let usesKernel = step[2] == 1 && (isSwapped || (step[0] == 1 && (step[1] == 0 || step[1] == 1)))
        if let (rows, columns, outer) = loop.matrix, step == SIMD4(1, 1, 1, 0),
            outer == SIMD4(columns, 0, columns, 0) || outer == SIMD4(0, columns, columns, 0)
        {
            // One row of channels meets every row of a dense operand.
            let share = part.range(of: rows)
            let start = share.lowerBound * columns
            let isRowFirst = outer[0] == 0
            if share.isEmpty { return }
            kernel(
                ElementwiseOperands(
                    a: (isRowFirst ? right : left) + start, aPixelStride: columns, b: isRowFirst ? left : right,
                    bPixelStride: columns, broadcast: .perChannel, output: target + start, outputPixelStride: columns,
                    pixels: share.count, channels: columns),
                isRowFirst)
            return
        }
        loop.forEachBlock(part) { offsets, rows, rowStep, count in
            let (x, y, z) = (left + offsets[0], right + offsets[1], target + offsets[2])
            if usesKernel {
                let isScalar = isSwapped || step[1] == 0
                kernel(
                    ElementwiseOperands(
                        a: isSwapped ? y : x, aPixelStride: rowStep[isSwapped ? 1 : 0], b: isSwapped ? x : y,
                        bPixelStride: rowStep[isSwapped ? 0 : 1], broadcast: isScalar ? .perPixel : .none, output: z,
                        outputPixelStride: rowStep[2], pixels: rows, channels: count),
                    isSwapped)
                return
            }
            for row in 0..<rows {
                for i in 0..<count {
                    z[row * rowStep[2] + i * step[2]] = element(
                        x[row * rowStep[0] + i * step[0]], y[row * rowStep[1] + i * step[1]])
                }
            }
        }
    }

    // MARK: float32

    private func runFloat(_ context: ExecutionContext, _ part: Part) {
        let loop = loop
        let step = loop.innerStrides
        let left = (context.base(a.space) + a.offset).assumingMemoryBound(to: Float.self)
        let right = (context.base(b.space) + b.offset).assumingMemoryBound(to: Float.self)
        let target = context.arenaFloat(output.offset)
        let (low, high) = (clampMin, clampMax)
        loop.forEachRow(part) { offsets, count in
            let (x, y, z) = (left + offsets[0], right + offsets[1], target + offsets[2])
            switch function {
            case .add:
                for i in 0..<count { z[i * step[2]] = Self.clip(x[i * step[0]] + y[i * step[1]], low, high) }
            case .mul:
                for i in 0..<count { z[i * step[2]] = Self.clip(x[i * step[0]] * y[i * step[1]], low, high) }
            default:
                for i in 0..<count {
                    z[i * step[2]] = Self.clip(Self.apply(function, x[i * step[0]], y[i * step[1]]), low, high)
                }
            }
        }
    }

    /// int8 and float32 in any mixture, and comparisons.
    private func runMixed(_ context: ExecutionContext, _ part: Part) {
        let loop = loop
        let step = loop.innerStrides
        let (left, right) = (context.base(a.space) + a.offset, context.base(b.space) + b.offset)
        let target = context.arena + output.offset
        let inverse = 1 / output.scale
        let isPredicate = function.isPredicate
        loop.forEachRow(part) { offsets, count in
            for i in 0..<count {
                let x = a.real(left, offsets[0] + i * step[0])
                let y = b.real(right, offsets[1] + i * step[1])
                let index = offsets[2] + i * step[2]
                if isPredicate {
                    let value: Int8 = Self.holds(function, x, y) ? 1 : 0
                    target.storeBytes(of: value, toByteOffset: index, as: Int8.self)
                } else if output.type == .int8 {
                    let value = quantizedStep(
                        Self.apply(function, x, y) * inverse, zeroPoint: output.zeroPoint, lowest: Int32(clampMin),
                        highest: Int32(clampMax))
                    target.storeBytes(of: value, toByteOffset: index, as: Int8.self)
                } else {
                    let value = Self.clip(Self.apply(function, x, y), clampMin, clampMax)
                    target.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
                }
            }
        }
    }

    @inline(__always)
    private static func clip(_ x: Float, _ low: Float, _ high: Float) -> Float { x < low ? low : x > high ? high : x }

    @inline(__always)
    private static func apply(_ function: Function, _ x: Float, _ y: Float) -> Float {
        switch function {
        case .add: x + y
        case .sub: x - y
        case .mul: x * y
        case .div: x / y
        case .max: x > y || x != x ? x : y
        case .min: x < y || x != x ? x : y
        case .pow: DeterministicMath.pow(x, y)
        case .squaredDifference: (x - y) * (x - y)
        case .prelu: x < 0 ? x * y : x
        case .floorDiv: (x / y).rounded(.down)
        case .mod: x.truncatingRemainder(dividingBy: y)
        default: holds(function, x, y) ? 1 : 0
        }
    }

    @inline(__always)
    private static func holds(_ function: Function, _ x: Float, _ y: Float) -> Bool {
        switch function {
        case .equal: x == y
        case .notEqual: x != y
        case .less: x < y
        case .lessOrEqual: x <= y
        case .greater: x > y
        case .greaterOrEqual: x >= y
        case .and: x != 0 && y != 0
        case .or: x != 0 || y != 0
        default: (x != 0) != (y != 0)
        }
    }

    // MARK: int32

    private func runInt32(_ context: ExecutionContext, _ part: Part) {
        let loop = loop
        let step = loop.innerStrides
        let left = (context.base(a.space) + a.offset).assumingMemoryBound(to: Int32.self)
        let right = (context.base(b.space) + b.offset).assumingMemoryBound(to: Int32.self)
        let target = context.arena + output.offset
        let isPredicate = function.isPredicate
        loop.forEachRow(part) { offsets, count in
            for i in 0..<count {
                let value = Self.apply(function, left[offsets[0] + i * step[0]], right[offsets[1] + i * step[1]])
                let index = offsets[2] + i * step[2]
                if isPredicate {
                    target.storeBytes(of: Int8(truncatingIfNeeded: value), toByteOffset: index, as: Int8.self)
                } else {
                    target.storeBytes(of: value, toByteOffset: index * 4, as: Int32.self)
                }
            }
        }
    }

    private static func apply(_ function: Function, _ x: Int32, _ y: Int32) -> Int32 {
        switch function {
        case .add: return x &+ y
        case .sub: return x &- y
        case .mul: return x &* y
        case .div: return y == 0 ? 0 : x.dividedReportingOverflow(by: y).partialValue
        case .floorDiv:
            if y == 0 { return 0 }
            let (quotient, overflow) = x.dividedReportingOverflow(by: y)
            return !overflow && quotient &* y != x && (x < 0) != (y < 0) ? quotient - 1 : quotient
        case .mod:
            if y == 0 || y == -1 { return 0 }
            let rest = x % y
            return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
        case .max: return max(x, y)
        case .min: return min(x, y)
        case .pow: return power(x, y)
        case .squaredDifference: return (x &- y) &* (x &- y)
        case .prelu: return x < 0 ? x &* y : x
        case .equal: return x == y ? 1 : 0
        case .notEqual: return x != y ? 1 : 0
        case .less: return x < y ? 1 : 0
        case .lessOrEqual: return x <= y ? 1 : 0
        case .greater: return x > y ? 1 : 0
        case .greaterOrEqual: return x >= y ? 1 : 0
        case .and: return x != 0 && y != 0 ? 1 : 0
        case .or: return x != 0 || y != 0 ? 1 : 0
        case .xor: return (x != 0) != (y != 0) ? 1 : 0
        }
    }

    /// x to the power y, wrapping; a negative power is the quotient 1 / x^|y| toward zero.
    private static func power(_ x: Int32, _ y: Int32) -> Int32 {
        if y < 0 { return x == 1 ? 1 : x == -1 ? (y & 1 == 0 ? 1 : -1) : 0 }
        var (result, base, exponent): (Int32, Int32, Int32) = (1, x, y)
        while exponent > 0 {
            if exponent & 1 == 1 { result = result &* base }
            base = base &* base
            exponent >>= 1
        }
        return result
    }
}

extension ElementwiseBinary.Function {
    /// Whether the result is 0 or 1.
    var isPredicate: Bool { rawValue >= ElementwiseBinary.Function.equal.rawValue }
}

extension StridedOperand {
    /// The real value of element `index`; not for int32.
    @inline(__always)
    func real(_ base: UnsafeRawPointer, _ index: Int) -> Float {
        type == .int8
            ? Float(Int32(base.load(fromByteOffset: index, as: Int8.self)) - zeroPoint) * scale
            : base.load(fromByteOffset: index * 4, as: Float.self)
    }
}
