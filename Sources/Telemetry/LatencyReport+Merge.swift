/// Why reports can't be merged.
public enum MergeError: Error, Sendable {
    case nothingToMerge
    /// The runs are of different model files.
    case differentModels(first: String, other: String)
    /// The same model hash with different layers: written by tools that plan differently.
    case differentLayers(first: Int, other: Int)

    /// Stable name, for `swiftlet explain`.
    public var name: StaticString {
        switch self {
        case .nothingToMerge: return "merge-nothing"
        case .differentModels: return "merge-different-models"
        case .differentLayers: return "merge-different-layers"
        }
    }

    /// What is wrong, and what to do.
    public var message: String {
        switch self {
        case .nothingToMerge:
            return "no report given; name at least one report file"
        case .differentModels(let first, let other):
            return "the reports are of different models, \(first) and \(other): their latencies have no common meaning; "
                + "report on each model by itself"
        case .differentLayers(let first, let other):
            return "one report has \(first) layers, another \(other), for the same model: they come from different "
                + "versions of the tool; report on each by itself"
        }
    }
}

extension LatencyReport {
    /// Several runs of one model as one: histograms and counts add up, `runs` keeps what belongs to each run.
    ///
    /// Layers match by position. Where devices use different kernels, the layer names all of them.
    public static func merged(_ reports: [LatencyReport]) throws(MergeError) -> LatencyReport {
        guard let first = reports.first else { throw .nothingToMerge }
        var result = LatencyReport()
        result.runs = []
        result.layers = first.layers.map { LayerStatistics(description: $0.description, histogram: Histogram()) }
        let model = first.runs[0].metadata
        for report in reports {
            for run in report.runs where !hasSameText(run.metadata.modelHash, model.modelHash) {
                throw .differentModels(first: identity(model), other: identity(run.metadata))
            }
            guard report.layers.count == first.layers.count else {
                throw .differentLayers(first: first.layers.count, other: report.layers.count)
            }
            result.add(report)
        }
        return result
    }

    private mutating func add(_ other: LatencyReport) {
        runs += other.runs
        counters.add(other.counters)
        captureToResult.merge(other.captureToResult)
        for (mine, theirs) in zip(stages, other.stages) { mine.merge(theirs) }
        for index in layers.indices {
            layers[index].histogram.merge(other.layers[index].histogram)
            layers[index].description.join(other.layers[index].description)
        }
        for item in other.badFrames {
            if let index = badFrames.firstIndex(where: { hasSameText($0.name, item.name) }) {
                badFrames[index].count += item.count
            } else {
                badFrames.append(item)
            }
        }
    }

    private static func identity(_ metadata: RunMetadata) -> String {
        let hash = String(decoding: metadata.modelHash.utf8.prefix(12), as: UTF8.self)
        return "\(metadata.modelName) (\(hash))"
    }
}

extension LayerDescription {
    fileprivate mutating func join(_ other: LayerDescription) {
        isFloat = isFloat || other.isFloat
        let known = [UInt8](kernel.utf8)
        let added = [UInt8](other.kernel.utf8)
        guard !added.isEmpty, !hasSameText(kernel, other.kernel) else { return }
        if known.isEmpty {
            kernel = other.kernel
            return
        }
        // Kernel names hold no spaces, so " / " separates them.
        for start in known.indices where known[start...].starts(with: added) {
            let end = start + added.count
            if start == 0 || known[start - 1] == 0x20, end == known.count || known[end] == 0x20 { return }
        }
        kernel += " / " + other.kernel
    }
}

/// Equality of the bytes: needs no Unicode tables on the device.
private func hasSameText(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
