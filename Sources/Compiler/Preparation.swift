import Graph

extension ChannelsLastGraph {
    /// Brings an imported graph into the compiler's form: constants folded, quantization absorbed, channels last,
    /// structure folded, elementwise chains joined, channels removed that no output needs.
    ///
    /// - Throws: `GraphProblems` when a shape rule fails.
    public static func prepare(_ source: Graph) throws -> ChannelsLastGraph {
        var prepared = try arrange(source)
        prepared.removeChannels()
        return prepared
    }

    /// Takes out the channels that no output needs, and notes which.
    mutating func removeChannels() { removal = graph.removeChannels() }

    /// The compiler's form with all channels.
    static func arrange(_ source: Graph) throws -> ChannelsLastGraph {
        var graph = source
        var problems = graph.foldConstants()
        guard problems.isEmpty else { throw GraphProblems(problems) }
        graph.readBytesAsIntegers()
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

extension Graph {
    /// Gives an input of plain bytes, read only to be cast to float32, the quantization of scale 1, so that the device can
    /// hold it.
    mutating func readBytesAsIntegers() {
        let index = GraphIndex(self)
        for port in inputs where self[port.value].elementType == .uint8 && self[port.value].quantization == nil {
            let readers = index.consumers[port.value] ?? []
            let isCast = readers.allSatisfy { position in
                nodes[position].op is Cast && nodes[position].outputs[0].map { self[$0].elementType } == .float32
            }
            guard isCast, !readers.isEmpty, !index.outputs.contains(port.value) else { continue }
            self[port.value].elementType = .float32
            self[port.value].quantization = Quantization(elementType: .uint8, scale: 1, zeroPoint: 0)
            for position in readers { nodes[position].op = Identity() }
        }
    }
}
