import XCTest

@testable import Kernels

final class WinogradTests: XCTestCase {
    private let winograd = "swiftlet_winograd_s8_16x8__avx2"

    private func geometry(
        height: Int, width: Int, inputs: Int, outputs: Int, groups: Int = 1, pad: Int = 1
    ) -> ConvolutionGeometry {
        ConvolutionGeometry(
            inputHeight: height, inputWidth: width, outputHeight: height + 2 * pad - 2, outputWidth: width + 2 * pad - 2,
            groups: groups, inputChannelsPerGroup: inputs, outputChannelsPerGroup: outputs, kernelHeight: 3,
            kernelWidth: 3, padTop: pad, padLeft: pad)
    }

    /// Sizes with whole and cut tiles, several blocks of tiles and of channels, one panel left over, groups.
    private var layers: [ConvolutionGeometry] {
        [
            geometry(height: 8, width: 8, inputs: 64, outputs: 64), geometry(height: 13, width: 11, inputs: 48, outputs: 40),
            geometry(height: 11, width: 11, inputs: 100, outputs: 53), geometry(height: 30, width: 31, inputs: 32, outputs: 24),
            geometry(height: 16, width: 13, inputs: 30, outputs: 33, groups: 2),
            geometry(height: 14, width: 15, inputs: 64, outputs: 32, pad: 0),
            geometry(height: 9, width: 6, inputs: 40, outputs: 48, pad: 2),
            geometry(height: 26, width: 27, inputs: 200, outputs: 24),
        ]
    }

    func testEqualsTheReferenceForAnySplit() throws {
        var random = Random(41)
        let sets = try kernelSets()
        for g in layers {
            XCTAssertEqual(Convolution(g, kernels: try KernelSet(features: [.avx2])).kernel.name, winograd, "\(g)")
            let layer = ConvolutionCase(g, &random, lowestWeight: -128)
            let expected = layer.run(sets[0])
            XCTAssertGreaterThan(Set(expected).count, 20, "the case must not saturate")
            for kernels in sets.dropFirst() {
                for (threads, parts) in [(1, 1), (2, 2), (3, 4), (7, 1)] {
                    XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, "\(kernels.isa.text), \(threads) threads, \(parts) parts each")
                }
            }
        }
    }

    /// Every remainder of height and width, hence tiles of three and of four in every mixture, groups of tiles that hold
    /// several kinds, and images smaller than a tile; odd channels, one panel left over, blocks and parts.
    func testEverySizeOfImage() throws {
        var random = Random(45)
        let sets = try kernelSets()
        for height in 1...17 {
            for width in 1...17 {
                let channels = (random.int(8...21), random.int(1...19))
                let pad = min(height, width) > 2 ? random.int(0...2) : 1
                let g = geometry(
                    height: height + 2 - 2 * pad, width: width + 2 - 2 * pad, inputs: channels.0, outputs: channels.1,
                    groups: random.int(0...5) == 0 ? 2 : 1, pad: pad)
                XCTAssertEqual([g.outputHeight, g.outputWidth], [height, width])
                let layer = ConvolutionCase(g, &random, lowestWeight: -128)
                let expected = layer.run(sets[0])
                for kernels in sets.dropFirst() {
                    guard let kernel = kernels.winograd?.gemm ?? kernels.winogradBlocks else { continue }
                    for (threads, parts) in [(1, 1), (random.int(1...4), random.int(1...3))] {
                        let message = "\(height) x \(width), \(threads) threads, \(parts) parts each"
                        XCTAssertEqual(
                            layer.run(kernels, threads: threads, parts: parts, testing: kernel), expected, message)
                    }
                }
            }
        }
    }

    /// Tiles cover the image and are in order.
    func testTiles() {
        for height in 1...20 {
            for width in 1...20 {
                let tiles = Convolution.WinogradTiles(geometry(height: height, width: width, inputs: 8, outputs: 8))
                XCTAssertEqual(tiles.count, (height + 3) / 4 * ((width + 3) / 4))
                var covered = [Int](repeating: 0, count: (height + 3) * (width + 3))
                var products = 0
                var high: [Int] = [], wide: [Int] = []
                for index in 0..<tiles.count {
                    let tile = tiles.tile(index)
                    if tile.rows == 4 { high.append(index) }
                    if tile.columns == 4 { wide.append(index) }
                    products += (tile.rows + 2) * (tile.columns + 2)
                    for y in tile.y..<tile.y + tile.rows {
                        for x in tile.x..<tile.x + tile.columns { covered[y * (width + 3) + x] += 1 }
                    }
                }
                XCTAssertEqual(tiles.products, products)
                XCTAssertTrue(covered.allSatisfy { $0 <= 1 })
                for y in 0..<height { XCTAssertFalse(covered[y * (width + 3)..<y * (width + 3) + width].contains(0)) }
                for run in [high, wide] where !run.isEmpty { XCTAssertEqual(run.last! - run[0], run.count - 1) }
            }
        }
    }

    /// Every transformed value and every sum at its largest, and values that alternate as the transforms do.
    func testExtremes() throws {
        var random = Random(42)
        let sets = try kernelSets()
        let patterns: [(Int) -> Int8] = [
            { _ in -128 }, { _ in 127 }, { $0 % 2 == 0 ? -128 : 127 }, { $0 % 3 == 0 ? 127 : -128 },
            { $0 / 2 % 2 == 0 ? 127 : -128 },
        ]
        for g in [
            geometry(height: 7, width: 11, inputs: 227, outputs: 20), geometry(height: 9, width: 9, inputs: 227, outputs: 16),
            geometry(height: 8, width: 8, inputs: 64, outputs: 16),
        ] {
            for (number, pattern) in patterns.enumerated() {
                for other in patterns {
                    var layer = ConvolutionCase(g, &random)
                    for i in layer.weights.indices {
                        layer.weights[i] = pattern(number == 2 ? i / g.inputChannelsPerGroup : i)
                    }
                    for i in layer.input.indices {
                        let pixel = i / g.inputChannels
                        layer.input[i] = other(pixel / g.inputWidth + pixel % g.inputWidth)
                    }
                    layer.inputZeroPoint = other(number)
                    layer.bias = layer.bias.map { $0 / 7 }
                    layer.scales = layer.scales.map { $0 / 30 }
                    let expected = layer.run(sets[0])
                    for kernels in sets.dropFirst() {
                        XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text)
                        guard let kernel = kernels.winograd?.gemm ?? kernels.winogradBlocks else { continue }
                        XCTAssertEqual(layer.run(kernels, testing: kernel), expected, kernels.isa.text)
                    }
                }
            }
        }
    }

    func testFusionEqualsTheSequence() throws {
        var random = Random(43)
        for g in layers {
            var layer = ConvolutionCase(g, &random)
            layer.table = random.int8s(256)
            layer.residual = random.int8s(g.outputPixels * g.outputChannels)
            let expected = layer.run(try KernelSet(forcing: .scalar))
            for kernels in try kernelSets().dropFirst() {
                for (threads, parts) in [(1, 1), (3, 2)] { XCTAssertEqual(layer.run(kernels, threads: threads, parts: parts), expected, kernels.isa.text) }
            }
        }
    }

    func testSelection() throws {
        let kernels = try KernelSet(features: [.avx2])
        func chosen(_ g: ConvolutionGeometry, _ traits: Packing.WeightTraits = .init()) -> String {
            Convolution(g, traits: traits, kernels: kernels).kernel.name
        }
        let direct = "swiftlet_gemm_u8s8_12x8__avx2"
        // The networks' layers.
        for (size, channels) in [(56, 64), (28, 128)] {
            XCTAssertEqual(chosen(geometry(height: size, width: size, inputs: channels, outputs: channels)), winograd)
        }
        // Too many channels for any weights: exact only where the weights' own sums are small enough.
        let deep = geometry(height: 14, width: 14, inputs: 256, outputs: 256)
        XCTAssertTrue(kernels.needsFilterSums(deep))
        XCTAssertEqual(chosen(deep), direct)
        XCTAssertEqual(chosen(deep, .init(largestFilterSum: 262_144)), direct)
        XCTAssertEqual(chosen(deep, .init(largestFilterSum: 262_143)), winograd)
        XCTAssertFalse(kernels.needsFilterSums(layers[0]))
        XCTAssertFalse(try KernelSet(features: []).needsFilterSums(deep))
        // Not worth it, or not applicable.
        XCTAssertEqual(chosen(geometry(height: 3, width: 3, inputs: 64, outputs: 64)), direct)
        XCTAssertEqual(chosen(layers[0], .init(hasOffset: true)), direct)
        var strided = layers[0]
        (strided.strideX, strided.strideY, strided.outputHeight, strided.outputWidth) = (2, 2, 4, 4)
        XCTAssertEqual(chosen(strided), direct)
        var dilated = layers[0]
        (dilated.dilationX, dilated.dilationY, dilated.padTop, dilated.padLeft) = (2, 2, 2, 2)
        XCTAssertEqual(chosen(dilated), direct)
        var transposed = layers[0]
        transposed.isTransposed = true
        XCTAssertEqual(chosen(transposed), direct)
    }

    func testFilterSums() {
        var random = Random(44)
        for _ in 0..<20 {
            let g = geometry(height: 4, width: 4, inputs: random.int(1...400), outputs: random.int(1...30))
            var weights = random.int8s(g.outputChannels * 9 * g.inputChannelsPerGroup)
            if random.int(0...3) == 0 { weights = weights.map { _ in -128 } }
            let depth = 9 * g.inputChannelsPerGroup
            let expected = (0..<g.outputChannels).map { channel in
                weights[channel * depth..<(channel + 1) * depth].reduce(0) { $0 + Int($1.magnitude) }
            }.max()!
            let packed = Packing.packWeights(g, weights)
            XCTAssertEqual(packed.traits.largestFilterSum, expected)
            packed.bytes.withUnsafeBufferPointer {
                XCTAssertEqual(Packing.largestFilterSum(g, packed: $0.baseAddress!), expected)
            }
        }
    }
}
