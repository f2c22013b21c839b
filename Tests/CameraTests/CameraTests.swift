import Platform
import Vision
import XCTest

@testable import Camera

/// A clock that the test moves.
private final class ManualClock: FrameClock {
    var time: UInt64 = 1_000
    func now() -> UInt64 { time }
    func sleep(until nanoseconds: UInt64) -> Bool {
        time = max(time, nanoseconds)
        return true
    }
}

private func temporaryPath(_ name: String) -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)-\(name)").path
}

/// A JPEG in form only: markers, a segment with a thumbnail's markers inside, coded data with stuffed bytes.
private func fakeJPEG(_ id: UInt8, length: Int = 20) -> [UInt8] {
    let thumbnail: [UInt8] = [0xff, 0xd8, 0xff, 0xd9]
    var bytes: [UInt8] = [0xff, 0xd8, 0xff, 0xe1, 0, UInt8(2 + thumbnail.count)]
    bytes += thumbnail
    bytes += [0xff, 0xff, 0xda, 0, 3, id]
    for i in 0..<length {
        if i % 7 == 3 {
            bytes += [0xff, 0x00]
        } else if i % 11 == 5 {
            bytes += [0xff, 0xd2]
        } else {
            bytes += [UInt8(i % 200), id]
        }
    }
    return bytes + [0xff, 0xd9]
}

final class MJPEGTests: XCTestCase {
    /// Everything that a stream of these bytes gives, fed through a file in a small buffer.
    private func pictures(_ bytes: [UInt8], capacity: Int = 16) throws -> [[UInt8]] {
        let path = temporaryPath("clip.mjpeg")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let source = Source.mjpeg(MJPEGSource(stream: try InputStream(path: path), capacity: capacity))
        var found: [[UInt8]] = []
        while true {
            switch try source.next() {
            case .picture(.jpeg(let bytes)): found.append(Array(bytes))
            case .end: return found
            default: XCTFail("unexpected event")
            }
        }
    }

    func testPicturesWithGarbageBetween() throws {
        let (a, b, c) = (fakeJPEG(1), fakeJPEG(2, length: 300), fakeJPEG(3, length: 0))
        let stream: [UInt8] = [[0xff, 0xd8, 7], a, b, [0, 0, 0, 0xff], c, [0xff, 0xd8]].flatMap { $0 }
        for capacity in [16, 17, 64, 4096] {
            XCTAssertEqual(try pictures(stream, capacity: capacity), [a, b, c])
        }
        XCTAssertEqual(try pictures([]), [])
        XCTAssertEqual(try pictures([UInt8](repeating: 0xff, count: 100)), [])
    }

    func testTruncatedPictures() throws {
        let whole = fakeJPEG(9)
        for cut in 4..<whole.count {
            let part = Array(whole[..<cut])
            // At the end of the stream, and before the next picture.
            XCTAssertEqual(try pictures(whole + part), [whole, part])
            let both = try pictures(part + whole + whole)
            // A cut inside a segment's header makes its length reach into the next picture, never past the one after.
            XCTAssertEqual(both.last?.suffix(whole.count), whole[...], "cut at \(cut)")
            XCTAssertLessThanOrEqual(both.count, 3)
        }
    }

    /// Random damage: no crash, everything ends, an undamaged picture far behind is found.
    func testDamagedStreams() throws {
        var state: UInt64 = 77
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<60 {
            var stream = (0..<5).flatMap { fakeJPEG(UInt8($0), length: 10 + random(50)) }
            for _ in 0..<1 + random(6) { stream[random(stream.count)] = UInt8(random(256)) }
            let last = fakeJPEG(200)
            // More than the longest segment that a damaged length can claim.
            let found = try pictures(stream + [UInt8](repeating: 0, count: 70_000) + last, capacity: 1024)
            XCTAssertEqual(found.last, last)
        }
    }
}

final class SourceTests: XCTestCase {
    func testDirectoryInOrderOfNames() throws {
        let directory = temporaryPath("pictures")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for name in ["b.JPG", "a.jpeg", "c.png", "a.jpg", "B.jpg"] {
            try Data(name.utf8).write(to: URL(fileURLWithPath: directory + "/" + name))
        }
        try FileManager.default.createDirectory(atPath: directory + "/z.jpg", withIntermediateDirectories: true)
        let source = try Source.open(try SourceDescription(parsing: directory))
        var names: [String] = []
        var bad = 0
        loop: while true {
            switch try source.next() {
            case .picture(.jpeg(let bytes)): names.append(String(decoding: bytes, as: UTF8.self))
            case .bad(let name):
                XCTAssertEqual(name, "file-unreadable")
                bad += 1
            case .end: break loop
            default: XCTFail("unexpected event")
            }
        }
        XCTAssertEqual(names, ["B.jpg", "a.jpeg", "a.jpg", "b.JPG"])
        XCTAssertEqual(bad, 1)
    }

    func testEmptyDirectoryIsNamed() throws {
        let directory = temporaryPath("empty")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        XCTAssertThrowsError(try Source.open(.directory(path: directory))) {
            XCTAssertEqual(($0 as? SourceError)?.name, "source-without-pictures")
        }
    }

    func testRawFramesAndATruncatedLast() throws {
        let path = temporaryPath("frames.yuv")
        try Data((0..<28).map { UInt8($0) }).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let description = try SourceDescription(parsing: "raw:\(path)?format=NV12&size=4x2&range=full")
        XCTAssertEqual(description, .raw(path: path, format: .nv12, range: .full, width: 4, height: 2))
        let source = try Source.open(description)
        for frame in 0..<2 {
            guard case .picture(.pixels(let image)) = try source.next() else { return XCTFail("no frame") }
            XCTAssertEqual(Int(image.planes.0[0]), frame * 12)
            XCTAssertEqual(Int(image.planes.1[1]), frame * 12 + 9)
        }
        guard case .bad(let name) = try source.next() else { return XCTFail("not bad") }
        XCTAssertEqual(name, "raw-truncated")
        guard case .end = try source.next() else { return XCTFail("no end") }
    }

    func testSourceTexts() {
        for text in [
            "raw:", "raw:x", "raw:x?", "raw:x?format=RGB", "raw:x?size=1x1", "raw:x?format=rgb&size=1x1",
            "raw:x?format=RGB&size=0x1", "raw:x?format=RGB&size=1x1x1", "raw:x?format=YUYV&size=3x2",
            "raw:x?format=RGB&size=1x99999", "raw:?format=RGB&size=1x1", "raw:x?format=RGB&size=1x1&a=b",
            "raw:x?format=RGB&size=1x1&range=half", "/dev/video0", "/etc/hostname",
        ] {
            XCTAssertThrowsError(try SourceDescription(parsing: text), text) {
                XCTAssertEqual(($0 as? SourceError)?.name, "source-unknown", text)
            }
        }
        XCTAssertThrowsError(try SourceDescription(parsing: "/nowhere/at/all.jpg")) {
            XCTAssertEqual(($0 as? SourceError)?.message, "/nowhere/at/all.jpg: open: No such file or directory")
        }
        XCTAssertEqual(try? SourceDescription(parsing: "-"), .standardInput)
    }
}

final class ScheduleTests: XCTestCase {
    private func frames(_ count: Int) -> Source {
        .memory(MemorySource((0..<count).map { .jpeg([UInt8($0)]) }))
    }

    func testWithoutScheduleEveryFrameComes() throws {
        let clock = ManualClock()
        var camera = Camera(source: frames(3), framesPerSecond: nil, clock: clock)
        for index in 0..<3 {
            clock.time += 5
            guard case .frame(let frame, dropped: 0) = try camera.next() else { return XCTFail("no frame") }
            XCTAssertEqual(frame.sequence, UInt64(index))
            XCTAssertEqual(frame.capturedNanoseconds, clock.time)
        }
        guard case .end(dropped: 0) = try camera.next() else { return XCTFail("no end") }
    }

    /// Work of 0, 2.5, 0 intervals: waits when early, gives up overtaken frames when late.
    func testNewestDueFrameWins() throws {
        let clock = ManualClock()
        var camera = Camera(source: frames(10), framesPerSecond: 100, clock: clock)
        let interval: UInt64 = 10_000_000
        func next() throws -> (UInt64, UInt64, UInt64) {
            guard case .frame(let frame, let dropped) = try camera.next() else { return (99, 99, 99) }
            return (frame.sequence, dropped, frame.capturedNanoseconds - 1_000)
        }
        XCTAssertTrue(try next() == (0, 0, 0))
        XCTAssertTrue(try next() == (1, 0, interval))
        XCTAssertEqual(clock.time, 1_000 + interval)
        clock.time += interval * 5 / 2
        // At 3.5 intervals: frame 3 is the newest that is due, 2 is given up.
        XCTAssertTrue(try next() == (3, 1, 3 * interval))
        XCTAssertEqual(clock.time, 1_000 + interval * 7 / 2)
        XCTAssertTrue(try next() == (4, 0, 4 * interval))
        clock.time += 100 * interval
        guard case .end(dropped: 5) = try camera.next() else { return XCTFail("no end") }
    }

    func testBadFramesKeepTheirNumber() throws {
        let source = Source.memory(MemorySource([.bad(name: "torn"), .jpeg([1])]))
        var camera = Camera(source: source, framesPerSecond: 10, clock: ManualClock())
        guard case .bad(let name, sequence: 0, dropped: 0) = try camera.next() else { return XCTFail("not bad") }
        XCTAssertEqual(name, "torn")
        guard case .frame(let frame, dropped: 0) = try camera.next() else { return XCTFail("no frame") }
        XCTAssertEqual(frame.sequence, 1)
    }
}
