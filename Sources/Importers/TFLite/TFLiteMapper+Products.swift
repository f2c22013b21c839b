import Graph

extension TFLiteMapper {
    /// CONV_2D: weights [out, kh, kw, in/groups].
    func convolution() throws(GraphProblem) {
        let options = try options(.conv2D)
        let (x, stored) = (try input(0), try input(1))
        let extents = try shape(stored, 1, rank: 4)
        let channels = try shape(x, 0, rank: 4)[3]
        guard extents[3] > 0, channels % extents[3] == 0 else {
            throw problem(
                "input 1 (weights)", expected: "a last axis that divides the \(channels) channels of input 0",
                found: "shape \(extents)")
        }
        let op = Conv(
            strides: [try options.positive(2, "stride_h"), try options.positive(1, "stride_w")],
            dilations: [
                try options.positive(5, "dilation_h_factor", default: 1),
                try options.positive(4, "dilation_w_factor", default: 1),
            ],
            padding: try options.padding(0), groups: channels / extents[3], layout: .channelsLast)
        let weights = try rearranged(stored, permutation: [0, 3, 1, 2], quantizedAxis: 0)
        try emit(op, [x, weights, bias(x, weights)], try options.activation(3))
    }

    /// DEPTHWISE_CONV_2D: weights [1, kh, kw, channels * multiplier].
    func depthwiseConvolution() throws(GraphProblem) {
        let options = try options(.depthwiseConv2D)
        let (x, stored) = (try input(0), try input(1))
        let extents = try shape(stored, 1, rank: 4)
        let channels = try shape(x, 0, rank: 4)[3]
        guard extents[0] == 1, channels > 0, extents[3] % channels == 0 else {
            throw problem(
                "input 1 (weights)", expected: "[1, kh, kw, a multiple of the \(channels) channels of input 0]",
                found: "shape \(extents)")
        }
        let op = Conv(
            strides: [try options.positive(2, "stride_h"), try options.positive(1, "stride_w")],
            dilations: [
                try options.positive(6, "dilation_h_factor", default: 1),
                try options.positive(5, "dilation_w_factor", default: 1),
            ],
            padding: try options.padding(0), groups: channels, layout: .channelsLast)
        let weights = try rearranged(stored, permutation: [3, 0, 1, 2], quantizedAxis: 0)
        try emit(op, [x, weights, bias(x, weights)], try options.activation(4))
    }

    /// TRANSPOSE_CONV: inputs output shape, weights [out, kh, kw, in], x, bias?. The paddings are those of the
    /// convolution that makes x of the output.
    func transposedConvolution() throws(GraphProblem) {
        let options = try options(.transposeConv)
        let (stored, x) = (try input(1), try input(2))
        let (kernel, source) = (try shape(stored, 1, rank: 4), try shape(x, 2, rank: 4))
        let target = try integers(0, "output shape")
        guard target.count == 4, target.allSatisfy({ $0 > 0 }), target[0] == source[0], target[3] == kernel[0] else {
            throw problem(
                "input 0 (output shape)", expected: "[\(source[0]), height, width, \(kernel[0])]", found: "\(target)")
        }
        let strides = [try options.positive(2, "stride_h"), try options.positive(1, "stride_w")]
        let padding = try options.padding(0)
        var pads = [Int](repeating: 0, count: 4)
        var outputPadding = [0, 0]
        for axis in 0..<2 {
            let excess = (source[1 + axis] - 1) * strides[axis] + kernel[1 + axis] - target[1 + axis]
            pads[axis] = padding == .sameUpper ? max(excess, 0) / 2 : 0
            pads[2 + axis] = max(excess, 0) - pads[axis]
            outputPadding[axis] = max(-excess, 0)
        }
        let op = ConvTranspose(
            strides: strides, padding: .explicit(pads), outputPadding: outputPadding, layout: .channelsLast)
        let weights = try rearranged(stored, permutation: [3, 0, 1, 2], quantizedAxis: 1)
        try emit(op, [x, weights, bias(x, weights, position: 3)], try options.activation(3))
    }

    /// FULLY_CONNECTED: weights [out, in]; the input is seen as rows of `in`.
    func fullyConnected() throws(GraphProblem) {
        let options = try options(.fullyConnected)
        let format = try options.byte(1, "weights_format")
        guard format == 0 else {
            throw problem("option weights_format", expected: "DEFAULT (0)", found: "\(format)")
        }
        let (x, weights) = (try input(0), try input(1))
        let extents = try shape(weights, 1, rank: 2)
        let source = try shape(x, 0)
        let count = source.reduce(1, *)
        guard extents[1] > 0, count % extents[1] == 0 else {
            throw problem(
                "input 0", expected: "a multiple of \(extents[1]) elements, the second axis of the weights",
                found: "shape \(source)")
        }
        let keepsAxes = try options.bool(2, "keep_num_dims") && source.last == extents[1]
        let rows = [count / extents[1], extents[1]]
        let matrix =
            source == rows
            ? x
            : try emit(
                Reshape(allowZero: true), [x, integers(rows, "rows")], "rows", quantization: quantization(x))
        let biasID = try bias(x, weights)
        let activation = try options.activation(0)
        let result = source.dropLast() + [extents[0]]
        guard keepsAxes, result.count != 2 else {
            return try emit(Gemm(transB: true), [matrix, weights, biasID], activation)
        }
        let product = try emit(Gemm(transB: true), [matrix, weights, biasID], "product")
        try emit(Reshape(allowZero: true), [product, integers(Array(result), "shape")], activation)
    }

    /// The bias of a product; of integers without a scale of their own, the scale is that of x times those of the
    /// weights.
    private func bias(
        _ x: ValueID, _ weights: ValueID, position: Int = 2
    ) throws(GraphProblem) -> ValueID? {
        var scales: [Float]?
        if let input = quantization(x), let weight = quantization(weights) {
            scales = weight.scales.map { $0 * input.scales[0] }
        }
        return try bias(position, defaultScales: scales)
    }

    /// BATCH_MATMUL: NumPy's product, either operand with its last axes swapped.
    func batchMatMul() throws(GraphProblem) {
        let options = try options(.batchMatMul)
        var operands: [ValueID] = []
        for (position, name) in ["adj_x", "adj_y"].enumerated() {
            let id = try input(position)
            guard try options.bool(position, name) else {
                operands.append(id)
                continue
            }
            let rank = try shape(id, position).count
            guard rank >= 2 else {
                throw problem("input \(position)", expected: "at least 2 axes", found: "\(rank)")
            }
            var permutation = Array(0..<rank)
            permutation.swapAt(rank - 2, rank - 1)
            operands.append(try rearranged(id, permutation: permutation, quantizedAxis: rank - 1))
        }
        try emit(MatMul(), operands)
    }

    /// The output of `op` through `activation`. Between the two the values are as exact as reals: no quantization.
    func emit(_ op: any Operator, _ inputs: [ValueID?], _ activation: TFLiteActivation) throws(GraphProblem) {
        if activation == .none { return try emit(op, inputs) }
        try activate(try emit(op, inputs, "pre_activation"), activation)
    }
}
