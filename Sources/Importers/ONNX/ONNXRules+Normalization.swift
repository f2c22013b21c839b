import Graph

extension ONNXRules {
    static let normalizations: [String: Rule] = [
        "BatchNormalization": batchNormalization, "InstanceNormalization": instanceNormalization,
        "GroupNormalization": groupNormalization, "LayerNormalization": layerNormalization, "LRN": lrn,
        "LpNormalization": lpNormalization, "Softmax": softmax(isLog: false), "LogSoftmax": softmax(isLog: true),
        "Dropout": dropout,
    ]

    private static let batchNormalization: Rule = { (node) throws(TranslationError) in
        node.ignoreAttribute("momentum")
        if try node.flag("training_mode") {
            throw node.refuse(
                "attribute training_mode", expected: "0", found: "1", remedy: "Export the model in inference mode.")
        }
        if node.opset < 9, try !node.flag("spatial", default: true) {
            throw node.refuse(
                "attribute spatial", expected: "1, one scale per channel", found: "0",
                remedy: "Export the model for opset 9 or newer.")
        }
        if (1..<max(1, node.outputCount)).contains(where: node.hasOutput) {
            throw node.refuse(
                "outputs", expected: "1", found: "\(node.outputCount), of a model in training",
                remedy: "Export the model in inference mode.")
        }
        try node.finish(BatchNormalization(epsilon: node.float("epsilon", default: 1e-5)))
    }

    private static let instanceNormalization: Rule = { (node) throws(TranslationError) in
        try node.finish(InstanceNormalization(epsilon: node.float("epsilon", default: 1e-5)))
    }

    /// Scale and bias are per group before opset 21, per channel since.
    private static let groupNormalization: Rule = { (node) throws(TranslationError) in
        let groups = try node.requiredInt("num_groups")
        let op = GroupNormalization(groups: groups, epsilon: try node.float("epsilon", default: 1e-5))
        try checkStash(node)
        guard node.opset < 21 else { return try node.finish(op) }
        let x = try node.input(0, "x")
        let shape = try node.shape(x, "input 0 (x)")
        guard shape.count >= 2, groups > 0, shape[1] % groups == 0 else {
            throw node.refuse(
                "attribute num_groups", expected: "a divisor of the channels of \(shape)", found: "\(groups)")
        }
        var inputs: [ValueID?] = [x]
        for (index, label) in [(1, "scale"), (2, "bias")] {
            let column = try node.add(
                Reshape(), [node.input(index, label), node.constant([groups, 1], "\(label)/column")],
                "\(label)/reshaped")
            let repeated = try node.add(
                Expand(), [column, node.constant([groups, shape[1] / groups], "\(label)/extents")], "\(label)/repeated")
            inputs.append(
                try node.add(
                    Reshape(), [repeated, node.constant([shape[1]], "\(label)/channels")], "\(label)/perChannel"))
        }
        try node.finish(op, inputs)
    }

    private static let layerNormalization: Rule = { (node) throws(TranslationError) in
        try checkStash(node)
        try node.finish(
            LayerNormalization(axis: node.int("axis", default: -1), epsilon: node.float("epsilon", default: 1e-5)))
    }

    /// `stash_type` asks for statistics in float32, which the graph always has.
    private static func checkStash(_ node: ONNXNodeTranslation) throws(TranslationError) {
        let type = ONNXDataType(number: Int64(try node.int("stash_type", default: 1)))
        if type.elementType != .float32 {
            throw node.refuse("attribute stash_type", expected: "float32", found: type.name)
        }
    }

    private static let lrn: Rule = { (node) throws(TranslationError) in
        try node.finish(
            LRN(
                size: node.requiredInt("size"), alpha: node.float("alpha", default: 0.0001),
                beta: node.float("beta", default: 0.75), bias: node.float("bias", default: 1)))
    }

    private static let lpNormalization: Rule = { (node) throws(TranslationError) in
        try node.finish(LpNormalization(axis: node.int("axis", default: -1), p: node.int("p", default: 2)))
    }

    /// Before opset 13 the sum runs over all axes from `axis` on, seen as one.
    private static func softmax(isLog: Bool) -> Rule {
        { (node) throws(TranslationError) in
            guard node.opset < 13 else {
                return try node.finish(Softmax(axis: node.int("axis", default: -1), isLog: isLog))
            }
            let x = try node.input(0, "x")
            let axis = try node.int("axis", default: 1)
            if let shape = try node.facts(x).type.shape {
                guard axis >= -shape.count, axis < max(1, shape.count) else {
                    throw node.refuse(
                        "attribute axis", expected: "-\(shape.count) to \(shape.count - 1)", found: "\(axis)")
                }
                let first = axis < 0 ? axis + shape.count : axis
                if shape.dropFirst(first + 1).allSatisfy({ $0 == 1 }) {
                    return try node.finish(Softmax(axis: first, isLog: isLog))
                }
            }
            let extents = try node.add(Shape(), [x], "shape")
            let matrix = try node.add(Flatten(axis: axis), [x], "matrix")
            let result = try node.add(Softmax(axis: 1, isLog: isLog), [matrix], "softmax")
            try node.finish(Reshape(), [result, extents])
        }
    }

    /// In inference the output is the input; the mask, if it is read, is all true.
    private static let dropout: Rule = { (node) throws(TranslationError) in
        node.ignoreAttribute("ratio")
        node.ignoreAttribute("seed")
        let data = try node.input(0, "data")
        if let training = node.optionalInput(2) {
            guard let isTraining = try node.facts(training).constant else {
                throw node.refuse(
                    "input 2 (training_mode)", expected: "a constant", found: "a value that depends on data",
                    remedy: "Export the model in inference mode.")
            }
            if isTraining.integers.contains(where: { $0 != 0 }) {
                throw node.refuse(
                    "input 2 (training_mode)", expected: "false", found: "true",
                    remedy: "Export the model in inference mode.")
            }
        }
        guard node.hasOutput(1) else { return node.bind(0, to: data) }
        if node.opset < 10 {
            throw node.refuse(
                "output 1 (mask)", expected: "none in inference", found: "one",
                remedy: "Export the model for opset 10 or newer.")
        }
        try node.finish(Dropout(), [data])
    }
}
