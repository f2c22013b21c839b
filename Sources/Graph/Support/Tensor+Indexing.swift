extension Tensor {
    /// The tensor whose element at (i, j, …) is this one's at (tables[0][i], tables[1][j], …), or `fill` (a tensor of
    /// one element of the same type, by default zero) where an entry is negative. Nil stands for the whole axis.
    public func indexed(_ tables: [[Int]?], fill: Tensor? = nil) -> Tensor {
        switch elementType.byteCount {
        case 1: indexed(tables, fill, UInt8.self)
        case 2: indexed(tables, fill, UInt16.self)
        case 4: indexed(tables, fill, UInt32.self)
        default: indexed(tables, fill, UInt64.self)
        }
    }

    private func indexed<Bits: FixedWidthInteger & BitwiseCopyable>(_ tables: [[Int]?], _ fill: Tensor?, _: Bits.Type)
        -> Tensor
    {
        precondition(tables.count == shape.count)
        // Whole trailing axes are copied in one piece.
        var inner = 1
        var rank = shape.count
        while rank > 0, tables[rank - 1] == nil {
            rank -= 1
            inner *= shape[rank]
        }
        let entries = (0..<rank).map { tables[$0] ?? Array(0..<shape[$0]) }
        let newShape = entries.map(\.count) + shape[rank...]
        let fillBits = fill.map { $0.withBits(as: Bits.self) { $0[0] } } ?? 0
        let strides = rowMajorStrides(Array(shape[..<rank])).map { $0 * inner }
        return Tensor(unsafeUninitialized: elementType, shape: newShape) { bytes in
            guard !bytes.isEmpty else { return }
            var target = bytes.bindMemory(to: Bits.self).baseAddress!
            withBits(as: Bits.self) { source in
                func copy(_ axis: Int, _ base: Int) {
                    if axis == rank {
                        if base < 0 {
                            target.update(repeating: fillBits, count: inner)
                        } else {
                            target.update(from: source + base, count: inner)
                        }
                        target += inner
                    } else if axis == rank - 1 && inner == 1 {
                        for entry in entries[axis] {
                            target.pointee = base < 0 || entry < 0 ? fillBits : source[base + entry * strides[axis]]
                            target += 1
                        }
                    } else {
                        for entry in entries[axis] {
                            copy(axis + 1, base < 0 || entry < 0 ? -1 : base + entry * strides[axis])
                        }
                    }
                }
                copy(0, 0)
            }
        }
    }

    /// The part `range` along `axis`.
    func sliced(axis: Int, _ range: Swift.Range<Int>) -> Tensor {
        let strides = rowMajorStrides(shape)
        var newShape = shape
        newShape[axis] = range.count
        return strided(shape: newShape, strides: strides, base: range.lowerBound * strides[axis])
    }

    /// Tensors of one type, equal in shape but along `axis`, one after the other.
    static func concatenated(_ tensors: [Tensor], axis: Int) -> Tensor {
        var newShape = tensors[0].shape
        newShape[axis] = tensors.reduce(0) { $0 + $1.shape[axis] }
        let elementType = tensors[0].elementType
        let outer = newShape[..<axis].reduce(1, *)
        let inner = newShape[(axis + 1)...].reduce(1, *) * elementType.byteCount
        return Tensor(unsafeUninitialized: elementType, shape: newShape) { bytes in
            let rowBytes = newShape[axis] * inner
            var start = 0
            for tensor in tensors {
                let count = tensor.shape[axis] * inner
                withExtendedLifetime(tensor) {
                    guard count > 0 else { return }
                    for row in 0..<outer {
                        (bytes.baseAddress! + row * rowBytes + start).copyMemory(
                            from: tensor.unsafeBytes.baseAddress! + row * count, byteCount: count)
                    }
                }
                start += count
            }
        }
    }
}
