import Engine
import Foundation
import Graph
import struct Graph.Port
import Kernels
import NestFormat
import XCTest

@testable import Compiler

/// How far device and simulation may be apart.
struct Tolerance {
    /// Quantization steps of an int8 output.
    var steps: Float = 1
    /// Share of an int8 output's elements that may differ at all: roundings of ties.
    var differing: Double = 0.01
    /// Error of a float output, relative to its largest element.
    var relative: Float = 1e-5
}

let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// Instruction sets that this machine runs.
let runnableISAs = ISA.allCases.filter { CPUFeatures.current.supports($0) }

/// Runs a compiled model in the engine with every instruction set and several thread counts, which must agree in every
/// byte and pass the file's own self-test, and holds the results to `reference`, the source's graph (annotated, if it is
/// quantized) in the executor.
func verify(
    _ compilation: Compilation, against reference: Graph, tolerance: Tolerance = Tolerance(), seed: UInt64 = 5,
    _ label: String = "", file: StaticString = #filePath, line: UInt = #line
) throws {
    let model = try Model(copying: compilation.file)
    let executor = try Executor(reference)
    let layouts = (inputs: compilation.prepared.inputs, outputs: compilation.prepared.outputs)
    var random = TestRandom(seed: seed)
    let sessions = try runnableISAs.flatMap { isa in
        try [1, 2, 3].map { threads in
            (
                name: "\(isa.name), \(threads) threads",
                session: try Session(model: model, threadCount: threads, forcing: isa, minimumWorkPerPart: 1)
            )
        }
    }
    for (name, session) in sessions {
        XCTAssertEqual(
            session.selfTest(), .passed(operations: model.plan.operations.count), "\(label): self-test with \(name)",
            file: file, line: line)
    }
    for trial in 0..<3 {
        var given: [String: Tensor] = [:]
        var stored: [[UInt8]] = []
        for (index, port) in reference.inputs.enumerated() {
            let input = randomInput(port, in: reference, trial, &random)
            given[port.name] = input.given
            let moved = input.codes.transposed(layouts.inputs[index].order)
            if moved.elementType == .float32, model.plan.inputs[index].storedType == .int8 {
                // The source rounds a float input itself; the file takes its codes.
                let parameters = Int8Parameters(
                    Quantization(
                        elementType: .int8, scale: model.plan.inputs[index].scale,
                        zeroPoint: model.plan.inputs[index].zeroPoint))!
                stored.append(moved.elements(as: Float.self).map { UInt8(bitPattern: parameters.code($0)) })
            } else {
                stored.append(storedBytes(input.codes, order: layouts.inputs[index].order))
            }
        }
        let expected = try executor.run(given)
        var first: [[UInt8]] = []
        for (name, session) in sessions {
            for index in stored.indices {
                XCTAssertEqual(session.input(index).count, stored[index].count, "\(label): input bytes", file: file, line: line)
                guard session.input(index).count == stored[index].count else { return }
                session.input(index).copyBytes(from: stored[index])
            }
            session.run()
            let results = model.plan.outputs.indices.map { Array(session.output($0)) }
            if first.isEmpty { first = results }
            XCTAssertTrue(results == first, "\(label): \(name) differs from \(sessions[0].name)", file: file, line: line)
        }
        for (index, port) in model.plan.outputs.enumerated() {
            let wanted = expected[reference.outputs[index].name]!.transposed(layouts.outputs[index].order)
            compare(
                first[index], port, wanted, reference[reference.outputs[index].value].quantization, tolerance,
                "\(label): output \(port.name), trial \(trial)", file, line)
        }
    }
}

/// What a port is given (as the executor takes it), and the elements that the engine stores for it.
private func randomInput(
    _ port: Port, in graph: Graph, _ trial: Int, _ random: inout TestRandom
) -> (given: Tensor, codes: Tensor) {
    let value = graph[port.value]
    let shape = value.shape!
    guard let quantization = value.quantization else {
        if port.elementType == .int32 {
            let tensor = Tensor((0..<shape.reduce(1, *)).map { _ in Int32.random(in: -9...9, using: &random) }, shape: shape)
            return (tensor, tensor)
        }
        if port.elementType == .int8 || port.elementType == .uint8 {
            let codes = randomCodes(shape, trial, &random)
            guard port.elementType == .uint8 else { return (codes, codes) }
            return (Tensor(codes.elements(as: Int8.self).map { UInt8(bitPattern: $0) ^ 0x80 }, shape: shape), codes)
        }
        let tensor = random.tensor(shape)
        return (tensor, tensor)
    }
    // Codes first: their reals round back to them, so that both sides start from the same integers.
    let codes = randomCodes(shape, trial, &random)
    let offset: Int32 = quantization.elementType == .uint8 ? 128 : 0
    let scale = quantization.scales[0]
    let zeroPoint = quantization.zeroPoints[0] - offset
    let reals = codes.elements(as: Int8.self).map { Float(Int32($0) - zeroPoint) * scale }
    return (Tensor(reals, shape: shape), codes)
}

/// Random codes; in the second trial only the least and the greatest.
private func randomCodes(_ shape: [Int], _ trial: Int, _ random: inout TestRandom) -> Tensor {
    Tensor(
        (0..<shape.reduce(1, *)).map { _ in
            trial == 1 ? (Bool.random(using: &random) ? Int8.min : Int8.max) : Int8.random(in: -128...127, using: &random)
        }, shape: shape)
}

private func storedBytes(_ tensor: Tensor, order: [Int]) -> [UInt8] {
    let moved = tensor.transposed(order)
    return withExtendedLifetime(moved) { Array(moved.unsafeBytes) }
}

private func compare(
    _ bytes: [UInt8], _ port: PortDescriptor, _ wanted: Tensor, _ quantization: Quantization?, _ tolerance: Tolerance,
    _ label: String, _ file: StaticString, _ line: UInt
) {
    XCTAssertEqual(wanted.count * port.storedType.byteCount, bytes.count, "\(label): bytes", file: file, line: line)
    guard wanted.count * port.storedType.byteCount == bytes.count else { return }
    switch port.storedType {
    case .int8:
        let expected: [Float]
        if wanted.elementType == .float32, port.scale > 0 {
            expected = wanted.elements(as: Float.self).map { ($0 / port.scale).rounded() + Float(port.zeroPoint) }
        } else {
            let shift: Float = wanted.elementType == .uint8 ? 128 : 0
            expected = wanted.asFloats.map { $0 - shift }
        }
        var (worst, differing) = (Float(0), 0)
        for (code, value) in zip(bytes, expected) {
            let distance = abs(Float(Int8(bitPattern: code)) - value)
            worst = max(worst, distance)
            if distance > 0 { differing += 1 }
        }
        XCTAssertLessThanOrEqual(worst, tolerance.steps, "\(label): steps", file: file, line: line)
        XCTAssertLessThanOrEqual(
            Double(differing), max(1, Double(expected.count) * tolerance.differing), "\(label): differing elements",
            file: file, line: line)
    case .float32:
        let found = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let expected = wanted.asFloats
        let largest = max(expected.map { abs($0) }.max() ?? 0, 1e-6)
        let worst = zip(found, expected).map { $0 == $1 ? 0 : abs($0 - $1) }.max() ?? 0
        XCTAssertLessThanOrEqual(worst / largest, tolerance.relative, "\(label): relative error", file: file, line: line)
    default:
        let found = bytes.withUnsafeBytes { $0.bindMemory(to: Int32.self).map(Int.init) }
        XCTAssertEqual(found, wanted.asInts, label, file: file, line: line)
    }
}

/// How many convolutions and products of the plan run on integers.
func integerProducts(_ compilation: Compilation) -> Int {
    compilation.lowered.plan.operations.filter {
        switch $0.operation {
        case .convolution, .depthwiseConvolution: true
        default: false
        }
    }.count
}

/// Compiles the network in float32, and with its values annotated as int8 and as uint8, and verifies each.
func verifyAllForms(
    seed: UInt64, annotations: [Annotation] = [Annotation(), Annotation(type: .uint8)], float: Bool = true,
    expectsIntegers: Bool = true, tolerance: Tolerance = Tolerance(), file: StaticString = #filePath, line: UInt = #line,
    _ label: String, _ build: (inout NetworkBuilder) -> Void
) throws {
    var builder = NetworkBuilder(seed: seed)
    build(&builder)
    var graph = builder.graph
    XCTAssertEqual(graph.inferShapes(), [], label, file: file, line: line)
    do {
        if float {
            let compilation = try Compiler.compile(graph, options: CompileOptions(precision: .float32))
            XCTAssertEqual(integerProducts(compilation), 0, "\(label): integers in a float32 model", file: file, line: line)
            try verify(compilation, against: graph, tolerance: tolerance, "\(label), float32", file: file, line: line)
        }
        for annotation in annotations {
            let quantized = try annotation.apply(to: graph)
            let compilation = try Compiler.compile(quantized, options: CompileOptions())
            XCTAssertTrue(compilation.keptScales, label, file: file, line: line)
            if expectsIntegers {
                XCTAssertEqual(
                    compilation.lowered.floatNodes, [], "\(label): layers left in float", file: file, line: line)
            }
            try verify(
                compilation, against: quantized, tolerance: tolerance,
                "\(label), \(annotation.type)\(annotation.sharesScales ? "" : ", own scales")\(annotation.weightZeroPoint.map { ", weights − \($0)" } ?? "")",
                file: file, line: line)
        }
    } catch {
        XCTFail("\(label): \(error)", file: file, line: line)
    }
}
