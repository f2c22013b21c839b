/// TFLite_Detection_PostProcess: inputs box encodings [1, anchors, 4], class scores [1, anchors, classes(+1)], anchors
/// [anchors, 4] (ycenter, xcenter, h, w). Outputs boxes [1, n, 4] (ymin, xmin, ymax, xmax), classes [1, n], scores [1, n],
/// count [1], all float32.
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
