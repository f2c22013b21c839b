import Engine
import Kernels
import NestFormat

/// Models small enough for fixtures, mutation and fuzzing.
enum SampleModels {
    static func window(_ kernel: Int, stride: Int = 1, pad: Int = 0) -> Window {
        Window(
            kernelHeight: kernel, kernelWidth: kernel, strideY: stride, strideX: stride, padTop: pad, padLeft: pad)
    }

    /// Packs random weights for a convolution; gives offsets of weights, bias, scales.
    static func parameters(
        _ b: inout ModelBuilder, _ g: ConvolutionGeometry, _ random: inout Random
    ) -> (weights: Int, bias: Int, scales: Int) {
        let weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup, -90...90)
        let bias = (0..<g.outputChannels).map { _ in Int32(random.int(-500...500)) }
        let scales = random.floats(g.outputChannels, 0.002...0.02)
        return (
            b.store(Packing.packWeights(g, weights).bytes), b.store(Packing.packPerChannel(g, bias, padding: 0)),
            b.store(Packing.packPerChannel(g, scales, padding: 1))
        )
    }

    /// int8 classifier in miniature: convolution, depthwise with table, pointwise with residual, mean, fully connected,
    /// softmax.
    static func classifier() -> NestContents {
        var b = ModelBuilder()
        var random = Random(1)
        let picture = b.map(8, 8, 3)
        b.input("image", [1, 8, 8, 3], .int8, offset: picture.offset, scale: 1 / 128)
        func geometry(_ i: FeatureMap, _ o: FeatureMap, _ w: Window, groups: Int = 1) -> ConvolutionGeometry {
            ConvolutionGeometry(
                inputHeight: i.height, inputWidth: i.width, outputHeight: o.height, outputWidth: o.width, groups: groups,
                inputChannelsPerGroup: i.channels / groups, outputChannelsPerGroup: o.channels / groups,
                kernelHeight: w.kernelHeight, kernelWidth: w.kernelWidth, strideY: w.strideY, strideX: w.strideX,
                padTop: w.padTop, padLeft: w.padLeft)
        }
        let first = b.map(4, 4, 8)
        let w3s2 = window(3, stride: 2, pad: 1)
        var p = parameters(&b, geometry(picture, first, w3s2), &random)
        b.add(
            .convolution(
                Convolution(
                    input: picture, output: first, window: w3s2, weightsOffset: p.weights, biasOffset: p.bias,
                    scalesOffset: p.scales, inputZeroPoint: 3, outputZeroPoint: -128, clampMin: -128, clampMax: 127)),
            "stem")
        let second = b.map(4, 4, 8)
        p = parameters(&b, geometry(first, second, window(3, pad: 1), groups: 8), &random)
        let table = b.store((0..<256).map { Int8($0 / 2 - 64) })
        b.add(
            .depthwiseConvolution(
                DepthwiseConvolution(
                    input: first, output: second, window: window(3, pad: 1), weightsOffset: p.weights,
                    biasOffset: p.bias, scalesOffset: p.scales, inputZeroPoint: -128, outputZeroPoint: -5,
                    clampMin: -100, clampMax: 127, tableOffset: table)), "depthwise")
        let third = b.map(4, 4, 8)
        p = parameters(&b, geometry(second, third, window(1)), &random)
        b.add(
            .convolution(
                Convolution(
                    input: second, output: third, window: window(1), weightsOffset: p.weights, biasOffset: p.bias,
                    scalesOffset: p.scales, inputZeroPoint: -5, outputZeroPoint: 2, clampMin: -128, clampMax: 127,
                    add: FusedAdd(
                        residual: first, convolutionZeroPoint: 2, residualZeroPoint: -128, outputZeroPoint: 1,
                        convolutionMultiplier: 0.75, residualMultiplier: 0.5, clampMin: -128, clampMax: 120))),
            "project+add")
        let mean = b.map(1, 1, 8)
        b.add(
            .reduction(
                Reduction(
                    function: .mean, type: .int8, outer: 1, reduced: 16, inner: 8, inputOffset: third.offset,
                    outputOffset: mean.offset, inputZeroPoint: 1, outputZeroPoint: -3, multiplier: 1.5 / 16)), "mean")
        let scores = b.map(1, 1, 5)
        p = parameters(&b, geometry(mean, scores, window(1)), &random)
        b.add(
            .convolution(
                Convolution(
                    input: mean, output: scores, window: window(1), weightsOffset: p.weights, biasOffset: p.bias,
                    scalesOffset: p.scales, inputZeroPoint: -3, outputZeroPoint: 0, clampMin: -128, clampMax: 127)), "fc")
        let share = b.map(1, 1, 5)
        let exponentials = b.store((0..<256).map { k in 1 / Float(1 + k) })
        b.add(
            .softmax(
                SoftmaxOperation(
                    type: .int8, outer: 1, reduced: 5, inner: 1, inputOffset: scores.offset, outputOffset: share.offset,
                    tableOffset: exponentials, inverseScale: 256, outputZeroPoint: -128)), "softmax")
        b.output("probabilities", [1, 5], .int8, offset: share.offset, scale: 1 / 256)
        var contents = b.contents
        contents.preprocess = Preprocess(width: 8, height: 8, scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5])
        contents.preprocessTables = .int8((0..<768).map { Int8($0 % 256 - 128) })
        contents.decoding = .classification(topK: 3, softmax: false)
        contents.labels = ["gauge", "valve", "pump", "motor", "größe"]
        contents.provenance = Provenance(entries: [
            .init(key: "source", value: "classifier.onnx"), .init(key: "accuracy", value: "top-1 0.9"),
        ])
        return withGolden(contents)
    }

    /// Every operator once, float32 and int8 forms.
    static func everyOperator() -> NestContents {
        var b = ModelBuilder()
        var random = Random(2)
        let x = b.map(4, 4, 4)
        b.input("x", x, .int8)
        let f = b.map(4, 4, 4, bytes: 4)
        b.input("f", f, .float32)
        let indices = b.buffer(6 * 4)
        b.input("indices", [3, 2], .int32, offset: indices)

        let y = b.map(4, 4, 4)
        let g = ConvolutionGeometry(
            inputHeight: 4, inputWidth: 4, outputHeight: 4, outputWidth: 4, groups: 2, inputChannelsPerGroup: 2,
            outputChannelsPerGroup: 2, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
        var p = parameters(&b, g, &random)
        b.add(
            .convolution(
                Convolution(
                    input: x, output: y, window: window(3, pad: 1), groups: 2, weightsOffset: p.weights,
                    biasOffset: p.bias, scalesOffset: p.scales, inputZeroPoint: 0, outputZeroPoint: 0, clampMin: -128,
                    clampMax: 127)))
        let up = b.map(8, 8, 2)
        let t = ConvolutionGeometry(
            inputHeight: 4, inputWidth: 4, outputHeight: 8, outputWidth: 8, inputChannelsPerGroup: 4,
            outputChannelsPerGroup: 2, kernelHeight: 2, kernelWidth: 2, strideY: 2, strideX: 2, isTransposed: true)
        p = parameters(&b, t, &random)
        b.add(
            .convolution(
                Convolution(
                    input: y, output: up, window: window(2, stride: 2), isTransposed: true, weightsOffset: p.weights,
                    biasOffset: p.bias, scalesOffset: p.scales, inputZeroPoint: 0, outputZeroPoint: 4, clampMin: -128,
                    clampMax: 127)))
        let d = b.map(4, 4, 4)
        let dg = ConvolutionGeometry(
            inputHeight: 4, inputWidth: 4, outputHeight: 4, outputWidth: 4, groups: 4, inputChannelsPerGroup: 1,
            outputChannelsPerGroup: 1, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)
        p = parameters(&b, dg, &random)
        b.add(
            .depthwiseConvolution(
                DepthwiseConvolution(
                    input: y, output: d, window: window(3, pad: 1), weightsOffset: p.weights, biasOffset: p.bias,
                    scalesOffset: p.scales, inputZeroPoint: 0, outputZeroPoint: 0, clampMin: -128, clampMax: 127,
                    add: FusedAdd(
                        residual: x, convolutionZeroPoint: 0, residualZeroPoint: 0, outputZeroPoint: 0,
                        convolutionMultiplier: 1, residualMultiplier: 1, clampMin: -128, clampMax: 127))))
        let fg = ConvolutionGeometry(
            inputHeight: 4, inputWidth: 4, outputHeight: 4, outputWidth: 4, inputChannelsPerGroup: 4,
            outputChannelsPerGroup: 4)
        let fw = b.store(Packing.packFloatWeights(fg, random.floats(16)))
        let fb = b.store(Packing.packFloatBias(fg, random.floats(4)))
        let fy = b.map(4, 4, 4, bytes: 4)
        b.add(
            .floatConvolution(
                FloatConvolution(
                    input: f, output: fy, window: window(1), groups: 1, isTransposed: false, weightsOffset: fw,
                    biasOffset: fb, clampMin: -1000, clampMax: 1000)))
        let sum = b.map(4, 4, 4)
        func operand(_ map: FeatureMap, _ type: DeviceType, scale: Float = 1) -> StridedOperand {
            StridedOperand(type: type, offset: map.offset, strides: [16, 4, 1], scale: scale)
        }
        b.add(
            .elementwiseBinary(
                ElementwiseBinary(
                    function: .add, extents: [4, 4, 4], a: operand(d, .int8, scale: 0.5),
                    b: StridedOperand(type: .int8, offset: y.offset, strides: [0, 0, 1], scale: 0.25),
                    output: operand(sum, .int8, scale: 0.75), clampMin: -128, clampMax: 127)))
        let e = b.map(4, 4, 4, bytes: 4)
        b.add(
            .elementwiseUnary(
                ElementwiseUnary(function: .tanh, count: 64, inputOffset: fy.offset, outputOffset: e.offset)))
        let real = b.map(4, 4, 4, bytes: 4)
        let floatTable = b.store((0..<256).map { Float($0 - 128) / 16 })
        b.add(.tableLookup(TableLookup(input: sum, output: real, outputType: .float32, tableOffset: floatTable)))
        let back = b.map(4, 4, 4)
        b.add(
            .convert(
                Convert(
                    from: .float32, to: .int8, count: 64, inputOffset: real.offset, outputOffset: back.offset,
                    inverseScale: 8, zeroPoint: 1)))
        let pooled = b.map(2, 2, 4)
        b.add(
            .pooling(
                Pooling(
                    isMax: false, type: .int8, input: back, output: pooled, window: window(3, stride: 2, pad: 1),
                    countsPadding: true)))
        let product = b.map(1, 1, 16, bytes: 4)
        b.add(
            .matrixProduct(
                MatrixProduct(
                    batch: 1, m: 4, k: 4, n: 4, transposesB: true, aOffset: e.offset, bOffset: real.offset,
                    outputOffset: product.offset, aBatchStride: 0, bBatchStride: 0)))
        let reduced = b.map(1, 1, 4, bytes: 4)
        b.add(
            .reduction(
                Reduction(
                    function: .max, type: .float32, outer: 1, reduced: 4, inner: 4, inputOffset: product.offset,
                    outputOffset: reduced.offset)))
        let soft = b.map(1, 1, 4, bytes: 4)
        b.add(
            .softmax(
                SoftmaxOperation(
                    type: .float32, isLog: true, outer: 1, reduced: 4, inner: 1, inputOffset: reduced.offset,
                    outputOffset: soft.offset)))
        let best = b.buffer(16)
        b.add(
            .argReduction(
                ArgReduction(
                    isMax: true, type: .int8, outer: 4, reduced: 4, inner: 1, inputOffset: pooled.offset,
                    outputOffset: best)))
        let moved = b.map(4, 4, 4)
        b.add(.fill(Fill(elementBytes: 1, count: 64, offset: moved.offset, pattern: 7)))
        b.add(
            .stridedCopy(
                StridedCopy(
                    elementBytes: 1, extents: [4, 4, 2], sourceOffset: back.offset + 48, sourceStrides: [-16, 4, 1],
                    destinationOffset: moved.offset, destinationStrides: [4, 16, 1])))
        let bigger = b.map(6, 5, 4)
        func words(_ values: [Float]) -> [Int32] { values.map { Int32(bitPattern: $0.bitPattern) } }
        var rows: [Int32] = [0, 0, 1, 2, 3, 3, 0, 1, 2, 3, 3, 3]
        rows += words([0, 0.5, 0.25, 0, 0.75, 0])
        var columns: [Int32] = [0, 1, 1, 2, 3, 1, 2, 2, 3, 3]
        columns += words([0, 0.5, 0.25, 0, 0.75])
        let resizeTable = b.store(rows + columns)
        b.add(
            .resize(
                ResizeOperation(isNearest: false, type: .int8, input: moved, output: bigger, tableOffset: resizeTable)))
        let gathered = b.buffer(12)
        b.add(
            .gatherSlices(
                GatherSlices(
                    dataOffset: bigger.offset, indicesOffset: indices, outputOffset: gathered, count: 3, sliceBytes: 4,
                    extents: [6, 5], strides: [20, 4])))
        let chosen = b.buffer(48)
        b.add(
            .select(
                Select(
                    extents: [3, 4], condition: StridedOperand(type: .int8, offset: gathered, strides: [4, 1]),
                    a: StridedOperand(type: .float32, offset: soft.offset, strides: [0, 1]),
                    b: StridedOperand(type: .float32, offset: product.offset, strides: [4, 1]),
                    output: StridedOperand(type: .float32, offset: chosen, strides: [4, 1]))))
        var corners: [Float] = []
        for i in 0..<12 { corners += [Float(i / 4) * 0.3, Float(i % 4) * 0.25, 0.2, 0.2] as [Float] }
        let anchors = b.store(corners)
        let (boxes, classes, scores, count) = (b.buffer(4 * 16), b.buffer(4 * 4), b.buffer(4 * 4), b.buffer(4))
        let scratch = b.buffer(DetectionOperation.scratchByteCount(anchorCount: 12, classCount: 2))
        b.add(
            .detection(
                DetectionOperation(
                    anchorCount: 12, classCount: 2, labelOffset: 1, maxDetections: 4, maxClassesPerDetection: 1,
                    detectionsPerClass: 3, usesRegularNMS: true, scoreThreshold: -1, iouThreshold: 0.5, yScale: 10,
                    xScale: 10, hScale: 5, wScale: 5, encodingsOffset: e.offset, scoresOffset: real.offset,
                    anchorsOffset: anchors, boxesOffset: boxes, classesOffset: classes, detectionScoresOffset: scores,
                    countOffset: count, scratchOffset: scratch)))
        b.output("up", up, .int8)
        b.output("best", [4], .int32, offset: best)
        b.output("chosen", [3, 4], .float32, offset: chosen)
        b.output("boxes", [4, 4], .float32, offset: boxes)
        return withGolden(b.contents)
    }

    /// The least that a file can be: one input copied through a table.
    static func smallest() -> NestContents {
        var b = ModelBuilder()
        let x = b.map(1, 2, 2)
        let y = b.map(1, 2, 2)
        b.input("x", [4], .int8, offset: x.offset)
        let table = b.store((0..<256).map { Int8(truncatingIfNeeded: 127 - $0) })
        b.add(.tableLookup(TableLookup(input: x, output: y, outputType: .int8, tableOffset: table)), "negate")
        b.output("y", [4], .int8, offset: y.offset)
        return withGolden(b.contents)
    }

    static func withGolden(_ contents: NestContents) -> NestContents {
        var contents = contents
        do {
            let session = try Session(model: Model(copying: NestWriter.encode(contents)))
            let inputs = session.model.plan.inputs.indices.map { Golden.Input.generated(seed: UInt32($0) + 1) }
            contents.golden = session.recordGolden(inputs: inputs)
        } catch let error as ModelError {
            fatalError("a sample model does not load: \(error.message)")
        } catch {
            fatalError("a sample model does not start")
        }
        return contents
    }

    /// Pruned: a sparse convolution with table, one with a residual whose gaps need bridging, one pixel.
    static func pruned() -> NestContents {
        var b = ModelBuilder()
        var random = Random(3)
        let x = b.map(3, 5, 72)
        b.input("x", x, .int8)
        func add(_ input: FeatureMap, _ output: FeatureMap, _ window: Window, _ table: Int?, _ add: FusedAdd?, _ name: String) {
            let g = ConvolutionGeometry(
                inputHeight: input.height, inputWidth: input.width, outputHeight: output.height, outputWidth: output.width,
                inputChannelsPerGroup: input.channels, outputChannelsPerGroup: output.channels,
                kernelHeight: window.kernelHeight, kernelWidth: window.kernelWidth, padTop: window.padTop,
                padLeft: window.padLeft)
            var weights = random.int8s(g.outputChannels * g.taps * g.inputChannelsPerGroup, -100...100)
            for block in 0..<weights.count / 4 where random.int(0...9) > 0 {
                for i in 0..<4 { weights[4 * block + i] = 0 }
            }
            let sparse = SparseWeights(g, weights)
            b.add(
                .sparseConvolution(
                    SparseConvolution(
                        input: input, output: output, window: window, blockCount: sparse.blocks.count / 4,
                        countsOffset: b.store(sparse.counts.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }),
                        gapsOffset: b.store(sparse.gaps), blocksOffset: b.store(sparse.blocks),
                        biasOffset: b.store((0..<output.channels).map { _ in Int32(random.int(-500...500)) }),
                        scalesOffset: b.store(random.floats(output.channels, 0.002...0.02)), inputZeroPoint: -3,
                        outputZeroPoint: 2, clampMin: -128, clampMax: 120, tableOffset: table, add: add)), name)
        }
        let first = b.map(3, 5, 20)
        add(x, first, window(3, pad: 1), b.store((0..<256).map { Int8($0 / 2 - 64) }), nil, "wide")
        let second = b.map(3, 5, 20)
        let sum = FusedAdd(
            residual: first, convolutionZeroPoint: 2, residualZeroPoint: 1, outputZeroPoint: 0,
            convolutionMultiplier: 0.5, residualMultiplier: 0.75, clampMin: -127, clampMax: 127)
        add(first, second, window(1), nil, sum, "narrow+add")
        let scores = b.map(1, 1, 7)
        add(FeatureMap(offset: second.offset, height: 1, width: 1, channels: 300, pixelStride: 300), scores, window(1), nil, nil, "fc")
        b.output("scores", [1, 7], .int8, offset: scores.offset, scale: 0.1)
        return withGolden(b.contents)
    }

    /// Name in Tests/Fixtures and contents.
    static var all: [(name: String, contents: NestContents)] {
        [
            ("smallest", smallest()), ("classifier", classifier()), ("every-operator", everyOperator()),
            ("pruned", pruned()),
        ]
    }
}
