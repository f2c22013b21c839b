/// ONNX Slice: inputs data, starts, ends, axes?, steps?.
public struct Slice: Operator, Hashable {
    public init() {}

    public var name: String { "Slice" }
}

extension Slice {
    /// What one axis keeps: `count` elements from `start` on, `step` apart.
    public struct Part: Sendable, Hashable {
        public var start: Int, step: Int, count: Int

        public init(start: Int, step: Int, count: Int) { (self.start, self.step, self.count) = (start, step, count) }
    }

    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        return [TensorType(data.elementType, try parts(inputs)?.map(\.count))]
    }

    /// What each axis keeps; nil where that depends on data.
    public func parts(_ inputs: [InputFacts?]) throws(OperatorError) -> [Part]? {
        let data = try inputs.operand(0, "data")
        let (starts, ends) = (try inputs.operand(1, "starts"), try inputs.operand(2, "ends"))
        let (axes, steps) = (inputs.optionalOperand(3, "axes"), inputs.optionalOperand(4, "steps"))
        let (startValues, endValues) = (try starts.integers(), try ends.integers())
        let (axisValues, stepValues) = (try axes?.integers(), try steps?.integers())
        guard let shape = data.shape, let startValues, let endValues, (axes == nil) == (axisValues == nil),
            (steps == nil) == (stepValues == nil)
        else { return nil }
        let sliced = try normalized(
            axes: axisValues ?? Array(startValues.indices), rank: shape.count, subject: "input 3 (axes)")
        guard endValues.count == startValues.count, sliced.count == startValues.count,
            stepValues.map({ $0.count == startValues.count && !$0.contains(0) }) ?? true
        else {
            throw ends.error(
                expected: "as many ends, axes and non-zero steps as starts, \(startValues.count)",
                found: "\(endValues), \(sliced), \(stepValues ?? [])")
        }
        var parts = shape.map { Part(start: 0, step: 1, count: $0) }
        for (index, axis) in sliced.enumerated() {
            let extent = shape[axis]
            // A step beyond the extent leaves one element, however long it is.
            let step = max(-max(extent, 1), min(max(extent, 1), stepValues?[index] ?? 1))
            func position(_ value: Int, _ range: ClosedRange<Int>) -> Int {
                let counted = value < 0 ? value + extent : value
                return max(range.lowerBound, min(range.upperBound, counted))
            }
            if extent == 0 { continue }
            let range = step > 0 ? 0...extent : -1...(extent - 1)
            let start = position(startValues[index], step > 0 ? range : 0...(extent - 1))
            let end = position(endValues[index], range)
            let count = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step
            parts[axis] = Part(start: start, step: step, count: max(0, count))
        }
        return parts
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let parts = try parts(inputs.map { input in input.map(InputFacts.init(contents:)) })!
        let strides = rowMajorStrides(inputs[0]!.shape)
        let base = zip(parts, strides).reduce(0) { $0 + $1.0.start * $1.1 }
        return [
            inputs[0]!.strided(
                shape: parts.map(\.count), strides: zip(parts, strides).map { $0.step * $1 }, base: base)
        ]
    }
}
