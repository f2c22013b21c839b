import Graph

extension ONNXRules {
    static let reductions: [String: Rule] = [
        "ReduceMean": reduce(.mean), "ReduceSum": reduce(.sum, axesAreInputSince: 13), "ReduceMax": reduce(.max),
        "ReduceMin": reduce(.min), "ReduceProd": reduce(.prod), "ReduceL1": reduce(.l1), "ReduceL2": reduce(.l2),
        "ReduceLogSum": reduce(.logSum), "ReduceLogSumExp": reduce(.logSumExp), "ReduceSumSquare": reduce(.sumSquare),
        "ArgMax": argReduce(isMax: true), "ArgMin": argReduce(isMax: false), "TopK": topK, "CumSum": cumSum,
    ]

    private static func reduce(_ function: Reduce.Function, axesAreInputSince opset: Int = 18) -> Rule {
        { (node) throws(TranslationError) in
            let keepDims = try node.flag("keepdims", default: true)
            guard node.opset < opset else {
                let isNoop = try node.flag("noop_with_empty_axes")
                return try node.finish(Reduce(function, keepDims: keepDims, noopWithEmptyAxes: isNoop))
            }
            let axes = try node.ints("axes").map { node.constant($0, "axes") }
            try node.finish(Reduce(function, keepDims: keepDims), [node.input(0, "data"), axes])
        }
    }

    private static func argReduce(isMax: Bool) -> Rule {
        { (node) throws(TranslationError) in
            try node.finish(
                ArgReduce(
                    isMax: isMax, axis: node.int("axis", default: 0), keepDims: node.flag("keepdims", default: true),
                    selectLastIndex: node.flag("select_last_index")))
        }
    }

    /// k is an attribute before opset 10.
    private static let topK: Rule = { (node) throws(TranslationError) in
        let axis = try node.int("axis", default: -1)
        guard node.opset < 10 else {
            let (largest, sorted) = (try node.flag("largest", default: true), try node.flag("sorted", default: true))
            return try node.finish(TopK(axis: axis, largest: largest, sorted: sorted))
        }
        let k = try node.requiredInt("k")
        try node.finish(TopK(axis: axis), [node.input(0, "x"), node.constant([k], "k")])
    }

    private static let cumSum: Rule = { (node) throws(TranslationError) in
        try node.finish(CumSum(exclusive: node.flag("exclusive"), reverse: node.flag("reverse")))
    }
}
