/// ONNX ScatterND without reduction: inputs data, indices, updates.
public struct ScatterND: Operator, Hashable {
    public init() {}

    public var name: String { "ScatterND" }
}

extension ScatterND {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, indices) = (try inputs.operand(0, "data"), try inputs.operand(1, "indices"))
        let updates = try inputs.operand(2, "updates")
        try indices.require(ElementType.indices)
        try updates.requireType(of: data)
        if let shape = data.shape, let indexShape = indices.shape {
            guard let length = indexShape.last, length <= shape.count else {
                throw indices.error(expected: "index tuples of at most \(shape.count)", found: "shape \(indexShape)")
            }
            try updates.requireShape(indexShape.dropLast() + shape[length...])
        }
        return [data.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, indices, updates) = (inputs[0]!, inputs[1]!, inputs[2]!)
        let positions = try tuplePositions(indices, in: data.shape)
        let inner = data.shape[indices.shape.last!...].reduce(1, *)
        return [data.replacing(positions, with: updates, inner: inner)]
    }
}

extension Tensor {
    /// The tensor with runs of `inner` elements, at `positions` counted in runs, taken from `updates` one after the
    /// other.
    func replacing(_ positions: [Int], with updates: Tensor, inner: Int) -> Tensor {
        let runBytes = inner * elementType.byteCount
        return Tensor(unsafeUninitialized: elementType, shape: shape) { bytes in
            bytes.copyMemory(from: unsafeBytes)
            for (index, position) in positions.enumerated() where runBytes > 0 {
                (bytes.baseAddress! + position * runBytes).copyMemory(
                    from: updates.unsafeBytes.baseAddress! + index * runBytes, byteCount: runBytes)
            }
        }
    }
}
