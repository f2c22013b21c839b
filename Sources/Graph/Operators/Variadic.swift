/// ONNX Max, Min, Sum, Mean: one or more inputs, multidirectional broadcasting.
public struct Variadic: Operator, Hashable {
    public enum Function: Sendable, Hashable { case max, min, sum, mean }
    public var function: Function
    public init(_ function: Function) { self.function = function }

    public var name: String { function.name }
}

extension Variadic.Function {
    /// The ONNX name.
    public var name: String {
        switch self {
        case .max: "Max"
        case .min: "Min"
        case .sum: "Sum"
        case .mean: "Mean"
        }
    }
}
