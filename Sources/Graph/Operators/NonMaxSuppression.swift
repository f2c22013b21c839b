/// ONNX NonMaxSuppression: inputs boxes [batch, boxes, 4], scores [batch, classes, boxes], maxOutputBoxesPerClass?,
/// iouThreshold?, scoreThreshold?. Output [selected, 3] int64: batch, class, box. `usesCenters`: boxes are x centre, y
/// centre, width, height (`center_point_box` 1) instead of two opposite corners y, x, y, x.
public struct NonMaxSuppression: Operator, Hashable {
    public var usesCenters: Bool
    public init(usesCenters: Bool = false) { self.usesCenters = usesCenters }

    public var name: String { "NonMaxSuppression" }
}

extension NonMaxSuppression {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (boxes, scores) = (try inputs.operand(0, "boxes"), try inputs.operand(1, "scores"))
        try boxes.require([.float32])
        try scores.require([.float32])
        try scores.requireRank(3...3)
        if let shape = scores.shape { try boxes.requireShape([shape[0], shape[2], 4], "four numbers for each score") }
        let limits = ["maxOutputBoxesPerClass", "iouThreshold", "scoreThreshold"]
        for (index, label) in limits.enumerated() { try inputs.optionalOperand(index + 2, label)?.requireScalar() }
        return [TensorType(.int64, nil)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (batches, classes, count) = (inputs[1]!.shape[0], inputs[1]!.shape[1], inputs[1]!.shape[2])
        let boxes = decode(inputs[0]!.floats)
        let scores = inputs[1]!.floats
        let limit = inputs.optional(2)?.integers.first ?? 0
        let iouThreshold = inputs.optional(3)?.floats.first ?? 0
        let scoreThreshold = inputs.optional(4)?.floats.first ?? -.infinity
        var rows: [Int] = []
        for batch in 0..<batches {
            for classIndex in 0..<classes {
                let classScores = scores[((batch * classes + classIndex) * count)...].prefix(count).map { $0 }
                let order = classScores.indices.filter { classScores[$0] > scoreThreshold }
                    .sorted { classScores[$0] > classScores[$1] || (classScores[$0] == classScores[$1] && $0 < $1) }
                var selected: [Int] = []
                for candidate in order where selected.count < limit {
                    let box = boxes[batch * count + candidate]
                    if !selected.contains(where: { boxes[batch * count + $0].overlap(box) > iouThreshold }) {
                        selected.append(candidate)
                    }
                }
                for box in selected { rows += [batch, classIndex, box] }
            }
        }
        return [Tensor(integers: rows, shape: [rows.count / 3, 3])]
    }

    private func decode(_ numbers: [Float]) -> [Box] {
        stride(from: 0, to: numbers.count, by: 4).map { first in
            let (a, b, c, d) = (numbers[first], numbers[first + 1], numbers[first + 2], numbers[first + 3])
            if usesCenters { return Box(top: b - d / 2, left: a - c / 2, bottom: b + d / 2, right: a + c / 2) }
            return Box(top: min(a, c), left: min(b, d), bottom: max(a, c), right: max(b, d))
        }
    }
}
