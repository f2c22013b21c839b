/// TFLite SPACE_TO_BATCH_ND: inputs x [batch, spatial…, rest], block shape, paddings [[begin, end]…].
public struct SpaceToBatch: Operator, Hashable {
    public init() {}

    public var name: String { "SpaceToBatch" }
}
