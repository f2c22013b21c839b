/// Row-major strides of `shape`, in elements.
func rowMajorStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
}

/// Strides with which a tensor of `shape` is read as one of `outputShape`: 0 along broadcast axes.
func broadcastStrides(_ shape: [Int], to outputShape: [Int]) -> [Int] {
    let offset = outputShape.count - shape.count
    let own = rowMajorStrides(shape)
    return outputShape.indices.map { axis in
        axis < offset || shape[axis - offset] == 1 ? 0 : own[axis - offset]
    }
}

/// Walks the elements of a shape in row-major order, a row at a time, following several operands with strides of their
/// own. Axes that all operands see as one are merged, so that rows are as long as possible.
struct StridedWalk {
    /// Elements of a row, and every operand's stride within it.
    let rowLength: Int
    let rowStrides: [Int]
    private let outerShape: [Int]
    private let outerStrides: [[Int]]
    private let isEmpty: Bool

    /// `strides[operand][axis]`.
    init(shape: [Int], strides: [[Int]]) {
        var extents: [Int] = []
        var merged = [[Int]](repeating: [], count: strides.count)
        for axis in shape.indices where shape[axis] != 1 {
            let continues =
                !extents.isEmpty
                && strides.indices.allSatisfy { merged[$0].last! == strides[$0][axis] * shape[axis] }
            if continues {
                extents[extents.count - 1] *= shape[axis]
                for operand in strides.indices { merged[operand][extents.count - 1] = strides[operand][axis] }
            } else {
                extents.append(shape[axis])
                for operand in strides.indices { merged[operand].append(strides[operand][axis]) }
            }
        }
        isEmpty = shape.contains(0)
        rowLength = extents.last ?? 1
        rowStrides = merged.map { $0.last ?? 0 }
        outerShape = extents.dropLast()
        outerStrides = merged.map { $0.dropLast() }
    }

    /// Calls `body` with the index of the row's first element and every operand's offset there.
    @inline(__always)
    func forEachRow(_ body: (_ first: Int, _ offsets: UnsafePointer<Int>) -> Void) {
        if isEmpty { return }
        var offsets = [Int](repeating: 0, count: max(rowStrides.count, 1))
        var position = [Int](repeating: 0, count: outerShape.count)
        let rowCount = outerShape.reduce(1, *)
        offsets.withUnsafeMutableBufferPointer { offsets in
            for row in 0..<rowCount {
                body(row * rowLength, UnsafePointer(offsets.baseAddress!))
                var axis = outerShape.count - 1
                while axis >= 0 {
                    position[axis] += 1
                    for operand in outerStrides.indices { offsets[operand] += outerStrides[operand][axis] }
                    if position[axis] < outerShape[axis] { break }
                    for operand in outerStrides.indices {
                        offsets[operand] -= outerStrides[operand][axis] * outerShape[axis]
                    }
                    position[axis] = 0
                    axis -= 1
                }
            }
        }
    }
}

extension Tensor {
    /// The elements at `base` + strides, as a tensor of `shape`: the common core of Transpose, Slice, Expand and such.
    func strided(shape newShape: [Int], strides: [Int], base: Int = 0) -> Tensor {
        switch elementType.byteCount {
        case 1: strided(newShape, strides, base, as: UInt8.self)
        case 2: strided(newShape, strides, base, as: UInt16.self)
        case 4: strided(newShape, strides, base, as: UInt32.self)
        default: strided(newShape, strides, base, as: UInt64.self)
        }
    }

    private func strided<Bits: BitwiseCopyable>(
        _ newShape: [Int], _ strides: [Int], _ base: Int, as _: Bits.Type
    ) -> Tensor {
        Tensor(unsafeUninitialized: elementType, shape: newShape) { bytes in
            let output = bytes.bindMemory(to: Bits.self).baseAddress!
            withBits(as: Bits.self) { input in
                let walk = StridedWalk(shape: newShape, strides: [strides])
                let (count, stride) = (walk.rowLength, walk.rowStrides[0])
                walk.forEachRow { first, offsets in
                    let row = output + first
                    let source = input + (base + offsets[0])
                    if stride == 1 {
                        row.update(from: source, count: count)
                    } else {
                        for index in 0..<count { row[index] = source[index * stride] }
                    }
                }
            }
        }
    }

    /// Gives `body` the elements as plain bits of their width.
    func withBits<Bits: BitwiseCopyable, Result>(
        as _: Bits.Type, _ body: (UnsafePointer<Bits>) -> Result
    ) -> Result {
        precondition(MemoryLayout<Bits>.size == elementType.byteCount)
        return withExtendedLifetime(storage) {
            body(UnsafePointer(storage.base.assumingMemoryBound(to: Bits.self)))
        }
    }
}
