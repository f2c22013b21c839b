/// ONNX ArgMax and ArgMin; the output is int64.
public struct ArgReduce: Operator, Hashable {
    public var isMax: Bool, axis: Int, keepDims: Bool, selectLastIndex: Bool
    public init(isMax: Bool, axis: Int = 0, keepDims: Bool = true, selectLastIndex: Bool = false) {
        (self.isMax, self.axis, self.keepDims, self.selectLastIndex) = (isMax, axis, keepDims, selectLastIndex)
    }

    public var name: String { isMax ? "ArgMax" : "ArgMin" }
}

extension ArgReduce {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.numeric)
        try x.requireRank(1...Int.max)
        guard var shape = x.shape else { return [TensorType(.int64, nil)] }
        let axis = try normalized(axis: axis, rank: shape.count)
        guard shape[axis] > 0 else { throw x.error(expected: "elements along axis \(axis)", found: "shape \(shape)") }
        if keepDims { shape[axis] = 1 } else { shape.remove(at: axis) }
        return [TensorType(.int64, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        var x = inputs[0]!
        // Order is kept by widening, so the half types need no rounding back.
        if x.elementType.numericType == nil { x = x.converted(to: .float32) }
        let axis = try normalized(axis: axis, rank: x.shape.count)
        return [search(x, axis, shape, x.elementType.numericType!)]
    }

    private func search<Element: NumericElement>(_ x: Tensor, _ axis: Int, _ shape: [Int], _: Element.Type) -> Tensor {
        let extent = x.shape[axis]
        let inner = x.shape[(axis + 1)...].reduce(1, *)
        return Tensor(shape: shape, of: Int64.self) { output in
            x.withElements(of: Element.self) { x in
                for line in 0..<output.count {
                    let source = x.baseAddress! + (line / inner * extent * inner + line % inner)
                    var best = 0
                    for index in 1..<max(extent, 1) {
                        let (value, current) = (source[index * inner], source[best * inner])
                        let isBetter = isMax ? value > current : value < current
                        if isBetter || (selectLastIndex && value == current) { best = index }
                    }
                    output[line] = Int64(best)
                }
            }
        }
    }
}
