import Glibc
import XCTest

@testable import Graph

final class DetectionTests: XCTestCase {
    /// Three anchors: the second overlaps the first, the third lies apart.
    private let anchors = floats([0.5, 0.5, 1, 1, 0.5, 0.55, 1, 1, 5, 5, 2, 2], [3, 4])
    private let noOffsets = floats([Float](repeating: 0, count: 12), [1, 3, 4])

    private func op(regular: Bool = false, perBox: Int = 1, detections: Int = 3) -> DetectionPostProcess {
        DetectionPostProcess(
            maxDetections: detections, maxClassesPerDetection: perBox, usesRegularNMS: regular, scoreThreshold: 0.3,
            iouThreshold: 0.5, classCount: 2, yScale: 10, xScale: 10, hScale: 5, wScale: 5)
    }

    func testFastDetections() throws {
        // A background class first; box 2 is below the threshold but for class 1.
        let scores = floats([0.9, 0.4, 0.7, 0.9, 0.8, 0.1, 0.9, 0.1, 0.5], [1, 3, 3])
        let found = try outputs(of: op(), [noOffsets, scores, anchors])
        assertClose(found[0], [0, 0.05, 1, 1.05, 4, 4, 6, 6, 0, 0, 0, 0], shape: [1, 3, 4])
        assertClose(found[1], [0, 1, 0])
        assertClose(found[2], [0.8, 0.5, 0])
        assertClose(found[3], [2])
        let two = try outputs(of: op(perBox: 2), [noOffsets, scores, anchors])
        assertClose(two[1], [0, 1, 1, 0, 0, 0])
        assertClose(two[2], [0.8, 0.1, 0.5, 0.1, 0, 0])
        assertClose(two[3], [2])
    }

    func testRegularDetections() throws {
        let scores = floats([0.4, 0.7, 0.8, 0.6, 0.1, 0.5], [1, 3, 2])
        let found = try outputs(of: op(regular: true), [noOffsets, scores, anchors])
        // Class by class box 1 and box 0 survive side by side.
        assertClose(found[2], [0.8, 0.7, 0.5])
        assertClose(found[1], [0, 1, 1])
        assertClose(found[3], [3])
        assertClose(try outputs(of: op(regular: true, detections: 2), [noOffsets, scores, anchors])[2], [0.8, 0.7])
    }

    func testBoxDecoding() throws {
        let offsets = floats([1, -2, 5 * logf(2), 0] + [Float](repeating: 0, count: 8), [1, 3, 4])
        let scores = floats([1, 0, 0, 0, 0, 0], [1, 3, 2])
        let found = try output(of: op(), [offsets, scores, anchors])
        // Centre (0.6, 0.3), twice as high.
        assertClose(floats(Array(found.floats[..<4]), [4]), [-0.4, -0.2, 1.6, 0.8])
        assertRefused(op(), [noOffsets, scores, anchors.reshaped([4, 3])], subject: "input 2 (anchors)")
        assertRefused(op(), [noOffsets, scores.reshaped([1, 6, 1]), anchors], subject: "input 1 (class scores)")
    }

    func testNonMaxSuppression() throws {
        let boxes = floats([0, 0, 1, 1, 1, 1.1, 0, 0.1, 0, 5, 1, 6], [1, 3, 4])
        let scores = floats([0.5, 0.9, 0.6, 0.9, 0.2, 0.9], [1, 2, 3])
        func run(_ limit: Int?, _ iou: Float?, _ threshold: Float?) throws -> [Int] {
            try output(
                of: NonMaxSuppression(),
                [
                    boxes, scores, limit.map { ints([$0]) }, iou.map { floats([$0], [1]) },
                    threshold.map { floats([$0], [1]) },
                ]
            ).integers
        }
        XCTAssertEqual(try run(3, 0.5, 0.3), [0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 2])
        XCTAssertEqual(try run(1, 0.5, 0.3), [0, 0, 1, 0, 1, 0])
        XCTAssertEqual(try run(3, 0.9, 0.8), [0, 0, 1, 0, 1, 0, 0, 1, 2])
        XCTAssertEqual(try run(nil, nil, nil), [])
        let centred = floats([0.5, 0.5, 1, 1, 0.6, 0.5, 1, 1, 5.5, 0.5, 1, 1], [1, 3, 4])
        let found = try output(
            of: NonMaxSuppression(usesCenters: true),
            [centred, scores.sliced(axis: 1, 0..<1), ints([3]), floats([0.5], [1])])
        assertIntegers(found, [0, 0, 1, 0, 0, 2], shape: [2, 3])
        assertRefused(NonMaxSuppression(), [boxes.reshaped([1, 4, 3]), scores], subject: "input 0 (boxes)")
    }

    func testRoiAlign() throws {
        // A ramp: bilinear samples of it are exact.
        let x = floats((0..<64).map { Float($0 / 8 * 10 + $0 % 8) }, [1, 1, 8, 8])
        var op = RoiAlign(outputHeight: 2, outputWidth: 2, samplingRatio: 2, spatialScale: 0.5)
        let (rois, batch) = (floats([4, 4, 12, 8], [1, 4]), Tensor([Int64(0)], shape: [1]))
        // x from 1.5 to 5.5, y from 1.5 to 3.5: bin centres at 2.5, 4.5 and 2, 3.
        assertClose(try output(of: op, [x, rois, batch]), [22.5, 24.5, 32.5, 34.5], shape: [1, 1, 2, 2])
        op.halfPixel = false
        assertClose(try output(of: op, [x, rois, batch]), [28, 30, 38, 40])
        op.layout = .channelsLast
        assertClose(try output(of: op, [x.channelsLast, rois, batch]), [28, 30, 38, 40], shape: [1, 2, 2, 1])
        let outside = RoiAlign(samplingRatio: 1, halfPixel: false)
        assertClose(try output(of: outside, [x, floats([100, 100, 101, 101], [1, 4]), batch]), [0])
        assertRefused(op, [x, rois, Tensor([Int64(1)], shape: [1])], subject: "input 2 (batch indices)")
        assertRefused(op, [x, floats([1, 2, 3], [1, 3]), batch], subject: "input 1 (rois)")
    }

    func testGridSample() throws {
        let x = floats([1, 2, 3, 4], [1, 1, 4])
        func sample(_ op: GridSample, _ points: [Float]) throws -> Tensor {
            try output(of: op, [x, floats(points, [1, points.count, 1])])
        }
        assertClose(try sample(GridSample(alignCorners: true), [-1, 0, 1, 1 + 1.0 / 3]), [1, 2.5, 4, 2])
        assertClose(try sample(GridSample(), [-1, -0.75, 0, 1]), [0.5, 1, 2.5, 2])
        assertClose(try sample(GridSample(paddingMode: .border), [-9, 9]), [1, 4])
        assertClose(try sample(GridSample(paddingMode: .reflection), [-1.25, 1.75]), [1, 3])
        assertClose(try sample(GridSample(mode: .nearest), [-0.7, -0.25, 0.2, 5]), [1, 2, 3, 0])
        let cubic = GridSample(mode: .cubic, paddingMode: .border, alignCorners: true)
        assertClose(try sample(cubic, [-1.0 / 3, 0]), [2, 2.5])
        // Two axes: the grid gives the innermost coordinate first.
        let image = floats((0..<6).map(Float.init), [1, 1, 2, 3])
        let grid = floats([1, -1, -1, 1], [1, 1, 2, 2])
        var op = GridSample(alignCorners: true)
        assertClose(try output(of: op, [image, grid]), [2, 3], shape: [1, 1, 1, 2])
        op.layout = .channelsLast
        assertClose(try output(of: op, [image.channelsLast, grid]), [2, 3], shape: [1, 1, 2, 1])
        let volume = floats((0..<8).map(Float.init), [1, 1, 2, 2, 2])
        let centre = try output(of: GridSample(alignCorners: true), [volume, floats([0, 0, 0], [1, 1, 1, 1, 3])])
        assertClose(centre, [3.5], shape: [1, 1, 1, 1, 1])
        assertRefused(op, [image, floats([0], [1, 1, 1, 1])], subject: "input 1 (grid)")
    }
}
