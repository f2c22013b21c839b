import Foundation
import NestFormat
import XCTest

@testable import Engine

final class ReductionTests: XCTestCase {
    func testReductions() throws {
        for seed in 0..<64 {
            var r = Random(UInt64(seed) + 1)
            let type: DeviceType = seed % 2 == 0 ? .int8 : .float32
            let function = Reduction.Function(rawValue: UInt8(type == .int8 ? seed / 2 % 4 : seed / 2 % 8))!
            let (outer, reduced, inner) = (r.int(1...4), r.int(1...9), seed % 7 == 0 ? r.int(500...1100) : r.int(1...6))
            let (n, lines) = (outer * reduced * inner, outer * inner)
            var b = ModelBuilder()
            let (i, o) = (b.buffer(n * 4), b.buffer(lines * 4))
            b.add(
                .reduction(
                    Reduction(
                        function: function, type: type, outer: outer, reduced: reduced, inner: inner, inputOffset: i,
                        outputOffset: o, inputZeroPoint: 5, outputZeroPoint: -3, multiplier: 0.375)))
            b.input("x", [n], type, offset: i)
            b.output("y", [lines], type, offset: o)
            let (q, f) = (r.int8s(n), r.floats(n))
            for threads in [1, 2, 5] {
                let session = try b.session(threadCount: threads)
                if type == .int8 { session.set(0, q) } else { session.set(0, f) }
                session.run()
                let (ints, floats) = (type == .int8 ? session.int8s() : [], type == .int8 ? [] : session.floats())
                for line in 0..<lines {
                    let indices = (0..<reduced).map { (line / inner * reduced + $0) * inner + line % inner }
                    if type == .int8 {
                        let values = indices.map { q[$0] }
                        let expected: Int8
                        switch function {
                        case .max: expected = values.max()!
                        case .min: expected = values.min()!
                        default:
                            let sum = values.reduce(Int32(0)) { $0 + Int32($1) - 5 }
                            expected = oracleStep(Float(sum) * 0.375, zeroPoint: -3)
                        }
                        XCTAssertEqual(ints[line], expected, "\(function)")
                    } else {
                        let values = indices.map { f[$0] }
                        let expected: Float
                        switch function {
                        case .mean: expected = values.reduce(0, +) * 0.375
                        case .sum: expected = values.reduce(0, +)
                        case .max: expected = values.max()!
                        case .min: expected = values.min()!
                        case .prod: expected = values.reduce(1, *)
                        case .l2: expected = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
                        case .sumSquare: expected = values.reduce(0) { $0 + $1 * $1 }
                        case .l1: expected = values.reduce(0) { $0 + abs($1) }
                        }
                        XCTAssertEqual(floats[line], expected, "\(function)")
                    }
                }
            }
        }
    }

    func testArgReductionsTakeTheFirst() throws {
        for seed in 0..<24 {
            var r = Random(UInt64(seed) + 1)
            let type: DeviceType = [.int8, .float32, .int32][seed % 3]
            let isMax = r.bool()
            let (outer, reduced, inner) = (r.int(1...4), r.int(1...9), r.int(1...5))
            let n = outer * reduced * inner
            var b = ModelBuilder()
            let (i, o) = (b.buffer(n * 4), b.buffer(outer * inner * 4))
            b.add(
                .argReduction(
                    ArgReduction(
                        isMax: isMax, type: type, outer: outer, reduced: reduced, inner: inner, inputOffset: i,
                        outputOffset: o)))
            b.input("x", [n], type, offset: i)
            b.output("y", [outer * inner], .int32, offset: o)
            let values = r.int8s(n, -3...3)
            let session = try b.session(threadCount: 2)
            switch type {
            case .int8: session.set(0, values)
            case .float32: session.set(0, values.map { Float($0) / 3 })
            default: session.set(0, values.map { Int32($0) * 1000 })
            }
            session.run()
            for (line, found) in session.int32s().enumerated() {
                let row = (0..<reduced).map { values[(line / inner * reduced + $0) * inner + line % inner] }
                XCTAssertEqual(Int(found), row.firstIndex(of: isMax ? row.max()! : row.min()!)!)
            }
        }
    }

    func testSoftmax() throws {
        for seed in 0..<30 {
            var r = Random(UInt64(seed) + 1)
            let (isInt8, isLog) = (seed % 3 == 0, seed % 3 == 1)
            let (outer, reduced, inner) = (r.int(1...4), r.int(1...12), r.int(1...3))
            let n = outer * reduced * inner
            var b = ModelBuilder()
            let (i, o) = (b.buffer(n * 4), b.buffer(n * 4))
            let table = (0..<256).map { Float(Foundation.exp(-Double($0) * 0.05)) }
            let type: DeviceType = isInt8 ? .int8 : .float32
            b.add(
                .softmax(
                    SoftmaxOperation(
                        type: type, isLog: isLog, outer: outer, reduced: reduced, inner: inner, inputOffset: i,
                        outputOffset: o, tableOffset: isInt8 ? b.store(table) : 0, inverseScale: 256,
                        outputZeroPoint: -128)))
            b.input("x", [n], type, offset: i)
            b.output("y", [n], type, offset: o)
            let (q, f) = (r.int8s(n), r.floats(n, -30...30))
            let session = try b.session(threadCount: 2)
            if isInt8 { session.set(0, q) } else { session.set(0, f) }
            session.run()
            for line in 0..<outer * inner {
                let indices = (0..<reduced).map { (line / inner * reduced + $0) * inner + line % inner }
                if isInt8 {
                    let values = indices.map { Int(q[$0]) }
                    let powers = values.map { table[values.max()! - $0] }
                    let sum = powers.reduce(0, +)
                    for (index, power) in zip(indices, powers) {
                        XCTAssertEqual(session.int8s()[index], oracleStep(power / sum * 256, zeroPoint: -128))
                    }
                } else {
                    let values = indices.map { Double(f[$0]) }
                    let sum = values.reduce(0) { $0 + Foundation.exp($1 - values.max()!) }
                    for (index, value) in zip(indices, values) {
                        let expected = isLog
                            ? value - values.max()! - Foundation.log(sum) : Foundation.exp(value - values.max()!) / sum
                        XCTAssertEqual(Double(session.floats()[index]), expected, accuracy: 1e-5)
                    }
                }
            }
        }
    }

    func testPools() throws {
        for seed in 0..<48 {
            var r = Random(UInt64(seed) + 1)
            let (isMax, type): (Bool, DeviceType) = (r.bool(), r.bool() ? .int8 : .float32)
            let w = Window(
                kernelHeight: r.int(1...3), kernelWidth: r.int(1...3), strideY: r.int(1...2), strideX: r.int(1...2),
                dilationY: r.int(1...2), dilationX: r.int(1...2), padTop: r.int(0...1), padLeft: r.int(0...1))
            var b = ModelBuilder()
            let x = b.map(r.int(3...7), r.int(3...7), r.int(1...9), bytes: type.byteCount, slack: r.int(0...2))
            let y = b.map(r.int(1...4), r.int(1...4), x.channels, bytes: type.byteCount, slack: r.int(0...2))
            let counts = r.bool()
            b.add(
                .pooling(
                    Pooling(
                        isMax: isMax, type: type, input: x, output: y, window: w, countsPadding: counts,
                        inputZeroPoint: 4, outputZeroPoint: -6, multiplier: 0.8, clampMin: -70, clampMax: 90)))
            b.input("x", x, type)
            b.output("y", y, type)
            let (q, f) = (r.int8s(x.pixels * x.pixelStride), r.floats(x.pixels * x.pixelStride))
            let session = try b.session(threadCount: 3)
            if type == .int8 { session.set(0, q) } else { session.set(0, f) }
            session.run()
            for oy in 0..<y.height {
                for ox in 0..<y.width {
                    for c in 0..<y.channels {
                        var taps: [Int] = []
                        for ky in 0..<w.kernelHeight {
                            for kx in 0..<w.kernelWidth {
                                let iy = oy * w.strideY - w.padTop + ky * w.dilationY
                                let ix = ox * w.strideX - w.padLeft + kx * w.dilationX
                                if iy >= 0, iy < x.height, ix >= 0, ix < x.width {
                                    taps.append((iy * x.width + ix) * x.pixelStride + c)
                                }
                            }
                        }
                        // The padded map reaches as far as the last window: all taps are inside it.
                        let divisor = max(1, counts ? w.kernelHeight * w.kernelWidth : taps.count)
                        let index = (oy * y.width + ox) * y.pixelStride + c
                        if type == .int8 {
                            let expected: Int8
                            if isMax {
                                expected = max(-70, min(90, taps.map { q[$0] }.max() ?? -128))
                            } else {
                                let sum = taps.reduce(Int32(0)) { $0 + Int32(q[$1]) - 4 }
                                expected = oracleStep(Float(sum) * (0.8 / Float(divisor)), zeroPoint: -6, -70, 90)
                            }
                            XCTAssertEqual(session.int8s()[index], expected, "seed \(seed)")
                        } else {
                            let expected = isMax
                                ? taps.map { f[$0] }.max() ?? -.infinity
                                : taps.reduce(Float(0)) { $0 + f[$1] } / Float(divisor)
                            XCTAssertEqual(session.floats()[index], expected, "seed \(seed)")
                        }
                    }
                }
            }
        }
    }

    func testMatrixProduct() throws {
        for seed in 0..<24 {
            var r = Random(UInt64(seed) + 1)
            let (batch, m, k, n) = (r.int(1...3), r.int(1...5), r.int(1...6), r.int(1...7))
            let (repeatsA, repeatsB, transposes) = (r.bool(), r.bool(), r.bool())
            var b = ModelBuilder()
            let (na, nb) = ((repeatsA ? 1 : batch) * m * k, (repeatsB ? 1 : batch) * k * n)
            let (p, q, o) = (b.buffer(na * 4), b.buffer(nb * 4), b.buffer(batch * m * n * 4))
            b.add(
                .matrixProduct(
                    MatrixProduct(
                        batch: batch, m: m, k: k, n: n, transposesB: transposes, aOffset: p, bOffset: q, outputOffset: o,
                        aBatchStride: repeatsA ? 0 : m * k, bBatchStride: repeatsB ? 0 : k * n)))
            b.input("a", [na], .float32, offset: p)
            b.input("b", [nb], .float32, offset: q)
            b.output("y", [batch * m * n], .float32, offset: o)
            let (x, y) = (r.floats(na), r.floats(nb))
            let session = try b.session(threadCount: 2)
            session.set(0, x)
            session.set(1, y)
            session.run()
            for index in 0..<batch * m * n {
                let (item, row, column) = (index / (m * n), index / n % m, index % n)
                var sum: Float = 0
                for i in 0..<k {
                    let left = x[(repeatsA ? 0 : item * m * k) + row * k + i]
                    let right = y[(repeatsB ? 0 : item * k * n) + (transposes ? column * k + i : i * n + column)]
                    sum += left * right
                }
                XCTAssertEqual(session.floats()[index], sum)
            }
        }
    }
}
