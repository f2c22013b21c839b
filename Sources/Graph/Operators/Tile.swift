/// ONNX Tile: inputs data, repeats.
public struct Tile: Operator, Hashable {
    public init() {}

    public var name: String { "Tile" }
}
