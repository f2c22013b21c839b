/// ONNX RoiAlign: inputs x, rois [n, 4] (x1, y1, x2, y2), batch indices [n]. `halfPixel` shifts coordinates by half a pixel.
public struct RoiAlign: Operator, Hashable {
    public var isMax: Bool, outputHeight: Int, outputWidth: Int, samplingRatio: Int, spatialScale: Float, halfPixel: Bool, layout: Layout
    public init(isMax: Bool = false, outputHeight: Int = 1, outputWidth: Int = 1, samplingRatio: Int = 0, spatialScale: Float = 1, halfPixel: Bool = true, layout: Layout = .channelsFirst) {
        (self.isMax, self.outputHeight, self.outputWidth, self.samplingRatio, self.spatialScale, self.halfPixel, self.layout) = (isMax, outputHeight, outputWidth, samplingRatio, spatialScale, halfPixel, layout)
    }

    public var name: String { "RoiAlign" }
}
