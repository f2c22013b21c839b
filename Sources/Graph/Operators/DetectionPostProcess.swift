/// TFLite_Detection_PostProcess: inputs box encodings [1, anchors, 4], class scores [1, anchors, classes(+1)], anchors
/// [anchors, 4] (ycenter, xcenter, h, w). Outputs boxes [1, n, 4] (ymin, xmin, ymax, xmax), classes [1, n], scores [1,
/// n], count [1], all float32.
public struct DetectionPostProcess: Operator, Hashable {
    public var maxDetections: Int, maxClassesPerDetection: Int, detectionsPerClass: Int, usesRegularNMS: Bool
    public var scoreThreshold: Float, iouThreshold: Float, classCount: Int
    public var yScale: Float, xScale: Float, hScale: Float, wScale: Float
    public init(
        maxDetections: Int, maxClassesPerDetection: Int, detectionsPerClass: Int = 100, usesRegularNMS: Bool = false,
        scoreThreshold: Float, iouThreshold: Float, classCount: Int, yScale: Float, xScale: Float, hScale: Float,
        wScale: Float
    ) {
        (self.maxDetections, self.maxClassesPerDetection, self.detectionsPerClass) =
            (maxDetections, maxClassesPerDetection, detectionsPerClass)
        (self.usesRegularNMS, self.scoreThreshold, self.iouThreshold, self.classCount) =
            (usesRegularNMS, scoreThreshold, iouThreshold, classCount)
        (self.yScale, self.xScale, self.hScale, self.wScale) = (yScale, xScale, hScale, wScale)
    }

    public var name: String { "DetectionPostProcess" }
}

extension DetectionPostProcess {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (boxes, scores) = (try inputs.operand(0, "box encodings"), try inputs.operand(1, "class scores"))
        let anchors = try inputs.operand(2, "anchors")
        for operand in [boxes, scores, anchors] { try operand.require([.float32]) }
        try boxes.requireRank(3...3)
        if let shape = boxes.shape, shape[0] != 1 || shape[2] < 4 {
            throw boxes.error(expected: "shape [1, anchors, 4 or more]", found: "shape \(shape)")
        }
        if let shape = scores.shape, let count = boxes.shape?[1] {
            guard shape.count == 3, shape[0] == 1, shape[1] == count, shape[2] >= classCount else {
                throw scores.error(expected: "shape [1, \(count), \(classCount) or more]", found: "shape \(shape)")
            }
        }
        if let count = boxes.shape?[1] { try anchors.requireShape([count, 4], "one for each box") }
        let limits = [maxDetections, maxClassesPerDetection, classCount]
        guard limits.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }), detectionsPerClass >= 0 else {
            throw OperatorError(
                subject: "attributes max_detections, max_classes_per_detection and num_classes",
                expected: "positive numbers of at most 2^20",
                found: "\(maxDetections), \(maxClassesPerDetection), \(classCount)")
        }
        let count = maxDetections * maxClassesPerDetection
        return [
            TensorType(.float32, [1, count, 4]), TensorType(.float32, [1, count]), TensorType(.float32, [1, count]),
            TensorType(.float32, [1]),
        ]
    }

    /// One row of the result.
    private struct Detection {
        var box: Int, classIndex: Int, score: Float
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let boxes = decode(inputs[0]!, anchors: inputs[2]!)
        let scores = inputs[1]!.floats
        let width = inputs[1]!.shape[2]
        // A background class, if any, comes first and is passed over.
        let offset = width - classCount
        let byAnchor = boxes.indices.map { Array(scores[($0 * width + offset)..<($0 * width + width)]) }
        let detections = usesRegularNMS ? regular(boxes, byAnchor) : fast(boxes, byAnchor)
        let capacity = maxDetections * maxClassesPerDetection
        var corners = [Float](repeating: 0, count: capacity * 4)
        var classes = [Float](repeating: 0, count: capacity)
        var values = [Float](repeating: 0, count: capacity)
        for (index, detection) in detections.enumerated() {
            corners.replaceSubrange((index * 4)..<(index * 4 + 4), with: boxes[detection.box].corners)
            classes[index] = Float(detection.classIndex)
            values[index] = detection.score
        }
        let perBox = usesRegularNMS ? 1 : min(maxClassesPerDetection, classCount)
        return [
            Tensor(corners, shape: [1, capacity, 4]), Tensor(classes, shape: [1, capacity]),
            Tensor(values, shape: [1, capacity]), Tensor([Float(detections.count / perBox)], shape: [1]),
        ]
    }

    /// Offsets and log sizes relative to the anchors → corners.
    private func decode(_ encodings: Tensor, anchors: Tensor) -> [Box] {
        let (codes, anchors, width) = (encodings.floats, anchors.floats, encodings.shape[2])
        return (0..<encodings.shape[1]).map { index in
            let code = codes[(index * width)...].prefix(4).map { $0 }
            let anchor = anchors[(index * 4)...].prefix(4).map { $0 }
            let yCenter = code[0] / yScale * anchor[2] + anchor[0]
            let xCenter = code[1] / xScale * anchor[3] + anchor[1]
            let halfHeight = 0.5 * Float.exp(code[2] / hScale) * anchor[2]
            let halfWidth = 0.5 * Float.exp(code[3] / wScale) * anchor[3]
            return Box(
                top: yCenter - halfHeight, left: xCenter - halfWidth, bottom: yCenter + halfHeight,
                right: xCenter + halfWidth)
        }
    }

    /// Suppression once, on every box's best score; each kept box gives its best classes.
    private func fast(_ boxes: [Box], _ scores: [[Float]]) -> [Detection] {
        let order = scores.map { row in Self.descending(row) }
        let best = zip(scores, order).map { $0[$1[0]] }
        let perBox = min(maxClassesPerDetection, classCount)
        return select(boxes, best, limit: maxDetections).flatMap { box in
            order[box].prefix(perBox).map { Detection(box: box, classIndex: $0, score: scores[box][$0]) }
        }
    }

    /// Suppression class by class; of all kept boxes the best ones.
    private func regular(_ boxes: [Box], _ scores: [[Float]]) -> [Detection] {
        var kept: [Detection] = []
        for classIndex in 0..<classCount {
            let classScores = scores.map { $0[classIndex] }
            kept += select(boxes, classScores, limit: detectionsPerClass).map {
                Detection(box: $0, classIndex: classIndex, score: classScores[$0])
            }
            kept = Self.descending(kept.map(\.score)).prefix(maxDetections).map { kept[$0] }
        }
        return kept
    }

    /// Non-maximum suppression: boxes by falling score, without those that overlap a better one.
    private func select(_ boxes: [Box], _ scores: [Float], limit: Int) -> [Int] {
        let candidates = scores.indices.filter { scores[$0] >= scoreThreshold }
        let sorted = Self.descending(candidates.map { scores[$0] }).map { candidates[$0] }
        var selected: [Int] = []
        for candidate in sorted {
            if selected.count >= limit { break }
            if !selected.contains(where: { boxes[$0].overlap(boxes[candidate]) > iouThreshold }) {
                selected.append(candidate)
            }
        }
        return selected
    }

    /// Indices by falling value; of equal values the lower index first.
    private static func descending(_ values: [Float]) -> [Int] {
        values.indices.sorted { values[$0] > values[$1] || (values[$0] == values[$1] && $0 < $1) }
    }
}

/// A rectangle by its corners.
struct Box {
    var top: Float, left: Float, bottom: Float, right: Float

    var corners: [Float] { [top, left, bottom, right] }

    var area: Float { (bottom - top) * (right - left) }

    /// Intersection over union; 0 when a box is empty.
    func overlap(_ other: Box) -> Float {
        if area <= 0 || other.area <= 0 { return 0 }
        let height = max(0, min(bottom, other.bottom) - max(top, other.top))
        let width = max(0, min(right, other.right) - max(left, other.left))
        return height * width / (area + other.area - height * width)
    }
}
