@testable import Graph

/// Builds small graphs for tests.
struct GraphBuilder {
    var graph = Graph()

    mutating func input(
        _ name: String, _ shape: [Int]?, _ type: ElementType = .float32, quantization: Quantization? = nil
    ) -> ValueID {
        let id = graph.addValue(
            Value(
                name: name, elementType: quantization == nil ? type : .float32, shape: shape, quantization: quantization
            ))
        graph.inputs.append(Port(name: name, value: id, elementType: type))
        return id
    }

    mutating func constant(_ tensor: Tensor, quantization: Quantization? = nil) -> ValueID {
        graph.addConstant(name: "c\(graph.values.count)", tensor, quantization: quantization)
    }

    mutating func node(
        _ op: any Operator, _ inputs: [ValueID?], name: String? = nil, quantization: Quantization? = nil
    ) -> ValueID {
        nodes(op, inputs, name: name, quantizations: [quantization])[0]
    }

    mutating func nodes(
        _ op: any Operator, _ inputs: [ValueID?], name: String? = nil, quantizations: [Quantization?]
    ) -> [ValueID] {
        let name = name ?? "n\(graph.nodes.count)"
        let outputs = quantizations.enumerated().map { index, quantization in
            graph.addValue(
                Value(name: "\(name):\(index)", elementType: .float32, shape: nil, quantization: quantization))
        }
        graph.nodes.append(Node(name: name, op: op, inputs: inputs, outputs: outputs, sourceOperator: op.name))
        return outputs
    }

    mutating func output(_ name: String, _ id: ValueID, _ type: ElementType = .float32) {
        graph.outputs.append(Port(name: name, value: id, elementType: type))
    }
}
