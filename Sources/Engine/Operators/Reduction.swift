import Kernels
import NestFormat

/// Reduction of the middle of `outer × reduced × inner` (dense, row-major). int8 mean and sum:
/// `clamp(rne(Float(Σ(x - zi)) * multiplier) + zo)` (the multiplier holds 1/count for mean); int8 max, min: same
/// quantization in and out. float32: sums in index order; `mean` multiplies by `multiplier`.
public struct Reduction: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable { case mean = 0, sum, max, min, prod, l2, sumSquare, l1 }
    public var function: Function, type: DeviceType, outer: Int, reduced: Int, inner: Int
    public var inputOffset: Int, outputOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float
    public init(
        function: Function, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1
    ) {
        (self.function, self.type, self.outer, self.reduced, self.inner) = (function, type, outer, reduced, inner)
        (self.inputOffset, self.outputOffset, self.inputZeroPoint) = (inputOffset, outputOffset, inputZeroPoint)
        (self.outputZeroPoint, self.multiplier) = (outputZeroPoint, multiplier)
    }
}

extension Reduction: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(function.rawValue)
        writer.write(type.rawValue)
        writer.writeCount(outer)
        writer.writeCount(reduced)
        writer.writeCount(inner)
        writer.writeSize(inputOffset)
        writer.writeSize(outputOffset)
        writer.write(inputZeroPoint)
        writer.write(outputZeroPoint)
        writer.write(multiplier)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        guard let function = Function(rawValue: try reader.readUInt8()) else {
            throw reader.malformed("unknown reduction")
        }
        let type = try reader.readDeviceType()
        let outer = try reader.readCount()
        let reduced = try reader.readCount()
        let inner = try reader.readCount()
        let inputOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let inputZeroPoint = try reader.readInt32()
        let outputZeroPoint = try reader.readInt32()
        self.init(
            function: function, type: type, outer: outer, reduced: reduced, inner: inner, inputOffset: inputOffset,
            outputOffset: outputOffset, inputZeroPoint: inputZeroPoint, outputZeroPoint: outputZeroPoint,
            multiplier: try reader.readFiniteFloat())
    }

    var resultType: DeviceType { type }

    private var shape: LineShape { LineShape(outer: outer, reduced: reduced, inner: inner) }

    var work: UInt64 { shape.work }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try shape.check(checker)
        switch type {
        case .int8:
            let isIntegral = function == .mean || function == .sum || function == .max || function == .min
            try checker.require(isIntegral, "int8 has no such reduction")
        case .float32: break
        default: throw checker.bad("reductions take int8 or float32")
        }
        try checker.arena(inputOffset, count: Int64(shape.work), type: type)
        try checker.arena(outputOffset, count: Int64(shape.lines), type: type)
        try checker.zeroPoint(inputZeroPoint)
        try checker.zeroPoint(outputZeroPoint)
        try checker.multiplier(multiplier)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, shape.lines * type.byteCount) }

    func run(_ context: ExecutionContext, part: Part) {
        if type == .int8 { runInt8(context, part) } else { runFloat(context, part) }
    }

    private func runInt8(_ context: ExecutionContext, _ part: Part) {
        let source = UnsafePointer(context.arenaInt8(inputOffset))
        let target = context.arenaInt8(outputOffset)
        let sums = context.scratch.assumingMemoryBound(to: Int32.self)
        shape.forEachBlock(part) { input, line, count in
            switch function {
            case .max:
                context.kernels.maximum(
                    of: source + input, count: reduced, stride: inner, channels: count, output: target + line)
            case .min:
                let result = target + line
                for i in 0..<count { result[i] = source[input + i] }
                for k in 1..<max(1, reduced) {
                    let row = source + (input + k * inner)
                    for i in 0..<count { result[i] = min(result[i], row[i]) }
                }
            default:
                context.kernels.sum(
                    of: source + input, minus: inputZeroPoint, count: reduced, stride: inner, channels: count, sums: sums)
                let result = target + line
                for i in 0..<count {
                    result[i] = requantize(
                        sums[i], scale: multiplier, zeroPoint: outputZeroPoint, lowest: -128, highest: 127)
                }
            }
        }
    }

    private func runFloat(_ context: ExecutionContext, _ part: Part) {
        let source = UnsafePointer(context.arenaFloat(inputOffset))
        let target = context.arenaFloat(outputOffset)
        let values = context.scratch.assumingMemoryBound(to: Float.self)
        shape.forEachBlock(part) { input, line, count in
            for i in 0..<count { values[i] = Reduction.start(function) }
            for k in 0..<reduced {
                let row = source + (input + k * inner)
                switch function {
                case .mean, .sum: for i in 0..<count { values[i] = values[i] + row[i] }
                case .prod: for i in 0..<count { values[i] = values[i] * row[i] }
                case .l1: for i in 0..<count { values[i] = values[i] + row[i].magnitude }
                case .l2, .sumSquare: for i in 0..<count { values[i] = values[i] + row[i] * row[i] }
                case .max: for i in 0..<count where row[i] > values[i] || row[i] != row[i] { values[i] = row[i] }
                case .min: for i in 0..<count where row[i] < values[i] || row[i] != row[i] { values[i] = row[i] }
                }
            }
            let result = target + line
            for i in 0..<count {
                switch function {
                case .mean: result[i] = values[i] * multiplier
                case .l2: result[i] = values[i].squareRoot()
                default: result[i] = values[i]
                }
            }
        }
    }

    private static func start(_ function: Function) -> Float {
        switch function {
        case .max: -.infinity
        case .min: .infinity
        case .prod: 1
        default: 0
        }
    }
}
