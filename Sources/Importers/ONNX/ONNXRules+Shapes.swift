import Graph

extension ONNXRules {
    static let shapes: [String: Rule] = [
        "Reshape": reshape, "Transpose": transpose, "Concat": concat, "Split": split, "Slice": slice, "Pad": pad,
        "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Flatten": flatten, "Expand": plain(Expand()),
        "Tile": plain(Tile()), "Cast": cast, "CastLike": castLike, "Identity": identity, "Shape": shapeOf,
        "Size": plain(Size()), "DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth,
        "CenterCropPad": centerCropPad,
    ]

    private static let reshape: Rule = { (node) throws(TranslationError) in
        try node.finish(Reshape(allowZero: node.flag("allowzero")))
    }

    private static let transpose: Rule = { (node) throws(TranslationError) in
        try node.finish(Transpose(permutation: node.ints("perm")))
    }

    private static let concat: Rule = { (node) throws(TranslationError) in
        try node.finish(Concat(axis: node.requiredInt("axis")))
    }

    /// The extents are an attribute before opset 13; without any the outputs are equal parts.
    private static let split: Rule = { (node) throws(TranslationError) in
        let axis = try node.int("axis", default: 0)
        let count = try node.int("num_outputs")
        let extents =
            node.opset < 13 ? try node.ints("split").map { node.constant($0, "split") } : node.optionalInput(1)
        let op = Split(axis: axis, numOutputs: extents == nil ? count ?? node.outputCount : nil)
        try node.finish(op, [node.input(0, "x"), extents])
    }

    /// All but the data are attributes before opset 10.
    private static let slice: Rule = { (node) throws(TranslationError) in
        guard node.opset < 10 else { return try node.finish(Slice()) }
        var inputs: [ValueID?] = [try node.input(0, "data")]
        for name in ["starts", "ends"] {
            guard let bounds = try node.rawInts(name) else {
                throw node.refuse("attribute \(name)", expected: "a value", found: "none")
            }
            inputs.append(node.constant(Tensor(bounds, shape: [bounds.count]), name))
        }
        inputs.append(try node.ints("axes").map { node.constant($0, "axes") })
        try node.finish(Slice(), inputs)
    }

    /// Pads and value are attributes before opset 11.
    private static let pad: Rule = { (node) throws(TranslationError) in
        let mode = try node.choice(
            "mode", default: "constant",
            ["constant": Pad.Mode.constant, "reflect": .reflect, "edge": .edge, "wrap": .wrap])
        guard node.opset < 11 else { return try node.finish(Pad(mode: mode)) }
        let data = try node.input(0, "data")
        guard let pads = try node.ints("pads") else {
            throw node.refuse("attribute pads", expected: "a value", found: "none")
        }
        let value = try node.float("value", default: 0)
        let type = try node.facts(data).type.elementType
        try node.finish(
            Pad(mode: mode), [data, node.constant(pads, "pads"), node.constant(scalar: value, type, "value")])
    }

    private static let squeeze: Rule = { (node) throws(TranslationError) in
        guard node.opset < 13 else { return try node.finish(Squeeze()) }
        try node.finish(Squeeze(), [node.input(0, "data"), node.ints("axes").map { node.constant($0, "axes") }])
    }

    private static let unsqueeze: Rule = { (node) throws(TranslationError) in
        guard node.opset < 13 else { return try node.finish(Unsqueeze()) }
        guard let axes = try node.ints("axes") else {
            throw node.refuse("attribute axes", expected: "a value", found: "none")
        }
        try node.finish(Unsqueeze(), [node.input(0, "data"), node.constant(axes, "axes")])
    }

    private static let flatten: Rule = { (node) throws(TranslationError) in
        try node.finish(Flatten(axis: node.int("axis", default: 1)))
    }

    private static let cast: Rule = { (node) throws(TranslationError) in
        let saturate = try node.flag("saturate", default: true)
        node.ignoreAttribute("round_mode")
        try node.finish(Cast(to: elementType(node, "to", number: node.requiredInt("to")), saturate: saturate))
    }

    private static let castLike: Rule = { (node) throws(TranslationError) in
        let saturate = try node.flag("saturate", default: true)
        node.ignoreAttribute("round_mode")
        let type = try node.facts(node.input(1, "target")).type.elementType
        try node.finish(Cast(to: type, saturate: saturate), [node.input(0, "data")])
    }

    /// The type that an attribute names by `TensorProto.DataType`.
    static func elementType(
        _ node: ONNXNodeTranslation, _ attribute: String, number: Int
    ) throws(TranslationError) -> ElementType {
        let type = ONNXDataType(number: Int64(number))
        guard let elementType = type.elementType, !type.isNibbles else {
            throw node.refuse(
                "attribute \(attribute)", expected: "a numeric type of 8 to 64 bits or bool", found: type.name)
        }
        return elementType
    }

    private static let identity: Rule = { (node) throws(TranslationError) in
        node.bind(0, to: try node.input(0, "data"))
    }

    private static let shapeOf: Rule = { (node) throws(TranslationError) in
        try node.finish(Shape(start: node.int("start", default: 0), end: node.int("end")))
    }

    private static let depthToSpace: Rule = { (node) throws(TranslationError) in
        let mode = try node.choice("mode", default: "DCR", ["DCR": DepthToSpace.Mode.dcr, "CRD": .crd])
        try node.finish(DepthToSpace(blockSize: node.requiredInt("blocksize"), mode: mode))
    }

    private static let spaceToDepth: Rule = { (node) throws(TranslationError) in
        try node.finish(SpaceToDepth(blockSize: node.requiredInt("blocksize")))
    }

    private static let centerCropPad: Rule = { (node) throws(TranslationError) in
        try node.finish(CenterCropPad(axes: node.ints("axes")))
    }
}
