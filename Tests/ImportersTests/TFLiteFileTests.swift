import Graph
import Importers
import XCTest

/// Bytes that are not, or not quite, a TFLite file: a named error, never a crash.
final class TFLiteFileTests: XCTestCase {
    /// A small quantized network whose parts cover most of the reader: conv, fused activation, reshape, custom
    /// operator.
    static func smallModel() -> TFLiteModelWriter {
        var model = TFLiteModelWriter()
        let x = model.add(.quantized(.uint8, [1, 4, 4, 2], 0.5, 128).named("image"))
        let weights = model.add(
            TFLiteTensorSpec(
                type: .uint8, shape: [3, 2, 2, 2], scales: [0.25], zeroPoints: [100],
                data: (0..<24).map { UInt8($0 * 9) }))
        let bias = model.add(
            TFLiteTensorSpec(
                type: .int32, shape: [3], scales: [0.125], zeroPoints: [0], data: [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]))
        let conv = model.add(
            3, [x, weights, bias], to: [.quantized(.uint8, [1, 4, 4, 3], 1, 0)], 1,
            [0: .byte(0), 1: .int(1), 2: .int(1), 3: .byte(3)])
        let shape = model.add(.ints([1, -1]))
        let flat = model.add(22, [conv[0], shape], to: [.quantized(.uint8, [1, 48], 1, 0)], 17, [0: .ints([1, -1])])
        model.inputs = [x]
        model.outputs = model.add(
            25, flat, to: [.quantized(.uint8, [1, 48], 1 / 256, 0).named("scores")], 9, [0: .float(1)])
        return model
    }

    private func assertRefused(_ bytes: [UInt8], _ message: String) {
        XCTAssertThrowsError(try TFLiteImporter.load(bytes: bytes), message) { error in
            XCTAssert(error is TFLiteFileError || error is GraphProblems, "\(message): \(error)")
        }
    }

    func testReadsWhatTheWriterWrites() throws {
        let graph = try TFLiteImporter.load(bytes: Self.smallModel().bytes())
        XCTAssertEqual(graph.nodes.map(\.sourceOperator), ["CONV_2D", "CONV_2D", "RESHAPE", "SOFTMAX"])
        XCTAssertEqual(graph.inputs.map(\.name), ["image"])
        XCTAssertEqual(graph.outputs.map(\.elementType), [.uint8])
    }

    func testEveryTruncationIsRefused() {
        let bytes = Self.smallModel().bytes()
        for count in 0..<bytes.count { assertRefused(Array(bytes[..<count]), "first \(count) bytes") }
    }

    func testFlippedBytesNeverCrash() throws {
        let bytes = Self.smallModel().bytes()
        var generator = CaseGenerator("flips")
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<(1 + generator.next() % 4) {
                damaged[Int(generator.next()) % damaged.count] = UInt8(truncatingIfNeeded: generator.next())
            }
            do {
                _ = try TFLiteImporter.load(bytes: damaged)
            } catch {
                XCTAssert(error is TFLiteFileError || error is GraphProblems, "\(error)")
                refused += 1
            }
        }
        XCTAssertGreaterThan(refused, 300)
    }

    /// Every byte in turn takes the values that break bounds most easily.
    func testEveryByteAtItsExtremesNeverCrashes() {
        let bytes = Self.smallModel().bytes()
        for position in bytes.indices {
            for value in [0x7f, 0xff] as [UInt8] where bytes[position] != value {
                var damaged = bytes
                damaged[position] = value
                do {
                    _ = try TFLiteImporter.load(bytes: damaged)
                } catch {
                    XCTAssert(error is TFLiteFileError || error is GraphProblems, "byte \(position): \(error)")
                }
            }
        }
    }

    func testFlippedBytesOfOperatorCasesNeverCrash() {
        var generator = CaseGenerator("operator flips")
        for item in TFLiteOperatorCase.all {
            let bytes = item.model.bytes()
            for _ in 0..<20 {
                var damaged = bytes
                damaged[Int(generator.next()) % damaged.count] = UInt8(truncatingIfNeeded: generator.next())
                _ = try? TFLiteImporter.load(bytes: damaged)
            }
        }
    }

    func testErrorsNameWhatIsWrong() throws {
        func text(_ bytes: [UInt8]) -> String {
            do {
                _ = try TFLiteImporter.load(bytes: bytes)
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        XCTAssertEqual(
            text([]),
            "byte 4: expected the identifier \"TFL3\", found []. Is this a .tflite file, whole and uncompressed?")
        var model = Self.smallModel()
        model.version = 2
        XCTAssert(text(model.bytes()).hasSuffix("expected schema version 3, found 2."), text(model.bytes()))
        XCTAssertEqual(
            text([0xff, 0xff, 0, 0] + Array("TFL3".utf8)),
            "model at byte 65535: expected 4 bytes, found 0. The file is truncated or damaged.")
        model = Self.smallModel()
        model.outputs = [99]
        XCTAssert(text(model.bytes()).contains("outputs of subgraph 0"), text(model.bytes()))
        XCTAssertThrowsError(try TFLiteImporter.load(path: "/nonexistent/model.tflite")) { error in
            XCTAssert("\(error)".hasPrefix("/nonexistent/model.tflite: expected a readable file"), "\(error)")
        }
    }

    /// FlexBuffers maps as written by flexbuffers' own builder, whole and damaged.
    func testDetectionOptions() throws {
        let options = Self.detectionOptions
        let graph = try TFLiteImporter.load(bytes: Self.detection(options).bytes())
        let op = try XCTUnwrap(graph.nodes.last?.op as? DetectionPostProcess)
        XCTAssertEqual(
            op,
            DetectionPostProcess(
                maxDetections: 3, maxClassesPerDetection: 1, detectionsPerClass: 100, usesRegularNMS: false,
                scoreThreshold: 0.25, iouThreshold: 0.5, classCount: 2, yScale: 10, xScale: 10, hScale: 5, wScale: 5))
        for count in 0..<options.count {
            XCTAssertThrowsError(
                try TFLiteImporter.load(bytes: Self.detection(Array(options[..<count])).bytes()), "\(count) bytes")
        }
        var generator = CaseGenerator("flex")
        for _ in 0..<500 {
            var damaged = options
            damaged[Int(generator.next()) % damaged.count] = UInt8(truncatingIfNeeded: generator.next())
            _ = try? TFLiteImporter.load(bytes: Self.detection(damaged).bytes())
        }
    }

    /// A FlexBuffers map of one-byte integers and four-byte floats, keys sorted.
    static let detectionOptions: [UInt8] = {
        let integers: [(String, Int32)] = [
            ("max_classes_per_detection", 1), ("max_detections", 3), ("num_classes", 2), ("use_regular_nms", 0),
        ]
        let reals: [(String, Float)] = [
            ("h_scale", 5), ("nms_iou_threshold", 0.5), ("nms_score_threshold", 0.25), ("w_scale", 5), ("x_scale", 10),
            ("y_scale", 10),
        ]
        var entries = integers.map { ($0.0, UInt32(bitPattern: $0.1), UInt8(1 << 2 | 2)) }
        entries += reals.map { ($0.0, $0.1.bitPattern, UInt8(3 << 2 | 2)) }
        entries.sort { $0.0 < $1.0 }
        var bytes: [UInt8] = []
        var positions: [Int] = []
        for (key, _, _) in entries {
            positions.append(bytes.count)
            bytes += Array(key.utf8) + [0]
        }
        while bytes.count % 4 != 0 { bytes.append(0) }
        func append(_ value: UInt32) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
        append(UInt32(entries.count))
        let keys = bytes.count
        for position in positions { append(UInt32(bytes.count - position)) }
        append(UInt32(bytes.count - keys))
        append(4)
        append(UInt32(entries.count))
        let values = bytes.count
        for (_, value, _) in entries { append(value) }
        bytes += entries.map(\.2)
        return bytes + [UInt8(bytes.count - values), 9 << 2 | 2, 1]
    }()

    static func detection(_ options: [UInt8]) -> TFLiteModelWriter {
        var model = TFLiteModelWriter()
        let boxes = model.add(.float([1, 6, 4]).named("boxes"))
        let scores = model.add(.float([1, 6, 3]).named("scores"))
        let anchors = model.add(
            .floats((0..<6).flatMap { [Float($0) / 6, Float($0) / 6, 0.2, 0.3] }, [6, 4]))
        model.inputs = [boxes, scores]
        model.outputs = model.add(
            32, custom: "TFLite_Detection_PostProcess", [boxes, scores, anchors],
            to: [.float([]), .float([]), .float([]), .float([])], customOptions: options)
        return model
    }
}
