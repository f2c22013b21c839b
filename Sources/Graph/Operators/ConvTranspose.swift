/// ONNX ConvTranspose: inputs x, weights [in, out/group, …], bias?.
public struct ConvTranspose: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, outputPadding: [Int], outputShape: [Int]?
    public var groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, outputPadding: [Int] = [],
        outputShape: [Int]? = nil, groups: Int = 1, layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.outputPadding) = (strides, dilations, padding, outputPadding)
        (self.outputShape, self.groups, self.layout) = (outputShape, groups, layout)
    }

    public var name: String { "ConvTranspose" }
}
