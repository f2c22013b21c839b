import Kernels

/// Walks up to six axes of up to four operands. Neighbouring axes that every operand passes without a gap become one.
/// Allocates nothing.
struct StridedLoop {
    private(set) var axes = 0
    private var extents = SIMD8<Int>(repeating: 1)
    /// Strides of the four operands, by axis.
    private var strides: (SIMD8<Int>, SIMD8<Int>, SIMD8<Int>, SIMD8<Int>) = (.zero, .zero, .zero, .zero)

    /// Adds an axis inside those already there.
    mutating func append(extent: Int, _ s0: Int, _ s1: Int, _ s2: Int = 0, _ s3: Int = 0) {
        if extent == 1 { return }
        if axes > 0 {
            let last = axes - 1
            if strides.0[last] == s0 * extent, strides.1[last] == s1 * extent, strides.2[last] == s2 * extent,
                strides.3[last] == s3 * extent
            {
                extents[last] *= extent
                set(last, s0, s1, s2, s3)
                return
            }
        }
        extents[axes] = extent
        set(axes, s0, s1, s2, s3)
        axes += 1
    }

    private mutating func set(_ axis: Int, _ s0: Int, _ s1: Int, _ s2: Int, _ s3: Int) {
        strides.0[axis] = s0
        strides.1[axis] = s1
        strides.2[axis] = s2
        strides.3[axis] = s3
    }

    /// Strides of the innermost axis.
    var innerStrides: SIMD4<Int> {
        if axes == 0 { return SIMD4(1, 1, 1, 1) }
        let last = axes - 1
        return SIMD4(strides.0[last], strides.1[last], strides.2[last], strides.3[last])
    }

    /// Rows, their length and the strides from row to row, where there are two axes.
    var matrix: (rows: Int, columns: Int, rowStrides: SIMD4<Int>)? {
        axes == 2 ? (extents[0], extents[1], step(0)) : nil
    }

    /// Calls `body` for the rows of one part with each operand's element offset and the row's length.
    @inline(__always)
    func forEachRow(_ part: Part, _ body: (_ offsets: SIMD4<Int>, _ count: Int) -> Void) {
        forEachBlock(part) { offsets, rows, rowStep, count in
            var offsets = offsets
            for _ in 0..<rows {
                body(offsets, count)
                offsets &+= rowStep
            }
        }
    }

    /// Calls `body` for blocks of rows of one part: each operand's element offset of the first row, the number of rows,
    /// the elements from row to row, and the length of a row.
    @inline(__always)
    func forEachBlock(
        _ part: Part, _ body: (_ offsets: SIMD4<Int>, _ rows: Int, _ rowStep: SIMD4<Int>, _ count: Int) -> Void
    ) {
        let inner = axes == 0 ? 1 : extents[axes - 1]
        if axes < 2 {
            let share = part.range(of: inner)
            if !share.isEmpty { body(innerStrides &* SIMD4(repeating: share.lowerBound), 1, .zero, share.count) }
            return
        }
        var rows = 1
        for axis in 0..<axes - 1 { rows *= extents[axis] }
        let share = part.range(of: rows)
        if share.isEmpty { return }
        var position = SIMD8<Int>.zero
        var offsets = SIMD4<Int>.zero
        var rest = share.lowerBound
        for axis in stride(from: axes - 2, through: 0, by: -1) {
            position[axis] = rest % extents[axis]
            rest /= extents[axis]
            offsets &+= step(axis) &* SIMD4(repeating: position[axis])
        }
        let last = axes - 2
        let rowStep = step(last)
        var left = share.count
        while left > 0 {
            let count = min(left, extents[last] - position[last])
            body(offsets, count, rowStep, inner)
            left -= count
            // To the start of the next block.
            offsets &-= rowStep &* SIMD4(repeating: position[last])
            position[last] = 0
            var axis = last - 1
            while axis >= 0 {
                position[axis] += 1
                offsets &+= step(axis)
                if position[axis] < extents[axis] { break }
                offsets &-= step(axis) &* SIMD4(repeating: extents[axis])
                position[axis] = 0
                axis -= 1
            }
        }
    }

    @inline(__always)
    private func step(_ axis: Int) -> SIMD4<Int> {
        SIMD4(strides.0[axis], strides.1[axis], strides.2[axis], strides.3[axis])
    }
}
