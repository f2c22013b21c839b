import Foundation
import XCTest

@testable import NestFormat

final class PrimitiveTests: XCTestCase {
    func testCRC32COfKnownStrings() {
        XCTAssertEqual(CRC32C.checksum(Array("123456789".utf8)), 0xe306_9283)
        XCTAssertEqual(CRC32C.checksum([UInt8](repeating: 0, count: 32)), 0x8a91_36aa)
        XCTAssertEqual(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)), 0x62a8_ab43)
        XCTAssertEqual(CRC32C.checksum((0..<32).map { UInt8($0) }), 0x46dd_794e)
        XCTAssertEqual(CRC32C.checksum([]), 0)
    }

    func testCRC32CInPiecesEqualsBitByBit() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
        var expected: UInt32 = 0xffff_ffff
        for byte in bytes {
            expected ^= UInt32(byte)
            for _ in 0..<8 { expected = expected & 1 == 1 ? expected >> 1 ^ 0x82f6_3b78 : expected >> 1 }
        }
        for cut in [0, 1, 7, 8, 9, 500, 999, 1000] {
            var crc = CRC32C()
            bytes.withUnsafeBytes { all in
                crc.update(UnsafeRawBufferPointer(rebasing: all[..<cut]))
                crc.update(UnsafeRawBufferPointer(rebasing: all[cut...]))
            }
            XCTAssertEqual(crc.value, ~expected)
        }
    }

    /// Long enough for the instruction's interleaved stretches, a second round of them and every tail.
    func testCRC32COfManyBytesEqualsTheTables() {
        var state: UInt32 = 1
        let bytes = (0..<40_000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
        for count in [12_287, 12_288, 12_289, 12_295, 24_576, 30_001, 40_000] {
            for start in [0, 1, 3] where start + count <= bytes.count {
                let (whole, tables) = bytes.withUnsafeBytes { all in
                    let piece = UnsafeRawBufferPointer(rebasing: all[start..<start + count])
                    var crc = CRC32C()
                    crc.updateByTables(piece)
                    return (CRC32C.checksum(piece), crc.value)
                }
                XCTAssertEqual(whole, tables, "\(count) bytes from \(start)")
            }
        }
    }

    func testSHA256OfKnownStrings() {
        func hex(_ string: String) -> String {
            Array(string.utf8).withUnsafeBytes { SHA256.digest(of: $0) }.map { String(format: "%02x", $0) }.joined()
        }
        XCTAssertEqual(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        XCTAssertEqual(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        XCTAssertEqual(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        let long = [UInt8](repeating: 0x61, count: 1_000)
        let whole = long.withUnsafeBytes { SHA256.digest(of: $0) }
        for cut in [1, 63, 64, 65, 128, 999] {
            var hash = SHA256()
            long.withUnsafeBytes { all in
                hash.update(UnsafeRawBufferPointer(rebasing: all[..<cut]))
                hash.update(UnsafeRawBufferPointer(rebasing: all[cut...]))
            }
            XCTAssertEqual(hash.digest, whole)
        }
    }

    func testUTF8IsValidatedLikeFoundation() {
        var state: UInt32 = 12345
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<4 {
                state = state &* 1_664_525 &+ 1_013_904_223
                bytes.append([UInt8(state >> 24), 0x80, 0xe2, 0xf0, 0x41, 0xed, 0xa0, 0x9f][Int(state >> 13 & 7)])
            }
            let expected = String(bytes: bytes, encoding: .utf8) != nil
            XCTAssertEqual(bytes.withUnsafeBytes { isValidUTF8($0) }, expected, "\(bytes)")
        }
    }

    func testWhatIsWrittenIsRead() throws {
        var writer = ByteWriter()
        writer.write(UInt8(200))
        writer.write(UInt16(60_000))
        writer.write(UInt32(4_000_000_000))
        writer.write(UInt64.max - 5)
        writer.write(Int8(-7))
        writer.write(Int32.min)
        writer.write(Float(-0.1))
        writer.write(true)
        writer.writeCount(Int(Int32.max))
        writer.writeSize(1 << 30)
        writer.writeStride(-12)
        writer.write("größe")
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes, section: .plan)
            XCTAssertEqual(try reader.readUInt8(), 200)
            XCTAssertEqual(try reader.readUInt16(), 60_000)
            XCTAssertEqual(try reader.readUInt32(), 4_000_000_000)
            XCTAssertEqual(try reader.readUInt64(), UInt64.max - 5)
            XCTAssertEqual(try reader.readInt8(), -7)
            XCTAssertEqual(try reader.readInt32(), Int32.min)
            XCTAssertEqual(try reader.readFloat(), -0.1)
            XCTAssertEqual(try reader.readBool(), true)
            XCTAssertEqual(try reader.readCount(), Int(Int32.max))
            XCTAssertEqual(try reader.readSize(), 1 << 30)
            XCTAssertEqual(try reader.readStride(), -12)
            XCTAssertEqual(try reader.readString(), "größe")
            try reader.finish()
            XCTAssertThrowsError(try reader.readUInt8())
        }
    }

    func testLongTextIsCutAtACharacter() throws {
        var writer = ByteWriter()
        writer.write("a" + String(repeating: "ö", count: 1000))
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes, section: .plan)
            XCTAssertEqual(try reader.readString(), "a" + String(repeating: "ö", count: 511))
        }
    }

    func testGeneratedInputIsFixed() {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.withUnsafeMutableBytes { Golden.fill($0, type: .int8, seed: 1) }
        XCTAssertEqual(bytes, [0, 4, 157, 18, 142, 44, 37, 25])
        bytes.withUnsafeMutableBytes { Golden.fill($0, type: .int32, seed: 1) }
        XCTAssertEqual(bytes, [0, 0, 0, 0, 4, 0, 0, 0])
        bytes.withUnsafeMutableBytes { Golden.fill($0, type: .float32, seed: 0xdead_beef) }
        let value = bytes.withUnsafeBytes { $0.load(as: Float.self) }
        XCTAssertTrue(value >= -1 && value < 1)
    }
}
