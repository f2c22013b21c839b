/// ONNX Resize: inputs x, roi?, scales?, sizes?. Mode and rounding as in the ONNX specification; TFLite's
/// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR map on to `halfPixel`, `alignCorners` or `asymmetric`.
public struct Resize: Operator, Hashable {
    public enum Mode: Sendable, Hashable { case nearest, linear, cubic(coefficientA: Float, excludeOutside: Bool) }
    public enum Coordinates: Sendable, Hashable {
        case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric, tfCropAndResize, tfHalfPixelForNN
    }
    public enum NearestRounding: Sendable, Hashable { case roundPreferFloor, roundPreferCeil, floor, ceil }
    public enum AspectPolicy: Sendable, Hashable { case stretch, notLarger, notSmaller }
    public var mode: Mode, coordinates: Coordinates, nearestRounding: NearestRounding, antialias: Bool
    public var axes: [Int]?, aspect: AspectPolicy, extrapolationValue: Float
    public init(
        mode: Mode = .nearest, coordinates: Coordinates = .halfPixel, nearestRounding: NearestRounding = .roundPreferFloor,
        antialias: Bool = false, axes: [Int]? = nil, aspect: AspectPolicy = .stretch, extrapolationValue: Float = 0
    ) {
        (self.mode, self.coordinates, self.nearestRounding) = (mode, coordinates, nearestRounding)
        (self.antialias, self.axes, self.aspect, self.extrapolationValue) = (antialias, axes, aspect, extrapolationValue)
    }

    public var name: String { "Resize" }
}
