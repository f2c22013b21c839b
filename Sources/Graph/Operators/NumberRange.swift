/// ONNX Range: inputs start, limit, delta (scalars of one type).
public struct NumberRange: Operator, Hashable {
    public init() {}

    public var name: String { "Range" }
}

extension NumberRange {
    private static let elementTypes: [ElementType] = ElementType.floatingPoint + [.int16, .int32, .int64]

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let start = try inputs.operand(0, "start")
        let operands = [start, try inputs.operand(1, "limit"), try inputs.operand(2, "delta")]
        for operand in operands {
            try operand.require(Self.elementTypes)
            try operand.requireType(of: start)
            try operand.requireScalar()
        }
        let values = operands.compactMap { $0.facts.constant?.doubles.first }
        guard values.count == 3 else { return [TensorType(start.elementType, nil)] }
        let count = ((values[1] - values[0]) / values[2]).rounded(.up)
        guard count.isFinite, count < 1e9 else {
            throw operands[2].error(expected: "a step that leads from start to limit", found: "\(values[2])")
        }
        return [TensorType(start.elementType, [max(0, Int(count))])]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let count = try outputShape(inputs)[0]
        let (start, delta) = (inputs[0]!.doubles[0], inputs[2]!.doubles[0])
        let values = Tensor((0..<count).map { start + Double($0) * delta }, shape: [count])
        return [values.converted(to: inputs[0]!.elementType)]
    }
}
