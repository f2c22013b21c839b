import NestFormat
import XCTest

@testable import Vision

final class PlacementTests: XCTestCase {
    private func place(_ fit: Preprocess.Fit, _ w: Int, _ h: Int, to width: Int, _ height: Int, shorter: Int = 256) -> Placement {
        Placement(
            Preprocess(width: width, height: height, fit: fit, resizeShorterSide: shorter, cropFraction: 0.875),
            sourceWidth: w, sourceHeight: h)
    }

    func testResizeThenCenterCrop() {
        let wide = place(.resizeThenCenterCrop, 500, 375, to: 224, 224)
        XCTAssertEqual([wide.resizedWidth, wide.resizedHeight], [341, 256])
        // (341 - 224) / 2 = 58.5: the even neighbour.
        XCTAssertEqual([wide.offsetX, wide.offsetY], [-58, -16])
        let tall = place(.resizeThenCenterCrop, 333, 500, to: 224, 224)
        XCTAssertEqual([tall.resizedWidth, tall.resizedHeight], [256, 384])
        XCTAssertEqual([tall.offsetX, tall.offsetY], [-16, -80])
    }

    func testCenterCropIsNotRounded() {
        let square = place(.centerCropThenResize, 501, 375, to: 224, 224)
        XCTAssertEqual(square.boxRight - square.boxLeft, 0.875 * 375)
        XCTAssertEqual(square.boxLeft, (501 - 0.875 * 375) / 2)
        XCTAssertEqual(square.boxTop, 375 / 16)
        let flat = place(.centerCropThenResize, 400, 400, to: 200, 100)
        XCTAssertEqual([flat.boxLeft, flat.boxRight, flat.boxTop, flat.boxBottom], [25, 375, 112.5, 287.5])
    }

    func testLetterboxes() {
        let left = place(.letterboxTopLeft, 640, 427, to: 416, 416)
        XCTAssertEqual([left.resizedWidth, left.resizedHeight, left.offsetX, left.offsetY], [416, 277, 0, 0])
        let centre = place(.letterboxCenter, 640, 427, to: 416, 416)
        XCTAssertEqual([centre.resizedWidth, centre.resizedHeight, centre.offsetX, centre.offsetY], [416, 278, 0, 69])
        let thin = place(.letterboxCenter, 1000, 1, to: 32, 32)
        XCTAssertEqual([thin.resizedWidth, thin.resizedHeight], [32, 1])
    }

    /// Every input point maps to the source point that its pixel was made from, and back.
    func testMappingBack() {
        var generator = TestGenerator(seed: 5)
        for round in 0..<200 {
            let (w, h) = (Int.random(in: 1...900, using: &generator), Int.random(in: 1...900, using: &generator))
            let (width, height) = (Int.random(in: 8...200, using: &generator), Int.random(in: 8...200, using: &generator))
            let placement = place(
                Preprocess.Fit(rawValue: UInt8(round % 5))!, w, h, to: width, height, shorter: max(width, height))
            // The box's corners are where the resized picture's corners lie.
            let left = Float(placement.offsetX) / Float(width)
            let right = Float(placement.offsetX + placement.resizedWidth) / Float(width)
            XCTAssertEqual(placement.sourceX(ofInput: left, inputWidth: width) * Float(w), placement.boxLeft, accuracy: 0.01)
            XCTAssertEqual(placement.sourceX(ofInput: right, inputWidth: width) * Float(w), placement.boxRight, accuracy: 0.01)
            let top = Float(placement.offsetY) / Float(height)
            let bottom = Float(placement.offsetY + placement.resizedHeight) / Float(height)
            XCTAssertEqual(placement.sourceY(ofInput: top, inputHeight: height) * Float(h), placement.boxTop, accuracy: 0.01)
            XCTAssertEqual(
                placement.sourceY(ofInput: bottom, inputHeight: height) * Float(h), placement.boxBottom, accuracy: 0.01)
        }
    }

    func testScaledDecode() {
        var preprocess = Preprocess(width: 100, height: 100)
        func denominator(_ w: Int, _ h: Int) -> Int { preprocess.jpegDenominator(sourceWidth: w, sourceHeight: h) }
        XCTAssertEqual(denominator(399, 4000), 1)
        XCTAssertEqual(denominator(400, 400), 2)
        XCTAssertEqual(denominator(800, 1700), 4)
        XCTAssertEqual(denominator(1600, 1600), 8)
        XCTAssertEqual(denominator(16_000, 16_000), 8)
        preprocess.scaledDecodeMargin = 0
        XCTAssertEqual(denominator(16_000, 16_000), 1)
        preprocess.scaledDecodeMargin = 1
        preprocess.fit = .centerCropThenResize
        preprocess.cropFraction = 0.5
        XCTAssertEqual(denominator(400, 4000), 2)
    }
}
