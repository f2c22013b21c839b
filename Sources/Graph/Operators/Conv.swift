/// ONNX Conv: inputs x, weights, bias?. Any number of spatial axes. Empty `strides`/`dilations` mean ones.
public struct Conv: Operator, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, groups: Int = 1,
        layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.groups, self.layout) =
            (strides, dilations, padding, groups, layout)
    }

    public var name: String { "Conv" }
}
