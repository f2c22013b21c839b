/// ONNX Identity.
public struct Identity: Operator, Hashable {
    public init() {}

    public var name: String { "Identity" }
}
