/// ONNX Pad: inputs data, pads, value?, axes?.
public struct Pad: Operator, Hashable {
    /// `symmetric` mirrors with the edge itself repeated (TFLite MIRROR_PAD).
    public enum Mode: String, Sendable, Hashable { case constant, reflect, symmetric, edge, wrap }
    public var mode: Mode
    public init(mode: Mode = .constant) { self.mode = mode }

    public var name: String { "Pad" }
}

extension Pad {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let data = try inputs.operand(0, "data")
        if let value = inputs.optionalOperand(2, "value") {
            try value.requireType(of: data)
            try value.requireScalar()
        }
        guard let pads = try pads(inputs) else { return [TensorType(data.elementType, nil)] }
        var shape = data.shape!
        for axis in shape.indices {
            let (begin, end, extent) = (pads[axis].begin, pads[axis].end, shape[axis])
            shape[axis] += begin + end
            let furthest = max(begin, end)
            let limit: Int
            switch mode {
            case .constant: limit = .max
            case .reflect: limit = extent - 1
            case .symmetric: limit = extent
            case .edge, .wrap: limit = extent == 0 ? 0 : .max
            }
            guard shape[axis] >= 0, min(begin, end) >= -extent, furthest <= 0 || furthest <= limit else {
                throw OperatorError(
                    subject: "input 1 (pads)",
                    expected: "\(mode) padding that axis \(axis) of \(extent) elements allows",
                    found: "\(begin) and \(end)")
            }
        }
        return [TensorType(data.elementType, shape)]
    }

    /// Elements added, or removed when negative, before and after each axis.
    private func pads(_ inputs: [InputFacts?]) throws(OperatorError) -> [(begin: Int, end: Int)]? {
        let (data, pads) = (try inputs.operand(0, "data"), try inputs.operand(1, "pads"))
        let axes = inputs.optionalOperand(3, "axes")
        let (values, axisValues) = (try pads.integers(), try axes?.integers())
        guard let shape = data.shape, let values, (axes == nil) == (axisValues == nil) else { return nil }
        let padded = try normalized(
            axes: axisValues ?? Array(shape.indices), rank: shape.count, subject: "input 3 (axes)")
        guard values.count == 2 * padded.count else {
            throw pads.error(expected: "\(2 * padded.count) numbers", found: "\(values)")
        }
        var result = shape.map { _ in (begin: 0, end: 0) }
        for (index, axis) in padded.enumerated() { result[axis] = (values[index], values[padded.count + index]) }
        return result
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let data = inputs[0]!
        let pads = try pads(inputs.map { input in input.map(InputFacts.init(contents:)) })!
        let tables = zip(pads, data.shape).map { pad, extent -> [Int]? in
            if pad.begin == 0 && pad.end == 0 { return nil }
            return (-pad.begin..<(extent + pad.end)).map { source($0, extent: extent) }
        }
        return [data.indexed(tables, fill: inputs.optional(2))]
    }

    /// The element that stands at `index` of an axis prolonged on both sides; -1 for the constant.
    private func source(_ index: Int, extent: Int) -> Int {
        if index >= 0 && index < extent { return index }
        switch mode {
        case .constant: return -1
        case .reflect: return index < 0 ? -index : 2 * (extent - 1) - index
        case .symmetric: return index < 0 ? -index - 1 : 2 * extent - 1 - index
        case .edge: return index < 0 ? 0 : extent - 1
        case .wrap: return (index % extent + extent) % extent
        }
    }
}
