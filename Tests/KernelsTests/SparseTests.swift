@testable import Kernels
import XCTest

final class SparseTests: XCTestCase {
    private func geometry(_ inputs: Int, _ outputs: Int, taps: Int = 1) -> ConvolutionGeometry {
        ConvolutionGeometry(
            inputHeight: 1, inputWidth: taps, outputHeight: 1, outputWidth: 1, inputChannelsPerGroup: inputs,
            outputChannelsPerGroup: outputs, kernelWidth: taps)
    }

    private func sparse(counts: [UInt16], gaps: [UInt8], blocks: [Int8]) -> SparseWeights {
        var sparse = SparseWeights(geometry(4, 1), [0, 0, 0, 0])
        (sparse.counts, sparse.gaps, sparse.blocks) = (counts, gaps, blocks)
        return sparse
    }

    /// The weights that a sparse form stands for; blocks of one quad add up.
    private func expanded(_ sparse: SparseWeights, _ g: ConvolutionGeometry) -> [Int8] {
        let quads = Packing.quads(g)
        var weights = [Int8](repeating: 0, count: g.outputChannels * g.taps * g.inputChannelsPerGroup)
        var (gap, block) = (0, 0)
        for channel in 0..<g.outputChannels {
            var position = 0
            for i in 0..<Int(sparse.counts[channel]) {
                position += Int(i % 2 == 0 ? sparse.gaps[gap + i / 2] & 15 : sparse.gaps[gap + i / 2] >> 4)
                for j in 0..<4 where sparse.blocks[block + j] != 0 {
                    let index = (channel * g.taps + position / quads) * g.inputChannelsPerGroup + position % quads * 4 + j
                    weights[index] += sparse.blocks[block + j]
                }
                block += 4
            }
            gap += SparseWeights.gapByteCount(Int(sparse.counts[channel]))
        }
        XCTAssertEqual(gap, sparse.gaps.count)
        XCTAssertEqual(block, sparse.blocks.count)
        return weights
    }

    private func isValid(_ sparse: SparseWeights, _ g: ConvolutionGeometry) -> Bool {
        sparse.withPointers {
            SparseWeights.areValid(g, counts: $0, gaps: $1, blocks: $2, blockCount: sparse.blocks.count / 4)
        }
    }

    func testSparseFormStandsForTheSameWeights() {
        var random = Random(11)
        for _ in 0..<300 {
            let g = geometry(random.int(1...90), random.int(1...9), taps: random.int(1...5))
            let density = random.int(0...10)
            var weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup, lowest: -127)
            for i in weights.indices where random.int(0...9) >= density { weights[i] = 0 }
            let sparse = SparseWeights(g, weights)
            XCTAssertEqual(expanded(sparse, g), weights)
            XCTAssertTrue(isValid(sparse, g))
        }
    }

    func testBlocksAreStoredAsFewAsTheRulesAllow() {
        var weights = [Int8](repeating: 0, count: 200)
        let g = geometry(200, 1)
        XCTAssertEqual(SparseWeights(g, weights), sparse(counts: [0], gaps: [], blocks: []))
        weights[3] = 5
        weights[63] = -1
        XCTAssertEqual(
            SparseWeights(g, weights), sparse(counts: [2], gaps: [0xF0], blocks: [0, 0, 0, 5, 0, 0, 0, -1]))
        weights[63] = 0
        weights[64] = -1
        XCTAssertEqual(
            SparseWeights(g, weights),
            sparse(counts: [3], gaps: [0xF0, 0x01], blocks: [0, 0, 0, 5, 0, 0, 0, 0, -1, 0, 0, 0]))
    }

    func testPairsThatWouldSaturateAreSplit() {
        let g = geometry(4, 1)
        for (weights, count) in [
            ([64, 64, -64, -64], 1), ([64, 65, 0, 0], 2), ([0, 0, -64, -65], 2), ([127, -127, -127, 127], 1),
            ([-127, 0, 0, -127], 1), ([-127, -2, 1, 1], 2),
        ] as [([Int8], Int)] {
            let sparse = SparseWeights(g, weights)
            XCTAssertEqual(Int(sparse.counts[0]), count, "\(weights)")
            XCTAssertEqual(expanded(sparse, g), weights)
            XCTAssertTrue(isValid(sparse, g))
        }
    }

    func testWhatALoaderMustRefuse() {
        let g = geometry(64, 1)
        let good = sparse(counts: [3], gaps: [0x8F, 0xF0], blocks: [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0])
        XCTAssertTrue(
            isValid(sparse(counts: [2], gaps: [0x0F], blocks: [1, 2, 3, 4, 5, 6, 7, 8]), g), "quad 15 of 16")
        XCTAssertFalse(isValid(good, g), "a gap beyond the last quad")
        XCTAssertTrue(isValid(good, geometry(96, 1)), "the unused half of the last byte is not a gap")
        XCTAssertFalse(isValid(sparse(counts: [1], gaps: [0], blocks: [100, 29, 0, 0]), g), "a pair too high")
        XCTAssertFalse(isValid(sparse(counts: [1], gaps: [0], blocks: [0, 0, -127, -2]), g), "a pair too low")
        XCTAssertFalse(isValid(sparse(counts: [1], gaps: [0], blocks: [0, -128, 0, 0]), g), "a weight too low")
        let added: (Int8, Int8) -> SparseWeights = { a, b in
            self.sparse(counts: [3], gaps: [0x01, 0], blocks: [a, 0, 1, 0, a / 2, 0, 1, 0, b, 0, 1, 0])
        }
        XCTAssertTrue(isValid(added(84, -127), g) && isValid(added(-84, 127), g) && isValid(added(42, 64), g), "three that add up")
        XCTAssertFalse(isValid(added(42, 65), g), "a sum too high")
        XCTAssertFalse(isValid(added(-42, -65), g), "a sum too low")
        XCTAssertTrue(
            isValid(sparse(counts: [2], gaps: [0x10], blocks: [100, 0, 0, 0, 100, 0, 0, 0]), g), "two quads")
        XCTAssertTrue(
            isValid(sparse(counts: [1, 1], gaps: [0, 0], blocks: [100, 0, 0, 0, 100, 0, 0, 0]), geometry(64, 2)), "two channels")
        XCTAssertFalse(SparseWeights.supports(geometry(1, 1), [-128]))
    }

    func testEveryKernelGivesTheReferencesBytes() {
        for index in 0..<Kernel.count {
            let kernel = Kernel(index: index)
            guard kernel.family == .sparseInt8 || kernel.family == .sparseUInt8Int8 else { continue }
            switch KernelTest.run(cases: 400, seed: 0, of: kernel, features: .current) {
            case .passed, .notRunnable: break
            case .failed(let number): XCTFail("\(kernel.name): case \(number)")
            }
        }
    }

    func testScratchAndPreparationStayInTheirBounds() throws {
        var random = Random(5)
        for _ in 0..<40 {
            let g = winogradGeometry(9, 11, random.int(1...70), random.int(1...40))
            var layer = ConvolutionCase(g, &random)
            layer.weights = pruned(layer.weights, g, keeping: 25, &random)
            for kernels in try kernelSets() {
                let sparse = SparseWeights(g, layer.weights)
                let convolution = SparseConvolution(g, blockCount: sparse.blocks.count / 4, kernels: kernels)
                XCTAssertEqual(layer.run(convolution, sparse, threads: 2), layer.reference, kernels.isa.text)
            }
        }
    }

    // Winograd's form.

    private let winograd = "swiftlet_winograd_s8_16x8__avx2"

    private func winogradGeometry(
        _ height: Int, _ width: Int, _ inputs: Int, _ outputs: Int, pad: Int = 1
    ) -> ConvolutionGeometry {
        ConvolutionGeometry(
            inputHeight: height, inputWidth: width, outputHeight: height + 2 * pad - 2, outputWidth: width + 2 * pad - 2,
            inputChannelsPerGroup: inputs, outputChannelsPerGroup: outputs, kernelHeight: 3, kernelWidth: 3, padTop: pad,
            padLeft: pad)
    }

    /// `weights` with `share` percent of their blocks.
    private func pruned(_ weights: [Int8], _ g: ConvolutionGeometry, keeping share: Int, _ random: inout Random) -> [Int8] {
        var pruned = weights
        let inputs = g.inputChannelsPerGroup
        for row in stride(from: 0, to: weights.count, by: inputs) {
            for first in stride(from: 0, to: inputs, by: 4) where random.int(0...99) >= share {
                for i in first..<min(first + 4, inputs) { pruned[row + i] = 0 }
            }
        }
        return pruned
    }

    private func chosen(_ g: ConvolutionGeometry, _ sparse: SparseWeights, _ kernels: KernelSet) -> SparseConvolution {
        SparseConvolution(
            g, blockCount: sparse.blocks.count / 4,
            largestFilterSum: kernels.needsFilterSums(g) ? sparse.largestFilterSum : nil, kernels: kernels)
    }

    /// The sparse kernel whatever the choice is, and the chosen form, against the reference, for any split.
    private func check(_ layer: ConvolutionCase, _ sparse: SparseWeights, _ expected: [Int8], expectWinograd: Bool = true, line: UInt = #line) throws {
        let g = layer.geometry
        for kernels in try kernelSets() {
            let convolution = chosen(g, sparse, kernels)
            if kernels.isa == .avx2 { XCTAssertEqual(convolution.kernel.name == winograd, expectWinograd, "\(g)", line: line) }
            let plain = SparseConvolution(g, kernel: kernels.sparse, dense: Convolution(g, kernels: kernels))
            XCTAssertEqual(layer.run(plain, sparse), expected, kernels.isa.text, line: line)
            for (threads, parts) in [(1, 1), (1, 3), (2, 1), (2, 2), (3, 4), (7, 1)] {
                XCTAssertEqual(
                    layer.run(convolution, sparse, threads: threads, parts: parts), expected,
                    "\(kernels.isa.text), \(threads) threads, \(parts) parts each, \(g)", line: line)
            }
        }
    }

    /// Whole and cut tiles, several blocks of tiles and of channels, panels and quads that are not full.
    private var layers: [ConvolutionGeometry] {
        [
            winogradGeometry(16, 16, 64, 64), winogradGeometry(13, 19, 50, 41), winogradGeometry(27, 15, 101, 53),
            winogradGeometry(30, 31, 33, 24), winogradGeometry(14, 15, 66, 36, pad: 0),
            winogradGeometry(18, 17, 39, 50, pad: 2), winogradGeometry(29, 30, 70, 9),
        ]
    }

    func testWinogradEqualsTheReferenceForAnySplit() throws {
        var random = Random(61)
        for g in layers {
            for share in [100, 70] {
                var layer = ConvolutionCase(g, &random)
                layer.weights = pruned(layer.weights, g, keeping: share, &random)
                // Channels without blocks, and with few that need bridging.
                let depth = 9 * g.inputChannelsPerGroup
                for i in 0..<depth { layer.weights[2 * depth + i] = 0 }
                for i in 1..<depth - 1 { layer.weights[3 * depth + i] = 0 }
                let expected = layer.reference
                XCTAssertGreaterThan(Set(expected).count, 20, "the case must not saturate")
                try check(layer, SparseWeights(g, layer.weights), expected)
            }
        }
    }

    func testWinogradWithExtremeWeightsAndZeroPoints() throws {
        var random = Random(62)
        let patterns: [(Int) -> Int8] = [
            { _ in -127 }, { _ in 127 }, { $0 % 2 == 0 ? -127 : 127 }, { $0 / 2 % 2 == 0 ? 127 : -127 },
            { $0 % 3 == 0 ? 127 : 0 },
        ]
        for g in [winogradGeometry(16, 14, 66, 20), winogradGeometry(16, 16, 227, 16)] {
            for (number, pattern) in patterns.enumerated() {
                var layer = ConvolutionCase(g, &random)
                for i in layer.weights.indices { layer.weights[i] = pattern(i) }
                layer.weights = pruned(layer.weights, g, keeping: 90, &random)
                for i in layer.input.indices where number % 2 == 0 { layer.input[i] = i / g.inputChannels % 2 == 0 ? -128 : 127 }
                layer.inputZeroPoint = [-128, 127, 0, -1, 85][number]
                layer.range = OutputRange(zeroPoint: [-128, 127, 0, 3, -60][number])
                layer.scales = layer.scales.map { $0 / 30 }
                try check(layer, SparseWeights(g, layer.weights), layer.reference)
            }
        }
    }

    func testWinogradFusesTablesAndSums() throws {
        var random = Random(63)
        for g in layers {
            var layer = ConvolutionCase(g, &random)
            layer.weights = pruned(layer.weights, g, keeping: 80, &random)
            layer.table = random.int8s(256)
            layer.residual = random.int8s(g.outputPixels * g.outputChannels)
            try check(layer, SparseWeights(g, layer.weights), layer.run(try KernelSet(forcing: .scalar)))
        }
    }

    /// Several blocks of one quad, as no compiler of ours writes them: they add up.
    func testBlocksOfOneQuadAddUpInEveryForm() throws {
        var random = Random(64)
        let g = winogradGeometry(16, 17, 30, 19)
        var layer = ConvolutionCase(g, &random)
        var made = SparseWeights(g, [Int8](repeating: 0, count: layer.weights.count))
        (made.counts, made.gaps, made.blocks) = ([], [], [])
        let quads = Packing.quads(g)
        for channel in 0..<g.outputChannels {
            var steps: [UInt8] = []
            for position in 0..<9 * quads {
                let inputs = min(4, g.inputChannelsPerGroup - position % quads * 4)
                let base = (channel * 9 + position / quads) * g.inputChannelsPerGroup + position % quads * 4
                var sum = [Int8](repeating: 0, count: 4)
                for number in 0..<random.int(1...4) {
                    steps.append(number == 0 && position > 0 ? 1 : 0)
                    for i in 0..<4 {
                        let weight = i < inputs ? Int8(random.int(-63...63)) : 0
                        let isWithin = (-127...127).contains(Int(sum[i]) + Int(weight))
                        made.blocks.append(isWithin ? weight : 0)
                        sum[i] += isWithin ? weight : 0
                    }
                }
                for i in 0..<inputs { layer.weights[base + i] = sum[i] }
            }
            made.counts.append(UInt16(steps.count))
            for i in stride(from: 0, to: steps.count, by: 2) {
                made.gaps.append(steps[i] | (i + 1 < steps.count ? steps[i + 1] << 4 : 0))
            }
        }
        XCTAssertTrue(isValid(made, g))
        XCTAssertEqual(expanded(made, g), layer.weights)
        try check(layer, made, layer.reference)
    }

    func testChoiceOfTheForm() throws {
        func name(_ g: ConvolutionGeometry, kept: Double, sum: Int? = nil, _ features: CPUFeatures = [.avx2]) throws -> String {
            let all = g.outputChannels * 9 * Packing.quads(g)
            return SparseConvolution(
                g, blockCount: Int(kept * Double(all)), largestFilterSum: sum, kernels: try KernelSet(features: features)
            ).kernel.name
        }
        let sparse = "swiftlet_sparse_u8s8_96x1__avx2"
        for (size, channels) in [(56, 64), (28, 128)] {
            let g = winogradGeometry(size, size, channels, channels)
            XCTAssertEqual(try name(g, kept: 1), winograd)
            XCTAssertEqual(try name(g, kept: 0.5), winograd)
            XCTAssertEqual(try name(g, kept: 0.15), sparse)
        }
        // Exact only where the weights' own sums are small enough.
        let deep = winogradGeometry(14, 14, 256, 256)
        XCTAssertEqual(try name(deep, kept: 0.6), sparse)
        XCTAssertEqual(try name(deep, kept: 0.6, sum: 262_144), sparse)
        XCTAssertEqual(try name(deep, kept: 0.6, sum: 262_143), winograd)
        XCTAssertEqual(try name(deep, kept: 0.2, sum: 262_143), sparse)
        // Where the dense form would not be Winograd's either.
        XCTAssertEqual(try name(winogradGeometry(3, 3, 64, 64), kept: 0.9), sparse)
        var strided = winogradGeometry(56, 56, 64, 64)
        (strided.strideX, strided.strideY, strided.outputHeight, strided.outputWidth) = (2, 2, 28, 28)
        XCTAssertEqual(try name(strided, kept: 0.9), sparse)
        // Other CPUs.
        let g = winogradGeometry(56, 56, 64, 64)
        XCTAssertNotEqual(try name(g, kept: 1, []), winograd)
        XCTAssertEqual(try name(g, kept: 1, [.avx2, .avxvnni]), sparse)
        XCTAssertEqual(try name(g, kept: 1, [.avx2, .avx512vnni]), sparse)
        for features in [CPUFeatures.neon, [.neon, .aarch64], [.neon, .aarch64, .dotprod]] {
            XCTAssertFalse(try name(g, kept: 1, features).contains("wino"))
        }
    }

    func testFilterSums() {
        var random = Random(65)
        for _ in 0..<30 {
            let g = winogradGeometry(4, 4, random.int(1...40), random.int(1...20))
            let weights = pruned(
                random.int8s(g.outputChannels * 9 * g.inputChannelsPerGroup, lowest: -127), g, keeping: random.int(0...100),
                &random)
            XCTAssertEqual(SparseWeights(g, weights).largestFilterSum, Packing.packWeights(g, weights).traits.largestFilterSum)
        }
    }
}
