import XCTest

@testable import Platform

/// What the parts of a job did: each writes only its own elements.
private final class Record {
    let runs: UnsafeMutablePointer<Int32>
    let threads: UnsafeMutablePointer<Int32>
    let capacity: Int
    /// Steps that part 0 computes for; part 1 twice as many, and so on.
    var load = 0

    init(capacity: Int) {
        self.capacity = capacity
        runs = .allocate(capacity: capacity)
        threads = .allocate(capacity: capacity)
        reset()
    }

    deinit {
        runs.deallocate()
        threads.deallocate()
    }

    func reset() {
        runs.initialize(repeating: 0, count: capacity)
        threads.initialize(repeating: -1, count: capacity)
    }
}

final class WorkerPoolTests: XCTestCase {
    /// Jobs of `parts` parts; checks that each part ran once, on a thread of the pool, before `run` returned.
    private func check(_ pool: WorkerPool, jobs: Int, parts: (Int) -> Int, file: StaticString = #filePath, line: UInt = #line) {
        let record = Record(capacity: 4 * pool.threadCount)
        for job in 0..<jobs {
            let count = parts(job)
            record.reset()
            record.load = job % 7 * 400
            pool.run(parts: count, context: Unmanaged.passUnretained(record).toOpaque()) {
                context, part, parts, thread, previous in
                let record = Unmanaged<Record>.fromOpaque(context!).takeUnretainedValue()
                // What the thread ran before is on record, as its own.
                if previous >= 0 && (record.runs[Int(previous)] != 1 || record.threads[Int(previous)] != thread) {
                    record.runs[Int(part)] += 10
                }
                var value = UInt64(part) + 1
                for _ in 0..<record.load * Int(part + 1) { value = value &* 6_364_136_223_846_793_005 &+ 1 }
                record.runs[Int(part)] += value == 0 ? 2 : 1
                record.threads[Int(part)] = thread
            }
            for part in 0..<record.capacity {
                let expected: Int32 = part < count ? 1 : 0
                guard record.runs[part] == expected else {
                    return XCTFail("job \(job), part \(part) of \(count): ran \(record.runs[part]) times", file: file, line: line)
                }
                guard part >= count || (0..<Int32(pool.threadCount)).contains(record.threads[part]) else {
                    return XCTFail("job \(job), part \(part): on thread \(record.threads[part])", file: file, line: line)
                }
            }
            if count == 1 { XCTAssertEqual(record.threads[0], 0, file: file, line: line) }
        }
    }

    func testEveryPartRunsOnceForAnyTeam() throws {
        for threadCount in [1, 2, 3, 5, 16] {
            let pool = try WorkerPool(threadCount: threadCount)
            check(pool, jobs: 3000) { 1 + $0 % (4 * threadCount) }
        }
    }

    func testJobsThatFollowEachOtherCloselyAndPausesBetween() throws {
        for threadCount in [2, 4] {
            let pool = try WorkerPool(threadCount: threadCount)
            for round in 0..<30 {
                pool.beginJobs()
                check(pool, jobs: 50) { 1 + ($0 + round) % threadCount }
                pool.endJobs()
                // Long enough for all to fall asleep every third time.
                if round % 3 == 0 { usleep(3000) }
            }
        }
    }

    func testTeamsEndWhetherTheyWorkedWaitOrSleep() throws {
        for round in 0..<60 {
            let pool = try WorkerPool(threadCount: 3)
            if round % 2 == 0 { pool.beginJobs() }
            if round % 3 == 0 { check(pool, jobs: 3) { _ in 3 } }
            if round % 5 == 0 { usleep(2000) }
        }
    }

    /// The first part of a thread ends only when all others have run: somebody else takes over the rest of its share.
    func testPartsOfASlowThreadAreTakenOver() throws {
        final class Others { let done = DispatchSemaphore(value: 0) }
        let pool = try WorkerPool(threadCount: 2)
        for _ in 0..<40 {
            let others = Others()
            pool.run(parts: 8, context: Unmanaged.passUnretained(others).toOpaque()) { context, part, parts, _, _ in
                let others = Unmanaged<Others>.fromOpaque(context!).takeUnretainedValue()
                if part == 0 {
                    for _ in 1..<parts { others.done.wait() }
                } else {
                    others.done.signal()
                }
            }
        }
    }

    /// Parts that wait for each other need threads that really come, asleep or not.
    func testPartsRunAtTheSameTime() throws {
        final class Meeting { let arrived = DispatchSemaphore(value: 0), left = DispatchSemaphore(value: 0) }
        let pool = try WorkerPool(threadCount: 2)
        for round in 0..<40 {
            let meeting = Meeting()
            if round % 2 == 0 { usleep(2000) }
            pool.run(parts: 2, context: Unmanaged.passUnretained(meeting).toOpaque()) { context, part, _, _, _ in
                let meeting = Unmanaged<Meeting>.fromOpaque(context!).takeUnretainedValue()
                if part == 0 {
                    meeting.arrived.signal()
                    meeting.left.wait()
                } else {
                    meeting.arrived.wait()
                    meeting.left.signal()
                }
            }
        }
    }
}
