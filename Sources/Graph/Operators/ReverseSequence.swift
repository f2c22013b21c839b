/// ONNX ReverseSequence: inputs x, lengths [batch].
public struct ReverseSequence: Operator, Hashable {
    public var batchAxis: Int, timeAxis: Int
    public init(batchAxis: Int = 1, timeAxis: Int = 0) {
        (self.batchAxis, self.timeAxis) = (batchAxis, timeAxis)
    }

    public var name: String { "ReverseSequence" }
}

extension ReverseSequence {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (x, lengths) = (try inputs.operand(0, "x"), try inputs.operand(1, "lengths"))
        try x.requireRank(2...Int.max)
        guard Set([batchAxis, timeAxis]) == [0, 1] else {
            throw OperatorError(
                subject: "attributes batch_axis and time_axis", expected: "0 and 1, or 1 and 0",
                found: "\(batchAxis) and \(timeAxis)")
        }
        if let shape = x.shape {
            try lengths.requireShape([shape[batchAxis]], "one for each sample")
            if let values = try lengths.integers(), !values.allSatisfy({ (0...shape[timeAxis]).contains($0) }) {
                throw lengths.error(expected: "lengths of 0 to \(shape[timeAxis])", found: "\(values)")
            }
        }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (x, lengths) = (inputs[0]!, inputs[1]!.integers)
        let (outer, inner) = (x.shape[0], x.shape[1])
        var rows: [Int] = []
        for first in 0..<outer {
            for second in 0..<inner {
                let (batch, time) = batchAxis == 0 ? (first, second) : (second, first)
                let source = time < lengths[batch] ? lengths[batch] - 1 - time : time
                rows.append(batchAxis == 0 ? first * inner + source : source * inner + second)
            }
        }
        let flat = x.reshaped([outer * inner] + x.shape[2...])
        return [flat.indexed([rows] + x.shape[2...].map { _ in nil }).reshaped(x.shape)]
    }
}
