/// Type of a tensor at an operator's input or output.
public struct TensorType: Sendable, Hashable {
    public var elementType: ElementType
    /// Nil when the extents depend on data.
    public var shape: [Int]?

    public init(_ elementType: ElementType, _ shape: [Int]?) {
        self.elementType = elementType
        self.shape = shape
    }
}

/// What shape inference knows of an input.
public struct InputFacts: Sendable {
    public var type: TensorType
    /// Contents, when known at conversion.
    public var constant: Tensor?

    public init(type: TensorType, constant: Tensor? = nil) {
        self.type = type
        self.constant = constant
    }
}

/// Why an operator can't be applied to its inputs.
public struct OperatorError: Error, Sendable, CustomStringConvertible {
    /// What was looked at: "attribute auto_pad", "input 1 (weights)".
    public var subject: String
    public var expected: String
    public var found: String

    public init(subject: String, expected: String, found: String) {
        self.subject = subject
        self.expected = expected
        self.found = found
    }

    public var description: String { "\(subject): expected \(expected), found \(found)" }
}

/// A tensor operator with its attributes. Conforming types are structs, one file each in `Operators/`, named, with the
/// inputs, outputs and attributes, as in the newest ONNX opset (importers translate older opsets and TFLite), plus a
/// `layout` where an operator has spatial axes.
public protocol Operator: Sendable {
    /// Name for reports: the ONNX name.
    var name: String { get }

    /// The shape rule: types of all outputs.
    func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType]

    /// The reference on real numbers: as many tensors as outputs. Inputs have passed `infer`.
    func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor]
}

/// Order of the axes of activations: batch, channels, then spatial axes; or channels last. Weights are always in ONNX
/// order: [out, in/group, spatial…] for `Conv`, [in, out/group, spatial…] for `ConvTranspose`.
public enum Layout: String, Sendable, Hashable {
    case channelsFirst, channelsLast
}
