import CKernels
@testable import Kernels
import XCTest

/// Convolutions whose inputs are packed, and on AVX2 measured: the instructions that are exact depend on them.
final class PackedConvolutionTests: XCTestCase {
    private func pointwise(pixels: Int, inputs: Int, outputs: Int) -> ConvolutionGeometry {
        ConvolutionGeometry(
            inputHeight: 1, inputWidth: pixels, outputHeight: 1, outputWidth: pixels, inputChannelsPerGroup: inputs,
            outputChannelsPerGroup: outputs)
    }

    /// Pairs and quads of weights whose products with 255 sum up to just inside or outside 16 bits.
    func testSumsAtTheEdgeOf16Bits() throws {
        let palettes: [[Int8]] = [
            [64, 65, 63], [-64, -65, -63], [32, 33, 31, 0], [-32, -33, -31, 0], [127, 1, 2, 0], [-127, -128, -1, 0],
            [64, -64, 32, -32, 0], [127, -128, 0, 1, -1], [127, -127, -128], [43, 42, -43, -42, 21],
        ]
        var random = Random(31)
        let sets = try kernelSets()
        for (number, palette) in palettes.enumerated() {
            for pixels in [1, 3, 4, 13, 24] {
                let geometry = pointwise(pixels: pixels, inputs: random.int(1...70), outputs: random.int(1...21))
                var layer = ConvolutionCase(geometry, &random)
                for i in layer.weights.indices { layer.weights[i] = palette[random.int(0...palette.count - 1)] }
                let extremes: [Int8] = number % 2 == 0 ? [127, 127, 127, -128] : [127, 126]
                for i in layer.input.indices { layer.input[i] = extremes[random.int(0...extremes.count - 1)] }
                layer.bias = layer.bias.map { $0 &- 127 * Int32(geometry.inputChannelsPerGroup) * Int32(palette[0]) }
                layer.scales = layer.scales.map { $0 / 8 }
                let expected = layer.reference
                for isTold in [false, true] {
                    layer.tellsOfSmallScales = isTold
                    for kernels in sets {
                        XCTAssertEqual(layer.run(kernels), expected, "\(kernels.isa.text), \(palette), \(pixels) pixels")
                    }
                }
            }
        }
    }

    /// Weights of every size, so that every way to multiply a quad is used.
    func testSmallAndLargeWeights() throws {
        var random = Random(32)
        for bound in [0, 1, 20, 40, 60, 80, 100, 127] {
            let geometry = pointwise(pixels: 29, inputs: 260, outputs: 40)
            var layer = ConvolutionCase(geometry, &random)
            for i in layer.weights.indices {
                // Nearly normal, as trained weights are; some channels are zeros.
                let sum = random.int(-bound...bound) + random.int(-bound...bound)
                layer.weights[i] = i / 260 % 11 == 3 ? 0 : Int8(max(-128, min(127, sum)))
            }
            let expected = layer.reference
            for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
        }
    }

    /// Every number of pixels of a tile, alone and behind others, with every remainder of inputs and outputs.
    func testEveryTile() throws {
        var random = Random(33)
        let sets = try kernelSets()
        for pixels in 1...40 {
            var layer = ConvolutionCase(
                pointwise(pixels: pixels, inputs: 13 + pixels % 7, outputs: 8 + pixels % 9), &random)
            if pixels % 4 == 0 { layer.range = OutputRange(zeroPoint: -128, lowest: -128, highest: 90) }
            let expected = layer.reference
            for isTold in [false, true] {
                layer.tellsOfSmallScales = isTold
                for kernels in sets {
                    XCTAssertEqual(
                        layer.run(kernels, threads: 1 + pixels % 3, parts: 1 + pixels % 4), expected, "\(kernels.isa.text), \(pixels) pixels")
                }
            }
        }
    }

    func testEveryInputZeroPointInThePadding() throws {
        var random = Random(34)
        let geometry = ConvolutionGeometry(
            inputHeight: 3, inputWidth: 4, outputHeight: 3, outputWidth: 4, inputChannelsPerGroup: 5,
            outputChannelsPerGroup: 9, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
        let sets = try kernelSets()
        for zeroPoint in Int8.min...Int8.max {
            var layer = ConvolutionCase(geometry, &random)
            layer.inputZeroPoint = zeroPoint
            let expected = layer.reference
            for kernels in sets { XCTAssertEqual(layer.run(kernels), expected, "\(kernels.isa.text), \(zeroPoint)") }
        }
    }

    /// Few input channels: the taps of a pixel become one row, at the image's edges and inside, dense or in groups.
    func testFewChannels() throws {
        var random = Random(36)
        let sets = try kernelSets()
        for number in 0..<120 {
            var g = ConvolutionGeometry(
                inputHeight: random.int(1...17), inputWidth: random.int(1...19), outputHeight: 1, outputWidth: 1,
                groups: number % 5 == 0 ? 2 : 1, inputChannelsPerGroup: random.int(1...5),
                outputChannelsPerGroup: random.int(1...18), kernelHeight: random.int(1...7), kernelWidth: random.int(1...7),
                strideY: random.int(1...3), strideX: random.int(1...3))
            if number % 4 == 0 { (g.dilationY, g.dilationX) = (random.int(1...2), random.int(1...3)) }
            (g.padTop, g.padLeft) = (random.int(0...g.kernelHeight), random.int(0...g.kernelWidth))
            g.outputHeight = (g.inputHeight + g.padTop) / g.strideY + 1
            g.outputWidth = (g.inputWidth + g.padLeft) / g.strideX + 1
            var layer = ConvolutionCase(g, &random, lowestWeight: -128)
            if number % 3 == 0 { layer.weightOffset = Int32(random.int(-255...255)) }
            let expected = layer.reference
            for kernels in sets {
                XCTAssertEqual(layer.run(kernels, threads: 1 + number % 3, parts: 1 + number % 4), expected, "\(kernels.isa.text), \(g)")
            }
        }
        // Too long for one row.
        let long = ConvolutionGeometry(
            inputHeight: 15, inputWidth: 16, outputHeight: 15, outputWidth: 16, inputChannelsPerGroup: 4,
            outputChannelsPerGroup: 9, kernelHeight: 12, kernelWidth: 11, padTop: 6, padLeft: 5)
        let layer = ConvolutionCase(long, &random)
        for kernels in sets { XCTAssertEqual(layer.run(kernels), layer.reference, kernels.isa.text) }
    }

    /// Layers of many blocks, of one panel, of more panels than a cache holds.
    func testLargeLayers() throws {
        var random = Random(35)
        let shapes = [(3000, 17, 9), (700, 64, 130), (50, 600, 300), (14, 1500, 24)]
        for (pixels, inputs, outputs) in shapes {
            let layer = ConvolutionCase(pointwise(pixels: pixels, inputs: inputs, outputs: outputs), &random)
            let sets = try kernelSets()
            let expected = layer.run(sets[0])
            for kernels in sets.dropFirst() {
                for (threads, parts) in [(1, 1), (2, 2), (5, 4)] {
                    XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, "\(kernels.isa.text), \(threads) threads, \(parts) parts each")
                }
            }
        }
    }

    func testVeryDeepFilters() throws {
        var random = Random(37)
        let layer = ConvolutionCase(pointwise(pixels: 5, inputs: 65_536 * 4 + 7, outputs: 9), &random)
        let expected = layer.reference
        for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
    }

    /// Scales above 1/2 are small where the filter and its bias are; results beside the largest accumulators prove it.
    func testSmallScales() throws {
        typealias Traits = Packing.WeightTraits
        let g = pointwise(pixels: 7, inputs: 9, outputs: 8)
        XCTAssertTrue(Traits.areSmall(scales: 0.5, biases: .max, g))
        XCTAssertTrue(Traits.areSmall(scales: 1000, biases: 1000, g))
        XCTAssertFalse(Traits.areSmall(scales: 1300, biases: 1000, g))
        XCTAssertFalse(Traits.areSmall(scales: 1, biases: 1 << 30, g))
        XCTAssertFalse(Traits.areSmall(scales: 100, biases: 0, pointwise(pixels: 7, inputs: 900, outputs: 8)))
        var random = Random(37)
        for scale: Float in [0.7, 3, 1000] {
            var layer = ConvolutionCase(g, &random)
            layer.scales = layer.scales.map { _ in scale }
            for i in layer.bias.indices { layer.bias[i] = Int32(random.int(-500...500)) }
            for i in layer.weights.indices { layer.weights[i] = i % 2 == 0 ? 127 : -127 }
            for i in layer.input.indices { layer.input[i] = i % 2 == 0 ? 127 : -128 }
            let expected = layer.reference
            for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, "\(kernels.isa.text), \(scale)") }
        }
    }

    /// What is prepared costs little more than two bytes per 32 of weights.
    func testPreparedBytes() throws {
        let geometry = pointwise(pixels: 49, inputs: 512, outputs: 512)
        let bytes = Convolution(geometry, kernels: try KernelSet(features: [.avx2])).preparedByteCount
        XCTAssertEqual(bytes % 64, 0)
        XCTAssertLessThan(bytes, Packing.weightByteCount(geometry) / 12)
    }

    /// Inputs up to every largest and down to every least value, in all channels or in some: which instructions are exact
    /// changes with them. Weights are as large as they get, or of all sizes.
    func testEveryRangeOfInputs() throws {
        var random = Random(38)
        let sets = try kernelSets()
        for bound in Int8.min...Int8.max {
            for isLargest in [true, false] {
                let inputs = random.int(17...150)
                var layer = ConvolutionCase(pointwise(pixels: random.int(4...30), inputs: inputs, outputs: 9), &random)
                if random.int(0...1) == 0 { layer.weights = layer.weights.map { $0 < 0 ? -128 : 127 } }
                // Zeros in whole groups of channels, too.
                let period = random.int(1...40)
                for i in layer.input.indices {
                    let value = i % inputs / 8 % period == 0 ? Int(isLargest ? bound : .max) : random.int(-128...127)
                    layer.input[i] = Int8(isLargest ? min(value, Int(bound)) : max(value, Int(bound)))
                }
                layer.inputZeroPoint = random.int(0...1) == 0 ? -128 : bound
                layer.scales = layer.scales.map { $0 / 8 }
                let expected = layer.reference
                for kernels in sets {
                    XCTAssertEqual(layer.run(kernels, threads: random.int(1...3), parts: random.int(1...4)), expected, "\(kernels.isa.text), \(bound)")
                }
            }
        }
    }

    /// The largest inputs with which sums of products fit 16 bits, against their definition.
    func testLimits() throws {
        guard let scan = try kernelSets().compactMap(\.packed).first(where: \.measuresInputs)?.scan else {
            throw XCTSkip("this CPU has no kernel that measures its inputs")
        }
        var random = Random(39)
        for (number, quads) in [1, 2, 3, 63, 64, 65, 127, 128, 129, 200].enumerated() {
            let panels = 3
            var weights = random.int8s(panels * quads * 32, lowest: -128)
            // From all zero to as large as they get.
            for i in weights.indices {
                switch i / 32 % 5 {
                case 0: weights[i] = number % 2 == 0 ? 0 : 127
                case 1: weights[i] = number % 2 == 0 ? -128 : 1
                case 2: weights[i] /= 16
                default: break
                }
            }
            let bias = (0..<8 * panels).map { _ in Int32(random.int(-1000...1000)) }
            let stride = (quads + 63) / 64 * 96
            var corrected = [Int32](repeating: 0, count: 8 * panels), sums = corrected
            var limits = [UInt8](repeating: 7, count: panels * stride)
            weights.withUnsafeBufferPointer { weights in
                bias.withUnsafeBufferPointer { bias in
                    corrected.withUnsafeMutableBufferPointer { corrected in
                        sums.withUnsafeMutableBufferPointer { sums in
                            limits.withUnsafeMutableBufferPointer { limits in
                                var arguments = swiftlet_scan_s8_arguments(
                                    weights: weights.baseAddress!, bias: bias.baseAddress!,
                                    correctedBias: corrected.baseAddress!, weightSums: sums.baseAddress!,
                                    limits: limits.baseAddress!, limitStride: stride, quads: Int32(quads),
                                    panels: Int32(panels))
                                scan.entry.pointee.function.scan_s8(&arguments)
                            }
                        }
                    }
                }
            }
            func quad(_ panel: Int, _ q: Int) -> ArraySlice<Int8> { weights[((panel * quads + q) * 32)...].prefix(32) }
            /// The largest sum of positive or of negative weights that share a 16-bit sum.
            func worst(_ quads: [ArraySlice<Int8>]) -> Int {
                (0..<16).map { pair in
                    let shared = quads.flatMap { $0.dropFirst(2 * pair).prefix(2).map(Int.init) }
                    return max(shared.filter { $0 > 0 }.reduce(0, +), -shared.filter { $0 < 0 }.reduce(0, +))
                }.max()!
            }
            func limit(_ sum: Int) -> UInt8 { UInt8(min(255, sum == 0 ? 255 : 32767 / sum)) }
            for panel in 0..<panels {
                for q in 0..<quads {
                    let chunk = panel * stride + q / 64 * 96
                    XCTAssertEqual(limits[chunk + 32 + q % 64], limit(worst([quad(panel, q)])), "quad \(q) of \(quads)")
                    guard q % 2 == 0 else { continue }
                    let joint = q + 1 < quads ? limit(worst([quad(panel, q), quad(panel, q + 1)])) : 0
                    XCTAssertEqual(limits[chunk + q % 64 / 2], joint, "quads \(q) and \(q + 1) of \(quads)")
                }
                for channel in 0..<8 {
                    let sum = (0..<quads).reduce(0) { $0 + quad(panel, $1).dropFirst(4 * channel).prefix(4).reduce(0) { $0 + Int($1) } }
                    XCTAssertEqual(sums[8 * panel + channel], Int32(sum))
                    XCTAssertEqual(corrected[8 * panel + channel], bias[8 * panel + channel] - 128 * Int32(sum))
                }
            }
        }
    }
}
