import Graph

extension ONNXRules {
    static let controlFlow: [String: Rule] = ["If": conditional]

    /// An If whose condition is known at conversion is the branch that it takes.
    private static let conditional: Rule = { (node) throws(TranslationError) in
        let (thenBranch, elseBranch) = (try node.graph("then_branch"), try node.graph("else_branch"))
        guard let condition = try node.facts(node.input(0, "condition")).constant else {
            throw node.refuse(
                "input 0 (condition)", expected: "a value known at conversion", found: "one that depends on data",
                remedy: "Export the model with the branch that inference takes, or cut it before this node.")
        }
        guard condition.count == 1 else {
            throw node.refuse("input 0 (condition)", expected: "one element", found: "shape \(condition.shape)")
        }
        try node.inline(condition.integers[0] != 0 ? thenBranch : elseBranch)
    }
}
