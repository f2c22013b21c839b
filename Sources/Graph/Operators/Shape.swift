/// ONNX Shape: extents of axes `start` ..< `end` as int64. Negative bounds count from the end; all are clamped to the rank.
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

extension Shape {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        return [TensorType(.int64, data.shape.map { [axes(rank: $0.count).count] })]
    }

    private func axes(rank: Int) -> Swift.Range<Int> {
        func position(_ axis: Int) -> Int { max(0, min(rank, axis < 0 ? axis + rank : axis)) }
        let first = position(start)
        return first..<max(first, end.map(position) ?? rank)
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let extents = Array(inputs[0]!.shape[axes(rank: inputs[0]!.shape.count)])
        return [Tensor(integers: extents, shape: [extents.count])]
    }
}
