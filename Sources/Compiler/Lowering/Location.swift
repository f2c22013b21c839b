import Engine
import Graph
import NestFormat

/// Where a value's elements are: a buffer, and how its pixels are spaced. The value is seen as pixels × channels, its last
/// axis being the channels.
struct Location: Hashable {
    var buffer: Int
    /// Bytes from the buffer's start.
    var offset: Int
    /// Elements from one pixel to the next; equals the channels when dense.
    var pixelStride: Int
    var type: DeviceType
    /// Extents of the value.
    var shape: [Int]

    var channels: Int { shape.last ?? 1 }
    var count: Int { shape.reduce(1, *) }
    var pixels: Int { channels == 0 ? 0 : count / channels }
    var isDense: Bool { pixelStride == channels || pixels <= 1 }

    /// Element strides of each axis.
    var strides: [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        guard shape.count > 1 else { return strides }
        strides[shape.count - 2] = pixels <= 1 ? channels : pixelStride
        for axis in stride(from: shape.count - 3, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        }
        return strides
    }
}

/// How an int8 value in memory stands for reals.
struct Int8Parameters: Hashable {
    var scale: Float
    var zeroPoint: Int32

    /// From a value's annotation: uint8 is stored as int8 with everything shifted by 128. Nil for other types, or per axis.
    init?(_ quantization: Quantization?) {
        guard let quantization, quantization.axis == nil || quantization.scales.count == 1 else { return nil }
        scale = quantization.scales[0]
        switch quantization.elementType {
        case .int8: zeroPoint = quantization.zeroPoints[0]
        case .uint8: zeroPoint = quantization.zeroPoints[0] - 128
        default: return nil
        }
    }

    /// The reals of the codes -128 … 127.
    var codebook: [Float] { (-128...127).map { Float($0 - zeroPoint) * scale } }

    /// The code of a real: nearest even, saturated.
    func code(_ real: Float) -> Int8 {
        guard !real.isNaN else { return Int8(clamping: Int(zeroPoint)) }
        let scaled = (real * (1 / scale)).rounded(.toNearestOrEven) + Float(zeroPoint)
        return Int8(max(-128, min(127, scaled)))
    }
}
