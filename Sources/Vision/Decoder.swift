import NestFormat

/// Turns the network's outputs into results about the source picture. All memory is taken at `init`; results of one
/// `decode` are overwritten by the next. Arithmetic is IEEE additions, multiplications and divisions in a fixed order, so
/// the same outputs give the same results on every CPU. Equal scores: the lower index wins.
public final class Decoder {
    public let decoding: OutputDecoding
    public let kind: ResultKind
    public let outputs: [PortDescriptor]
    /// The network's input, pixels.
    public let inputWidth: Int, inputHeight: Int

    /// Best first (`classes`).
    public var classes: UnsafeBufferPointer<ClassScore> { classList.elements }
    /// Best first (`detections`).
    public var detections: UnsafeBufferPointer<Detection> { detectionList.elements }
    public var keypoints: UnsafeBufferPointer<Keypoint> { keypointList.elements }
    /// Nil when the decoding has no gauge.
    public private(set) var gaugeReading: GaugeReading?
    public var maskRuns: UnsafeBufferPointer<MaskRun> { runList.elements }
    /// Pixels of each class; values past the last class are counted with the last.
    public var maskPixelCounts: UnsafeBufferPointer<Int> { countList.elements }
    public private(set) var maskWidth = 0, maskHeight = 0
    /// The part of the source picture that the mask covers, in shares; may reach outside.
    public private(set) var maskArea: (xMin: Float, yMin: Float, xMax: Float, yMax: Float) = (0, 0, 1, 1)
    /// One an output.
    public var summaries: UnsafeBufferPointer<OutputSummary> { summaryList.elements }

    var classList = FixedList<ClassScore>(capacity: 0)
    var detectionList = FixedList<Detection>(capacity: 0)
    var keypointList = FixedList<Keypoint>(capacity: 0)
    var runList = FixedList<MaskRun>(capacity: 0)
    var countList = FixedList<Int>(capacity: 0)
    var summaryList = FixedList<OutputSummary>(capacity: 0)
    var candidates = FixedList<Candidate>(capacity: 0)
    /// Of the outputs that the decoding names, in its order.
    var matrices: [Matrix] = []
    /// Output 0 as a feature map, for masks and heat maps.
    let grid: Grid

    /// Most classes that a mask of labels is counted by.
    static let maskClassLimit = 256

    /// - Parameters:
    ///   - outputs: the file's output ports.
    ///   - inputWidth, inputHeight: of the network's input.
    @export(interface) public init(
        _ decoding: OutputDecoding, outputs: [PortDescriptor], inputWidth: Int, inputHeight: Int
    ) throws(DecodingError) {
        (self.decoding, self.outputs) = (decoding, outputs)
        (self.inputWidth, self.inputHeight) = (inputWidth, inputHeight)
        kind =
            switch decoding {
            case .raw: .summaries
            case .classification: .classes
            case .tfliteDetections, .ssd, .yolo, .anchorFree: .detections
            case .segmentation: .mask
            case .keypoints: .keypoints
            }
        for index in decoding.outputIndices {
            guard outputs.indices.contains(index) else {
                throw .missingOutput(index: index, available: outputs.count)
            }
        }
        grid = outputs.isEmpty ? Grid(height: 0, width: 0, channels: 0) : Grid(outputs[0])
        switch decoding {
        case .raw:
            summaryList = FixedList(capacity: outputs.count)
        case .classification(let topK, _):
            matrices = [Matrix(outputs[0], expectedColumns: outputs[0].elementCount)]
            classList = FixedList(capacity: min(topK, matrices[0].columns))
        case .tfliteDetections:
            try prepareTFLiteDetections()
        case .ssd(let ssd):
            try prepare(ssd)
        case .yolo(let yolo):
            try prepare(yolo)
        case .anchorFree(let anchorFree):
            try prepare(anchorFree)
        case .segmentation:
            runList = FixedList(capacity: grid.height * grid.width)
            countList = FixedList(capacity: maskClassCount)
            (maskWidth, maskHeight) = (grid.width, grid.height)
        case .keypoints(let keypoints):
            try prepare(keypoints)
        }
    }

    deinit {
        classList.deallocate()
        detectionList.deallocate()
        keypointList.deallocate()
        runList.deallocate()
        countList.deallocate()
        summaryList.deallocate()
        candidates.deallocate()
    }

    /// Decodes one inference. `bytes(i)` are the stored bytes of output i; `placement` is how the picture came into the
    /// input (`Preprocessor.placement`).
    @export(interface) public func decode(placement: Placement, bytes: (Int) -> UnsafeRawBufferPointer) {
        func view(_ index: Int) -> TensorView { TensorView(outputs[index], bytes: bytes(index)) }
        switch decoding {
        case .raw:
            summaryList.removeAll()
            for index in outputs.indices { summarise(view(index), count: outputs[index].elementCount) }
        case .classification(_, let softmax):
            classify(view(0), softmax: softmax)
        case .tfliteDetections(let threshold):
            decodeTFLite(
                boxes: view(0), classes: view(1), scores: view(2), count: view(3), threshold: threshold, placement)
        case .ssd(let ssd):
            decode(ssd, boxes: view(ssd.boxesOutput), scores: view(ssd.scoresOutput), placement)
        case .yolo(let yolo):
            decode(yolo, view(0), placement)
        case .anchorFree(let anchorFree):
            candidates.removeAll()
            for (index, level) in anchorFree.levels.enumerated() {
                decode(
                    anchorFree, level: index, scores: view(level.scoresOutput), boxes: view(level.boxesOutput))
            }
            suppress(
                iouThreshold: anchorFree.iouThreshold, maxDetections: anchorFree.maxDetections, placement)
        case .segmentation(let threshold):
            segment(view(0), threshold: threshold, placement)
        case .keypoints(let keypoints):
            decode(keypoints, view(0), placement)
        }
    }

    // MARK: Classes and summaries

    private func classify(_ view: TensorView, softmax: Bool) {
        let matrix = matrices[0]
        classList.removeAll()
        var largest = -Float.infinity
        for index in 0..<matrix.columns { largest = max(largest, view.value(index * matrix.columnStride)) }
        var total = 0.0
        if softmax {
            for index in 0..<matrix.columns {
                total += DeterministicMath.exp(Double(view.value(index * matrix.columnStride) - largest))
            }
        }
        for index in 0..<matrix.columns {
            var score = view.value(index * matrix.columnStride)
            if classList.count == classList.capacity {
                guard classList.capacity > 0, score > classList[classList.count - 1].score else { continue }
                classList.removeLast()
            }
            var place = classList.count
            if score != score { score = -.infinity }
            while place > 0, classList[place - 1].score < score { place -= 1 }
            classList.insert(ClassScore(classIndex: index, score: score), at: place)
        }
        guard softmax else { return }
        for place in 0..<classList.count {
            let share = DeterministicMath.exp(Double(classList[place].score - largest)) / total
            classList[place].score = Float(share)
        }
    }

    private func summarise(_ view: TensorView, count: Int) {
        var summary = OutputSummary(minimum: .infinity, maximum: -.infinity, mean: 0, largestIndex: 0)
        var sum = 0.0
        for index in 0..<count {
            let value = view.value(index)
            sum += Double(value)
            if value < summary.minimum { summary.minimum = value }
            if value > summary.maximum { (summary.maximum, summary.largestIndex) = (value, index) }
        }
        summary.mean = count > 0 ? Float(sum / Double(count)) : 0
        summaryList.append(summary)
    }

    // MARK: Masks

    private var maskClassCount: Int {
        if grid.channels > 1 { return grid.channels }
        return isLabelMap ? Decoder.maskClassLimit : 2
    }

    /// Integers without quantization are labels; one real number a pixel is the score of class 1.
    private var isLabelMap: Bool {
        outputs[0].storedType == .int32 || (outputs[0].storedType == .int8 && outputs[0].scale == 0)
    }

    private func segment(_ view: TensorView, threshold: Float, _ placement: Placement) {
        let isLabelMap = isLabelMap
        runList.removeAll()
        countList.removeAll()
        for _ in 0..<countList.capacity { countList.append(0) }
        var (runClass, runLength): (Int32, Int32) = (0, 0)
        for pixel in 0..<grid.height * grid.width {
            let start = pixel * grid.channels
            var best = 0
            if grid.channels > 1 {
                if view.type == .float32 {
                    var largest = view.value(start)
                    for channel in 1..<grid.channels where view.value(start + channel) > largest {
                        (best, largest) = (channel, view.value(start + channel))
                    }
                } else {
                    // Codes are ordered as the values that they stand for.
                    var largest = view.code(start)
                    for channel in 1..<grid.channels where view.code(start + channel) > largest {
                        (best, largest) = (channel, view.code(start + channel))
                    }
                }
            } else if isLabelMap {
                best = Int(max(0, min(Int32(Decoder.maskClassLimit - 1), view.code(start))))
            } else if view.value(start) >= threshold {
                best = 1
            }
            countList[best] += 1
            if runLength > 0, Int32(best) == runClass {
                runLength += 1
            } else {
                if runLength > 0 { runList.append(MaskRun(classIndex: runClass, length: runLength)) }
                (runClass, runLength) = (Int32(best), 1)
            }
        }
        if runLength > 0 { runList.append(MaskRun(classIndex: runClass, length: runLength)) }
        maskArea = (
            placement.sourceX(ofInput: 0, inputWidth: inputWidth), placement.sourceY(ofInput: 0, inputHeight: inputHeight),
            placement.sourceX(ofInput: 1, inputWidth: inputWidth), placement.sourceY(ofInput: 1, inputHeight: inputHeight)
        )
    }
}

extension Decoder {
    func unsuitable(_ output: Int, expected: String) -> DecodingError {
        var found = ""
        for extent in outputs[output].shape { found += found.isEmpty ? "[\(extent)" : ", \(extent)" }
        return .unsuitableOutput(output: outputs[output].name, expected: expected, found: found + "]")
    }

    func setGauge(_ reading: GaugeReading?) { gaugeReading = reading }
}

/// A list in memory that is taken once.
struct FixedList<Element: BitwiseCopyable> {
    private let memory: UnsafeMutablePointer<Element>
    let capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        memory = UnsafeMutablePointer<Element>.allocate(capacity: max(1, capacity))
    }

    func deallocate() { memory.deallocate() }

    var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: memory, count: count) }

    subscript(index: Int) -> Element {
        @inline(__always) get { memory[index] }
        @inline(__always) nonmutating set { memory[index] = newValue }
    }

    mutating func removeAll() { count = 0 }
    mutating func removeLast() { count -= 1 }

    mutating func append(_ element: Element) {
        precondition(count < capacity)
        memory[count] = element
        count += 1
    }

    mutating func insert(_ element: Element, at index: Int) {
        precondition(count < capacity)
        var place = count
        while place > index {
            memory[place] = memory[place - 1]
            place -= 1
        }
        memory[index] = element
        count += 1
    }
}
