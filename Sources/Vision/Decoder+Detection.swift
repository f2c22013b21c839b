import NestFormat

/// A box that may become a detection, in pixels of the network's input.
struct Candidate: BitwiseCopyable {
    var classIndex: Int32
    var score: Float
    var xMin: Float, yMin: Float, xMax: Float, yMax: Float
    var isOut: Bool

    var area: Float { max(0, xMax - xMin) * max(0, yMax - yMin) }

    /// Shared area over joint area; 0 for boxes without area.
    func intersectionOverUnion(_ other: Candidate) -> Float {
        let width = min(xMax, other.xMax) - max(xMin, other.xMin)
        let height = min(yMax, other.yMax) - max(yMin, other.yMin)
        guard width > 0, height > 0 else { return 0 }
        let shared = width * height
        let joint = area + other.area - shared
        return joint > 0 ? shared / joint : 0
    }
}

extension Decoder {
    // MARK: Checks

    func prepareTFLiteDetections() throws(DecodingError) {
        matrices = [Matrix(outputs[0], expectedColumns: 4)]
        guard matrices[0].columns == 4 else { throw unsuitable(0, expected: "boxes [n, 4]") }
        for index in 1...2 where outputs[index].elementCount != matrices[0].rows {
            throw unsuitable(index, expected: "\(matrices[0].rows) elements")
        }
        guard outputs[3].elementCount == 1 else { throw unsuitable(3, expected: "one count") }
        detectionList = FixedList(capacity: matrices[0].rows)
    }

    func prepare(_ ssd: SSDDecoding) throws(DecodingError) {
        let anchors = ssd.anchors.count / 4
        let columns = ssd.classCount + (ssd.hasBackground ? 1 : 0)
        matrices = [
            Matrix(outputs[ssd.boxesOutput], expectedColumns: 4),
            Matrix(outputs[ssd.scoresOutput], expectedColumns: columns),
        ]
        guard matrices[0].rows == anchors, matrices[0].columns >= 4 else {
            throw unsuitable(ssd.boxesOutput, expected: "\(anchors) rows of at least 4")
        }
        guard matrices[1].rows == anchors, matrices[1].columns == columns else {
            throw unsuitable(ssd.scoresOutput, expected: "\(anchors) rows of \(columns)")
        }
        candidates = FixedList(capacity: anchors)
        detectionList = FixedList(capacity: min(anchors, ssd.maxDetections))
    }

    func prepare(_ yolo: YOLODecoding) throws(DecodingError) {
        let perCell = yolo.version == .v8 ? 4 + yolo.classCount : 5 + yolo.classCount
        var matrix = Matrix(outputs[0], expectedColumns: perCell)
        if yolo.version == .v8 {
            guard matrix.rows == perCell else { throw unsuitable(0, expected: "[\(perCell), cells]") }
            matrix = Matrix(transposing: matrix)
        }
        guard matrix.columns == perCell else { throw unsuitable(0, expected: "[cells, \(perCell)]") }
        if yolo.version == .yolox || !yolo.anchors.isEmpty {
            let anchors = anchorsPerStride(yolo)
            guard !yolo.strides.isEmpty, yolo.strides.allSatisfy({ $0 > 0 }),
                yolo.anchors.count == (yolo.version == .yolox ? 0 : 2 * anchors * yolo.strides.count)
            else { throw unsuitable(0, expected: "strides and anchors (pairs, the same number a stride) in the file") }
            let cells = yolo.strides.reduce(0) { $0 + (inputWidth / $1) * (inputHeight / $1) * anchors }
            guard matrix.rows == cells else { throw unsuitable(0, expected: "\(cells) cells of \(perCell)") }
        }
        matrices = [matrix]
        candidates = FixedList(capacity: matrix.rows)
        detectionList = FixedList(capacity: min(matrix.rows, yolo.maxDetections))
    }

    private func anchorsPerStride(_ yolo: YOLODecoding) -> Int {
        yolo.version == .yolox ? 1 : yolo.anchors.count / 2 / max(1, yolo.strides.count)
    }

    func prepare(_ anchorFree: AnchorFreeDecoding) throws(DecodingError) {
        var cells = 0
        for level in anchorFree.levels {
            let scores = Matrix(outputs[level.scoresOutput], expectedColumns: anchorFree.classCount)
            let boxes = Matrix(outputs[level.boxesOutput], expectedColumns: 4 * anchorFree.distanceBins)
            guard level.stride > 0 else { throw unsuitable(level.scoresOutput, expected: "a stride of at least 1") }
            let across = (inputWidth + level.stride - 1) / level.stride
            let expected = across * ((inputHeight + level.stride - 1) / level.stride)
            guard scores.rows == expected, scores.columns == anchorFree.classCount else {
                throw unsuitable(level.scoresOutput, expected: "[\(expected), \(anchorFree.classCount)]")
            }
            guard boxes.rows == expected, boxes.columns == 4 * anchorFree.distanceBins else {
                throw unsuitable(level.boxesOutput, expected: "[\(expected), \(4 * anchorFree.distanceBins)]")
            }
            matrices.append(scores)
            matrices.append(boxes)
            cells += expected
        }
        candidates = FixedList(capacity: cells)
        detectionList = FixedList(capacity: min(cells, anchorFree.maxDetections))
    }

    // MARK: Decoding

    func decodeTFLite(
        boxes: TensorView, classes: TensorView, scores: TensorView, count: TensorView, threshold: Float,
        _ placement: Placement
    ) {
        detectionList.removeAll()
        let limit = matrices[0].rows
        let found = count.value(0)
        let rows = found >= Float(limit) ? limit : found > 0 ? Int(found) : 0
        for row in 0..<rows where scores.value(row) >= threshold {
            let start = row * matrices[0].rowStride
            let step = matrices[0].columnStride
            appendDetection(
                classIndex: Int(max(0, min(1e6, classes.value(row)))), score: scores.value(row),
                xMin: boxes.value(start + step), yMin: boxes.value(start), xMax: boxes.value(start + 3 * step),
                yMax: boxes.value(start + 2 * step), placement)
        }
    }

    func decode(_ ssd: SSDDecoding, boxes: TensorView, scores: TensorView, _ placement: Placement) {
        candidates.removeAll()
        let (boxMatrix, scoreMatrix) = (matrices[0], matrices[1])
        let firstClass = ssd.hasBackground ? 1 : 0
        for anchor in 0..<boxMatrix.rows {
            guard
                let (best, score) = bestClass(
                    scores, start: anchor * scoreMatrix.rowStride + firstClass * scoreMatrix.columnStride,
                    step: scoreMatrix.columnStride, count: ssd.classCount, sigmoid: ssd.sigmoid),
                score >= ssd.scoreThreshold
            else { continue }
            func encoding(_ index: Int) -> Float {
                boxes.value(anchor * boxMatrix.rowStride + index * boxMatrix.columnStride)
            }
            let (centerY, centerX) = (ssd.anchors[4 * anchor], ssd.anchors[4 * anchor + 1])
            let (height, width) = (ssd.anchors[4 * anchor + 2], ssd.anchors[4 * anchor + 3])
            let (x, y, w, h): (Float, Float, Float, Float)
            if ssd.linearSizes {
                x = encoding(0) / ssd.xScale * width + centerX
                y = encoding(1) / ssd.yScale * height + centerY
                w = encoding(2) / ssd.wScale * width
                h = encoding(3) / ssd.hScale * height
            } else {
                y = encoding(0) / ssd.yScale * height + centerY
                x = encoding(1) / ssd.xScale * width + centerX
                h = DeterministicMath.exp(encoding(2) / ssd.hScale) * height
                w = DeterministicMath.exp(encoding(3) / ssd.wScale) * width
            }
            appendCandidate(
                classIndex: best, score: score, centerX: x * Float(inputWidth), centerY: y * Float(inputHeight),
                width: w * Float(inputWidth), height: h * Float(inputHeight))
        }
        suppress(iouThreshold: ssd.iouThreshold, maxDetections: ssd.maxDetections, placement)
    }

    func decode(_ yolo: YOLODecoding, _ view: TensorView, _ placement: Placement) {
        candidates.removeAll()
        let matrix = matrices[0]
        let step = matrix.columnStride
        let classStart = yolo.version == .v8 ? 4 : 5
        // Cells in the file's order: strides, then anchors, then rows, then columns.
        var (level, anchor, cellX, cellY) = (0, 0, 0, 0)
        let hasGrid = yolo.version == .yolox || !yolo.anchors.isEmpty
        let anchors = anchorsPerStride(yolo)
        for cell in 0..<matrix.rows {
            let start = cell * matrix.rowStride
            let (x, y, currentLevel, currentAnchor) = (cellX, cellY, level, anchor)
            if hasGrid {
                cellX += 1
                if cellX == inputWidth / yolo.strides[level] {
                    (cellX, cellY) = (0, cellY + 1)
                    if cellY == inputHeight / yolo.strides[level] {
                        (cellY, anchor) = (0, anchor + 1)
                        if anchor == anchors { (anchor, level) = (0, level + 1) }
                    }
                }
            }
            guard
                let (best, classScore) = bestClass(
                    view, start: start + classStart * step, step: step, count: yolo.classCount, sigmoid: yolo.sigmoid)
            else { continue }
            var score = classScore
            if yolo.version != .v8 {
                let objectness = view.value(start + 4 * step)
                score *= yolo.sigmoid ? DeterministicMath.sigmoid(objectness) : objectness
            }
            guard score >= yolo.scoreThreshold else { continue }
            let (a, b) = (view.value(start), view.value(start + step))
            let (c, d) = (view.value(start + 2 * step), view.value(start + 3 * step))
            if !hasGrid {
                appendCandidate(classIndex: best, score: score, centerX: a, centerY: b, width: c, height: d)
                continue
            }
            let stride = Float(yolo.strides[currentLevel])
            if yolo.version == .yolox {
                appendCandidate(
                    classIndex: best, score: score, centerX: (a + Float(x)) * stride, centerY: (b + Float(y)) * stride,
                    width: DeterministicMath.exp(c) * stride, height: DeterministicMath.exp(d) * stride)
            } else {
                func squashed(_ value: Float) -> Float { yolo.sigmoid ? DeterministicMath.sigmoid(value) : value }
                let pair = 2 * (currentLevel * anchors + currentAnchor)
                let (w, h) = (squashed(c) * 2, squashed(d) * 2)
                appendCandidate(
                    classIndex: best, score: score, centerX: (squashed(a) * 2 - 0.5 + Float(x)) * stride,
                    centerY: (squashed(b) * 2 - 0.5 + Float(y)) * stride, width: w * w * yolo.anchors[pair],
                    height: h * h * yolo.anchors[pair + 1])
            }
        }
        suppress(iouThreshold: yolo.iouThreshold, maxDetections: yolo.maxDetections, placement)
    }

    /// One level: a point in each cell's middle, distances to the four sides in strides (with bins: the mean of the bins
    /// under the softmax of their scores).
    func decode(_ anchorFree: AnchorFreeDecoding, level: Int, scores: TensorView, boxes: TensorView) {
        let (scoreMatrix, boxMatrix) = (matrices[2 * level], matrices[2 * level + 1])
        let stride = anchorFree.levels[level].stride
        let across = (inputWidth + stride - 1) / stride
        let bins = anchorFree.distanceBins
        for cell in 0..<scoreMatrix.rows {
            guard
                let (best, score) = bestClass(
                    scores, start: cell * scoreMatrix.rowStride, step: scoreMatrix.columnStride,
                    count: anchorFree.classCount, sigmoid: anchorFree.sigmoid), score >= anchorFree.scoreThreshold
            else { continue }
            let start = cell * boxMatrix.rowStride
            func distance(_ side: Int) -> Float {
                let first = start + side * bins * boxMatrix.columnStride
                guard bins > 1 else { return boxes.value(first) * Float(stride) }
                var largest = -Float.infinity
                for bin in 0..<bins { largest = max(largest, boxes.value(first + bin * boxMatrix.columnStride)) }
                var (total, weighted) = (0.0, 0.0)
                for bin in 0..<bins {
                    let share = DeterministicMath.exp(
                        Double(boxes.value(first + bin * boxMatrix.columnStride) - largest))
                    total += share
                    weighted += share * Double(bin)
                }
                return Float(weighted / total) * Float(stride)
            }
            let x = (Float(cell % across) + 0.5) * Float(stride)
            let y = (Float(cell / across) + 0.5) * Float(stride)
            candidates.append(
                Candidate(
                    classIndex: Int32(best), score: score, xMin: x - distance(0), yMin: y - distance(1),
                    xMax: x + distance(2), yMax: y + distance(3), isOut: false))
        }
    }

    // MARK: Common

    /// The first class with the largest score; nil when none is a number.
    private func bestClass(
        _ view: TensorView, start: Int, step: Int, count: Int, sigmoid: Bool
    ) -> (index: Int, score: Float)? {
        var (best, largest) = (-1, -Float.infinity)
        for index in 0..<count {
            let value = view.value(start + index * step)
            if value > largest { (best, largest) = (index, value) }
        }
        guard best >= 0 else { return nil }
        return (best, sigmoid ? DeterministicMath.sigmoid(largest) : largest)
    }

    private func appendCandidate(
        classIndex: Int, score: Float, centerX: Float, centerY: Float, width: Float, height: Float
    ) {
        candidates.append(
            Candidate(
                classIndex: Int32(classIndex), score: score, xMin: centerX - width / 2, yMin: centerY - height / 2,
                xMax: centerX + width / 2, yMax: centerY + height / 2, isOut: false))
    }

    /// Greedy non-maximum suppression within each class: the best candidate left is kept, those of its class that overlap
    /// it by more than `iouThreshold` go; until `maxDetections` are kept.
    func suppress(iouThreshold: Float, maxDetections: Int, _ placement: Placement) {
        detectionList.removeAll()
        while detectionList.count < min(maxDetections, detectionList.capacity) {
            var best = -1
            for index in 0..<candidates.count where !candidates[index].isOut {
                if best < 0 || candidates[index].score > candidates[best].score { best = index }
            }
            guard best >= 0 else { return }
            let kept = candidates[best]
            candidates[best].isOut = true
            for index in 0..<candidates.count where !candidates[index].isOut {
                let other = candidates[index]
                if other.classIndex == kept.classIndex, kept.intersectionOverUnion(other) > iouThreshold {
                    candidates[index].isOut = true
                }
            }
            appendDetection(
                classIndex: Int(kept.classIndex), score: kept.score, xMin: kept.xMin / Float(inputWidth),
                yMin: kept.yMin / Float(inputHeight), xMax: kept.xMax / Float(inputWidth),
                yMax: kept.yMax / Float(inputHeight), placement)
        }
    }

    /// From shares of the network's input to shares of the picture, cut at its edges.
    private func appendDetection(
        classIndex: Int, score: Float, xMin: Float, yMin: Float, xMax: Float, yMax: Float, _ placement: Placement
    ) {
        func cut(_ value: Float) -> Float { value > 0 ? min(1, value) : 0 }
        detectionList.append(
            Detection(
                classIndex: classIndex, score: score,
                xMin: cut(placement.sourceX(ofInput: xMin, inputWidth: inputWidth)),
                yMin: cut(placement.sourceY(ofInput: yMin, inputHeight: inputHeight)),
                xMax: cut(placement.sourceX(ofInput: xMax, inputWidth: inputWidth)),
                yMax: cut(placement.sourceY(ofInput: yMax, inputHeight: inputHeight))))
    }
}

extension Matrix {
    init(transposing other: Matrix) {
        (rows, columns) = (other.columns, other.rows)
        (rowStride, columnStride) = (other.columnStride, other.rowStride)
    }
}
