/// What the user decides about a model that is imported.
public struct ImportOptions: Sendable {
    /// Extents of graph inputs, by name: replaces dynamic axes (`--input-shape NAME=1,3,224,224`).
    public var inputShapes: [String: [Int]]

    public init(inputShapes: [String: [Int]] = [:]) { self.inputShapes = inputShapes }
}
