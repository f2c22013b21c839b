@testable import Kernels
import XCTest

/// Convolutions whose inputs are widened to 16 bits where they lie: very short filters and first layers.
final class WidenedConvolutionTests: XCTestCase {
    /// Runs a case with all kernels of this machine, threads and parts as `random` says.
    private func check(_ layer: ConvolutionCase, _ sets: [KernelSet], _ random: inout Random, _ name: String) {
        // Table and residual come after the convolution, with kernels of their own.
        let isPlain = layer.table.isEmpty && layer.residual.isEmpty
        let expected = isPlain ? layer.reference : layer.run(sets[0])
        for kernels in sets {
            let (threads, parts) = (random.int(1...3), random.int(1...4))
            XCTAssertTrue(
                layer.run(kernels, threads: threads, parts: parts) == expected,
                "\(kernels.isa.text), \(name), \(threads) threads, \(parts) parts each: \(layer.geometry)")
        }
    }

    private func geometry(
        height: Int, width: Int, inputs: Int, outputs: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1),
        pad: (Int, Int) = (0, 0), groups: Int = 1, dilationY: Int = 1
    ) -> ConvolutionGeometry {
        var g = ConvolutionGeometry(
            inputHeight: height, inputWidth: width, outputHeight: 1, outputWidth: 1, groups: groups,
            inputChannelsPerGroup: inputs, outputChannelsPerGroup: outputs, kernelHeight: kernel.0, kernelWidth: kernel.1,
            strideY: stride.0, strideX: stride.1, dilationY: dilationY, padTop: pad.0, padLeft: pad.1)
        g.outputHeight = max(1, (height + 2 * pad.0 - dilationY * (kernel.0 - 1) - 1) / stride.0 + 1)
        g.outputWidth = max(1, (width + 2 * pad.1 - kernel.1) / stride.1 + 1)
        return g
    }

    func testSelection() throws {
        func form(_ g: ConvolutionGeometry, _ features: CPUFeatures = [.avx2]) throws -> Bool {
            Convolution(g, traits: .init(hasSmallScales: true), kernels: try KernelSet(features: features)).widenedLayout != nil
        }
        let first = geometry(height: 9, width: 9, inputs: 3, outputs: 8, kernel: (3, 3), stride: (2, 2), pad: (1, 1))
        XCTAssertTrue(try form(first))
        XCTAssertFalse(try form(first, []))
        XCTAssertFalse(try form(first, [.avx2, .avxvnni]), "VPDPBUSD takes any filter")
        XCTAssertTrue(try form(geometry(height: 9, width: 9, inputs: 4, outputs: 8, kernel: (7, 7))))
        XCTAssertFalse(try form(geometry(height: 9, width: 9, inputs: 4, outputs: 8, kernel: (9, 9))), "long rows")
        XCTAssertTrue(try form(geometry(height: 9, width: 9, inputs: 40, outputs: 8, kernel: (2, 2))))
        XCTAssertFalse(try form(geometry(height: 9, width: 9, inputs: 41, outputs: 8, kernel: (2, 2))))
        XCTAssertTrue(try form(geometry(height: 9, width: 9, inputs: 32, outputs: 8, kernel: (1, 1))))
        XCTAssertFalse(try form(geometry(height: 9, width: 9, inputs: 33, outputs: 8, kernel: (1, 1))))
        XCTAssertTrue(try form(geometry(height: 9, width: 9, inputs: 3, outputs: 8, kernel: (3, 3), dilationY: 2)))
        var dilated = first
        dilated.dilationX = 2
        XCTAssertFalse(try form(dilated), "taps that don't follow each other")
        var transposed = first
        transposed.isTransposed = true
        XCTAssertFalse(try form(transposed))
    }

    func testEveryTileAndEveryNumberOfInputs() throws {
        var random = Random(61)
        let sets = try kernelSets()
        for pixels in 1...31 {
            let inputs = 1 + pixels % 32
            let g = geometry(height: 1, width: pixels, inputs: inputs, outputs: 1 + pixels % 27, kernel: (1, 1))
            check(ConvolutionCase(g, &random, lowestWeight: -128), sets, &random, "\(inputs) inputs")
        }
    }

    func testFirstLayers() throws {
        var random = Random(62)
        let sets = try kernelSets()
        for number in 0..<150 {
            let kernel = (random.int(1...7), random.int(1...7))
            var g = geometry(
                height: random.int(1...19), width: random.int(1...23), inputs: random.int(1...4),
                outputs: random.int(1...20), kernel: kernel, stride: (random.int(1...3), random.int(1...3)),
                pad: (random.int(0...kernel.0), random.int(0...kernel.1)), groups: number % 5 == 0 ? 2 : 1,
                dilationY: number % 3 == 0 ? 2 : 1)
            // Windows that lie in the padding altogether.
            if number % 7 == 0 { (g.outputHeight, g.outputWidth) = (g.outputHeight + 3, g.outputWidth + 9) }
            var layer = ConvolutionCase(g, &random, lowestWeight: -128)
            if number % 4 == 0 { layer.range = OutputRange(zeroPoint: -128, lowest: -128, highest: 100) }
            if number % 6 == 0 { layer.table = random.int8s(256) }
            if number % 6 == 3 { layer.residual = random.int8s(g.outputPixels * g.outputChannels) }
            check(layer, sets, &random, "case \(number)")
        }
    }

    /// Kernels of several taps and more channels than a quad, whose weights have gaps or none.
    func testShortFiltersOfSeveralTaps() throws {
        var random = Random(63)
        let sets = try kernelSets()
        for (inputs, kernel) in [(5, (1, 3)), (6, (2, 2)), (7, (3, 1)), (8, (2, 2)), (16, (1, 2)), (5, (2, 3)), (10, (3, 1))] {
            let g = geometry(height: 7, width: 9, inputs: inputs, outputs: 17, kernel: kernel, pad: (1, 1))
            XCTAssertTrue(Convolution.WidenedLayout(g)!.isShort)
            check(ConvolutionCase(g, &random, lowestWeight: -128), sets, &random, "\(inputs) inputs")
        }
    }

    /// Rows of several blocks, more panels than are widened at a time, thousands of outputs a row.
    func testSeveralBlocksAndPanels() throws {
        var random = Random(64)
        let sets = try kernelSets()
        let shapes = [
            geometry(height: 3, width: 1700, inputs: 3, outputs: 9, kernel: (3, 3), stride: (2, 2), pad: (1, 1)),
            geometry(height: 4, width: 900, inputs: 4, outputs: 24, kernel: (7, 7), pad: (3, 3)),
            geometry(height: 30, width: 40, inputs: 32, outputs: 500, kernel: (1, 1)),
            geometry(height: 6, width: 7, inputs: 4, outputs: 130, kernel: (7, 7), pad: (3, 3), groups: 2),
        ]
        for (number, g) in shapes.enumerated() {
            let layout = try XCTUnwrap(Convolution.WidenedLayout(g))
            if number < 3 { XCTAssertLessThan(layout.blockPixels, layout.width, "one block would do") }
            if number >= 2 { XCTAssertLessThan(layout.panelsAtOnce, Packing.panels(g), "all panels fit") }
            check(ConvolutionCase(g, &random, lowestWeight: -128), sets, &random, "shape \(number)")
        }
    }

    func testSlicesOfWiderTensors() throws {
        var random = Random(65)
        // Groups read channels that lie apart.
        for groups in 2...5 {
            let g = geometry(height: 5, width: 31, inputs: 3 * groups, outputs: 11, kernel: (1, 1), groups: groups)
            check(ConvolutionCase(g, &random, lowestWeight: -128), try kernelSets(), &random, "\(groups) groups")
        }
    }

    /// Inputs of 16 bits: for very short filters and first layers; where their kernel is exact.
    func testSelectionBesideBytes() throws {
        func pointwise(pixels: Int, inputs: Int, outputs: Int) -> ConvolutionGeometry {
            geometry(height: 1, width: pixels, inputs: inputs, outputs: outputs, kernel: (1, 1))
        }
        let kernels = try KernelSet(features: [.avx2])
        let bytes = "swiftlet_gemm_u8s8_12x8__avx2", words = "swiftlet_gemm_s16s8_6x8__avx2"
        func chosen(_ g: ConvolutionGeometry, _ traits: Packing.WeightTraits = .init(hasSmallScales: true)) -> Convolution {
            Convolution(g, traits: traits, kernels: kernels)
        }
        for (pixels, inputs, outputs, name) in [
            (12544, 16, 96, words), (784, 32, 192, words), (784, 36, 32, bytes), (1, 1280, 1000, bytes), (1, 32, 8, words),
        ] {
            let g = pointwise(pixels: pixels, inputs: inputs, outputs: outputs)
            XCTAssertEqual(chosen(g).kernel.name, name, "\(g)")
            XCTAssertEqual(chosen(g).preparedByteCount == 0, name == words, "only limits need memory")
        }
        let g = pointwise(pixels: 49, inputs: 16, outputs: 96)
        XCTAssertEqual(chosen(g, .init()).kernel.name, bytes, "scales may be large")
        XCTAssertEqual(chosen(g, .init(hasOffset: true, hasSmallScales: true)).kernel.name, bytes)
        XCTAssertEqual(
            Convolution(g, traits: .init(hasSmallScales: true), kernels: try KernelSet(features: [])).kernel.name,
            "swiftlet_gemm_s8_1x8__scalar")
        // The first layer of a network: the taps of a kernel row follow each other, and the session keeps weights in
        // that order: three rows of ten, in eight quads.
        let first = ConvolutionGeometry(
            inputHeight: 32, inputWidth: 32, outputHeight: 16, outputWidth: 16, inputChannelsPerGroup: 3,
            outputChannelsPerGroup: 16, kernelHeight: 3, kernelWidth: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1)
        XCTAssertEqual(chosen(first).kernel.name, words)
        XCTAssertEqual(chosen(first).preparedByteCount, 2 * 8 * 32)
    }
}
