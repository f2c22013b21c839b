/// ONNX Where: inputs condition (bool), x, y with multidirectional broadcasting.
public struct Where: Operator, Hashable {
    public init() {}

    public var name: String { "Where" }
}

extension Where {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let (condition, x, y) = (
            try inputs.operand(0, "condition"), try inputs.operand(1, "x"), try inputs.operand(2, "y")
        )
        try condition.require([.bool])
        try y.requireType(of: x)
        return [TensorType(x.elementType, try broadcast([condition, x, y]))]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        let shape = try outputShape(inputs)
        let (condition, x, y) = (inputs[0]!, inputs[1]!, inputs[2]!)
        switch x.elementType.byteCount {
        case 1: return [select(condition, x, y, shape, UInt8.self)]
        case 2: return [select(condition, x, y, shape, UInt16.self)]
        case 4: return [select(condition, x, y, shape, UInt32.self)]
        default: return [select(condition, x, y, shape, UInt64.self)]
        }
    }

    private func select<Bits: BitwiseCopyable>(
        _ condition: Tensor, _ x: Tensor, _ y: Tensor, _ shape: [Int], _: Bits.Type
    ) -> Tensor {
        let walk = StridedWalk(shape: shape, strides: [condition, x, y].map { broadcastStrides($0.shape, to: shape) })
        let strides = walk.rowStrides
        return Tensor(unsafeUninitialized: x.elementType, shape: shape) { bytes in
            let output = bytes.bindMemory(to: Bits.self).baseAddress!
            condition.withBits(as: UInt8.self) { condition in
                x.withBits(as: Bits.self) { x in
                    y.withBits(as: Bits.self) { y in
                        walk.forEachRow { first, offsets in
                            for index in 0..<walk.rowLength {
                                output[first + index] =
                                    condition[offsets[0] + index * strides[0]] != 0
                                    ? x[offsets[1] + index * strides[1]] : y[offsets[2] + index * strides[2]]
                            }
                        }
                    }
                }
            }
        }
    }
}
