import Foundation
import XCTest

@testable import Platform

final class WorkerPoolTests: XCTestCase {
    func testEveryPartRunsOnce() throws {
        for threads in [1, 2, 3, 5, 8] {
            let pool = try WorkerPool(threadCount: threads)
            let counts = UnsafeMutablePointer<Int>.allocate(capacity: 8)
            defer { counts.deallocate() }
            counts.initialize(repeating: 0, count: 8)
            var expected = [Int](repeating: 0, count: 8)
            for round in 0..<400 {
                let parts = round % threads + 1
                // A pause now and then, so that threads fall asleep between jobs.
                if round % 100 == 99 { usleep(2000) }
                pool.run(parts: parts, context: counts) { context, part, parts in
                    let counts = context!.assumingMemoryBound(to: Int.self)
                    counts[Int(part)] += Int(parts)
                }
                for part in 0..<parts { expected[part] += parts }
            }
            XCTAssertEqual((0..<8).map { counts[$0] }, expected, "\(threads) threads")
        }
    }

    func testProcessors() {
        XCTAssertGreaterThanOrEqual(WorkerPool.availableProcessorCount, 1)
        XCTAssertThrowsError(try WorkerPool.bindCallingThread(toProcessors: [-1])) { error in
            XCTAssertTrue((error as? SystemError)?.message.hasPrefix("processors: sched_setaffinity: ") ?? false)
        }
    }
}

final class FileTests: XCTestCase {
    private let path = NSTemporaryDirectory() + "swiftlet-file-test-\(getpid())"

    override func tearDown() { unlink(path) }

    func testReplacedFileIsMapped() throws {
        for contents: [UInt8] in [[1, 2, 3], [], [UInt8](repeating: 7, count: 100_000)] {
            try FileWriter.replace(path: path, with: contents)
            let map = try MappedFile(path: path)
            XCTAssertEqual([UInt8](map.bytes), contents)
            XCTAssertEqual(UInt(bitPattern: map.bytes.baseAddress) % 64, 0)
        }
        let folder = try FileManager.default.contentsOfDirectory(atPath: NSTemporaryDirectory())
        XCTAssertFalse(folder.contains { $0.hasPrefix("swiftlet-file-test-\(getpid())") && $0.hasSuffix(".part") })
    }

    func testOldMapKeepsItsBytes() throws {
        try FileWriter.replace(path: path, with: [1, 2, 3])
        let map = try MappedFile(path: path)
        try FileWriter.replace(path: path, with: [9])
        XCTAssertEqual([UInt8](map.bytes), [1, 2, 3])
    }

    func testErrorsNamePathCallAndReason() {
        XCTAssertThrowsError(try MappedFile(path: "/nowhere/x.nest")) { error in
            XCTAssertEqual((error as? SystemError)?.message, "/nowhere/x.nest: open: No such file or directory")
        }
        XCTAssertThrowsError(try MappedFile(path: "/tmp")) { error in
            XCTAssertEqual((error as? SystemError)?.message, "/tmp: fstat: Is a directory")
        }
        XCTAssertThrowsError(try MappedFile(path: "/dev/null")) { XCTAssertEqual(($0 as? SystemError)?.call, "fstat") }
        XCTAssertThrowsError(try FileWriter.replace(path: "/nowhere/x", with: [1])) { error in
            XCTAssertEqual((error as? SystemError)?.message, "/nowhere/x: open: No such file or directory")
        }
    }

    func testAlignedMemoryIsZero() throws {
        for count in [0, 1, 1000] {
            let memory = try AlignedMemory(byteCount: count)
            XCTAssertEqual(UInt(bitPattern: memory.bytes.baseAddress) % 64, 0)
            XCTAssertTrue(memory.bytes.allSatisfy { $0 == 0 })
        }
        XCTAssertThrowsError(try AlignedMemory(byteCount: 1 << 60))
    }

    func testClockGoesForward() {
        let start = MonotonicClock.now()
        usleep(1000)
        XCTAssertGreaterThanOrEqual(MonotonicClock.now() - start, 1_000_000)
    }
}
