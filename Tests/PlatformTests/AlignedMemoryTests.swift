import XCTest

@testable import Platform

final class AlignedMemoryTests: XCTestCase {
    func testIsZeroAlignedAndWritable() throws {
        for byteCount in [0, 1, 63, 64, 4095, 4096, 4097, 3 << 20] {
            let memory = try AlignedMemory(byteCount: byteCount)
            XCTAssertEqual(memory.bytes.count, byteCount)
            XCTAssertEqual(UInt(bitPattern: memory.bytes.baseAddress) % 64, 0)
            XCTAssertTrue(memory.bytes.allSatisfy { $0 == 0 }, "\(byteCount) bytes")
            for i in memory.bytes.indices { memory.bytes[i] = UInt8(truncatingIfNeeded: i) }
            XCTAssertTrue(memory.bytes.indices.allSatisfy { memory.bytes[$0] == UInt8(truncatingIfNeeded: $0) })
        }
    }

    func testTooMuchIsAnError() {
        for byteCount in [Int.max, Int.max / 2, 1 << 60] {
            XCTAssertThrowsError(try AlignedMemory(byteCount: byteCount)) { error in
                XCTAssertTrue("\(error)".contains("\(byteCount) bytes"), "\(error)")
            }
        }
    }
}
