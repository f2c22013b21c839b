/// What the forms of an int8 convolution cost on a core: estimates by which sessions choose between forms, and `convert`
/// between dense and sparse weights. `tools/bench/costs` measures single layers and fits these numbers to them; the ratios
/// decide, not the absolute values.
///
/// Those of AVX2 are nanoseconds on a Zen 3 of 3.4 GHz. Those of ARM are executed instructions under qemu-user, not times:
/// no board was at hand.
public struct ConvolutionCosts: Sendable {
    /// A multiply-accumulate of the dense kernel.
    var denseMAC: Double
    /// An input value that a tile of pixels takes in, once for each tap: packed, or gathered.
    var denseInput: Double
    /// An output value: requantized; and put in its place one channel at a time, for sparse.
    var denseOutput: Double
    /// A block of four weights times a vector of eight pixels.
    var blockVector: Double
    /// A block's own overhead in a tile.
    var block: Double
    var sparseInput: Double
    var sparseOutput: Double
    /// Most vectors of a tile of the sparse kernel.
    var tileVectors: Int
    /// Winograd's form where there is one that expands sparse weights.
    var winograd: Winograd?

    /// What tiles of 4 × 4 outputs cost.
    struct Winograd: Sendable {
        /// Each panel and block of 16 input channels, for each tile's 36 positions: products. Tiles of three have fewer.
        var product: Double
        /// Each tile and panel: the transform of outputs.
        var output: Double
        /// Each tile and block of channels: the transform of inputs.
        var input: Double
        /// Each quad and panel, for each block of tiles: the transform of weights.
        var weights: Double
        /// Each block of four weights, for each block of tiles: expanded.
        var expansion: Double
    }

    public static let avx2 = ConvolutionCosts(
        denseMAC: 0.0101, denseInput: 0.04, denseOutput: 0.2, blockVector: 0.36, block: 0.4, sparseInput: 0.09,
        sparseOutput: 0.19, tileVectors: 12,
        winograd: Winograd(product: 61.5, output: 80.9, input: 32.4, weights: 103, expansion: 0.8))
    public static let cortexA53 = ConvolutionCosts(
        denseMAC: 0.131, denseInput: 0, denseOutput: 7.07, blockVector: 12.9, block: 3.08, sparseInput: 1.85,
        sparseOutput: 4.74, tileVectors: 5)
    public static let cortexA76 = ConvolutionCosts(
        denseMAC: 0.0674, denseInput: 0.28, denseOutput: 1.67, blockVector: 4.84, block: 0, sparseInput: 1.33,
        sparseOutput: 2.7, tileVectors: 8)
    public static let armv8_6 = ConvolutionCosts(
        denseMAC: 0.0388, denseInput: 0.204, denseOutput: 1.8, blockVector: 4.85, block: 0, sparseInput: 1.3,
        sparseOutput: 2.7, tileVectors: 8)

    /// Input values that the windows of all output pixels hold.
    private func inputs(_ g: ConvolutionGeometry) -> Double {
        Double(g.outputPixels) * Double(g.taps * g.inputChannelsPerGroup)
    }

    private func outputs(_ g: ConvolutionGeometry) -> Double { Double(g.outputPixels) * Double(g.outputChannels) }

    /// The dense kernel, which multiplies with every weight.
    func direct(_ g: ConvolutionGeometry) -> Double {
        Double(max(g.outputPixels, 4)) * Double(Packing.weightByteCount(g)) * denseMAC + inputs(g) * denseInput
            + outputs(g) * denseOutput
    }

    /// The sparse kernel.
    func blockwise(_ g: ConvolutionGeometry, blockCount: Int) -> Double {
        let vectors = (g.outputPixels + SparseConvolution.lanes - 1) / SparseConvolution.lanes
        let tile = min(tileVectors, SparseConvolution.Layout(g).tile / SparseConvolution.lanes)
        let tiles = (vectors + tile - 1) / tile
        return Double(blockCount) * (Double(vectors) * blockVector + Double(tiles) * block) + inputs(g) * sparseInput
            + outputs(g) * sparseOutput
    }

    /// Winograd's form; nil where it is not used. `blockCount` is that of sparse weights, which are expanded.
    func winograd(_ g: ConvolutionGeometry, blockCount: Int = 0) -> Double? {
        guard let winograd, let layout = Convolution.WinogradBlockLayout(g), layout.isFaster else { return nil }
        return layout.cost + Double(blockCount) * Double(layout.tileBlocks) * winograd.expansion
    }

    /// The faster form with dense weights.
    public func dense(_ g: ConvolutionGeometry, largestFilterSum: Int) -> Double {
        let permitted = largestFilterSum <= Convolution.largestWinogradFilterSum ? winograd(g) : nil
        return permitted ?? direct(g)
    }

    /// The faster form with sparse weights.
    public func sparse(_ g: ConvolutionGeometry, blockCount: Int, largestFilterSum: Int) -> Double {
        let permitted =
            largestFilterSum <= Convolution.largestWinogradFilterSum ? winograd(g, blockCount: blockCount) : nil
        return min(permitted ?? .infinity, blockwise(g, blockCount: blockCount))
    }
}

extension ConvolutionCosts.Winograd {
    /// All tiles, in blocks of them, with dense weights.
    func cost(_ g: ConvolutionGeometry, tiles: Convolution.WinogradTiles, tileBlocks: Int, channelBlocks: Int) -> Double {
        let panels = Double(g.groups * Packing.panels(g)), blocks = Double(channelBlocks)
        let products = Double(tiles.products) / Double(Convolution.WinogradBlockLayout.positions) * product
        let perPanel = products * blocks + Double(tiles.count) * output
        let inputs = Double(tiles.count) * Double(g.groups) * blocks * input
        return perPanel * panels + inputs + Double(tileBlocks) * panels * Double(Packing.quads(g)) * weights
    }
}
