import XCTest

@testable import Graph

final class ConvolutionTests: XCTestCase {
    private struct Case {
        var batch = 1, groups = 1
        var inPerGroup: Int, outPerGroup: Int
        var extents: [Int], kernel: [Int]
        var strides: [Int] = [], dilations: [Int] = [], pads: [Int] = []
    }

    private static let cases: [Case] = [
        Case(inPerGroup: 3, outPerGroup: 5, extents: [7, 9], kernel: [3, 3], pads: [1, 1, 1, 1]),
        Case(batch: 2, inPerGroup: 5, outPerGroup: 4, extents: [6, 5], kernel: [1, 1]),
        Case(inPerGroup: 2, outPerGroup: 3, extents: [8, 7], kernel: [1, 1], strides: [2, 2]),
        Case(
            groups: 3, inPerGroup: 2, outPerGroup: 2, extents: [6, 7], kernel: [3, 2], strides: [2, 1],
            pads: [0, 1, 2, 1]),
        Case(
            batch: 2, groups: 6, inPerGroup: 1, outPerGroup: 1, extents: [7, 8], kernel: [3, 3], pads: [1, 1, 1, 1]),
        Case(
            groups: 4, inPerGroup: 1, outPerGroup: 1, extents: [9, 9], kernel: [5, 3], strides: [2, 3],
            pads: [2, 1, 2, 1]),
        Case(groups: 3, inPerGroup: 1, outPerGroup: 2, extents: [5, 6], kernel: [3, 3], pads: [1, 0, 0, 2]),
        Case(
            groups: 4, inPerGroup: 1, outPerGroup: 1, extents: [9, 8], kernel: [3, 3], dilations: [2, 3],
            pads: [2, 3, 2, 3]),
        Case(
            inPerGroup: 2, outPerGroup: 3, extents: [11, 10], kernel: [3, 3], strides: [1, 2], dilations: [3, 2],
            pads: [3, 1, 0, 4]),
        Case(inPerGroup: 3, outPerGroup: 2, extents: [9], kernel: [4], strides: [2], pads: [1, 2]),
        Case(
            groups: 2, inPerGroup: 2, outPerGroup: 1, extents: [4, 5, 6], kernel: [2, 3, 2], strides: [1, 2, 2],
            pads: [1, 1, 0, 0, 1, 1]),
        Case(inPerGroup: 1, outPerGroup: 1, extents: [2, 2], kernel: [3, 3], pads: [4, 4, 4, 4]),
    ]

    /// Every output element by the definition, one product at a time.
    private func reference(_ x: Tensor, _ weights: Tensor, _ bias: Tensor?, _ c: Case, padding: [Int]) -> Tensor {
        let rank = c.extents.count
        let strides = c.strides.isEmpty ? [Int](repeating: 1, count: rank) : c.strides
        let dilations = c.dilations.isEmpty ? [Int](repeating: 1, count: rank) : c.dilations
        let spatial = (0..<rank).map { axis -> Int in
            let span = (c.kernel[axis] - 1) * dilations[axis] + 1
            return (c.extents[axis] + padding[axis] + padding[rank + axis] - span) / strides[axis] + 1
        }
        let (values, factors) = (x.floats, weights.floats)
        let (xStrides, wStrides, oStrides) = (
            rowMajorStrides(x.shape), rowMajorStrides(weights.shape), rowMajorStrides(spatial)
        )
        let kStrides = rowMajorStrides(c.kernel)
        var result: [Float] = []
        for batch in 0..<c.batch {
            for out in 0..<(c.groups * c.outPerGroup) {
                for pixel in 0..<spatial.reduce(1, *) {
                    var sum = Double(bias?.floats[out] ?? 0)
                    for channel in 0..<c.inPerGroup {
                        for tap in 0..<c.kernel.reduce(1, *) {
                            var position =
                                batch * xStrides[0] + (out / c.outPerGroup * c.inPerGroup + channel) * xStrides[1]
                            var weight = out * wStrides[0] + channel * wStrides[1]
                            var isInside = true
                            for axis in 0..<rank {
                                let k = tap / kStrides[axis] % c.kernel[axis]
                                let at: Int =
                                    pixel / oStrides[axis] % spatial[axis] * strides[axis] + k * dilations[axis]
                                    - padding[axis]
                                isInside = isInside && at >= 0 && at < c.extents[axis]
                                position += at * xStrides[axis + 2]
                                weight += k * wStrides[axis + 2]
                            }
                            if isInside { sum += Double(values[position]) * Double(factors[weight]) }
                        }
                    }
                    result.append(Float(sum))
                }
            }
        }
        return Tensor(result, shape: [c.batch, c.groups * c.outPerGroup] + spatial)
    }

    func testConvAgainstDefinitionInBothLayouts() throws {
        var random = TestRandom(seed: 2)
        for c in Self.cases {
            let channels = c.groups * c.inPerGroup
            let x = random.tensor([c.batch, channels] + c.extents)
            let weights = random.tensor([c.groups * c.outPerGroup, c.inPerGroup] + c.kernel)
            let bias = random.tensor([c.groups * c.outPerGroup])
            let pads = c.pads.isEmpty ? [Int](repeating: 0, count: 2 * c.extents.count) : c.pads
            var op = Conv(strides: c.strides, dilations: c.dilations, padding: .explicit(pads), groups: c.groups)
            let expected = reference(x, weights, bias, c, padding: pads)
            assertClose(try output(of: op, [x, weights, bias]), expected)
            assertClose(try output(of: op, [x, weights]), reference(x, weights, nil, c, padding: pads))
            let wide = [x, weights, bias].map { $0.converted(to: .float64) }
            assertClose(try output(of: op, wide), expected)
            op.layout = .channelsLast
            assertClose(try output(of: op, [x.channelsLast, weights, bias]), expected.channelsLast)
        }
    }

    func testGatheringInPiecesGivesTheSame() throws {
        // 24 × 25 taps × 40 × 41 pixels is more than is gathered at once.
        var random = TestRandom(seed: 3)
        let c = Case(inPerGroup: 24, outPerGroup: 2, extents: [40, 41], kernel: [5, 5], pads: [2, 2, 2, 2])
        let (x, weights) = (random.tensor([1, 24, 40, 41]), random.tensor([2, 24, 5, 5]))
        let whole = try output(of: Conv(padding: .explicit(c.pads)), [x, weights])
        // The sum over halves of the input channels is the same convolution.
        let (x1, x2) = (x.sliced(axis: 1, 0..<12), x.sliced(axis: 1, 12..<24))
        let (w1, w2) = (weights.sliced(axis: 1, 0..<12), weights.sliced(axis: 1, 12..<24))
        let first = try output(of: Conv(padding: .explicit(c.pads)), [x1, w1])
        let second = try output(of: Conv(padding: .explicit(c.pads)), [x2, w2])
        assertClose(whole, try output(of: Binary(.add), [first, second]), tolerance: 1e-4)
        let last = try output(of: Conv(padding: .explicit(c.pads), layout: .channelsLast), [x.channelsLast, weights])
        assertClose(last, whole.channelsLast, tolerance: 1e-4)
    }

    func testSamePadding() throws {
        let (x, weights) = (floats([1, 2, 3, 4], [1, 1, 4]), floats([1, 10], [1, 1, 2]))
        assertClose(try output(of: Conv(padding: .sameUpper), [x, weights]), [21, 32, 43, 4])
        assertClose(try output(of: Conv(padding: .sameLower), [x, weights]), [10, 21, 32, 43])
        assertClose(try output(of: Conv(strides: [3], padding: .sameUpper), [x, weights]), [21, 4])
        assertClose(try output(of: Conv(padding: .valid), [x, weights]), [21, 32, 43])
    }

    func testConvRefusals() {
        let x = floats([Float](repeating: 0, count: 32), [1, 2, 4, 4])
        let weights = floats([Float](repeating: 0, count: 36), [2, 2, 3, 3])
        assertRefused(Conv(groups: 2), [x, weights], subject: "input 1 (weights)")
        assertRefused(Conv(groups: 3), [x, weights], subject: "attribute group")
        assertRefused(Conv(strides: [0, 1]), [x, weights], subject: "attribute strides")
        assertRefused(Conv(dilations: [2, 2]), [x, weights], subject: "spatial axis 0")
        assertRefused(Conv(padding: .explicit([1, 1])), [x, weights], subject: "attribute pads")
        assertRefused(Conv(), [x, weights, floats([1], [1])], subject: "input 2 (bias)")
        assertRefused(Conv(), [x.converted(to: .int32), weights], subject: "input 0 (x)")
        assertRefused(Conv(), [x.reshaped([2, 16]), weights], subject: "input 0 (x)")
        assertRefused(ConvTranspose(groups: 2), [x, weights.reshaped([4, 1, 3, 3])], subject: "input 1 (weights)")
        assertRefused(ConvTranspose(padding: .explicit([3, 3, 3, 3])), [x, weights], subject: "attribute pads")
    }

    func testConvTransposeIsTheAdjointOfConv() throws {
        // <Conv(y), x> = <y, ConvTranspose(x)> for the same weights.
        var random = TestRandom(seed: 4)
        for c in Self.cases where c.extents != [2, 2] {
            let pads = c.pads.isEmpty ? [Int](repeating: 0, count: 2 * c.extents.count) : c.pads
            let (inputs, outputs) = (c.groups * c.inPerGroup, c.groups * c.outPerGroup)
            let y = random.tensor([c.batch, inputs] + c.extents)
            let weights = random.tensor([outputs, c.inPerGroup] + c.kernel)
            let forward = try output(
                of: Conv(strides: c.strides, dilations: c.dilations, padding: .explicit(pads), groups: c.groups),
                [y, weights])
            let x = random.tensor(forward.shape)
            // What the strides of the convolution leave over at the end.
            let rank = c.extents.count
            let rest = (0..<rank).map { axis -> Int in
                let stride = c.strides.isEmpty ? 1 : c.strides[axis]
                let dilation = c.dilations.isEmpty ? 1 : c.dilations[axis]
                let span = (c.kernel[axis] - 1) * dilation + 1
                return (c.extents[axis] + pads[axis] + pads[rank + axis] - span) % stride
            }
            var op = ConvTranspose(
                strides: c.strides, dilations: c.dilations, padding: .explicit(pads), outputPadding: rest,
                groups: c.groups)
            let back = try output(of: op, [x, weights])
            XCTAssertEqual(back.shape, y.shape)
            let left = zip(forward.floats, x.floats).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            let right = zip(y.floats, back.floats).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            XCTAssertEqual(left, right, accuracy: 1e-4 * max(1, abs(left)))
            op.layout = .channelsLast
            assertClose(try output(of: op, [x.channelsLast, weights]), back.channelsLast)
        }
    }

    func testConvTransposeByHand() throws {
        let (x, weights) = (floats([1, 2, 3], [1, 1, 3]), floats([1, 10, 100], [1, 1, 3]))
        let bias = floats([1000], [1])
        assertClose(
            try output(of: ConvTranspose(strides: [2]), [x, weights, bias]), [1001, 1010, 1102, 1020, 1203, 1030, 1300])
        assertClose(
            try output(of: ConvTranspose(strides: [2], padding: .sameUpper), [x, weights]), [1, 10, 102, 20, 203, 30])
        assertClose(
            try output(of: ConvTranspose(strides: [2], padding: .sameLower), [x, weights]), [10, 102, 20, 203, 30, 300])
        assertClose(
            try output(of: ConvTranspose(strides: [2], outputShape: [8]), [x, weights]),
            [1, 10, 102, 20, 203, 30, 300, 0])
        assertClose(
            try output(of: ConvTranspose(strides: [2], outputPadding: [1]), [x, weights]),
            [1, 10, 102, 20, 203, 30, 300, 0])
    }

    func testIntegerProductsAreExact() throws {
        let x = Tensor([UInt8(0), 255, 128, 7], shape: [1, 1, 4])
        let weights = Tensor([Int8(-128), 127], shape: [1, 1, 2])
        let found = try output(
            of: ConvInteger(padding: .explicit([1, 0])),
            [x, weights, Tensor(scalar: UInt8(3)), Tensor(scalar: Int8(1))])
        // (x - 3) with a zero in front, times (-129, 126).
        assertIntegers(found, [-3 * 126, 3 * 129 + 252 * 126, -252 * 129 + 125 * 126, -125 * 129 + 4 * 126])
        let perChannel = try output(
            of: ConvInteger(),
            [x, Tensor([Int8(1), 1, 1, 1], shape: [2, 1, 2]), nil, Tensor([Int8(0), 1], shape: [2])])
        assertIntegers(perChannel, [255, 383, 135, 0, 0, 0])
    }
}
