/// ONNX Dropout in inference form: inputs data, ratio?, training mode?. Outputs data unchanged, mask of all true.
public struct Dropout: Operator, Hashable {
    public init() {}

    public var name: String { "Dropout" }
}
