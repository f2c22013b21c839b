/// TFLite BATCH_TO_SPACE_ND: inputs x, block shape, crops.
public struct BatchToSpace: Operator, Hashable {
    public init() {}

    public var name: String { "BatchToSpace" }
}
