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
    /// Share of the dense weights' bytes that sparse ones save.
    public var savedShare: Double

    /// A smaller file is worth some time: a quarter of the share of bytes that it saves. Where both forms are computed by
    /// Winograd's, expanding costs less than that.
    var pays: Bool { sparseCost < denseCost * (1 + savedShare / 4) }
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

    var costs: ConvolutionCosts {
        switch self {
        case .x86: .avx2
        case .cortexA53: .cortexA53
        case .cortexA76: .cortexA76
        case .armv8_6: .armv8_6
        }
    }

    /// What a byte of weights costs that comes from memory, once an inference, at the rate of an embedded device's memory,
    /// not a desktop's: 7 GB/s for x86-64; 4 GB/s and an instruction a nanosecond for ARM.
    var weightByte: Double { self == .x86 ? 0.15 : 0.25 }
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
        let blocks = sparse.blocks.count / SparseWeights.blockWidth
        let filterSum = sparse.largestFilterSum
        let denseBytes = Double(Packing.weightByteCount(g)), sparseBytes = Double(sparse.byteCount)
        var choice = SparseChoice(
            name: name, keptShare: kept, isSparse: true,
            sparseCost: target.costs.sparse(g, blockCount: blocks, largestFilterSum: filterSum)
                + sparseBytes * target.weightByte,
            denseCost: target.costs.dense(g, largestFilterSum: filterSum) + denseBytes * target.weightByte,
            savedShare: 1 - sparseBytes / denseBytes)
        choice.isSparse = sparsePolicy == .always || choice.pays
        sparseChoices.append(choice)
        return choice.isSparse ? sparse : nil
    }
}
