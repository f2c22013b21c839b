/// ONNX Flatten to a matrix: axes before `axis`, axes from `axis`.
public struct Flatten: Operator, Hashable {
    public var axis: Int
    public init(axis: Int = 1) { self.axis = axis }

    public var name: String { "Flatten" }
}

extension Flatten {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        guard let shape = data.shape else { return [data.type] }
        guard axis >= -shape.count, axis <= shape.count else {
            throw OperatorError(
                subject: "attribute axis", expected: "-\(shape.count) to \(shape.count)", found: "\(axis)")
        }
        let split = axis < 0 ? axis + shape.count : axis
        return [TensorType(data.elementType, [shape[..<split].reduce(1, *), shape[split...].reduce(1, *)])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        [inputs[0]!.reshaped(try outputShape(inputs))]
    }
}
