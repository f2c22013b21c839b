/// The messages of onnx.proto3 that an import needs; fields that say nothing about inference are skipped.

struct ONNXModel: Sendable {
    struct OperatorSet: Sendable {
        var domain = ""
        var version: Int64 = 0
    }
    var operatorSets: [OperatorSet] = []
    var producerName = ""
    var producerVersion = ""
    var graph: ONNXGraph?
    /// Domain and name of each model-local function.
    var functions: [(domain: String, name: String)] = []
}

struct ONNXGraph: Sendable {
    var nodes: [ONNXNode] = []
    var initializers: [ONNXTensor] = []
    /// Names of the sparse initializers' values.
    var sparseInitializers: [String] = []
    var inputs: [ONNXValueInfo] = []
    var outputs: [ONNXValueInfo] = []
}

struct ONNXNode: Sendable {
    var name = ""
    var operatorType = ""
    var domain = ""
    /// Empty names are absent inputs and outputs.
    var inputs: [String] = []
    var outputs: [String] = []
    var attributes: [ONNXAttribute] = []
}

struct ONNXAttribute: Sendable {
    enum Value: Sendable {
        case float(Float)
        case int(Int64)
        case string(String)
        case tensor(ONNXTensor)
        case graph(ONNXGraph)
        case floats([Float])
        case ints([Int64])
        case strings([String])
        /// A type that no supported operator has: its name.
        case other(String)

        var typeName: String {
            switch self {
            case .float: "FLOAT"
            case .int: "INT"
            case .string: "STRING"
            case .tensor: "TENSOR"
            case .graph: "GRAPH"
            case .floats: "FLOATS"
            case .ints: "INTS"
            case .strings: "STRINGS"
            case .other(let name): name
            }
        }
    }
    var name = ""
    var value = Value.other("UNDEFINED")
}

struct ONNXTensor: Sendable {
    var name = ""
    var dimensions: [Int64] = []
    var dataType: Int64 = 0
    var isSegmented = false
    var raw: ByteSlice?
    var floats: [Float] = []
    var int32s: [Int64] = []
    var int64s: [Int64] = []
    var doubles: [Double] = []
    var uint64s: [Int64] = []
    var isExternal = false
    /// Keys and values: location, offset, length.
    var external: [(key: String, value: String)] = []
}

/// A graph input or output.
struct ONNXValueInfo: Sendable {
    enum Dimension: Sendable, Equatable {
        case fixed(Int64)
        /// A symbolic name; empty when there is none.
        case dynamic(String)
    }
    enum Kind: Sendable {
        /// `TensorProto.DataType` and, if declared, the axes.
        case tensor(dataType: Int64, axes: [Dimension]?)
        /// "sequence", "map", "optional", "sparse tensor" or "value without a type".
        case other(String)
    }
    var name = ""
    var kind = Kind.other("value without a type")
}
