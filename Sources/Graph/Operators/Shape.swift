/// ONNX Shape: extents of axes `start` ..< `end` as int64. Negative bounds count from the end; all are clamped to the
/// rank.
public struct Shape: Operator, Hashable {
    public var start: Int, end: Int?
    public init(start: Int = 0, end: Int? = nil) { (self.start, self.end) = (start, end) }

    public var name: String { "Shape" }

    /// The output for an input of this shape.
    func extents(of shape: [Int]) -> Tensor {
        func clamped(_ bound: Int) -> Int { min(max(bound < 0 ? bound + shape.count : bound, 0), shape.count) }
        let first = clamped(start)
        let extents = Array(shape[first..<max(first, clamped(end ?? shape.count))])
        return Tensor(integers: extents, shape: [extents.count])
    }
}

extension Shape {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        return [TensorType(.int64, data.shape.map { extents(of: $0).shape })]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] { [extents(of: inputs[0]!.shape)] }
}
