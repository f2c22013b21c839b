import XCTest

@testable import Compiler

/// No two live buffers overlap, whatever their lifetimes.
final class MemoryPlannerTests: XCTestCase {
    private func check(_ buffers: [MemoryPlanner.Buffer], _ label: String, file: StaticString = #filePath, line: UInt = #line)
        -> MemoryPlanner.Plan
    {
        let plan = MemoryPlanner.plan(buffers)
        XCTAssertEqual(plan.offsets.count, buffers.count, label, file: file, line: line)
        for (i, a) in buffers.enumerated() {
            XCTAssertGreaterThanOrEqual(plan.offsets[i], 0, label, file: file, line: line)
            XCTAssertEqual(plan.offsets[i] % MemoryPlanner.alignment, 0, "\(label): alignment", file: file, line: line)
            XCTAssertLessThanOrEqual(plan.offsets[i] + a.byteCount, plan.arenaBytes, "\(label): arena", file: file, line: line)
            for j in 0..<i {
                let b = buffers[j]
                let overlapsInTime = a.firstStep <= b.lastStep && b.firstStep <= a.lastStep
                let overlapsInSpace =
                    a.byteCount > 0 && b.byteCount > 0 && plan.offsets[i] < plan.offsets[j] + b.byteCount
                    && plan.offsets[j] < plan.offsets[i] + a.byteCount
                XCTAssertFalse(overlapsInTime && overlapsInSpace, "\(label): buffers \(j) and \(i)", file: file, line: line)
            }
        }
        XCTAssertGreaterThanOrEqual(plan.arenaBytes, plan.lowerBoundBytes, label, file: file, line: line)
        let steps = buffers.map(\.lastStep).max() ?? 0
        let live = (0...steps).map { step in
            buffers.filter { $0.firstStep <= step && step <= $0.lastStep }.reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
        }
        XCTAssertEqual(plan.lowerBoundBytes, live.max() ?? 0, "\(label): lower bound", file: file, line: line)
        return plan
    }

    func testNothing() {
        XCTAssertEqual(check([], "no buffers").arenaBytes, 0)
        XCTAssertEqual(check([.init(byteCount: 0, firstStep: 0, lastStep: 0)], "an empty buffer").arenaBytes, 0)
    }

    func testChainReusesTwoPlaces() {
        let chain = (0..<10).map { MemoryPlanner.Buffer(byteCount: 640, firstStep: $0, lastStep: $0 + 1) }
        XCTAssertEqual(check(chain, "chain").arenaBytes, 1280)
    }

    func testShrinkingChainReachesTheBound() {
        let sizes = [3000, 12_000, 9000, 6000, 6000, 2000, 2000, 500, 10]
        let chain = sizes.enumerated().map { MemoryPlanner.Buffer(byteCount: $1, firstStep: $0, lastStep: $0 + 1) }
        let plan = check(chain, "shrinking chain")
        XCTAssertEqual(plan.arenaBytes, plan.lowerBoundBytes)
    }

    func testRandomLifetimes() {
        var random = TestRandom(seed: 1)
        var (arena, bound) = (0, 0)
        for round in 0..<150 {
            let steps = Int.random(in: 1...40, using: &random)
            let buffers = (0..<Int.random(in: 1...60, using: &random)).map { _ -> MemoryPlanner.Buffer in
                let first = Int.random(in: 0..<steps, using: &random)
                let last = min(steps - 1, first + Int.random(in: 0...(round % 3 == 0 ? steps : 4), using: &random))
                let size = Int.random(in: 0...(round % 2 == 0 ? 100_000 : 300), using: &random)
                return .init(byteCount: size, firstStep: first, lastStep: last)
            }
            let plan = check(buffers, "round \(round)")
            arena += plan.arenaBytes
            bound += plan.lowerBoundBytes
        }
        XCTAssertLessThan(Double(arena), Double(bound) * 1.1, "arenas against their bounds, in all")
    }

    func testPlanIsTheSameEveryTime() {
        var random = TestRandom(seed: 2)
        let buffers = (0..<80).map { _ -> MemoryPlanner.Buffer in
            let first = Int.random(in: 0..<30, using: &random)
            return .init(byteCount: Int.random(in: 0...5, using: &random) * 64, firstStep: first, lastStep: first + Int.random(in: 0...8, using: &random))
        }
        XCTAssertEqual(MemoryPlanner.plan(buffers), MemoryPlanner.plan(buffers))
    }
}
