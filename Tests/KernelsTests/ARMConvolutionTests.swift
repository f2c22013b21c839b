import XCTest

@testable import Kernels

/// What is decided for 64-bit ARM on any machine; its kernels themselves run in the self-test of the device binary.
final class ARMConvolutionTests: XCTestCase {
    private func neon() throws -> KernelSet { try KernelSet(features: [.neon, .aarch64]) }

    private func geometry(
        _ size: Int, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1
    ) -> ConvolutionGeometry {
        let outputSize = (size + stride - 1) / stride
        return ConvolutionGeometry(
            inputHeight: size, inputWidth: size, outputHeight: outputSize, outputWidth: outputSize,
            inputChannelsPerGroup: inputs, outputChannelsPerGroup: outputs, kernelHeight: kernel, kernelWidth: kernel,
            strideY: stride, strideX: stride, padTop: kernel / 2, padLeft: kernel / 2)
    }

    private func name(_ g: ConvolutionGeometry, _ traits: Packing.WeightTraits, _ set: KernelSet) -> String {
        Convolution(g, traits: traits, kernels: set).kernel.name
    }

    func testWinogradIsChosenWhereItIsExactAndPays() throws {
        let (winograd, chain) = ("swiftlet_winogemm_s8_8x8__neon", "swiftlet_gemmchain_s8_4x8__neon")
        let set = try neon()
        XCTAssertEqual(name(geometry(56, 64, 64), .init(), set), winograd)
        XCTAssertEqual(name(geometry(7, 512, 512), .init(largestFilterSum: 100_000), set), winograd)
        // 64 * 128 * 2^18 = 2^31.
        XCTAssertEqual(name(geometry(7, 512, 512), .init(largestFilterSum: (1 << 18) - 1), set), winograd)
        XCTAssertEqual(name(geometry(7, 512, 512), .init(largestFilterSum: 1 << 18), set), chain)
        XCTAssertEqual(name(geometry(7, 512, 512), .init(), set), chain, "nothing is known about the sums")
        XCTAssertEqual(name(geometry(56, 64, 64), .init(hasOffset: true), set), chain)
        XCTAssertEqual(name(geometry(56, 64, 64, stride: 2), .init(), set), chain)
        XCTAssertEqual(name(geometry(56, 64, 64, kernel: 1), .init(), set), chain)
        XCTAssertEqual(name(geometry(2, 64, 64), .init(), set), chain, "most of every tile would be thrown away")
        XCTAssertEqual(name(geometry(14, 1024, 64), .init(largestFilterSum: 9), set), chain)
        let dotprod = try KernelSet(features: [.neon, .aarch64, .dotprod])
        XCTAssertEqual(name(geometry(56, 64, 64), .init(), dotprod), "swiftlet_gemmpacked_s8_8x8__dotprod")
        XCTAssertTrue(set.needsFilterSums(geometry(56, 64, 64)))
        XCTAssertFalse(dotprod.needsFilterSums(geometry(56, 64, 64)))
        XCTAssertFalse(set.needsFilterSums(geometry(56, 64, 64, kernel: 1)))
    }

    func testOnePixelIsNotPacked() throws {
        let head = geometry(1, 1024, 1000, kernel: 1)
        for features: CPUFeatures in [[.neon, .aarch64, .dotprod], [.neon, .aarch64, .dotprod, .i8mm]] {
            XCTAssertEqual(name(head, .init(), try KernelSet(features: features)), "swiftlet_gemm_s8_1x8__dotprod")
        }
        XCTAssertEqual(name(head, .init(), try neon()), "swiftlet_gemmchain_s8_4x8__neon")
        // Too deep for the panel in scratch.
        let deep = geometry(2, 40_000, 8, kernel: 1)
        XCTAssertEqual(
            name(deep, .init(), try KernelSet(features: [.neon, .aarch64, .dotprod, .i8mm])),
            "swiftlet_gemm_s8_1x8__dotprod")
    }

    /// The least and the greatest sum of products of `weights` with inputs from -128 to 127.
    private func fits16Bits(_ weights: [Int]) -> Bool {
        var (least, most) = (0, 0)
        for w in weights {
            least += min(-128 * w, 127 * w)
            most += max(-128 * w, 127 * w)
        }
        return least >= -32768 && most <= 32767
    }

    func testStepsAreTheLongestExactSums() throws {
        var random = Random(5)
        var counts = [Int](repeating: 0, count: 19)
        for number in 0..<240 {
            let inputs = random.int(1...70)
            let kernel = random.int(0...1) == 0 ? 1 : 2
            var g = geometry(4, inputs, random.int(1...20), kernel: kernel)
            g.groups = random.int(1...2)
            let limit = [127, 40, 64, 128][number % 4]
            var weights = random.int8s(g.outputChannels * g.taps * inputs, lowest: limit == 128 ? -128 : -limit)
            // Every two channels decide for themselves.
            let mosts = (0..<g.outputChannels).map { _ in random.int(0...2) == 0 ? 80 : 50 }
            for i in 0..<weights.count {
                if limit < 127 {
                    let most = limit == 64 ? mosts[i / (g.taps * inputs)] : limit
                    weights[i] = Int8(max(-most, min(most, Int(weights[i]))))
                }
                if limit == 128 && random.int(0...3) == 0 { weights[i] = -128 }
            }
            let packed = Packing.packWeights(g, weights)
            let convolution = Convolution(g, traits: packed.traits, kernels: try neon())
            let quads = (inputs + 3) / 4
            // Taps whose quads don't come in fours are read as one row, those of few channels without gaps.
            let isFlat = g.taps > 1 && inputs < 4
            let joins = g.taps > 1 && quads % 4 != 0
            let (taps, depth) =
                isFlat ? (1, (g.taps * inputs + 3) / 4) : joins ? (1, g.taps * quads) : (g.taps, quads)
            let panels = g.groups * Packing.panels(g)
            var flat = g
            (flat.kernelHeight, flat.kernelWidth, flat.inputChannelsPerGroup) = (1, 1, g.taps * inputs)
            let ordered = isFlat ? Packing.packWeights(flat, weights).bytes : packed.bytes
            let weightBytes = isFlat ? (panels * depth * 32 + 63) / 64 * 64 : 0
            XCTAssertEqual(
                convolution.preparedByteCount, weightBytes + (panels * taps * (depth / 4 + 1) + 63) / 64 * 64)
            let steps = Guarded(byteCount: convolution.preparedByteCount, fill: 99)
            packed.bytes.withUnsafeBufferPointer { bytes in
                [Int32(0)].withUnsafeBufferPointer {
                    convolution.prepare(weights: bytes.baseAddress!, bias: $0.baseAddress!, into: steps.base)
                }
            }
            XCTAssertTrue(steps.isIntact)
            var expected: [UInt8] = []
            for row in 0..<panels * taps {
                for first in stride(from: 0, to: depth / 4 * 4, by: 4) {
                    func holds(_ pair: Int, _ quads: Range<Int>) -> Bool {
                        (8 * pair..<8 * pair + 8).allSatisfy { lane in
                            fits16Bits(quads.map { Int(ordered[(row * depth + $0) * 32 + lane]) })
                        }
                    }
                    let halved = (0..<4).filter { !holds($0, first..<first + 4) }
                    let isExact = halved.allSatisfy { holds($0, first..<first + 2) && holds($0, first + 2..<first + 4) }
                    expected.append(isExact ? halved.reduce(0) { $0 | 1 << $1 } : 16)
                }
                expected.append(18)
            }
            for step in expected { counts[Int(step)] += 1 }
            let found = UnsafeRawBufferPointer(start: steps.base + weightBytes, count: expected.count)
            XCTAssertEqual(Array(found), expected, "case \(number)")
        }
        XCTAssertEqual(counts.indices.filter { counts[$0] == 0 }, [17], "\(counts)")
    }

    /// Whether output (y, x) of `g` reads tap (ky, kx) inside the image.
    private func isInside(_ g: ConvolutionGeometry, _ y: Int, _ x: Int, _ ky: Int, _ kx: Int) -> Bool {
        g.inputPixel(oy: y, ox: x, tap: ky * g.kernelWidth + kx) != nil
    }

    func testRegionsCoverEachOutputOnceWithAllTapsInside() {
        var random = Random(7)
        var regionCounts = Set<Int>()
        for number in 0..<2000 {
            let g = ConvolutionGeometry(
                inputHeight: random.int(1...9), inputWidth: random.int(1...9), outputHeight: random.int(1...9),
                outputWidth: random.int(1...9), inputChannelsPerGroup: 16, outputChannelsPerGroup: 8,
                kernelHeight: random.int(1...5), kernelWidth: random.int(1...5), strideY: random.int(1...3),
                strideX: random.int(1...3), dilationY: random.int(1...3), dilationX: random.int(1...3),
                padTop: random.int(0...4), padLeft: random.int(0...4))
            guard let regions = TileRegions(g) else { continue }
            XCTAssertLessThanOrEqual(regions.count, TileRegions.maximumCount)
            regionCounts.insert(regions.count)
            var covered = [Int](repeating: 0, count: g.outputPixels)
            for index in 0..<regions.count {
                let region = regions.region(index, g)
                XCTAssertGreaterThan(region.taps, 0)
                for y in region.y..<region.y + region.height {
                    for x in region.x..<region.x + region.width {
                        covered[y * g.outputWidth + x] += 1
                        for ky in 0..<g.kernelHeight {
                            for kx in 0..<g.kernelWidth where isInside(g, y, x, ky, kx) {
                                XCTAssertTrue(
                                    (region.firstY..<region.firstY + region.kernelHeight).contains(ky)
                                        && (region.firstX..<region.firstX + region.kernelWidth).contains(kx),
                                    "case \(number), region \(index): output \(y) \(x) reads tap \(ky) \(kx)")
                            }
                        }
                    }
                }
            }
            XCTAssertEqual(covered, [Int](repeating: 1, count: g.outputPixels), "case \(number)")
        }
        XCTAssertTrue(regionCounts.isSuperset(of: 1...9), "\(regionCounts)")
    }

    func testRegionsOfPaddedConvolutions() throws {
        let dotprod = try KernelSet(features: [.neon, .aarch64, .dotprod])
        func taps(_ g: ConvolutionGeometry) -> [Int] {
            let regions = Convolution(g, kernels: dotprod).tileRegions
            return (0..<regions.count).map { regions.region($0, g).taps }
        }
        XCTAssertEqual(taps(geometry(7, 512, 512)), [6, 6, 6, 6, 9])
        XCTAssertEqual(taps(geometry(56, 64, 64)), [6, 6, 6, 6, 9])
        XCTAssertEqual(taps(geometry(56, 64, 128, stride: 2)), [6, 6, 9], "the last row and column are inside")
        XCTAssertEqual(taps(geometry(56, 64, 64, kernel: 1)), [1])
        XCTAssertEqual(taps(geometry(224, 3, 64, kernel: 7, stride: 2)), [49], "quads don't come in fours")
        XCTAssertEqual(taps(geometry(3, 16, 8)), [9], "smaller tiles cost more than they save")
    }

    func testSumsOfSkippedWeights() throws {
        var random = Random(8)
        for _ in 0..<20 {
            var g = geometry(random.int(14...16), 16 * random.int(2...4), random.int(1...20))
            g.groups = random.int(1...2)
            let weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup)
            let packed = Packing.packWeights(g, weights)
            let convolution = Convolution(
                g, traits: packed.traits, kernels: try KernelSet(features: [.neon, .aarch64, .dotprod]))
            let regions = convolution.tileRegions
            XCTAssertEqual(regions.count, 5)
            let channels = g.groups * Packing.panels(g) * Packing.panelWidth
            XCTAssertEqual(convolution.preparedByteCount, (regions.count * channels * 4 + 63) / 64 * 64)
            let memory = Guarded(byteCount: convolution.preparedByteCount, fill: 99)
            packed.bytes.withUnsafeBufferPointer { bytes in
                [Int32(0)].withUnsafeBufferPointer {
                    convolution.prepare(weights: bytes.baseAddress!, bias: $0.baseAddress!, into: memory.base)
                }
            }
            XCTAssertTrue(memory.isIntact)
            let sums = memory.base.assumingMemoryBound(to: Int32.self)
            for index in 0..<regions.count {
                let region = regions.region(index, g)
                for channel in 0..<g.outputChannels {
                    var expected: Int32 = 0
                    for ky in 0..<g.kernelHeight {
                        for kx in 0..<g.kernelWidth {
                            if (region.firstY..<region.firstY + region.kernelHeight).contains(ky)
                                && (region.firstX..<region.firstX + region.kernelWidth).contains(kx)
                            { continue }
                            let tap = (channel * g.taps + ky * g.kernelWidth + kx) * g.inputChannelsPerGroup
                            for weight in weights[tap..<tap + g.inputChannelsPerGroup] { expected += Int32(weight) }
                        }
                    }
                    XCTAssertEqual(sums[index * channels + Packing.biasIndex(g, channel: channel)], expected)
                }
            }
        }
    }

    func testLargestFilterSum() {
        var random = Random(6)
        for _ in 0..<20 {
            var g = geometry(4, random.int(1...40), random.int(1...20))
            g.groups = random.int(1...3)
            let weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup)
            let depth = g.taps * g.inputChannelsPerGroup
            let sums = (0..<g.outputChannels).map { o in
                weights[o * depth..<(o + 1) * depth].reduce(0) { $0 + abs(Int($1)) }
            }
            let packed = Packing.packWeights(g, weights).bytes
            XCTAssertEqual(
                packed.withUnsafeBufferPointer { Packing.largestFilterSum(g, packed: $0.baseAddress!) }, sums.max())
        }
    }
}
