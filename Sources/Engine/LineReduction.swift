import Kernels
import NestFormat

/// A dense tensor seen as `outer × reduced × inner`: what reductions along one axis work on.
struct LineShape {
    let outer: Int
    let reduced: Int
    let inner: Int

    /// One result for every line.
    var lines: Int { outer * inner }
    var work: UInt64 { UInt64(outer) * UInt64(reduced) * UInt64(inner) }

    func check(_ checker: PlanChecker) throws(LoadError) {
        try checker.extent(outer)
        try checker.extent(reduced)
        try checker.extent(inner)
        let count = try checker.product(Int64(outer), Int64(reduced), Int64(inner))
        try checker.require(count <= Int64(Int32.max), "a size overflows")
    }

    /// Columns worked on at a time: the size of the accumulators in scratch.
    static let block = 512
    static let scratchByteCount = block * 4

    /// Blocks of neighbouring lines of one part: the input index of the first line's first element, the first line's
    /// number, how many lines.
    @inline(__always)
    func forEachBlock(_ part: Part, _ body: (_ input: Int, _ line: Int, _ count: Int) -> Void) {
        let share = part.range(of: lines, unit: inner >= 64 ? 16 : 1)
        var line = share.lowerBound
        while line < share.upperBound {
            let (row, column) = (line / inner, line % inner)
            let count = min(inner - column, LineShape.block, share.upperBound - line)
            body(row * reduced * inner + column, line, count)
            line += count
        }
    }
}
