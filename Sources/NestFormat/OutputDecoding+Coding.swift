extension OutputDecoding {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .raw:
            writer.write(UInt8(0))
        case .classification(let topK, let softmax):
            writer.write(UInt8(1))
            writer.writeCount(topK)
            writer.write(softmax)
        case .tfliteDetections(let scoreThreshold):
            writer.write(UInt8(2))
            writer.write(scoreThreshold)
        case .ssd(let ssd):
            writer.write(UInt8(3))
            ssd.encode(into: &writer)
        case .yolo(let yolo):
            writer.write(UInt8(4))
            yolo.encode(into: &writer)
        case .anchorFree(let anchorFree):
            writer.write(UInt8(5))
            anchorFree.encode(into: &writer)
        case .segmentation(let threshold):
            writer.write(UInt8(6))
            writer.write(threshold)
        case .keypoints(let keypoints):
            writer.write(UInt8(7))
            keypoints.encode(into: &writer)
        }
    }

    init(decoding reader: inout ByteReader) throws(LoadError) {
        switch try reader.readUInt8() {
        case 0:
            self = .raw
        case 1:
            let topK = try reader.readCount()
            guard topK >= 1 else { throw reader.malformed("top-k keeps nothing") }
            self = .classification(topK: topK, softmax: try reader.readBool())
        case 2:
            self = .tfliteDetections(scoreThreshold: try reader.readFiniteFloat())
        case 3:
            self = .ssd(try SSDDecoding(decoding: &reader))
        case 4:
            self = .yolo(try YOLODecoding(decoding: &reader))
        case 5:
            self = .anchorFree(try AnchorFreeDecoding(decoding: &reader))
        case 6:
            self = .segmentation(threshold: try reader.readFiniteFloat())
        case 7:
            self = .keypoints(try KeypointDecoding(decoding: &reader))
        default:
            throw reader.malformed("unknown output decoding")
        }
    }

    /// Output ports that the decoding reads, as far as it names them.
    public var outputIndices: [Int] {
        // Ranges, not literals: `cross/build` says why.
        switch self {
        case .raw: []
        case .classification, .yolo, .segmentation, .keypoints: Array(0..<1)
        case .tfliteDetections: Array(0..<4)
        case .ssd(let ssd): [ssd.boxesOutput, ssd.scoresOutput]
        case .anchorFree(let anchorFree): anchorFree.levels.flatMap { [$0.scoresOutput, $0.boxesOutput] }
        }
    }
}

extension ByteReader {
    /// A number of classes, detections or bins: 1 … 65536.
    fileprivate mutating func readSmallCount() throws(LoadError) -> Int {
        let count = try readCount()
        guard count >= 1, count <= 65_536 else { throw malformed("a count is not in 1 … 65536") }
        return count
    }

    fileprivate mutating func readPositiveFloat() throws(LoadError) -> Float {
        let value = try readFiniteFloat()
        guard value > 0, value.isNormal else { throw malformed("a factor is not a positive number") }
        return value
    }

    fileprivate mutating func readFloats() throws(LoadError) -> [Float] {
        var values: [Float] = []
        let count = try readCount(ofRecordsWithAtLeast: 4)
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try readFiniteFloat()) }
        return values
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ values: [Float]) {
        writeCount(values.count)
        for value in values { write(value) }
    }
}

extension SSDDecoding {
    fileprivate func encode(into writer: inout ByteWriter) {
        writer.writeCount(boxesOutput)
        writer.writeCount(scoresOutput)
        writer.writeCount(classCount)
        writer.write(hasBackground)
        writer.write(sigmoid)
        writer.write(linearSizes)
        for value in [yScale, xScale, hScale, wScale, scoreThreshold, iouThreshold] { writer.write(value) }
        writer.writeCount(maxDetections)
        writer.write(anchors)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(LoadError) {
        let boxesOutput = try reader.readCount()
        let scoresOutput = try reader.readCount()
        let classCount = try reader.readSmallCount()
        let hasBackground = try reader.readBool()
        let sigmoid = try reader.readBool()
        let linearSizes = try reader.readBool()
        let yScale = try reader.readPositiveFloat()
        let xScale = try reader.readPositiveFloat()
        let hScale = try reader.readPositiveFloat()
        let wScale = try reader.readPositiveFloat()
        let scoreThreshold = try reader.readFiniteFloat()
        let iouThreshold = try reader.readFiniteFloat()
        let maxDetections = try reader.readSmallCount()
        let anchors = try reader.readFloats()
        guard anchors.count % 4 == 0 else { throw reader.malformed("anchors are not groups of four") }
        self.init(
            boxesOutput: boxesOutput, scoresOutput: scoresOutput, classCount: classCount, hasBackground: hasBackground,
            sigmoid: sigmoid, yScale: yScale, xScale: xScale, hScale: hScale, wScale: wScale,
            scoreThreshold: scoreThreshold, iouThreshold: iouThreshold, maxDetections: maxDetections,
            linearSizes: linearSizes, anchors: anchors)
    }
}

extension YOLODecoding {
    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(version.rawValue)
        writer.writeCount(classCount)
        writer.writeCount(strides.count)
        for stride in strides { writer.writeCount(stride) }
        writer.write(anchors)
        writer.write(sigmoid)
        writer.write(scoreThreshold)
        writer.write(iouThreshold)
        writer.writeCount(maxDetections)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(LoadError) {
        guard let version = Version(rawValue: try reader.readUInt8()) else {
            throw reader.malformed("unknown YOLO version")
        }
        let classCount = try reader.readSmallCount()
        var strides: [Int] = []
        for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 4)) { strides.append(try reader.readSmallCount()) }
        let anchors = try reader.readFloats()
        guard !strides.isEmpty, strides.count <= 16, anchors.count % (2 * strides.count) == 0 else {
            throw reader.malformed("strides and anchors do not belong together")
        }
        let sigmoid = try reader.readBool()
        let scoreThreshold = try reader.readFiniteFloat()
        let iouThreshold = try reader.readFiniteFloat()
        let maxDetections = try reader.readSmallCount()
        self.init(
            version: version, classCount: classCount, strides: strides, anchors: anchors, sigmoid: sigmoid,
            scoreThreshold: scoreThreshold, iouThreshold: iouThreshold, maxDetections: maxDetections)
    }
}

extension AnchorFreeDecoding {
    fileprivate func encode(into writer: inout ByteWriter) {
        writer.writeCount(levels.count)
        for level in levels {
            writer.writeCount(level.stride)
            writer.writeCount(level.scoresOutput)
            writer.writeCount(level.boxesOutput)
        }
        writer.writeCount(classCount)
        writer.writeCount(distanceBins)
        writer.write(sigmoid)
        writer.write(scoreThreshold)
        writer.write(iouThreshold)
        writer.writeCount(maxDetections)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(LoadError) {
        var levels: [Level] = []
        for _ in 0..<(try reader.readCount(ofRecordsWithAtLeast: 12)) {
            let stride = try reader.readSmallCount()
            let scoresOutput = try reader.readCount()
            levels.append(Level(stride: stride, scoresOutput: scoresOutput, boxesOutput: try reader.readCount()))
        }
        guard !levels.isEmpty, levels.count <= 16 else { throw reader.malformed("not 1 to 16 levels") }
        let classCount = try reader.readSmallCount()
        let distanceBins = try reader.readSmallCount()
        let sigmoid = try reader.readBool()
        let scoreThreshold = try reader.readFiniteFloat()
        let iouThreshold = try reader.readFiniteFloat()
        let maxDetections = try reader.readSmallCount()
        self.init(
            levels: levels, classCount: classCount, distanceBins: distanceBins, sigmoid: sigmoid,
            scoreThreshold: scoreThreshold, iouThreshold: iouThreshold, maxDetections: maxDetections)
    }
}

extension KeypointDecoding {
    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(form.rawValue)
        writer.write(scoreThreshold)
        writer.write(gauge != nil)
        guard let gauge else { return }
        for index in [gauge.centre, gauge.tip, gauge.min, gauge.max] { writer.writeCount(index) }
        writer.write(gauge.minValue)
        writer.write(gauge.maxValue)
        writer.write(gauge.unit)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(LoadError) {
        guard let form = Form(rawValue: try reader.readUInt8()) else { throw reader.malformed("unknown keypoint form") }
        let scoreThreshold = try reader.readFiniteFloat()
        var gauge: Gauge?
        if try reader.readBool() {
            let centre = try reader.readCount()
            let tip = try reader.readCount()
            let min = try reader.readCount()
            let max = try reader.readCount()
            let minValue = try reader.readFiniteFloat()
            let maxValue = try reader.readFiniteFloat()
            gauge = Gauge(
                centre: centre, tip: tip, min: min, max: max, minValue: minValue, maxValue: maxValue,
                unit: try reader.readString())
        }
        self.init(form: form, scoreThreshold: scoreThreshold, gauge: gauge)
    }
}
