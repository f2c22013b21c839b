import Kernels
import NestFormat

/// Softmax (or log-softmax, float32 only) along the middle of `outer × reduced × inner`. int8: with m the row's maximum,
/// `e_i = table[m - q_i]` (256 float32 in the weights section, exp(-k·scale)), sum in index order,
/// `clamp(rne(e_i / sum * inverseScale) + zo)`.
public struct SoftmaxOperation: Sendable, Hashable {
    public var type: DeviceType, isLog: Bool, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    public var tableOffset: Int, inverseScale: Float, outputZeroPoint: Int32
    public init(
        type: DeviceType, isLog: Bool = false, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int,
        tableOffset: Int = 0, inverseScale: Float = 1, outputZeroPoint: Int32 = 0
    ) {
        (self.type, self.isLog, self.outer, self.reduced, self.inner) = (type, isLog, outer, reduced, inner)
        (self.inputOffset, self.outputOffset, self.tableOffset) = (inputOffset, outputOffset, tableOffset)
        (self.inverseScale, self.outputZeroPoint) = (inverseScale, outputZeroPoint)
    }
}

extension SoftmaxOperation: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(type.rawValue)
        writer.write(isLog)
        writer.writeCount(outer)
        writer.writeCount(reduced)
        writer.writeCount(inner)
        writer.writeSize(inputOffset)
        writer.writeSize(outputOffset)
        writer.writeSize(tableOffset)
        writer.write(inverseScale)
        writer.write(outputZeroPoint)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let type = try reader.readDeviceType()
        let isLog = try reader.readBool()
        let outer = try reader.readCount()
        let reduced = try reader.readCount()
        let inner = try reader.readCount()
        let inputOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let tableOffset = try reader.readSize()
        let inverseScale = try reader.readFiniteFloat()
        self.init(
            type: type, isLog: isLog, outer: outer, reduced: reduced, inner: inner, inputOffset: inputOffset,
            outputOffset: outputOffset, tableOffset: tableOffset, inverseScale: inverseScale,
            outputZeroPoint: try reader.readInt32())
    }

    var resultType: DeviceType { type }

    private var shape: LineShape { LineShape(outer: outer, reduced: reduced, inner: inner) }

    var work: UInt64 { shape.work * (type == .int8 ? 8 : 64) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try shape.check(checker)
        switch type {
        case .int8:
            try checker.require(!isLog, "log-softmax is float32 only")
            try checker.finiteFloats(tableOffset, count: 256)
            try checker.multiplier(inverseScale)
            try checker.zeroPoint(outputZeroPoint)
        case .float32: break
        default: throw checker.bad("softmax takes int8 or float32")
        }
        try checker.arena(inputOffset, count: Int64(shape.work), type: type)
        try checker.arena(outputOffset, count: Int64(shape.work), type: type)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, Int(shape.work) * type.byteCount) }

    func run(_ context: ExecutionContext, part: Part) {
        for line in part.range(of: shape.lines) {
            let first = line / inner * reduced * inner + line % inner
            if type == .int8 { runInt8(context, first) } else { runFloat(context, first) }
        }
    }

    private func runInt8(_ context: ExecutionContext, _ first: Int) {
        let source = UnsafePointer(context.arenaInt8(inputOffset) + first)
        let target = context.arenaInt8(outputOffset) + first
        let table = context.weightsFloat(tableOffset)
        var highest = Int(source[0])
        for k in 1..<max(1, reduced) { highest = max(highest, Int(source[k * inner])) }
        // The mask changes nothing unless a hostile plan lets input and output overlap.
        var sum: Float = 0
        for k in 0..<reduced { sum = sum + table[(highest - Int(source[k * inner])) & 255] }
        for k in 0..<reduced {
            let share = table[(highest - Int(source[k * inner])) & 255] / sum
            target[k * inner] = quantizedStep(
                share * inverseScale, zeroPoint: outputZeroPoint, lowest: -128, highest: 127)
        }
    }

    private func runFloat(_ context: ExecutionContext, _ first: Int) {
        let source = UnsafePointer(context.arenaFloat(inputOffset) + first)
        let target = context.arenaFloat(outputOffset) + first
        var highest = source[0]
        for k in 1..<max(1, reduced) where source[k * inner] > highest { highest = source[k * inner] }
        var sum: Float = 0
        if isLog {
            for k in 0..<reduced { sum = sum + Float(DeterministicMath.exp(Double(source[k * inner] - highest))) }
            let logarithm = Float(DeterministicMath.log(Double(sum)))
            for k in 0..<reduced { target[k * inner] = (source[k * inner] - highest) - logarithm }
        } else {
            for k in 0..<reduced {
                let power = Float(DeterministicMath.exp(Double(source[k * inner] - highest)))
                target[k * inner] = power
                sum = sum + power
            }
            for k in 0..<reduced { target[k * inner] = target[k * inner] / sum }
        }
    }
}
