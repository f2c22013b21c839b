/// ONNX MaxPool, AveragePool, LpPool by `kind`. MaxPool has an optional second output (indices).
public struct Pool: Operator, Hashable {
    public enum Kind: Sendable, Hashable {
        case max(storageOrder: Int)
        case average(countIncludesPadding: Bool)
        case lp(Int)
    }
    public var kind: Kind, kernel: [Int], strides: [Int], dilations: [Int], padding: Padding, ceilMode: Bool
    public var layout: Layout
    public init(
        kind: Kind, kernel: [Int], strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid,
        ceilMode: Bool = false, layout: Layout = .channelsFirst
    ) {
        (self.kind, self.kernel, self.strides, self.dilations) = (kind, kernel, strides, dilations)
        (self.padding, self.ceilMode, self.layout) = (padding, ceilMode, layout)
    }

    public var name: String {
        switch kind {
        case .max: "MaxPool"
        case .average: "AveragePool"
        case .lp: "LpPool"
        }
    }
}
