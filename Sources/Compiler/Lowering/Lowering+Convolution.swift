import Engine
import Graph
import Kernels
import NestFormat

/// A convolution, transposed convolution or matrix product with constant weights, seen as a convolution.
struct ConvolutionSource {
    var input: ValueID
    var weights: ValueID
    var bias: ValueID?
    var output: ValueID
    var geometry: ConvolutionGeometry
    /// Axis of the source's weights along which output channels lie.
    var weightAxis: Int
    var weightFactor: Float
    var biasFactor: Float
    /// Index in the source's weights of output channel, tap, input channel of its group.
    var weightIndex: (_ channel: Int, _ tap: Int, _ input: Int) -> Int

    var window: Window {
        Window(
            kernelHeight: geometry.kernelHeight, kernelWidth: geometry.kernelWidth, strideY: geometry.strideY,
            strideX: geometry.strideX, dilationY: geometry.dilationY, dilationX: geometry.dilationX,
            padTop: geometry.padTop, padLeft: geometry.padLeft)
    }

    /// Elements reordered to output channel, tap, input channel.
    func arranged<T>(_ stored: [T]) -> [T] {
        let taps = geometry.kernelHeight * geometry.kernelWidth
        var result: [T] = []
        result.reserveCapacity(stored.count)
        for channel in 0..<geometry.outputChannels {
            for tap in 0..<taps {
                for input in 0..<geometry.inputChannelsPerGroup { result.append(stored[weightIndex(channel, tap, input)]) }
            }
        }
        return result
    }
}

extension Lowering {
    func lowerConvolution(_ node: Node, at position: Int) {
        guard node.inputs[1].flatMap({ graph[$0].constant }) != nil else {
            if node.op is MatMul || node.op is Gemm { return lowerMatrixProduct(node) }
            return problem(
                node, "input 1 (weights)", "a constant", "a value computed at run time",
                "Export the model with its weights as initializers.")
        }
        guard let source = convolutionSource(node) else { return }
        if let tail = integerTail(source, at: position) {
            emitInteger(node, source, tail)
            // One that was refused has a place, too, for its readers: all problems are collected.
            if locations[tail.final] == nil { _ = destination(tail.final) }
        } else {
            emitFloat(node, source, at: position)
        }
    }

    // MARK: Geometry

    private func convolutionSource(_ node: Node) -> ConvolutionSource? {
        let (x, w, y) = (node.inputs[0]!, node.inputs[1]!, node.outputs[0]!)
        let bias = node.inputs.count > 2 ? node.inputs[2] : nil
        let (inShape, outShape) = (graph.extents(x), graph.extents(y))
        let weightShape = graph[w].constant!.shape
        switch node.op {
        case let op as Conv:
            guard let (input, output) = planes(node, inShape, outShape) else { return nil }
            let kernel = spatial(Array(weightShape[2...]))
            let begins = spatialPad(op.explicitPadding(input: inShape, weights: weightShape) ?? [], rank: inShape.count)
            let (inner, taps) = (weightShape[1], kernel.0 * kernel.1)
            let geometry = ConvolutionGeometry(
                inputHeight: input.0, inputWidth: input.1, outputHeight: output.0, outputWidth: output.1,
                groups: op.groups, inputChannelsPerGroup: inner, outputChannelsPerGroup: weightShape[0] / op.groups,
                kernelHeight: kernel.0, kernelWidth: kernel.1, strideY: spatial(op.strides).0,
                strideX: spatial(op.strides).1, dilationY: spatial(op.dilations).0, dilationX: spatial(op.dilations).1,
                padTop: begins.0, padLeft: begins.1)
            return ConvolutionSource(
                input: x, weights: w, bias: bias, output: y, geometry: geometry, weightAxis: 0, weightFactor: 1,
                biasFactor: 1, weightIndex: { channel, tap, input in (channel * inner + input) * taps + tap })
        case let op as ConvTranspose:
            guard let (input, output) = planes(node, inShape, outShape) else { return nil }
            let kernel = spatial(Array(weightShape[2...]))
            let (strides, dilations) = (spatial(op.strides), spatial(op.dilations))
            func begin(_ axis: Int, _ size: Int, _ extent: Int, _ k: Int, _ stride: Int, _ dilation: Int) -> Int {
                if case .explicit(let pads) = op.padding, op.outputShape == nil { return pads[axis] }
                if case .valid = op.padding, op.outputShape == nil { return 0 }
                let outputPadding = op.outputPadding.isEmpty ? 0 : op.outputPadding[axis]
                let total = max(0, (size - 1) * stride + outputPadding + (k - 1) * dilation + 1 - extent)
                if case .sameLower = op.padding { return total - total / 2 }
                return total / 2
            }
            let isPlane = inShape.count == 4
            let geometry = ConvolutionGeometry(
                inputHeight: input.0, inputWidth: input.1, outputHeight: output.0, outputWidth: output.1,
                groups: op.groups, inputChannelsPerGroup: weightShape[0] / op.groups,
                outputChannelsPerGroup: weightShape[1], kernelHeight: kernel.0, kernelWidth: kernel.1,
                strideY: strides.0, strideX: strides.1, dilationY: dilations.0, dilationX: dilations.1,
                padTop: isPlane ? begin(0, input.0, output.0, kernel.0, strides.0, dilations.0) : 0,
                padLeft: begin(isPlane ? 1 : 0, input.1, output.1, kernel.1, strides.1, dilations.1),
                isTransposed: true)
            let (perGroup, outPerGroup, taps) = (weightShape[0] / op.groups, weightShape[1], kernel.0 * kernel.1)
            return ConvolutionSource(
                input: x, weights: w, bias: bias, output: y, geometry: geometry, weightAxis: 1, weightFactor: 1,
                biasFactor: 1,
                weightIndex: { channel, tap, input in
                    ((channel / outPerGroup * perGroup + input) * outPerGroup + channel % outPerGroup) * taps + tap
                })
        default:
            let gemm = node.op as? Gemm
            guard weightShape.count == 2, gemm?.transA != true, !inShape.isEmpty else {
                problem(
                    node, "matrix product", "A [m, k] times constant B [k, n]",
                    "A \(inShape)\(gemm?.transA == true ? " transposed" : ""), B \(weightShape)",
                    "Export the product as a fully connected layer.")
                return nil
            }
            let isTransposed = gemm?.transB ?? false
            let (k, n) = isTransposed ? (weightShape[1], weightShape[0]) : (weightShape[0], weightShape[1])
            let rows = inShape.dropLast().reduce(1, *)
            let geometry = ConvolutionGeometry(
                inputHeight: 1, inputWidth: rows, outputHeight: 1, outputWidth: rows, inputChannelsPerGroup: k,
                outputChannelsPerGroup: n)
            return ConvolutionSource(
                input: x, weights: w, bias: bias, output: y, geometry: geometry, weightAxis: isTransposed ? 0 : 1,
                weightFactor: gemm?.alpha ?? 1, biasFactor: gemm?.beta ?? 1,
                weightIndex: { channel, _, input in isTransposed ? channel * k + input : input * n + channel })
        }
    }

    /// Height and width of the input and output of a spatial operator; one-dimensional ones have height 1.
    private func planes(_ node: Node, _ input: [Int], _ output: [Int]) -> ((Int, Int), (Int, Int))? {
        guard input.count == 3 || input.count == 4, input[0] == 1 else {
            problem(
                node, "input 0", "one picture: [1, height, width, channels] after conversion", "shape \(input)",
                "Use --input-shape to set the batch to 1.")
            return nil
        }
        return (spatial(Array(input[1..<input.count - 1])), spatial(Array(output[1..<output.count - 1])))
    }

    /// Two spatial numbers; a missing one is 1.
    private func spatial(_ values: [Int]) -> (Int, Int) {
        switch values.count {
        case 0: (1, 1)
        case 1: (1, values[0])
        default: (values[0], values[1])
        }
    }

    private func spatialPad(_ pads: [Int], rank: Int) -> (Int, Int) {
        rank == 4 ? (pads[0], pads[1]) : (0, pads.first ?? 0)
    }

    private func featureMap(_ location: Location, height: Int, width: Int) -> FeatureMap {
        FeatureMap(
            offset: absolute(location), height: height, width: width, channels: location.channels,
            pixelStride: location.pixels <= 1 ? location.channels : location.pixelStride)
    }

    // MARK: What follows the accumulator

    private struct IntegerTail {
        var parameters: Int8Parameters
        var clampMin: Int8 = -128
        var clampMax: Int8 = 127
        var table: [Int8]?
        /// Quantization after the table.
        var tableParameters: Int8Parameters?
        var add: Add?
        var final: ValueID

        struct Add {
            var residual: ValueID
            /// Whether the residual is the first operand in the source.
            var isResidualFirst: Bool
            var parameters: Int8Parameters
            var clampMin: Int8
            var clampMax: Int8
        }
    }

    /// The integer form of the convolution and of the nodes fused behind it; nil when something has no integers.
    private func integerTail(_ source: ConvolutionSource, at position: Int) -> IntegerTail? {
        guard Int8Parameters(graph[source.input].quantization) != nil, storedType(source.input) == .int8,
            let weights = graph[source.weights].quantization, [.int8, .uint8].contains(weights.elementType),
            weights.axis == nil || weights.axis == source.weightAxis, source.weightFactor == 1, source.biasFactor == 1
        else { return nil }
        let reader = index.soleConsumer(of: source.output)
        var tail: IntegerTail
        if let parameters = Int8Parameters(graph[source.output].quantization) {
            tail = IntegerTail(parameters: parameters, final: source.output)
        } else if let reader, let range = clampRange(graph.nodes[reader]), let output = graph.nodes[reader].outputs[0],
            let parameters = Int8Parameters(graph[output].quantization)
        {
            tail = IntegerTail(
                parameters: parameters, clampMin: parameters.code(range.lowerBound),
                clampMax: parameters.code(range.upperBound), final: output)
            skipped.insert(reader)
        } else {
            return nil
        }
        if let next = index.soleConsumer(of: tail.final), let output = graph.nodes[next].outputs[0],
            let parameters = Int8Parameters(graph[output].quantization), let range = clampRange(graph.nodes[next]),
            parameters == tail.parameters
        {
            tail.clampMin = max(tail.clampMin, parameters.code(range.lowerBound))
            tail.clampMax = min(tail.clampMax, parameters.code(range.upperBound))
            tail.final = output
            skipped.insert(next)
        }
        fuseProductWithOwnFunction(&tail)
        fuseTables(&tail)
        fuseAdd(&tail)
        return tail
    }

    /// Functions of the value, one behind the other: one table.
    private func fuseTables(_ tail: inout IntegerTail) {
        while let next = index.soleConsumer(of: tail.final), let output = graph.nodes[next].outputs[0],
            let parameters = Int8Parameters(graph[output].quantization), let values = tableValues(graph.nodes[next])?.values
        {
            let codes = tableCodes(graph.nodes[next], values, parameters)
            tail.table = tail.table?.map { codes[Int($0) + 128] } ?? codes
            tail.tableParameters = parameters
            tail.final = output
            skipped.insert(next)
        }
    }

    /// A table that all readers of the convolution together are: x · f(x).
    private func fuseProductWithOwnFunction(_ tail: inout IntegerTail) {
        guard !index.outputs.contains(tail.final), let readers = index.consumers[tail.final],
            readers.count == 2
        else { return }
        for reader in readers {
            guard let (variable, codes, function) = codesOfProductWithOwnFunction(graph.nodes[reader]),
                variable == tail.final, Set(readers) == [reader, function], let output = graph.nodes[reader].outputs[0]
            else { continue }
            tail.table = codes
            tail.tableParameters = Int8Parameters(graph[output].quantization)
            tail.final = output
            skipped.formUnion([reader, function])
            return
        }
    }

    private func fuseAdd(_ tail: inout IntegerTail) {
        guard let next = index.soleConsumer(of: tail.final), let add = graph.nodes[next].op as? Binary, add.function == .add,
            let a = graph.nodes[next].inputs[0], let b = graph.nodes[next].inputs[1], a != b,
            let sum = graph.nodes[next].outputs[0]
        else { return }
        let residual = a == tail.final ? b : a
        guard locations[residual] != nil, graph.extents(residual) == graph.extents(tail.final),
            Int8Parameters(graph[residual].quantization) != nil, storedType(residual) == .int8
        else { return }
        if let parameters = Int8Parameters(graph[sum].quantization) {
            tail.add = .init(
                residual: residual, isResidualFirst: residual == a, parameters: parameters, clampMin: -128, clampMax: 127)
            tail.final = sum
            skipped.insert(next)
        } else if let reader = index.soleConsumer(of: sum), let range = clampRange(graph.nodes[reader]),
            let output = graph.nodes[reader].outputs[0], let parameters = Int8Parameters(graph[output].quantization)
        {
            tail.add = .init(
                residual: residual, isResidualFirst: residual == a, parameters: parameters,
                clampMin: parameters.code(range.lowerBound), clampMax: parameters.code(range.upperBound))
            tail.final = output
            skipped.formUnion([next, reader])
        }
    }

    // MARK: Integer

    private func emitInteger(_ node: Node, _ source: ConvolutionSource, _ tail: IntegerTail) {
        let g = source.geometry
        let input = Int8Parameters(graph[source.input].quantization)!
        let quantization = graph[source.weights].quantization!
        let stored = source.arranged(graph[source.weights].constant!.asInts)
        let perChannel = stored.count / max(1, g.outputChannels)
        func of<T>(_ values: [T], _ channel: Int) -> T {
            values.count == 1 ? values[0] : values[g.isTransposed && values.count == g.outputChannelsPerGroup ? channel % g.outputChannelsPerGroup : channel]
        }
        let wide = stored.indices.map { stored[$0] - Int(of(quantization.zeroPoints, $0 / perChannel)) }
        let scales = (0..<g.outputChannels).map { Double(input.scale) * Double(of(quantization.scales, $0)) }
        guard let bias = integerBias(node, source, scales) else { return }

        var weightOffset = 0
        var packed: [Int8]
        let (lowest, highest) = (wide.min() ?? 0, wide.max() ?? 0)
        if lowest >= -128 && highest <= 127 {
            packed = wide.map { Int8($0) }
        } else if highest - lowest <= 255 {
            // Down to -127 where that is enough: some kernels are faster without -128. The smallest offset that does.
            weightOffset = max(highest - 127, min(lowest + (highest - lowest == 255 ? 128 : 127), 0))
            packed = wide.map { Int8($0 - weightOffset) }
        } else {
            return problem(
                node, "weights", "at most 255 steps between the least and the greatest, each counted from its zero point",
                "\(lowest) … \(highest)", "Quantize the model with signed weights, which is more exact as well.")
        }
        let folded = Packing.foldedBias(
            g, bias: bias, weights: packed, weightOffset: Int32(weightOffset),
            inputZeroPoint: input.zeroPoint)
        // The quotient as LiteRT and ONNX Runtime round it, step by step in float32.
        let requantization = (0..<g.outputChannels).map {
            input.scale * of(quantization.scales, $0) / tail.parameters.scale
        }
        guard requantization.allSatisfy({ $0.isNormal }) else {
            return problem(
                node, "scales", "input scale × weight scale ÷ output scale to be a normal number",
                "\(requantization.first { !$0.isNormal }!)", "Check the model's quantization parameters.")
        }
        let sparse = sparseForm(g, packed, weightOffset: weightOffset, name: nodeName(tail.final) ?? node.name)
        parameterBytes += (sparse?.byteCount ?? stored.count) + 4 * g.outputChannels
        let weightsOffset = sparse == nil ? weights.append(Packing.packWeights(g, packed).bytes) : 0
        let biasOffset = weights.append(Packing.packPerChannel(g, folded, padding: 0))
        let scalesOffset = weights.append(Packing.packPerChannel(g, requantization, padding: 1))
        let tableOffset = tail.table.map { weights.append($0) }

        let x = location(of: source.input)
        let y = destination(tail.final)
        var add: FusedAdd?
        var reads = [x]
        if let fused = tail.add {
            let residual = location(of: fused.residual)
            reads.append(residual)
            let own = tail.tableParameters ?? tail.parameters
            let other = Int8Parameters(graph[fused.residual].quantization)!
            let sum = SumArithmetic.agreeing(
                with: graph.integerRounding, fused.isResidualFirst ? other : own, fused.isResidualFirst ? own : other,
                to: fused.parameters, isUnsigned: graph[fused.residual].quantization?.elementType == .uint8)
            add = FusedAdd(
                residual: featureMap(residual, height: g.outputHeight, width: g.outputWidth),
                convolutionZeroPoint: fused.isResidualFirst ? sum.secondZeroPoint : sum.firstZeroPoint,
                residualZeroPoint: fused.isResidualFirst ? sum.firstZeroPoint : sum.secondZeroPoint,
                outputZeroPoint: sum.outputZeroPoint,
                convolutionMultiplier: fused.isResidualFirst ? sum.second : sum.first,
                residualMultiplier: fused.isResidualFirst ? sum.first : sum.second, clampMin: fused.clampMin,
                clampMax: fused.clampMax)
        }
        let inputMap = featureMap(x, height: g.inputHeight, width: g.inputWidth)
        let outputMap = featureMap(y, height: g.outputHeight, width: g.outputWidth)
        if let sparse {
            emit(
                .sparseConvolution(
                    Engine.SparseConvolution(
                        input: inputMap, output: outputMap, window: source.window,
                        blockCount: sparse.blocks.count / SparseWeights.blockWidth,
                        countsOffset: weights.append(sparse.counts), gapsOffset: weights.append(sparse.gaps),
                        blocksOffset: weights.append(sparse.blocks), biasOffset: biasOffset, scalesOffset: scalesOffset,
                        inputZeroPoint: input.zeroPoint, outputZeroPoint: tail.parameters.zeroPoint,
                        clampMin: tail.clampMin, clampMax: tail.clampMax, tableOffset: tableOffset, add: add)),
                reads: reads, writes: [y])
        } else if g.isDepthwise && !g.isTransposed {
            emit(
                .depthwiseConvolution(
                    DepthwiseConvolution(
                        input: inputMap, output: outputMap, window: source.window, weightsOffset: weightsOffset,
                        biasOffset: biasOffset, scalesOffset: scalesOffset, inputZeroPoint: input.zeroPoint,
                        outputZeroPoint: tail.parameters.zeroPoint, clampMin: tail.clampMin, clampMax: tail.clampMax,
                        tableOffset: tableOffset, add: add, weightOffset: Int32(weightOffset))),
                reads: reads, writes: [y])
        } else {
            emit(
                .convolution(
                    Engine.Convolution(
                        input: inputMap, output: outputMap, window: source.window, groups: g.groups,
                        isTransposed: g.isTransposed, weightsOffset: weightsOffset, biasOffset: biasOffset,
                        scalesOffset: scalesOffset, inputZeroPoint: input.zeroPoint,
                        outputZeroPoint: tail.parameters.zeroPoint, clampMin: tail.clampMin, clampMax: tail.clampMax,
                        tableOffset: tableOffset, add: add, weightOffset: Int32(weightOffset))),
                reads: reads, writes: [y])
        }
    }

    /// The bias in units of the accumulator; nil after a problem was noted.
    private func integerBias(_ node: Node, _ source: ConvolutionSource, _ scales: [Double]) -> [Int32]? {
        if let bias = graph.integerBias(source.bias, scales) { return bias }
        let id = source.bias!
        problem(
            node, "input 2 (bias)", "a constant with one element per output channel (\(scales.count))",
            "shape \(graph.extents(id))\(graph[id].constant == nil ? ", computed at run time" : "")")
        return nil
    }

    // MARK: Float

    private func emitFloat(_ node: Node, _ source: ConvolutionSource, at position: Int) {
        var final = source.output
        var range = -Float.infinity...Float.infinity
        if graph[final].quantization == nil, let reader = index.soleConsumer(of: final),
            let clamp = clampRange(graph.nodes[reader]), let output = graph.nodes[reader].outputs[0]
        {
            range = clamp
            final = output
            skipped.insert(reader)
        }
        noteFloat(node, floatReason(source))
        let g = source.geometry
        let reals = source.arranged(graph.realConstant(source.weights)!).map { $0 * source.weightFactor }
        var bias = [Float](repeating: 0, count: g.outputChannels)
        if let id = source.bias {
            guard let values = graph.realConstant(id), values.count == bias.count || values.count == 1 else {
                return problem(
                    node, "input 2 (bias)", "a constant with one element per output channel (\(g.outputChannels))",
                    "shape \(graph.extents(id))")
            }
            bias = bias.indices.map { values[values.count == 1 ? 0 : $0] * source.biasFactor }
        }
        parameterBytes += 4 * (reals.count + bias.count)
        let weightsOffset = weights.append(Packing.packFloatWeights(g, reals))
        let biasOffset = weights.append(Packing.packFloatBias(g, bias))
        let x = real(source.input)
        writingReal(final, dense: false) { y in
            emit(
                .floatConvolution(
                    FloatConvolution(
                        input: featureMap(x, height: g.inputHeight, width: g.inputWidth),
                        output: featureMap(y, height: g.outputHeight, width: g.outputWidth), window: source.window,
                        groups: g.groups, isTransposed: g.isTransposed, weightsOffset: weightsOffset,
                        biasOffset: biasOffset, clampMin: range.lowerBound, clampMax: range.upperBound)),
                reads: [x], writes: [y])
        }
    }

    private func floatReason(_ source: ConvolutionSource) -> String {
        if graph[source.weights].quantization == nil { return "its weights are float" }
        if graph[source.input].quantization == nil { return "its input is float" }
        return "its output is float"
    }

    /// Product of two matrices computed at run time, in float32.
    private func lowerMatrixProduct(_ node: Node) {
        let (a, b, y) = (node.inputs[0]!, node.inputs[1]!, node.outputs[0]!)
        let (shapeA, shapeB, shapeY) = (graph.extents(a), graph.extents(b), graph.extents(y))
        let gemm = node.op as? Gemm
        let isPlainGemm = gemm.map { !$0.transA && $0.alpha == 1 && (node.inputs.count < 3 || node.inputs[2] == nil) } ?? true
        guard shapeA.count >= 2, shapeB.count >= 2, isPlainGemm else {
            return problem(
                node, "matrix product of two run-time values", "[…, m, k] times […, k, n] without further terms",
                "A \(shapeA), B \(shapeB)", "Export the product as MatMul followed by Mul and Add.")
        }
        let transposesB = gemm?.transB ?? false
        let (m, k) = (shapeA[shapeA.count - 2], shapeA[shapeA.count - 1])
        let n = transposesB ? shapeB[shapeB.count - 2] : shapeB[shapeB.count - 1]
        let batch = shapeY.dropLast(2).reduce(1, *)
        let (batchA, batchB) = (shapeA.dropLast(2).reduce(1, *), shapeB.dropLast(2).reduce(1, *))
        guard (batchA == batch || batchA == 1) && (batchB == batch || batchB == 1) else {
            return problem(
                node, "batch axes", "equal, or 1 on one side", "A \(shapeA), B \(shapeB)",
                "Expand the smaller operand before the product.")
        }
        noteFloat(node, "both its operands are computed at run time")
        let (x, w) = (dense(real(a)), dense(real(b)))
        writingReal(y) { target in
            emit(
                .matrixProduct(
                    MatrixProduct(
                        batch: batch, m: m, k: k, n: n, transposesB: transposesB, aOffset: absolute(x),
                        bOffset: absolute(w), outputOffset: absolute(target), aBatchStride: batchA == 1 ? 0 : m * k,
                        bBatchStride: batchB == 1 ? 0 : k * n)),
                reads: [x, w], writes: [target])
        }
    }
}
