import NestFormat
import XCTest

@testable import Engine

final class MovementTests: XCTestCase {
    func testStridedCopyWithPermutedReversedAndRepeatedAxes() throws {
        for seed in 0..<60 {
            var r = Random(UInt64(seed) + 40)
            let bytes = r.bool() ? 1 : 4
            let extents = (0..<r.int(0...6)).map { _ in r.int(1...4) }
            let count = extents.reduce(1, *)
            // The destination is dense in a shuffled order of axes; the source is walked forwards, backwards or not.
            var order = Array(extents.indices)
            order.shuffle(using: &r)
            var destination = [Int](repeating: 0, count: extents.count)
            var step = 1
            for axis in order {
                destination[axis] = step
                step *= extents[axis]
            }
            var (source, start, size) = ([Int](repeating: 0, count: extents.count), 0, 1)
            for axis in extents.indices.reversed() {
                switch r.int(0...2) {
                case 0: source[axis] = size
                case 1:
                    source[axis] = -size
                    start += size * (extents[axis] - 1)
                default: continue
                }
                size *= extents[axis]
            }
            var b = ModelBuilder()
            let (i, o) = (b.buffer(size * bytes), b.buffer(count * bytes))
            b.add(
                .stridedCopy(
                    StridedCopy(
                        elementBytes: bytes, extents: extents, sourceOffset: i + start * bytes, sourceStrides: source,
                        destinationOffset: o, destinationStrides: destination)))
            let type: DeviceType = bytes == 1 ? .int8 : .int32
            b.input("x", [size], type, offset: i)
            b.output("y", [count], type, offset: o)
            let values = (0..<size).map { Int32($0 % 120) }
            var expected = [Int32](repeating: 0, count: count)
            var position = [Int](repeating: 0, count: extents.count)
            for flat in 0..<count {
                var rest = flat
                for axis in extents.indices.reversed() {
                    position[axis] = rest % extents[axis]
                    rest /= extents[axis]
                }
                let from = zip(position, source).reduce(start) { $0 + $1.0 * $1.1 }
                expected[zip(position, destination).reduce(0) { $0 + $1.0 * $1.1 }] = values[from]
            }
            for threads in [1, 3] {
                let session = try b.session(threadCount: threads)
                if bytes == 1 { session.set(0, values.map { Int8($0) }) } else { session.set(0, values) }
                session.run()
                XCTAssertEqual(bytes == 1 ? session.int8s().map { Int32($0) } : session.int32s(), expected, "seed \(seed)")
            }
        }
    }

    func testFill() throws {
        for (bytes, count) in [(1, 1), (1, 200), (4, 77)] {
            var b = ModelBuilder()
            let offset = b.buffer((count + 2) * bytes)
            b.add(.fill(Fill(elementBytes: bytes, count: count, offset: offset + bytes, pattern: 0x8182_83f4)))
            b.input("y", [count + 2], bytes == 1 ? .int8 : .int32, offset: offset)
            b.output("y", [count + 2], bytes == 1 ? .int8 : .int32, offset: offset)
            let session = try b.session(threadCount: 3)
            session.set(0, [UInt8](repeating: 9, count: (count + 2) * bytes))
            session.run()
            let element: [UInt8] = bytes == 1 ? [0xf4] : [0xf4, 0x83, 0x82, 0x81]
            let border = [UInt8](repeating: 9, count: bytes)
            XCTAssertEqual(session.bytes(), border + Array(repeatElement(element, count: count).joined()) + border)
        }
    }

    func testGatherClampsEveryIndex() throws {
        var b = ModelBuilder()
        let (data, indices, o) = (b.buffer(5 * 4 * 3), b.buffer(12 * 8), b.buffer(12 * 3))
        b.add(
            .gatherSlices(
                GatherSlices(
                    dataOffset: data, indicesOffset: indices, outputOffset: o, count: 12, sliceBytes: 3, extents: [5, 4],
                    strides: [12, 3])))
        b.input("d", [60], .int8, offset: data)
        b.input("i", [12, 2], .int32, offset: indices)
        b.output("y", [12, 3], .int8, offset: o)
        let tuples: [(Int32, Int32, Int, Int)] = [
            (0, 0, 0, 0), (4, 3, 4, 3), (-1, -1, 4, 3), (-5, -4, 0, 0), (-6, 1, 0, 1), (5, 1, 4, 1), (.max, .min, 4, 0),
            (.min, .max, 0, 3), (2, 2, 2, 2), (1, -2, 1, 2), (3, 0, 3, 0), (-2, 9, 3, 3),
        ]
        let values = (0..<60).map { Int8($0) }
        for threads in [1, 4] {
            let session = try b.session(threadCount: threads)
            session.set(0, values)
            session.set(1, tuples.flatMap { [$0.0, $0.1] })
            session.run()
            XCTAssertEqual(session.int8s(), tuples.flatMap { t in (0..<3).map { values[t.2 * 12 + t.3 * 3 + $0] } })
        }
    }

    func testSelectBroadcasts() throws {
        for type in [DeviceType.int8, .float32, .int32] {
            var b = ModelBuilder()
            let (c, x, y, o) = (b.buffer(3), b.buffer(12 * 4), b.buffer(4 * 4), b.buffer(12 * 4))
            b.add(
                .select(
                    Select(
                        extents: [3, 4], condition: StridedOperand(type: .int8, offset: c, strides: [1, 0]),
                        a: StridedOperand(type: type, offset: x, strides: [4, 1]),
                        b: StridedOperand(type: type, offset: y, strides: [0, 1]),
                        output: StridedOperand(type: type, offset: o, strides: [1, 3]))))
            b.input("c", [3], .int8, offset: c)
            b.input("x", [12], type, offset: x)
            b.input("y", [4], type, offset: y)
            b.output("o", [12], type, offset: o)
            let session = try b.session(threadCount: 2)
            session.set(0, [0, 1, -3] as [Int8])
            let (p, q) = ((0..<12).map { Int8($0 + 1) }, (0..<4).map { Int8(-$0 - 1) })
            func widen(_ v: [Int8]) -> [UInt8] {
                type == .int8 ? littleEndianBytes(v) : type == .int32
                    ? littleEndianBytes(v.map { Int32($0) }) : littleEndianBytes(v.map { Float($0) })
            }
            session.set(1, widen(p))
            session.set(2, widen(q))
            session.run()
            var expected = [Int8](repeating: 0, count: 12)
            for i in 0..<3 { for j in 0..<4 { expected[i + 3 * j] = i == 0 ? q[j] : p[4 * i + j] } }
            XCTAssertEqual(session.bytes(), widen(expected))
        }
    }

    func testTablesAndConversions() throws {
        var r = Random(77)
        for slack in [0, 3] {
            var b = ModelBuilder()
            let x = b.map(3, 5, 7, slack: slack)
            let (y, f) = (b.map(3, 5, 7, slack: slack), b.map(3, 5, 7, bytes: 4, slack: slack))
            let (t, u) = (r.int8s(256), r.floats(256))
            b.add(.tableLookup(TableLookup(input: x, output: y, outputType: .int8, tableOffset: b.store(t))))
            b.add(.tableLookup(TableLookup(input: x, output: f, outputType: .float32, tableOffset: b.store(u))))
            b.input("x", x, .int8)
            b.output("y", y, .int8)
            b.output("f", f, .float32)
            let values = r.int8s(15 * (7 + slack))
            for isa in runnableISAs {
                let session = try b.session(threadCount: 3, forcing: isa)
                session.set(0, values)
                session.run()
                let (found, reals) = (session.int8s(0), session.floats(1))
                for pixel in 0..<15 {
                    for c in 0..<7 {
                        let i = pixel * (7 + slack) + c
                        XCTAssertEqual(found[i], t[Int(values[i]) + 128])
                        XCTAssertEqual(reals[i], u[Int(values[i]) + 128])
                    }
                }
            }
        }
        let x: [Float] = [0, 0.5, 1.5, -0.5, -2.5, 300, -300, .nan, .infinity, -.infinity, 3e9, -3e9, 2.7, -2.7]
        func convert(_ from: DeviceType, _ to: DeviceType) throws -> Session {
            var b = ModelBuilder()
            let (i, o) = (b.buffer(56), b.buffer(56))
            b.add(
                .convert(
                    Convert(
                        from: from, to: to, count: 14, inputOffset: i, outputOffset: o, inverseScale: 2, zeroPoint: 3)))
            b.input("x", [14], from, offset: i)
            b.output("y", [14], to, offset: o)
            return try b.session(threadCount: 2)
        }
        var session = try convert(.float32, .int8)
        session.set(0, x)
        session.run()
        XCTAssertEqual(session.int8s(), [3, 4, 6, 2, -2, 127, -128, 3, 127, -128, 127, -128, 8, -2])
        session = try convert(.float32, .int32)
        session.set(0, x)
        session.run()
        XCTAssertEqual(session.int32s(), [0, 0, 1, 0, -2, 300, -300, 0, .max, .min, .max, .min, 2, -2])
        session = try convert(.int32, .float32)
        session.set(0, [0, 1, -1, .max, .min, 16_777_217, 5, 6, 7, 8, 9, 10, 11, 12] as [Int32])
        session.run()
        XCTAssertEqual(session.floats().prefix(6), [0, 1, -1, 2_147_483_648, -2_147_483_648, 16_777_216])
    }

    func testResize() throws {
        for seed in 0..<24 {
            var r = Random(UInt64(seed) + 60)
            let (isNearest, type): (Bool, DeviceType) = (r.bool(), r.bool() ? .int8 : .float32)
            var b = ModelBuilder()
            let x = b.map(r.int(1...6), r.int(1...6), r.int(1...5), bytes: type.byteCount, slack: r.int(0...2))
            let y = b.map(r.int(1...8), r.int(1...8), x.channels, bytes: type.byteCount, slack: r.int(0...2))
            func axis(_ outputs: Int, _ inputs: Int) -> (low: [Int32], high: [Int32], weight: [Float]) {
                (
                    (0..<outputs).map { _ in Int32(r.int(0...inputs - 1)) },
                    (0..<outputs).map { _ in Int32(r.int(0...inputs - 1)) }, r.floats(outputs, 0...1)
                )
            }
            let (rows, columns) = (axis(y.height, x.height), axis(y.width, x.width))
            let table = isNearest
                ? rows.low + columns.low
                : [rows, columns].flatMap { a in a.low + a.high + a.weight.map { Int32(bitPattern: $0.bitPattern) } }
            b.add(
                .resize(
                    ResizeOperation(
                        isNearest: isNearest, type: type, input: x, output: y, tableOffset: b.store(table),
                        inputZeroPoint: 7, outputZeroPoint: -4, multiplier: 1.25)))
            b.input("x", x, type)
            b.output("y", y, type)
            let (q, f) = (r.int8s(x.pixels * x.pixelStride), r.floats(x.pixels * x.pixelStride))
            let session = try b.session(threadCount: 3)
            if type == .int8 { session.set(0, q) } else { session.set(0, f) }
            session.run()
            for oy in 0..<y.height {
                for ox in 0..<y.width {
                    for c in 0..<y.channels {
                        func value(_ row: Int32, _ column: Int32) -> Float {
                            let i = (Int(row) * x.width + Int(column)) * x.pixelStride + c
                            return type == .float32 ? f[i] : isNearest ? Float(q[i]) : Float(Int32(q[i]) - 7)
                        }
                        var expected = value(rows.low[oy], columns.low[ox])
                        if !isNearest {
                            let (wx, wy) = (columns.weight[ox], rows.weight[oy])
                            let right = value(rows.low[oy], columns.high[ox])
                            let top = expected + (right - expected) * wx
                            let below = value(rows.high[oy], columns.low[ox])
                            let bottom = below + (value(rows.high[oy], columns.high[ox]) - below) * wx
                            expected = top + (bottom - top) * wy
                            if type == .int8 { expected = Float(oracleStep(expected * 1.25, zeroPoint: -4)) }
                        }
                        let i = (oy * y.width + ox) * y.pixelStride + c
                        XCTAssertEqual(type == .int8 ? Float(session.int8s()[i]) : session.floats()[i], expected)
                    }
                }
            }
        }
    }
}
