import Graph

extension ONNXRules {
    static let constants: [String: Rule] = [
        "Constant": constant, "ConstantOfShape": constantOfShape, "Range": plain(NumberRange()),
    ]

    private static let constant: Rule = { (node) throws(TranslationError) in
        let value: Tensor
        if let tensor = try node.tensor("value") {
            value = tensor
        } else if node.hasAttribute("value_float") {
            value = Tensor(scalar: try node.float("value_float", default: 0))
        } else if let floats = try node.floats("value_floats") {
            value = Tensor(floats, shape: [floats.count])
        } else if let int = try node.rawInt("value_int") {
            value = Tensor(scalar: int)
        } else if let ints = try node.rawInts("value_ints") {
            value = Tensor(ints, shape: [ints.count])
        } else {
            throw node.refuse(
                "attributes", expected: "value, value_float, value_floats, value_int or value_ints",
                found: node.attributeNames.isEmpty
                    ? "none" : node.attributeNames.map { "\"\($0)\"" }.joined(separator: ", "))
        }
        node.bindConstant(value)
    }

    private static let constantOfShape: Rule = { (node) throws(TranslationError) in
        guard let value = try node.tensor("value") else { return try node.finish(ConstantOfShape()) }
        guard value.count == 1 else {
            throw node.refuse("attribute value", expected: "one element", found: "shape \(value.shape)")
        }
        try node.finish(ConstantOfShape(value: value))
    }
}
