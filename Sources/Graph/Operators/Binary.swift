/// Elementwise function of two tensors with multidirectional broadcasting.
public struct Binary: Operator, Hashable {
    public enum Function: Sendable, Hashable {
        case add, sub, mul, div, pow, prelu, squaredDifference
        case mod(fmod: Bool)
        case floorDiv
        case equal, greater, greaterOrEqual, less, lessOrEqual, notEqual
        case and, or, xor, bitwiseAnd, bitwiseOr, bitwiseXor
        case bitShift(left: Bool)
    }
    public var function: Function
    public init(_ function: Function) { self.function = function }

    public var name: String { function.name }
}

extension Binary.Function {
    /// The ONNX name; for functions that ONNX lacks, the TFLite one.
    public var name: String {
        switch self {
        case .add: "Add"
        case .sub: "Sub"
        case .mul: "Mul"
        case .div: "Div"
        case .pow: "Pow"
        case .prelu: "PRelu"
        case .squaredDifference: "SquaredDifference"
        case .mod: "Mod"
        case .floorDiv: "FloorDiv"
        case .equal: "Equal"
        case .greater: "Greater"
        case .greaterOrEqual: "GreaterOrEqual"
        case .less: "Less"
        case .lessOrEqual: "LessOrEqual"
        case .notEqual: "NotEqual"
        case .and: "And"
        case .or: "Or"
        case .xor: "Xor"
        case .bitwiseAnd: "BitwiseAnd"
        case .bitwiseOr: "BitwiseOr"
        case .bitwiseXor: "BitwiseXor"
        case .bitShift: "BitShift"
        }
    }
}
