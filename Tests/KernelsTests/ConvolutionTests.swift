import Kernels
import XCTest

final class ConvolutionTests: XCTestCase {
    /// Layers large enough for several panels per call, several tiles per block and splits over channels.
    private let layers: [ConvolutionGeometry] = [
        ConvolutionGeometry(
            inputHeight: 5, inputWidth: 4, outputHeight: 5, outputWidth: 4, inputChannelsPerGroup: 130,
            outputChannelsPerGroup: 180, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1),
        ConvolutionGeometry(
            inputHeight: 7, inputWidth: 7, outputHeight: 7, outputWidth: 7, inputChannelsPerGroup: 96,
            outputChannelsPerGroup: 41),
        ConvolutionGeometry(
            inputHeight: 1, inputWidth: 1, outputHeight: 1, outputWidth: 1, inputChannelsPerGroup: 515,
            outputChannelsPerGroup: 101),
        ConvolutionGeometry(
            inputHeight: 13, inputWidth: 11, outputHeight: 7, outputWidth: 6, inputChannelsPerGroup: 3,
            outputChannelsPerGroup: 20, kernelHeight: 3, kernelWidth: 3, strideY: 2, strideX: 2, padTop: 1,
            padLeft: 1),
        ConvolutionGeometry(
            inputHeight: 9, inputWidth: 9, outputHeight: 9, outputWidth: 9, groups: 3, inputChannelsPerGroup: 10,
            outputChannelsPerGroup: 12, kernelHeight: 3, kernelWidth: 3, dilationY: 2, dilationX: 2, padTop: 2,
            padLeft: 2),
        ConvolutionGeometry(
            inputHeight: 10, inputWidth: 9, outputHeight: 10, outputWidth: 9, groups: 70, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1),
        ConvolutionGeometry(
            inputHeight: 19, inputWidth: 17, outputHeight: 10, outputWidth: 9, groups: 23, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: 3, kernelWidth: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1),
        ConvolutionGeometry(
            inputHeight: 9, inputWidth: 70, outputHeight: 9, outputWidth: 70, groups: 41, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: 5, kernelWidth: 5, padTop: 2, padLeft: 2),
        ConvolutionGeometry(
            inputHeight: 12, inputWidth: 11, outputHeight: 12, outputWidth: 11, groups: 33, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: 3, kernelWidth: 3, dilationY: 2, dilationX: 2, padTop: 2,
            padLeft: 2),
        ConvolutionGeometry(
            inputHeight: 4, inputWidth: 5, outputHeight: 8, outputWidth: 10, inputChannelsPerGroup: 6,
            outputChannelsPerGroup: 9, kernelHeight: 3, kernelWidth: 4, strideY: 2, strideX: 2, padTop: 1, padLeft: 1,
            isTransposed: true),
    ]

    func testEveryISAEqualsTheReferenceForAnySplit() throws {
        var random = Random(21)
        let sets = try kernelSets()
        for geometry in layers {
            let layer = ConvolutionCase(geometry, &random)
            let expected = layer.reference
            XCTAssertGreaterThan(Set(expected).count, 20, "the case must not saturate")
            for kernels in sets {
                for (threads, parts) in [(1, 1), (2, 2), (3, 4), (8, 1)] {
                    XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, "\(kernels.isa.text), \(threads) threads, \(parts) parts each")
                }
            }
        }
    }

    func testWeightsOfMinus128() throws {
        var random = Random(22)
        for geometry in layers {
            var layer = ConvolutionCase(geometry, &random, lowestWeight: -128)
            for i in layer.weights.indices where i % 2 == 0 { layer.weights[i] = -128 }
            for i in layer.input.indices where i % 3 != 0 { layer.input[i] = -128 }
            let expected = layer.reference
            for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
        }
    }

    func testFusionEqualsTheSequence() throws {
        var random = Random(23)
        for geometry in layers {
            let plain = ConvolutionCase(geometry, &random)
            var fused = plain
            fused.table = random.int8s(256)
            fused.residual = random.int8s(geometry.outputPixels * geometry.outputChannels)
            for kernels in try kernelSets() {
                let q = plain.run(kernels).map { fused.table[Int($0) + 128] }
                var separate = [Int8](repeating: 0, count: q.count)
                q.withUnsafeBufferPointer { a in
                    fused.residual.withUnsafeBufferPointer { b in
                        separate.withUnsafeMutableBufferPointer { output in
                            kernels.add(
                                ElementwiseOperands(
                                    a: a.baseAddress!, aPixelStride: q.count, b: b.baseAddress!,
                                    bPixelStride: q.count, broadcast: .none, output: output.baseAddress!,
                                    outputPixelStride: q.count, pixels: 1, channels: q.count), fused.sum)
                        }
                    }
                }
                XCTAssertEqual(fused.run(kernels, threads: 2, parts: 2), separate, kernels.isa.text)
            }
        }
    }

    /// A transposed convolution scatters: every input adds its products to the outputs under the kernel.
    func testTransposedEqualsScattering() throws {
        var random = Random(24)
        for _ in 0..<12 {
            var g = ConvolutionGeometry(
                inputHeight: random.int(1...5), inputWidth: random.int(1...5), outputHeight: 1, outputWidth: 1,
                inputChannelsPerGroup: random.int(1...6), outputChannelsPerGroup: random.int(1...6),
                kernelHeight: random.int(1...4), kernelWidth: random.int(1...4), strideY: random.int(1...3),
                strideX: random.int(1...3), dilationY: random.int(1...2), dilationX: random.int(1...2),
                isTransposed: true)
            g.padTop = random.int(0...g.kernelHeight - 1)
            g.padLeft = random.int(0...g.kernelWidth - 1)
            g.outputHeight = max(1, (g.inputHeight - 1) * g.strideY + (g.kernelHeight - 1) * g.dilationY + 1 - g.padTop)
            g.outputWidth = max(1, (g.inputWidth - 1) * g.strideX + (g.kernelWidth - 1) * g.dilationX + 1 - g.padLeft)
            let layer = ConvolutionCase(g, &random)
            var sums = [Int32](repeating: 0, count: g.outputPixels * g.outputChannels)
            for pixel in 0..<g.outputPixels {
                for o in 0..<g.outputChannels { sums[pixel * g.outputChannels + o] = layer.bias[o] }
            }
            for iy in 0..<g.inputHeight {
                for ix in 0..<g.inputWidth {
                    for tap in 0..<g.taps {
                        let oy = iy * g.strideY + tap / g.kernelWidth * g.dilationY - g.padTop
                        let ox = ix * g.strideX + tap % g.kernelWidth * g.dilationX - g.padLeft
                        guard oy >= 0, oy < g.outputHeight, ox >= 0, ox < g.outputWidth else { continue }
                        for o in 0..<g.outputChannels {
                            for i in 0..<g.inputChannelsPerGroup {
                                let weight = layer.weights[(o * g.taps + tap) * g.inputChannelsPerGroup + i]
                                let value = layer.input[(iy * g.inputWidth + ix) * g.inputChannelsPerGroup + i]
                                sums[(oy * g.outputWidth + ox) * g.outputChannels + o] +=
                                    Int32(weight) * (Int32(value) - Int32(layer.inputZeroPoint))
                            }
                        }
                    }
                }
            }
            let expected = sums.enumerated().map { index, sum in
                requantize(
                    sum, scale: layer.scales[index % g.outputChannels], zeroPoint: layer.range.zeroPoint,
                    lowest: -128, highest: 127)
            }
            for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
        }
    }

    /// Weights of nine bits stored minus a constant, against the sum of products with the weights themselves.
    func testWeightOffsetEqualsWeightsOfNineBits() throws {
        var random = Random(27)
        let sets = try kernelSets()
        for number in 0..<90 {
            let isTransposed = number % 5 == 0
            let isPointwise = number % 5 == 1
            let isConnected = number % 5 == 2
            let isDepthwise = number % 3 == 0 && !isConnected
            var g = ConvolutionGeometry(
                inputHeight: isConnected ? 1 : random.int(1...7), inputWidth: isConnected ? 1 : random.int(1...7),
                outputHeight: 1, outputWidth: 1, groups: isDepthwise ? random.int(2...41) : random.int(1...3),
                inputChannelsPerGroup: isDepthwise ? 1 : random.int(2...41),
                outputChannelsPerGroup: isDepthwise ? 1 : random.int(1...19))
            if isPointwise || isConnected {
                (g.outputHeight, g.outputWidth) = (g.inputHeight, g.inputWidth)
            } else {
                (g.kernelHeight, g.kernelWidth) = (random.int(1...4), random.int(1...4))
                (g.strideY, g.strideX) = (random.int(1...2), random.int(1...3))
                (g.dilationY, g.dilationX) = (random.int(1...2), random.int(1...2))
                (g.padTop, g.padLeft) = (random.int(0...3), random.int(0...3))
                (g.outputHeight, g.outputWidth) = (random.int(1...7), random.int(1...7))
                g.isTransposed = isTransposed
            }
            var layer = ConvolutionCase(g, &random, lowestWeight: number % 2 == 0 ? -128 : -127)
            layer.inputZeroPoint = [Int8(random.int(-128...127)), -128, 127, 0][number % 4]
            if number % 7 == 0 { layer.input = layer.input.map { $0 < 0 ? -128 : 127 } }
            let zeroPoint = [1, 254, 255, 0, random.int(0...255)][number % 5]
            layer.weightOffset = Int32(128 - zeroPoint)
            // Unsigned weights as a model holds them, and the definition.
            let stored = layer.weights.map { Int($0) + 128 }
            var expected: [Int8] = []
            for pixel in 0..<g.outputPixels {
                for o in 0..<g.outputChannels {
                    var sum = Int(layer.bias[o])
                    for tap in 0..<g.taps {
                        var y = pixel / g.outputWidth * g.strideY - g.padTop + tap / g.kernelWidth * g.dilationY
                        var x = pixel % g.outputWidth * g.strideX - g.padLeft + tap % g.kernelWidth * g.dilationX
                        if g.isTransposed {
                            y = pixel / g.outputWidth + g.padTop - tap / g.kernelWidth * g.dilationY
                            x = pixel % g.outputWidth + g.padLeft - tap % g.kernelWidth * g.dilationX
                            guard y % g.strideY == 0, x % g.strideX == 0 else { continue }
                            (y, x) = (y / g.strideY, x / g.strideX)
                        }
                        guard y >= 0, y < g.inputHeight, x >= 0, x < g.inputWidth else { continue }
                        let source = (y * g.inputWidth + x) * g.inputChannels
                        for i in 0..<g.inputChannelsPerGroup {
                            let first = o / g.outputChannelsPerGroup * g.inputChannelsPerGroup
                            let value = Int(layer.input[source + first + i]) - Int(layer.inputZeroPoint)
                            sum += (stored[(o * g.taps + tap) * g.inputChannelsPerGroup + i] - zeroPoint) * value
                        }
                    }
                    expected.append(
                        requantize(
                            Int32(sum), scale: layer.scales[o], zeroPoint: layer.range.zeroPoint, lowest: -128,
                            highest: 127))
                }
            }
            XCTAssertEqual(layer.reference, expected)
            for kernels in sets {
                for (threads, parts) in [(1, 1), (3, 2)] {
                    XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, "\(kernels.isa.text), case \(number)")
                }
            }
        }
    }

    /// Blocks of several tiles, several panels per call, splits over channels.
    func testWeightOffsetOfLargeLayers() throws {
        var random = Random(28)
        for geometry in layers {
            for offset in [Int32(-127), 8, 128] {
                var layer = ConvolutionCase(geometry, &random)
                layer.weightOffset = offset
                // Near the inputs' mean: the offset moves every channel of a pixel alike.
                layer.inputZeroPoint = -1
                let depth = Float(geometry.taps * geometry.inputChannelsPerGroup)
                layer.scales = layer.scales.map { _ in 1 / (200 * depth.squareRoot()) }
                let expected = layer.reference
                XCTAssertGreaterThan(Set(expected).count, 20, "the case must not saturate")
                for kernels in try kernelSets() {
                    for (threads, parts) in [(1, 1), (2, 2), (8, 4)] {
                        XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, kernels.isa.text)
                    }
                }
            }
        }
    }

    /// Wherever 32 bits overflow, every kernel wraps alike.
    func testWeightOffsetWraps() throws {
        var random = Random(29)
        let g = ConvolutionGeometry(
            inputHeight: 3, inputWidth: 5, outputHeight: 3, outputWidth: 5, inputChannelsPerGroup: 33,
            outputChannelsPerGroup: 11)
        var layer = ConvolutionCase(g, &random)
        layer.weightOffset = 128
        layer.bias = layer.bias.map { $0 < 0 ? Int32.min - $0 : Int32.max - $0 }
        layer.scales = layer.scales.map { _ in 1e-8 }
        for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), layer.reference, kernels.isa.text) }
    }

    func testEveryInputZeroPointPads() throws {
        var random = Random(26)
        let g = ConvolutionGeometry(
            inputHeight: 2, inputWidth: 2, outputHeight: 2, outputWidth: 2, inputChannelsPerGroup: 5,
            outputChannelsPerGroup: 3, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
        var layer = ConvolutionCase(g, &random)
        let kernels = try KernelSet()
        for offset in [Int32(0), 7] {
            layer.weightOffset = offset
            for zeroPoint in -128...127 {
                layer.inputZeroPoint = Int8(zeroPoint)
                XCTAssertEqual(layer.run(kernels), layer.reference)
            }
        }
    }
}

final class FloatConvolutionTests: XCTestCase {
    func testClampKeepsNaNAndInfinity() throws {
        let g = ConvolutionGeometry(
            inputHeight: 1, inputWidth: 4, outputHeight: 1, outputWidth: 4, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 2)
        for kernels in try kernelSets() {
            let convolution = FloatConvolution(g, kernels: kernels)
            let scratch = Guarded(byteCount: FloatConvolution.scratchByteCount(g))
            var output = [Float](repeating: 0, count: 8)
            let input: [Float] = [.nan, .infinity, -.infinity, 2] + [Float](repeating: 0, count: 16)
            let weights = Packing.packFloatWeights(g, [1, -1]) + [Float](repeating: 0, count: 16)
            let bias = Packing.packFloatBias(g, [0, 0.5])
            input.withUnsafeBufferPointer { input in
                weights.withUnsafeBufferPointer { weights in
                    bias.withUnsafeBufferPointer { bias in
                        output.withUnsafeMutableBufferPointer { output in
                            convolution.run(
                                FloatConvolutionArguments(
                                    input: input.baseAddress!, inputPixelStride: 1, weights: weights.baseAddress!,
                                    bias: bias.baseAddress!, output: output.baseAddress!, outputPixelStride: 2,
                                    lowest: -3, highest: 1.5), scratch: scratch.base)
                        }
                    }
                }
            }
            XCTAssertTrue(scratch.isIntact)
            XCTAssertTrue(output[0].isNaN && output[1].isNaN, kernels.isa.text)
            XCTAssertEqual(Array(output[2...]), [1.5, -3, -3, 1.5, 1.5, -1.5], kernels.isa.text)
        }
    }
}
