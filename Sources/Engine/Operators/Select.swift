import Kernels
import NestFormat

/// Row selection: output = condition (int8, 0 or not) ? a : b over `extents` with broadcasting.
public struct Select: Sendable, Hashable {
    public var extents: [Int], condition: StridedOperand, a: StridedOperand, b: StridedOperand, output: StridedOperand
    public init(
        extents: [Int], condition: StridedOperand, a: StridedOperand, b: StridedOperand, output: StridedOperand
    ) {
        (self.extents, self.condition, self.a, self.b, self.output) = (extents, condition, a, b, output)
    }
}

extension Select: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(extents: extents)
        writer.write(condition)
        writer.write(a)
        writer.write(b)
        writer.write(output)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let extents = try reader.readExtents()
        let condition = try reader.readOperand(axes: extents.count)
        let a = try reader.readOperand(axes: extents.count)
        let b = try reader.readOperand(axes: extents.count)
        self.init(
            extents: extents, condition: condition, a: a, b: b, output: try reader.readOperand(axes: extents.count))
    }

    var resultType: DeviceType { output.type }

    var work: UInt64 { extents.reduce(4) { $0 * UInt64($1) } }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.axes(extents)
        try checker.operand(condition, extents: extents)
        try checker.operand(a, extents: extents)
        try checker.operand(b, extents: extents)
        try checker.result(output, extents: extents)
        try checker.require(condition.type == .int8, "the condition is not int8")
        try checker.require(a.type == output.type && b.type == output.type, "the operands differ in type")
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) {
        output.forEachPiece(extents: extents, body)
    }

    func run(_ context: ExecutionContext, part: Part) {
        var loop = StridedLoop()
        for axis in extents.indices {
            loop.append(
                extent: extents[axis], condition.strides[axis], a.strides[axis], b.strides[axis], output.strides[axis])
        }
        let flags = (context.base(condition.space) + condition.offset).assumingMemoryBound(to: Int8.self)
        if output.type == .int8 {
            choose(loop, part, flags, context, as: UInt8.self)
        } else {
            choose(loop, part, flags, context, as: UInt32.self)
        }
    }

    @inline(__always)
    private func choose<Element: BitwiseCopyable>(
        _ loop: StridedLoop, _ part: Part, _ flags: UnsafePointer<Int8>, _ context: ExecutionContext, as: Element.Type
    ) {
        let left = (context.base(a.space) + a.offset).assumingMemoryBound(to: Element.self)
        let right = (context.base(b.space) + b.offset).assumingMemoryBound(to: Element.self)
        let target = (context.arena + output.offset).assumingMemoryBound(to: Element.self)
        let step = loop.innerStrides
        loop.forEachRow(part) { offsets, count in
            for i in 0..<count {
                target[offsets[3] + i * step[3]] = flags[offsets[0] + i * step[0]] != 0
                    ? left[offsets[1] + i * step[1]] : right[offsets[2] + i * step[2]]
            }
        }
    }
}

extension StridedOperand {
    /// Byte pieces of the operand over `extents`, in order.
    func forEachPiece(extents: [Int], _ body: (Int, Int) -> Void) {
        var loop = StridedLoop()
        for axis in extents.indices { loop.append(extent: extents[axis], strides[axis], 0) }
        Engine.forEachPiece(of: loop, offset: offset, elementBytes: type.byteCount, body)
    }
}
