/// A window that slides over spatial axes: the geometry of convolutions and pools.
struct SlidingWindow {
    /// Largest stride, dilation, kernel extent or padding: keeps the arithmetic far from overflow.
    static let attributeLimit = 1 << 20

    var input: [Int]
    var kernel: [Int]
    var strides: [Int]
    var dilations: [Int]
    var padBegin: [Int]
    var padEnd: [Int]
    var output: [Int]

    /// Resolves attributes for inputs of extents `input`. Empty `strides` and `dilations` mean ones. With `ceilMode` a
    /// last partial window counts; a window that would start in the padding at the end does not.
    init(
        input: [Int], kernel: [Int], strides: [Int], dilations: [Int], padding: Padding, ceilMode: Bool = false
    ) throws(OperatorError) {
        let rank = input.count
        self.input = input
        self.kernel = try Self.attribute("kernel_shape", kernel, rank: rank)
        self.strides = try Self.attribute("strides", strides, rank: rank)
        self.dilations = try Self.attribute("dilations", dilations, rank: rank)
        (padBegin, padEnd) = ([Int](repeating: 0, count: rank), [Int](repeating: 0, count: rank))
        output = []
        if case .explicit(let pads) = padding {
            guard pads.count == 2 * rank || pads.isEmpty, pads.allSatisfy({ $0.magnitude <= Self.attributeLimit })
            else {
                throw OperatorError(
                    subject: "attribute pads", expected: "\(2 * rank) numbers of at most 2^20", found: "\(pads)")
            }
            if !pads.isEmpty { (padBegin, padEnd) = (Array(pads[..<rank]), Array(pads[rank...])) }
        }
        for axis in 0..<rank { output.append(try resolve(axis, padding, ceilMode)) }
    }

    /// Output extent along `axis`; settles its padding.
    private mutating func resolve(_ axis: Int, _ padding: Padding, _ ceilMode: Bool) throws(OperatorError) -> Int {
        let (extent, stride) = (input[axis], strides[axis])
        let span = (kernel[axis] - 1) * dilations[axis] + 1
        switch padding {
        case .sameUpper, .sameLower:
            let output = (extent + stride - 1) / stride
            let total = max(0, (output - 1) * stride + span - extent)
            padBegin[axis] = padding == .sameUpper ? total / 2 : total - total / 2
            padEnd[axis] = total - padBegin[axis]
            return output
        case .valid, .explicit:
            let room = extent + padBegin[axis] + padEnd[axis] - span
            guard room >= 0 else {
                throw OperatorError(
                    subject: "spatial axis \(axis)", expected: "a window of \(span) to fit",
                    found: "\(extent) elements with padding \(padBegin[axis]) and \(padEnd[axis])")
            }
            if !ceilMode { return room / stride + 1 }
            let output = (room + stride - 1) / stride + 1
            return (output - 1) * stride < extent + padBegin[axis] ? output : output - 1
        }
    }

    private static func attribute(_ name: String, _ values: [Int], rank: Int) throws(OperatorError) -> [Int] {
        if values.isEmpty { return [Int](repeating: 1, count: rank) }
        guard values.count == rank, values.allSatisfy({ $0 > 0 && $0 <= attributeLimit }) else {
            throw OperatorError(
                subject: "attribute \(name)", expected: "\(rank) positive numbers of at most 2^20", found: "\(values)")
        }
        return values
    }

    /// Whether the output is the input seen through one element windows: every window is one element, none is skipped.
    var isPointwise: Bool {
        kernel.allSatisfy { $0 == 1 } && strides.allSatisfy { $0 == 1 } && padBegin.allSatisfy { $0 == 0 }
            && padEnd.allSatisfy { $0 == 0 }
    }

    /// The same window over exactly three axes; axes of extent 1 are put in front.
    var inThreeAxes: SlidingWindow {
        var window = self
        let missing = 3 - input.count
        precondition(missing >= 0)
        func pad(_ values: [Int], _ value: Int) -> [Int] { [Int](repeating: value, count: missing) + values }
        (window.input, window.kernel, window.output) = (pad(input, 1), pad(kernel, 1), pad(output, 1))
        (window.strides, window.dilations) = (pad(strides, 1), pad(dilations, 1))
        (window.padBegin, window.padEnd) = (pad(padBegin, 0), pad(padEnd, 0))
        return window
    }

    /// The outputs along `axis` whose kernel element `k` falls inside the input.
    @inline(__always)
    func validOutputs(axis: Int, k: Int) -> Range<Int> {
        let offset = k * dilations[axis] - padBegin[axis]
        let stride = strides[axis]
        let low = offset >= 0 ? 0 : (-offset + stride - 1) / stride
        let high = min(output[axis], offset >= input[axis] ? 0 : (input[axis] - 1 - offset) / stride + 1)
        return low..<max(low, high)
    }
}

extension Layout {
    func channelAxis(rank: Int) -> Int { self == .channelsFirst ? 1 : rank - 1 }

    func spatialAxes(rank: Int) -> Range<Int> { self == .channelsFirst ? 2..<rank : 1..<(rank - 1) }

    func shape(batch: Int, channels: Int, spatial: [Int]) -> [Int] {
        self == .channelsFirst ? [batch, channels] + spatial : [batch] + spatial + [channels]
    }

    /// The permutation that brings a tensor of this layout to `other`.
    func permutation(to other: Layout, rank: Int) -> [Int] {
        if self == other { return Array(0..<rank) }
        return self == .channelsLast
            ? [0, rank - 1] + Array(1..<(rank - 1)) : [0] + Array(2..<rank) + [1]
    }
}

extension Tensor {
    /// The tensor with axis `permutation[i]` as axis i.
    func transposed(_ permutation: [Int]) -> Tensor {
        if permutation == Array(permutation.indices) { return self }
        let strides = rowMajorStrides(shape)
        return strided(shape: permutation.map { shape[$0] }, strides: permutation.map { strides[$0] })
    }
}
