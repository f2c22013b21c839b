/// ONNX TopK: inputs x, k ([1] int64). Outputs values, indices (int64). Equal values: the lower index first.
public struct TopK: Operator, Hashable {
    public var axis: Int, largest: Bool, sorted: Bool
    public init(axis: Int = -1, largest: Bool = true, sorted: Bool = true) {
        (self.axis, self.largest, self.sorted) = (axis, largest, sorted)
    }

    public var name: String { "TopK" }
}

extension TopK {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, k) = (try inputs.operand(0, "x"), try inputs.operand(1, "k"))
        try x.require(ElementType.numeric)
        try k.requireScalar()
        guard var shape = x.shape, let count = try k.integers()?.first else {
            return [TensorType(x.elementType, nil), TensorType(.int64, nil)]
        }
        let axis = try normalized(axis: axis, rank: shape.count)
        guard count >= 0, count <= shape[axis] else {
            throw k.error(expected: "0 to \(shape[axis]), the extent of axis \(axis)", found: "\(count)")
        }
        shape[axis] = count
        return [TensorType(x.elementType, shape), TensorType(.int64, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let shape = try outputShape(inputs)
        let x = inputs[0]!
        return select(x, try normalized(axis: axis, rank: x.shape.count), shape, x.elementType.numericType!)
    }

    private func select<Element: NumericElement>(_ x: Tensor, _ axis: Int, _ shape: [Int], _: Element.Type) -> [Tensor]
    {
        let (extent, count, inner) = (x.shape[axis], shape[axis], x.shape[(axis + 1)...].reduce(1, *))
        let lines = x.shape[..<axis].reduce(1, *) * inner
        let elements = x.elements(as: Element.self)
        var values = [Element](repeating: 0, count: lines * count)
        var indices = [Int64](repeating: 0, count: lines * count)
        for line in 0..<lines {
            let source = line / inner * extent * inner + line % inner
            let order = (0..<extent).sorted {
                let (a, b) = (elements[source + $0 * inner], elements[source + $1 * inner])
                return a == b ? $0 < $1 : largest ? a > b : a < b
            }
            let target = line / inner * count * inner + line % inner
            for (rank, index) in order.prefix(count).enumerated() {
                values[target + rank * inner] = elements[source + index * inner]
                indices[target + rank * inner] = Int64(index)
            }
        }
        return [Tensor(values, shape: shape), Tensor(indices, shape: shape)]
    }
}
