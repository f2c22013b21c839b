import XCTest

@testable import NestFormat

/// Bytes in memory that starts at a multiple of 64, as a map does.
func withAligned<Result>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(64, bytes.count), alignment: 64)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    return try body(UnsafeRawBufferPointer(rebasing: memory[..<bytes.count]))
}

/// The name of the error that reading `bytes` throws; nil when they are a valid container.
func refusal(_ bytes: [UInt8]) -> String? {
    withAligned(bytes) { memory in
        do throws(LoadError) {
            _ = try NestFile(memory)
            return nil
        } catch {
            XCTAssertFalse(error.message.isEmpty)
            XCTAssertFalse(text(error.explanation).isEmpty)
            return text(error.name)
        }
    }
}

final class ContainerTests: XCTestCase {
    static let full = NestContents(
        plan: Array(0..<200), weights: (0..<300).map { UInt8($0 * 7 & 255) },
        preprocess: Preprocess(
            width: 20, height: 10, color: .bgr, fit: .letterboxTopLeft, filter: .nearest, resizeShorterSide: 12,
            cropFraction: 0.875, fill: 9, scaledDecodeMargin: 1.5, scale: 0.25, mean: [1, 2, 3], std: [4, 5, 6]),
        preprocessTables: .float32((0..<768).map { Float($0) / 3 }), decoding: .segmentation(threshold: 0.25),
        labels: ["a", "größe", ""],
        golden: Golden(
            inputs: [.bytes([1, 2, 3]), .generated(seed: 7)], operationChecksums: [1, 0xffff_ffff],
            outputDigests: [[UInt8](repeating: 9, count: 32)]),
        provenance: Provenance(entries: [.init(key: "source", value: "m.onnx")]),
        extraSections: [.init(kind: .signature, isRequired: false, bytes: [5, 5])])

    static var small: NestContents { NestContents(plan: [1, 2, 3], weights: [4, 5]) }

    func testWrittenContentsAreRead() throws {
        let contents = Self.full
        let bytes = NestWriter.encode(contents)
        try withAligned(bytes) { memory in
            let file = try NestFile(memory)
            XCTAssertEqual([UInt8](file.plan), contents.plan)
            XCTAssertEqual([UInt8](file.weights), contents.weights)
            XCTAssertEqual(file.preprocess, contents.preprocess)
            XCTAssertEqual(file.preprocessTables, contents.preprocessTables)
            XCTAssertEqual(file.decoding, contents.decoding)
            XCTAssertEqual(file.labels, contents.labels)
            XCTAssertEqual(file.golden, contents.golden)
            XCTAssertEqual(file.provenance, contents.provenance)
            XCTAssertEqual(file.contents(of: .signature).map { [UInt8]($0) }, [5, 5])
            XCTAssertNil(file.contents(of: SectionKind(rawValue: 0x3132_3334)))
            let weights = file.sections.last!
            XCTAssertEqual(weights.kind, .weights)
            XCTAssertEqual(weights.offset % 4096, 0)
            XCTAssertGreaterThanOrEqual(memory.count - weights.offset - weights.byteCount, 64)
            for section in file.sections { XCTAssertEqual(section.offset % 64, 0) }
        }
        XCTAssertEqual(NestWriter.encode(contents), bytes)
    }

    func testEveryDecodingIsRead() throws {
        let decodings: [OutputDecoding] = [
            .raw, .classification(topK: 5, softmax: true), .tfliteDetections(scoreThreshold: 0.5),
            .ssd(
                SSDDecoding(
                    boxesOutput: 1, scoresOutput: 0, classCount: 90, hasBackground: true, sigmoid: true, yScale: 10,
                    xScale: 11, hScale: 5, wScale: 6, scoreThreshold: 0.4, iouThreshold: 0.6, maxDetections: 10,
                    linearSizes: true, anchors: [1, 2, 3, 4])),
            .yolo(YOLODecoding(version: .v5, classCount: 80, strides: [8, 16], anchors: [1, 2, 3, 4], sigmoid: true)),
            .anchorFree(
                AnchorFreeDecoding(
                    levels: [.init(stride: 8, scoresOutput: 0, boxesOutput: 1)], classCount: 1, distanceBins: 8,
                    sigmoid: false)),
            .segmentation(threshold: 0.5), .keypoints(KeypointDecoding(form: .direct)),
            .keypoints(
                KeypointDecoding(
                    form: .heatmaps, scoreThreshold: 0.1,
                    gauge: .init(centre: 0, tip: 1, min: 2, max: 3, minValue: -1, maxValue: 16, unit: "bar"))),
        ]
        for decoding in decodings {
            var contents = Self.small
            contents.decoding = decoding
            contents.labels = ["x"]
            try withAligned(NestWriter.encode(contents)) { XCTAssertEqual(try NestFile($0).decoding, decoding) }
        }
    }

    func testEveryTruncationIsRefused() {
        for contents in [Self.small, Self.full] {
            let bytes = NestWriter.encode(contents)
            for count in 0..<bytes.count where contents.golden == nil || count % 13 == 0 || count < 600 {
                let name = refusal(Array(bytes[..<count]))
                XCTAssertEqual(name, "truncated", "first \(count) bytes")
            }
        }
    }

    func testEveryFlippedByteIsRefused() {
        let bytes = NestWriter.encode(Self.full)
        var names: Set<String> = []
        for offset in bytes.indices {
            for mask: UInt8 in offset % 61 == 0 || offset < 400 ? [1, 0x80, 0xff] : [1 << (offset % 8)] {
                var changed = bytes
                changed[offset] ^= mask
                let name = refusal(changed)
                XCTAssertNotNil(name, "byte \(offset) xor \(mask)")
                if let name { names.insert(name) }
            }
        }
        for expected in ["not-a-nest-file", "checksum-mismatch", "nonzero-padding", "unsupported-version", "truncated"] {
            XCTAssertTrue(names.contains(expected), "no flip gave \(expected); given were \(names)")
        }
    }

    func testAppendedBytesAreRefused() {
        XCTAssertEqual(refusal(NestWriter.encode(Self.small) + [0]), "size-mismatch")
    }

    func testMisalignedMemoryIsRefused() {
        let bytes = NestWriter.encode(Self.small)
        withAligned([0] + bytes) { memory in
            do throws(LoadError) {
                _ = try NestFile(UnsafeRawBufferPointer(rebasing: memory[1...]))
                XCTFail("accepted")
            } catch {
                guard case .misalignedMemory = error else { return XCTFail(error.message) }
            }
        }
    }

    func testUnknownSections() throws {
        let kind = SectionKind(rawValue: 0x5a5a_5a5a)
        var contents = Self.small
        contents.extraSections = [.init(kind: kind, isRequired: false, bytes: [1])]
        try withAligned(NestWriter.encode(contents)) { memory in
            XCTAssertEqual(try NestFile(memory).contents(of: kind).map { [UInt8]($0) }, [1])
        }
        contents.extraSections = [.init(kind: kind, isRequired: true, bytes: [1])]
        withAligned(NestWriter.encode(contents)) { memory in
            do throws(LoadError) {
                _ = try NestFile(memory)
                XCTFail("accepted")
            } catch {
                guard case .unknownRequiredSection(let named) = error else { return XCTFail(error.message) }
                XCTAssertEqual(named, kind)
                XCTAssertTrue(error.message.contains("ZZZZ"))
            }
        }
    }

    func testMissingAndDuplicateSections() {
        let plan = NestContents.ExtraSection(kind: .plan, isRequired: true, bytes: [1])
        let weights = NestContents.ExtraSection(kind: .weights, isRequired: true, bytes: [1])
        XCTAssertEqual(refusal(NestWriter.assemble([plan])), "missing-section")
        XCTAssertEqual(refusal(NestWriter.assemble([weights])), "missing-section")
        XCTAssertEqual(refusal(NestWriter.assemble([])), "missing-section")
        XCTAssertEqual(refusal(NestWriter.assemble([plan, plan, weights])), "duplicate-section")
        XCTAssertNil(refusal(NestWriter.assemble([weights, plan])))
    }

    /// Random damage to sections whose checksums are then right: refused by name or read without harm.
    func testDamagedSectionsWithRightChecksums() {
        var state: UInt64 = 88_172_645_463_325_252
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33) % bound
        }
        let bytes = NestWriter.encode(Self.full)
        let sections: [NestContents.ExtraSection] = withAligned(bytes) { memory in
            guard let file = try? NestFile(memory) else { return [] }
            return file.sections.map { section in
                .init(
                    kind: section.kind, isRequired: section.isRequired,
                    bytes: Array(memory[section.offset..<section.offset + section.byteCount]))
            }
        }
        XCTAssertEqual(sections.count, 7)
        var refused = 0
        for _ in 0..<1500 {
            var damaged = sections
            let index = 1 + random(damaged.count - 2)
            for _ in 0...random(3) where !damaged[index].bytes.isEmpty {
                let place = random(min(100, damaged[index].bytes.count))
                switch random(3) {
                case 0: damaged[index].bytes[place] = UInt8(random(256))
                case 1: damaged[index].bytes.remove(at: place)
                default: damaged[index].bytes.insert([0, 255, 127, 128][random(4)], at: place)
                }
            }
            if refusal(NestWriter.assemble(damaged)) != nil { refused += 1 }
        }
        XCTAssertGreaterThan(refused, 500)
    }

    func testCatalogueNamesAreUniqueAndKebabCase() {
        let names = LoadError.catalogue.map { text($0.name) }
        XCTAssertEqual(Set(names).count, names.count)
        for name in names {
            XCTAssertTrue(name.utf8.allSatisfy { $0 == 0x2d || (0x61...0x7a).contains($0) }, name)
        }
        XCTAssertEqual(names.count, 16)
    }
}
