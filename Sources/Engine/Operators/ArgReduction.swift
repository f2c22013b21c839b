import Kernels
import NestFormat

/// Index of the largest (smallest) element along the middle of `outer × reduced × inner`; int32 out, first wins.
public struct ArgReduction: Sendable, Hashable {
    public var isMax: Bool, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    public init(
        isMax: Bool, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    ) {
        (self.isMax, self.type, self.outer, self.reduced, self.inner) = (isMax, type, outer, reduced, inner)
        (self.inputOffset, self.outputOffset) = (inputOffset, outputOffset)
    }
}

extension ArgReduction: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(isMax)
        writer.write(type.rawValue)
        writer.writeCount(outer)
        writer.writeCount(reduced)
        writer.writeCount(inner)
        writer.writeSize(inputOffset)
        writer.writeSize(outputOffset)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let isMax = try reader.readBool()
        let type = try reader.readDeviceType()
        let outer = try reader.readCount()
        let reduced = try reader.readCount()
        let inner = try reader.readCount()
        let inputOffset = try reader.readSize()
        self.init(
            isMax: isMax, type: type, outer: outer, reduced: reduced, inner: inner, inputOffset: inputOffset,
            outputOffset: try reader.readSize())
    }

    var resultType: DeviceType { .int32 }

    private var shape: LineShape { LineShape(outer: outer, reduced: reduced, inner: inner) }

    var work: UInt64 { shape.work * 2 }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try shape.check(checker)
        try checker.require(
            type == .int8 || type == .float32 || type == .int32, "reductions take int8, float32 or int32")
        try checker.arena(inputOffset, count: Int64(shape.work), type: type)
        try checker.arena(outputOffset, count: Int64(shape.lines), type: .int32)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, shape.lines * 4) }

    func run(_ context: ExecutionContext, part: Part) {
        switch type {
        case .int8: run(UnsafePointer(context.arenaInt8(inputOffset)), context.arenaInt32(outputOffset), part)
        case .float32: run(UnsafePointer(context.arenaFloat(inputOffset)), context.arenaInt32(outputOffset), part)
        default: run(UnsafePointer(context.arenaInt32(inputOffset)), context.arenaInt32(outputOffset), part)
        }
    }

    @inline(__always)
    private func run<Element: Comparable>(
        _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Int32>, _ part: Part
    ) {
        for line in part.range(of: shape.lines) {
            let first = source + (line / inner * reduced * inner + line % inner)
            var best = first[0]
            var index: Int32 = 0
            for k in 1..<max(1, reduced) {
                let value = first[k * inner]
                if isMax ? value > best : value < best {
                    best = value
                    index = Int32(truncatingIfNeeded: k)
                }
            }
            target[line] = index
        }
    }
}
