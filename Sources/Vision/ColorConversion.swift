/// Integer conversion between colour spaces, one row at a time.
///
/// BT.601 with coefficients in 16-bit fixed point, rounded once, clamped to 0 … 255. With `full` range Y' = Y and the
/// factors are JFIF's 1.402, 0.344136, 0.714136 and 1.772; with `limited` range Y' = 255/219 (Y - 16) and the chroma
/// factors are those times 255/224. Chroma is taken from the nearest sample (x / 2, y / 2). Gray from RGB is the luma
/// (19595 R + 38470 G + 7471 B + 32768) / 65536.
enum ColorConversion {
    struct Coefficients {
        var yOffset: Int32, y: Int32, redV: Int32, greenU: Int32, greenV: Int32, blueU: Int32

        init(_ range: ColorRange) {
            switch range {
            case .full: (yOffset, y, redV, greenU, greenV, blueU) = (0, 65_536, 91_881, 22_554, 46_802, 116_130)
            case .limited: (yOffset, y, redV, greenU, greenV, blueU) = (16, 76_309, 104_597, 25_675, 53_279, 132_201)
            }
        }

        @inline(__always)
        func luma(_ sample: UInt8) -> UInt8 { clamp(((Int32(sample) - yOffset) &* y &+ 32_768) >> 16) }

        @inline(__always)
        func write(y sample: UInt8, u: UInt8, v: UInt8, to out: UnsafeMutablePointer<UInt8>) {
            let base = (Int32(sample) - yOffset) &* y &+ 32_768
            let (du, dv) = (Int32(u) - 128, Int32(v) - 128)
            out[0] = clamp((base &+ redV &* dv) >> 16)
            out[1] = clamp((base &- greenU &* du &- greenV &* dv) >> 16)
            out[2] = clamp((base &+ blueU &* du) >> 16)
        }
    }

    @inline(__always)
    static func clamp(_ value: Int32) -> UInt8 { UInt8(truncatingIfNeeded: max(0, min(255, value))) }

    /// Writes pixels `columns` of row `y` as RGB.
    static func writeRGB(
        _ image: Image, y: Int, columns: Range<Int>, to out: UnsafeMutablePointer<UInt8>
    ) {
        let row = image.planes.0 + y * image.strides.0
        var out = out
        let coefficients = Coefficients(image.range)
        switch image.format {
        case .rgb24:
            out.update(from: row + 3 * columns.lowerBound, count: 3 * columns.count)
        case .gray8:
            for x in columns {
                (out[0], out[1], out[2]) = (row[x], row[x], row[x])
                out += 3
            }
        case .yuyv:
            for x in columns {
                let pair = row + (x & ~1) * 2
                coefficients.write(y: row[2 * x], u: pair[1], v: pair[3], to: out)
                out += 3
            }
        case .nv12:
            let chroma = image.planes.1 + (y >> 1) * image.strides.1
            for x in columns {
                let pair = chroma + (x & ~1)
                coefficients.write(y: row[x], u: pair[0], v: pair[1], to: out)
                out += 3
            }
        case .i420:
            let u = image.planes.1 + (y >> 1) * image.strides.1
            let v = image.planes.2 + (y >> 1) * image.strides.2
            for x in columns {
                coefficients.write(y: row[x], u: u[x >> 1], v: v[x >> 1], to: out)
                out += 3
            }
        }
    }

    /// Writes pixels `columns` of row `y` as gray.
    static func writeGray(
        _ image: Image, y: Int, columns: Range<Int>, to out: UnsafeMutablePointer<UInt8>
    ) {
        let row = image.planes.0 + y * image.strides.0
        var out = out
        switch image.format {
        case .gray8:
            out.update(from: row + columns.lowerBound, count: columns.count)
        case .rgb24:
            for x in columns {
                let pixel = row + 3 * x
                let sum = Int32(pixel[0]) &* 19_595 &+ Int32(pixel[1]) &* 38_470 &+ Int32(pixel[2]) &* 7_471
                out[0] = UInt8(truncatingIfNeeded: (sum &+ 32_768) >> 16)
                out += 1
            }
        case .yuyv, .nv12, .i420:
            let coefficients = Coefficients(image.range)
            let step = image.format == .yuyv ? 2 : 1
            for x in columns {
                out[0] = coefficients.luma(row[step * x])
                out += 1
            }
        }
    }
}
