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
    /// What the cost table gives each form, in the target's unit.
    public var sparseCost: Double, denseCost: Double
}

/// A kind of CPU that files are made for: where dense and sparse convolutions cost the same differs. Only the choice
/// between them depends on it.
public enum SparseTarget: String, Sendable, CaseIterable {
    /// x86-64 with AVX2.
    case x86 = "x86-64"
    /// 64-bit ARM without 8-bit dot products: Cortex-A53, A72.
    case cortexA53 = "cortex-a53"
    /// 64-bit ARM with SDOT: Cortex-A55, A76.
    case cortexA76 = "cortex-a76"
    /// Armv8.6 and later, with SMMLA.
    case armv8_6 = "armv8.6"

    /// What its costs are counted in.
    public var unit: String { self == .x86 ? "ns" : "instructions" }
}

/// What dense and sparse convolutions cost on a core. `tools/bench/costs` measures single layers and fits these numbers
/// to them; the ratios decide, not the absolute values.
///
/// Those of x86-64 are nanoseconds on an AVX2 machine of 3.4 GHz. Those of ARM are executed instructions under qemu-user,
/// not times: no board was at hand.
struct SparseCosts {
    /// A multiply-accumulate of the dense kernel.
    var denseMAC: Double
    /// An output value: requantized; and put in its place one channel at a time, for sparse.
    var denseOutput: Double
    /// An input value that a tile of pixels takes in, once for each tap: packed, or gathered.
    var denseInput: Double
    var sparseInput: Double
    /// A block of four weights times a vector of eight pixels.
    var blockVector: Double
    /// A block's own overhead in a tile.
    var block: Double
    var sparseOutput: Double
    /// Vectors of a tile.
    var tileVectors: Double
    /// A byte of weights from memory, once an inference, at the rate of an embedded device's memory, not a desktop's:
    /// 7 GB/s for x86-64; 4 GB/s and an instruction a nanosecond for ARM.
    var weightByte: Double

    init(_ target: SparseTarget) {
        switch target {
        case .x86:
            self.init(
                denseMAC: 0.0109, denseInput: 0, denseOutput: 0.08, blockVector: 0.36, block: 0.3, sparseInput: 0,
                sparseOutput: 0.17, tileVectors: 6, weightByte: 0.15)
        case .cortexA53:
            self.init(
                denseMAC: 0.131, denseInput: 0, denseOutput: 7.07, blockVector: 12.9, block: 3.08, sparseInput: 1.85,
                sparseOutput: 4.74, tileVectors: 5, weightByte: 0.25)
        case .cortexA76:
            self.init(
                denseMAC: 0.0674, denseInput: 0.28, denseOutput: 1.67, blockVector: 4.84, block: 0, sparseInput: 1.33,
                sparseOutput: 2.7, tileVectors: 8, weightByte: 0.25)
        case .armv8_6:
            self.init(
                denseMAC: 0.0388, denseInput: 0.204, denseOutput: 1.8, blockVector: 4.85, block: 0, sparseInput: 1.3,
                sparseOutput: 2.7, tileVectors: 8, weightByte: 0.25)
        }
    }

    private init(
        denseMAC: Double, denseInput: Double, denseOutput: Double, blockVector: Double, block: Double,
        sparseInput: Double, sparseOutput: Double, tileVectors: Double, weightByte: Double
    ) {
        (self.denseMAC, self.denseInput, self.denseOutput) = (denseMAC, denseInput, denseOutput)
        (self.blockVector, self.block, self.sparseInput) = (blockVector, block, sparseInput)
        (self.sparseOutput, self.tileVectors, self.weightByte) = (sparseOutput, tileVectors, weightByte)
    }

    /// Input values that the windows of all output pixels hold.
    private func inputs(_ g: ConvolutionGeometry) -> Double {
        Double(g.outputPixels * g.taps * g.inputChannelsPerGroup)
    }

    func dense(_ g: ConvolutionGeometry) -> Double {
        let outputs = Double(g.outputPixels * g.outputChannels)
        let pixels = Double(g.outputPixels < 4 ? 4 : g.outputPixels)
        return pixels * Double(Packing.weightByteCount(g)) * denseMAC + inputs(g) * denseInput + outputs * denseOutput
            + Double(Packing.weightByteCount(g)) * weightByte
    }

    func sparse(_ g: ConvolutionGeometry, _ weights: SparseWeights) -> Double {
        let blocks = Double(weights.blocks.count / SparseWeights.blockWidth)
        let vectors = Double((g.outputPixels + 7) / 8)
        let tiles = (vectors / tileVectors).rounded(.up)
        return blocks * (vectors * blockVector + tiles * block) + inputs(g) * sparseInput
            + Double(g.outputPixels * g.outputChannels) * sparseOutput + Double(weights.byteCount) * weightByte
    }
}

extension SparseWeights {
    /// Zero blocks below this share are chance, not pruning.
    static let leastZeroShare = 0.05

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
    /// The sparse form of a layer's weights where it is to be used; notes the decision. Weights in the order that
    /// `Packing.packWeights` takes.
    func sparseForm(_ g: ConvolutionGeometry, _ packed: [Int8], weightOffset: Int, name: String) -> SparseWeights? {
        guard sparsePolicy != .never, weightOffset == 0, SparseWeights.supports(g, packed) else { return nil }
        let kept = SparseWeights.keptShare(g, packed)
        guard sparsePolicy == .always ? kept < 1 : kept <= 1 - SparseWeights.leastZeroShare else { return nil }
        let sparse = SparseWeights(g, packed)
        let costs = SparseCosts(target)
        var choice = SparseChoice(
            name: name, keptShare: kept, isSparse: true, sparseCost: costs.sparse(g, sparse),
            denseCost: costs.dense(g))
        choice.isSparse = sparsePolicy == .always || choice.sparseCost < choice.denseCost
        sparseChoices.append(choice)
        return choice.isSparse ? sparse : nil
    }
}
