import Graph

/// How each ONNX operator, of any supported opset, becomes nodes of the graph: one line an operator.
enum ONNXRules {
    typealias Rule = ONNXNodeTranslation.Rule

    /// The rule of an operator, or nil when Swiftlet has none. `domain` is "" for the default domain.
    static func rule(domain: String, operatorType: String) -> Rule? {
        switch domain {
        case "": standard[operatorType]
        case "com.microsoft": microsoft[operatorType]
        default: nil
        }
    }

    /// What to do about an operator without a rule.
    static func remedy(domain: String, operatorType: String) -> String {
        if domain == "com.microsoft" || domain.hasPrefix("com.microsoft.") {
            return "It is made by ONNX Runtime's offline optimizer: convert the model as it was before optimization."
        }
        if !domain.isEmpty {
            return "Replace it by standard ONNX operators before export, or cut the model before this node."
        }
        if recurrent.contains(operatorType) {
            return "Recurrent networks have no translation: convert the part of the model before this node."
        }
        if operatorType == "Loop" || operatorType == "Scan" {
            return "Unroll the iterations at export, or cut the model before this node."
        }
        if operatorType.contains("Sequence") || operatorType.contains("Optional") {
            return "Use Split, Concat and Gather on tensors at export, or cut the model before this node."
        }
        if operatorType.hasPrefix("Random") || operatorType == "Bernoulli" || operatorType == "Multinomial"
            || operatorType.hasSuffix("Loss") || operatorType == "Gradient"
        {
            return "It belongs to training: export the model in inference mode."
        }
        return "Replace it by supported operators before export, or cut the model before this node."
    }

    private static let recurrent: Set<String> = ["LSTM", "GRU", "RNN"]

    private static let standard: [String: Rule] = merged(
        elementwise, convolutions, products, normalizations, reductions, shapes, indexing, resizing, quantization,
        constants, controlFlow)

    private static let microsoft: [String: Rule] = merged(microsoftQuantization, microsoftElementwise)

    private static func merged(_ tables: [String: Rule]...) -> [String: Rule] {
        tables.reduce(into: [:]) { $0.merge($1) { _, _ in preconditionFailure("one operator, one rule") } }
    }
}
