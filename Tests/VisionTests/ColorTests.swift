import NestFormat
import XCTest

@testable import Vision

final class ColorTests: XCTestCase {
    private func reference(_ range: ColorRange, y: Int, u: Int, v: Int) -> [UInt8] {
        let (luma, chroma) = range == .full ? (Double(y), 1.0) : (Double(y - 16) * 255 / 219, 255.0 / 224)
        let (du, dv) = (Double(u - 128) * chroma, Double(v - 128) * chroma)
        return [luma + 1.402 * dv, luma - 0.344136 * du - 0.714136 * dv, luma + 1.772 * du].map {
            UInt8(max(0, min(255, $0.rounded())))
        }
    }

    /// All formats, both ranges: within one step of BT.601 in real numbers, chroma from the nearest sample.
    func testFormatsAgainstRealNumbers() {
        var generator = TestGenerator(seed: 3)
        for (w, h) in [(6, 4), (8, 3), (2, 1), (10, 7)] {
            for range in [ColorRange.limited, .full] {
                for format in PixelFormat.allCases where format != .rgb24 && format != .gray8 {
                    let bytes = (0..<format.byteCount(width: w, height: h)!).map { _ in
                        UInt8.random(in: 0...255, using: &generator)
                    }
                    let (halfWidth, halfHeight) = ((w + 1) / 2, (h + 1) / 2)
                    let preprocess = Preprocess(width: w, height: h)
                    let found: [UInt8] = bytes.withUnsafeBytes {
                        let image = Image(format: format, range: range, width: w, height: h, bytes: $0)!
                        return pixels(Preprocessor(preprocess, tables: identityTables(preprocess)), image)
                    }
                    for y in 0..<h {
                        for x in 0..<w {
                            let (luma, u, v): (UInt8, UInt8, UInt8)
                            switch format {
                            case .yuyv:
                                let pair = y * w * 2 + x / 2 * 4
                                (luma, u, v) = (bytes[pair + x % 2 * 2], bytes[pair + 1], bytes[pair + 3])
                            case .nv12:
                                let chroma = w * h + (y / 2 * halfWidth + x / 2) * 2
                                (luma, u, v) = (bytes[y * w + x], bytes[chroma], bytes[chroma + 1])
                            default:
                                let chroma = w * h + y / 2 * halfWidth + x / 2
                                (luma, u, v) = (bytes[y * w + x], bytes[chroma], bytes[chroma + halfWidth * halfHeight])
                            }
                            let expected = reference(range, y: Int(luma), u: Int(u), v: Int(v))
                            for c in 0..<3 {
                                let difference = Int(found[(y * w + x) * 3 + c]) - Int(expected[c])
                                XCTAssertLessThanOrEqual(abs(difference), 1, "\(format) \(range) (\(x), \(y)) \(c)")
                            }
                        }
                    }
                }
            }
        }
    }

    func testExtremes() {
        // Y, U, V → RGB that every BT.601 table lists.
        let cases: [(ColorRange, [UInt8], [UInt8])] = [
            (.limited, [16, 128, 128], [0, 0, 0]), (.limited, [235, 128, 128], [255, 255, 255]),
            (.full, [0, 128, 128], [0, 0, 0]), (.full, [255, 128, 128], [255, 255, 255]),
            (.limited, [81, 90, 240], [254, 0, 0]), (.full, [255, 255, 255], [255, 121, 255]),
            (.limited, [255, 0, 0], [74, 255, 20]), (.full, [0, 0, 0], [0, 135, 0]),
        ]
        for (range, yuv, rgb) in cases {
            let bytes = [yuv[0], yuv[1], yuv[0], yuv[2]]
            let preprocess = Preprocess(width: 2, height: 1)
            let found: [UInt8] = bytes.withUnsafeBytes {
                pixels(
                    Preprocessor(preprocess, tables: identityTables(preprocess)),
                    Image(format: .yuyv, range: range, width: 2, height: 1, bytes: $0)!)
            }
            XCTAssertEqual(found, rgb + rgb, "\(range) \(yuv)")
        }
    }

    func testGrayFromColorAndColorFromGray() {
        let gray = Preprocess(width: 3, height: 1, color: .gray, mean: [0], std: [1])
        XCTAssertEqual(
            pixels(gray, format: .rgb24, width: 3, height: 1, [255, 0, 0, 0, 255, 0, 1, 2, 3]), [76, 150, 2])
        XCTAssertEqual(
            pixels(Preprocess(width: 3, height: 1), format: .gray8, width: 3, height: 1, [9, 0, 255]),
            [9, 9, 9, 0, 0, 0, 255, 255, 255])
        let luma = Preprocess(width: 2, height: 2, color: .gray, mean: [0], std: [1])
        XCTAssertEqual(
            pixels(luma, format: .nv12, width: 2, height: 2, [16, 235, 126, 0, 7, 9]), [0, 255, 128, 0])
    }

    /// Rows with padding between them read as without.
    func testStrides() {
        let (w, h) = (5, 4)
        let source = (0..<w * h * 3).map { UInt8($0 * 5 % 256) }
        var padded: [UInt8] = []
        for y in 0..<h {
            padded += source[y * w * 3..<(y + 1) * w * 3]
            padded += [1, 2, 3, 4, 5, 6, 7]
        }
        let preprocess = Preprocess(width: 3, height: 3)
        let found: [UInt8] = padded.withUnsafeBufferPointer {
            let start = $0.baseAddress!
            let image = Image(
                format: .rgb24, width: w, height: h, planes: (start, start, start), strides: (w * 3 + 7, 0, 0))
            return pixels(Preprocessor(preprocess, tables: identityTables(preprocess)), image)
        }
        XCTAssertEqual(found, pixels(preprocess, format: .rgb24, width: w, height: h, source))
    }

    func testSizesAreChecked() {
        let bytes = [UInt8](repeating: 0, count: 12)
        bytes.withUnsafeBytes {
            XCTAssertNil(Image(format: .rgb24, width: 2, height: 3, bytes: $0))
            XCTAssertNil(Image(format: .yuyv, width: 3, height: 2, bytes: $0))
            XCTAssertNil(Image(format: .gray8, width: 0, height: 2, bytes: $0))
            XCTAssertNotNil(Image(format: .i420, width: 3, height: 2, bytes: $0))
            XCTAssertNotNil(Image(format: .nv12, width: 2, height: 3, bytes: $0))
        }
    }
}
