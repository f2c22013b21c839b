import NestFormat

// The device's operators: everything is decided (shapes, offsets, scales, tables). The compiler makes these values, the
// plan section stores them, the engine runs them. Offsets are bytes.

/// Where an operand's bytes are.
public enum Space: UInt8, Sendable, Hashable {
    case arena = 0
    /// The file's weights section (constant operands).
    case weights = 1
}

/// A channels-last feature map of batch 1 in the arena: element (y, x, c) is at
/// `offset + ((y * width + x) * pixelStride + c) * bytes`. `pixelStride >= channels`; larger when the map is a channel slice
/// of a wider buffer (concat and split without copies).
public struct FeatureMap: Sendable, Hashable {
    public var offset: Int, height: Int, width: Int, channels: Int, pixelStride: Int
    public init(offset: Int, height: Int, width: Int, channels: Int, pixelStride: Int) {
        (self.offset, self.height, self.width) = (offset, height, width)
        (self.channels, self.pixelStride) = (channels, pixelStride)
    }
}

/// A strided operand over up to six axes; a stride of 0 broadcasts. Strides are in elements.
public struct StridedOperand: Sendable, Hashable {
    public var space: Space, type: DeviceType, offset: Int, strides: [Int]
    /// For int8: real = (q - zeroPoint) * scale. 1 and 0 otherwise.
    public var scale: Float, zeroPoint: Int32
    public init(
        space: Space = .arena, type: DeviceType, offset: Int, strides: [Int], scale: Float = 1, zeroPoint: Int32 = 0
    ) {
        (self.space, self.type, self.offset, self.strides) = (space, type, offset, strides)
        (self.scale, self.zeroPoint) = (scale, zeroPoint)
    }
}

/// Geometry of convolutions and pools. Padding below and right follows from the output's extents.
public struct Window: Sendable, Hashable {
    public var kernelHeight: Int, kernelWidth: Int, strideY: Int, strideX: Int, dilationY: Int, dilationX: Int
    public var padTop: Int, padLeft: Int
    /// Convolutions only: number of int8 weight planes whose sum is the weight, 1 or 2 (`Kernels.ConvolutionGeometry`).
    public var weightPlanes: Int
    public init(
        kernelHeight: Int, kernelWidth: Int, strideY: Int = 1, strideX: Int = 1, dilationY: Int = 1, dilationX: Int = 1,
        padTop: Int = 0, padLeft: Int = 0, weightPlanes: Int = 1
    ) {
        (self.kernelHeight, self.kernelWidth, self.strideY, self.strideX) =
            (kernelHeight, kernelWidth, strideY, strideX)
        (self.dilationY, self.dilationX, self.padTop, self.padLeft) = (dilationY, dilationX, padTop, padLeft)
        self.weightPlanes = weightPlanes
    }
}

/// Residual add fused behind a convolution: `out = clamp(rne(Float(q - zc) * mc + Float(r - zr) * mr) + zo)`, q being the
/// convolution's own int8 result (zero point `zc`). Equals the unfused sequence bit for bit.
public struct FusedAdd: Sendable, Hashable {
    public var residual: FeatureMap
    public var convolutionZeroPoint: Int32, residualZeroPoint: Int32, outputZeroPoint: Int32
    public var convolutionMultiplier: Float, residualMultiplier: Float
    public var clampMin: Int8, clampMax: Int8
    public init(
        residual: FeatureMap, convolutionZeroPoint: Int32, residualZeroPoint: Int32, outputZeroPoint: Int32,
        convolutionMultiplier: Float, residualMultiplier: Float, clampMin: Int8, clampMax: Int8
    ) {
        (self.residual, self.convolutionZeroPoint, self.residualZeroPoint) =
            (residual, convolutionZeroPoint, residualZeroPoint)
        (self.outputZeroPoint, self.convolutionMultiplier, self.residualMultiplier) =
            (outputZeroPoint, convolutionMultiplier, residualMultiplier)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

/// int8 convolution, grouped or not, transposed or not; fully connected is 1×1 on a 1×1 map.
/// `accumulator = bias[o] + Σ w·x`, bias already holding `-inputZeroPoint·Σw`; padding reads `inputZeroPoint`.
/// Then requantize with `scales[o]`, clamp, `table` (256 int8, index q + 128), `add`.
public struct Convolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool
    /// Packed as `Kernels` says (`Packing`); bias int32 and scales float32 padded likewise. Offsets in the weights section.
    public var weightsOffset: Int, biasOffset: Int, scalesOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8
    public var tableOffset: Int?
    public var add: FusedAdd?
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, groups: Int = 1, isTransposed: Bool = false,
        weightsOffset: Int, biasOffset: Int, scalesOffset: Int, inputZeroPoint: Int32, outputZeroPoint: Int32,
        clampMin: Int8, clampMax: Int8, tableOffset: Int? = nil, add: FusedAdd? = nil
    ) {
        (self.input, self.output, self.window, self.groups) = (input, output, window, groups)
        (self.isTransposed, self.weightsOffset, self.biasOffset, self.scalesOffset) =
            (isTransposed, weightsOffset, biasOffset, scalesOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.clampMin, self.clampMax) =
            (inputZeroPoint, outputZeroPoint, clampMin, clampMax)
        (self.tableOffset, self.add) = (tableOffset, add)
    }
}

/// int8 depthwise convolution with one output channel an input channel; fields as in `Convolution`.
public struct DepthwiseConvolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window
    public var weightsOffset: Int, biasOffset: Int, scalesOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8
    public var tableOffset: Int?
    public var add: FusedAdd?
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, weightsOffset: Int, biasOffset: Int, scalesOffset: Int,
        inputZeroPoint: Int32, outputZeroPoint: Int32, clampMin: Int8, clampMax: Int8, tableOffset: Int? = nil,
        add: FusedAdd? = nil
    ) {
        (self.input, self.output, self.window) = (input, output, window)
        (self.weightsOffset, self.biasOffset, self.scalesOffset) = (weightsOffset, biasOffset, scalesOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.clampMin, self.clampMax) =
            (inputZeroPoint, outputZeroPoint, clampMin, clampMax)
        (self.tableOffset, self.add) = (tableOffset, add)
    }
}

/// float32 convolution (grouped, depthwise, transposed, fully connected). Weights packed float32, bias float32. One fixed
/// order of summation: tap, then channel; product, then sum, never fused. Then clamp.
public struct FloatConvolution: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool
    public var weightsOffset: Int, biasOffset: Int, clampMin: Float, clampMax: Float
    public init(
        input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool, weightsOffset: Int,
        biasOffset: Int, clampMin: Float, clampMax: Float
    ) {
        (self.input, self.output, self.window, self.groups) = (input, output, window, groups)
        (self.isTransposed, self.weightsOffset, self.biasOffset) = (isTransposed, weightsOffset, biasOffset)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

/// Elementwise function of two operands over `extents` (up to 6 axes, outermost first).
/// int8 × int8 → int8 add and mul: `clamp(rne(Float(a - za) * (sa·inv) + Float(b - zb) * (sb·inv)) + zo)` and
/// `clamp(rne(Float((a - za)·(b - zb)) * (sa·sb·inv)) + zo)`, with inv = 1/scale of the output, multipliers rounded to Float
/// once, left to right. Other functions: dequantize, apply in float32, `clamp(rne(r * inv) + zo)`. float32 × float32 →
/// float32 and int32 × int32 → int32 directly. Comparisons give int8 0 or 1.
public struct ElementwiseBinary: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable {
        case add = 0, sub, mul, div, max, min, pow, squaredDifference, prelu, floorDiv, mod
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, and, or, xor
    }
    public var function: Function, extents: [Int], a: StridedOperand, b: StridedOperand, output: StridedOperand
    /// Output clamp: int8 codes, or floats for float32 outputs.
    public var clampMin: Float, clampMax: Float
    public init(
        function: Function, extents: [Int], a: StridedOperand, b: StridedOperand, output: StridedOperand,
        clampMin: Float, clampMax: Float
    ) {
        (self.function, self.extents, self.a, self.b, self.output) = (function, extents, a, b, output)
        (self.clampMin, self.clampMax) = (clampMin, clampMax)
    }
}

/// Elementwise float32 → float32 function, deterministic on every CPU (no libm).
public struct ElementwiseUnary: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable {
        case abs = 0, ceil, cos, erf, exp, floor, log, neg, reciprocal, round, sign, sin, sqrt, tanh, sigmoid, softplus
        case hardSwish, square, rsqrt, elu, leakyRelu, hardSigmoid, gelu, swish, mish, clip, celu, selu, softsign
        case thresholdedRelu, not
    }
    public var function: Function, count: Int, inputOffset: Int, outputOffset: Int
    /// Function parameters (alpha, beta; clip: min, max), 0 when unused.
    public var alpha: Float, beta: Float
    public init(
        function: Function, count: Int, inputOffset: Int, outputOffset: Int, alpha: Float = 0, beta: Float = 0
    ) {
        (self.function, self.count, self.inputOffset, self.outputOffset) = (function, count, inputOffset, outputOffset)
        (self.alpha, self.beta) = (alpha, beta)
    }
}

/// Look-up of every int8 (index q + 128): `entries` are 256 int8 or 256 float32 in the weights section. Unary functions,
/// requantization and dequantization of int8 tensors.
public struct TableLookup: Sendable, Hashable {
    public var input: FeatureMap, output: FeatureMap, outputType: DeviceType, tableOffset: Int
    public init(input: FeatureMap, output: FeatureMap, outputType: DeviceType, tableOffset: Int) {
        (self.input, self.output, self.outputType, self.tableOffset) = (input, output, outputType, tableOffset)
    }
}

/// Dense float32 → int8: `clamp(rne(x * (1/scale)) + zeroPoint)`, NaN → clampMax… or int32 ↔ float32 conversion (toward zero).
public struct Convert: Sendable, Hashable {
    public var from: DeviceType, to: DeviceType, count: Int, inputOffset: Int, outputOffset: Int
    public var inverseScale: Float, zeroPoint: Int32
    public init(
        from: DeviceType, to: DeviceType, count: Int, inputOffset: Int, outputOffset: Int, inverseScale: Float = 1,
        zeroPoint: Int32 = 0
    ) {
        (self.from, self.to, self.count, self.inputOffset) = (from, to, count, inputOffset)
        (self.outputOffset, self.inverseScale, self.zeroPoint) = (outputOffset, inverseScale, zeroPoint)
    }
}

/// Max or average pool, int8 or float32. int8 max: input and output share the quantization. int8 average:
/// `clamp(rne(Float(Σ(x - zi)) * (multiplier / Float(count))) + zo)`, the quotient rounded to Float once; count is the number
/// of valid taps, or of all taps inside the padded map when `countsPadding`.
public struct Pooling: Sendable, Hashable {
    public var isMax: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, window: Window, countsPadding: Bool
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float, clampMin: Int8, clampMax: Int8
    public init(
        isMax: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, window: Window, countsPadding: Bool = false,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1, clampMin: Int8 = -128,
        clampMax: Int8 = 127
    ) {
        (self.isMax, self.type, self.input, self.output, self.window) = (isMax, type, input, output, window)
        (self.countsPadding, self.inputZeroPoint, self.outputZeroPoint) =
            (countsPadding, inputZeroPoint, outputZeroPoint)
        (self.multiplier, self.clampMin, self.clampMax) = (multiplier, clampMin, clampMax)
    }
}

/// Reduction of the middle of `outer × reduced × inner` (dense, row-major). int8 mean and sum:
/// `clamp(rne(Float(Σ(x - zi)) * multiplier) + zo)` (the multiplier holds 1/count for mean); int8 max, min: same
/// quantization in and out. float32: sums in index order; `mean` multiplies by `multiplier`.
public struct Reduction: Sendable, Hashable {
    public enum Function: UInt8, Sendable, Hashable { case mean = 0, sum, max, min, prod, l2, sumSquare, l1 }
    public var function: Function, type: DeviceType, outer: Int, reduced: Int, inner: Int
    public var inputOffset: Int, outputOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float
    public init(
        function: Function, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1
    ) {
        (self.function, self.type, self.outer, self.reduced, self.inner) = (function, type, outer, reduced, inner)
        (self.inputOffset, self.outputOffset, self.inputZeroPoint) = (inputOffset, outputOffset, inputZeroPoint)
        (self.outputZeroPoint, self.multiplier) = (outputZeroPoint, multiplier)
    }
}

/// Index of the largest (smallest) element along the middle of `outer × reduced × inner`; int32 out, first wins.
public struct ArgReduction: Sendable, Hashable {
    public var isMax: Bool, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    public init(
        isMax: Bool, type: DeviceType, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    ) {
        (self.isMax, self.type, self.outer, self.reduced, self.inner) = (isMax, type, outer, reduced, inner)
        (self.inputOffset, self.outputOffset) = (inputOffset, outputOffset)
    }
}

/// Softmax (or log-softmax, float32 only) along the middle of `outer × reduced × inner`. int8: with m the row's maximum,
/// `e_i = table[m - q_i]` (256 float32 in the weights section, exp(-k·scale)), sum in index order,
/// `clamp(rne(e_i / sum * inverseScale) + zo)`.
public struct SoftmaxOperation: Sendable, Hashable {
    public var type: DeviceType, isLog: Bool, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int
    public var tableOffset: Int, inverseScale: Float, outputZeroPoint: Int32
    public init(
        type: DeviceType, isLog: Bool = false, outer: Int, reduced: Int, inner: Int, inputOffset: Int, outputOffset: Int,
        tableOffset: Int = 0, inverseScale: Float = 1, outputZeroPoint: Int32 = 0
    ) {
        (self.type, self.isLog, self.outer, self.reduced, self.inner) = (type, isLog, outer, reduced, inner)
        (self.inputOffset, self.outputOffset, self.tableOffset) = (inputOffset, outputOffset, tableOffset)
        (self.inverseScale, self.outputZeroPoint) = (inverseScale, outputZeroPoint)
    }
}

/// Strided copy over up to six axes of 1- or 4-byte elements: transpose, slice, concat, split, tile, depth-to-space, the
/// inside of a pad. Source and destination must not overlap.
public struct StridedCopy: Sendable, Hashable {
    public var elementBytes: Int, extents: [Int]
    public var sourceSpace: Space, sourceOffset: Int, sourceStrides: [Int], destinationOffset: Int
    public var destinationStrides: [Int]
    public init(
        elementBytes: Int, extents: [Int], sourceSpace: Space = .arena, sourceOffset: Int, sourceStrides: [Int],
        destinationOffset: Int, destinationStrides: [Int]
    ) {
        (self.elementBytes, self.extents, self.sourceSpace) = (elementBytes, extents, sourceSpace)
        (self.sourceOffset, self.sourceStrides) = (sourceOffset, sourceStrides)
        (self.destinationOffset, self.destinationStrides) = (destinationOffset, destinationStrides)
    }
}

/// Fills `count` dense elements of 1 or 4 bytes with `pattern` (low byte for 1).
public struct Fill: Sendable, Hashable {
    public var elementBytes: Int, count: Int, offset: Int, pattern: UInt32
    public init(elementBytes: Int, count: Int, offset: Int, pattern: UInt32) {
        (self.elementBytes, self.count, self.offset, self.pattern) = (elementBytes, count, offset, pattern)
    }
}

/// Resize, int8 or float32, by tables in the weights section. Nearest: int32 source row for each output row, then source
/// column for each output column. Bilinear: for rows then columns int32 low index, int32 high index, float32 weight of the
/// high one; `top = a + (b - a) * wx` form with every step rounded to Float; int8 goes through
/// `clamp(rne(value * multiplier) + zo)` with value computed on (x - zi).
public struct ResizeOperation: Sendable, Hashable {
    public var isNearest: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, tableOffset: Int
    public var inputZeroPoint: Int32, outputZeroPoint: Int32, multiplier: Float
    public init(
        isNearest: Bool, type: DeviceType, input: FeatureMap, output: FeatureMap, tableOffset: Int,
        inputZeroPoint: Int32 = 0, outputZeroPoint: Int32 = 0, multiplier: Float = 1
    ) {
        (self.isNearest, self.type, self.input, self.output, self.tableOffset) =
            (isNearest, type, input, output, tableOffset)
        (self.inputZeroPoint, self.outputZeroPoint, self.multiplier) = (inputZeroPoint, outputZeroPoint, multiplier)
    }
}

/// Dense float32 product of two arena matrices: [batch, m, k] × [batch, k, n] → [batch, m, n]; a batch stride of 0
/// broadcasts. Sums in order of k.
public struct MatrixProduct: Sendable, Hashable {
    public var batch: Int, m: Int, k: Int, n: Int, transposesB: Bool, aSpace: Space, bSpace: Space
    public var aOffset: Int, bOffset: Int, outputOffset: Int, aBatchStride: Int, bBatchStride: Int
    public init(
        batch: Int, m: Int, k: Int, n: Int, transposesB: Bool, aSpace: Space = .arena, bSpace: Space = .arena, aOffset: Int,
        bOffset: Int, outputOffset: Int, aBatchStride: Int, bBatchStride: Int
    ) {
        (self.batch, self.m, self.k, self.n, self.transposesB) = (batch, m, k, n, transposesB)
        (self.aSpace, self.bSpace, self.aOffset, self.bOffset) = (aSpace, bSpace, aOffset, bOffset)
        (self.outputOffset, self.aBatchStride, self.bBatchStride) = (outputOffset, aBatchStride, bBatchStride)
    }
}

/// GatherND and Gather with indices computed at run time: for each of `count` index tuples of `depth` int32, copies
/// `sliceBytes` from `data + Σ index_i · strides_i` (bytes). Each index is clamped to 0 ..< extents_i (negative ones count from
/// the end first): an index can never read outside.
public struct GatherSlices: Sendable, Hashable {
    public var dataSpace: Space, dataOffset: Int, indicesOffset: Int, outputOffset: Int, count: Int, sliceBytes: Int
    public var extents: [Int], strides: [Int]
    public init(
        dataSpace: Space = .arena, dataOffset: Int, indicesOffset: Int, outputOffset: Int, count: Int, sliceBytes: Int,
        extents: [Int], strides: [Int]
    ) {
        (self.dataSpace, self.dataOffset, self.indicesOffset, self.outputOffset) =
            (dataSpace, dataOffset, indicesOffset, outputOffset)
        (self.count, self.sliceBytes, self.extents, self.strides) = (count, sliceBytes, extents, strides)
    }
}

/// TFLite_Detection_PostProcess on float32 encodings [anchors, 4] and scores [anchors, classes + labelOffset]; anchors float32
/// [anchors, 4] in the weights section. Outputs float32: boxes [n, 4], classes [n], scores [n], count [1]; unused rows 0.
public struct DetectionOperation: Sendable, Hashable {
    public var anchorCount: Int, classCount: Int, labelOffset: Int, maxDetections: Int, maxClassesPerDetection: Int
    public var detectionsPerClass: Int, usesRegularNMS: Bool, scoreThreshold: Float, iouThreshold: Float
    public var yScale: Float, xScale: Float, hScale: Float, wScale: Float
    public var encodingsOffset: Int, scoresOffset: Int, anchorsOffset: Int
    public var boxesOffset: Int, classesOffset: Int, detectionScoresOffset: Int, countOffset: Int, scratchOffset: Int
    public init(
        anchorCount: Int, classCount: Int, labelOffset: Int, maxDetections: Int, maxClassesPerDetection: Int,
        detectionsPerClass: Int, usesRegularNMS: Bool, scoreThreshold: Float, iouThreshold: Float, yScale: Float,
        xScale: Float, hScale: Float, wScale: Float, encodingsOffset: Int, scoresOffset: Int, anchorsOffset: Int,
        boxesOffset: Int, classesOffset: Int, detectionScoresOffset: Int, countOffset: Int, scratchOffset: Int
    ) {
        (self.anchorCount, self.classCount, self.labelOffset) = (anchorCount, classCount, labelOffset)
        (self.maxDetections, self.maxClassesPerDetection) = (maxDetections, maxClassesPerDetection)
        (self.detectionsPerClass, self.usesRegularNMS) = (detectionsPerClass, usesRegularNMS)
        (self.scoreThreshold, self.iouThreshold) = (scoreThreshold, iouThreshold)
        (self.yScale, self.xScale, self.hScale, self.wScale) = (yScale, xScale, hScale, wScale)
        (self.encodingsOffset, self.scoresOffset, self.anchorsOffset) = (encodingsOffset, scoresOffset, anchorsOffset)
        (self.boxesOffset, self.classesOffset, self.detectionScoresOffset) =
            (boxesOffset, classesOffset, detectionScoresOffset)
        (self.countOffset, self.scratchOffset) = (countOffset, scratchOffset)
    }

    /// Bytes of arena that the operator needs at `scratchOffset`.
    public static func scratchByteCount(anchorCount: Int, classCount: Int) -> Int { anchorCount * 32 }
}

/// Row selection: output = condition (int8, 0 or not) ? a : b over `extents` with broadcasting.
public struct Select: Sendable, Hashable {
    public var extents: [Int], condition: StridedOperand, a: StridedOperand, b: StridedOperand, output: StridedOperand
    public init(
        extents: [Int], condition: StridedOperand, a: StridedOperand, b: StridedOperand, output: StridedOperand
    ) {
        (self.extents, self.condition, self.a, self.b, self.output) = (extents, condition, a, b, output)
    }
}

/// The closed set of device operators.
public enum Operation: Sendable, Hashable {
    case convolution(Convolution)
    case depthwiseConvolution(DepthwiseConvolution)
    case floatConvolution(FloatConvolution)
    case elementwiseBinary(ElementwiseBinary)
    case elementwiseUnary(ElementwiseUnary)
    case tableLookup(TableLookup)
    case convert(Convert)
    case pooling(Pooling)
    case reduction(Reduction)
    case argReduction(ArgReduction)
    case softmax(SoftmaxOperation)
    case stridedCopy(StridedCopy)
    case fill(Fill)
    case resize(ResizeOperation)
    case matrixProduct(MatrixProduct)
    case gatherSlices(GatherSlices)
    case detection(DetectionOperation)
    case select(Select)
}

/// One step of the plan.
public struct PlannedOperation: Sendable, Hashable {
    /// Name of the source layer whose result this step writes.
    public var name: String
    public var operation: Operation
    public init(name: String, operation: Operation) { (self.name, self.operation) = (name, operation) }
}

/// Everything that the engine needs to run a model, besides the weights' bytes.
public struct Plan: Sendable, Hashable {
    /// Bytes of the arena: activations and operator scratch; kernels' thread scratch comes on top.
    public var arenaBytes: Int
    public var inputs: [PortDescriptor]
    public var outputs: [PortDescriptor]
    public var operations: [PlannedOperation]
    public init(
        arenaBytes: Int, inputs: [PortDescriptor], outputs: [PortDescriptor], operations: [PlannedOperation]
    ) {
        (self.arenaBytes, self.inputs, self.outputs, self.operations) = (arenaBytes, inputs, outputs, operations)
    }
}
