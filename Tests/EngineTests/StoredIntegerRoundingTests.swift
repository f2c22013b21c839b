import Engine
import Kernels
import NestFormat
import XCTest

/// Average pools and resizes that round stored integers as LiteRT does.
final class StoredIntegerRoundingTests: XCTestCase {
    func testResizeInFixedPointEqualsItsFormula() throws {
        var random = Random(71)
        for _ in 0..<12 {
            var b = ModelBuilder()
            let channels = random.int(1...19)
            let from = b.map(random.int(1...6), random.int(1...6), channels, slack: random.int(0...2))
            let to = b.map(random.int(1...9), random.int(1...9), channels)
            b.input("x", from, .int8)
            func axis(_ inputs: Int, _ outputs: Int) -> (low: [Int32], high: [Int32], weight: [Int32]) {
                let low = (0..<outputs).map { _ in Int32(random.int(0...inputs - 1)) }
                return (
                    low, low.map { min($0 + 1, Int32(inputs - 1)) },
                    (0..<outputs).map { _ in [0, 1024, 2048, Int32(random.int(0...2048))][random.int(0...3)] }
                )
            }
            let (rows, columns) = (axis(from.height, to.height), axis(from.width, to.width))
            let table = b.store(rows.low + rows.high + rows.weight + columns.low + columns.high + columns.weight)
            b.add(
                .resize(
                    ResizeOperation(
                        isNearest: false, type: .int8, input: from, output: to, tableOffset: table, inputZeroPoint: -7,
                        outputZeroPoint: -7, fixedPoint: true)))
            b.output("y", to, .int8)
            let x = random.int8s(from.height * from.width * from.pixelStride)
            let session = try b.session(threadCount: 2)
            session.set(0, x)
            session.run()
            let y = session.int8s()
            for oy in 0..<to.height {
                for ox in 0..<to.width {
                    for c in 0..<channels {
                        func at(_ row: Int32, _ column: Int32) -> Int {
                            Int(x[(Int(row) * from.width + Int(column)) * from.pixelStride + c])
                        }
                        let (wy, wx) = (Int(rows.weight[oy]), Int(columns.weight[ox]))
                        let top = (2048 - wx) * at(rows.low[oy], columns.low[ox]) + wx * at(rows.low[oy], columns.high[ox])
                        let bottom =
                            (2048 - wx) * at(rows.high[oy], columns.low[ox]) + wx * at(rows.high[oy], columns.high[ox])
                        let exact = Double((2048 - wy) * top + wy * bottom) / 4_194_304
                        XCTAssertEqual(y[(oy * to.width + ox) * channels + c], Int8((exact + 0.5).rounded(.down)))
                    }
                }
            }
        }
    }

    func testAverageOfStoredIntegersRunsFromAFile() throws {
        for (rounding, expected) in [
            (AverageRounding.nearestEven, [0, 2, 0, -2]), (.halfUp, [1, 2, 0, -1]), (.halfAwayFromZero, [1, 2, -1, -2]),
        ] as [(AverageRounding, [Int8])] {
            var b = ModelBuilder()
            let (from, to) = (b.map(1, 2, 4), b.map(1, 1, 4))
            b.input("x", from, .int8)
            b.add(
                .pooling(
                    Pooling(
                        isMax: false, type: .int8, input: from, output: to,
                        window: Window(kernelHeight: 1, kernelWidth: 2), rounding: rounding)))
            b.output("y", to, .int8)
            let session = try b.session()
            session.set(0, [0, 1, 0, -1, 1, 2, -1, -2] as [Int8])
            session.run()
            XCTAssertEqual(session.int8s(), expected, "\(rounding)")
        }
    }

    func testPlansThatTheRulesDontFitAreRefused() {
        func refuses(_ change: (inout Pooling) -> Void, line: UInt = #line) {
            var b = ModelBuilder()
            let (from, to) = (b.map(1, 2, 4), b.map(1, 1, 4))
            b.input("x", from, .int8)
            var pool = Pooling(
                isMax: false, type: .int8, input: from, output: to, window: Window(kernelHeight: 1, kernelWidth: 2),
                rounding: .halfUp)
            change(&pool)
            b.add(.pooling(pool))
            b.output("y", to, .int8)
            XCTAssertThrowsError(try b.model(), line: line)
        }
        refuses { $0.multiplier = 0.5 }
        refuses { $0.inputZeroPoint = 3 }
        refuses { $0.countsPadding = true }
        for weight in [-1, 2049] as [Int32] {
            var b = ModelBuilder()
            let (from, to) = (b.map(1, 1, 1), b.map(1, 1, 1))
            b.input("x", from, .int8)
            let table = b.store([0, 0, weight, 0, 0, 0] as [Int32])
            b.add(
                .resize(
                    ResizeOperation(
                        isNearest: false, type: .int8, input: from, output: to, tableOffset: table, fixedPoint: true)))
            b.output("y", to, .int8)
            XCTAssertThrowsError(try b.model())
        }
    }
}
