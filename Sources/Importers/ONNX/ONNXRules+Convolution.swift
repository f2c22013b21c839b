import Graph

extension ONNXRules {
    static let convolutions: [String: Rule] = [
        "Conv": conv, "ConvTranspose": convTranspose, "ConvInteger": convInteger,
        "MaxPool": maxPool, "AveragePool": averagePool, "LpPool": lpPool,
        "GlobalAveragePool": plain(GlobalPool(kind: .average)), "GlobalMaxPool": plain(GlobalPool(kind: .max)),
        "GlobalLpPool": globalLpPool,
    ]

    private static let conv: Rule = { (node) throws(TranslationError) in
        try node.finish(readConv(node, weights: node.input(1, "weights")))
    }

    /// The attributes of Conv and QLinearConv; `kernel_shape` must be that of `weights`.
    static func readConv(_ node: ONNXNodeTranslation, weights: ValueID) throws(TranslationError) -> Conv {
        try checkKernel(node, weights)
        return Conv(
            strides: try node.ints("strides") ?? [], dilations: try node.ints("dilations") ?? [],
            padding: try padding(node), groups: try node.int("group", default: 1))
    }

    private static let convInteger: Rule = { (node) throws(TranslationError) in
        let conv = try readConv(node, weights: node.input(1, "weights"))
        try node.finish(
            ConvInteger(
                strides: conv.strides, dilations: conv.dilations, padding: conv.padding, groups: conv.groups))
    }

    private static let convTranspose: Rule = { (node) throws(TranslationError) in
        try checkKernel(node, node.input(1, "weights"))
        try node.finish(
            ConvTranspose(
                strides: node.ints("strides") ?? [], dilations: node.ints("dilations") ?? [], padding: padding(node),
                outputPadding: node.ints("output_padding") ?? [], outputShape: node.ints("output_shape"),
                groups: node.int("group", default: 1)))
    }

    private static func checkKernel(_ node: ONNXNodeTranslation, _ weights: ValueID) throws(TranslationError) {
        guard let kernel = try node.ints("kernel_shape") else { return }
        let shape: [Int]?
        do { shape = try node.facts(weights).type.shape } catch { return }
        if let shape, Array(shape.dropFirst(2)) != kernel {
            throw node.refuse(
                "attribute kernel_shape", expected: "that of the weights, \(Array(shape.dropFirst(2)))",
                found: "\(kernel)")
        }
    }

    private static let maxPool: Rule = { (node) throws(TranslationError) in
        try node.finish(readPool(node, .max(storageOrder: node.flag("storage_order") ? 1 : 0)))
    }

    private static let averagePool: Rule = { (node) throws(TranslationError) in
        try node.finish(readPool(node, .average(countIncludesPadding: node.flag("count_include_pad"))))
    }

    private static let lpPool: Rule = { (node) throws(TranslationError) in
        try node.finish(readPool(node, .lp(node.int("p", default: 2))))
    }

    /// The attributes that all poolings share.
    static func readPool(_ node: ONNXNodeTranslation, _ kind: Pool.Kind) throws(TranslationError) -> Pool {
        guard let kernel = try node.ints("kernel_shape") else {
            throw node.refuse("attribute kernel_shape", expected: "a value", found: "none")
        }
        return Pool(
            kind: kind, kernel: kernel, strides: try node.ints("strides") ?? [],
            dilations: try node.ints("dilations") ?? [], padding: try padding(node),
            ceilMode: try node.flag("ceil_mode"))
    }

    /// `pads` counts only when `auto_pad` leaves it to: some exporters write both.
    private static func padding(_ node: ONNXNodeTranslation) throws(TranslationError) -> Padding {
        let automatic: Padding? = try node.choice(
            "auto_pad", default: "NOTSET",
            ["NOTSET": nil, "": nil, "SAME_UPPER": .sameUpper, "SAME_LOWER": .sameLower, "VALID": .valid])
        let pads = try node.ints("pads") ?? []
        return automatic ?? (pads.allSatisfy { $0 == 0 } ? .valid : .explicit(pads))
    }

    private static let globalLpPool: Rule = { (node) throws(TranslationError) in
        let x = try node.input(0, "x")
        let p = try node.int("p", default: 2)
        guard p == 1 || p == 2 else { throw node.refuse("attribute p", expected: "1 or 2", found: "\(p)") }
        let rank = try node.shape(x, "input 0 (x)").count
        guard rank > 2 else { throw node.refuse("input 0 (x)", expected: "rank 3 or more", found: "rank \(rank)") }
        try node.finish(Reduce(p == 1 ? .l1 : .l2), [x, node.constant(Array(2..<rank), "axes")])
    }
}
