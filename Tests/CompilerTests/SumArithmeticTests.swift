import Graph
import XCTest

@testable import Compiler

final class SumArithmeticTests: XCTestCase {
    private func parameters(_ scale: Float, _ zeroPoint: Int32) -> Int8Parameters {
        Int8Parameters(Quantization(elementType: .int8, scale: scale, zeroPoint: zeroPoint))!
    }

    /// Pairs of codes, of all 65 536, in which the device and the runtime differ.
    private func differences(_ sum: SumArithmetic, _ runtimeCode: (Int32, Int32) -> Int8) -> Int {
        var count = 0
        for x in Int32(-128)...127 {
            for y in Int32(-128)...127 where sum.code(x, y) != runtimeCode(x, y) { count += 1 }
        }
        return count
    }

    func testHalvesGoUpInFixedPoint() {
        let (one, two) = (parameters(1, 0), parameters(2, 0))
        let sum = SumArithmetic.FixedPoint(one, one, two)
        XCTAssertEqual(sum.code(1, 0, one, one, two), 1)
        XCTAssertEqual(sum.code(-1, 0, one, one, two), 0)
        XCTAssertEqual(SumArithmetic.FixedPoint(one, one, two, subtracts: true).code(0, 3, one, one, two), -1)
        let fine = parameters(0.5, 0)
        XCTAssertEqual(SumArithmetic.FixedPoint(one, one, fine).code(127, 127, one, one, fine), 127)
    }

    /// A residual sum of a MobileNetV2 whose plain quotients give two pairs another code than ONNX Runtime; the codes are
    /// those that ONNX Runtime 1.31.1 gave.
    func testCodesOfONNXRuntime() {
        let (a, b, c) = (
            parameters(0.03178011, 137 - 128), parameters(0.021092402, 130 - 128), parameters(0.03524611, 0)
        )
        let runtime = SumArithmetic.FoldedFloat(a, b, c, shift: 128)
        XCTAssertEqual(runtime.code(91 - 128, 145 - 128), -32)
        XCTAssertEqual(runtime.code(146 - 128, 12 - 128), -62)
        XCTAssertEqual(differences(SumArithmetic(a, b, to: c)) { runtime.code($0, $1) }, 2)
        let chosen = SumArithmetic.agreeing(with: .nearestEven, a, b, to: c, isUnsigned: true)
        XCTAssertEqual(differences(chosen) { runtime.code($0, $1) }, 0)
    }

    func testAllPairsAgreeWithTheRuntime() {
        var (plainDifferences, chosenDifferences) = (0, 0)
        for seed in 1...8 {
            let draws = PreparationTests.random([6], seed: UInt64(seed), low: 0.01, high: 0.3).elements(as: Float.self)
            let (a, b, c) = (parameters(draws[0], 3), parameters(draws[1], -9), parameters(draws[2] + draws[0], 5))
            for subtracts in [false, true] {
                let plain = SumArithmetic(a, b, to: c, subtracts: subtracts)
                let fixed = SumArithmetic.FixedPoint(a, b, c, subtracts: subtracts)
                let float = SumArithmetic.FoldedFloat(a, b, c, shift: 0, subtracts: subtracts)
                for rounding in [IntegerRounding.nearestEven, .tfLite] {
                    let runtime = { (x: Int32, y: Int32) in
                        rounding == .tfLite ? fixed.code(x, y, a, b, c) : float.code(x, y)
                    }
                    let chosen = SumArithmetic.agreeing(
                        with: rounding, a, b, to: c, subtracts: subtracts, isUnsigned: false)
                    plainDifferences += differences(plain, runtime)
                    chosenDifferences += differences(chosen, runtime)
                    XCTAssertEqual(chosen.first / plain.first, 1, accuracy: 1e-4)
                    XCTAssertEqual(chosen.second / plain.second, 1, accuracy: 1e-4)
                    for zero in [chosen.firstZeroPoint, chosen.secondZeroPoint, chosen.outputZeroPoint] {
                        XCTAssertTrue((-128...127).contains(zero))
                    }
                }
            }
        }
        XCTAssertGreaterThan(plainDifferences, 0)
        XCTAssertEqual(chosenDifferences, 0)
    }

    /// Simple ratios make many sums exact halves, which LiteRT rounds up.
    func testHalvesOfSimpleRatios() {
        for (first, second) in [(Float(1), Float(1)), (0.5, 0.25), (1, 0.125), (0.75, 0.5)] {
            let (a, b, c) = (parameters(first, -3), parameters(second, 7), parameters(2 * first, 1))
            let fixed = SumArithmetic.FixedPoint(a, b, c)
            let plain = differences(SumArithmetic(a, b, to: c)) { fixed.code($0, $1, a, b, c) }
            let chosen = SumArithmetic.agreeing(with: .tfLite, a, b, to: c, isUnsigned: false)
            XCTAssertGreaterThan(plain, 1000)
            XCTAssertLessThan(differences(chosen) { fixed.code($0, $1, a, b, c) }, plain)
        }
    }

    /// A scale far below the other's vanishes in 21 bits; the device's multipliers stay normal.
    func testVanishingOperand() {
        let (a, b, c) = (parameters(1, 0), parameters(1e-9, 5), parameters(1, 0))
        let chosen = SumArithmetic.agreeing(with: .tfLite, a, b, to: c, isUnsigned: false)
        XCTAssertTrue(chosen.first.isNormal && chosen.second.isNormal)
    }
}
