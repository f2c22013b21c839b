import Engine
import Graph
import NestFormat

extension Lowering {
    // MARK: Pools

    func lowerPool(_ node: Node, _ op: Pool) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let (inShape, outShape) = (graph.extents(x), graph.extents(y))
        guard inShape.count == 4 || inShape.count == 3, inShape[0] == 1 else {
            return problem(
                node, "input 0", "one picture: [1, height, width, channels] after conversion", "shape \(inShape)",
                "Use --input-shape to set the batch to 1.")
        }
        guard node.outputs.count < 2 || node.outputs[1] == nil else {
            return problem(node, "output 1 (indices)", "not asked for", "used", "Remove the use of MaxPool's indices.")
        }
        let isMax: Bool
        var countsPadding = false
        switch op.kind {
        case .max: isMax = true
        case .average(let counts): (isMax, countsPadding) = (false, counts)
        case .lp(let p):
            return problem(node, "LpPool", "MaxPool or AveragePool", "p = \(p)", "Replace it with a convolution.")
        }
        let spatial = Array(inShape[1..<inShape.count - 1])
        let pads = resolvePadding(
            op.padding, extents: spatial, kernel: op.kernel, strides: op.strides, dilations: op.dilations)
        func pair(_ values: [Int], _ missing: Int) -> (Int, Int) {
            values.isEmpty ? (missing, missing) : values.count == 1 ? (missing, values[0]) : (values[0], values[1])
        }
        let (kernel, strides, dilations) = (pair(op.kernel, 1), pair(op.strides, 1), pair(op.dilations, 1))
        let begins = pair(Array(pads.prefix(spatial.count)), 0)
        let window = Window(
            kernelHeight: kernel.0, kernelWidth: kernel.1, strideY: strides.0, strideX: strides.1,
            dilationY: dilations.0, dilationX: dilations.1, padTop: begins.0, padLeft: begins.1)
        func map(_ location: Location, _ shape: [Int]) -> FeatureMap {
            let isPlane = shape.count == 4
            return FeatureMap(
                offset: absolute(location), height: isPlane ? shape[1] : 1, width: isPlane ? shape[2] : shape[1],
                channels: location.channels, pixelStride: location.pixels <= 1 ? location.channels : location.pixelStride)
        }
        if let input = Int8Parameters(graph[x].quantization), let output = Int8Parameters(graph[y].quantization),
            storedType(x) == .int8
        {
            let source = location(of: x)
            let target = destination(y)
            guard isMax, input != output else {
                // Stored integers of a uint8 tensor are 128 greater and never negative, so halves go up.
                let averagesStored =
                    graph.integerRounding == .tfLite && !isMax && !countsPadding && input == output
                let isUnsigned = graph[x].quantization?.elementType == .uint8
                return emit(
                    .pooling(
                        Pooling(
                            isMax: isMax, type: .int8, input: map(source, inShape), output: map(target, outShape),
                            window: window, countsPadding: countsPadding, inputZeroPoint: input.zeroPoint,
                            outputZeroPoint: output.zeroPoint,
                            multiplier: input == output ? 1 : input.scale * (1 / output.scale),
                            rounding: !averagesStored ? .nearestEven : isUnsigned ? .halfUp : .halfAwayFromZero)),
                    reads: [source], writes: [target])
            }
            let pooled = newLocation(type: .int8, shape: outShape)
            emit(
                .pooling(
                    Pooling(
                        isMax: true, type: .int8, input: map(source, inShape), output: map(pooled, outShape),
                        window: window, inputZeroPoint: input.zeroPoint, outputZeroPoint: input.zeroPoint)),
                reads: [source], writes: [pooled])
            return emitTable(input.codebook.map(output.code), from: pooled, to: target)
        }
        noteFloat(node, graph[x].quantization == nil ? "its input is float" : "its output is float")
        let source = real(x)
        writingReal(y, dense: false) { target in
            emit(
                .pooling(
                    Pooling(
                        isMax: isMax, type: .float32, input: map(source, inShape), output: map(target, outShape),
                        window: window, countsPadding: countsPadding)),
                reads: [source], writes: [target])
        }
    }

    func lowerGlobalPool(_ node: Node, _ op: GlobalPool) {
        let shape = graph.extents(node.inputs[0]!)
        emitReduction(
            node, op.kind == .average ? .mean : .max, outer: shape[0], reduced: shape[1..<shape.count - 1].reduce(1, *),
            inner: shape[shape.count - 1])
    }

    // MARK: Reductions

    func lowerReduce(_ node: Node, _ op: Reduce) {
        let x = node.inputs[0]!
        let shape = graph.extents(x)
        let listed = node.inputs.count > 1 ? graph.integerConstant(node.inputs[1]) : nil
        let axes = Set((listed ?? Array(shape.indices)).map { $0 < 0 ? $0 + shape.count : $0 })
        let function: Reduction.Function
        switch op.function {
        case .mean: function = .mean
        case .sum: function = .sum
        case .max: function = .max
        case .min: function = .min
        case .prod: function = .prod
        case .l1: function = .l1
        case .l2: function = .l2
        case .sumSquare: function = .sumSquare
        case .logSum, .logSumExp:
            return problem(
                node, "operator \(op.name)", "mean, sum, max, min, prod, L1, L2 or sum of squares", op.name,
                "Write it with Log, Exp and ReduceSum.")
        }
        let solid = shape.indices.filter { axes.contains($0) && shape[$0] != 1 }
        guard let first = solid.first, let last = solid.last else {
            let trivial = axes.first ?? 0
            return emitReduction(
                node, function, outer: shape[..<trivial].reduce(1, *), reduced: 1, inner: shape[trivial...].reduce(1, *))
        }
        let isRun = (first...last).allSatisfy { axes.contains($0) || shape[$0] == 1 }
        if isRun {
            return emitReduction(
                node, function, outer: shape[..<first].reduce(1, *), reduced: shape[first...last].reduce(1, *),
                inner: shape[(last + 1)...].reduce(1, *))
        }
        // Bring the reduced axes to the end first.
        let order = shape.indices.filter { !axes.contains($0) } + shape.indices.filter { axes.contains($0) }
        let source = location(of: x)
        let moved = newLocation(type: source.type, shape: order.map { shape[$0] })
        emitCopy(
            extents: moved.shape, bytes: source.type.byteCount, source: source,
            sourceStrides: order.map { source.strides[$0] }, target: moved, targetStrides: moved.strides)
        let reduced = axes.map { shape[$0] }.reduce(1, *)
        emitReduction(node, function, outer: moved.count / reduced, reduced: reduced, inner: 1, input: moved)
    }

    private func emitReduction(
        _ node: Node, _ function: Reduction.Function, outer: Int, reduced: Int, inner: Int, input given: Location? = nil
    ) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let share = function == .mean ? 1 / Float(reduced) : 1
        if storedType(x) == .int8, let input = Int8Parameters(graph[x].quantization),
            let output = Int8Parameters(graph[y].quantization), [.mean, .sum, .max, .min].contains(function)
        {
            let source = dense(given ?? location(of: x))
            let keepsCodes = function == .max || function == .min
            let multiplier = Float(Double(input.scale) * Double(share) / Double(output.scale))
            let needsTable = keepsCodes && input != output
            writingDense(y) { target in
                let direct = needsTable ? newLocation(type: .int8, shape: target.shape) : target
                emit(
                    .reduction(
                        Reduction(
                            function: function, type: .int8, outer: outer, reduced: reduced, inner: inner,
                            inputOffset: absolute(source), outputOffset: absolute(direct),
                            inputZeroPoint: input.zeroPoint,
                            outputZeroPoint: needsTable ? input.zeroPoint : output.zeroPoint,
                            multiplier: keepsCodes ? 1 : multiplier)),
                    reads: [source], writes: [direct])
                if needsTable { emitTable(input.codebook.map(output.code), from: direct, to: target) }
            }
            return
        }
        guard graph[x].elementType.isFloatingPoint else {
            return problem(node, "input 0", "float32 or 8-bit quantization", "\(graph[x].elementType)")
        }
        noteFloat(node, graph[x].quantization == nil ? "its input is float" : "its function or output is float")
        let source: Location
        if let given {
            if given.type == .float32 {
                source = given
            } else {
                source = newLocation(type: .float32, shape: given.shape)
                emitTable(Int8Parameters(graph[x].quantization)!.codebook, from: given, to: source)
            }
        } else {
            source = dense(real(x))
        }
        writingReal(y) { target in
            emit(
                .reduction(
                    Reduction(
                        function: function, type: .float32, outer: outer, reduced: reduced, inner: inner,
                        inputOffset: absolute(source), outputOffset: absolute(target), multiplier: share)),
                reads: [source], writes: [target])
        }
    }

    func lowerArgReduce(_ node: Node, _ op: ArgReduce) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let shape = graph.extents(x)
        guard !op.selectLastIndex else {
            return problem(
                node, "attribute select_last_index", "0: the first of equal elements wins", "1",
                "Export it with select_last_index = 0.")
        }
        let axis = op.axis < 0 ? op.axis + shape.count : op.axis
        let source = dense(location(of: x))
        writingDense(y) { target in
            emit(
                .argReduction(
                    ArgReduction(
                        isMax: op.isMax, type: source.type, outer: shape[..<axis].reduce(1, *), reduced: shape[axis],
                        inner: shape[(axis + 1)...].reduce(1, *), inputOffset: absolute(source),
                        outputOffset: absolute(target))),
                reads: [source], writes: [target])
        }
    }

    func lowerSoftmax(_ node: Node, _ op: Softmax) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let shape = graph.extents(x)
        let axis = op.axis < 0 ? op.axis + shape.count : op.axis
        let (outer, inner) = (shape[..<axis].reduce(1, *), shape[(axis + 1)...].reduce(1, *))
        if !op.isLog, storedType(x) == .int8, let input = Int8Parameters(graph[x].quantization),
            let output = Int8Parameters(graph[y].quantization)
        {
            let source = dense(location(of: x))
            let table = (0..<256).map { Float(DoubleMath.exp(-Double($0) * Double(input.scale))) }
            let tableOffset = weights.append(table)
            return writingDense(y) { target in
                emit(
                    .softmax(
                        SoftmaxOperation(
                            type: .int8, outer: outer, reduced: shape[axis], inner: inner, inputOffset: absolute(source),
                            outputOffset: absolute(target), tableOffset: tableOffset, inverseScale: 1 / output.scale,
                            outputZeroPoint: output.zeroPoint)),
                    reads: [source], writes: [target])
            }
        }
        noteFloat(node, graph[x].quantization == nil ? "its input is float" : "its output is float")
        let source = dense(real(x))
        writingReal(y) { target in
            emit(
                .softmax(
                    SoftmaxOperation(
                        type: .float32, isLog: op.isLog, outer: outer, reduced: shape[axis], inner: inner,
                        inputOffset: absolute(source), outputOffset: absolute(target))),
                reads: [source], writes: [target])
        }
    }

    // MARK: Resize

    func lowerResize(_ node: Node, _ op: Resize) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let (inShape, outShape) = (graph.extents(x), graph.extents(y))
        let rank = inShape.count
        guard rank == 4 || rank == 3, inShape[0] == 1, inShape[0] == outShape[0], inShape[rank - 1] == outShape[rank - 1] else {
            return problem(
                node, "resized axes", "rows and columns of one picture", "\(inShape) to \(outShape)",
                "Resize only the spatial axes.")
        }
        let isNearest: Bool
        switch op.mode {
        case .nearest: isNearest = true
        case .linear where !op.antialias: isNearest = false
        default:
            return problem(
                node, "mode", "nearest or linear without antialias", "\(op.mode)\(op.antialias ? ", antialias" : "")",
                "Export the resize as nearest or linear.")
        }
        let spatial = Array(1..<rank - 1)
        let given = node.inputs.count > 2 ? graph.realConstant(node.inputs[2]) : nil
        let axes = (op.axes ?? Array(0..<rank)).map { $0 < 0 ? $0 + rank : $0 }
        func scale(_ axis: Int) -> Double {
            if let given, !given.isEmpty, let place = axes.firstIndex(of: axis) { return Double(given[place]) }
            return Double(outShape[axis]) / Double(inShape[axis])
        }
        func source(_ index: Int, _ axis: Int) -> Double? {
            let (x, s) = (Double(index), scale(axis))
            let (input, output) = (Double(inShape[axis]), Double(outShape[axis]))
            switch op.coordinates {
            case .halfPixel: return (x + 0.5) / s - 0.5
            case .asymmetric: return x / s
            case .alignCorners: return output == 1 ? 0 : x * (input - 1) / (output - 1)
            case .pytorchHalfPixel: return output > 1 ? (x + 0.5) / s - 0.5 : 0
            case .tfHalfPixelForNN: return (x + 0.5) / s
            case .halfPixelSymmetric:
                let adjustment = output / (s * input)
                return input / 2 * (1 - adjustment) + (x + 0.5) / s - 0.5
            case .tfCropAndResize: return nil
            }
        }
        let parametersX = Int8Parameters(graph[x].quantization)
        let isFixedPoint =
            graph.integerRounding == .tfLite && !isNearest && storedType(x) == .int8 && parametersX != nil
            && parametersX == Int8Parameters(graph[y].quantization)
        var words: [Int32] = []
        for axis in rank == 4 ? spatial : [-1] + spatial {
            guard axis >= 0 else {
                words += isNearest ? [0] : [0, 0, 0]
                continue
            }
            let last = inShape[axis] - 1
            var (low, high, weight): ([Int32], [Int32], [Int32]) = ([], [], [])
            for index in 0..<outShape[axis] {
                guard let place = source(index, axis) else {
                    return problem(
                        node, "attribute coordinate_transformation_mode", "any but tf_crop_and_resize",
                        "tf_crop_and_resize", "Use Slice and Resize.")
                }
                if isNearest {
                    let chosen: Double =
                        switch op.nearestRounding {
                        case .floor: place.rounded(.down)
                        case .ceil: place.rounded(.up)
                        case .roundPreferFloor: (place - 0.5).rounded(.up)
                        case .roundPreferCeil: (place + 0.5).rounded(.down)
                        }
                    low.append(Int32(max(0, min(Double(last), chosen))))
                } else {
                    let clipped = max(0, min(Double(last), place))
                    let floor = clipped.rounded(.down)
                    low.append(Int32(floor))
                    high.append(Int32(min(Double(last), floor + 1)))
                    let share = clipped - floor
                    weight.append(
                        isFixedPoint
                            ? Int32((share * 2048).rounded(.toNearestOrEven))
                            : Int32(bitPattern: Float(share).bitPattern))
                }
            }
            words += low + high + weight
        }
        let tableOffset = weights.append(words)
        if storedType(x) == .int8, let input = parametersX, let output = Int8Parameters(graph[y].quantization) {
            let place = location(of: x)
            let target = destination(y)
            let needsTable = isNearest && input != output
            let direct = needsTable ? newLocation(type: .int8, shape: outShape) : target
            emit(
                .resize(
                    ResizeOperation(
                        isNearest: isNearest, type: .int8, input: plane(place), output: plane(direct),
                        tableOffset: tableOffset, inputZeroPoint: input.zeroPoint,
                        outputZeroPoint: needsTable ? input.zeroPoint : output.zeroPoint,
                        multiplier: isNearest || input == output ? 1 : input.scale * (1 / output.scale),
                        fixedPoint: isFixedPoint)),
                reads: [place], writes: [direct])
            if needsTable { emitTable(input.codebook.map(output.code), from: direct, to: target) }
            return
        }
        noteFloat(node, parametersX == nil ? "its input is float" : "its output is float")
        let place = real(x)
        writingReal(y, dense: false) { target in
            emit(
                .resize(
                    ResizeOperation(
                        isNearest: isNearest, type: .float32, input: plane(place), output: plane(target),
                        tableOffset: tableOffset)),
                reads: [place], writes: [target])
        }
    }

    /// Rows, columns, channels of a picture of rank 3 or 4.
    private func plane(_ location: Location) -> FeatureMap {
        let shape = location.shape
        let isPlane = shape.count == 4
        return FeatureMap(
            offset: absolute(location), height: isPlane ? shape[1] : 1, width: isPlane ? shape[2] : shape[1],
            channels: location.channels, pixelStride: location.pixels <= 1 ? location.channels : location.pixelStride)
    }

    // MARK: Detections

    func lowerDetection(_ node: Node, _ op: DetectionPostProcess) {
        let (encodings, scores, anchors) = (node.inputs[0]!, node.inputs[1]!, node.inputs[2]!)
        let anchorShape = graph.extents(anchors)
        guard let values = graph.realConstant(anchors) else {
            return problem(node, "input 2 (anchors)", "a constant", "a value computed at run time")
        }
        let labels = graph.extents(scores).last ?? 0
        let (boxes, classScores) = (dense(real(encodings)), dense(real(scores)))
        let outputs = node.outputs.map { id in
            id.map { destination($0) } ?? newLocation(type: .float32, shape: [op.maxDetections * 4])
        }
        let scratch = newLocation(
            type: .int8,
            shape: [DetectionOperation.scratchByteCount(anchorCount: anchorShape[0], classCount: op.classCount)])
        emit(
            .detection(
                DetectionOperation(
                    anchorCount: anchorShape[0], classCount: op.classCount, labelOffset: labels - op.classCount,
                    maxDetections: op.maxDetections, maxClassesPerDetection: op.maxClassesPerDetection,
                    detectionsPerClass: op.detectionsPerClass, usesRegularNMS: op.usesRegularNMS,
                    scoreThreshold: op.scoreThreshold, iouThreshold: op.iouThreshold, yScale: op.yScale,
                    xScale: op.xScale, hScale: op.hScale, wScale: op.wScale, encodingsOffset: absolute(boxes),
                    scoresOffset: absolute(classScores), anchorsOffset: weights.append(values),
                    boxesOffset: absolute(outputs[0]), classesOffset: absolute(outputs[1]),
                    detectionScoresOffset: absolute(outputs[2]), countOffset: absolute(outputs[3]),
                    scratchOffset: absolute(scratch))),
            reads: [boxes, classScores], writes: outputs + [scratch])
    }
}
