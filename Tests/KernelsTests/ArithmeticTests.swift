import CKernels
@testable import Kernels
import XCTest

final class ArithmeticTests: XCTestCase {
    func testRoundingIsToNearestEven() {
        var random = Random(1)
        for halves in -2050...2050 {
            let value = Float(halves) / 2
            XCTAssertEqual(roundedToNearestEven(value), Int32(value.rounded(.toNearestOrEven)))
            XCTAssertEqual(roundedToNearestEven(value.nextUp), Int32(value.nextUp.rounded(.toNearestOrEven)))
            XCTAssertEqual(roundedToNearestEven(value.nextDown), Int32(value.nextDown.rounded(.toNearestOrEven)))
        }
        for _ in 0..<20_000 {
            let value = random.float(-4_000_000...4_000_000)
            XCTAssertEqual(roundedToNearestEven(value), Int32(value.rounded(.toNearestOrEven)))
        }
    }

    /// The definition with exact products: an int32 rounded to float and a float multiply in Double without error.
    private func exact(_ accumulator: Int32, _ scale: Float, _ range: OutputRange) -> Int8 {
        let rounded = Double(Float(accumulator))
        let product = Double(Float(rounded * Double(scale)))
        let step = product.rounded(.toNearestOrEven) + Double(range.zeroPoint)
        return Int8(min(max(step, Double(range.lowest)), Double(range.highest)))
    }

    func testRequantizeEqualsItsDefinition() {
        var random = Random(2)
        for _ in 0..<20_000 {
            let accumulator = Int32(truncatingIfNeeded: Int64(bitPattern: random.next()) >> random.int(32...62))
            let scale = Float(sign: .plus, exponent: random.int(-36...2), significand: random.float(1...2))
            let a = Int32(random.int(-128...127))
            let b = Int32(random.int(-128...127))
            let range = OutputRange(
                zeroPoint: Int32(random.int(-128...127)), lowest: min(a, b), highest: max(a, b))
            XCTAssertEqual(
                requantize(
                    accumulator, scale: scale, zeroPoint: range.zeroPoint, lowest: range.lowest,
                    highest: range.highest), exact(accumulator, scale, range))
        }
        for accumulator in [Int32.min, .min + 1, -1, 0, 1, .max - 1, .max] {
            for scale in [Float.leastNonzeroMagnitude, 1e-30, 0.5, 1, 3e38] {
                for zeroPoint in Int32(-128)...127 {
                    let range = OutputRange(zeroPoint: zeroPoint)
                    XCTAssertEqual(
                        requantize(
                            accumulator, scale: scale, zeroPoint: zeroPoint, lowest: -128, highest: 127),
                        exact(accumulator, scale, range))
                }
            }
        }
    }

    /// Every pixel and channel unit is in one part; parts that are said to repeat pixels do.
    func testCutsCoverPixelsAndChannelsOnce() {
        var random = TestRandom(seed: 77)
        var channelCuts = 0
        for _ in 0..<2000 {
            let threads = random.int(1...5)
            let count = threads * random.int(1...4)
            let (pixels, units) = (random.int(1...900), random.int(1...40))
            let (fewest, block) = (random.int(1...60), random.int(1...300))
            var counts = [Int](repeating: 0, count: pixels * units)
            var before: Range<Int>?
            let isForward = random.int(0...1) == 0
            for i in 0..<count {
                let (index, step) = isForward ? (i, -1) : (count - 1 - i, 1)
                let part = Part(index: index, of: count, threads: threads, previous: i == 0 ? -1 : index + step)
                let cut = PixelChannelCut(part, pixels: pixels, fewest: fewest, block: block, channelUnits: units)
                let (range, channels) = (cut.pixels.range(of: pixels), cut.channels.range(of: units))
                if cut.repeatsPixels { XCTAssertEqual(range, before) }
                if cut.channels.count > 1 { channelCuts += 1 }
                // A part without channels prepares nothing.
                before = channels.isEmpty ? nil : range
                for pixel in range {
                    for unit in channels { counts[pixel * units + unit] += 1 }
                }
            }
            XCTAssertTrue(counts.allSatisfy { $0 == 1 })
        }
        XCTAssertGreaterThan(channelCuts, 1000)
        let last = Part(index: 7, of: 8, threads: 2)
        XCTAssertNil(last.wholeShare)
        XCTAssertEqual(Part(index: 4, of: 8, threads: 2).wholeShare, Part(index: 1, of: 2))
    }

    func testPartsCoverOnceInOrder() {
        for total in [0, 1, 5, 6, 7, 48, 49, 1000] {
            for unit in [1, 4, 6, 16] {
                for count in 1...9 {
                    var next = 0
                    for index in 0..<count {
                        let range = Part(index: index, of: count).range(of: total, unit: unit)
                        XCTAssertEqual(range.lowerBound, next)
                        XCTAssertTrue(range.upperBound == total || range.upperBound % unit == 0)
                        next = range.upperBound
                    }
                    XCTAssertEqual(next, total)
                }
            }
        }
    }

    func testQuantizeClampsAndMapsNaNToTheZeroPoint() {
        let values: [Float] = [0, 0.26, -0.26, 0.75, 1e9, -1e9, .infinity, -.infinity, .nan, 0.25, -0.25]
        var output = [Int8](repeating: 0, count: values.count)
        quantize(
            values, inverseScale: 2, range: OutputRange(zeroPoint: 10, lowest: -100, highest: 120), output: &output,
            count: values.count)
        XCTAssertEqual(output, [10, 11, 9, 12, 120, -100, 120, -100, 10, 10, 10])
        quantize(
            [Float.nan], inverseScale: 1, range: OutputRange(zeroPoint: 10, lowest: 20, highest: 30), output: &output,
            count: 1)
        XCTAssertEqual(output[0], 20)
    }

    func testFloatTable() {
        let table = (-128...127).map { Float($0) * 0.5 }
        let input = (-128...127).map { Int8($0) }
        var output = [Float](repeating: 0, count: 256)
        lookUpFloat(table: table, input: input, output: &output, count: 256)
        XCTAssertEqual(output, table)
    }
}

final class ElementwiseTests: XCTestCase {
    func testInPlaceAndOverlappingStrides() throws {
        var random = Random(5)
        for kernels in try kernelSets() {
            for count in [1, 15, 16, 17, 31, 32, 33, 64, 100] {
                let a = random.int8s(count)
                let b = random.int8s(count)
                let parameters = AddParameters(
                    aZeroPoint: 4, aMultiplier: 0.7, bZeroPoint: -9, bMultiplier: -0.45,
                    output: OutputRange(zeroPoint: -3, lowest: -120, highest: 100))
                var expected: [Int8] = []
                for i in 0..<count {
                    let sum = Float(Int32(a[i]) - 4) * 0.7 + Float(Int32(b[i]) + 9) * -0.45
                    expected.append(quantizedStep(sum, zeroPoint: -3, lowest: -120, highest: 100))
                }
                var inPlace = a + [55]
                inPlace.withUnsafeMutableBufferPointer { values in
                    b.withUnsafeBufferPointer { b in
                        kernels.add(
                            ElementwiseOperands(
                                a: UnsafePointer(values.baseAddress!), aPixelStride: count, b: b.baseAddress!,
                                bPixelStride: count, broadcast: .none, output: values.baseAddress!,
                                outputPixelStride: count, pixels: 1, channels: count), parameters)
                    }
                }
                XCTAssertEqual(inPlace, expected + [55], kernels.isa.text)
            }
        }
    }

    func testTableOfEveryValue() throws {
        var random = Random(6)
        try checkTable(random.int8s(256), planes: 0, exceptions: 0)
    }

    /// What kernels that look for straight pieces of a table find in some, and that they give every entry.
    func testFittedTables() throws {
        func table(_ entry: (Double) -> Double) -> [Int8] {
            (-128...127).map { Int8(max(-128, min(127, entry(Double($0)).rounded()))) }
        }
        func silu(_ step: Double, _ outputStep: Double) -> [Int8] {
            table { x in
                let value = (x + 40) * step
                return value / (1 + exp(-value)) / outputStep - 110
            }
        }
        try checkTable((-128...127).map { Int8($0) }, planes: 1, exceptions: 0)
        try checkTable(table { -0.3 * $0 + 17 }, planes: 1, exceptions: 0)
        try checkTable(table { $0 < 20 ? -128 : 1.4 * ($0 - 20) - 128 }, planes: 1, exceptions: 1)
        try checkTable(silu(0.05, 0.04), planes: 1, exceptions: 0)
        try checkTable(silu(0.1, 0.06), planes: 1, exceptions: 2)
        try checkTable(table { $0 * $0 / 45 - 128 }, planes: 2, exceptions: 2)
        // Steeper than any slope.
        try checkTable(table { $0 < 3 ? -128 : 127 }, planes: 1, exceptions: 1)
        try checkTable(table { $0 < -70 ? -128 : $0 < 40 ? 5 : 127 }, planes: 1, exceptions: 2)
        try checkTable(table { Int($0) % 3 == 0 ? -100 : 100 }, planes: 0, exceptions: 0)
    }

    private func checkTable(_ table: [Int8], planes: UInt8, exceptions: UInt8) throws {
        var fitted = swiftlet_fitted_table()
        swiftlet_fit_table_s8(table, &fitted)
        XCTAssertEqual(fitted.planeCount, planes)
        XCTAssertEqual(fitted.exceptionCount, exceptions)
        let input = (-128...127).map { Int8($0) } + [Int8](repeating: 0, count: Packing.readAheadBytes)
        for kernels in try kernelSets() {
            let prepared = UnsafeMutableRawPointer.allocate(byteCount: kernels.preparedTableByteCount, alignment: 64)
            defer { prepared.deallocate() }
            let entries = UnsafeMutablePointer<Int8>.allocate(capacity: 256)
            defer { entries.deallocate() }
            entries.initialize(from: table, count: 256)
            var function = LookUpTable(entries: entries)
            if kernels.preparedTableByteCount > 0 {
                kernels.prepareTable(entries, into: prepared)
                function = LookUpTable(entries: entries, prepared: prepared)
            }
            for (channels, stride) in [(256, 256), (16, 16), (5, 7), (1, 3)] {
                let pixels = (256 - channels) / stride + 1
                var output = [Int8](repeating: 42, count: 256)
                for part in 0..<3 {
                    kernels.lookUp(
                        table: function, input: input, inputPixelStride: stride, output: &output,
                        outputPixelStride: stride, pixels: pixels, channels: channels, part: Part(index: part, of: 3))
                }
                for i in 0..<256 {
                    let isInside = i / stride < pixels && i % stride < channels
                    XCTAssertEqual(output[i], isInside ? table[i] : 42)
                }
            }
        }
    }
}
