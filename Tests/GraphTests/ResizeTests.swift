import XCTest

@testable import Graph

final class ResizeTests: XCTestCase {
    /// Resizes the last axis of a row.
    private func row(
        _ values: [Float], _ op: Resize, scale: Float? = nil, size: Int? = nil, roi: [Float]? = nil
    ) throws -> [Float] {
        let x = floats(values, [1, values.count])
        let result = try output(
            of: op,
            [
                x, roi.map { floats([0, $0[0], 1, $0[1]], [4]) }, scale.map { floats([1, $0], [2]) },
                size.map { ints([1, $0]) },
            ])
        XCTAssertEqual(result.shape[0], 1)
        return result.floats
    }

    private func assertRow(
        _ found: [Float], _ expected: [Float], tolerance: Float = 1e-5, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        assertClose(floats(found, [found.count]), expected, tolerance: tolerance, file: file, line: line)
    }

    func testNearest() throws {
        XCTAssertEqual(try row([1, 2], Resize(), scale: 2), [1, 1, 2, 2])
        XCTAssertEqual(
            try row([1, 2, 3], Resize(coordinates: .asymmetric, nearestRounding: .floor), size: 5), [1, 1, 2, 2, 3])
        XCTAssertEqual(try row([1, 2, 3, 4], Resize(nearestRounding: .ceil), scale: 0.5), [2, 4])
        // Coordinates 0.5 and 2.5 lie between two elements.
        XCTAssertEqual(try row([1, 2, 3, 4], Resize(nearestRounding: .roundPreferFloor), scale: 0.5), [1, 3])
        XCTAssertEqual(try row([1, 2, 3, 4], Resize(nearestRounding: .roundPreferCeil), scale: 0.5), [2, 4])
        XCTAssertEqual(
            try row([1, 2, 3, 4], Resize(coordinates: .alignCorners, nearestRounding: .floor), size: 7),
            [1, 1, 2, 2, 3, 3, 4])
        XCTAssertEqual(
            try row([1, 2, 3], Resize(coordinates: .tfHalfPixelForNN, nearestRounding: .floor), size: 6),
            [1, 1, 2, 2, 3, 3])
        let integers = try output(of: Resize(), [Tensor([true, false], shape: [2]), nil, floats([2], [1])])
        assertIntegers(integers, [1, 1, 0, 0])
    }

    func testNearestOfExactRatiosHasNoRoundingSlips() throws {
        // Every size from 1 to 40 of every extent: floor(i * extent / size), in integers.
        for extent in 1...12 {
            for size in 1...40 {
                let found = try row(
                    (0..<extent).map(Float.init), Resize(coordinates: .asymmetric, nearestRounding: .floor), size: size)
                XCTAssertEqual(found, (0..<size).map { Float($0 * extent / size) }, "\(extent) to \(size)")
            }
        }
    }

    func testLinear() throws {
        assertRow(try row([1, 2], Resize(mode: .linear), scale: 2), [1, 1.25, 1.75, 2])
        assertRow(try row([1, 2], Resize(mode: .linear, coordinates: .asymmetric), scale: 2), [1, 1.5, 2, 2])
        assertRow(try row([1, 2, 4], Resize(mode: .linear, coordinates: .alignCorners), size: 5), [1, 1.5, 2, 3, 4])
        assertRow(try row([1, 2, 4], Resize(mode: .linear, coordinates: .alignCorners), size: 1), [1])
        assertRow(try row([1, 2, 3, 4], Resize(mode: .linear, coordinates: .pytorchHalfPixel), size: 1), [1])
        assertRow(try row([1, 2, 3, 4], Resize(mode: .linear), size: 1), [2.5])
        // Scale 0.6 of 4 elements gives 2, spread symmetrically around the centre.
        assertRow(
            try row([1, 2, 3, 4], Resize(mode: .linear, coordinates: .halfPixelSymmetric), scale: 0.6),
            [2.5 - 0.5 / 0.6, 2.5 + 0.5 / 0.6])
        // Halving with the triangle filter, 4 taps of 1/8 3/8 3/8 1/8.
        assertRow(
            try row([8, 16, 24, 32], Resize(mode: .linear, antialias: true), scale: 0.5),
            [(8 + 24 + 48 + 24) / 8, (16 + 72 + 96 + 32) / 8])
        let bytes = try output(
            of: Resize(mode: .linear), [Tensor([UInt8(0), 200], shape: [1, 2]), nil, floats([1, 2], [2])])
        assertIntegers(bytes, [0, 50, 150, 200])
    }

    func testCubic() throws {
        let op = Resize(mode: .cubic(coefficientA: -0.5, excludeOutside: false))
        // Catmull-Rom reproduces a straight line away from the edges.
        let line = try row((0..<8).map(Float.init), op, scale: 2)
        for index in 4..<12 { XCTAssertEqual(line[index], (Float(index) + 0.5) / 2 - 0.5, accuracy: 1e-5) }
        // At the edge its weights for ratio 0.75 (a = -0.5) are -0.0234375, 0.2265625, 0.8671875, -0.0703125.
        let weights: [Float] = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]
        XCTAssertEqual(line[0], weights[3], accuracy: 1e-6)
        let excluding = Resize(mode: .cubic(coefficientA: -0.5, excludeOutside: true))
        XCTAssertEqual(
            try row((0..<8).map(Float.init), excluding, scale: 2)[0], weights[3] / (weights[2] + weights[3]),
            accuracy: 1e-6)
        let constant = Resize(mode: .cubic(coefficientA: -0.75, excludeOutside: false), antialias: true)
        assertRow(try row([3, 3, 3, 3, 3], constant, scale: 0.6), [3, 3, 3])
    }

    func testCropAndResize() throws {
        let op = Resize(mode: .linear, coordinates: .tfCropAndResize, extrapolationValue: 10)
        assertRow(try row([1, 2, 3, 4, 5], op, size: 3, roi: [0.25, 0.75]), [2, 3, 4])
        assertRow(try row([1, 2, 3, 4, 5], op, size: 3, roi: [0.5, 1.5]), [3, 5, 10])
        assertRow(try row([1, 2, 3, 4, 5], op, size: 1, roi: [0, 1]), [3])
        let nearest = Resize(coordinates: .tfCropAndResize, extrapolationValue: 10)
        assertRow(try row([1, 2, 3, 4, 5], nearest, size: 3, roi: [0.5, 1.5]), [3, 5, 10])
        assertRefused(op, [floats([1], [1]), nil, nil, ints([2])], subject: "input 1 (roi)")
    }

    func testAxesAndAspect() throws {
        let x = floats((0..<8).map(Float.init), [2, 4])
        let wide = try output(of: Resize(axes: [1]), [x, nil, floats([2], [1])])
        assertClose(wide, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7], shape: [2, 8])
        let swapped = try output(of: Resize(axes: [1, 0]), [x, nil, nil, ints([4, 4])])
        assertClose(swapped, [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7], shape: [4, 4])
        XCTAssertEqual(try output(of: Resize(aspect: .notLarger), [x, nil, nil, ints([6, 6])]).shape, [3, 6])
        XCTAssertEqual(try output(of: Resize(aspect: .notSmaller), [x, nil, nil, ints([6, 6])]).shape, [6, 12])
        assertRefused(Resize(), [x, nil, nil, nil], subject: "inputs 2 (scales) and 3 (sizes)")
        assertRefused(Resize(), [x, nil, floats([2], [1])], subject: "input 2 (scales)")
        assertRefused(Resize(axes: [2]), [x, nil, floats([2], [1])], subject: "attribute axes")
    }

    func testAxesAreIndependent() throws {
        // Two axes at once are one after the other, in either order and layout.
        var random = TestRandom(seed: 10)
        let x = random.tensor([1, 3, 5, 4])
        for mode in [Resize.Mode.linear, .cubic(coefficientA: -0.75, excludeOutside: false), .nearest] {
            let both = try output(of: Resize(mode: mode), [x, nil, nil, ints([1, 3, 7, 9])])
            let first = try output(of: Resize(mode: mode), [x, nil, nil, ints([1, 3, 7, 4])])
            assertClose(try output(of: Resize(mode: mode), [first, nil, nil, ints([1, 3, 7, 9])]), both)
            assertClose(
                try output(of: Resize(mode: mode), [x.channelsLast, nil, nil, ints([1, 7, 9, 3])]), both.channelsLast)
        }
    }
}
