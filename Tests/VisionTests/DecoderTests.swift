import NestFormat
import XCTest

@testable import Vision

final class DecoderTests: XCTestCase {
    private func port(_ shape: [Int], type: DeviceType = .float32, permutation: [Int]? = nil, scale: Float = 0, zeroPoint: Int32 = 0) -> PortDescriptor {
        PortDescriptor(
            name: "output", shape: shape, externalType: type, storedType: type, arenaOffset: 0,
            permutation: permutation ?? Array(shape.indices), scale: scale, zeroPoint: zeroPoint)
    }

    /// A picture that is the network's input, pixel for pixel.
    private func same(_ width: Int, _ height: Int) -> Placement {
        Placement(Preprocess(width: width, height: height), sourceWidth: width, sourceHeight: height)
    }

    private func decode(_ decoder: Decoder, _ tensors: [[Float]], _ placement: Placement) {
        let bytes = tensors.map { values in values.withUnsafeBytes { Array($0) } }
        let memory = bytes.map { bytes -> UnsafeMutableRawBufferPointer in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
            copy.copyBytes(from: bytes)
            return copy
        }
        defer { memory.forEach { $0.deallocate() } }
        decoder.decode(placement: placement) { UnsafeRawBufferPointer(memory[$0]) }
    }

    private func decode(_ decoder: Decoder, _ codes: [Int8], _ placement: Placement) {
        codes.withUnsafeBytes { bytes in decoder.decode(placement: placement) { _ in bytes } }
    }

    // MARK: Classes

    func testTopClassesOfCodes() throws {
        let decoder = try Decoder(
            .classification(topK: 3, softmax: false), outputs: [port([1, 5], type: .int8, scale: 0.5, zeroPoint: -10)],
            inputWidth: 8, inputHeight: 8)
        decode(decoder, [1, 7, -128, 7, 127], same(8, 8))
        XCTAssertEqual(decoder.classes.map(\.classIndex), [4, 1, 3])
        XCTAssertEqual(decoder.classes.map(\.score), [68.5, 8.5, 8.5])
    }

    func testSoftmaxAndFewClasses() throws {
        let decoder = try Decoder(
            .classification(topK: 9, softmax: true), outputs: [port([1, 3, 1, 1], permutation: [0, 2, 3, 1])],
            inputWidth: 8, inputHeight: 8)
        decode(decoder, [[100, 101, .nan]], same(8, 8))
        XCTAssertEqual(decoder.classes[0].classIndex, 1)
        let finite = try Decoder(
            .classification(topK: 9, softmax: true), outputs: [port([3])], inputWidth: 8, inputHeight: 8)
        decode(finite, [[1000, 1001, 1000]], same(8, 8))
        XCTAssertEqual(finite.classes.map(\.classIndex), [1, 0, 2])
        let e = exp(1.0)
        XCTAssertEqual(finite.classes[0].score, Float(e / (e + 2)), accuracy: 1e-6)
        XCTAssertEqual(finite.classes.reduce(0) { $0 + $1.score }, 1, accuracy: 1e-6)
    }

    // MARK: Detections

    func testSSDWithNonMaximumSuppression() throws {
        // Two overlapping boxes of class 1, one of class 0 at the same place, one below the threshold.
        let anchors: [Float] = [0.5, 0.5, 0.4, 0.2, 0.5, 0.52, 0.4, 0.2, 0.5, 0.5, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
        let ssd = SSDDecoding(
            boxesOutput: 0, scoresOutput: 1, classCount: 2, hasBackground: true, sigmoid: true, yScale: 10, xScale: 10,
            hScale: 5, wScale: 5, scoreThreshold: 0.5, iouThreshold: 0.5, maxDetections: 10, linearSizes: false,
            anchors: anchors)
        let decoder = try Decoder(
            .ssd(ssd), outputs: [port([1, 4, 4]), port([1, 4, 3])], inputWidth: 200, inputHeight: 100)
        let encodings: [Float] = [1, 2, 5 * Float(log(2.0)), 0] + [0, 0, 0, 0] + [0, 0, 0, 0] + [0, 0, 0, 0]
        let scores: [Float] = [9, 0, 1] + [0, -1, 2] + [5, 1.5, 1] + [0, -1, -2]
        decode(decoder, [encodings, scores], same(200, 100))
        XCTAssertEqual(decoder.detections.map(\.classIndex), [1, 0, 1])
        let sigmoid = { (x: Double) in Float(1 / (1 + exp(-x))) }
        XCTAssertEqual(decoder.detections[0].score, sigmoid(2), accuracy: 1e-6)
        XCTAssertEqual(decoder.detections[0].xMin, 0.42, accuracy: 1e-5)
        XCTAssertEqual(decoder.detections[0].yMax, 0.7, accuracy: 1e-5)
        // Centre y .5 + 1/10·.4, x .5 + 2/10·.2; height .4·2: IoU with the first is .5/… below the threshold.
        XCTAssertEqual(decoder.detections[2].yMin, 0.14, accuracy: 1e-5)
        XCTAssertEqual(decoder.detections[2].xMax, 0.64, accuracy: 1e-5)
    }

    func testLinearSSD() throws {
        let ssd = SSDDecoding(
            boxesOutput: 0, scoresOutput: 1, classCount: 1, hasBackground: false, sigmoid: false, yScale: 128,
            xScale: 128, hScale: 128, wScale: 128, scoreThreshold: 0.5, iouThreshold: 0.3, maxDetections: 5,
            linearSizes: true, anchors: [0.25, 0.75, 1, 1])
        let decoder = try Decoder(
            .ssd(ssd), outputs: [port([1, 1, 16]), port([1, 1, 1])], inputWidth: 128, inputHeight: 128)
        decode(decoder, [[-16, 8, 32, 64] + [Float](repeating: 0, count: 12), [0.9]], same(128, 128))
        let box = decoder.detections[0]
        XCTAssertEqual([box.xMin, box.yMin, box.xMax, box.yMax], [0.5, 0.0625, 0.75, 0.5625])
    }

    func testYOLOXGridAndLetterbox() throws {
        let yolo = YOLODecoding(version: .yolox, classCount: 2, strides: [8, 16], scoreThreshold: 0.3)
        let cells = 16 + 4
        let decoder = try Decoder(.yolo(yolo), outputs: [port([1, cells, 7])], inputWidth: 32, inputHeight: 32)
        var head = [Float](repeating: 0, count: cells * 7)
        // Stride 8, cell (x 2, y 1); stride 16, cell (1, 1).
        head.replaceSubrange((4 + 2) * 7..<(4 + 2) * 7 + 7, with: [0.5, 0.5, 0, Float(log(2.0)), 0.9, 0.1, 0.8])
        head.replaceSubrange((16 + 3) * 7..<(16 + 3) * 7 + 7, with: [0, 0, 0, 0, 0.5, 0.9, 0])
        // A 64 × 32 picture in a 32 × 32 letterbox: half size, the upper half.
        let placement = Placement(
            Preprocess(width: 32, height: 32, fit: .letterboxTopLeft), sourceWidth: 64, sourceHeight: 32)
        decode(decoder, [head], placement)
        XCTAssertEqual(decoder.detections.map(\.classIndex), [1, 0])
        let box = decoder.detections[0]
        XCTAssertEqual(box.score, 0.72, accuracy: 1e-6)
        // Centre (20, 12), 8 × 16 in the input: doubled in the picture.
        XCTAssertEqual(box.xMin, 32 / 64, accuracy: 1e-6)
        XCTAssertEqual(box.xMax, 48 / 64, accuracy: 1e-6)
        XCTAssertEqual(box.yMin, 8 / 32, accuracy: 1e-6)
        XCTAssertEqual(box.yMax, 1, accuracy: 1e-6)
    }

    func testYOLOv5AnchorsAndV8Transposed() throws {
        let v5 = YOLODecoding(
            version: .v5, classCount: 1, strides: [16], anchors: [10, 20, 30, 40], sigmoid: true, scoreThreshold: 0.2)
        let decoder = try Decoder(.yolo(v5), outputs: [port([1, 8, 6])], inputWidth: 32, inputHeight: 32)
        var head = [Float](repeating: -20, count: 8 * 6)
        // Second anchor, cell (0, 1): everything at sigmoid 0.5.
        head.replaceSubrange((4 + 2) * 6..<(4 + 2) * 6 + 6, with: [0, 0, 0, 0, 20, 20])
        decode(decoder, [head], same(32, 32))
        XCTAssertEqual(decoder.detections.count, 1)
        let box = decoder.detections[0]
        // Centre (0.5 · 16, 1.5 · 16), 30 × 40, cut at the edges.
        XCTAssertEqual([box.xMin, box.xMax, box.yMax], [0, 23.0 / 32, 1])
        XCTAssertEqual(box.yMin, 4.0 / 32)

        let v8 = YOLODecoding(version: .v8, classCount: 2, strides: [8], scoreThreshold: 0.2)
        let second = try Decoder(.yolo(v8), outputs: [port([1, 6, 3])], inputWidth: 100, inputHeight: 100)
        let rows: [[Float]] = [[50, 0, 0], [40, 0, 0], [20, 0, 0], [10, 0, 0], [0.1, 0, 0], [0.7, 0, 0.1]]
        decode(second, [rows.flatMap { $0 }], same(100, 100))
        XCTAssertEqual(second.detections.count, 1)
        XCTAssertEqual(second.detections[0].classIndex, 1)
        XCTAssertEqual(second.detections[0].xMin, 0.4)
        XCTAssertEqual(second.detections[0].yMax, 0.45)
    }

    func testAnchorFreeBins() throws {
        let decoding = AnchorFreeDecoding(
            levels: [.init(stride: 8, scoresOutput: 0, boxesOutput: 1)], classCount: 1, distanceBins: 4, sigmoid: false)
        let decoder = try Decoder(
            .anchorFree(decoding), outputs: [port([4, 1]), port([4, 16])], inputWidth: 16, inputHeight: 16)
        var boxes = [Float](repeating: 0, count: 64)
        // Cell 3: left all in bin 1, top even (1.5), right all in bin 0, bottom all in bin 0.
        boxes.replaceSubrange(48..<64, with: [0, 50, 0, 0, 7, 7, 7, 7, 50, 0, 0, 0, 50, 0, 0, 0])
        decode(decoder, [[0.1, 0.2, 0.3, 0.9], boxes], same(16, 16))
        XCTAssertEqual(decoder.detections.count, 1)
        XCTAssertEqual(decoder.detections[0].xMin, 4.0 / 16, accuracy: 1e-6)
        XCTAssertEqual(decoder.detections[0].yMin, 0)
        XCTAssertEqual(decoder.detections[0].xMax, 12.0 / 16, accuracy: 1e-6)
    }

    func testTFLiteDetections() throws {
        let outputs = [port([1, 3, 4]), port([1, 3]), port([1, 3]), port([1])]
        let decoder = try Decoder(
            .tfliteDetections(scoreThreshold: 0.4), outputs: outputs, inputWidth: 10, inputHeight: 10)
        let boxes: [Float] = [0.1, 0.2, 0.3, 0.4] + [-1, -1, 2, 2] + [0, 0, 1, 1]
        decode(decoder, [boxes, [5, 6, 7], [0.9, 0.5, 0.8], [2]], same(10, 10))
        XCTAssertEqual(decoder.detections.map(\.classIndex), [5, 6])
        XCTAssertEqual(decoder.detections[0].xMin, 0.2)
        XCTAssertEqual(decoder.detections[0].yMax, 0.3)
        XCTAssertEqual(decoder.detections[1].xMax, 1)
        // A count that is not sensible reads no further than the rows.
        decode(decoder, [boxes, [5, 6, 7], [0.9, 0.5, 0.8], [1e9]], same(10, 10))
        XCTAssertEqual(decoder.detections.count, 3)
        decode(decoder, [boxes, [5, 6, 7], [0.9, 0.5, 0.8], [.nan]], same(10, 10))
        XCTAssertEqual(decoder.detections.count, 0)
    }

    /// Against a direct implementation on random boxes.
    func testSuppressionAgainstDirectImplementation() throws {
        var generator = TestGenerator(seed: 21)
        for _ in 0..<20 {
            let cells = 60
            let yolo = YOLODecoding(
                version: .v8, classCount: 3, strides: [8], scoreThreshold: 0.3, iouThreshold: 0.4, maxDetections: 12)
            let decoder = try Decoder(.yolo(yolo), outputs: [port([7, cells])], inputWidth: 64, inputHeight: 64)
            var head = [Float](repeating: 0, count: 7 * cells)
            for cell in 0..<cells {
                for row in 0..<2 { head[row * cells + cell] = Float(Int.random(in: 20...44, using: &generator)) }
                for row in 2..<4 { head[row * cells + cell] = Float(Int.random(in: 2...18, using: &generator)) }
                // Few different scores: ties.
                for row in 4..<7 { head[row * cells + cell] = Float(Int.random(in: 0...5, using: &generator)) / 5 }
            }
            var left: [(Int, Int, Float, [Float])] = []
            for cell in 0..<cells {
                let scores = (4..<7).map { head[$0 * cells + cell] }
                let best = scores.firstIndex(of: scores.max()!)!
                guard scores[best] >= 0.3 else { continue }
                let (x, y) = (head[cell], head[cells + cell])
                let (w, h) = (head[2 * cells + cell], head[3 * cells + cell])
                left.append((cell, best, scores[best], [x - w / 2, y - h / 2, x + w / 2, y + h / 2]))
            }
            left.sort { $0.2 != $1.2 ? $0.2 > $1.2 : $0.0 < $1.0 }
            var kept: [(Int, Int, Float, [Float])] = []
            for candidate in left where kept.count < 12 {
                let isCovered = kept.contains { other in
                    guard other.1 == candidate.1 else { return false }
                    let (a, b) = (other.3, candidate.3)
                    let width = min(a[2], b[2]) - max(a[0], b[0])
                    let height = min(a[3], b[3]) - max(a[1], b[1])
                    guard width > 0, height > 0 else { return false }
                    let area = { (box: [Float]) in (box[2] - box[0]) * (box[3] - box[1]) }
                    return width * height / (area(a) + area(b) - width * height) > 0.4
                }
                if !isCovered { kept.append(candidate) }
            }
            decode(decoder, [head], same(64, 64))
            XCTAssertEqual(decoder.detections.map(\.classIndex), kept.map(\.1))
            XCTAssertEqual(decoder.detections.map { $0.xMin * 64 }, kept.map { $0.3[0] })
        }
    }

    // MARK: Masks

    func testSegmentationOfCodesAndLabels() throws {
        let scores = try Decoder(
            .segmentation(threshold: 0), outputs: [port([1, 2, 3, 2], type: .int8, scale: 1)], inputWidth: 6, inputHeight: 4)
        decode(scores, [5, 4, 1, 2, 1, 2, 3, 3, -1, 0, 7, -7], same(6, 4))
        XCTAssertEqual(scores.maskRuns.map { [$0.classIndex, $0.length] }, [[0, 1], [1, 2], [0, 1], [1, 1], [0, 1]])
        XCTAssertEqual(Array(scores.maskPixelCounts), [3, 3])
        XCTAssertEqual([scores.maskWidth, scores.maskHeight], [3, 2])

        let binary = try Decoder(
            .segmentation(threshold: 0.5), outputs: [port([1, 2, 2])], inputWidth: 2, inputHeight: 2)
        decode(binary, [[0.5, 0.4, 0.9, .nan]], same(2, 2))
        XCTAssertEqual(binary.maskRuns.map { [$0.classIndex, $0.length] }, [[1, 1], [0, 1], [1, 1], [0, 1]])
    }

    // MARK: Keypoints

    func testHeatMapCentroid() throws {
        // Channels first in the model, last in memory.
        let decoder = try Decoder(
            .keypoints(KeypointDecoding(form: .heatmaps)),
            outputs: [port([1, 2, 3, 4], permutation: [0, 2, 3, 1])], inputWidth: 40, inputHeight: 30)
        var maps = [Float](repeating: -1, count: 24)
        maps[(1 * 4 + 2) * 2] = 3
        maps[(1 * 4 + 3) * 2] = 1
        maps[(0 * 4 + 2) * 2] = 1
        maps[0 * 2 + 1] = -0.5
        decode(decoder, [maps], same(40, 30))
        let first = decoder.keypoints[0]
        XCTAssertEqual(first.score, 3)
        XCTAssertEqual(first.x, (2.5 * 4 + 3.5) / 5 / 4, accuracy: 1e-6)
        XCTAssertEqual(first.y, (1.5 * 4 + 0.5) / 5 / 3, accuracy: 1e-6)
        // All negative: the peak's own centre.
        let second = decoder.keypoints[1]
        XCTAssertEqual([second.x, second.y, second.score], [0.125, 0.5 / 3, -0.5])
    }

    func testGauge() throws {
        let gauge = KeypointDecoding.Gauge(centre: 0, tip: 1, min: 2, max: 3, minValue: 0, maxValue: 10, unit: "bar")
        let decoder = try Decoder(
            .keypoints(KeypointDecoding(form: .direct, scoreThreshold: 0.5, gauge: gauge)), outputs: [port([4, 3])],
            inputWidth: 200, inputHeight: 100)
        // A dial from lower left over the top to lower right: 270 degrees; y, x, score in a 2:1 picture.
        func reading(_ degrees: Double, score: Float = 0.9) -> GaugeReading? {
            func point(_ degrees: Double, _ score: Float) -> [Float] {
                let radians = degrees * Double.pi / 180
                return [Float(0.5 + 0.3 * sin(radians)), Float(0.5 + 0.15 * cos(radians)), score]
            }
            decode(decoder, [[0.5, 0.5, 0.9] + point(degrees, score) + point(135, 1) + point(45, 1)], same(200, 100))
            return decoder.gaugeReading
        }
        for (degrees, value) in [(135.0, 0.0), (270, 5), (180, 10.0 / 6), (45, 10), (0, 50.0 / 6)] {
            guard case .value(let found)? = reading(degrees) else { return XCTFail("no reading at \(degrees)") }
            XCTAssertEqual(found, Float(value), accuracy: 1e-3)
        }
        // In the gap the nearer end.
        XCTAssertEqual(reading(60), .value(10))
        XCTAssertEqual(reading(120), .value(0))
        XCTAssertEqual(reading(270, score: 0.4), .unreadable)
    }

    func testUnsuitableOutputsAreNamed() {
        XCTAssertThrowsError(
            try Decoder(
                .tfliteDetections(scoreThreshold: 0), outputs: [port([1, 3, 4])], inputWidth: 1, inputHeight: 1)
        ) { XCTAssertEqual($0 as? DecodingError, .missingOutput(index: 1, available: 1)) }
        XCTAssertThrowsError(
            try Decoder(
                .yolo(YOLODecoding(version: .yolox, classCount: 2, strides: [8])), outputs: [port([1, 15, 7])],
                inputWidth: 32, inputHeight: 32)
        ) {
            XCTAssertEqual(
                ($0 as? DecodingError)?.message,
                "output 'output': expected 16 cells of 7, found [1, 15, 7]; convert with another --decoding")
        }
    }
}

final class DeterministicMathTests: XCTestCase {
    func testAgainstTheSystem() {
        for i in -7000...7000 {
            let x = Double(i) / 10
            let (mine, theirs) = (DeterministicMath.exp(x), exp(x))
            XCTAssertEqual(mine, theirs, accuracy: theirs * 1e-14)
        }
        for i in 0..<720 {
            let angle = Double(i - 360) / 360 * Double.pi
            let (x, y) = (7 * cos(angle), 7 * sin(angle))
            XCTAssertEqual(DeterministicMath.atan2(y, x), atan2(y, x), accuracy: 1e-13)
        }
        XCTAssertEqual(DeterministicMath.exp(Double.infinity), .infinity)
        XCTAssertEqual(DeterministicMath.exp(-Double.infinity), 0)
        XCTAssertTrue(DeterministicMath.exp(Double.nan).isNaN)
        XCTAssertEqual(DeterministicMath.atan2(0, 0), 0)
        XCTAssertEqual(DeterministicMath.atan2(0, -1), Double.pi, accuracy: 1e-13)
    }
}

final class ResultWriterTests: XCTestCase {
    private func text(_ write: (inout JSONLine) -> Void) -> String {
        var line = JSONLine(capacity: 1 << 12)
        defer { line.deallocate() }
        write(&line)
        return String(decoding: line.bytes, as: UTF8.self)
    }

    func testNumbers() {
        let cases: [(Double, Int, String)] = [
            (0, 2, "0.00"), (-0.001, 2, "0.00"), (1.005, 1, "1.0"), (-1.25, 1, "-1.2"), (0.999, 2, "1.00"),
            (123456789012345, 3, "123456789012345.000"), (.nan, 1, "null"), (-.infinity, 1, "null"), (1e15, 1, "null"),
            (2.5, 0, "2"), (3.5, 0, "4"), (0.0625, 4, "0.0625"),
        ]
        for (value, decimals, expected) in cases {
            XCTAssertEqual(text { $0.value(value, decimals: decimals) }, expected)
        }
        XCTAssertEqual(text { $0.value(Int.min) }, "\(Int.min)")
        XCTAssertEqual(text { $0.value(Int.max) }, "\(Int.max)")
        XCTAssertEqual(text { $0.value(0) }, "0")
    }

    func testEscapesAndStructure() throws {
        let line = text {
            $0.beginObject()
            $0.key("a")
            $0.beginArray()
            $0.value(1)
            $0.beginArray()
            $0.endArray()
            $0.value("q\"\\\n\t\u{1}é")
            $0.null()
            $0.endArray()
            $0.key("b")
            $0.beginObject()
            $0.endObject()
            $0.endObject()
        }
        XCTAssertEqual(line, #"{"a":[1,[],"q\"\\\n\t\u0001é",null],"b":{}}"#)
        let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        XCTAssertEqual((parsed?["a"] as? [Any])?[2] as? String, "q\"\\\n\t\u{1}é")
    }

    /// The worst results fit the bound that the writer states.
    func testBound() throws {
        let port = PortDescriptor(
            name: "o", shape: [1, 64, 64], externalType: .float32, storedType: .float32, arenaOffset: 0,
            permutation: [0, 1, 2], scale: 0, zeroPoint: 0)
        let decoder = try Decoder(
            .segmentation(threshold: 0.5), outputs: [port], inputWidth: 64, inputHeight: 64)
        let checkers = (0..<4096).map { Float(($0 + $0 / 64) % 2) }
        checkers.withUnsafeBytes { bytes in
            decoder.decode(
                placement: Placement(Preprocess(width: 64, height: 64), sourceWidth: 9, sourceHeight: 7)
            ) { _ in bytes }
        }
        let writer = ResultWriter(labels: [String(repeating: "\u{1}", count: 40), "b"])
        var line = JSONLine(capacity: writer.maximumByteCount(decoder))
        defer { line.deallocate() }
        line.beginObject()
        writer.write(decoder, pictureWidth: 9, pictureHeight: 7, to: &line)
        line.endObject()
        let object = try JSONSerialization.jsonObject(with: Data(line.bytes)) as? [String: Any]
        let mask = object?["mask"] as? [String: Any]
        XCTAssertEqual((mask?["runs"] as? [Int])?.count, 2 * 4096 - 2 * 63)
    }
}
