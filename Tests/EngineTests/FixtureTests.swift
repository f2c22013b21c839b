import Foundation
import NestFormat
import XCTest

@testable import Engine

/// Files of format version 1 that every later release must load, with the same results. Made by `SampleModels`:
/// `SWIFTLET_WRITE_FIXTURES=1 swift test --filter FixtureTests` writes those that are missing. Never change one.
final class FixtureTests: XCTestCase {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    func testWriteMissing() throws {
        guard ProcessInfo.processInfo.environment["SWIFTLET_WRITE_FIXTURES"] == "1" else {
            throw XCTSkip("writes fixtures only when SWIFTLET_WRITE_FIXTURES is 1")
        }
        for (name, contents) in SampleModels.all {
            let url = Self.folder.appendingPathComponent("v1-\(name).nest")
            if !FileManager.default.fileExists(atPath: url.path) {
                try Data(NestWriter.encode(contents)).write(to: url)
            }
        }
    }

    func testOldFilesLoadAndGiveTheirResults() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter { $0.hasSuffix(".nest") }
        XCTAssertGreaterThanOrEqual(names.count, 3)
        for name in names {
            let model = try Model(path: Self.folder.appendingPathComponent(name).path)
            for isa in runnableISAs {
                let session = try Session(model: model, threadCount: 2, forcing: isa, minimumWorkPerPart: 1)
                XCTAssertEqual(
                    session.selfTest(), .passed(operations: model.plan.operations.count), "\(name), \(isa.name)")
            }
        }
    }

    func testWriterStillWritesVersion1() throws {
        for (name, contents) in SampleModels.all {
            let stored = try Data(contentsOf: Self.folder.appendingPathComponent("v1-\(name).nest"))
            XCTAssertEqual([UInt8](stored), NestWriter.encode(contents), name)
        }
    }
}
