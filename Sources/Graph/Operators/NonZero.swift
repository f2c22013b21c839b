/// ONNX NonZero: output [rank, count] int64, row-major order.
public struct NonZero: Operator, Hashable {
    public init() {}

    public var name: String { "NonZero" }
}

extension NonZero {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        _ = try inputs.operand(0, "x")
        return [TensorType(.int64, nil)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let x = inputs[0]!
        let isSet = x.converted(to: .bool).elements(as: Bool.self)
        let found = isSet.indices.filter { isSet[$0] }
        let coordinates = zip(rowMajorStrides(x.shape), x.shape).flatMap { stride, extent in
            found.map { $0 / stride % extent }
        }
        return [Tensor(integers: coordinates, shape: [x.shape.count, found.count])]
    }
}
