import XCTest

@testable import Kernels

/// The kernels with VPDPBUSD, which most machines run through `CKernelsModel` only; the other tests of convolutions run
/// them, too.
final class VNNITests: XCTestCase {
    private static let avxvnni: CPUFeatures = [.avx2, .avxvnni]
    private static let avx512vnni: CPUFeatures = [.avx2, .avx512vnni]

    private func pointwise(pixels: Int, inputs: Int, outputs: Int) -> ConvolutionGeometry {
        ConvolutionGeometry(
            inputHeight: 1, inputWidth: pixels, outputHeight: 1, outputWidth: pixels, inputChannelsPerGroup: inputs,
            outputChannelsPerGroup: outputs)
    }

    /// As many panels as the kernels take at once, more and fewer, by every size of tile; odd and even numbers of quads.
    func testEveryTileByEveryNumberOfPanels() throws {
        var random = Random(81)
        let sets = try kernelSets().filter { $0.isa == .avxvnni || $0.isa == .avx512vnni }
        try XCTSkipIf(sets.isEmpty, "the software model of VPDPBUSD needs AVX2")
        XCTAssertEqual(sets.count, 2)
        for pixels in Array(1...13) + [24, 31] {
            for panels in 1...9 {
                let geometry = pointwise(
                    pixels: pixels, inputs: random.int(1...27), outputs: 8 * panels - random.int(0...7))
                var layer = ConvolutionCase(geometry, &random, lowestWeight: -128)
                if panels % 3 == 0 { layer.weightOffset = Int32(random.int(-255...255)) }
                let expected = layer.reference
                for kernels in sets {
                    XCTAssertEqual(
                        layer.run(kernels, threads: random.int(1...3), parts: random.int(1...4)), expected,
                        "\(kernels.isa.text), \(pixels) pixels, \(panels) panels")
                }
            }
        }
    }

    /// Sums that leave 16 bits with every pair, of either sign.
    func testExtremes() throws {
        var random = Random(82)
        for (input, weight) in [(Int8(127), Int8(-128)), (127, 127), (-128, -128), (-128, 127)] {
            var layer = ConvolutionCase(pointwise(pixels: 14, inputs: 100, outputs: 41), &random)
            for i in layer.weights.indices { layer.weights[i] = weight }
            for i in layer.input.indices { layer.input[i] = input }
            for zeroPoint in [Int8(-128), 0, 127] {
                layer.inputZeroPoint = zeroPoint
                layer.scales = layer.scales.map { _ in 1 / 40_000 }
                let expected = layer.reference
                for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
            }
        }
    }

    /// No limits of quads: a corrected bias for each channel, and weights without gaps for few input channels.
    func testWhatIsPrepared() throws {
        let layer = pointwise(pixels: 49, inputs: 512, outputs: 100)
        for features in [VNNITests.avxvnni, VNNITests.avx512vnni] {
            let kernels = try KernelSet(features: features)
            XCTAssertEqual(Convolution(layer, kernels: kernels).preparedByteCount, 448)
            let measured = Convolution(layer, kernels: try KernelSet(features: features, forcing: .avx2))
            XCTAssertEqual(measured.preparedByteCount, 448 + 448 + 13 * 2 * 96)
        }
    }

    /// Short filters, one pixel, weights of any depth: all on the same kernel.
    func testSelection() throws {
        let deep = pointwise(pixels: 2, inputs: 4 * 65_536, outputs: 8)
        let traits = Packing.WeightTraits(containsMinus128: true, hasSmallScales: true)
        for (features, name) in [
            (VNNITests.avxvnni, "swiftlet_gemm_u8s8_12x16__avxvnni"),
            (VNNITests.avx512vnni, "swiftlet_gemm_u8s8_12x32__avx512vnni"),
        ] {
            let kernels = try KernelSet(features: features)
            for geometry in [deep, pointwise(pixels: 1, inputs: 1000, outputs: 10), pointwise(pixels: 300, inputs: 8, outputs: 96)] {
                XCTAssertEqual(Convolution(geometry, traits: traits, kernels: kernels).kernel.name, name)
            }
        }
    }

    func testDeepFilter() throws {
        var random = Random(83)
        let layer = ConvolutionCase(pointwise(pixels: 2, inputs: 4 * 65_536 + 5, outputs: 9), &random)
        let expected = layer.reference
        for kernels in try kernelSets() { XCTAssertEqual(layer.run(kernels), expected, kernels.isa.text) }
    }

    /// Winograd's transform saves nothing against VPDPBUSD.
    func testWinogradOnlyOnAVX2() throws {
        func family(_ channels: Int, _ features: CPUFeatures) throws -> KernelFamily {
            let g = ConvolutionGeometry(
                inputHeight: 28, inputWidth: 28, outputHeight: 28, outputWidth: 28, inputChannelsPerGroup: channels,
                outputChannelsPerGroup: channels, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
            return Convolution(g, traits: .init(largestFilterSum: 9), kernels: try KernelSet(features: features))
                .kernel.family
        }
        for channels in [32, 256] {
            XCTAssertEqual(try family(channels, [.avx2]), .winogradInt8)
            XCTAssertEqual(try family(channels, VNNITests.avxvnni), .gemmUInt8Int8)
            XCTAssertEqual(try family(channels, VNNITests.avx512vnni), .gemmUInt8Int8)
        }
    }
}
