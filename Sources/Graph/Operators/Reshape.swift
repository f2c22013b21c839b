/// ONNX Reshape: inputs data, shape.
public struct Reshape: Operator, Hashable {
    public var allowZero: Bool
    public init(allowZero: Bool = false) { self.allowZero = allowZero }

    public var name: String { "Reshape" }
}

extension Reshape {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, target) = (try inputs.operand(0, "data"), try inputs.operand(1, "shape"))
        try target.requireRank(1...1)
        guard var shape = try target.integers(), let old = data.shape else {
            return [TensorType(data.elementType, nil)]
        }
        for axis in shape.indices where shape[axis] == 0 && !allowZero {
            guard axis < old.count else {
                throw target.error(expected: "0 only where the data has an axis to copy", found: "\(shape) for \(old)")
            }
            shape[axis] = old[axis]
        }
        let count = old.reduce(1, *)
        if let unknown = shape.firstIndex(of: -1) {
            shape[unknown] = 1
            guard let others = ShapeInference.count(shape), others > 0, count % others == 0 else {
                throw target.error(
                    expected: "a shape with \(count) elements", found: "\(target.facts.constant!.integers)")
            }
            shape[unknown] = count / others
        }
        guard ShapeInference.count(shape) == count else {
            throw target.error(
                expected: "a shape with \(count) elements, those of \(old)",
                found: "\(target.facts.constant!.integers)")
        }
        return [TensorType(data.elementType, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        [inputs[0]!.reshaped(try outputShape(inputs))]
    }
}
