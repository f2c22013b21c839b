/// ONNX CumSum: inputs x, axis (scalar).
public struct CumSum: Operator, Hashable {
    public var exclusive: Bool, reverse: Bool
    public init(exclusive: Bool = false, reverse: Bool = false) {
        (self.exclusive, self.reverse) = (exclusive, reverse)
    }

    public var name: String { "CumSum" }
}
