import Kernels
import XCTest

final class PoolingTests: XCTestCase {
    private func geometry(_ random: inout Random) -> PoolingGeometry {
        let channels = random.int(1...40)
        var g = PoolingGeometry(
            inputHeight: random.int(1...8), inputWidth: random.int(1...8), outputHeight: 1, outputWidth: 1,
            channels: channels, kernelHeight: random.int(1...4), kernelWidth: random.int(1...4),
            strideY: random.int(1...3), strideX: random.int(1...3), dilationY: random.int(1...2),
            dilationX: random.int(1...2), inputPixelStride: channels + random.int(0...3),
            outputPixelStride: channels + random.int(0...3))
        g.padTop = random.int(0...g.kernelHeight - 1)
        g.padLeft = random.int(0...g.kernelWidth - 1)
        g.padBottom = random.int(0...g.kernelHeight - 1)
        g.padRight = random.int(0...g.kernelWidth - 1)
        let height = g.inputHeight + g.padTop + g.padBottom - (g.kernelHeight - 1) * g.dilationY - 1
        let width = g.inputWidth + g.padLeft + g.padRight - (g.kernelWidth - 1) * g.dilationX - 1
        // Rounded up as ceil mode does, so that windows hang over the padded input too.
        g.outputHeight = max(1, (height + g.strideY - 1) / g.strideY + 1)
        g.outputWidth = max(1, (width + g.strideX - 1) / g.strideX + 1)
        return g
    }

    /// Calls `body` with every tap's input pixel (nil outside the input) and whether it lies in the padded input.
    private func taps(_ g: PoolingGeometry, pixel: Int, _ body: (Int?, Bool) -> Void) {
        for ky in 0..<g.kernelHeight {
            for kx in 0..<g.kernelWidth {
                let y = pixel / g.outputWidth * g.strideY - g.padTop + ky * g.dilationY
                let x = pixel % g.outputWidth * g.strideX - g.padLeft + kx * g.dilationX
                let isInside = y >= 0 && y < g.inputHeight && x >= 0 && x < g.inputWidth
                let isPadded = y >= -g.padTop && y < g.inputHeight + g.padBottom && x >= -g.padLeft
                    && x < g.inputWidth + g.padRight
                body(isInside ? y * g.inputWidth + x : nil, isPadded)
            }
        }
    }

    func testPoolsEqualTheirDefinition() throws {
        var random = Random(31)
        let sets = try kernelSets()
        for number in 0..<60 {
            let kernels = sets[number % sets.count]
            let g = geometry(&random)
            let input = random.int8s(g.inputHeight * g.inputWidth * g.inputPixelStride + Packing.readAheadBytes)
            let floats = input.map { Float($0) * 0.3 }
            let zeroPoint = Int32(random.int(-128...127))
            let range = OutputRange(zeroPoint: Int32(random.int(-128...127)), lowest: -120, highest: 111)
            let multiplier = random.float(0.2...3)
            let countsPadding = random.int(0...1) == 0
            let size = g.outputPixels * g.outputPixelStride
            var maximum = [Int8](repeating: 7, count: size)
            var average = maximum
            var floatMaximum = [Float](repeating: 7, count: size)
            var floatAverage = floatMaximum
            let scratch = Guarded(byteCount: averagePoolScratchByteCount(channels: g.channels))
            for index in 0..<2 {
                let part = Part(index: index, of: 2)
                kernels.maxPool(g, input: input, output: &maximum, part: part)
                maxPool(g, input: floats, output: &floatMaximum, part: part)
                kernels.averagePool(
                    g, input: input, inputZeroPoint: zeroPoint, multiplier: multiplier, countsPadding: countsPadding,
                    range: range, output: &average, part: part, scratch: scratch.base)
                averagePool(g, input: floats, countsPadding: countsPadding, output: &floatAverage, part: part)
            }
            XCTAssertTrue(scratch.isIntact)
            for pixel in 0..<g.outputPixels {
                for c in 0..<g.outputPixelStride {
                    let index = pixel * g.outputPixelStride + c
                    guard c < g.channels else {
                        XCTAssertEqual(maximum[index], 7)
                        XCTAssertEqual(average[index], 7)
                        continue
                    }
                    var best = Int8.min
                    var floatBest = -Float.infinity
                    var sum: Int32 = 0
                    var floatSum: Float = 0
                    var count = 0
                    taps(g, pixel: pixel) { source, isPadded in
                        if let source {
                            best = max(best, input[source * g.inputPixelStride + c])
                            floatBest = max(floatBest, floats[source * g.inputPixelStride + c])
                            sum += Int32(input[source * g.inputPixelStride + c]) - zeroPoint
                            floatSum += floats[source * g.inputPixelStride + c]
                        }
                        if countsPadding ? isPadded : source != nil { count += 1 }
                    }
                    let divisor = Float(max(count, 1))
                    XCTAssertEqual(maximum[index], best)
                    XCTAssertEqual(floatMaximum[index], floatBest)
                    XCTAssertEqual(
                        average[index],
                        requantize(
                            sum, scale: multiplier / divisor, zeroPoint: range.zeroPoint, lowest: -120, highest: 111))
                    XCTAssertEqual(floatAverage[index], floatSum / divisor)
                }
            }
        }
    }

    func testMeansOfStoredIntegersRoundHalvesAsAsked() throws {
        var random = Random(33)
        let sets = try kernelSets()
        for number in 0..<40 {
            let kernels = sets[number % sets.count]
            let g = geometry(&random)
            let input = random.int8s(g.inputHeight * g.inputWidth * g.inputPixelStride + Packing.readAheadBytes)
            var outputs: [AverageRounding: [Int8]] = [:]
            let scratch = Guarded(byteCount: averagePoolScratchByteCount(channels: g.channels))
            for rounding in [AverageRounding.halfUp, .halfAwayFromZero] {
                var output = [Int8](repeating: 0, count: g.outputPixels * g.outputPixelStride)
                for index in 0..<3 {
                    kernels.averagePool(
                        g, input: input, inputZeroPoint: 5, multiplier: 1, countsPadding: false, rounding: rounding,
                        range: OutputRange(zeroPoint: 5, lowest: -90, highest: 100), output: &output,
                        part: Part(index: index, of: 3), scratch: scratch.base)
                }
                outputs[rounding] = output
            }
            XCTAssertTrue(scratch.isIntact)
            for pixel in 0..<g.outputPixels {
                for c in 0..<g.channels {
                    var values: [Double] = []
                    taps(g, pixel: pixel) { source, _ in
                        if let source { values.append(Double(input[source * g.inputPixelStride + c])) }
                    }
                    let mean = values.reduce(0, +) / Double(max(1, values.count))
                    let up = max(-90, min(100, (mean + 0.5).rounded(.down)))
                    let away = max(-90, min(100, mean.rounded(.toNearestOrAwayFromZero)))
                    XCTAssertEqual(outputs[.halfUp]![pixel * g.outputPixelStride + c], Int8(up))
                    XCTAssertEqual(outputs[.halfAwayFromZero]![pixel * g.outputPixelStride + c], Int8(away))
                }
            }
        }
    }
}
