import NestFormat

/// Writes a decoder's results as one JSON object. Members, by kind:
/// - `classes`: [{"class", "label", "score"}], best first;
/// - `detections`: [{"class", "label", "score", "box": [x, y, width, height] in pixels of the picture,
///   "box_relative": the same in shares of it}], best first;
/// - `mask`: {"width", "height", "area": [x, y, width, height] of the picture that it covers, in shares, "classes":
///   [{"class", "label", "pixels", "share"}] without empty ones, "runs": [class, length, …] row by row};
/// - `keypoints`: [{"label", "x", "y" in pixels, "x_relative", "y_relative", "score"}], then with a gauge "reading" (null
///   when it cannot be read) and "unit";
/// - `outputs`: [{"name", "min", "max", "mean", "argmax"}].
/// "label" is there when the file has one for the class or keypoint. Scores have 4 decimals, shares 5, pixels 1.
public struct ResultWriter {
    private let labels: [String]

    public init(labels: [String]) { self.labels = labels }

    /// Most bytes that `write` adds for results of `decoder`.
    public func maximumByteCount(_ decoder: Decoder) -> Int {
        // A byte of text becomes at most six ("\u00xx"); a number has at most 30 characters.
        let longestLabel = labels.reduce(0) { max($0, $1.utf8.count) } * 6 + 16
        let names = decoder.outputs.reduce(0) { $0 + $1.name.utf8.count * 6 }
        var unit = 0
        if case .keypoints(let keypoints) = decoder.decoding, let gauge = keypoints.gauge {
            unit = gauge.unit.utf8.count * 6
        }
        return 1024 + unit + names + decoder.outputs.count * 256
            + (decoder.classList.capacity + decoder.countList.capacity) * (longestLabel + 160)
            + decoder.detectionList.capacity * (longestLabel + 512)
            + decoder.keypointList.capacity * (longestLabel + 320) + decoder.runList.capacity * 24
    }

    /// Adds the results' members to the object that is open in `line`. `pictureWidth` and `pictureHeight`: of the picture
    /// before any scaled decode.
    @export(interface) public func write(_ decoder: Decoder, pictureWidth: Int, pictureHeight: Int, to line: inout JSONLine) {
        let (width, height) = (Float(pictureWidth), Float(pictureHeight))
        switch decoder.kind {
        case .classes: writeClasses(decoder, to: &line)
        case .detections: writeDetections(decoder, width: width, height: height, to: &line)
        case .mask: writeMask(decoder, to: &line)
        case .keypoints: writeKeypoints(decoder, width: width, height: height, to: &line)
        case .summaries: writeSummaries(decoder, to: &line)
        }
    }

    private func writeLabel(_ index: Int, to line: inout JSONLine) {
        guard labels.indices.contains(index) else { return }
        line.key("label")
        line.value(labels[index])
    }

    private func writeClass(_ index: Int, to line: inout JSONLine) {
        line.key("class")
        line.value(index)
        writeLabel(index, to: &line)
    }

    private func writeClasses(_ decoder: Decoder, to line: inout JSONLine) {
        line.key("classes")
        line.beginArray()
        for entry in decoder.classes {
            line.beginObject()
            writeClass(entry.classIndex, to: &line)
            line.key("score")
            line.value(entry.score, decimals: 4)
            line.endObject()
        }
        line.endArray()
    }

    private func writeDetections(_ decoder: Decoder, width: Float, height: Float, to line: inout JSONLine) {
        line.key("detections")
        line.beginArray()
        for found in decoder.detections {
            line.beginObject()
            writeClass(found.classIndex, to: &line)
            line.key("score")
            line.value(found.score, decimals: 4)
            line.key("box")
            line.beginArray()
            line.value(found.xMin * width, decimals: 1)
            line.value(found.yMin * height, decimals: 1)
            line.value((found.xMax - found.xMin) * width, decimals: 1)
            line.value((found.yMax - found.yMin) * height, decimals: 1)
            line.endArray()
            line.key("box_relative")
            line.beginArray()
            line.value(found.xMin, decimals: 5)
            line.value(found.yMin, decimals: 5)
            line.value(found.xMax - found.xMin, decimals: 5)
            line.value(found.yMax - found.yMin, decimals: 5)
            line.endArray()
            line.endObject()
        }
        line.endArray()
    }

    private func writeMask(_ decoder: Decoder, to line: inout JSONLine) {
        line.key("mask")
        line.beginObject()
        line.key("width")
        line.value(decoder.maskWidth)
        line.key("height")
        line.value(decoder.maskHeight)
        let area = decoder.maskArea
        line.key("area")
        line.beginArray()
        line.value(area.xMin, decimals: 5)
        line.value(area.yMin, decimals: 5)
        line.value(area.xMax - area.xMin, decimals: 5)
        line.value(area.yMax - area.yMin, decimals: 5)
        line.endArray()
        line.key("classes")
        line.beginArray()
        let pixels = Double(max(1, decoder.maskWidth * decoder.maskHeight))
        for index in 0..<decoder.maskPixelCounts.count where decoder.maskPixelCounts[index] > 0 {
            line.beginObject()
            writeClass(index, to: &line)
            line.key("pixels")
            line.value(decoder.maskPixelCounts[index])
            line.key("share")
            line.value(Double(decoder.maskPixelCounts[index]) / pixels, decimals: 5)
            line.endObject()
        }
        line.endArray()
        line.key("runs")
        line.beginArray()
        for run in decoder.maskRuns {
            line.value(Int(run.classIndex))
            line.value(Int(run.length))
        }
        line.endArray()
        line.endObject()
    }

    private func writeKeypoints(_ decoder: Decoder, width: Float, height: Float, to line: inout JSONLine) {
        line.key("keypoints")
        line.beginArray()
        for index in 0..<decoder.keypoints.count {
            let point = decoder.keypoints[index]
            line.beginObject()
            writeLabel(index, to: &line)
            line.key("x")
            line.value(point.x * width, decimals: 1)
            line.key("y")
            line.value(point.y * height, decimals: 1)
            line.key("x_relative")
            line.value(point.x, decimals: 5)
            line.key("y_relative")
            line.value(point.y, decimals: 5)
            line.key("score")
            line.value(point.score, decimals: 4)
            line.endObject()
        }
        line.endArray()
        guard let reading = decoder.gaugeReading, case .keypoints(let keypoints) = decoder.decoding,
            let gauge = keypoints.gauge
        else { return }
        line.key("reading")
        switch reading {
        case .value(let value): line.value(value, decimals: 3)
        case .unreadable: line.null()
        }
        line.key("unit")
        line.value(gauge.unit)
    }

    private func writeSummaries(_ decoder: Decoder, to line: inout JSONLine) {
        line.key("outputs")
        line.beginArray()
        for index in 0..<decoder.summaries.count {
            let summary = decoder.summaries[index]
            line.beginObject()
            line.key("name")
            line.value(decoder.outputs[index].name)
            line.key("min")
            line.value(summary.minimum, decimals: 5)
            line.key("max")
            line.value(summary.maximum, decimals: 5)
            line.key("mean")
            line.value(summary.mean, decimals: 5)
            line.key("argmax")
            line.value(summary.largestIndex)
            line.endObject()
        }
        line.endArray()
    }
}
