import Kernels
import NestFormat
import XCTest

@testable import Engine

/// Sparse convolutions against dense ones with the same weights, and what the loader refuses.
final class SparseConvolutionTests: XCTestCase {
    private func pruned(_ g: ConvolutionGeometry, _ r: inout Random, density: Int) -> [Int8] {
        var weights = r.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup, -127...127)
        let inputs = g.inputChannelsPerGroup
        for row in stride(from: 0, to: weights.count, by: inputs) {
            for first in stride(from: 0, to: inputs, by: 4) where r.int(0...99) >= density {
                for i in first..<min(first + 4, inputs) { weights[row + i] = 0 }
            }
        }
        return weights
    }

    func testSameBytesAsDense() throws {
        for seed in 0..<40 {
            var r = Random(UInt64(seed) + 7000)
            var b = ModelBuilder()
            // Some that Winograd's form computes, on AVX2.
            let isWide = seed % 4 == 0
            let kernel = isWide ? 3 : [1, 1, 3][r.int(0...2)]
            func stride() -> Int { isWide ? 1 : r.int(1...2) }
            let window = Window(
                kernelHeight: kernel, kernelWidth: kernel, strideY: stride(), strideX: stride(), padTop: kernel / 2,
                padLeft: kernel / 2)
            let (height, width) = isWide ? (r.int(16...19), r.int(13...18)) : (r.int(1...12), r.int(1...20))
            let input = b.map(height, width, isWide ? r.int(40...70) : r.int(1...70), slack: r.int(0...3))
            func extent(_ n: Int, _ s: Int) -> Int { (n + 2 * (kernel / 2) - kernel) / s + 1 }
            let (oh, ow, channels) = (extent(height, window.strideY), extent(width, window.strideX), isWide ? r.int(30...50) : r.int(1...50))
            let outputs = (0..<2).map { _ in b.map(oh, ow, channels, slack: 2) }
            let g = makeGeometry(input: input, output: outputs[0], window: window, groups: 1, isTransposed: false)
            let weights = pruned(g, &r, density: isWide && seed % 8 == 0 ? 80 : [0, 10, 25, 50, 100][seed % 5])
            let zi = Int32(r.int8())
            let bias = Packing.foldedBias(
                g, bias: (0..<channels).map { _ in Int32(r.int(-2000...2000)) }, weights: weights, inputZeroPoint: zi)
            let scales = r.floats(channels, 0.001...0.02)
            let table: [Int8]? = r.bool() ? r.int8s(256) : nil
            let residual = r.bool() ? b.map(oh, ow, channels, slack: 1) : nil
            let add = residual.map {
                FusedAdd(
                    residual: $0, convolutionZeroPoint: 4, residualZeroPoint: 5, outputZeroPoint: -9,
                    convolutionMultiplier: 0.7, residualMultiplier: 0.45, clampMin: -120, clampMax: 110)
            }
            let tableOffset = table.map { b.store($0) }
            let sparse = SparseWeights(g, weights)
            b.add(
                .convolution(
                    Convolution(
                        input: input, output: outputs[0], window: window, weightsOffset: b.store(Packing.packWeights(g, weights).bytes),
                        biasOffset: b.store(Packing.packPerChannel(g, bias, padding: 0)),
                        scalesOffset: b.store(Packing.packPerChannel(g, scales, padding: 1)), inputZeroPoint: zi,
                        outputZeroPoint: 4, clampMin: -110, clampMax: 120, tableOffset: tableOffset, add: add)))
            b.add(
                .sparseConvolution(
                    SparseConvolution(
                        input: input, output: outputs[1], window: window, blockCount: sparse.blocks.count / 4,
                        countsOffset: b.store(sparse.counts.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }),
                        gapsOffset: b.store(sparse.gaps), blocksOffset: b.store(sparse.blocks), biasOffset: b.store(bias),
                        scalesOffset: b.store(scales), inputZeroPoint: zi, outputZeroPoint: 4, clampMin: -110,
                        clampMax: 120, tableOffset: tableOffset, add: add)))
            b.input("x", input, .int8)
            if let residual { b.input("r", residual, .int8) }
            for (number, output) in outputs.enumerated() { b.output("y\(number)", output, .int8) }
            let x = r.int8s(input.pixels * input.pixelStride)
            let rest = residual.map { r.int8s($0.pixels * $0.pixelStride) }
            for isa in runnableISAs {
                for threads in [1, 2, 3] {
                    let session = try b.session(threadCount: threads, forcing: isa)
                    if isa == .avx2, isWide, seed % 8 == 0 {
                        XCTAssertEqual(session.kernelName(of: 1), "swiftlet_winograd_s8_16x8__avx2")
                    }
                    session.set(0, x)
                    if let rest { session.set(1, rest) }
                    session.run()
                    XCTAssertEqual(session.int8s(0), session.int8s(1), "seed \(seed), \(isa.name), \(threads) threads")
                }
            }
        }
    }

    func testNamedReasons() throws {
        func refusal(_ change: (inout Engine.SparseConvolution, inout [UInt8]) -> Void) -> String {
            let map = FeatureMap(offset: 0, height: 2, width: 2, channels: 64, pixelStride: 64)
            var operation = SparseConvolution(
                input: map, output: FeatureMap(offset: 256, height: 2, width: 2, channels: 2, pixelStride: 2),
                window: Window(kernelHeight: 1, kernelWidth: 1), blockCount: 5, countsOffset: 0, gapsOffset: 64,
                blocksOffset: 128, biasOffset: 192, scalesOffset: 256, inputZeroPoint: 0, outputZeroPoint: 0,
                clampMin: -128, clampMax: 127)
            var memory = [UInt8](repeating: 0, count: 512)
            memory[0] = 2    // blocks of channel 0
            memory[2] = 3    // and of channel 1
            (memory[64], memory[65], memory[66]) = (0x1e, 0x78, 0x00)
            for i in 0..<20 { memory[128 + i] = UInt8(i) }
            change(&operation, &memory)
            let plan = Plan(
                arenaBytes: 1 << 18, inputs: [],
                outputs: [
                    PortDescriptor(
                        name: "y", shape: [1], externalType: .int8, storedType: .int8, arenaOffset: 0, permutation: [0],
                        scale: 1, zeroPoint: 0)
                ], operations: [PlannedOperation(name: "", operation: .sparseConvolution(operation))])
            return memory.withUnsafeBytes { bytes in
                do throws(LoadError) {
                    _ = try plan.check(weights: bytes)
                    return ""
                } catch {
                    return error.message
                }
            }
        }
        func expect(_ part: String, line: UInt = #line, _ change: (inout Engine.SparseConvolution, inout [UInt8]) -> Void) {
            let message = refusal(change)
            XCTAssertTrue(message.contains(part), message.isEmpty ? "accepted" : message, line: line)
        }
        XCTAssertEqual(refusal { _, _ in }, "")
        expect("do not add up") { $0.blockCount = 6; _ = $1 }
        expect("do not add up") { _ = $0; $1[1] = 1 }
        expect("outside their filter") { _ = $0; $1[64] = 0x2e }
        expect("outside their filter") { _ = $0; $1[66] = 0x01 }
        expect("sums of their pairs") { _ = $0; ($1[128], $1[129]) = (100, 29) }
        expect("sums of their pairs") { _ = $0; ($1[146], $1[147]) = (0x81, 0xfe) }
        expect("sums of their pairs") { _ = $0; $1[146] = 0x80 }
        expect("or their quad") { _ = $0; ($1[140], $1[144]) = (64, 64) }
        expect("or their quad") { _ = $0; ($1[141], $1[145]) = (0xc0, 0xc0) }
        XCTAssertEqual(refusal { _ = $0; ($1[140], $1[144]) = (64, 63) }, "", "one quad's blocks that add up to int8")
        XCTAssertEqual(refusal { _ = $0; ($1[136], $1[140]) = (100, 100) }, "", "blocks of two quads")
        expect("weights section") { $0.countsOffset = 512; _ = $1 }
        expect("weights section") { $0.gapsOffset = 1 << 40; _ = $1 }
        expect("weights section") { $0.blocksOffset = 512; _ = $1 }
        expect("misaligned") { $0.blocksOffset = 100; _ = $1 }
        expect("weights section") { $0.biasOffset = 512; _ = $1 }
        expect("finite") { $0.scalesOffset = 320; for i in 320..<328 { $1[i] = 0xff } }
        expect("zero point") { $0.inputZeroPoint = 200; _ = $1 }
        expect("clamp") { $0.clampMax = -128; $0.clampMin = 0; _ = $1 }
        expect("more than 65536 weights") {
            $0.input.channels = 1 << 17
            $0.input.pixelStride = 1 << 17
            $0.input.height = 1
            $0.input.width = 1
            _ = $1
        }
    }
}
