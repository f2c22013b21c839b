/// ONNX Squeeze: inputs data, axes?.
public struct Squeeze: Operator, Hashable {
    public init() {}

    public var name: String { "Squeeze" }
}

extension Squeeze {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        let axes = inputs.optionalOperand(1, "axes")
        let values = try axes?.integers()
        guard let shape = data.shape, (axes == nil) == (values == nil) else {
            return [TensorType(data.elementType, nil)]
        }
        let removed: [Int]
        if let values {
            removed = try normalized(axes: values, rank: shape.count, subject: axes!.subject)
        } else {
            removed = shape.indices.filter { shape[$0] == 1 }
        }
        for axis in removed where shape[axis] != 1 {
            throw OperatorError(
                subject: "input 1 (axes)", expected: "axes of extent 1", found: "axis \(axis) of \(shape)")
        }
        return [TensorType(data.elementType, shape.indices.filter { !removed.contains($0) }.map { shape[$0] })]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        [inputs[0]!.reshaped(try outputShape(inputs))]
    }
}
