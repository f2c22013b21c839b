import Graph

/// Kinds of option tables: values of `BuiltinOptions` in the TFLite schema.
enum TFLiteOptionsType: UInt8 {
    case conv2D = 1
    case depthwiseConv2D = 2
    case pool2D = 5
    case fullyConnected = 8
    case softmax = 9
    case concatenation = 10
    case add = 11
    case l2Norm = 12
    case resizeBilinear = 15
    case reshape = 17
    case spaceToDepth = 19
    case mul = 21
    case gather = 23
    case reducer = 27
    case sub = 28
    case div = 29
    case squeeze = 30
    case stridedSlice = 32
    case split = 35
    case cast = 37
    case argMax = 40
    case transposeConv = 49
    case argMin = 57
    case pack = 59
    case oneHot = 61
    case unpack = 64
    case resizeNearestNeighbor = 74
    case leakyRelu = 75
    case mirrorPad = 77
    case splitV = 79
    case reverseSequence = 87
    case depthToSpace = 94
    case batchMatMul = 101
    case cumsum = 102
    case gelu = 116
}

/// The options of the current operator; every field has the schema's default when the file lacks it.
struct TFLiteOptions {
    let table: FlatTable?
    let mapper: TFLiteMapper

    func integer(_ slot: Int, _ name: String, default fallback: Int32 = 0) throws(GraphProblem) -> Int {
        Int(try read { table throws(TFLiteFileError) in try table.number(slot, name, default: fallback) } ?? fallback)
    }

    /// An enumeration, which takes one byte.
    func byte(_ slot: Int, _ name: String) throws(GraphProblem) -> Int {
        Int(try read { table throws(TFLiteFileError) in try table.number(slot, name, default: Int8(0)) } ?? 0)
    }

    /// An integer of at least 1.
    func positive(_ slot: Int, _ name: String, default fallback: Int32 = 0) throws(GraphProblem) -> Int {
        let value = try integer(slot, name, default: fallback)
        guard value > 0 else {
            throw mapper.problem("option \(name)", expected: "a positive integer", found: "\(value)")
        }
        return value
    }

    func float(_ slot: Int, _ name: String, default fallback: Float = 0) throws(GraphProblem) -> Float {
        try read { table throws(TFLiteFileError) in try table.float(slot, name, default: fallback) } ?? fallback
    }

    func bool(_ slot: Int, _ name: String, default fallback: Bool = false) throws(GraphProblem) -> Bool {
        try read { table throws(TFLiteFileError) in try table.bool(slot, name, default: fallback) } ?? fallback
    }

    func integers(_ slot: Int, _ name: String) throws(GraphProblem) -> [Int] {
        let numbers = try read { table throws(TFLiteFileError) in try table.numbers(slot, name, of: Int32.self) ?? [] }
        return (numbers ?? []).map(Int.init)
    }

    /// `Padding` in the schema: SAME or VALID.
    func padding(_ slot: Int) throws(GraphProblem) -> Padding {
        let value = try byte(slot, "padding")
        switch value {
        case 0: return .sameUpper
        case 1: return .valid
        default: throw mapper.problem("option padding", expected: "SAME (0) or VALID (1)", found: "\(value)")
        }
    }

    /// `ActivationFunctionType` in the schema.
    func activation(_ slot: Int) throws(GraphProblem) -> TFLiteActivation {
        let value = try byte(slot, "fused_activation_function")
        guard let activation = TFLiteActivation(rawValue: value) else {
            throw mapper.problem(
                "option fused_activation_function", expected: "NONE, RELU, RELU_N1_TO_1, RELU6 or TANH (0…4)",
                found: "\(value)")
        }
        return activation
    }

    private func read<Result>(
        _ body: (FlatTable) throws(TFLiteFileError) -> Result
    ) throws(GraphProblem) -> Result? {
        guard let table else { return nil }
        do {
            return try body(table)
        } catch {
            throw mapper.problem("options", expected: "a readable table", found: error.description)
        }
    }
}

/// A function that a TFLite operator applies to its result.
enum TFLiteActivation: Int {
    case none = 0
    case relu, reluN1To1, relu6, tanh
}

extension TFLiteMapper {
    /// The current operator's options, which must be of `type` when the file has any.
    func options(_ type: TFLiteOptionsType) throws(GraphProblem) -> TFLiteOptions {
        guard current.options == nil || current.optionsType == type.rawValue else {
            throw problem(
                "options", expected: "a table of type \(type.rawValue) (\(type))", found: "type \(current.optionsType)")
        }
        return TFLiteOptions(table: current.options, mapper: self)
    }
}
