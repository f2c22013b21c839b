import XCTest

@testable import Graph

final class QuantizationTests: XCTestCase {
    func testQuantizeLinearRoundsToEvenAndSaturates() throws {
        let x = floats([0, 1, 3, 5, -3, 1000, -1000, .nan], [8])
        let scale = Tensor(scalar: Float(2))
        // 0.5 → 0, 1.5 → 2, 2.5 → 2, -1.5 → -2.
        assertIntegers(
            try output(of: QuantizeLinear(), [x, scale, Tensor(scalar: UInt8(128))]),
            [128, 128, 130, 130, 126, 255, 0, 128])
        assertIntegers(
            try output(of: QuantizeLinear(), [x, scale, Tensor(scalar: Int8(-1))]), [-1, -1, 1, 1, -3, 127, -128, -1])
        XCTAssertEqual(try output(of: QuantizeLinear(), [x, scale]).elementType, .uint8)
        XCTAssertEqual(try output(of: QuantizeLinear(outputType: .int16), [x, scale]).elementType, .int16)
        assertRefused(QuantizeLinear(outputType: .int32), [x, scale], subject: "attribute output_dtype")
        assertRefused(QuantizeLinear(axis: 0), [x, floats([1, 2], [2])], subject: "input 1 (scale)")
    }

    func testPerAxisAndBlocked() throws {
        let x = floats([1, 2, 3, 4, 5, 6], [2, 3])
        let (scales, zeroPoints) = (floats([1, 0.5, 2], [3]), Tensor([Int8(0), 1, 2], shape: [3]))
        let stored = try output(of: QuantizeLinear(axis: -1), [x, scales, zeroPoints])
        assertIntegers(stored, [1, 5, 4, 4, 11, 5])
        assertClose(try output(of: DequantizeLinear(axis: -1), [stored, scales, zeroPoints]), [1, 2, 4, 4, 5, 6])
        let blockScales = floats([1, 0.5, 2, 4], [2, 2])
        let blocked = try output(of: QuantizeLinear(axis: 1, blockSize: 2, outputType: .int8), [x, blockScales])
        assertIntegers(blocked, [1, 2, 6, 2, 2, 2])
        assertClose(
            try output(of: DequantizeLinear(axis: 1, blockSize: 2), [blocked, blockScales]), [1, 2, 3, 4, 4, 8])
        let rows = floats([1, 2, 4], [1, 3])
        assertClose(
            try output(of: DequantizeLinear(axis: 0, blockSize: 2), [x.converted(to: .int8), rows]),
            [1, 4, 12, 4, 10, 24])
        assertRefused(
            DequantizeLinear(axis: 1, blockSize: 2), [x.converted(to: .int8), rows], subject: "input 1 (scale)")
        assertRefused(DequantizeLinear(), [x, rows], subject: "input 0 (x)")
    }

    func testDynamicQuantizeLinear() throws {
        let found = try outputs(of: DynamicQuantizeLinear(), [floats([-1, 0, 1.55, 0.78], [4])])
        assertClose(found[1], [0.01])
        assertIntegers(found[2], [100])
        assertIntegers(found[0], [0, 100, 255, 178])
        let positive = try outputs(of: DynamicQuantizeLinear(), [floats([2.55, 1], [2])])
        assertIntegers(positive[2], [0])
        let zeros = try outputs(of: DynamicQuantizeLinear(), [floats([0, 0], [2])])
        assertIntegers(zeros[0], [0, 0])
    }

    func testAnnotationConversion() {
        let perTensor = Quantization(elementType: .int8, scale: 0.5, zeroPoint: 3)
        let stored = perTensor.quantize(floats([0, 0.25, 0.75, 1000, -1000], [5]))
        assertIntegers(stored, [3, 3, 5, 127, -128])
        assertClose(perTensor.dequantize(stored), [0, 0, 1, 62, -65.5])
        let perAxis = Quantization(elementType: .uint8, scales: [1, 2], zeroPoints: [0, 10], axis: 0)
        let x = floats([1, 2, 3, 4], [2, 2])
        assertIntegers(perAxis.quantize(x), [1, 2, 12, 12])
        assertClose(perAxis.rounded(x), [1, 2, 4, 4])
        let bias = Quantization(elementType: .int32, scale: 0x1p-20, zeroPoint: 0)
        assertIntegers(bias.quantize(floats([1, 1e30, -1e30], [3])), [1 << 20, Int(Int32.max), Int(Int32.min)])
        XCTAssertEqual(perTensor.storedRange, -128...127)
        XCTAssertEqual(perAxis.storedRange, 0...255)
    }
}
