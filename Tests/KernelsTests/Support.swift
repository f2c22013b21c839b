import CKernelsModel
import XCTest

@testable import Kernels

/// xorshift64*: the same sequence in every run.
struct Random {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
    mutating func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int((next() >> 16) % UInt64(range.count))
    }
    mutating func int8s(_ count: Int, lowest: Int = -128) -> [Int8] {
        (0..<count).map { _ in Int8(int(lowest...127)) }
    }
    mutating func float(_ range: ClosedRange<Float>) -> Float {
        range.lowerBound + (range.upperBound - range.lowerBound) * Float(next() >> 40) / 16_777_215
    }
}

/// Memory with a guard area before and behind, each of a known value.
final class Guarded {
    let base: UnsafeMutableRawPointer
    private let whole: UnsafeMutableRawPointer
    private let byteCount: Int
    private static let guardBytes = 256

    init(byteCount: Int, fill: UInt8 = 0) {
        self.byteCount = byteCount
        whole = .allocate(byteCount: byteCount + 2 * Guarded.guardBytes, alignment: 64)
        whole.initializeMemory(as: UInt8.self, repeating: 0xA5, count: byteCount + 2 * Guarded.guardBytes)
        base = whole + Guarded.guardBytes
        base.initializeMemory(as: UInt8.self, repeating: fill, count: byteCount)
    }
    deinit { whole.deallocate() }

    var isIntact: Bool {
        let bytes = UnsafeRawBufferPointer(start: whole, count: byteCount + 2 * Guarded.guardBytes)
        return bytes.prefix(Guarded.guardBytes).allSatisfy { $0 == 0xA5 }
            && bytes.suffix(Guarded.guardBytes).allSatisfy { $0 == 0xA5 }
    }
}

/// An int8 convolution with random weights, ready to run with any kernels.
struct ConvolutionCase {
    var geometry: ConvolutionGeometry
    var weights: [Int8]
    var weightOffset: Int32 = 0
    var bias: [Int32]
    var scales: [Float]
    var input: [Int8]
    var inputZeroPoint: Int8
    var range = OutputRange(zeroPoint: 3)
    var table: [Int8] = []
    var residual: [Int8] = []
    /// Whether the choice of kernels learns that scales are small, where they are.
    var tellsOfSmallScales = true
    var sum = AddParameters(
        aZeroPoint: 3, aMultiplier: 0.8, bZeroPoint: -7, bMultiplier: 0.37, output: OutputRange(zeroPoint: -5))

    init(_ geometry: ConvolutionGeometry, _ random: inout Random, lowestWeight: Int = -127) {
        self.geometry = geometry
        let depth = geometry.taps * geometry.inputChannelsPerGroup
        weights = random.int8s(geometry.outputChannels * depth, lowest: lowestWeight)
        bias = (0..<geometry.outputChannels).map { _ in Int32(random.int(-50_000...50_000)) }
        let typical = 1 / (74 * 74 * Float(depth).squareRoot() / 60)
        scales = (0..<geometry.outputChannels).map { _ in random.float(typical / 2...typical * 2) }
        input = random.int8s(geometry.inputHeight * geometry.inputWidth * geometry.inputChannels)
        inputZeroPoint = Int8(random.int(-128...127))
    }

    /// The output [pixel][channel], computed in `parts` parts a thread, the last part first, as one thread takes them that
    /// does everything; with `testing` by that kernel, whatever selection would choose.
    func run(
        _ kernels: KernelSet, threads: Int = 1, parts each: Int = 1, testing kernel: Kernel? = nil,
        file: StaticString = #filePath, line: UInt = #line
    ) -> [Int8] {
        let packed = Packing.packWeights(geometry, weights)
        var traits = packed.traits
        traits.hasOffset = weightOffset != 0
        traits.hasSmallScales =
            tellsOfSmallScales
            && Packing.WeightTraits.areSmall(
                scales: scales.map(abs).max() ?? 0, biases: packedBias.map(\.magnitude).max() ?? 0, geometry)
        let convolution = kernel.map {
            Convolution(geometry, testing: $0, hasSmallScales: traits.hasSmallScales, kernels: kernels)
        } ?? Convolution(geometry, traits: traits, kernels: kernels)
        let forced = kernel == nil ? 0 : convolution.winogradBlockLayout?.byteCount ?? 0
        let scratch = Guarded(byteCount: max(Convolution.scratchByteCount(geometry), forced), fill: 0x5A)
        let preparation = Guarded(byteCount: convolution.preparedByteCount, fill: 0xC3)
        let output = withArguments(weights: packed.bytes, prepared: preparation.base) { arguments in
            convolution.prepare(weights: arguments.weights, bias: arguments.bias, into: preparation.base)
            forEachPart(threads, each) { convolution.run(arguments, part: $0, scratch: scratch.base) }
        }
        XCTAssertTrue(scratch.isIntact, "a kernel wrote outside its scratch", file: file, line: line)
        XCTAssertTrue(preparation.isIntact, "more was prepared than announced", file: file, line: line)
        return output
    }

    /// The same with the weights as `sparse`.
    func run(
        _ convolution: SparseConvolution, _ sparse: SparseWeights, threads: Int = 1, parts each: Int = 1,
        file: StaticString = #filePath, line: UInt = #line
    ) -> [Int8] {
        let scratch = Guarded(byteCount: SparseConvolution.scratchByteCount(geometry), fill: 0x5A)
        let preparation = Guarded(byteCount: convolution.preparedByteCount, fill: 0xC3)
        let output = withArguments(weights: sparse.blocks, prepared: preparation.base) { dense in
            sparse.withPointers { counts, gaps, blocks in
                convolution.prepare(counts: counts, blocks: blocks, bias: dense.bias, into: preparation.base)
                let arguments = SparseConvolutionArguments(
                    input: dense.input, inputPixelStride: dense.inputPixelStride, inputZeroPoint: dense.inputZeroPoint,
                    counts: counts, gaps: gaps, blocks: blocks, bias: dense.bias, scales: dense.scales,
                    output: dense.output, outputPixelStride: dense.outputPixelStride, epilogue: dense.epilogue,
                    prepared: dense.prepared)
                forEachPart(threads, each) { convolution.run(arguments, part: $0, scratch: scratch.base) }
            }
        }
        XCTAssertTrue(scratch.isIntact, "a kernel wrote outside its scratch", file: file, line: line)
        XCTAssertTrue(preparation.isIntact, "more was prepared than announced", file: file, line: line)
        return output
    }

    private var packedBias: [Int32] {
        Packing.packPerChannel(
            geometry,
            Packing.foldedBias(
                geometry, bias: bias, weights: weights, weightOffset: weightOffset, inputZeroPoint: Int32(inputZeroPoint)),
            padding: 0)
    }

    private func forEachPart(_ threads: Int, _ each: Int, _ body: (Part) -> Void) {
        let parts = threads * each
        for part in (0..<parts).reversed() {
            body(Part(index: part, of: parts, threads: threads, previous: part + 1 < parts ? part + 1 : -1))
        }
    }

    /// What `body` writes to the output of the arguments that it gets.
    private func withArguments(
        weights: [Int8], prepared: UnsafeMutableRawPointer, _ body: (ConvolutionArguments) -> Void
    ) -> [Int8] {
        let g = geometry
        let readAhead = [Int8](repeating: 113, count: Packing.readAheadBytes)
        let packedScales = Packing.packPerChannel(g, scales, padding: 0)
        let output = Guarded(byteCount: g.outputPixels * g.outputChannels)
        (input + readAhead).withUnsafeBufferPointer { input in
            (weights + readAhead).withUnsafeBufferPointer { weights in
                packedBias.withUnsafeBufferPointer { bias in
                    packedScales.withUnsafeBufferPointer { scales in
                        table.withUnsafeBufferPointer { table in
                            (residual + readAhead).withUnsafeBufferPointer { residual in
                                var epilogue = Epilogue(
                                    output: range, table: table.isEmpty ? nil : LookUpTable(entries: table.baseAddress!))
                                if !self.residual.isEmpty {
                                    epilogue.residual = .init(
                                        input: residual.baseAddress!, pixelStride: g.outputChannels,
                                        zeroPoint: sum.bZeroPoint, multiplier: sum.bMultiplier,
                                        ownZeroPoint: sum.aZeroPoint, ownMultiplier: sum.aMultiplier,
                                        output: sum.output)
                                }
                                body(
                                    ConvolutionArguments(
                                        input: input.baseAddress!, inputPixelStride: g.inputChannels,
                                        inputZeroPoint: inputZeroPoint, weights: weights.baseAddress!,
                                        weightOffset: weightOffset,
                                        bias: bias.baseAddress!, scales: scales.baseAddress!,
                                        output: output.base.assumingMemoryBound(to: Int8.self),
                                        outputPixelStride: g.outputChannels, epilogue: epilogue,
                                        prepared: UnsafeRawPointer(prepared)))
                            }
                        }
                    }
                }
            }
        }
        XCTAssertTrue(output.isIntact, "a kernel wrote outside its output")
        return Array(
            UnsafeBufferPointer(
                start: output.base.assumingMemoryBound(to: Int8.self), count: g.outputPixels * g.outputChannels))
    }

    var reference: [Int8] {
        Reference.convolution(
            geometry, input: input, inputPixelStride: geometry.inputChannels, inputZeroPoint: inputZeroPoint,
            weights: weights, weightOffset: weightOffset, bias: bias, scales: scales, range: range)
    }
}

/// What this CPU can do, with software models for what it can't (`CKernelsModel`).
let modelledFeatures = CPUFeatures(rawValue: swiftlet_install_kernel_models())

/// The kernels of every instruction set of this CPU or with a software model.
func kernelSets() throws -> [KernelSet] {
    try ISA.allCases.filter(modelledFeatures.supports).map { try KernelSet(features: modelledFeatures, forcing: $0) }
}

extension ISA {
    var text: String { String(describing: name) }
}
