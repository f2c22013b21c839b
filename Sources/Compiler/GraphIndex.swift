import Graph

/// Who makes and who reads each value of a graph; rebuilt after a pass changed nodes.
struct GraphIndex {
    /// Index of the node that makes a value.
    private(set) var producer: [ValueID: Int] = [:]
    /// Indices of the nodes that read a value, in execution order, one for each reading input.
    private(set) var consumers: [ValueID: [Int]] = [:]
    /// Values that are outputs of the graph.
    private(set) var outputs: Set<ValueID> = []
    private(set) var inputs: Set<ValueID> = []

    init(_ graph: Graph) {
        for (index, node) in graph.nodes.enumerated() {
            for case let id? in node.outputs { producer[id] = index }
            for case let id? in node.inputs { consumers[id, default: []].append(index) }
        }
        outputs = Set(graph.outputs.map(\.value))
        inputs = Set(graph.inputs.map(\.value))
    }

    /// The only node that reads `id`; nil when there are several, none, or when it is a graph output.
    func soleConsumer(of id: ValueID) -> Int? {
        guard !outputs.contains(id), let readers = consumers[id], readers.count == 1 else { return nil }
        return readers[0]
    }
}

extension Graph {
    /// Lets every reader of `old` (nodes and graph outputs) read `new`.
    mutating func replaceUses(of old: ValueID, with new: ValueID) {
        for index in nodes.indices {
            for input in nodes[index].inputs.indices where nodes[index].inputs[input] == old {
                nodes[index].inputs[input] = new
            }
        }
        for index in outputs.indices where outputs[index].value == old { outputs[index].value = new }
    }

    /// A name not yet taken by a value.
    func freshName(_ base: String) -> String {
        let taken = Set(values.map(\.name))
        guard taken.contains(base) else { return base }
        return (2...).lazy.map { "\(base)_\($0)" }.first { !taken.contains($0) }!
    }

    /// The real numbers of a constant, whatever its storage; nil when the value is not a constant.
    func realConstant(_ id: ValueID?) -> [Float]? {
        guard let id, let tensor = self[id].constant else { return nil }
        return self[id].quantization.map { $0.dequantize(tensor) }?.asFloats ?? tensor.asFloats
    }

    /// The integers of a constant such as axes or a shape; nil when the value is not a constant.
    func integerConstant(_ id: ValueID?) -> [Int]? {
        guard let id, let tensor = self[id].constant, self[id].quantization == nil else { return nil }
        return tensor.asInts
    }

    /// Extents of a value; the compiler only sees graphs in which every extent is known.
    func extents(_ id: ValueID) -> [Int] { self[id].shape ?? [] }
}

extension Tensor {
    /// Elements converted to Float.
    var asFloats: [Float] {
        switch elementType {
        case .float32: elements(as: Float.self)
        case .float64: elements(as: Double.self).map { Float($0) }
        case .float16, .bfloat16: halfFloats
        default: asInts.map { Float($0) }
        }
    }

    private var halfFloats: [Float] {
        withExtendedLifetime(self) {
            unsafeBytes.bindMemory(to: UInt16.self).map { bits in
                if elementType == .bfloat16 { return Float(bitPattern: UInt32(bits) << 16) }
                let (exponent, mantissa) = (Int(bits >> 10 & 31), Float(bits & 1023))
                let magnitude: Float =
                    switch exponent {
                    case 0: mantissa * 0x1p-24
                    case 31: mantissa == 0 ? .infinity : .nan
                    default: (1 + mantissa * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
                    }
                return bits >> 15 == 1 ? -magnitude : magnitude
            }
        }
    }

    /// Elements converted to Int; floating-point ones toward zero.
    var asInts: [Int] {
        switch elementType {
        case .int8: elements(as: Int8.self).map { Int($0) }
        case .uint8: elements(as: UInt8.self).map { Int($0) }
        case .int16: elements(as: Int16.self).map { Int($0) }
        case .uint16: elements(as: UInt16.self).map { Int($0) }
        case .int32: elements(as: Int32.self).map { Int($0) }
        case .uint32: elements(as: UInt32.self).map { Int($0) }
        case .int64: elements(as: Int64.self).map { Int($0) }
        case .uint64: elements(as: UInt64.self).map { Int(truncatingIfNeeded: $0) }
        case .bool: elements(as: Bool.self).map { $0 ? 1 : 0 }
        case .float32, .float64, .float16, .bfloat16: asFloats.map { $0.isFinite ? Int($0) : 0 }
        }
    }

    /// The tensor with its axes reordered: axis k of the result is axis `order[k]`.
    public func transposed(_ order: [Int]) -> Tensor {
        let width = elementType.byteCount
        let newShape = order.map { shape[$0] }
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        let moved = order.map { strides[$0] }
        return withExtendedLifetime(self) {
            let source = unsafeBytes
            return Tensor(unsafeUninitialized: elementType, shape: newShape) { bytes in
                guard !bytes.isEmpty else { return }
                var index = [Int](repeating: 0, count: newShape.count)
                var position = 0
                for target in 0..<bytes.count / width {
                    for byte in 0..<width { bytes[target * width + byte] = source[position * width + byte] }
                    var axis = newShape.count - 1
                    while axis >= 0 {
                        index[axis] += 1
                        position += moved[axis]
                        if index[axis] < newShape[axis] { break }
                        position -= moved[axis] * newShape[axis]
                        index[axis] = 0
                        axis -= 1
                    }
                }
            }
        }
    }
}
