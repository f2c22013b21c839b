import Kernels

/// Whether pruned layers are stored sparse.
public enum SparsePolicy: String, Sendable, CaseIterable {
    /// Where the cost table says that it pays.
    case auto
    /// Wherever the form exists and a block is zero.
    case always
    case never
}

/// What was decided about one integer layer of whose blocks some are zero.
public struct SparseChoice: Sendable, Hashable {
    /// The layer's name in the plan.
    public var name: String
    /// Share of the blocks of four weights that are not all zero.
    public var keptShare: Double
    public var isSparse: Bool
    /// Nanoseconds that the cost table gives each form on one core.
    public var sparseNanoseconds: Double, denseNanoseconds: Double
}

/// What dense and sparse convolutions cost on a core, in nanoseconds: fitted to layers of MobileNetV2 and ResNet-50 on
/// an AVX2 machine of 3.4 GHz. The ratios decide, not the absolute values.
struct SparseCosts {
    /// A multiply-accumulate of the dense kernel.
    var denseMAC = 1 / 92.0
    /// A block of four weights times a vector of eight pixels.
    var blockVector = 0.36
    /// A block's own overhead in a tile.
    var block = 0.3
    /// An output value: requantized; and put in its place one channel at a time, for sparse.
    var denseOutput = 0.08
    var sparseOutput = 0.17
    /// A byte of weights from memory, once an inference: at the 7 GB/s of an embedded device's memory, not a desktop's.
    var weightByte = 0.15

    func dense(_ g: ConvolutionGeometry) -> Double {
        let outputs = Double(g.outputPixels * g.outputChannels)
        let pixels = Double(g.outputPixels < 4 ? 4 : g.outputPixels)
        return pixels * Double(Packing.weightByteCount(g)) * denseMAC + outputs * denseOutput
            + Double(Packing.weightByteCount(g)) * weightByte
    }

    func sparse(_ g: ConvolutionGeometry, _ weights: SparseWeights) -> Double {
        let blocks = Double(weights.blocks.count / SparseWeights.blockWidth)
        let vectors = Double((g.outputPixels + 7) / 8)
        let tiles = (vectors / 6).rounded(.up)
        return blocks * (vectors * blockVector + tiles * block)
            + Double(g.outputPixels * g.outputChannels) * sparseOutput + Double(weights.byteCount) * weightByte
    }
}

extension SparseWeights {
    /// Share of blocks that are not all zero; weights in the order that `Packing.packWeights` takes.
    static func keptShare(_ g: ConvolutionGeometry, _ weights: [Int8]) -> Double {
        let inputs = g.inputChannelsPerGroup
        var (kept, total) = (0, 0)
        for row in stride(from: 0, to: weights.count, by: inputs) {
            for first in stride(from: 0, to: inputs, by: blockWidth) {
                total += 1
                if weights[row + first..<row + min(first + blockWidth, inputs)].contains(where: { $0 != 0 }) { kept += 1 }
            }
        }
        return Double(kept) / Double(max(1, total))
    }
}

extension Lowering {
    /// Zero blocks below this share are chance, not pruning.
    private static let leastZeroShare = 0.05

    /// The sparse form of a layer's weights where it is to be used; notes the decision. Weights in the order that
    /// `Packing.packWeights` takes.
    func sparseForm(_ g: ConvolutionGeometry, _ packed: [Int8], weightOffset: Int, name: String) -> SparseWeights? {
        guard sparsePolicy != .never, weightOffset == 0, SparseWeights.supports(g, packed) else { return nil }
        let kept = SparseWeights.keptShare(g, packed)
        guard sparsePolicy == .always ? kept < 1 : kept <= 1 - Lowering.leastZeroShare else { return nil }
        let sparse = SparseWeights(g, packed)
        let costs = SparseCosts()
        var choice = SparseChoice(
            name: name, keptShare: kept, isSparse: true, sparseNanoseconds: costs.sparse(g, sparse),
            denseNanoseconds: costs.dense(g))
        choice.isSparse = sparsePolicy == .always || choice.sparseNanoseconds < choice.denseNanoseconds
        sparseChoices.append(choice)
        return choice.isSparse ? sparse : nil
    }
}
