/// ONNX Tile: inputs data, repeats.
public struct Tile: Operator, Hashable {
    public init() {}

    public var name: String { "Tile" }
}

extension Tile {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, repeats) = (try inputs.operand(0, "data"), try inputs.operand(1, "repeats"))
        guard let counts = try repeats.integers(), let shape = data.shape else {
            return [TensorType(data.elementType, nil)]
        }
        guard counts.count == shape.count, counts.allSatisfy({ (0...(1 << 20)).contains($0) }) else {
            throw repeats.error(expected: "\(shape.count) numbers of 0 to 2^20", found: "\(counts)")
        }
        return [TensorType(data.elementType, zip(shape, counts).map { $0 * $1 })]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let (data, counts) = (inputs[0]!, inputs[1]!.integers)
        let strides = rowMajorStrides(data.shape)
        let repeated = data.strided(
            shape: zip(counts, data.shape).flatMap { [$0, $1] }, strides: strides.flatMap { [0, $0] })
        return [repeated.reshaped(try outputShape(inputs))]
    }
}
