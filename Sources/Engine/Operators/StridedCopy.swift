import Kernels
import NestFormat

/// Strided copy over up to six axes of 1- or 4-byte elements: transpose, slice, concat, split, tile, depth-to-space, the
/// inside of a pad. Source and destination must not overlap.
public struct StridedCopy: Sendable, Hashable {
    public var elementBytes: Int, extents: [Int]
    public var sourceSpace: Space, sourceOffset: Int, sourceStrides: [Int], destinationOffset: Int
    public var destinationStrides: [Int]
    public init(
        elementBytes: Int, extents: [Int], sourceSpace: Space = .arena, sourceOffset: Int, sourceStrides: [Int],
        destinationOffset: Int, destinationStrides: [Int]
    ) {
        (self.elementBytes, self.extents, self.sourceSpace) = (elementBytes, extents, sourceSpace)
        (self.sourceOffset, self.sourceStrides) = (sourceOffset, sourceStrides)
        (self.destinationOffset, self.destinationStrides) = (destinationOffset, destinationStrides)
    }
}

extension StridedCopy: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(UInt8(elementBytes))
        writer.write(extents: extents)
        writer.write(sourceSpace.rawValue)
        writer.writeSize(sourceOffset)
        writer.write(strides: sourceStrides)
        writer.writeSize(destinationOffset)
        writer.write(strides: destinationStrides)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let elementBytes = Int(try reader.readUInt8())
        let extents = try reader.readExtents()
        let sourceSpace = try reader.readSpace()
        let sourceOffset = try reader.readSize()
        let sourceStrides = try reader.readStrides(extents.count)
        let destinationOffset = try reader.readSize()
        self.init(
            elementBytes: elementBytes, extents: extents, sourceSpace: sourceSpace, sourceOffset: sourceOffset,
            sourceStrides: sourceStrides, destinationOffset: destinationOffset,
            destinationStrides: try reader.readStrides(extents.count))
    }

    /// Bytes are bytes: results of 4-byte elements are compared as int32.
    var resultType: DeviceType { elementBytes == 1 ? .int8 : .int32 }

    var work: UInt64 { extents.reduce(2) { $0 * UInt64($1) } }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.require(elementBytes == 1 || elementBytes == 4, "elements have neither 1 nor 4 bytes")
        try checker.axes(extents)
        try checker.strided(
            sourceSpace, offset: sourceOffset, strides: sourceStrides, extents: extents, elementBytes: elementBytes)
        try checker.strided(
            .arena, offset: destinationOffset, strides: destinationStrides, extents: extents, elementBytes: elementBytes)
        for (stride, extent) in zip(destinationStrides, extents) where stride == 0 && extent > 1 {
            throw checker.bad("a stride of the result is 0")
        }
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) {
        var loop = StridedLoop()
        for axis in extents.indices { loop.append(extent: extents[axis], destinationStrides[axis], 0) }
        forEachPiece(of: loop, offset: destinationOffset, elementBytes: elementBytes, body)
    }

    func run(_ context: ExecutionContext, part: Part) {
        var loop = StridedLoop()
        for axis in extents.indices {
            loop.append(extent: extents[axis], sourceStrides[axis], destinationStrides[axis])
        }
        let source = context.base(sourceSpace) + sourceOffset
        let target = context.arena + destinationOffset
        let inner = loop.innerStrides
        loop.forEachBlock(part) { offsets, rows, rowStep, count in
            var from = source + offsets[0] * elementBytes
            var to = target + offsets[1] * elementBytes
            let (fromStep, toStep) = (rowStep[0] * elementBytes, rowStep[1] * elementBytes)
            let byteCount = count * elementBytes
            for _ in 0..<rows {
                if inner[0] == 1 && inner[1] == 1 {
                    if byteCount >= 16 {
                        to.copyMemory(from: from, byteCount: byteCount)
                    } else {
                        copyElements(UInt8.self, byteCount, from, 1, to, 1)
                    }
                } else if elementBytes == 1 {
                    copyElements(UInt8.self, count, from, inner[0], to, inner[1])
                } else {
                    copyElements(UInt32.self, count, from, inner[0], to, inner[1])
                }
                from += fromStep
                to += toStep
            }
        }
    }

    @inline(__always)
    private func copyElements<Element: BitwiseCopyable>(
        _ type: Element.Type, _ count: Int, _ from: UnsafeRawPointer, _ fromStep: Int, _ to: UnsafeMutableRawPointer,
        _ toStep: Int
    ) {
        let (source, target) = (from.assumingMemoryBound(to: type), to.assumingMemoryBound(to: type))
        for i in 0..<count { target[i * toStep] = source[i * fromStep] }
    }
}

/// Byte pieces that the first operand of `loop` passes, in order.
func forEachPiece(
    of loop: StridedLoop, offset: Int, elementBytes: Int, _ body: (Int, Int) -> Void
) {
    let step = loop.innerStrides[0]
    loop.forEachRow(.whole) { offsets, count in
        let start = offset + offsets[0] * elementBytes
        if step == 1 {
            body(start, count * elementBytes)
        } else {
            for i in 0..<count { body(start + i * step * elementBytes, elementBytes) }
        }
    }
}
