import CKernels

extension Convolution {
    /// Tiles along an axis: some of four outputs, then some of three.
    struct WinogradAxis: Sendable {
        let fours: Int
        let threes: Int

        init(_ outputs: Int) {
            let count = (outputs + 3) / 4
            threes = min(count, 4 * count - outputs)
            fours = count - threes
        }

        var count: Int { fours + threes }

        /// Values that are multiplied: six for four outputs, five for three.
        var products: Int { 6 * fours + 5 * threes }

        /// The first output of a tile, and how many it has.
        @inline(__always)
        func tile(_ index: Int) -> (start: Int, count: Int) {
            index < fours ? (4 * index, 4) : (4 * fours + 3 * (index - fours), 3)
        }
    }

    /// A tile of outputs.
    struct WinogradTile {
        let y: Int
        let x: Int
        let rows: Int
        let columns: Int
    }

    /// The tiles of an image, in an order in which those of four rows follow each other, and so do those of four columns.
    struct WinogradTiles: Sendable {
        let axisY: WinogradAxis
        let axisX: WinogradAxis

        init(_ g: ConvolutionGeometry) {
            axisY = WinogradAxis(g.outputHeight)
            axisX = WinogradAxis(g.outputWidth)
        }

        var count: Int { axisY.count * axisX.count }

        /// Products of an input and an output channel.
        var products: Int { axisY.products * axisX.products }

        func tile(_ index: Int) -> WinogradTile {
            // 4 x 3, 4 x 4, 3 x 4, 3 x 3.
            let short = axisY.fours * axisX.threes
            let high = short + axisY.fours * axisX.fours
            let wide = high + axisY.threes * axisX.fours
            let isHigh = index < high
            let isWide = index >= short && index < wide
            let place = index - (isHigh ? (isWide ? short : 0) : (isWide ? high : wide))
            let (row, column) = place.quotientAndRemainder(dividingBy: isWide ? axisX.fours : axisX.threes)
            let (y, rows) = axisY.tile(isHigh ? row : axisY.fours + row)
            let (x, columns) = axisX.tile(isWide ? column : axisX.fours + column)
            return WinogradTile(y: y, x: x, rows: rows, columns: columns)
        }
    }

    /// Table and residual of what the tiles of a range wrote, by pieces of rows: neighbouring tiles at once.
    func finishTiles(_ a: ConvolutionArguments, _ tiles: WinogradTiles, _ range: Range<Int>, channels: Range<Int>) {
        if a.epilogue.table == nil && a.epilogue.residual == nil { return }
        let g = geometry
        var index = range.lowerBound
        while index < range.upperBound {
            let first = tiles.tile(index)
            var right = first.x + first.columns
            index += 1
            while index < range.upperBound {
                let next = tiles.tile(index)
                if next.y != first.y || next.rows != first.rows || next.x != right { break }
                right += next.columns
                index += 1
            }
            for row in first.y..<min(first.y + first.rows, g.outputHeight) {
                let start = row * g.outputWidth
                a.epilogue.finish(
                    kernels, output: a.output, pixelStride: a.outputPixelStride,
                    pixels: start + first.x..<start + min(right, g.outputWidth), channels: channels)
            }
        }
    }
}
