/// ONNX LayerNormalization over the axes from `axis` on: inputs x, scale, bias?. Outputs y, mean, inverse standard
/// deviation.
public struct LayerNormalization: Operator, Hashable {
    public var axis: Int, epsilon: Float
    public init(axis: Int = -1, epsilon: Float = 1e-5) {
        (self.axis, self.epsilon) = (axis, epsilon)
    }

    public var name: String { "LayerNormalization" }
}

extension LayerNormalization {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        try x.requireRank(1...Int.max)
        guard let shape = x.shape else { return [x.type, TensorType(.float32, nil), TensorType(.float32, nil)] }
        let axis = try normalized(axis: axis, rank: shape.count)
        for parameter in [try inputs.operand(1, "scale"), inputs.optionalOperand(2, "bias")] {
            guard let parameter else { continue }
            try parameter.require(ElementType.floatingPoint)
            let whole = try broadcast([x, parameter])
            guard whole == nil || whole == shape else {
                throw parameter.error(
                    expected: "a shape that broadcasts to \(shape)", found: "shape \(parameter.shape!)")
            }
        }
        let statistics = shape.indices.map { $0 < axis ? shape[$0] : 1 }
        return [x.type, TensorType(.float32, statistics), TensorType(.float32, statistics)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let types = try outputTypes(inputs)
        let x = inputs[0]!
        let axis = try normalized(axis: axis, rank: x.shape.count)
        let outer = x.shape[..<axis].reduce(1, *)
        let result = standardized(x.doubles, rows: outer, epsilon: epsilon)
        var y = Tensor(result.values, shape: x.shape)
        y = Tensor.map(y, inputs[1]!.converted(to: .float64), shape: x.shape) { (a: Double, b: Double) in a * b }
        if let bias = inputs.optional(2) {
            y = Tensor.map(y, bias.converted(to: .float64), shape: x.shape) { (a: Double, b: Double) in a + b }
        }
        return [
            y.converted(to: x.elementType), Tensor(result.means.map { Float($0) }, shape: types[1].shape!),
            Tensor(result.factors.map { Float($0) }, shape: types[2].shape!),
        ]
    }
}

/// Each of `rows` equal parts of `values` brought to mean 0 and variance 1; with the means and the inverse standard
/// deviations.
func standardized(
    _ values: [Double], rows: Int, epsilon: Float
) -> (values: [Double], means: [Double], factors: [Double]) {
    let count = rows == 0 ? 0 : values.count / rows
    var result = values
    var (means, factors): ([Double], [Double]) = ([], [])
    for row in 0..<rows {
        let range = (row * count)..<(row * count + count)
        let mean = values[range].reduce(0, +) / Double(count)
        let variance = values[range].reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        let factor = 1 / (variance + Double(epsilon)).squareRoot()
        for index in range { result[index] = (values[index] - mean) * factor }
        means.append(mean)
        factors.append(factor)
    }
    return (result, means, factors)
}
