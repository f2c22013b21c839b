import XCTest

@testable import Graph

final class PoolTests: XCTestCase {
    private let grid = floats((1...16).map(Float.init), [1, 1, 4, 4])

    func testMaxPool() throws {
        let op = Pool(kind: .max(storageOrder: 0), kernel: [2, 2], strides: [2, 2])
        let results = try outputs(of: op, [grid])
        assertClose(results[0], [6, 8, 14, 16], shape: [1, 1, 2, 2])
        assertIntegers(results[1], [5, 7, 13, 15])
        let columnMajor = Pool(kind: .max(storageOrder: 1), kernel: [2, 2], strides: [2, 2])
        assertIntegers(try outputs(of: columnMajor, [grid])[1], [5, 13, 7, 15])
        let padded = Pool(
            kind: .max(storageOrder: 0), kernel: [3, 3], strides: [2, 2], padding: .explicit([1, 1, 1, 1]))
        assertClose(try output(of: padded, [grid]), [6, 8, 14, 16])
        let negative = try output(of: padded, [floats([Float](repeating: -5, count: 16), [1, 1, 4, 4])])
        assertClose(negative, [-5, -5, -5, -5])
        let dilated = Pool(kind: .max(storageOrder: 0), kernel: [2, 2], dilations: [2, 2])
        assertClose(try output(of: dilated, [grid]), [11, 12, 15, 16])
        assertIntegers(try output(of: op, [grid.converted(to: .uint8)]), [6, 8, 14, 16])
    }

    func testCeilMode() throws {
        let x = floats([1, 2, 3, 4, 5], [1, 1, 5])
        func pool(_ kernel: Int, _ stride: Int, _ pads: [Int], ceil: Bool) throws -> [Float] {
            try output(
                of: Pool(
                    kind: .max(storageOrder: 0), kernel: [kernel], strides: [stride], padding: .explicit(pads),
                    ceilMode: ceil),
                [x]
            ).floats
        }
        XCTAssertEqual(try pool(2, 2, [0, 0], ceil: false), [2, 4])
        XCTAssertEqual(try pool(2, 2, [0, 0], ceil: true), [2, 4, 5])
        // The third window would start in the padding at the end.
        XCTAssertEqual(try pool(1, 3, [0, 1], ceil: true), [1, 4])
        XCTAssertEqual(try pool(2, 3, [1, 2], ceil: true), [1, 4])
        XCTAssertEqual(try pool(2, 4, [0, 1], ceil: true), [2, 5])
    }

    func testAveragePool() throws {
        let x = floats([1, 2, 3, 4], [1, 1, 4])
        func pool(_ pads: [Int], counts: Bool, ceil: Bool = false, stride: Int = 1) throws -> Tensor {
            try output(
                of: Pool(
                    kind: .average(countIncludesPadding: counts), kernel: [3], strides: [stride],
                    padding: .explicit(pads),
                    ceilMode: ceil), [x])
        }
        assertClose(try pool([1, 1], counts: false), [1.5, 2, 3, 3.5])
        assertClose(try pool([1, 1], counts: true), [1, 2, 3, 7.0 / 3])
        // The part of the last window beyond the padding never counts.
        assertClose(try pool([0, 1], counts: true, ceil: true, stride: 2), [2, 7.0 / 3])
        assertClose(try pool([0, 0], counts: true, ceil: true, stride: 3), [2, 4])
        let same = Pool(kind: .average(countIncludesPadding: false), kernel: [3], strides: [2], padding: .sameUpper)
        assertClose(try output(of: same, [x]), [2, 3.5])
    }

    func testLpAndGlobalPool() throws {
        let x = floats([3, -4, 0, 5], [1, 1, 4])
        assertClose(try output(of: Pool(kind: .lp(2), kernel: [2]), [x]), [5, 4, 5])
        assertClose(try output(of: Pool(kind: .lp(1), kernel: [2], strides: [2]), [x]), [7, 5])
        let two = floats([1, 2, 3, -6, 9, 0], [1, 2, 3])
        assertClose(try output(of: GlobalPool(kind: .average), [two]), [2, 1], shape: [1, 2, 1])
        assertClose(try output(of: GlobalPool(kind: .max), [two]), [3, 9], shape: [1, 2, 1])
    }

    func testLayoutsAgree() throws {
        var random = TestRandom(seed: 5)
        let x = random.tensor([2, 5, 7, 6])
        let kinds: [Pool.Kind] = [.max(storageOrder: 0), .average(countIncludesPadding: false), .lp(3)]
        for kind in kinds {
            var op = Pool(
                kind: kind, kernel: [3, 2], strides: [2, 1], dilations: [1, 2], padding: .explicit([1, 0, 1, 1]))
            let expected = try output(of: op, [x])
            op.layout = .channelsLast
            assertClose(try output(of: op, [x.channelsLast]), expected.channelsLast)
        }
        for kind in [GlobalPool.Kind.average, .max] {
            let expected = try output(of: GlobalPool(kind: kind), [x])
            assertClose(
                try output(of: GlobalPool(kind: kind, layout: .channelsLast), [x.channelsLast]), expected.channelsLast)
        }
    }

    func testRefusals() {
        assertRefused(Pool(kind: .max(storageOrder: 0), kernel: [5, 5]), [grid], subject: "spatial axis 0")
        assertRefused(Pool(kind: .max(storageOrder: 0), kernel: [2]), [grid], subject: "attribute kernel_shape")
        assertRefused(Pool(kind: .lp(0), kernel: [2, 2]), [grid], subject: "attribute p")
        assertRefused(GlobalPool(kind: .max), [floats([1], [1, 1])], subject: "input 0 (x)")
    }
}
