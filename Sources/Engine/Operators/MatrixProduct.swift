import Kernels
import NestFormat

/// Dense float32 product of two arena matrices: [batch, m, k] × [batch, k, n] → [batch, m, n]; a batch stride of 0
/// broadcasts. Sums in order of k.
public struct MatrixProduct: Sendable, Hashable {
    public var batch: Int, m: Int, k: Int, n: Int, transposesB: Bool, aSpace: Space, bSpace: Space
    public var aOffset: Int, bOffset: Int, outputOffset: Int, aBatchStride: Int, bBatchStride: Int
    public init(
        batch: Int, m: Int, k: Int, n: Int, transposesB: Bool, aSpace: Space = .arena, bSpace: Space = .arena, aOffset: Int,
        bOffset: Int, outputOffset: Int, aBatchStride: Int, bBatchStride: Int
    ) {
        (self.batch, self.m, self.k, self.n, self.transposesB) = (batch, m, k, n, transposesB)
        (self.aSpace, self.bSpace, self.aOffset, self.bOffset) = (aSpace, bSpace, aOffset, bOffset)
        (self.outputOffset, self.aBatchStride, self.bBatchStride) = (outputOffset, aBatchStride, bBatchStride)
    }
}

extension MatrixProduct: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        writer.writeCount(batch)
        writer.writeCount(m)
        writer.writeCount(k)
        writer.writeCount(n)
        writer.write(transposesB)
        writer.write(aSpace.rawValue)
        writer.write(bSpace.rawValue)
        writer.writeSize(aOffset)
        writer.writeSize(bOffset)
        writer.writeSize(outputOffset)
        writer.writeSize(aBatchStride)
        writer.writeSize(bBatchStride)
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let batch = try reader.readCount()
        let m = try reader.readCount()
        let k = try reader.readCount()
        let n = try reader.readCount()
        let transposesB = try reader.readBool()
        let aSpace = try reader.readSpace()
        let bSpace = try reader.readSpace()
        let aOffset = try reader.readSize()
        let bOffset = try reader.readSize()
        let outputOffset = try reader.readSize()
        let aBatchStride = try reader.readSize()
        self.init(
            batch: batch, m: m, k: k, n: n, transposesB: transposesB, aSpace: aSpace, bSpace: bSpace, aOffset: aOffset,
            bOffset: bOffset, outputOffset: outputOffset, aBatchStride: aBatchStride,
            bBatchStride: try reader.readSize())
    }

    var resultType: DeviceType { .float32 }

    var work: UInt64 { UInt64(batch) * UInt64(m) * UInt64(k) * UInt64(n) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        for value in [batch, m, k, n] { try checker.extent(value) }
        let total = try checker.product(Int64(batch), Int64(m), Int64(k), Int64(n))
        try checker.require(UInt64(total) <= NestLimits.maxWork, "the work is above the limit")
        try matrix(checker, aSpace, aOffset, rows: m, columns: k, stride: aBatchStride)
        try matrix(checker, bSpace, bOffset, rows: k, columns: n, stride: bBatchStride)
        try checker.arena(outputOffset, count: try checker.product(Int64(batch), Int64(m), Int64(n)), type: .float32)
    }

    private func matrix(
        _ checker: PlanChecker, _ space: Space, _ offset: Int, rows: Int, columns: Int, stride: Int
    ) throws(LoadError) {
        try checker.require(stride >= 0 && stride <= 1 << 30, "a stride is out of range")
        let last = try checker.product(Int64(batch - 1), Int64(stride))
        let count = try checker.product(Int64(rows), Int64(columns))
        let bytes = try checker.product(last + count, 4)
        try checker.range(space, offset: offset, bytes: bytes, alignment: 4)
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) { body(outputOffset, batch * m * n * 4) }

    func run(_ context: ExecutionContext, part: Part) {
        let a = (context.base(aSpace) + aOffset).assumingMemoryBound(to: Float.self)
        let b = (context.base(bSpace) + bOffset).assumingMemoryBound(to: Float.self)
        let output = context.arenaFloat(outputOffset)
        for line in part.range(of: batch * m) {
            let (item, row) = (line / m, line % m)
            let left = a + (item * aBatchStride + row * k)
            let right = b + item * bBatchStride
            let result = output + line * n
            if transposesB {
                for column in 0..<n {
                    let other = right + column * k
                    var sum: Float = 0
                    for i in 0..<k { sum = sum + left[i] * other[i] }
                    result[column] = sum
                }
            } else {
                for column in 0..<n { result[column] = 0 }
                for i in 0..<k {
                    let factor = left[i]
                    let other = right + i * n
                    for column in 0..<n { result[column] = result[column] + factor * other[column] }
                }
            }
        }
    }
}
