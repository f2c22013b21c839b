import NestFormat
import XCTest

@testable import Vision

final class ResampleTests: XCTestCase {
    /// 7 × 5 gray.
    private let picture: [UInt8] = (0..<35).map { (index: Int) -> UInt8 in
        let (x, y) = (index % 7, index / 7)
        return UInt8((x * 53 + y * 101 + x * y * 19) % 256)
    }

    private func gray(_ width: Int, _ height: Int, fit: Preprocess.Fit = .stretch) -> Preprocess {
        Preprocess(width: width, height: height, color: .gray, fit: fit, mean: [0], std: [1])
    }

    /// Values of Pillow 11's `resize(…, BILINEAR)`.
    func testAntialiasedValuesOfPillow() {
        XCTAssertEqual(pixels(gray(3, 2), format: .gray8, width: 7, height: 5, picture), [111, 140, 116, 99, 115, 137])
        XCTAssertEqual(pixels(gray(9, 8), format: .gray8, width: 7, height: 5, picture), [
                0, 35, 77, 118, 159, 200, 99, 27, 62, 44, 85, 133, 156, 116, 164, 131, 78, 44, 107, 145, 197,
                201, 71, 115, 169, 146, 34, 170, 110, 117, 166, 170, 99, 126, 165, 169, 154, 101, 82, 113, 188,
                127, 119, 158, 223, 57, 118, 91, 42, 127, 200, 147, 125, 198, 104, 88, 84, 84, 66, 160, 111,
                92, 172, 148, 63, 78, 122, 23, 123, 81, 68, 154
            ])
    }

    /// The same with `box`: real-number crops read pixels outside the box.
    func testAntialiasedValuesOfPillowWithBox() {
        let preprocess = Preprocess(
            width: 4, height: 4, color: .gray, fit: .centerCropThenResize, cropFraction: 0.875, mean: [0], std: [1])
        XCTAssertEqual(pixels(preprocess, format: .gray8, width: 7, height: 5, picture), [
                121, 141, 154, 121, 141, 165, 114, 147, 88, 112, 157, 127, 82, 81, 126, 99
            ])
    }

    /// A direct computation: every output pixel on its own, from whole intermediate pictures.
    private func naive(
        _ source: [UInt8], width: Int, height: Int, channels: Int, filter: Preprocess.Filter, box: Placement
    ) -> [UInt8] {
        func weights(size: Int, low: Float, high: Float, outputs: Int, _ i: Int) -> [(Int, Int64)] {
            let scale = Double(high - low) / Double(outputs)
            let position = Double(low) + (Double(i) + 0.5) * scale
            switch filter {
            case .nearest:
                return [(min(size - 1, Int(position.rounded(.down))), 1 << 22)]
            case .bilinear:
                let lower = (position - 0.5).rounded(.down)
                let share = Int64(((position - 0.5 - lower) * 4_194_304).rounded(.toNearestOrEven))
                return [(max(0, Int(lower)), (1 << 22) - share), (min(size - 1, Int(lower) + 1), share)]
            case .bilinearAntialias:
                let reach = max(1, scale)
                let taps = (0..<size).filter { k in
                    // Pillow rounds the ends of the support.
                    k >= Int(position - reach + 0.5) && k < Int(position + reach + 0.5)
                }
                let raw = taps.map { max(0, 1 - abs((Double($0) - position + 0.5) * (1 / reach))) }
                let total = raw.reduce(0, +)
                return zip(taps, raw).map { ($0, Int64(0.5 + $1 / total * 4_194_304)) }
            }
        }
        func round(_ sum: Int64) -> UInt8 { UInt8(max(0, min(255, (sum + (1 << 21)) >> 22))) }
        let (w, h) = (box.resizedWidth, box.resizedHeight)
        var middle = [UInt8](repeating: 0, count: w * height * channels)
        for y in 0..<height {
            for x in 0..<w {
                let taps = weights(size: width, low: box.boxLeft, high: box.boxRight, outputs: w, x)
                for c in 0..<channels {
                    let sum = taps.reduce(Int64(0)) { $0 + $1.1 * Int64(source[(y * width + $1.0) * channels + c]) }
                    middle[(y * w + x) * channels + c] = round(sum)
                }
            }
        }
        var result = [UInt8](repeating: 0, count: w * h * channels)
        for y in 0..<h {
            let taps = weights(size: height, low: box.boxTop, high: box.boxBottom, outputs: h, y)
            for i in 0..<w * channels {
                let sum = taps.reduce(Int64(0)) { $0 + $1.1 * Int64(middle[$1.0 * w * channels + i]) }
                result[y * w * channels + i] = round(sum)
            }
        }
        return result
    }

    func testEveryFitAndFilterAgainstDirectComputation() {
        var generator = TestGenerator(seed: 11)
        for round in 0..<90 {
            let (w, h) = (Int.random(in: 1...37, using: &generator), Int.random(in: 1...37, using: &generator))
            let (width, height) = (Int.random(in: 1...19, using: &generator), Int.random(in: 1...19, using: &generator))
            let fit = Preprocess.Fit(rawValue: UInt8(round % 5))!
            let filter = Preprocess.Filter(rawValue: UInt8(round / 5 % 3))!
            let color: Preprocess.Color = round % 2 == 0 ? .rgb : round % 3 == 0 ? .gray : .bgr
            let channels = color == .gray ? 1 : 3
            let preprocess = Preprocess(
                width: width, height: height, color: color, fit: fit, filter: filter,
                resizeShorterSide: max(width, height) + round % 4, cropFraction: round % 2 == 0 ? 1 : 0.7, fill: 77)
            let source = (0..<w * h * channels).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let placement = Placement(preprocess, sourceWidth: w, sourceHeight: h)
            let resized = naive(source, width: w, height: h, channels: channels, filter: filter, box: placement)
            var expected = [UInt8](repeating: 77, count: width * height * channels)
            for y in 0..<height {
                for x in 0..<width {
                    let (rx, ry) = (x - placement.offsetX, y - placement.offsetY)
                    guard (0..<placement.resizedWidth).contains(rx), (0..<placement.resizedHeight).contains(ry)
                    else { continue }
                    for c in 0..<channels {
                        let from = color == .bgr ? 2 - c : c
                        expected[(y * width + x) * channels + c] =
                            resized[(ry * placement.resizedWidth + rx) * channels + from]
                    }
                }
            }
            let found = pixels(
                preprocess, format: channels == 1 ? .gray8 : .rgb24, width: w, height: h, source)
            XCTAssertEqual(found, expected, "\(w)×\(h) → \(width)×\(height) \(fit) \(filter) \(color)")
        }
    }

    func testSameSizeIsTheIdentity() {
        let source = (0..<20 * 10 * 3).map { UInt8($0 % 251) }
        for filter in [Preprocess.Filter.bilinearAntialias, .bilinear, .nearest] {
            let preprocess = Preprocess(width: 20, height: 10, filter: filter)
            XCTAssertEqual(pixels(preprocess, format: .rgb24, width: 20, height: 10, source), source)
        }
    }

    /// A preprocessor gives after other sizes what a fresh one gives.
    func testChangingSourceSizes() {
        let preprocess = Preprocess(width: 9, height: 7, fit: .letterboxCenter)
        let one = Preprocessor(preprocess, tables: identityTables(preprocess))
        for (w, h) in [(30, 20), (5, 50), (64, 3), (30, 20), (1, 1), (9, 7)] {
            let source = (0..<w * h * 3).map { UInt8($0 * 7 % 256) }
            source.withUnsafeBytes {
                let image = Image(format: .rgb24, width: w, height: h, bytes: $0)!
                let fresh = Preprocessor(preprocess, tables: identityTables(preprocess))
                XCTAssertEqual(pixels(one, image), pixels(fresh, image), "\(w)×\(h)")
            }
        }
    }

    func testTablesNormalizeAndQuantize() {
        var preprocess = Preprocess(width: 1, height: 1, scale: 1 / 255, mean: [0.5, 0.4, 0.3], std: [0.5, 0.25, 0.2])
        let port = PortDescriptor(
            name: "input", shape: [1, 1, 1, 3], externalType: .int8, storedType: .int8, arenaOffset: 0,
            permutation: [0, 1, 2, 3], scale: 1 / 128, zeroPoint: -3)
        guard case .int8(let entries) = preprocess.tables(for: port) else { return XCTFail("not int8") }
        for channel in 0..<3 {
            for pixel in 0..<256 {
                let real = (Float(pixel) * preprocess.scale - preprocess.mean[channel]) / preprocess.std[channel]
                let code = (real * 128).rounded(.toNearestOrEven) - 3
                XCTAssertEqual(entries[256 * channel + pixel], Int8(max(-128, min(127, code))))
            }
        }
        preprocess.color = .gray
        var float = port
        float.storedType = .float32
        guard case .float32(let reals) = preprocess.tables(for: float) else { return XCTFail("not float32") }
        XCTAssertEqual(reals.count, 256)
        XCTAssertEqual(reals[255], (255 * (1 / Float(255)) - 0.5) / 0.5)
    }

    func testFloatTensor() {
        let preprocess = Preprocess(width: 2, height: 1, color: .bgr, mean: [1, 2, 3], std: [2, 4, 8])
        let tables = PreprocessTables.float32((0..<3).flatMap { preprocess.normalized(channel: $0) })
        let preprocessor = Preprocessor(preprocess, tables: tables)
        XCTAssertEqual(preprocessor.outputByteCount, 24)
        var output = [Float](repeating: .nan, count: 6)
        [UInt8]([10, 20, 30, 40, 50, 60]).withUnsafeBytes { bytes in
            let image = Image(format: .rgb24, width: 2, height: 1, bytes: bytes)!
            output.withUnsafeMutableBytes { preprocessor.run(image, output: $0.baseAddress!) }
        }
        let expected: [Float] = [14.5, 4.5, 0.875, 29.5, 12, 4.625]
        XCTAssertEqual(output, expected)
    }
}
