/// ONNX CenterCropPad: inputs data, target extents of `axes` (all axes when nil). Pads with zeros.
public struct CenterCropPad: Operator, Hashable {
    public var axes: [Int]?
    public init(axes: [Int]? = nil) { self.axes = axes }

    public var name: String { "CenterCropPad" }
}
