// What a `.nest` file says about the world around the network: its ports, how pixels become its input, how its output
// becomes results. Plain data, shared by the compiler, the runner and the workstation tool.

/// Element types of the device. Raw values are stored in files: never renumber.
public enum DeviceType: UInt8, Sendable, Hashable {
    case int8 = 1, float32 = 2, int32 = 3
    /// Only as a port's external type: stored as int8 with zero point shifted by 128.
    case uint8 = 4
    /// Only as a port's external type: stored as int32.
    case int64 = 5
    /// Only as a port's external type: stored as int8 0 or 1.
    case bool = 6

    public var byteCount: Int {
        switch self {
        case .int8, .uint8, .bool: 1
        case .float32, .int32: 4
        case .int64: 8
        }
    }
}

/// A network input or output.
public struct PortDescriptor: Sendable, Hashable {
    public var name: String
    /// Shape as the source model declares it (1 to 6 extents).
    public var shape: [Int]
    /// Type as the source model declares it: what `.npy` files in and out hold.
    public var externalType: DeviceType
    /// Type in the arena.
    public var storedType: DeviceType
    /// Byte offset in the arena, 64-byte aligned.
    public var arenaOffset: Int
    /// `storedShape[i] == shape[permutation[i]]`: how the source's axes are ordered in the arena (NCHW source, NHWC
    /// arena: [0, 2, 3, 1]). Stored densely, row-major.
    public var permutation: [Int]
    /// Stored int8 stands for `(q - zeroPoint) * scale`; scale 0 when `storedType` is not int8 or has no quantization.
    public var scale: Float
    public var zeroPoint: Int32

    public init(
        name: String, shape: [Int], externalType: DeviceType, storedType: DeviceType, arenaOffset: Int,
        permutation: [Int], scale: Float, zeroPoint: Int32
    ) {
        (self.name, self.shape, self.externalType, self.storedType) = (name, shape, externalType, storedType)
        (self.arenaOffset, self.permutation, self.scale, self.zeroPoint) = (arenaOffset, permutation, scale, zeroPoint)
    }
}

/// How a picture becomes the network's input: crop and resize to width × height in 8-bit, reorder colours, then one table
/// look-up a channel (which holds normalization and quantization).
public struct Preprocess: Sendable, Hashable {
    public enum Color: UInt8, Sendable, Hashable { case rgb = 0, bgr = 1, gray = 2 }
    public enum Fit: UInt8, Sendable, Hashable {
        /// The whole picture, aspect ratio not kept.
        case stretch = 0
        /// Shorter side resized to `resizeShorterSide`, then the centre width × height is cut out.
        case resizeThenCenterCrop = 1
        /// The largest centred box of the network's aspect ratio, shrunk by `cropFraction`, is resized. The box is real
        /// numbers, not rounded to pixels: 0.875 on a square network is "the centre square of 0.875 of the shorter side".
        case centerCropThenResize = 2
        /// Aspect ratio kept, centred, the rest filled with `fill`.
        case letterboxCenter = 3
        /// Aspect ratio kept, picture at the top left, the rest filled with `fill` (YOLOX).
        case letterboxTopLeft = 4
    }
    public enum Filter: UInt8, Sendable, Hashable {
        /// Triangle filter widened by the scale when shrinking, 8-bit between passes: the arithmetic of Pillow's BILINEAR.
        case bilinearAntialias = 0
        /// Two taps per axis at half-pixel centres, whatever the scale: OpenCV INTER_LINEAR geometry.
        case bilinear = 1
        case nearest = 2
    }
    public var width: Int
    public var height: Int
    public var color: Color
    public var fit: Fit
    public var filter: Filter
    /// Pixels; used by `resizeThenCenterCrop`.
    public var resizeShorterSide: Int
    /// 0…1; used by `centerCropThenResize`.
    public var cropFraction: Float
    /// Used by letterboxes.
    public var fill: UInt8
    /// JPEG may be decoded at 1/2, 1/4 or 1/8 while the decoded picture keeps at least this many times the pixels a side
    /// that the resize needs; 0 always decodes in full.
    public var scaledDecodeMargin: Float
    /// Normalization per channel in the network's colour order: `(pixel * scale - mean) / std`, pixel 0…255.
    public var scale: Float
    public var mean: [Float]
    public var std: [Float]

    public init(
        width: Int, height: Int, color: Color = .rgb, fit: Fit = .stretch, filter: Filter = .bilinearAntialias,
        resizeShorterSide: Int = 0, cropFraction: Float = 1, fill: UInt8 = 114, scaledDecodeMargin: Float = 2,
        scale: Float = 1, mean: [Float] = [0, 0, 0], std: [Float] = [1, 1, 1]
    ) {
        (self.width, self.height, self.color, self.fit, self.filter) = (width, height, color, fit, filter)
        (self.resizeShorterSide, self.cropFraction, self.fill) = (resizeShorterSide, cropFraction, fill)
        (self.scaledDecodeMargin, self.scale, self.mean, self.std) = (scaledDecodeMargin, scale, mean, std)
    }

    /// 1 for gray, else 3.
    public var channels: Int { color == .gray ? 1 : 3 }
}

/// How the network's outputs become results. Output indices refer to the file's output ports.
public enum OutputDecoding: Sendable, Hashable {
    /// No decoding: outputs are summarised as they are.
    case raw
    /// Class scores over the last axis of output 0. `softmax`: apply it for reporting.
    case classification(topK: Int, softmax: Bool)
    /// Four outputs of TFLite_Detection_PostProcess: boxes [n,4] (ymin,xmin,ymax,xmax), classes, scores, count.
    case tfliteDetections(scoreThreshold: Float)
    /// Raw SSD: box encodings [anchors,4] and scores [anchors,classes], anchors (cy,cx,h,w) in the decoding section.
    case ssd(SSDDecoding)
    /// YOLO-family heads.
    case yolo(YOLODecoding)
    /// Anchor-free heads with one point a cell (YuNet, NanoDet-like distance regression).
    case anchorFree(AnchorFreeDecoding)
    /// Per-pixel classes: scores [h,w,classes] (argmax) or labels [h,w].
    case segmentation(threshold: Float)
    /// Keypoint heat maps [h,w,k]: argmax, then 3×3 centroid; or direct [k,3] (y,x,score).
    case keypoints(KeypointDecoding)
}

public struct SSDDecoding: Sendable, Hashable {
    public var boxesOutput: Int, scoresOutput: Int, classCount: Int, hasBackground: Bool, sigmoid: Bool
    public var yScale: Float, xScale: Float, hScale: Float, wScale: Float
    public var scoreThreshold: Float, iouThreshold: Float, maxDetections: Int
    /// Encodings are corners relative to the anchor centre (BlazeFace family: x, y, w, h in input pixels) instead of
    /// (ty, tx, th, tw) logarithms.
    public var linearSizes: Bool
    /// Anchors as (centre y, centre x, height, width), normalised.
    public var anchors: [Float]

    public init(
        boxesOutput: Int, scoresOutput: Int, classCount: Int, hasBackground: Bool, sigmoid: Bool, yScale: Float,
        xScale: Float, hScale: Float, wScale: Float, scoreThreshold: Float, iouThreshold: Float, maxDetections: Int,
        linearSizes: Bool, anchors: [Float]
    ) {
        (self.boxesOutput, self.scoresOutput, self.classCount) = (boxesOutput, scoresOutput, classCount)
        (self.hasBackground, self.sigmoid, self.yScale, self.xScale) = (hasBackground, sigmoid, yScale, xScale)
        (self.hScale, self.wScale, self.scoreThreshold, self.iouThreshold) =
            (hScale, wScale, scoreThreshold, iouThreshold)
        (self.maxDetections, self.linearSizes, self.anchors) = (maxDetections, linearSizes, anchors)
    }
}

public struct YOLODecoding: Sendable, Hashable {
    /// `yolox`: [cells, 5 + classes] with (x + grid)·stride, exp(w)·stride. `v5`: anchors, 2σ forms. `v8`: [4 + classes,
    /// cells], boxes already in input pixels (cx, cy, w, h).
    public enum Version: UInt8, Sendable, Hashable { case yolox = 0, v5 = 1, v8 = 2 }
    public var version: Version, classCount: Int, strides: [Int]
    /// Pairs (w, h) per stride and anchor in input pixels; empty for anchor-free versions.
    public var anchors: [Float]
    /// Scores still need a sigmoid.
    public var sigmoid: Bool
    public var scoreThreshold: Float, iouThreshold: Float, maxDetections: Int

    public init(
        version: Version, classCount: Int, strides: [Int], anchors: [Float] = [], sigmoid: Bool = false,
        scoreThreshold: Float = 0.3, iouThreshold: Float = 0.45, maxDetections: Int = 100
    ) {
        (self.version, self.classCount, self.strides, self.anchors) = (version, classCount, strides, anchors)
        (self.sigmoid, self.scoreThreshold, self.iouThreshold) = (sigmoid, scoreThreshold, iouThreshold)
        self.maxDetections = maxDetections
    }
}

public struct AnchorFreeDecoding: Sendable, Hashable {
    /// One entry a level: stride and the output indices of scores [cells, classes], boxes [cells, 4 or 4·bins].
    public struct Level: Sendable, Hashable {
        public var stride: Int, scoresOutput: Int, boxesOutput: Int
        public init(stride: Int, scoresOutput: Int, boxesOutput: Int) {
            (self.stride, self.scoresOutput, self.boxesOutput) = (stride, scoresOutput, boxesOutput)
        }
    }
    public var levels: [Level], classCount: Int
    /// Bins of the distance distribution (NanoDet: 8); 1 for plain distances (left, top, right, bottom) in strides.
    public var distanceBins: Int
    public var sigmoid: Bool, scoreThreshold: Float, iouThreshold: Float, maxDetections: Int

    public init(
        levels: [Level], classCount: Int, distanceBins: Int, sigmoid: Bool, scoreThreshold: Float = 0.4,
        iouThreshold: Float = 0.5, maxDetections: Int = 100
    ) {
        (self.levels, self.classCount, self.distanceBins, self.sigmoid) = (levels, classCount, distanceBins, sigmoid)
        (self.scoreThreshold, self.iouThreshold, self.maxDetections) = (scoreThreshold, iouThreshold, maxDetections)
    }
}

public struct KeypointDecoding: Sendable, Hashable {
    public enum Form: UInt8, Sendable, Hashable {
        /// [h, w, k] scores: argmax per channel, 3×3 weighted centroid, (x + 0.5) / w.
        case heatmaps = 0
        /// [k, 3]: y, x, score, normalised.
        case direct = 1
    }
    /// A dial: the angle centre→tip, clockwise from centre→min, as a share of centre→min … centre→max.
    public struct Gauge: Sendable, Hashable {
        public var centre: Int, tip: Int, min: Int, max: Int
        public var minValue: Float, maxValue: Float, unit: String
        public init(centre: Int, tip: Int, min: Int, max: Int, minValue: Float, maxValue: Float, unit: String) {
            (self.centre, self.tip, self.min, self.max) = (centre, tip, min, max)
            (self.minValue, self.maxValue, self.unit) = (minValue, maxValue, unit)
        }
    }
    public var form: Form, scoreThreshold: Float, gauge: Gauge?
    public init(form: Form, scoreThreshold: Float = 0.3, gauge: Gauge? = nil) {
        (self.form, self.scoreThreshold, self.gauge) = (form, scoreThreshold, gauge)
    }
}

/// Where a file comes from and how good it is.
public struct Provenance: Sendable, Hashable {
    /// (key, value) pairs in file order. Keys: source, source-sha256, tool, calibration, calibration-sha256, method,
    /// accuracy…; unknown keys are kept.
    public var entries: [Entry]
    public struct Entry: Sendable, Hashable {
        public var key: String, value: String
        public init(key: String, value: String) { (self.key, self.value) = (key, value) }
    }
    public init(entries: [Entry] = []) { self.entries = entries }
}
