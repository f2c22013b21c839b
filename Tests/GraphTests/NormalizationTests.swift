import Glibc
import XCTest

@testable import Graph

final class NormalizationTests: XCTestCase {
    func testBatchNormalization() throws {
        let x = floats([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2])
        let parameters = [floats([2, 1], [2]), floats([0.5, -1], [2]), floats([1, 6], [2]), floats([4, 0.25], [2])]
        var op = BatchNormalization(epsilon: 0)
        let expected: [Float] = [0.5, 1.5, 2.5, 3.5, -3, -1, 1, 3]
        assertClose(try output(of: op, [x] + parameters), expected)
        assertClose(try output(of: op, [x.converted(to: .float64)] + parameters), expected)
        op.layout = .channelsLast
        assertClose(try output(of: op, [x.channelsLast] + parameters), floats(expected, x.shape).channelsLast)
        assertRefused(op, [x] + Array(parameters[..<3]), subject: "input 4 (variance)")
        assertRefused(op, [x] + parameters[..<3] + [floats([1], [1])], subject: "input 4 (variance)")
    }

    func testLayerNormalization() throws {
        let x = floats([1, 3, 5, 5, 2, 6], [3, 2])
        let results = try outputs(
            of: LayerNormalization(epsilon: 0.5), [x, floats([2, 1], [2]), floats([0, 10], [2])])
        let (a, c) = (1 / sqrtf(1.5), 1 / sqrtf(4.5))
        assertClose(results[0], [-2 * a, 10 + a, 0, 10, -4 * c, 10 + 2 * c])
        assertClose(results[1], [2, 5, 4], shape: [3, 1])
        assertClose(results[2], [a, 1 / sqrtf(0.5), c], shape: [3, 1])
        let whole = try outputs(of: LayerNormalization(axis: 0, epsilon: 0), [x, Tensor(scalar: Float(1))])
        XCTAssertEqual(whole[1].shape, [1, 1])
        XCTAssertEqual(whole[0].floats.reduce(0, +), 0, accuracy: 1e-5)
        XCTAssertEqual(whole[0].floats.reduce(0) { $0 + $1 * $1 }, 6, accuracy: 1e-4)
        assertRefused(LayerNormalization(axis: 2), [x, floats([1], [1])], subject: "attribute axis")
        assertRefused(LayerNormalization(), [x, floats([1, 2, 3], [3])], subject: "input 1 (scale)")
    }

    func testGroupAndInstanceNormalization() throws {
        let x = floats([1, 3, 5, 7, -1, 1, 10, 30], [1, 4, 2])
        let (scale, bias) = (floats([1, 2, 3, 4], [4]), floats([0, 0, 0, 1], [4]))
        let instance = InstanceNormalization(epsilon: 0)
        assertClose(try output(of: instance, [x, scale, bias]), [-1, 1, -2, 2, -3, 3, -3, 5])
        // Channels 0 and 1 together: mean 4, variance 5.
        let group = GroupNormalization(groups: 2, epsilon: 0)
        let found = try output(of: group, [x, scale, bias]).floats
        let f = 1 / sqrtf(5)
        assertClose(floats(Array(found[..<4]), [4]), [-3 * f, -f, 2 * f, 6 * f])
        let each = try output(of: GroupNormalization(groups: 4, epsilon: 0), [x, scale, bias])
        assertClose(each, try output(of: instance, [x, scale, bias]))
        let last = GroupNormalization(groups: 2, epsilon: 0, layout: .channelsLast)
        assertClose(try output(of: last, [x.channelsLast, scale, bias]), floats(found, x.shape).channelsLast)
        assertRefused(GroupNormalization(groups: 3), [x, scale, bias], subject: "attribute num_groups")
        assertRefused(instance, [x, floats([1], [1]), bias], subject: "input 1 (scale)")
    }

    func testLpNormalizationAndLRN() throws {
        let x = floats([3, 4, 0, 0, -6, 8], [3, 2])
        assertClose(try output(of: LpNormalization(), [x]), [0.6, 0.8, 0, 0, -0.6, 0.8])
        assertClose(try output(of: LpNormalization(p: 1), [x]), [3.0 / 7, 4.0 / 7, 0, 0, -6.0 / 14, 8.0 / 14])
        assertClose(try output(of: LpNormalization(axis: 0, minimumNorm: 100), [x]), [0.03, 0.04, 0, 0, -0.06, 0.08])
        assertRefused(LpNormalization(p: 3), [x], subject: "attribute p")
        let channels = floats([1, 2, 3, 4], [1, 4])
        // Windows of 3: sums of squares 5, 14, 29, 25.
        let found = try output(of: LRN(size: 3, alpha: 3, beta: 0.5, bias: 1), [channels])
        assertClose(found, [1 / sqrtf(6), 2 / sqrtf(15), 3 / sqrtf(30), 4 / sqrtf(26)])
        // Windows of 2 look at the next channel.
        assertClose(
            try output(of: LRN(size: 2, alpha: 2, beta: 1, bias: 1), [channels]),
            [1.0 / 6, 2.0 / 14, 3.0 / 26, 4.0 / 17])
        assertRefused(LRN(size: 0), [channels], subject: "attribute size")
    }
}
