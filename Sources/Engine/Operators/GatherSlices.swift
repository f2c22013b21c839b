import Kernels
import NestFormat

/// GatherND and Gather with indices computed at run time: for each of `count` index tuples of `depth` int32, copies
/// `sliceBytes` from `data + Σ index_i · strides_i` (bytes). Each index is clamped to 0 ..< extents_i (negative ones count from
/// the end first): an index can never read outside.
public struct GatherSlices: Sendable, Hashable {
    public var dataSpace: Space, dataOffset: Int, indicesOffset: Int, outputOffset: Int, count: Int, sliceBytes: Int
    public var extents: [Int], strides: [Int]
    public init(
        dataSpace: Space = .arena, dataOffset: Int, indicesOffset: Int, outputOffset: Int, count: Int, sliceBytes: Int,
        extents: [Int], strides: [Int]
    ) {
        (self.dataSpace, self.dataOffset, self.indicesOffset, self.outputOffset) =
            (dataSpace, dataOffset, indicesOffset, outputOffset)
        (self.count, self.sliceBytes, self.extents, self.strides) = (count, sliceBytes, extents, strides)
    }
}

extension GatherSlices: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.write(dataSpace.rawValue)
        writer.writeSize(dataOffset)
        writer.writeSize(indicesOffset)
        writer.writeSize(outputOffset)
        writer.writeCount(count)
        writer.writeCount(sliceBytes)
        writer.write(extents: extents)
        writer.write(strides: strides)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let dataSpace = try reader.readSpace()
        let dataOffset = try reader.readSize()
        let indicesOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let count = try reader.readCount()
        let sliceBytes = try reader.readCount()
        let extents = try reader.readExtents()
        self.init(
            dataSpace: dataSpace, dataOffset: dataOffset, indicesOffset: indicesOffset, outputOffset: outputOffset,
            count: count, sliceBytes: sliceBytes, extents: extents, strides: try reader.readStrides(extents.count))
    }

    /// Bytes are bytes: whole words are compared as int32.
    var resultType: DeviceType { sliceBytes % 4 == 0 && outputOffset % 4 == 0 ? .int32 : .int8 }

    var work: UInt64 { UInt64(count) * UInt64(sliceBytes + 16) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.extent(count)
        try checker.extent(sliceBytes)
        try checker.axes(extents)
        try checker.require(!extents.isEmpty, "no index axes")
        try checker.require(extents.count == strides.count, "strides and extents differ in number")
        var last: Int64 = 0
        for (extent, stride) in zip(extents, strides) {
            try checker.require(stride >= 0 && stride <= 1 << 30, "a stride is out of range")
            last += Int64(stride) * Int64(extent - 1)
        }
        try checker.range(dataSpace, offset: dataOffset, bytes: last + Int64(sliceBytes), alignment: 1)
        try checker.arena(indicesOffset, count: Int64(count) * Int64(extents.count), type: .int32)
        try checker.arena(outputOffset, count: Int64(count) * Int64(sliceBytes), type: .int8)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, count * sliceBytes) }

    func run(_ context: ExecutionContext, part: Part) {
        let data = context.base(dataSpace) + dataOffset
        let indices = UnsafePointer(context.arenaInt32(indicesOffset))
        let output = context.arena + outputOffset
        let depth = extents.count
        for tuple in part.range(of: count) {
            var offset = 0
            for axis in 0..<depth {
                var index = Int(indices[tuple * depth + axis])
                if index < 0 { index += extents[axis] }
                offset += max(0, min(extents[axis] - 1, index)) * strides[axis]
            }
            (output + tuple * sliceBytes).copyMemory(from: data + offset, byteCount: sliceBytes)
        }
    }
}
