/// ONNX ConstantOfShape: input shape. `value` holds one element.
public struct ConstantOfShape: Operator {
    public var value: Tensor
    public init(value: Tensor = Tensor(scalar: Float(0)).reshaped([1])) { self.value = value }

    public var name: String { "ConstantOfShape" }
}

extension ConstantOfShape {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let shape = try inputs.operand(0, "shape")
        guard value.count == 1 else {
            throw OperatorError(subject: "attribute value", expected: "one element", found: "shape \(value.shape)")
        }
        guard let extents = try shape.integers() else { return [TensorType(value.elementType, nil)] }
        guard extents.allSatisfy({ $0 >= 0 }) else {
            throw shape.error(expected: "extents that are not negative", found: "\(extents)")
        }
        return [TensorType(value.elementType, extents)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        return [value.strided(shape: shape, strides: shape.map { _ in 0 })]
    }
}
