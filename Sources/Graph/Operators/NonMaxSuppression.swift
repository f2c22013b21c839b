/// ONNX NonMaxSuppression: inputs boxes [batch, boxes, 4], scores [batch, classes, boxes], maxOutputBoxesPerClass?,
/// iouThreshold?, scoreThreshold?. Output [selected, 3] int64: batch, class, box. `usesCenters`: boxes are x centre, y centre,
/// width, height (`center_point_box` 1) instead of two opposite corners y, x, y, x.
public struct NonMaxSuppression: Operator, Hashable {
    public var usesCenters: Bool
    public init(usesCenters: Bool = false) { self.usesCenters = usesCenters }

    public var name: String { "NonMaxSuppression" }
}
