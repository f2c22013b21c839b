import Foundation
import NestFormat
import XCTest

@testable import Engine

final class ElementwiseTests: XCTestCase {
    /// Strides of an operand over `extents` that is repeated along random axes, and its number of elements.
    private func operand(_ extents: [Int], _ r: inout Random, repeats: Bool) -> (strides: [Int], count: Int) {
        var strides = [Int](repeating: 0, count: extents.count)
        var count = 1
        for axis in extents.indices.reversed() where !(repeats && r.int(0...2) == 0) {
            strides[axis] = count
            count *= extents[axis]
        }
        return (strides, count)
    }

    private func offsets(_ extents: [Int], _ strides: [Int]) -> [Int] {
        var result = [0]
        for (extent, stride) in zip(extents, strides) {
            result = result.flatMap { base in (0..<extent).map { base + $0 * stride } }
        }
        return result
    }

    private func oracle(_ function: ElementwiseBinary.Function, _ x: Float, _ y: Float) -> Float {
        switch function {
        case .add: x + y
        case .sub: x - y
        case .mul: x * y
        case .div: x / y
        case .max: Swift.max(x, y)
        case .min: Swift.min(x, y)
        case .pow: Foundation.pow(x, y)
        case .squaredDifference: (x - y) * (x - y)
        case .prelu: x < 0 ? x * y : x
        case .floorDiv: Foundation.floor(x / y)
        case .mod: Foundation.fmod(x, y)
        case .equal: x == y ? 1 : 0
        case .notEqual: x != y ? 1 : 0
        case .less: x < y ? 1 : 0
        case .lessOrEqual: x <= y ? 1 : 0
        case .greater: x > y ? 1 : 0
        case .greaterOrEqual: x >= y ? 1 : 0
        case .and: x != 0 && y != 0 ? 1 : 0
        case .or: x != 0 || y != 0 ? 1 : 0
        case .xor: (x != 0) != (y != 0) ? 1 : 0
        }
    }

    private let functions = (0..<20).map { ElementwiseBinary.Function(rawValue: $0)! }

    func testInt8AndFloat() throws {
        for seed in 0..<160 {
            var r = Random(UInt64(seed) + 7)
            let function = functions[seed % functions.count]
            let extents = (0..<r.int(0...4)).map { _ in r.int(1...5) }
            let types: [DeviceType] = [r.bool() ? .int8 : .float32, r.bool() ? .int8 : .float32]
            let isPredicate = function.rawValue >= ElementwiseBinary.Function.equal.rawValue
            let outputType: DeviceType = isPredicate || r.bool() ? .int8 : .float32
            var b = ModelBuilder()
            let (sa, na) = operand(extents, &r, repeats: true)
            let (sb, nb) = operand(extents, &r, repeats: true)
            let (so, no) = operand(extents, &r, repeats: false)
            let (za, zb, zo) = (Int32(r.int8()), Int32(r.int8()), Int32(r.int8()))
            let (ca, cb, co) = (r.float(0.01...0.1), r.float(0.01...0.1), r.float(0.01...0.1))
            let (oa, ob, oo) = (
                b.buffer(na * types[0].byteCount), b.buffer(nb * types[1].byteCount), b.buffer(no * outputType.byteCount)
            )
            let (low, high): (Float, Float) = outputType == .int8 ? (-100, 120) : (-1.5, 1.75)
            func op(_ type: DeviceType, _ offset: Int, _ strides: [Int], _ scale: Float, _ zero: Int32) -> StridedOperand {
                StridedOperand(
                    type: type, offset: offset, strides: strides, scale: type == .int8 ? scale : 1,
                    zeroPoint: type == .int8 ? zero : 0)
            }
            b.add(
                .elementwiseBinary(
                    ElementwiseBinary(
                        function: function, extents: extents, a: op(types[0], oa, sa, ca, za),
                        b: op(types[1], ob, sb, cb, zb), output: op(outputType, oo, so, co, zo), clampMin: low,
                        clampMax: high)))
            b.input("a", [na], types[0], offset: oa)
            b.input("b", [nb], types[1], offset: ob)
            b.output("y", [no], outputType, offset: oo)
            let (qa, qb) = (r.int8s(na, -6...6), r.int8s(nb, -6...6))
            let (fa, fb) = (r.floats(na, 0.1...2), r.floats(nb))
            let (va, vb) = (
                types[0] == .int8 ? qa.map { Float(Int32($0) - za) * ca } : fa,
                types[1] == .int8 ? qb.map { Float(Int32($0) - zb) * cb } : fb
            )
            let inverse = 1 / co
            let expected: [Float] = zip(offsets(extents, sa), offsets(extents, sb)).map { i, j in
                if isPredicate { return oracle(function, va[i], vb[j]) }
                guard outputType == .int8 else {
                    let value = oracle(function, va[i], vb[j])
                    return value.isNaN ? value : max(low, min(high, value))
                }
                var steps = oracle(function, va[i], vb[j]) * inverse
                if types == [.int8, .int8] {
                    let (x, y) = (Int32(qa[i]) - za, Int32(qb[j]) - zb)
                    if function == .add { steps = Float(x) * (ca * inverse) + Float(y) * (cb * inverse) }
                    if function == .sub { steps = Float(x) * (ca * inverse) - Float(y) * (cb * inverse) }
                    if function == .mul { steps = Float(x * y) * (ca * cb * inverse) }
                }
                return steps.isFinite ? Float(oracleStep(steps, zeroPoint: zo, Int(low), Int(high))) : .nan
            }
            for threads in [1, 2, 5] {
                let session = try b.session(threadCount: threads)
                if types[0] == .int8 { session.set(0, qa) } else { session.set(0, fa) }
                if types[1] == .int8 { session.set(1, qb) } else { session.set(1, fb) }
                session.run()
                let found = outputType == .int8 ? session.int8s().map { Float($0) } : session.floats()
                XCTAssertEqual(found.count, expected.count)
                for (x, y) in zip(found, expected) where !y.isNaN {
                    // The platform's pow may differ from ours in its last bit.
                    let tolerance = function == .pow ? (outputType == .int8 ? 1 : abs(y) * 1e-6) : 0
                    XCTAssertEqual(x, y, accuracy: tolerance, "seed \(seed) \(function) \(types) \(outputType)")
                }
            }
        }
    }

    /// One row of channels against every pixel, on either side: few channels and many, several runs and a last short one.
    func testOneRowOfChannelsAgainstAllPixels() throws {
        var r = Random(17)
        for (number, channels) in [1, 2, 3, 5, 24, 200, 500].enumerated() {
            for function in [ElementwiseBinary.Function.add, .sub, .mul] {
                let extents = [7, channels < 10 ? 83 : 5, channels]
                let count = extents[0] * extents[1] * channels
                let isRowFirst = number % 2 == 0
                let strides = [[extents[1] * channels, channels, 1], [0, 0, 1]]
                let counts = isRowFirst ? [channels, count] : [count, channels]
                var b = ModelBuilder()
                let places = [b.buffer(counts[0]), b.buffer(counts[1]), b.buffer(count)]
                func operand(_ place: Int, _ strides: [Int], _ scale: Float, _ zero: Int32) -> StridedOperand {
                    StridedOperand(type: .int8, offset: place, strides: strides, scale: scale, zeroPoint: zero)
                }
                b.add(
                    .elementwiseBinary(
                        ElementwiseBinary(
                            function: function, extents: extents,
                            a: operand(places[0], strides[isRowFirst ? 1 : 0], 0.03, -7),
                            b: operand(places[1], strides[isRowFirst ? 0 : 1], 0.02, 11),
                            output: operand(places[2], strides[0], 0.04, 5), clampMin: -100, clampMax: 120)))
                b.input("a", [counts[0]], .int8, offset: places[0])
                b.input("b", [counts[1]], .int8, offset: places[1])
                b.output("y", [count], .int8, offset: places[2])
                let (qa, qb) = (r.int8s(counts[0]), r.int8s(counts[1]))
                let inverse = 1 / Float(0.04)
                let expected = (0..<count).map { i -> Int8 in
                    let x = Int32(qa[isRowFirst ? i % channels : i]) + 7
                    let y = Int32(qb[isRowFirst ? i : i % channels]) - 11
                    let steps: Float
                    switch function {
                    case .add: steps = Float(x) * (0.03 * inverse) + Float(y) * (0.02 * inverse)
                    case .sub: steps = Float(x) * (0.03 * inverse) - Float(y) * (0.02 * inverse)
                    default: steps = Float(x * y) * (Float(0.03) * 0.02 * inverse)
                    }
                    return oracleStep(steps, zeroPoint: 5, -100, 120)
                }
                for isa in runnableISAs {
                    for threads in [1, 3] {
                        let session = try b.session(threadCount: threads, forcing: isa)
                        session.set(0, qa)
                        session.set(1, qb)
                        session.run()
                        XCTAssertEqual(session.int8s(), expected, "\(function), \(channels) channels, \(isa.name)")
                    }
                }
            }
        }
    }

    func testInt32() throws {
        var r = Random(3)
        for function in functions {
            let values: [Int32] = [0, 1, -1, 7, -7, .max, .min, 3, -3, 100] + (0..<20).map { _ in Int32(r.int(-50...50)) }
            let n = values.count
            let isPredicate = function.rawValue >= ElementwiseBinary.Function.equal.rawValue
            var b = ModelBuilder()
            let (oa, ob, oo) = (b.buffer(n * 4), b.buffer(n * 4), b.buffer(n * n * 4))
            b.add(
                .elementwiseBinary(
                    ElementwiseBinary(
                        function: function, extents: [n, n], a: StridedOperand(type: .int32, offset: oa, strides: [1, 0]),
                        b: StridedOperand(type: .int32, offset: ob, strides: [0, 1]),
                        output: StridedOperand(type: isPredicate ? .int8 : .int32, offset: oo, strides: [n, 1]),
                        clampMin: -.infinity, clampMax: .infinity)))
            b.input("a", [n], .int32, offset: oa)
            b.input("b", [n], .int32, offset: ob)
            b.output("y", [n, n], isPredicate ? .int8 : .int32, offset: oo)
            let session = try b.session(threadCount: 3)
            session.set(0, values)
            session.set(1, values)
            session.run()
            let found = isPredicate ? session.int8s().map { Int32($0) } : session.int32s()
            for i in 0..<n {
                for j in 0..<n {
                    let (x, y) = (Int64(values[i]), Int64(values[j]))
                    let floored = y == 0 ? 0 : Int64((Double(x) / Double(y)).rounded(.down))
                    let expected: Int64
                    switch function {
                    case .add: expected = x + y
                    case .sub: expected = x - y
                    case .mul: expected = x * y
                    case .div: expected = y == 0 ? 0 : x / y
                    case .max: expected = max(x, y)
                    case .min: expected = min(x, y)
                    case .squaredDifference: expected = Int64(truncatingIfNeeded: x - y) &* (x - y)
                    case .prelu: expected = x < 0 ? x * y : x
                    case .floorDiv: expected = floored
                    case .mod: expected = y == 0 ? 0 : x - floored * y
                    case .pow:
                        if y < 0 {
                            expected = x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0
                        } else if y > 100 {
                            continue
                        } else {
                            var power: Int32 = 1
                            for _ in 0..<y { power = power &* values[i] }
                            expected = Int64(power)
                        }
                    case .equal: expected = x == y ? 1 : 0
                    case .notEqual: expected = x != y ? 1 : 0
                    case .less: expected = x < y ? 1 : 0
                    case .lessOrEqual: expected = x <= y ? 1 : 0
                    case .greater: expected = x > y ? 1 : 0
                    case .greaterOrEqual: expected = x >= y ? 1 : 0
                    case .and: expected = x != 0 && y != 0 ? 1 : 0
                    case .or: expected = x != 0 || y != 0 ? 1 : 0
                    case .xor: expected = (x != 0) != (y != 0) ? 1 : 0
                    }
                    XCTAssertEqual(found[i * n + j], Int32(truncatingIfNeeded: expected), "\(function) \(x) \(y)")
                }
            }
        }
    }

    func testUnaryFunctionsAgainstDouble() throws {
        var r = Random(11)
        var x: [Float] = [0, -0.0, 1, -1, 0.5, 88, -88, 1e-20, -1e-20, 1e-4, 100, -100, .infinity, -.infinity, .nan, 1e5, 1e10, 3e38]
        for _ in 0..<3000 { x.append(r.float(-12...12)) }
        for _ in 0..<500 { x.append(r.float(-0.05...0.05)) }
        func reference(_ function: ElementwiseUnary.Function, _ v: Float) -> Double? {
            let d = Double(v)
            switch function {
            case .abs: return abs(d)
            case .ceil: return Foundation.ceil(d)
            case .floor: return Foundation.floor(d)
            case .round: return d.rounded(.toNearestOrEven)
            case .neg: return -d
            case .reciprocal: return 1 / d
            case .sign: return d > 0 ? 1 : d < 0 ? -1 : d
            case .sqrt: return Foundation.sqrt(d)
            case .square: return d * d
            case .cos: return Foundation.cos(d)
            case .sin: return Foundation.sin(d)
            case .erf: return Foundation.erf(d)
            case .exp: return Foundation.exp(d)
            case .log: return Foundation.log(d)
            case .tanh: return Foundation.tanh(d)
            case .sigmoid: return 1 / (1 + Foundation.exp(-d))
            case .softplus: return d > 100 ? d : Foundation.log1p(Foundation.exp(d))
            case .elu: return d > 0 ? d : 0.5 * Foundation.expm1(d)
            case .celu: return d > 0 ? d : 0.5 * Foundation.expm1(d / 0.5)
            case .selu: return 2 * (d > 0 ? d : 0.5 * Foundation.expm1(d))
            case .leakyRelu: return d < 0 ? Double(0.5 * v) : d
            case .thresholdedRelu: return d > 0.5 ? d : 0
            case .clip: return v.isNaN ? .nan : max(0.5, min(2, d))
            case .not: return d == 0 ? 1 : 0
            default: return nil
            }
        }
        for raw in 0..<UInt8(31) {
            let function = ElementwiseUnary.Function(rawValue: raw)!
            guard reference(function, 1) != nil else { continue }
            var b = ModelBuilder()
            let (i, o) = (b.buffer(x.count * 4), b.buffer(x.count * 4))
            b.add(
                .elementwiseUnary(
                    ElementwiseUnary(
                        function: function, count: x.count, inputOffset: i, outputOffset: o, alpha: 0.5, beta: 2)))
            b.input("x", [x.count], .float32, offset: i)
            b.output("y", [x.count], .float32, offset: o)
            let session = try b.session(threadCount: 2)
            session.set(0, x)
            session.run()
            for (v, found) in zip(x, session.floats()) {
                let exact = reference(function, v)!
                let expected = Float(exact)
                if expected.isNaN {
                    XCTAssertEqual(found.bitPattern, 0x7fc0_0000, "\(function)(\(v))")
                } else if expected.isInfinite || expected == 0 {
                    XCTAssertEqual(found, expected, accuracy: 1e-45, "\(function)(\(v))")
                } else {
                    XCTAssertLessThanOrEqual(abs(found - expected), 1.01 * expected.ulp, "\(function)(\(v)): \(found)")
                }
            }
        }
    }

    func testCompositeFunctions() {
        var r = Random(5)
        for _ in 0..<2000 {
            let x = r.float(-8...8)
            let d = Double(x)
            func value(_ function: ElementwiseUnary.Function, _ alpha: Float) -> Double {
                Double(ElementwiseUnary.apply(function, x, alpha, 0.25))
            }
            XCTAssertEqual(value(.gelu, 0), 0.5 * d * Foundation.erfc(-d / 2.0.squareRoot()), accuracy: 1e-6)
            XCTAssertEqual(
                value(.gelu, 1),
                0.5 * d * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (d + 0.044715 * d * d * d))), accuracy: 1e-6)
            XCTAssertEqual(value(.swish, 1.5), d / (1 + Foundation.exp(-1.5 * d)), accuracy: 1e-6)
            XCTAssertEqual(value(.mish, 0), d * Foundation.tanh(Foundation.log1p(Foundation.exp(d))), accuracy: 1e-6)
            XCTAssertEqual(value(.hardSwish, 0), d * max(0, min(1, d / 6 + 0.5)), accuracy: 1e-5)
            XCTAssertEqual(value(.hardSigmoid, 0.5), max(0, min(1, 0.5 * d + 0.25)), accuracy: 1e-6)
            XCTAssertEqual(value(.softsign, 0), d / (1 + abs(d)), accuracy: 1e-6)
            if x > 0 { XCTAssertEqual(value(.rsqrt, 0), 1 / d.squareRoot(), accuracy: 1e-4) }
        }
    }

    func testPower() {
        for x: Float in [0, -0.0, 1, -1, 2, -2, 0.5, 3, 10, .infinity, -.infinity, .nan, 1e-30, 7.5] {
            for y: Float in [0, 1, -1, 2, 3, -3, 0.5, -0.5, 1e9, .infinity, -.infinity, .nan, 16_777_217] {
                let found = DeterministicMath.pow(x, y)
                let expected = Float(Foundation.pow(Double(x), Double(y)))
                if expected.isNaN {
                    XCTAssertTrue(found.isNaN, "pow(\(x), \(y)) = \(found)")
                } else if expected.isInfinite || expected == 0 {
                    XCTAssertEqual(found, expected, "pow(\(x), \(y))")
                } else {
                    XCTAssertEqual(found, expected, accuracy: 2 * expected.ulp, "pow(\(x), \(y))")
                }
            }
        }
    }
}
