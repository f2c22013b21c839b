import CAllocationCounter
import Kernels
import NestFormat
import Platform
import XCTest

@testable import Engine

final class SessionTests: XCTestCase {
    func testThreadsAndInstructionSetsGiveTheSameBits() throws {
        for (name, contents) in SampleModels.all {
            let model = try Model(copying: NestWriter.encode(contents))
            var expected: [[UInt8]]?
            for isa in runnableISAs {
                for threads in [1, 2, 3, 5] {
                    let session = try Session(model: model, threadCount: threads, forcing: isa, minimumWorkPerPart: 1)
                    for run in 0..<3 {
                        for (index, port) in model.plan.inputs.enumerated() {
                            Golden.fill(session.input(index), type: port.storedType, seed: UInt32(run + 9))
                        }
                        session.run()
                    }
                    let found = model.plan.outputs.indices.map { session.bytes($0) }
                    XCTAssertEqual(found, expected ?? found, "\(name) \(isa.name) \(threads)")
                    expected = found
                    XCTAssertEqual(session.selfTest(), .passed(operations: model.plan.operations.count))
                }
            }
        }
    }

    func testPartsFollowTheWork() {
        func parts(_ work: UInt64, _ threads: Int) -> Int { Session.parts(work: work, threadCount: threads, minimum: 100) }
        XCTAssertEqual([0, 99, 199].map { parts($0, 4) }, [1, 1, 1])
        XCTAssertEqual([200, 399, 400, 12_799].map { parts($0, 4) }, [2, 3, 4, 4])
        XCTAssertEqual([12_800, 25_599, 25_600, .max].map { parts($0, 4) }, [8, 8, 16, 16])
        XCTAssertEqual(parts(.max, 1), 1)
    }

    func testAllocatesNothingAfterStart() throws {
        for (name, contents) in SampleModels.all {
            let model = try Model(copying: NestWriter.encode(contents))
            for threads in [1, 3] {
                let session = try Session(model: model, threadCount: threads, minimumWorkPerPart: 1)
                session.run()
                swiftlet_allocations_start()
                for _ in 0..<5 { session.run() }
                let count = swiftlet_allocations_stop()
                XCTAssertEqual(count, 0, "\(name), \(threads) threads")
            }
        }
        swiftlet_allocations_start()
        let array = [Int](repeating: 1, count: Int.random(in: 10...20))
        XCTAssertGreaterThan(swiftlet_allocations_stop(), 0, "the counter sees no allocations of Swift: \(array.count)")
    }

    func testSelfTestNamesTheFirstDifference() throws {
        var contents = SampleModels.classifier()
        XCTAssertEqual(try Session(model: Model(copying: NestWriter.encode(contents))).selfTest(), .passed(operations: 6))
        contents.golden!.operationChecksums[2] ^= 1
        contents.golden!.operationChecksums[4] ^= 1
        var session = try Session(model: Model(copying: NestWriter.encode(contents)))
        guard case .operationDiffers(let index, let name, _, _) = session.selfTest() else { return XCTFail() }
        XCTAssertEqual(index, 2)
        XCTAssertEqual(name, "project+add")
        contents = SampleModels.classifier()
        contents.golden!.outputDigests[0][31] ^= 1
        session = try Session(model: Model(copying: NestWriter.encode(contents)))
        XCTAssertEqual(session.selfTest(), .outputDiffers(index: 0, name: "probabilities"))
        contents.golden = nil
        XCTAssertEqual(try Session(model: Model(copying: NestWriter.encode(contents))).selfTest(), .noGolden)
    }

    func testFactsOfLayers() throws {
        let model = try Model(copying: NestWriter.encode(SampleModels.classifier()))
        let session = try Session(model: model)
        session.run()
        XCTAssertEqual(session.layerNanoseconds.count, 6)
        XCTAssertTrue(session.layerNanoseconds.allSatisfy { $0 > 0 && $0 < 10_000_000_000 })
        XCTAssertGreaterThan(session.timingNanoseconds, 0)
        let expected: [UInt64] = [3456, 1152, 1024, 0, 40, 0]
        for index in 0..<6 { XCTAssertEqual(session.macs(of: index), expected[index]) }
        XCTAssertTrue(session.kernelName(of: 0).hasPrefix("swiftlet_gemm"))
        XCTAssertTrue(session.kernelName(of: 1).hasPrefix("swiftlet_depthwise"))
        XCTAssertEqual(session.kernelName(of: 5), "portable")
        XCTAssertEqual(session.memoryByteCount, model.sessionByteCount(threadCount: 1, kernels: session.kernels))
    }

    func testForcedISAThatTheCPULacks() throws {
        let model = try Model(copying: NestWriter.encode(SampleModels.smallest()))
        XCTAssertThrowsError(try Session(model: model, forcing: .dotprod, features: [])) { error in
            XCTAssertTrue((error as? SessionError)?.message.contains("dotprod") ?? false)
        }
    }

    func testOutputNaNsAreOne() throws {
        var b = ModelBuilder()
        let (i, o) = (b.buffer(16), b.buffer(16))
        b.add(.elementwiseUnary(ElementwiseUnary(function: .neg, count: 4, inputOffset: i, outputOffset: o)))
        b.input("x", [4], .float32, offset: i)
        b.output("y", [4], .float32, offset: o)
        let session = try b.session()
        session.set(0, [Float(bitPattern: 0xffc0_1234), .nan, 1, Float(bitPattern: 0x7f80_0001)])
        session.run()
        XCTAssertEqual(session.floats().map(\.bitPattern), [0x7fc0_0000, 0x7fc0_0000, 0xbf80_0000, 0x7fc0_0000])
    }

    func testPlansAreReadAsWritten() throws {
        for (_, contents) in SampleModels.all {
            let plan = try contents.plan.withUnsafeBytes { try Plan(decoding: $0) }
            XCTAssertEqual(plan.encode(), contents.plan)
            XCTAssertEqual(try plan.encode().withUnsafeBytes { try Plan(decoding: $0) }, plan)
        }
        let tags = SampleModels.everyOperator().plan.withUnsafeBytes { try! Plan(decoding: $0) }.operations
        XCTAssertEqual(Set(tags.map { $0.operation.tag }).count, 18, "the sample has every operator")
    }
}
