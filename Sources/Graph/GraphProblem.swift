/// One thing that keeps a model from being used: which node, what was looked at, what was expected and found, and what
/// the user can do. Importers, shape inference and the compiler collect all of a model's problems before they fail.
public struct GraphProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// Name of the node; empty when the problem is the graph's.
    public var nodeName: String
    /// The operator as the source model names it; empty when the problem is the graph's.
    public var sourceOperator: String
    /// What was looked at: "attribute auto_pad", "input 1 (weights)".
    public var subject: String
    public var expected: String
    public var found: String
    /// What to do about it: a whole sentence, or empty when expected and found say it.
    public var remedy: String

    public init(
        nodeName: String = "", sourceOperator: String = "", subject: String, expected: String, found: String,
        remedy: String = ""
    ) {
        (self.nodeName, self.sourceOperator, self.subject) = (nodeName, sourceOperator, subject)
        (self.expected, self.found, self.remedy) = (expected, found, remedy)
    }

    /// The problem of applying `node`'s operator.
    public init(_ error: OperatorError, at node: Node, remedy: String = "") {
        self.init(
            nodeName: node.name, sourceOperator: node.sourceOperator, subject: error.subject, expected: error.expected,
            found: error.found, remedy: remedy)
    }

    /// `node "conv1" (Conv): input 1 (weights): expected …, found …. Remedy.`
    public var description: String {
        var text = ""
        switch (nodeName.isEmpty, sourceOperator.isEmpty) {
        case (true, true): text = ""
        case (true, false): text = "operator \(sourceOperator): "
        case (false, true): text = "node \"\(nodeName)\": "
        case (false, false): text = "node \"\(nodeName)\" (\(sourceOperator)): "
        }
        text += "\(subject): expected \(expected), found \(found)."
        if !remedy.isEmpty { text += " " + remedy }
        return text
    }
}

/// All problems found in one pass over a model; never empty when thrown.
public struct GraphProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public var problems: [GraphProblem]

    public init(_ problems: [GraphProblem]) { self.problems = problems }

    /// A line with the count, then one line for each problem.
    public var description: String {
        let title = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        return problems.reduce(into: title + ":") { $0 += "\n  " + $1.description }
    }
}
