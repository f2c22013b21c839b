import Kernels
import NestFormat

/// TFLite_Detection_PostProcess on float32 encodings [anchors, 4] and scores [anchors, classes + labelOffset]; anchors float32
/// [anchors, 4] (centre y, centre x, height, width) in the weights section. Outputs float32 with
/// n = maxDetections · maxClassesPerDetection rows: boxes [n, 4] (top, left, bottom, right), classes [n], scores [n],
/// count [1]; unused rows 0. Equal scores: the lower index first. Fast: suppression once on every anchor's best class; each
/// kept anchor gives its best `maxClassesPerDetection` classes, and the count is that of anchors. Regular: suppression
/// class by class, `detectionsPerClass` each, the best `maxDetections` of all.
public struct DetectionOperation: Sendable, Hashable {
    public var anchorCount: Int, classCount: Int, labelOffset: Int, maxDetections: Int, maxClassesPerDetection: Int
    public var detectionsPerClass: Int, usesRegularNMS: Bool, scoreThreshold: Float, iouThreshold: Float
    public var yScale: Float, xScale: Float, hScale: Float, wScale: Float
    public var encodingsOffset: Int, scoresOffset: Int, anchorsOffset: Int
    public var boxesOffset: Int, classesOffset: Int, detectionScoresOffset: Int, countOffset: Int, scratchOffset: Int
    public init(
        anchorCount: Int, classCount: Int, labelOffset: Int, maxDetections: Int, maxClassesPerDetection: Int,
        detectionsPerClass: Int, usesRegularNMS: Bool, scoreThreshold: Float, iouThreshold: Float, yScale: Float,
        xScale: Float, hScale: Float, wScale: Float, encodingsOffset: Int, scoresOffset: Int, anchorsOffset: Int,
        boxesOffset: Int, classesOffset: Int, detectionScoresOffset: Int, countOffset: Int, scratchOffset: Int
    ) {
        (self.anchorCount, self.classCount, self.labelOffset) = (anchorCount, classCount, labelOffset)
        (self.maxDetections, self.maxClassesPerDetection) = (maxDetections, maxClassesPerDetection)
        (self.detectionsPerClass, self.usesRegularNMS) = (detectionsPerClass, usesRegularNMS)
        (self.scoreThreshold, self.iouThreshold) = (scoreThreshold, iouThreshold)
        (self.yScale, self.xScale, self.hScale, self.wScale) = (yScale, xScale, hScale, wScale)
        (self.encodingsOffset, self.scoresOffset, self.anchorsOffset) = (encodingsOffset, scoresOffset, anchorsOffset)
        (self.boxesOffset, self.classesOffset, self.detectionScoresOffset) =
            (boxesOffset, classesOffset, detectionScoresOffset)
        (self.countOffset, self.scratchOffset) = (countOffset, scratchOffset)
    }

    /// Bytes of arena that the operator needs at `scratchOffset`.
    public static func scratchByteCount(anchorCount: Int, classCount: Int) -> Int { anchorCount * 32 }
}

extension DetectionOperation: DirectOperator {
    func encode(into writer: inout ByteWriter) {
        for value in [
            anchorCount, classCount, labelOffset, maxDetections, maxClassesPerDetection, detectionsPerClass,
        ] {
            writer.writeCount(value)
        }
        writer.write(usesRegularNMS)
        for value in [scoreThreshold, iouThreshold, yScale, xScale, hScale, wScale] { writer.write(value) }
        for value in [
            encodingsOffset, scoresOffset, anchorsOffset, boxesOffset, classesOffset, detectionScoresOffset, countOffset,
            scratchOffset,
        ] {
            writer.writeSize(value)
        }
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        let anchorCount = try reader.readCount()
        let classCount = try reader.readCount()
        let labelOffset = try reader.readCount()
        let maxDetections = try reader.readCount()
        let maxClassesPerDetection = try reader.readCount()
        let detectionsPerClass = try reader.readCount()
        let usesRegularNMS = try reader.readBool()
        let scoreThreshold = try reader.readFloat()
        let iouThreshold = try reader.readFloat()
        let yScale = try reader.readFiniteFloat()
        let xScale = try reader.readFiniteFloat()
        let hScale = try reader.readFiniteFloat()
        let wScale = try reader.readFiniteFloat()
        let encodingsOffset = try reader.readSize()
        let scoresOffset = try reader.readSize()
        let anchorsOffset = try reader.readSize()
        let boxesOffset = try reader.readSize()
        let classesOffset = try reader.readSize()
        let detectionScoresOffset = try reader.readSize()
        let countOffset = try reader.readSize()
        self.init(
            anchorCount: anchorCount, classCount: classCount, labelOffset: labelOffset, maxDetections: maxDetections,
            maxClassesPerDetection: maxClassesPerDetection, detectionsPerClass: detectionsPerClass,
            usesRegularNMS: usesRegularNMS, scoreThreshold: scoreThreshold, iouThreshold: iouThreshold, yScale: yScale,
            xScale: xScale, hScale: hScale, wScale: wScale, encodingsOffset: encodingsOffset,
            scoresOffset: scoresOffset, anchorsOffset: anchorsOffset, boxesOffset: boxesOffset,
            classesOffset: classesOffset, detectionScoresOffset: detectionScoresOffset, countOffset: countOffset,
            scratchOffset: try reader.readSize())
    }

    var resultType: DeviceType { .float32 }

    private var rows: Int { maxDetections * maxClassesPerDetection }
    private var classesPerAnchor: Int { min(maxClassesPerDetection, classCount) }
    private var labels: Int { classCount + labelOffset }

    var work: UInt64 {
        let kept = UInt64(usesRegularNMS ? min(detectionsPerClass, anchorCount) : min(maxDetections, anchorCount))
        let passes = UInt64(usesRegularNMS ? classCount : 1)
        // Overlaps with the kept boxes, sorting, merging of the kept into the best.
        return UInt64(anchorCount) * (passes * (8 * kept + 64) + UInt64(classCount))
            + passes * kept * UInt64(maxDetections) + UInt64(min(maxDetections, anchorCount)) * UInt64(classesPerAnchor)
            * UInt64(classCount) * 2
    }

    func check(_ checker: PlanChecker) throws(LoadError) {
        let limit = 1 << 20
        try checker.require(
            anchorCount >= 1 && anchorCount <= limit && classCount >= 1 && classCount <= 1 << 16
                && labelOffset <= 1 << 16, "anchors or classes are out of range")
        try checker.require(
            maxDetections >= 1 && maxDetections <= 1 << 16 && maxClassesPerDetection >= 1
                && maxClassesPerDetection <= 1 << 14 && detectionsPerClass >= 1 && detectionsPerClass <= limit,
            "a number of detections is out of range")
        for scale in [yScale, xScale, hScale, wScale] { try checker.require(scale.isNormal, "a scale is not normal") }
        let anchors = Int64(anchorCount)
        try checker.arena(encodingsOffset, count: anchors * 4, type: .float32)
        try checker.arena(scoresOffset, count: anchors * Int64(labels), type: .float32)
        try checker.tensor(anchorsOffset, count: anchors * 4, bytesEach: 4)
        try checker.arena(boxesOffset, count: Int64(rows) * 4, type: .float32)
        try checker.arena(classesOffset, count: Int64(rows), type: .float32)
        try checker.arena(detectionScoresOffset, count: Int64(rows), type: .float32)
        try checker.arena(countOffset, count: 1, type: .float32)
        try checker.range(.arena, offset: scratchOffset, bytes: anchors * 32, alignment: 4)
        try checker.require(work <= NestLimits.maxWork, "the work is above the limit")
        // Indices live in the scratch: no result may be written over them.
        let end = scratchOffset + anchorCount * 32
        for (offset, bytes) in [
            (boxesOffset, rows * 16), (classesOffset, rows * 4), (detectionScoresOffset, rows * 4), (countOffset, 4),
        ] {
            try checker.require(offset >= end || offset + bytes <= scratchOffset, "a result overlaps the scratch")
        }
    }

    func forEachResultPiece(_ body: (Int, Int) -> Void) {
        body(boxesOffset, rows * 16)
        body(classesOffset, rows * 4)
        body(detectionScoresOffset, rows * 4)
        body(countOffset, 4)
    }

    /// The scratch: decoded corners, then one score, candidate and kept index an anchor.
    private struct Workspace {
        let corners: UnsafeMutablePointer<Float>
        let scores: UnsafeMutablePointer<Float>
        let candidates: UnsafeMutablePointer<Int32>
        let kept: UnsafeMutablePointer<Int32>

        init(_ base: UnsafeMutableRawPointer, anchorCount: Int) {
            corners = base.assumingMemoryBound(to: Float.self)
            scores = (base + anchorCount * 16).assumingMemoryBound(to: Float.self)
            candidates = (base + anchorCount * 20).assumingMemoryBound(to: Int32.self)
            kept = (base + anchorCount * 24).assumingMemoryBound(to: Int32.self)
        }
    }

    func run(_ context: ExecutionContext, part: Part) {
        guard part.index == 0 else { return }
        let space = Workspace(context.arena + scratchOffset, anchorCount: anchorCount)
        decode(context, space)
        let boxes = context.arenaFloat(boxesOffset)
        let classes = context.arenaFloat(classesOffset)
        let scores = context.arenaFloat(detectionScoresOffset)
        for i in 0..<rows * 4 { boxes[i] = 0 }
        for i in 0..<rows {
            classes[i] = 0
            scores[i] = 0
        }
        let count = usesRegularNMS
            ? runRegular(context, space, boxes, classes, scores) : runFast(context, space, boxes, classes, scores)
        context.arenaFloat(countOffset)[0] = Float(count)
    }

    private func decode(_ context: ExecutionContext, _ space: Workspace) {
        let encodings = UnsafePointer(context.arenaFloat(encodingsOffset))
        let anchors = context.weightsFloat(anchorsOffset)
        for i in 0..<anchorCount {
            let (code, anchor) = (encodings + 4 * i, anchors + 4 * i)
            let yCentre = code[0] / yScale * anchor[2] + anchor[0]
            let xCentre = code[1] / xScale * anchor[3] + anchor[1]
            let halfHeight = 0.5 * Float(DeterministicMath.exp(Double(code[2] / hScale))) * anchor[2]
            let halfWidth = 0.5 * Float(DeterministicMath.exp(Double(code[3] / wScale))) * anchor[3]
            let box = space.corners + 4 * i
            box[0] = yCentre - halfHeight
            box[1] = xCentre - halfWidth
            box[2] = yCentre + halfHeight
            box[3] = xCentre + halfWidth
        }
    }

    private func runFast(
        _ context: ExecutionContext, _ space: Workspace, _ boxes: UnsafeMutablePointer<Float>,
        _ classes: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>
    ) -> Int {
        let all = UnsafePointer(context.arenaFloat(scoresOffset))
        for anchor in 0..<anchorCount {
            let row = all + (anchor * labels + labelOffset)
            var best = row[0]
            for label in 1..<max(1, classCount) where row[label] > best { best = row[label] }
            space.scores[anchor] = best
        }
        let kept = suppress(space, limit: maxDetections)
        for i in 0..<kept {
            let anchor = Int(space.kept[i])
            let row = all + (anchor * labels + labelOffset)
            var previous = -1
            for rank in 0..<classesPerAnchor {
                previous = next(after: previous, in: row)
                if previous < 0 { break }
                let index = i * classesPerAnchor + rank
                for corner in 0..<4 { boxes[4 * index + corner] = space.corners[4 * anchor + corner] }
                classes[index] = Float(previous)
                scores[index] = row[previous]
            }
        }
        return kept
    }

    /// The class that follows `previous` (-1: none yet) by falling score, the lower of equal ones first; -1 at the end.
    private func next(after previous: Int, in row: UnsafePointer<Float>) -> Int {
        var best = -1
        for label in 0..<classCount {
            if previous >= 0 {
                let isLater = row[label] < row[previous] || (row[label] == row[previous] && label > previous)
                if !isLater { continue }
            }
            if best < 0 || row[label] > row[best] { best = label }
        }
        return best
    }

    private func runRegular(
        _ context: ExecutionContext, _ space: Workspace, _ boxes: UnsafeMutablePointer<Float>,
        _ classes: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>
    ) -> Int {
        let all = UnsafePointer(context.arenaFloat(scoresOffset))
        var count = 0
        for label in 0..<classCount {
            for anchor in 0..<anchorCount { space.scores[anchor] = all[anchor * labels + labelOffset + label] }
            let kept = suppress(space, limit: detectionsPerClass)
            for i in 0..<kept {
                let anchor = Int(space.kept[i])
                let score = space.scores[anchor]
                if count == maxDetections && !(score > scores[count - 1]) { break }
                if count < maxDetections { count += 1 }
                var place = count - 1
                while place > 0 && score > scores[place - 1] {
                    scores[place] = scores[place - 1]
                    classes[place] = classes[place - 1]
                    for corner in 0..<4 { boxes[4 * place + corner] = boxes[4 * place - 4 + corner] }
                    place -= 1
                }
                scores[place] = score
                classes[place] = Float(label)
                for corner in 0..<4 { boxes[4 * place + corner] = space.corners[4 * anchor + corner] }
            }
        }
        return count
    }

    /// Non-maximum suppression on `space.scores`; the kept anchors by falling score go to `space.kept`.
    private func suppress(_ space: Workspace, limit: Int) -> Int {
        var candidates = 0
        for anchor in 0..<anchorCount where space.scores[anchor] >= scoreThreshold {
            space.candidates[candidates] = Int32(truncatingIfNeeded: anchor)
            candidates += 1
        }
        sort(space.candidates, candidates, by: space.scores)
        var kept = 0
        var next = 0
        while next < candidates && kept < limit {
            let candidate = space.candidates[next]
            next += 1
            var isFree = true
            for i in 0..<kept where isFree {
                let other = space.corners + 4 * Int(space.kept[i])
                isFree = !(DetectionOperation.overlap(other, space.corners + 4 * Int(candidate)) > iouThreshold)
            }
            if isFree {
                space.kept[kept] = candidate
                kept += 1
            }
        }
        return kept
    }

    /// Intersection over union; 0 when a box is empty.
    private static func overlap(_ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>) -> Float {
        let areaA = (a[2] - a[0]) * (a[3] - a[1])
        let areaB = (b[2] - b[0]) * (b[3] - b[1])
        if areaA <= 0 || areaB <= 0 { return 0 }
        let height = max(0, min(a[2], b[2]) - max(a[0], b[0]))
        let width = max(0, min(a[3], b[3]) - max(a[1], b[1]))
        return height * width / (areaA + areaB - height * width)
    }

    /// Heap sort of anchor indices: falling score, then rising index. No score is NaN.
    private func sort(
        _ indices: UnsafeMutablePointer<Int32>, _ count: Int, by scores: UnsafeMutablePointer<Float>
    ) {
        var start = count / 2
        while start > 0 {
            start -= 1
            Self.sift(indices, start, count, scores)
        }
        var end = count - 1
        while end > 0 {
            (indices[0], indices[end]) = (indices[end], indices[0])
            Self.sift(indices, 0, end, scores)
            end -= 1
        }
    }

    private static func sift(
        _ indices: UnsafeMutablePointer<Int32>, _ start: Int, _ end: Int, _ scores: UnsafeMutablePointer<Float>
    ) {
        var parent = start
        while 2 * parent + 1 < end {
            var child = 2 * parent + 1
            if child + 1 < end && isLater(indices[child + 1], indices[child], scores) { child += 1 }
            if !isLater(indices[child], indices[parent], scores) { return }
            (indices[parent], indices[child]) = (indices[child], indices[parent])
            parent = child
        }
    }

    private static func isLater(_ a: Int32, _ b: Int32, _ scores: UnsafeMutablePointer<Float>) -> Bool {
        let (x, y) = (scores[Int(a)], scores[Int(b)])
        return x < y || (x == y && a > b)
    }
}
