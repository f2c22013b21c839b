import XCTest

@testable import Graph

/// A fixed-seed generator of test data (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform numbers of -1 ... 1.
    mutating func tensor(_ shape: [Int]) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &self) }, shape: shape)
    }
}

func floats(_ values: [Float], _ shape: [Int]) -> Tensor { Tensor(values, shape: shape) }
func ints(_ values: [Int]) -> Tensor { Tensor(values.map(Int64.init), shape: [values.count]) }

/// Checks that `outputShape`-like inference agrees with evaluation, and gives the outputs.
@discardableResult
func outputs(
    of op: any Operator, _ inputs: [Tensor?], file: StaticString = #filePath, line: UInt = #line
) throws -> [Tensor] {
    let types = try op.infer(
        inputs.map { $0.map { InputFacts(type: TensorType($0.elementType, $0.shape), constant: $0) } })
    let results = try op.evaluate(inputs)
    XCTAssertEqual(types.count, results.count, "\(op.name): outputs", file: file, line: line)
    for (type, result) in zip(types, results) {
        XCTAssertEqual(type.elementType, result.elementType, "\(op.name): element type", file: file, line: line)
        if let shape = type.shape { XCTAssertEqual(shape, result.shape, "\(op.name): shape", file: file, line: line) }
    }
    return results
}

func output(
    of op: any Operator, _ inputs: [Tensor?], file: StaticString = #filePath, line: UInt = #line
) throws -> Tensor {
    try outputs(of: op, inputs, file: file, line: line)[0]
}

func assertClose(
    _ found: Tensor, _ expected: [Float], shape: [Int]? = nil, tolerance: Float = 1e-5, file: StaticString = #filePath,
    line: UInt = #line
) {
    if let shape { XCTAssertEqual(found.shape, shape, file: file, line: line) }
    let values = found.floats
    guard values.count == expected.count else {
        XCTFail("\(values.count) elements, expected \(expected.count)", file: file, line: line)
        return
    }
    for (index, (a, b)) in zip(values, expected).enumerated() {
        let isClose = a == b || (a.isNaN && b.isNaN) || abs(a - b) <= tolerance * max(1, abs(b))
        if !isClose {
            XCTFail("element \(index): \(a), expected \(b)", file: file, line: line)
            return
        }
    }
}

func assertClose(
    _ found: Tensor, _ expected: Tensor, tolerance: Float = 1e-5, file: StaticString = #filePath, line: UInt = #line
) {
    assertClose(found, expected.floats, shape: expected.shape, tolerance: tolerance, file: file, line: line)
}

func assertIntegers(
    _ found: Tensor, _ expected: [Int], shape: [Int]? = nil, file: StaticString = #filePath, line: UInt = #line
) {
    XCTAssertEqual(found.integers, expected, file: file, line: line)
    if let shape { XCTAssertEqual(found.shape, shape, file: file, line: line) }
}

/// Checks that the shape rule refuses `inputs` and names `subject`.
func assertRefused(
    _ op: any Operator, _ inputs: [Tensor?], subject: String, file: StaticString = #filePath, line: UInt = #line
) {
    do {
        _ = try op.infer(inputs.map { $0.map { InputFacts(type: TensorType($0.elementType, $0.shape), constant: $0) } })
        XCTFail("\(op.name) took the inputs", file: file, line: line)
    } catch {
        XCTAssertEqual(error.subject, subject, "\(error)", file: file, line: line)
        XCTAssertFalse(error.expected.isEmpty || error.found.isEmpty, "\(error)", file: file, line: line)
    }
}

extension Tensor {
    /// NCHW… → NHWC….
    var channelsLast: Tensor { transposed(Layout.channelsFirst.permutation(to: .channelsLast, rank: shape.count)) }
}
