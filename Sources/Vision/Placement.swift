import NestFormat

/// Where a picture's pixels go in the network's input: the source box that is read, the size it is resized to, and where
/// the resized picture's top left corner lies in the input (negative when it is cut there).
public struct Placement: Sendable, Hashable {
    /// The source picture, pixels.
    public var sourceWidth: Int, sourceHeight: Int
    /// The box, in source pixels; real numbers in Float, as Pillow takes them.
    public var boxLeft: Float, boxTop: Float, boxRight: Float, boxBottom: Float
    /// The box's size after resizing, pixels.
    public var resizedWidth: Int, resizedHeight: Int
    public var offsetX: Int, offsetY: Int

    /// Rules (w × h source, W × H network input; real arithmetic in Double, Python's order of operations):
    /// - stretch: the whole picture becomes W × H.
    /// - resizeThenCenterCrop: the shorter side becomes S, the longer `Int(Double(S * longer) / Double(shorter))`; the cut
    ///   starts at the nearest integer (ties to even) of half the difference.
    /// - centerCropThenResize: box of the input's aspect ratio (W = H: the square of `cropFraction` × the shorter side),
    ///   centred, not rounded to pixels.
    /// - letterboxTopLeft: r = min(H / h, W / w); picture becomes `Int(w r)` × `Int(h r)`.
    /// - letterboxCenter: the same with nearest integers (ties to even), then floor of half the difference on the left and
    ///   above.
    /// No side of a resized picture is below 1 pixel.
    public init(_ preprocess: Preprocess, sourceWidth w: Int, sourceHeight h: Int) {
        precondition(w > 0 && h > 0)
        (sourceWidth, sourceHeight) = (w, h)
        (boxLeft, boxTop, boxRight, boxBottom) = (0, 0, Float(w), Float(h))
        (offsetX, offsetY) = (0, 0)
        let (width, height) = (preprocess.width, preprocess.height)
        switch preprocess.fit {
        case .stretch:
            (resizedWidth, resizedHeight) = (width, height)
        case .resizeThenCenterCrop:
            let side = preprocess.resizeShorterSide
            if w <= h {
                (resizedWidth, resizedHeight) = (side, max(1, Int(Double(side * h) / Double(w))))
            } else {
                (resizedWidth, resizedHeight) = (max(1, Int(Double(side * w) / Double(h))), side)
            }
            offsetX = -Int((Double(resizedWidth - width) / 2).rounded(.toNearestOrEven))
            offsetY = -Int((Double(resizedHeight - height) / 2).rounded(.toNearestOrEven))
        case .centerCropThenResize:
            let fraction = Double(preprocess.cropFraction)
            var (boxWidth, boxHeight): (Double, Double)
            if width == height {
                boxWidth = fraction * Double(min(w, h))
                boxHeight = boxWidth
            } else if w * height <= h * width {
                boxWidth = fraction * Double(w)
                boxHeight = boxWidth * Double(height) / Double(width)
            } else {
                boxHeight = fraction * Double(h)
                boxWidth = boxHeight * Double(width) / Double(height)
            }
            boxLeft = max(0, Float((Double(w) - boxWidth) / 2))
            boxTop = max(0, Float((Double(h) - boxHeight) / 2))
            boxRight = min(Float(w), Float((Double(w) + boxWidth) / 2))
            boxBottom = min(Float(h), Float((Double(h) + boxHeight) / 2))
            (resizedWidth, resizedHeight) = (width, height)
        case .letterboxCenter, .letterboxTopLeft:
            let ratio = min(Double(height) / Double(h), Double(width) / Double(w))
            let isCentred = preprocess.fit == .letterboxCenter
            let rule: FloatingPointRoundingRule = isCentred ? .toNearestOrEven : .towardZero
            resizedWidth = max(1, min(width, Int((Double(w) * ratio).rounded(rule))))
            resizedHeight = max(1, min(height, Int((Double(h) * ratio).rounded(rule))))
            if isCentred {
                (offsetX, offsetY) = ((width - resizedWidth) / 2, (height - resizedHeight) / 2)
            }
        }
    }

    /// From the network's input (x in 0 … 1 of its width) to the source picture, as a share of its width; not clamped.
    public func sourceX(ofInput x: Float, inputWidth: Int) -> Float {
        let share = (Double(x) * Double(inputWidth) - Double(offsetX)) / Double(resizedWidth)
        return Float((Double(boxLeft) + share * Double(boxRight - boxLeft)) / Double(sourceWidth))
    }

    /// As `sourceX`, for y and heights.
    public func sourceY(ofInput y: Float, inputHeight: Int) -> Float {
        let share = (Double(y) * Double(inputHeight) - Double(offsetY)) / Double(resizedHeight)
        return Float((Double(boxTop) + share * Double(boxBottom - boxTop)) / Double(sourceHeight))
    }
}

extension Preprocess {
    /// At which 1/d (1, 2, 4, 8) a JPEG of this size may be decoded: the largest at which the box that is read still has
    /// `scaledDecodeMargin` times the pixels that it is resized to, both ways. Always 1 with margin 0.
    public func jpegDenominator(sourceWidth: Int, sourceHeight: Int) -> Int {
        guard scaledDecodeMargin > 0, sourceWidth > 0, sourceHeight > 0 else { return 1 }
        let placement = Placement(self, sourceWidth: sourceWidth, sourceHeight: sourceHeight)
        let neededWidth = scaledDecodeMargin * Float(placement.resizedWidth)
        let neededHeight = scaledDecodeMargin * Float(placement.resizedHeight)
        var denominator = 8
        while denominator > 1 {
            if (placement.boxRight - placement.boxLeft) / Float(denominator) >= neededWidth,
                (placement.boxBottom - placement.boxTop) / Float(denominator) >= neededHeight
            {
                return denominator
            }
            denominator /= 2
        }
        return 1
    }
}
