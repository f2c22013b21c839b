import CKernels

/// How the output pixels of a convolution are cut into rectangles whose pixels read the same taps, so that taps in the
/// padding are not multiplied: rows at the top and bottom where part of the kernel lies outside, then such columns at the
/// left and right of the rows between them, then what is left. Each tap that is left out would have read the input zero
/// point, whose product with its weight is added instead. Rows keep the taps that only some of their pixels leave out.
struct TileRegions: Sendable {
    /// A rectangle of output pixels, and one of the kernel's taps.
    struct Region {
        var y: Int
        var x: Int
        var height: Int
        var width: Int
        var firstY: Int
        var kernelHeight: Int
        var firstX: Int
        var kernelWidth: Int

        var pixels: Int { height * width }
        var taps: Int { kernelHeight * kernelWidth }
    }

    /// Rows and columns of outputs that are regions of their own; none where the image is one region.
    private let top: Int
    private let bottom: Int
    private let left: Int
    private let right: Int
    let count: Int
    /// Whether a region leaves taps out.
    let leavesTapsOut: Bool

    /// Most regions.
    static let maximumCount = Int(SWIFTLET_TILE_RUNS)

    /// The whole image with all taps.
    init() { (top, bottom, left, right, count, leavesTapsOut) = (0, 0, 0, 0, 1, false) }

    /// Nil where `maximumCount` are too few, or nothing is to be left out.
    init?(_ g: ConvolutionGeometry) {
        guard !g.isTransposed else { return nil }
        (top, bottom) = Axis.rows(g).borders
        (left, right) = Axis.columns(g).borders
        let rows = g.outputHeight - top - bottom
        let columns = g.outputWidth - left - right
        count = top + bottom + (rows > 0 ? left + right + (columns > 0 ? 1 : 0) : 0)
        leavesTapsOut = top + bottom + left + right > 0
        if !leavesTapsOut || count > TileRegions.maximumCount { return nil }
    }

    /// Rows or columns of a convolution.
    private struct Axis {
        let outputs: Int
        let taps: Int
        let stride: Int
        let dilation: Int
        let pad: Int
        let inputs: Int

        static func rows(_ g: ConvolutionGeometry) -> Axis {
            Axis(
                outputs: g.outputHeight, taps: g.kernelHeight, stride: g.strideY, dilation: g.dilationY, pad: g.padTop,
                inputs: g.inputHeight)
        }

        static func columns(_ g: ConvolutionGeometry) -> Axis {
            Axis(
                outputs: g.outputWidth, taps: g.kernelWidth, stride: g.strideX, dilation: g.dilationX, pad: g.padLeft,
                inputs: g.inputWidth)
        }

        /// How many outputs at both ends have taps outside the input; each output counts once.
        var borders: (first: Int, last: Int) {
            var first = 0
            while first < outputs && inside(first).count < taps { first += 1 }
            var last = 0
            while last < outputs - first && inside(outputs - 1 - last).count < taps { last += 1 }
            return (first, last)
        }

        /// The taps of an output that lie inside the input; one where none does.
        func inside(_ output: Int) -> Range<Int> {
            let start = output * stride - pad
            let first = start < 0 ? (-start + dilation - 1) / dilation : 0
            let end = start < inputs ? min((inputs - start + dilation - 1) / dilation, taps) : 0
            return first < end ? first..<end : 0..<1
        }
    }

    func region(_ index: Int, _ g: ConvolutionGeometry) -> Region {
        var region = Region(
            y: 0, x: 0, height: g.outputHeight, width: g.outputWidth, firstY: 0, kernelHeight: g.kernelHeight, firstX: 0,
            kernelWidth: g.kernelWidth)
        if index < top + bottom {
            region.y = index < top ? index : g.outputHeight - bottom + (index - top)
            region.height = 1
            let taps = Axis.rows(g).inside(region.y)
            (region.firstY, region.kernelHeight) = (taps.lowerBound, taps.count)
            return region
        }
        region.y = top
        region.height = g.outputHeight - top - bottom
        let column = index - top - bottom
        if column < left + right {
            region.x = column < left ? column : g.outputWidth - right + (column - left)
            region.width = 1
            let taps = Axis.columns(g).inside(region.x)
            (region.firstX, region.kernelWidth) = (taps.lowerBound, taps.count)
            return region
        }
        region.x = left
        region.width = g.outputWidth - left - right
        return region
    }

    /// What all regions cost by instructions of SDOT, of one panel: an estimate.
    func cost(_ g: ConvolutionGeometry) -> Int {
        var sum = 0
        for index in 0..<count {
            let region = region(index, g)
            let (tiles, rest) = region.pixels.quotientAndRemainder(dividingBy: 8)
            let fours = region.taps * Packing.quads(g) / 4
            sum += tiles * (68 * fours + 110) + (rest > 0 ? (8 * rest + 5) * fours + 180 : 0) + 50
        }
        return sum
    }
}
