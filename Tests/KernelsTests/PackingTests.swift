import Kernels
import XCTest

final class PackingTests: XCTestCase {
    private func geometries() -> [ConvolutionGeometry] {
        var random = Random(11)
        var list: [ConvolutionGeometry] = []
        for i in 0..<60 {
            let isDepthwise = i % 3 == 0
            list.append(
                ConvolutionGeometry(
                    inputHeight: 5, inputWidth: 5, outputHeight: 5, outputWidth: 5,
                    groups: isDepthwise ? random.int(2...40) : random.int(1...3),
                    inputChannelsPerGroup: isDepthwise ? 1 : random.int(1...13),
                    outputChannelsPerGroup: isDepthwise ? 1 : random.int(2...19), kernelHeight: random.int(1...3),
                    kernelWidth: random.int(1...3)))
        }
        return list
    }

    func testEveryWeightHasOnePlaceAndTheRestIsZero() {
        for g in geometries() {
            let depth = g.taps * g.inputChannelsPerGroup
            var places = Set<Int>()
            for channel in 0..<g.outputChannels {
                for tap in 0..<g.taps {
                    for input in 0..<g.inputChannelsPerGroup {
                        let offset = Packing.weightOffset(g, channel: channel, tap: tap, input: input)
                        XCTAssertTrue(offset >= 0 && offset < Packing.weightByteCount(g))
                        XCTAssertTrue(places.insert(offset).inserted)
                    }
                }
            }
            let packed = Packing.packWeights(g, [Int8](repeating: 1, count: g.outputChannels * depth))
            XCTAssertEqual(packed.bytes.count, Packing.weightByteCount(g))
            XCTAssertEqual(packed.bytes.reduce(0) { $0 + Int($1) }, g.outputChannels * depth)
            XCTAssertFalse(packed.traits.containsMinus128)

            var floatPlaces = Set<Int>()
            for channel in 0..<g.outputChannels {
                for tap in 0..<g.taps {
                    for input in 0..<g.inputChannelsPerGroup {
                        let index = Packing.floatWeightIndex(g, channel: channel, tap: tap, input: input)
                        XCTAssertTrue(index >= 0 && index < Packing.floatWeightCount(g))
                        XCTAssertTrue(floatPlaces.insert(index).inserted)
                    }
                }
            }
            var biasPlaces = Set<Int>()
            for channel in 0..<g.outputChannels {
                let index = Packing.biasIndex(g, channel: channel)
                XCTAssertTrue(index < Packing.paddedBiasCount(g) && index < Packing.paddedBiasCount(g))
                XCTAssertTrue(biasPlaces.insert(index).inserted)
            }
        }
    }

    /// The bytes of FORMAT.md and of the docstring, spelled out for one small layer.
    func testLayoutOfOneLayer() {
        let g = ConvolutionGeometry(
            inputHeight: 1, inputWidth: 1, outputHeight: 1, outputWidth: 1, inputChannelsPerGroup: 5,
            outputChannelsPerGroup: 9)
        // Weight of (channel o, input i) is 10 * o + i.
        let weights = (0..<9).flatMap { o in (0..<5).map { Int8(10 * o + $0) } }
        let bytes = Packing.packWeights(g, weights).bytes
        XCTAssertEqual(bytes.count, 128)
        XCTAssertEqual(Array(bytes[0..<8]), [0, 1, 2, 3, 10, 11, 12, 13])
        XCTAssertEqual(Array(bytes[28..<40]), [70, 71, 72, 73, 4, 0, 0, 0, 14, 0, 0, 0])
        XCTAssertEqual(Array(bytes[64..<72]), [80, 81, 82, 83, 0, 0, 0, 0])
        XCTAssertEqual(Array(bytes[96..<104]), [84, 0, 0, 0, 0, 0, 0, 0])
        XCTAssertEqual(Packing.paddedBiasCount(g), 16)

        var depthwise = g
        depthwise.groups = 17
        depthwise.inputChannelsPerGroup = 1
        depthwise.outputChannelsPerGroup = 1
        depthwise.kernelWidth = 2
        let packed = Packing.packWeights(depthwise, (0..<34).map { Int8($0) }).bytes
        XCTAssertEqual(packed.count, 64)
        XCTAssertEqual(Array(packed[0..<4]), [0, 2, 4, 6])
        XCTAssertEqual(Array(packed[16..<20]), [1, 3, 5, 7])
        XCTAssertEqual(Array(packed[32..<34]), [32, 0])
        XCTAssertEqual(Array(packed[48..<50]), [33, 0])
    }

    func testTraitsAndFoldedBias() {
        let g = ConvolutionGeometry(
            inputHeight: 1, inputWidth: 1, outputHeight: 1, outputWidth: 1, inputChannelsPerGroup: 2,
            outputChannelsPerGroup: 2)
        XCTAssertTrue(Packing.packWeights(g, [1, -128, 3, 4]).traits.containsMinus128)
        XCTAssertEqual(
            Packing.foldedBias(g, bias: [100, -5], weights: [1, -128, 3, 4], inputZeroPoint: -7), [100 - 7 * 127, 44])
        XCTAssertEqual(
            Packing.foldedBias(g, bias: [100, -5], weights: [1, -128, 3, 4], weightOffset: 9, inputZeroPoint: -7),
            [-663, 170])
    }
}
