import Graph

extension Graph {
    /// Removes the values that neither a node nor a port refers to; the others are numbered anew, in order.
    mutating func removeUnusedValues() {
        var isUsed = [Bool](repeating: false, count: values.count)
        for port in inputs + outputs { isUsed[port.value.index] = true }
        for node in nodes {
            for case let id? in node.inputs + node.outputs { isUsed[id.index] = true }
        }
        var renumbered: [ValueID] = []
        var kept: [Value] = []
        for (index, value) in values.enumerated() {
            renumbered.append(ValueID(kept.count))
            if isUsed[index] { kept.append(value) }
        }
        values = kept
        for index in nodes.indices {
            nodes[index].inputs = nodes[index].inputs.map { $0.map { renumbered[$0.index] } }
            nodes[index].outputs = nodes[index].outputs.map { $0.map { renumbered[$0.index] } }
        }
        for index in inputs.indices { inputs[index].value = renumbered[inputs[index].value.index] }
        for index in outputs.indices { outputs[index].value = renumbered[outputs[index].value.index] }
    }
}
