extension Operator {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        throw OperatorError(subject: "operator", expected: "one with a shape rule", found: name)
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        throw OperatorError(subject: "operator", expected: "one with a reference", found: name)
    }
}
