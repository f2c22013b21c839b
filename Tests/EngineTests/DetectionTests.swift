import Foundation
import NestFormat
import XCTest

@testable import Engine

/// Suppression against a plain sort-and-filter on random boxes.
final class DetectionTests: XCTestCase {
    private struct Found: Equatable {
        var box: [Float], label: Int, score: Float
    }

    private func overlap(_ a: [Float], _ b: [Float]) -> Float {
        let (areaA, areaB) = ((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
        if areaA <= 0 || areaB <= 0 { return 0 }
        let common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        return common / (areaA + areaB - common)
    }

    private func keep(_ boxes: [[Float]], _ scores: [Float], _ threshold: Float, _ iou: Float, _ limit: Int) -> [Int] {
        let order = scores.indices.filter { scores[$0] >= threshold }.sorted {
            scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1)
        }
        var kept: [Int] = []
        for candidate in order where kept.count < limit {
            if kept.allSatisfy({ !(overlap(boxes[$0], boxes[candidate]) > iou) }) { kept.append(candidate) }
        }
        return kept
    }

    func testFastAndRegular() throws {
        for seed in 0..<24 {
            var r = Random(UInt64(seed) + 1)
            let regular = r.bool()
            let (anchors, classes, offset) = (r.int(1...40), r.int(1...4), r.int(0...1))
            let (limit, perAnchor, perClass) = (r.int(1...8), r.int(1...3), r.int(1...6))
            let rows = limit * perAnchor
            var b = ModelBuilder()
            let anchorBoxes: [Float] = (0..<anchors).flatMap { _ in
                [r.float(0...1), r.float(0...1), r.float(0.1...0.5), r.float(0.1...0.5)]
            }
            let (e, s) = (b.buffer(anchors * 16), b.buffer(anchors * (classes + offset) * 4))
            let outputs = [rows * 4, rows, rows, 1].map { ($0, b.buffer($0 * 4)) }
            let scratch = b.buffer(DetectionOperation.scratchByteCount(anchorCount: anchors, classCount: classes))
            b.add(
                .detection(
                    DetectionOperation(
                        anchorCount: anchors, classCount: classes, labelOffset: offset, maxDetections: limit,
                        maxClassesPerDetection: perAnchor, detectionsPerClass: perClass, usesRegularNMS: regular,
                        scoreThreshold: 0.2, iouThreshold: 0.4, yScale: 10, xScale: 10, hScale: 5, wScale: 5,
                        encodingsOffset: e, scoresOffset: s, anchorsOffset: b.store(anchorBoxes),
                        boxesOffset: outputs[0].1, classesOffset: outputs[1].1, detectionScoresOffset: outputs[2].1,
                        countOffset: outputs[3].1, scratchOffset: scratch)))
            b.input("e", [anchors, 4], .float32, offset: e)
            b.input("s", [anchors, classes + offset], .float32, offset: s)
            for (i, (count, place)) in outputs.enumerated() { b.output("o\(i)", [count], .float32, offset: place) }
            let encodings = r.floats(anchors * 4)
            // Few levels, so that scores are often equal.
            let scores = (0..<anchors * (classes + offset)).map { _ in Float(r.int(0...8)) / 8 }
            let boxes: [[Float]] = (0..<anchors).map { i in
                let (c, a) = (Array(encodings[4 * i..<4 * i + 4]), Array(anchorBoxes[4 * i..<4 * i + 4]))
                let (y, x) = (c[0] / 10 * a[2] + a[0], c[1] / 10 * a[3] + a[1])
                let h = 0.5 * Float(Foundation.exp(Double(c[2] / 5))) * a[2]
                let w = 0.5 * Float(Foundation.exp(Double(c[3] / 5))) * a[3]
                return [y - h, x - w, y + h, x + w]
            }
            func score(_ anchor: Int, _ label: Int) -> Float { scores[anchor * (classes + offset) + offset + label] }
            var expected: [Found] = []
            var count = 0
            if regular {
                for label in 0..<classes {
                    let row = (0..<anchors).map { score($0, label) }
                    expected += keep(boxes, row, 0.2, 0.4, perClass).map { Found(box: boxes[$0], label: label, score: row[$0]) }
                }
                let order = expected.indices.sorted {
                    expected[$0].score > expected[$1].score || (expected[$0].score == expected[$1].score && $0 < $1)
                }
                expected = order.prefix(limit).map { expected[$0] }
                count = expected.count
            } else {
                let best = (0..<anchors).map { a in (0..<classes).map { score(a, $0) }.max()! }
                let kept = keep(boxes, best, 0.2, 0.4, limit)
                count = kept.count
                for anchor in kept {
                    let labels = (0..<classes).sorted { score(anchor, $0) > score(anchor, $1) || (score(anchor, $0) == score(anchor, $1) && $0 < $1) }
                    expected += labels.prefix(perAnchor).map { Found(box: boxes[anchor], label: $0, score: score(anchor, $0)) }
                }
            }
            let session = try b.session(threadCount: 2)
            session.set(0, encodings)
            session.set(1, scores)
            session.run()
            XCTAssertEqual(session.floats(3), [Float(count)], "seed \(seed)")
            let (foundBoxes, labels, values) = (session.floats(0), session.floats(1), session.floats(2))
            for row in 0..<rows {
                if row < expected.count {
                    XCTAssertEqual(Array(foundBoxes[4 * row..<4 * row + 4]), expected[row].box, "seed \(seed)")
                    XCTAssertEqual(Int(labels[row]), expected[row].label, "seed \(seed) row \(row)")
                    XCTAssertEqual(values[row], expected[row].score, "seed \(seed)")
                } else {
                    XCTAssertEqual(foundBoxes[4 * row..<4 * row + 4] + [labels[row], values[row]], [0, 0, 0, 0, 0, 0])
                }
            }
        }
    }
}
