import XCTest

@testable import Reports

final class FormatTests: XCTestCase {
    func testFixed() {
        XCTAssertEqual(Format.fixed(0, decimals: 0), "0")
        XCTAssertEqual(Format.fixed(1.005, decimals: 1), "1.0")
        XCTAssertEqual(Format.fixed(0.05, decimals: 2), "0.05")
        XCTAssertEqual(Format.fixed(-0.001, decimals: 2), "0.00")
        XCTAssertEqual(Format.fixed(-12.345, decimals: 2), "-12.35")
        XCTAssertEqual(Format.fixed(999.999, decimals: 2), "1000.00")
        XCTAssertEqual(Format.fixed(.nan, decimals: 2), "–")
        XCTAssertEqual(Format.fixed(.infinity, decimals: 2), "∞")
        XCTAssertEqual(Format.fixed(1e30, decimals: 2), "1e+30")
    }

    func testDurations() {
        for (nanoseconds, text) in [
            (0, "0 ns"), (999, "999 ns"), (1000, "1.00 µs"), (12_345, "12.3 µs"), (999_499, "999 µs"),
            (999_500, "1.00 ms"), (9_996_000, "10.0 ms"), (18_249_000, "18.2 ms"), (250_000_000, "250 ms"),
            (1_250_000_000, "1.25 s"), (61_000_000_000, "61.0 s"),
        ] as [(UInt64, String)] {
            XCTAssertEqual(Format.duration(nanoseconds), text)
        }
    }

    func testSpans() {
        for (milliseconds, text) in [
            (0, "0 s"), (12, "12 ms"), (1999, "1 s"), (60_000, "1 min"), (200_000, "3 min 20 s"), (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"), (97_200_000, "1 d 3 h"),
        ] as [(UInt64, String)] {
            XCTAssertEqual(Format.span(milliseconds: milliseconds), text)
        }
    }

    func testPercentagesNeverRoundToAllOrNothing() {
        for (share, text) in [
            (0, "0 %"), (1, "100 %"), (0.00001, "<0.01 %"), (0.0003, "0.03 %"), (0.005, "0.50 %"), (0.01, "1 %"),
            (0.042, "4.2 %"), (0.38, "38 %"), (0.992, "99.2 %"), (0.99999, ">99.9 %"), (1.02, "102 %"),
        ] as [(Double, String)] {
            XCTAssertEqual(Format.percent(share), text)
        }
    }

    func testUnits() {
        XCTAssertEqual(Format.bytes(512), "512 B")
        XCTAssertEqual(Format.bytes(98_304), "96.0 KiB")
        XCTAssertEqual(Format.bytes(3_565_158), "3.40 MiB")
        XCTAssertEqual(Format.bytes(5 << 30), "5.00 GiB")
        XCTAssertEqual(Format.frequency(kilohertz: 600_000), "600 MHz")
        XCTAssertEqual(Format.frequency(kilohertz: 1_500_000), "1.50 GHz")
        XCTAssertEqual(Format.temperature(milliCelsius: 83_500), "83.5 °C")
        XCTAssertEqual(Format.temperature(milliCelsius: -5000), "-5 °C")
        XCTAssertEqual(Format.frameRate(milli: 29_970), "29.97 fps")
        XCTAssertEqual(Format.frameRate(milli: 30_000), "30 fps")
        XCTAssertEqual(Format.count(1_234_567), "1\u{202F}234\u{202F}567")
        XCTAssertEqual(Format.count(999), "999")
        XCTAssertEqual(Format.counted(1, "frame"), "1 frame")
        XCTAssertEqual(Format.counted(0, "frame"), "0 frames")
    }

    func testDates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"), (1_709_210_096, "2024-02-29T12:34:56Z"),
            (1_795_243_215, "2026-11-21T06:40:15Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"), (.max, "9999-12-31T23:59:59Z"),
        ] as [(UInt64, String)] {
            XCTAssertEqual(Format.utc(unixSeconds: seconds), text)
        }
    }
}
