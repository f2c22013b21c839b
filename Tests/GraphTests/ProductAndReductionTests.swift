import Glibc
import XCTest

@testable import Graph

final class ProductAndReductionTests: XCTestCase {
    private let a = floats([1, 2, 3, 4, 5, 6], [2, 3])
    private let b = floats([1, 0, 2, 1, 0, 3], [3, 2])

    func testGemm() throws {
        let product: [Float] = [5, 11, 14, 23]
        assertClose(try output(of: Gemm(), [a, b]), product, shape: [2, 2])
        assertClose(try output(of: Gemm(transA: true), [a.transposed([1, 0]), b]), product)
        assertClose(try output(of: Gemm(transB: true), [a, b.transposed([1, 0])]), product)
        let scaled = Gemm(alpha: 2, beta: 0.5)
        assertClose(try output(of: scaled, [a, b, floats([10, 20], [2])]), [15, 32, 33, 56])
        assertClose(try output(of: scaled, [a, b, floats([10, 20], [2, 1])]), [15, 27, 38, 56])
        assertClose(try output(of: scaled, [a, b, Tensor(scalar: Float(2))]), [11, 23, 29, 47])
        let integers = try output(of: Gemm(), [a.converted(to: .int32), b.converted(to: .int32)])
        assertIntegers(integers, [5, 11, 14, 23])
        assertRefused(Gemm(), [a, a], subject: "input 1 (B)")
        assertRefused(Gemm(), [a, b, floats([1, 2, 3], [3])], subject: "input 2 (C)")
        assertRefused(Gemm(), [a.reshaped([6]), b], subject: "input 0 (A)")
    }

    func testMatMulAgainstLoops() throws {
        var random = TestRandom(seed: 6)
        let shapes: [([Int], [Int], [Int])] = [
            ([3, 4], [4, 5], [3, 5]), ([4], [4, 5], [5]), ([3, 4], [4], [3]), ([4], [4], []),
            ([2, 3, 4], [4, 5], [2, 3, 5]), ([2, 1, 3, 4], [3, 4, 2], [2, 3, 3, 2]), ([3, 4], [2, 4, 1], [2, 3, 1]),
            ([2, 3, 4], [4], [2, 3]),
        ]
        for (aShape, bShape, shape) in shapes {
            let (a, b) = (random.tensor(aShape), random.tensor(bShape))
            let found = try output(of: MatMul(), [a, b])
            XCTAssertEqual(found.shape, shape)
            let (m, k) = (aShape.count > 1 ? aShape[aShape.count - 2] : 1, aShape.last!)
            let n = bShape.count > 1 ? bShape.last! : 1
            let batches = Array(shape.dropLast((aShape.count > 1 ? 1 : 0) + (bShape.count > 1 ? 1 : 0)))
            let (aBatches, bBatches) = (Array(aShape.dropLast(2)), Array(bShape.dropLast(2)))
            let (aSteps, bSteps) = (broadcastStrides(aBatches, to: batches), broadcastStrides(bBatches, to: batches))
            let steps = rowMajorStrides(batches)
            var expected: [Float] = []
            for batch in 0..<batches.reduce(1, *) {
                let index = batches.indices.map { batch / steps[$0] % batches[$0] }
                let aStart = zip(index, aSteps).reduce(0) { $0 + $1.0 * $1.1 } * m * k
                let bStart = zip(index, bSteps).reduce(0) { $0 + $1.0 * $1.1 } * k * n
                for row in 0..<m {
                    for column in 0..<n {
                        expected.append(
                            (0..<k).reduce(0) {
                                $0 + a.floats[aStart + row * k + $1] * b.floats[bStart + $1 * n + column]
                            })
                    }
                }
            }
            assertClose(found, expected)
            assertClose(try output(of: MatMul(), [a.converted(to: .float64), b.converted(to: .float64)]), expected)
        }
        assertRefused(MatMul(), [a, a], subject: "input 1 (B)")
        assertRefused(MatMul(), [Tensor(scalar: Float(1)), a], subject: "input 0 (A)")
    }

    func testMatMulInteger() throws {
        let a = Tensor([UInt8(1), 255, 3, 4], shape: [2, 2])
        let b = Tensor([Int8(-128), 1, 127, 2], shape: [2, 2])
        let scalar = try output(of: MatMulInteger(), [a, b, Tensor([UInt8(1)], shape: [1]), Tensor(scalar: Int8(1))])
        assertIntegers(scalar, [254 * 126, 254, 2 * -129 + 3 * 126, 3], shape: [2, 2])
        let each = try output(
            of: MatMulInteger(), [a, b, Tensor([UInt8(0), 3], shape: [2]), Tensor([Int8(0), 1], shape: [2])])
        assertIntegers(each, [-128 + 255 * 127, 255, 127, 1])
        assertRefused(
            MatMulInteger(), [a, b, Tensor([UInt8(0), 1, 2], shape: [3])], subject: "input 2 (zero point of A)")
    }

    func testEinsum() throws {
        let x = floats((1...12).map(Float.init), [2, 2, 3])
        assertClose(try output(of: Einsum(equation: "ij,jk->ik"), [a, b]), [5, 11, 14, 23], shape: [2, 2])
        assertClose(try output(of: Einsum(equation: "ij, jk"), [a, b]), [5, 11, 14, 23])
        assertClose(try output(of: Einsum(equation: "ij->ji"), [a]), [1, 4, 2, 5, 3, 6], shape: [3, 2])
        assertClose(try output(of: Einsum(equation: "ij->"), [a]), [21], shape: [])
        assertClose(
            try output(of: Einsum(equation: "...ii->...i"), [floats([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2])]),
            [1, 4, 5, 8])
        assertClose(
            try output(of: Einsum(equation: "bij,bjk->bik"), [x, floats([1, 1, 1, 2, 2, 2], [2, 3, 1])]),
            [6, 15, 48, 66])
        assertClose(
            try output(of: Einsum(equation: "...j,j->..."), [x, floats([1, 0, -1], [3])]), [-2, -2, -2, -2],
            shape: [2, 2])
        assertRefused(Einsum(equation: "ij,jk->ik"), [a], subject: "attribute equation")
        assertRefused(Einsum(equation: "ij,jk->ik"), [a, a], subject: "attribute equation")
        assertRefused(Einsum(equation: "ij->iz"), [a], subject: "attribute equation")
        assertRefused(Einsum(equation: "ijk->i"), [a], subject: "attribute equation")
    }

    func testReduce() throws {
        let x = floats([1, -2, 3, 4, 5, -6], [2, 3])
        let cases: [(Reduce.Function, [Float], [Float], Float)] = [
            (.sum, [5, 3, -3], [2, 3], 5), (.mean, [2.5, 1.5, -1.5], [2.0 / 3, 1], 5.0 / 6),
            (.max, [4, 5, 3], [3, 5], 5), (.min, [1, -2, -6], [-2, -6], -6),
            (.prod, [4, -10, -18], [-6, -120], 720), (.l1, [5, 7, 9], [6, 15], 21),
            (.sumSquare, [17, 29, 45], [14, 77], 91),
            (.l2, [17, 29, 45].map { sqrtf($0) }, [14, 77].map { sqrtf($0) }, sqrtf(91)),
            (
                .logSumExp, [(1, 4), (-2, 5), (3, -6)].map { logf(expf($0.0) + expf($0.1)) },
                [logf(expf(1) + expf(-2) + expf(3)), logf(expf(4) + expf(5) + expf(-6))],
                logf([1, -2, 3, 4, 5, -6].reduce(0) { $0 + expf($1) })
            ),
        ]
        for (function, rows, columns, all) in cases {
            assertClose(try output(of: Reduce(function), [x, ints([0])]), rows, shape: [1, 3])
            assertClose(try output(of: Reduce(function, keepDims: false), [x, ints([-1])]), columns, shape: [2])
            assertClose(try output(of: Reduce(function, keepDims: false), [x]), [all], shape: [])
            assertClose(try output(of: Reduce(function), [x, ints([0, 1])]), [all], shape: [1, 1])
            assertClose(try output(of: Reduce(function, noopWithEmptyAxes: true), [x]), x.floats)
            assertClose(
                try output(of: Reduce(function), [x.converted(to: .float16), ints([0])]), rows, tolerance: 2e-3)
        }
        assertClose(try output(of: Reduce(.logSum), [floats([1, 2], [2])]), [logf(3)])
        assertClose(try output(of: Reduce(.logSumExp), [floats([1000, 1000], [2])]), [1000 + logf(2)])
        assertIntegers(try output(of: Reduce(.sum), [Tensor([Int8(100), 100], shape: [2])]), [-56])
        assertIntegers(try output(of: Reduce(.max), [Tensor([UInt64.max, 1], shape: [2])]), [-1])
        assertIntegers(try output(of: Reduce(.mean), [Tensor([Int32(1), 4], shape: [2])]), [2])
        assertIntegers(
            try output(of: Reduce(.max), [Tensor([false, true, false, false], shape: [2, 2]), ints([1])]), [1, 0])
        let empty = floats([], [2, 0])
        assertClose(try output(of: Reduce(.sum), [empty, ints([1])]), [0, 0])
        assertClose(try output(of: Reduce(.max), [empty, ints([1])]), [-.infinity, -.infinity])
        assertClose(try output(of: Reduce(.prod), [empty, ints([1])]), [1, 1])
        assertRefused(Reduce(.sum), [x, ints([2])], subject: "input 1 (axes)")
        assertRefused(Reduce(.sum), [x, ints([0, -2])], subject: "input 1 (axes)")
    }

    func testReduceOfInnerAndOuterAxesTogether() throws {
        var random = TestRandom(seed: 7)
        let x = random.tensor([3, 4, 5, 2])
        let found = try output(of: Reduce(.sum), [x, ints([0, 2])])
        XCTAssertEqual(found.shape, [1, 4, 1, 2])
        var expected = [Float](repeating: 0, count: 8)
        for (index, value) in x.floats.enumerated() { expected[index / 10 % 4 * 2 + index % 2] += value }
        assertClose(found, expected)
    }

    func testArgReduce() throws {
        let x = floats([1, 7, 7, 4, 0, 0], [2, 3])
        assertIntegers(try output(of: ArgReduce(isMax: true, axis: 1), [x]), [1, 0], shape: [2, 1])
        assertIntegers(try output(of: ArgReduce(isMax: true, axis: -1, selectLastIndex: true), [x]), [2, 0])
        assertIntegers(try output(of: ArgReduce(isMax: false, axis: 1, keepDims: false), [x]), [0, 1], shape: [2])
        assertIntegers(
            try output(of: ArgReduce(isMax: false, axis: 1, selectLastIndex: true), [x]), [0, 2], shape: [2, 1])
        assertIntegers(try output(of: ArgReduce(isMax: true), [x.converted(to: .float16)]), [1, 0, 0], shape: [1, 3])
        assertRefused(ArgReduce(isMax: true, axis: 2), [x], subject: "attribute axis")
        assertRefused(ArgReduce(isMax: true), [floats([], [0, 2])], subject: "input 0 (x)")
    }

    func testSoftmax() throws {
        let x = floats([0, logf(3), 1000, 1000, -.infinity, 5], [3, 2])
        assertClose(try output(of: Softmax(), [x]), [0.25, 0.75, 0.5, 0.5, 0, 1])
        assertClose(
            try output(of: Softmax(isLog: true), [floats([0, logf(3), 1000, 1000], [2, 2])]),
            [logf(0.25), logf(0.75), logf(0.5), logf(0.5)])
        let columns = floats([0, 1, logf(3), 1, 0, 1], [3, 2])
        assertClose(try output(of: Softmax(axis: 0), [columns]), [0.2, 1.0 / 3, 0.6, 1.0 / 3, 0.2, 1.0 / 3])
        assertRefused(Softmax(axis: 2), [x], subject: "attribute axis")
    }

    func testCumSum() throws {
        let x = floats([1, 2, 3, 4, 5, 6], [2, 3])
        let (rows, columns) = (Tensor(scalar: Int64(0)), Tensor(scalar: Int32(-1)))
        assertClose(try output(of: CumSum(), [x, rows]), [1, 2, 3, 5, 7, 9])
        assertClose(try output(of: CumSum(), [x, columns]), [1, 3, 6, 4, 9, 15])
        assertClose(try output(of: CumSum(exclusive: true), [x, columns]), [0, 1, 3, 0, 4, 9])
        assertClose(try output(of: CumSum(reverse: true), [x, columns]), [6, 5, 3, 15, 11, 6])
        assertClose(try output(of: CumSum(exclusive: true, reverse: true), [x, columns]), [5, 3, 0, 11, 6, 0])
        assertIntegers(try output(of: CumSum(), [Tensor([Int32(1), 2], shape: [2]), rows]), [1, 3])
        assertRefused(CumSum(), [x, Tensor(scalar: Int64(2))], subject: "input 1 (axis)")
    }

    func testTopK() throws {
        let x = floats([3, 9, 9, 1, 5, 2, 2, 8], [2, 4])
        let best = try outputs(of: TopK(), [x, ints([2])])
        assertClose(best[0], [9, 9, 8, 5], shape: [2, 2])
        assertIntegers(best[1], [1, 2, 3, 0])
        let least = try outputs(of: TopK(axis: 0, largest: false), [x, ints([1])])
        assertClose(least[0], [3, 2, 2, 1])
        assertIntegers(least[1], [0, 1, 1, 0])
        assertRefused(TopK(), [x, ints([5])], subject: "input 1 (k)")
    }
}
