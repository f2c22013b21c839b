import NestFormat
import XCTest

@testable import Engine

/// Files whose checksums are right and whose contents are not: a named error, or a run that stays in bounds.
final class HostileFileTests: XCTestCase {
    /// Loads, and runs what loads and is small; gives the error's name.
    private func attempt(_ contents: NestContents) -> String? {
        do throws(ModelError) {
            let model = try Model(copying: NestWriter.encode(contents))
            guard model.work < 1 << 18, model.plan.arenaBytes < 1 << 20 else { return nil }
            let session = try? Session(model: model, threadCount: 2, minimumWorkPerPart: 1)
            session?.run()
            return nil
        } catch {
            XCTAssertFalse(error.message.isEmpty)
            return string(error.name)
        }
    }

    func testEveryFieldOfThePlanAtItsExtremes() {
        for (name, sample) in SampleModels.all {
            var contents = sample
            contents.golden = nil
            var names: [String: Int] = [:]
            var accepted = 0
            let patterns: [[UInt8]] = [
                [0], [0xff], [0x7f], [0x80], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0],
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 0x80],
            ]
            for offset in sample.plan.indices {
                for (number, pattern) in patterns.enumerated() where name == "smallest" || (offset + number) % 7 == 0 {
                    guard offset + pattern.count <= sample.plan.count else { continue }
                    contents.plan = sample.plan
                    contents.plan.replaceSubrange(offset..<offset + pattern.count, with: pattern)
                    if let refusal = attempt(contents) { names[refusal, default: 0] += 1 } else { accepted += 1 }
                }
            }
            XCTAssertGreaterThan(names["bad-operation"] ?? 0, 0, name)
            XCTAssertGreaterThan(names["malformed-section"] ?? 0, 0, name)
            XCTAssertGreaterThan(accepted, 0, name)
        }
    }

    func testTruncatedPlansAndWeights() {
        for (name, sample) in SampleModels.all {
            for count in sample.plan.indices {
                var contents = sample
                contents.plan = Array(sample.plan[..<count])
                XCTAssertNotNil(attempt(contents), "\(name): plan of \(count) bytes")
            }
            for count in stride(from: 0, to: sample.weights.count - 64, by: 64) {
                var contents = sample
                contents.weights = Array(sample.weights[..<count])
                XCTAssertNotNil(attempt(contents), "\(name): weights of \(count) bytes")
            }
        }
    }

    func testRandomWeights() {
        var r = Random(99)
        for (_, sample) in SampleModels.all {
            for _ in 0..<60 {
                var contents = sample
                for _ in 0..<r.int(1...20) { contents.weights[r.int(0...contents.weights.count - 1)] = UInt8(r.int(0...255)) }
                _ = attempt(contents)
            }
        }
    }

    private func refusal(of operation: Engine.Operation, arena: Int = 4096, weights: Int = 4096) -> LoadError? {
        let memory = [UInt8](repeating: 0, count: weights)
        let plan = Plan(
            arenaBytes: arena, inputs: [],
            outputs: [
                PortDescriptor(
                    name: "y", shape: [1], externalType: .int8, storedType: .int8, arenaOffset: 0, permutation: [0],
                    scale: 1, zeroPoint: 0)
            ], operations: [PlannedOperation(name: "", operation: operation)])
        return memory.withUnsafeBytes { bytes in
            do throws(LoadError) {
                _ = try plan.check(weights: bytes)
                return nil
            } catch {
                return error
            }
        }
    }

    private func expect(_ operation: Engine.Operation, _ part: String, line: UInt = #line) {
        guard let error = refusal(of: operation) else { return XCTFail("accepted", line: line) }
        XCTAssertTrue(error.message.contains(part), error.message, line: line)
    }

    func testNamedReasons() {
        let map = FeatureMap(offset: 0, height: 4, width: 4, channels: 8, pixelStride: 8)
        func convolution(_ change: (inout Convolution) -> Void) -> Engine.Operation {
            var c = Convolution(
                input: map, output: FeatureMap(offset: 1024, height: 4, width: 4, channels: 8, pixelStride: 8),
                window: Window(kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1), weightsOffset: 0,
                biasOffset: 1024, scalesOffset: 2048, inputZeroPoint: 0, outputZeroPoint: 0, clampMin: -128,
                clampMax: 127)
            change(&c)
            return .convolution(c)
        }
        XCTAssertNil(refusal(of: convolution { _ in }))
        expect(convolution { $0.window.strideX = 0 }, "stride")
        expect(convolution { $0.window.kernelHeight = 0 }, "kernel")
        expect(convolution { $0.window.kernelHeight = 30_000 }, "outside the")
        expect(convolution { $0.groups = 3 }, "groups")
        expect(convolution { $0.groups = 0 }, "groups")
        expect(convolution { $0.weightsOffset = 4096 }, "weights section")
        expect(convolution { $0.weightsOffset = 32 }, "misaligned")
        expect(convolution { $0.output.offset = 4000 }, "arena")
        expect(convolution { $0.input.pixelStride = 7 }, "pixel stride")
        expect(convolution { $0.input.height = Int(Int32.max) }, "extent")
        expect(convolution { $0.output.height = 1 << 24 }, "arena")
        expect(convolution { ($0.clampMin, $0.clampMax) = (1, 0) }, "clamp")
        expect(convolution { $0.inputZeroPoint = 128 }, "zero point")
        expect(convolution { $0.tableOffset = 4032 }, "weights section")
        expect(convolution { $0.window.padTop = 40_000 }, "padding")
        expect(.fill(Fill(elementBytes: 2, count: 1, offset: 0, pattern: 0)), "elements")
        expect(.fill(Fill(elementBytes: 4, count: 1025, offset: 0, pattern: 0)), "arena")
        expect(.fill(Fill(elementBytes: 4, count: 1, offset: 2, pattern: 0)), "misaligned")
        let same = StridedOperand(type: .float32, offset: 0, strides: [1])
        expect(
            .elementwiseBinary(
                ElementwiseBinary(
                    function: .add, extents: [2], a: same, b: same,
                    output: StridedOperand(type: .float32, offset: 0, strides: [0]), clampMin: 0, clampMax: 1)),
            "stride of the result is 0")
        expect(
            .elementwiseBinary(
                ElementwiseBinary(
                    function: .add, extents: [2], a: same, b: StridedOperand(type: .int32, offset: 0, strides: [1]),
                    output: same, clampMin: 0, clampMax: 1)), "int32")
        expect(
            .elementwiseBinary(
                ElementwiseBinary(
                    function: .add, extents: [2000], a: same, b: same, output: same, clampMin: 0, clampMax: 1)), "arena")
        expect(
            .stridedCopy(
                StridedCopy(
                    elementBytes: 1, extents: [4], sourceOffset: 2, sourceStrides: [-1], destinationOffset: 64,
                    destinationStrides: [1])), "arena")
        expect(
            .resize(
                ResizeOperation(
                    isNearest: true, type: .int8, input: map,
                    output: FeatureMap(offset: 0, height: 4, width: 4, channels: 7, pixelStride: 8), tableOffset: 0)),
            "channels")
        expect(
            .matrixProduct(
                MatrixProduct(
                    batch: 1 << 24, m: 1 << 24, k: 1 << 24, n: 1 << 24, transposesB: false, aOffset: 0, bOffset: 0,
                    outputOffset: 0, aBatchStride: 0, bBatchStride: 0)), "overflows")
        expect(
            .matrixProduct(
                MatrixProduct(
                    batch: 1 << 24, m: 1 << 24, k: 1, n: 1, transposesB: false, aOffset: 0, bOffset: 0, outputOffset: 0,
                    aBatchStride: 0, bBatchStride: 0)), "work")
        expect(
            .gatherSlices(
                GatherSlices(
                    dataOffset: 4090, indicesOffset: 0, outputOffset: 64, count: 1, sliceBytes: 4, extents: [2],
                    strides: [4])), "arena")
    }
}
