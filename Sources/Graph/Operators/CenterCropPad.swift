/// ONNX CenterCropPad: inputs data, target extents of `axes` (all axes when nil). Pads with zeros.
public struct CenterCropPad: Operator, Hashable {
    public var axes: [Int]?
    public init(axes: [Int]? = nil) { self.axes = axes }

    public var name: String { "CenterCropPad" }
}

extension CenterCropPad {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (data, target) = (try inputs.operand(0, "data"), try inputs.operand(1, "shape"))
        guard var shape = data.shape, let extents = try target.integers() else {
            return [TensorType(data.elementType, nil)]
        }
        let axes = try normalized(axes: axes ?? Array(shape.indices), rank: shape.count, subject: "attribute axes")
        guard extents.count == axes.count, extents.allSatisfy({ $0 >= 0 }) else {
            throw target.error(expected: "\(axes.count) extents, one for each axis", found: "\(extents)")
        }
        for (axis, extent) in zip(axes, extents) { shape[axis] = extent }
        return [TensorType(data.elementType, shape)]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let data = inputs[0]!
        let tables = zip(data.shape, try outputShape(inputs)).map { extent, wanted -> [Int]? in
            if extent == wanted { return nil }
            if extent > wanted { return Array((extent - wanted) / 2..<(extent - wanted) / 2 + wanted) }
            let begin = (wanted - extent) / 2
            return (0..<wanted).map { $0 >= begin && $0 < begin + extent ? $0 - begin : -1 }
        }
        return [data.indexed(tables)]
    }
}
