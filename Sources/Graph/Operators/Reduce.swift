/// ONNX Reduce…: inputs data, axes?.
public struct Reduce: Operator, Hashable {
    public enum Function: Sendable, Hashable {
        case mean, sum, max, min, prod, l1, l2, logSum, logSumExp, sumSquare
    }
    public var function: Function, keepDims: Bool, noopWithEmptyAxes: Bool
    public init(_ function: Function, keepDims: Bool = true, noopWithEmptyAxes: Bool = false) {
        (self.function, self.keepDims, self.noopWithEmptyAxes) = (function, keepDims, noopWithEmptyAxes)
    }

    public var name: String { function.name }
}

extension Reduce.Function {
    /// The ONNX name.
    public var name: String {
        switch self {
        case .mean: "ReduceMean"
        case .sum: "ReduceSum"
        case .max: "ReduceMax"
        case .min: "ReduceMin"
        case .prod: "ReduceProd"
        case .l1: "ReduceL1"
        case .l2: "ReduceL2"
        case .logSum: "ReduceLogSum"
        case .logSumExp: "ReduceLogSumExp"
        case .sumSquare: "ReduceSumSquare"
        }
    }
}
