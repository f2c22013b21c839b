import NestFormat

/// Reads elements of a stored output tensor as real numbers.
struct TensorView {
    let base: UnsafeRawPointer
    let type: DeviceType
    let scale: Float
    let zeroPoint: Int32

    init(_ port: PortDescriptor, bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count >= port.elementCount * port.storedType.byteCount, "an output's bytes are missing")
        base = bytes.baseAddress!
        type = port.storedType
        // Unquantized integers stand for themselves.
        scale = port.scale == 0 ? 1 : port.scale
        zeroPoint = port.scale == 0 ? 0 : port.zeroPoint
    }

    /// Element at a stored index.
    @inline(__always)
    func value(_ index: Int) -> Float {
        switch type {
        case .float32: base.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
        case .int32, .int64: Float(base.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
        case .int8, .uint8, .bool: Float(Int32(base.load(fromByteOffset: index, as: Int8.self)) - zeroPoint) * scale
        }
    }

    /// Element as an integer code: int8 as it is stored, int32 as it is.
    @inline(__always)
    func code(_ index: Int) -> Int32 {
        switch type {
        case .float32: Int32(max(-1e9, min(1e9, base.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))))
        case .int32, .int64: base.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)
        case .int8, .uint8, .bool: Int32(base.load(fromByteOffset: index, as: Int8.self))
        }
    }
}

extension PortDescriptor {
    var elementCount: Int { shape.reduce(1, *) }

    /// Extents in stored order.
    var storedShape: [Int] { permutation.map { shape[$0] } }
}

/// A stored tensor seen as rows × columns: element (r, c) is at `r * rowStride + c * columnStride`.
struct Matrix {
    var rows: Int, columns: Int, rowStride: Int, columnStride: Int

    /// Axes of extent 1 do not count. Two axes are taken in the source model's order; three or more in stored order, the
    /// last as columns (a head over a feature map: one row a cell); one axis is columns if it has `expectedColumns`
    /// elements, or is the source's last of several while more than one column is expected, else rows.
    init(_ port: PortDescriptor, expectedColumns: Int) {
        let stored = port.storedShape
        var strides = [Int](repeating: 1, count: stored.count)
        for axis in stride(from: stored.count - 2, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] * stored[axis + 1]
        }
        let significant = stored.indices.filter { stored[$0] > 1 }
        switch significant.count {
        case 0:
            (rows, columns, rowStride, columnStride) = (1, 1, 1, 1)
        case 1:
            let extent = stored[significant[0]]
            let isLast = stored.count > 1 && port.permutation[significant[0]] == stored.count - 1
            if extent == expectedColumns || (isLast && expectedColumns > 1) {
                (rows, columns, rowStride, columnStride) = (1, extent, extent, 1)
            } else {
                (rows, columns, rowStride, columnStride) = (extent, 1, 1, 1)
            }
        case 2:
            // The axis that comes first in the source is rows.
            let (a, b) = (significant[0], significant[1])
            let (row, column) = port.permutation[a] < port.permutation[b] ? (a, b) : (b, a)
            (rows, columns) = (stored[row], stored[column])
            (rowStride, columnStride) = (strides[row], strides[column])
        default:
            columns = stored[stored.count - 1]
            rows = columns == 0 ? 0 : port.elementCount / columns
            (rowStride, columnStride) = (columns, 1)
        }
    }
}

/// A stored tensor seen as height × width × channels, in stored order; missing leading axes are 1.
struct Grid {
    var height: Int, width: Int, channels: Int

    init(height: Int, width: Int, channels: Int) {
        (self.height, self.width, self.channels) = (height, width, channels)
    }

    /// Three or more axes: the last three. Two (after leading ones): height × width of one channel.
    init(_ port: PortDescriptor) {
        var stored = port.storedShape
        while stored.count > 3 { stored.removeFirst() }
        switch stored.count {
        case 3:
            if port.shape.count == 3, stored[0] == 1, stored[2] > 1 {
                // [1, h, w]: labels or one score a pixel.
                (height, width, channels) = (stored[1], stored[2], 1)
            } else {
                (height, width, channels) = (stored[0], stored[1], stored[2])
            }
        case 2: (height, width, channels) = (stored[0], stored[1], 1)
        default: (height, width, channels) = (1, port.elementCount, 1)
        }
    }
}
