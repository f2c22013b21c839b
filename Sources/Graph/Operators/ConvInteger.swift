/// ONNX ConvInteger: inputs x, weights (int8 or uint8), zero point of x?, zero point of weights?. Output int32.
public struct ConvInteger: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, groups: Int, layout: Layout
    public init(strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, groups: Int = 1, layout: Layout = .channelsFirst) {
        (self.strides, self.dilations, self.padding, self.groups, self.layout) = (strides, dilations, padding, groups, layout)
    }

    public var name: String { "ConvInteger" }
}
