import Graph

extension Graph {
    /// Replaces SpaceToBatch → Conv → elementwise… → BatchToSpace, TensorFlow's way to write a dilated convolution, by
    /// one Conv with dilations: the batch holds the phases of a grid whose spacing is the block, so a step in it is a
    /// step of one block in the image. Chains that can't be written so (strides, other readers, other quantizations,
    /// crops larger than the paddings) stay as they are.
    mutating func fuseDilatedConvolutions() {
        let producers = producerIndices()
        let readers = readerCounts()
        var removed: Set<Int> = []
        for (last, node) in nodes.enumerated() where node.op is BatchToSpace {
            guard let chain = DilatedChain(endingAt: last, in: self, producers, readers) else { continue }
            nodes[chain.conv].op = chain.dilated
            nodes[chain.conv].inputs[0] = nodes[chain.first].inputs[0]
            // The last node before BatchToSpace writes its output.
            nodes[chain.beforeLast].outputs[0] = node.outputs[0]
            for index in chain.conv...last where chain.elementwise.contains(index) || index == chain.conv {
                for case let output? in nodes[index].outputs where output != node.outputs[0] {
                    self[output].shape = nil
                }
            }
            removed.formUnion([chain.first, last])
        }
        nodes = nodes.indices.filter { !removed.contains($0) }.map { nodes[$0] }
    }

    /// Index of the node that gives each value.
    private func producerIndices() -> [ValueID: Int] {
        var result: [ValueID: Int] = [:]
        for (index, node) in nodes.enumerated() {
            for case let output? in node.outputs { result[output] = index }
        }
        return result
    }

    /// How many nodes and ports read each value.
    private func readerCounts() -> [ValueID: Int] {
        var result: [ValueID: Int] = [:]
        for node in nodes {
            for case let input? in node.inputs { result[input, default: 0] += 1 }
        }
        for port in outputs { result[port.value, default: 0] += 1 }
        return result
    }
}

/// A SpaceToBatch → Conv → elementwise… → BatchToSpace chain that is one dilated convolution.
private struct DilatedChain {
    /// Indices of the SpaceToBatch, the Conv, and the node before the BatchToSpace.
    let first: Int
    let conv: Int
    let beforeLast: Int
    let elementwise: [Int]
    /// The Conv that replaces all.
    let dilated: Conv

    init?(endingAt last: Int, in graph: Graph, _ producers: [ValueID: Int], _ readers: [ValueID: Int]) {
        let end = graph.nodes[last]
        guard var value = end.inputs[0], let output = end.outputs[0] else { return nil }
        guard graph[value].quantization == graph[output].quantization else { return nil }
        var elementwise: [Int] = []
        var conv: (index: Int, op: Conv)?
        while conv == nil {
            guard readers[value] == 1, let index = producers[value] else { return nil }
            let node = graph.nodes[index]
            if let op = node.op as? Conv {
                conv = (index, op)
            } else if node.op is Unary || node.op is Clip, let source = node.inputs[0] {
                elementwise.append(index)
                value = source
            } else {
                return nil
            }
        }
        guard let (convIndex, op) = conv, op.layout == .channelsLast, let phases = graph.nodes[convIndex].inputs[0],
            readers[phases] == 1, let firstIndex = producers[phases]
        else { return nil }
        let start = graph.nodes[firstIndex]
        guard start.op is SpaceToBatch, let input = start.inputs[0],
            graph[input].quantization == graph[phases].quantization,
            op.strides.allSatisfy({ $0 == 1 }), op.dilations.allSatisfy({ $0 == 1 }),
            let weights = graph.nodes[convIndex].inputs[1].flatMap({ graph[$0].shape }), weights.count == 4
        else { return nil }
        func integers(_ node: Node, _ position: Int) -> [Int]? {
            node.inputs[position].flatMap { graph[$0].constant?.integers }
        }
        guard let block = integers(start, 1), block.count == 2, block == integers(end, 1),
            let pads = integers(start, 2),
            let crops = integers(end, 2), pads.count == 4, crops.count == 4
        else { return nil }
        // [begin, end] for each axis in the file; all begins, then all ends in the graph.
        var total = [Int](repeating: 0, count: 4)
        for axis in 0..<2 {
            let inner: Int
            switch op.padding {
            case .valid: inner = 0
            case .sameUpper: inner = weights[2 + axis] - 1
            default: return nil
            }
            total[axis] = pads[2 * axis] - crops[2 * axis] + (inner / 2) * block[axis]
            total[2 + axis] = pads[2 * axis + 1] - crops[2 * axis + 1] + (inner - inner / 2) * block[axis]
        }
        guard total.allSatisfy({ $0 >= 0 }) else { return nil }
        var dilated = op
        dilated.strides = []
        dilated.dilations = block
        dilated.padding = .explicit(total)
        (first, self.conv, self.elementwise, self.dilated) = (firstIndex, convIndex, elementwise, dilated)
        beforeLast = elementwise.first ?? convIndex
    }
}
