/// How the stored integers of a tensor stand for real numbers: `real = (stored - zeroPoint) * scale`.
public struct Quantization: Sendable, Hashable {
    /// Type of the stored integers: `.int8` or `.uint8` for activations and weights, `.int32` for biases, `.int16`.
    public var elementType: ElementType
    /// One scale, or one for each index along `axis`. Each is a normal positive number.
    public var scales: [Float]
    /// As many as `scales`.
    public var zeroPoints: [Int32]
    /// The axis along which `scales` differ; nil when per tensor.
    public var axis: Int?

    public init(elementType: ElementType, scales: [Float], zeroPoints: [Int32], axis: Int? = nil) {
        precondition(scales.count == zeroPoints.count && !scales.isEmpty)
        self.elementType = elementType
        self.scales = scales
        self.zeroPoints = zeroPoints
        self.axis = axis
    }

    /// Per-tensor quantization.
    public init(elementType: ElementType, scale: Float, zeroPoint: Int32) {
        self.init(elementType: elementType, scales: [scale], zeroPoints: [zeroPoint])
    }
}

/// Names a value of a graph. Stable while nodes are added and removed.
public struct ValueID: Hashable, Sendable, Comparable {
    public let index: Int
    public init(_ index: Int) { self.index = index }
    public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// One tensor of a graph: a graph input, a constant or the output of one node.
///
/// When `quantization` is set the value *is stored* as the quantization's integers although operators see real numbers
/// (float32): the executor dequantizes on reading and quantizes on writing (round to nearest even, saturate), and the
/// compiler gives the value an integer buffer. `elementType` is then `.float32`, and `constant`, if any, holds the
/// stored integers.
public struct Value: Sendable {
    /// Name in the source model; unique in the graph.
    public var name: String
    /// Type that operators see.
    public var elementType: ElementType
    /// Extents; nil only when they depend on data (NonZero and such), which the compiler refuses.
    public var shape: [Int]?
    public var quantization: Quantization?
    /// Contents when known at conversion.
    public var constant: Tensor?

    public init(
        name: String, elementType: ElementType, shape: [Int]?, quantization: Quantization? = nil,
        constant: Tensor? = nil
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.quantization = quantization
        self.constant = constant
    }
}

/// One application of an operator.
public struct Node: Sendable {
    /// Name in the source model, or one made from its first output; unique in the graph.
    public var name: String
    public var op: any Operator
    /// Nil for an optional input that is absent.
    public var inputs: [ValueID?]
    /// Nil for an optional output that is not asked for.
    public var outputs: [ValueID?]
    /// The operator as the source model names it, for diagnoses: "Conv", "DEPTHWISE_CONV_2D".
    public var sourceOperator: String

    public init(name: String, op: any Operator, inputs: [ValueID?], outputs: [ValueID?], sourceOperator: String) {
        self.name = name
        self.op = op
        self.inputs = inputs
        self.outputs = outputs
        self.sourceOperator = sourceOperator
    }
}

/// A graph input or output as the source model declares it.
public struct Port: Sendable {
    public var name: String
    public var value: ValueID
    /// Element type that the model itself declares (`uint8` for a quantized TFLite input, whose value has a
    /// quantization).
    public var elementType: ElementType

    public init(name: String, value: ValueID, elementType: ElementType) {
        self.name = name
        self.value = value
        self.elementType = elementType
    }
}

/// How an integer runtime rounds the results of average pools and bilinear resizes.
public enum IntegerRounding: Sendable, Hashable {
    /// The exact result, to nearest even.
    case nearestEven
    /// As LiteRT does with int8 and uint8 tensors of one quantization: average pools round the mean of the stored
    /// integers with halves away from zero; bilinear resizes use weights of 11 bits, halves up.
    case tfLite
}

/// A model: nodes in execution order over values. Value semantics; passes take it `inout`.
public struct Graph: Sendable {
    public var values: [Value] = []
    /// Topologically sorted: a node follows the producers of its inputs.
    public var nodes: [Node] = []
    public var inputs: [Port] = []
    public var outputs: [Port] = []
    /// "ONNX opset 13, pytorch 2.1" or "TFLite schema 3": for provenance.
    public var sourceDescription = ""
    /// How the source's own runtime rounds where int8 arithmetic leaves a choice.
    public var integerRounding = IntegerRounding.nearestEven

    public init() {}

    public subscript(id: ValueID) -> Value {
        get { values[id.index] }
        set { values[id.index] = newValue }
    }

    /// Adds a value; a name already taken gets a suffix.
    public mutating func addValue(_ value: Value) -> ValueID {
        values.append(value)
        return ValueID(values.count - 1)
    }

    /// Adds a constant.
    public mutating func addConstant(name: String, _ tensor: Tensor, quantization: Quantization? = nil) -> ValueID {
        addValue(
            Value(
                name: name, elementType: quantization == nil ? tensor.elementType : .float32, shape: tensor.shape,
                quantization: quantization, constant: tensor))
    }
}
