import Graph

extension ChannelsLastGraph {
    /// Brings an imported graph into the compiler's form: constants folded, quantization absorbed, channels last,
    /// structure folded, elementwise chains joined.
    ///
    /// - Throws: `GraphProblems` when a shape rule fails.
    public static func prepare(_ source: Graph) throws -> ChannelsLastGraph {
        var graph = source
        var problems = graph.foldConstants()
        guard problems.isEmpty else { throw GraphProblems(problems) }
        graph.absorbQuantization()
        graph.removeDeadNodes()
        var prepared = ChannelsLastPass.run(graph)
        problems = prepared.graph.foldConstants()
        guard problems.isEmpty else { throw GraphProblems(problems) }
        prepared.graph.foldStructure()
        prepared.graph.composeUnaryFunctions()
        return prepared
    }
}
