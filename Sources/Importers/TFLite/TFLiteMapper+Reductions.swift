import Graph

extension TFLiteMapper {
    private func window(_ kind: Pool.Kind) throws(GraphProblem) -> (op: Pool, activation: TFLiteActivation) {
        let options = try options(.pool2D)
        let op = Pool(
            kind: kind, kernel: [try options.positive(4, "filter_height"), try options.positive(3, "filter_width")],
            strides: [try options.positive(2, "stride_h"), try options.positive(1, "stride_w")],
            padding: try options.padding(0), layout: .channelsLast)
        return (op, try options.activation(5))
    }

    func pool(_ kind: Pool.Kind) throws(GraphProblem) {
        let (op, activation) = try window(kind)
        try emit(op, [input(0)], activation)
    }

    /// L2_POOL_2D: the root of the mean square.
    func l2Pool() throws(GraphProblem) {
        let (op, activation) = try window(.average(countIncludesPadding: false))
        let squares = try emit(Unary(.square), [input(0)], "squares")
        let means = try emit(op, [squares], "means")
        try emit(Unary(.sqrt), [means], activation)
    }

    func reduce(_ function: Reduce.Function) throws(GraphProblem) {
        let keepsAxes = try options(.reducer).bool(0, "keep_dims")
        let axes = integers(try integers(1, "axes"), "axes")
        try emit(Reduce(function, keepDims: keepsAxes, noopWithEmptyAxes: true), [input(0), axes])
    }

    func argReduce(isMax: Bool) throws(GraphProblem) {
        let x = try input(0)
        let rank = try shape(x, 0).count
        let axis = try normalized(try integer(1, "axis"), rank: rank, "input 1 (axis)")
        try emit(ArgReduce(isMax: isMax, axis: axis, keepDims: false), [x])
    }

    func cumulativeSum() throws(GraphProblem) {
        let options = try options(.cumsum)
        let op = CumSum(exclusive: try options.bool(0, "exclusive"), reverse: try options.bool(1, "reverse"))
        try emit(op, [input(0), input(1)])
    }

    /// TOPK_V2: values and their indices along the last axis.
    func topK() throws(GraphProblem) {
        let count = integers([try integer(1, "k")], "k")
        let results = try emit(
            TopK(), [input(0), count], "largest", count: 2, quantization: quantization(try input(0)))
        try emit(Identity(), [results[0]])
        if current.outputs.count > 1 {
            let (elementType, _) = try type(of: try output(1))
            try emit(Cast(to: elementType), [results[1]], output: 1)
        }
    }

    /// TFLite_Detection_PostProcess: options in a FlexBuffers map.
    func detectionPostProcess() throws(GraphProblem) {
        let range = current.customOptions ?? 0..<0
        let map: [String: FlexNumber]
        do {
            map = try FlexBuffer(bytes: Array(model.file.bytes[range]), fileOffset: range.lowerBound).numbers()
        } catch {
            throw problem("options", expected: "a FlexBuffers map", found: error.description)
        }
        func real(_ key: String) throws(GraphProblem) -> Float {
            guard let number = map[key], number.real.isFinite else {
                throw problem("option \(key)", expected: "a number", found: map[key].map { "\($0.real)" } ?? "none")
            }
            return Float(number.real)
        }
        func integer(_ key: String, default fallback: Int? = nil) throws(GraphProblem) -> Int {
            let number = map[key]?.integer ?? (map[key] == nil ? fallback : nil)
            guard let number, (0...1 << 30).contains(number) else {
                throw problem(
                    "option \(key)", expected: "an integer of 0…2^30", found: map[key].map { "\($0.real)" } ?? "none")
            }
            return number
        }
        let op = DetectionPostProcess(
            maxDetections: try integer("max_detections"),
            maxClassesPerDetection: try integer("max_classes_per_detection"),
            detectionsPerClass: try integer("detections_per_class", default: 100),
            usesRegularNMS: try integer("use_regular_nms", default: 0) != 0,
            scoreThreshold: try real("nms_score_threshold"), iouThreshold: try real("nms_iou_threshold"),
            classCount: try integer("num_classes"), yScale: try real("y_scale"), xScale: try real("x_scale"),
            hScale: try real("h_scale"), wScale: try real("w_scale"))
        try emitAll(op, allInputs())
    }
}
