/// ONNX Shape: extents of axes `start` ..< `end` as int64.
public struct Shape: Operator, Hashable {
    public var start: Int, end: Int?
    public init(start: Int = 0, end: Int? = nil) { (self.start, self.end) = (start, end) }

    public var name: String { "Shape" }
}
