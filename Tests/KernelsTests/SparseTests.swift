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
            let g = ConvolutionGeometry(
                inputHeight: 9, inputWidth: 11, outputHeight: 9, outputWidth: 11, inputChannelsPerGroup: random.int(1...70),
                outputChannelsPerGroup: random.int(1...40), kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
            var weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup, lowest: -127)
            for i in weights.indices where random.int(0...3) > 0 { weights[i] = 0 }
            let sparse = SparseWeights(g, weights)
            let convolution = SparseConvolution(g, kernels: try KernelSet())
            let scratch = Guarded(byteCount: SparseConvolution.scratchByteCount(g))
            let prepared = Guarded(byteCount: convolution.preparedByteCount)
            let output = Guarded(byteCount: g.outputPixels * g.outputChannels)
            let input = random.int8s(g.inputHeight * g.inputWidth * g.inputChannels + Packing.readAheadBytes)
            let bias = [Int32](repeating: 7, count: g.outputChannels)
            let scales = [Float](repeating: 0.001, count: g.outputChannels)
            sparse.withPointers { counts, gaps, blocks in
                convolution.prepare(counts: counts, blocks: blocks, bias: bias, into: prepared.base)
                for part in 0..<2 {
                    convolution.run(
                        SparseConvolutionArguments(
                            input: input, inputPixelStride: g.inputChannels, inputZeroPoint: -3, counts: counts, gaps: gaps,
                            blocks: blocks, bias: bias, scales: scales,
                            output: output.base.assumingMemoryBound(to: Int8.self), outputPixelStride: g.outputChannels,
                            epilogue: Epilogue(output: OutputRange(zeroPoint: 3)), prepared: prepared.base),
                        part: Part(index: part, of: 2), scratch: scratch.base)
                }
            }
            XCTAssertTrue(scratch.isIntact && prepared.isIntact && output.isIntact)
        }
    }
}
