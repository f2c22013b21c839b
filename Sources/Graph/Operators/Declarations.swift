// Attributes of the operators that importers and the compiler share. Inputs and outputs as in the newest ONNX opset.

/// Padding of spatial axes. `explicit` holds all begins, then all ends (ONNX `pads`).
public enum Padding: Sendable, Hashable {
    case explicit([Int])
    case sameUpper, sameLower, valid
}

/// ONNX Conv: inputs x, weights, bias?. Any number of spatial axes. Empty `strides`/`dilations` mean ones.
public struct Conv: Sendable, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, groups: Int = 1,
        layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.groups, self.layout) =
            (strides, dilations, padding, groups, layout)
    }
}

/// ONNX ConvTranspose: inputs x, weights [in, out/group, …], bias?.
public struct ConvTranspose: Sendable, Hashable {
    public var strides: [Int], dilations: [Int], padding: Padding, outputPadding: [Int], outputShape: [Int]?
    public var groups: Int, layout: Layout
    public init(
        strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid, outputPadding: [Int] = [],
        outputShape: [Int]? = nil, groups: Int = 1, layout: Layout = .channelsFirst
    ) {
        (self.strides, self.dilations, self.padding, self.outputPadding) = (strides, dilations, padding, outputPadding)
        (self.outputShape, self.groups, self.layout) = (outputShape, groups, layout)
    }
}

/// ONNX MaxPool, AveragePool, LpPool by `kind`. MaxPool has an optional second output (indices).
public struct Pool: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case max(storageOrder: Int)
        case average(countIncludesPadding: Bool)
        case lp(Int)
    }
    public var kind: Kind, kernel: [Int], strides: [Int], dilations: [Int], padding: Padding, ceilMode: Bool
    public var layout: Layout
    public init(
        kind: Kind, kernel: [Int], strides: [Int] = [], dilations: [Int] = [], padding: Padding = .valid,
        ceilMode: Bool = false, layout: Layout = .channelsFirst
    ) {
        (self.kind, self.kernel, self.strides, self.dilations) = (kind, kernel, strides, dilations)
        (self.padding, self.ceilMode, self.layout) = (padding, ceilMode, layout)
    }
}

/// ONNX GlobalAveragePool and GlobalMaxPool; spatial axes are kept with extent 1.
public struct GlobalPool: Sendable, Hashable {
    public enum Kind: Sendable, Hashable { case average, max }
    public var kind: Kind, layout: Layout
    public init(kind: Kind, layout: Layout = .channelsFirst) { (self.kind, self.layout) = (kind, layout) }
}

/// ONNX BatchNormalization in inference form: inputs x, scale, bias, mean, variance.
public struct BatchNormalization: Sendable, Hashable {
    public var epsilon: Float, layout: Layout
    public init(epsilon: Float = 1e-5, layout: Layout = .channelsFirst) { (self.epsilon, self.layout) = (epsilon, layout) }
}

/// Elementwise function of one tensor.
public struct Unary: Sendable, Hashable {
    public enum Function: Sendable, Hashable {
        case abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, erf, exp, floor, log, neg, reciprocal, round
        case sign, sin, sinh, sqrt, tan, tanh, sigmoid, relu, softplus, softsign, mish, hardSwish, square, rsqrt, not
        case isNaN
        case isInf(detectNegative: Bool, detectPositive: Bool)
        case leakyRelu(alpha: Float), elu(alpha: Float), celu(alpha: Float), selu(alpha: Float, gamma: Float)
        case thresholdedRelu(alpha: Float), hardSigmoid(alpha: Float, beta: Float), shrink(bias: Float, lambda: Float)
        case gelu(tanhApproximation: Bool), swish(alpha: Float)
    }
    public var function: Function
    public init(_ function: Function) { self.function = function }
}

/// Elementwise function of two tensors with multidirectional broadcasting.
public struct Binary: Sendable, Hashable {
    public enum Function: Sendable, Hashable {
        case add, sub, mul, div, pow, prelu, squaredDifference
        case mod(fmod: Bool), floorDiv
        case equal, greater, greaterOrEqual, less, lessOrEqual, notEqual
        case and, or, xor, bitwiseAnd, bitwiseOr, bitwiseXor
        case bitShift(left: Bool)
    }
    public var function: Function
    public init(_ function: Function) { self.function = function }
}

/// ONNX Max, Min, Sum, Mean: one or more inputs, multidirectional broadcasting.
public struct Variadic: Sendable, Hashable {
    public enum Function: Sendable, Hashable { case max, min, sum, mean }
    public var function: Function
    public init(_ function: Function) { self.function = function }
}

/// ONNX Clip: inputs x, min?, max?.
public struct Clip: Sendable, Hashable { public init() {} }

/// ONNX Gemm: inputs A, B, C?.
public struct Gemm: Sendable, Hashable {
    public var alpha: Float, beta: Float, transA: Bool, transB: Bool
    public init(alpha: Float = 1, beta: Float = 1, transA: Bool = false, transB: Bool = false) {
        (self.alpha, self.beta, self.transA, self.transB) = (alpha, beta, transA, transB)
    }
}

/// ONNX MatMul (NumPy semantics).
public struct MatMul: Sendable, Hashable { public init() {} }

/// ONNX Softmax and LogSoftmax (opset 13 meaning: along one axis).
public struct Softmax: Sendable, Hashable {
    public var axis: Int, isLog: Bool
    public init(axis: Int = -1, isLog: Bool = false) { (self.axis, self.isLog) = (axis, isLog) }
}

/// ONNX Reduce…: inputs data, axes?.
public struct Reduce: Sendable, Hashable {
    public enum Function: Sendable, Hashable {
        case mean, sum, max, min, prod, l1, l2, logSum, logSumExp, sumSquare
    }
    public var function: Function, keepDims: Bool, noopWithEmptyAxes: Bool
    public init(_ function: Function, keepDims: Bool = true, noopWithEmptyAxes: Bool = false) {
        (self.function, self.keepDims, self.noopWithEmptyAxes) = (function, keepDims, noopWithEmptyAxes)
    }
}

/// ONNX ArgMax and ArgMin; the output is int64.
public struct ArgReduce: Sendable, Hashable {
    public var isMax: Bool, axis: Int, keepDims: Bool, selectLastIndex: Bool
    public init(isMax: Bool, axis: Int = 0, keepDims: Bool = true, selectLastIndex: Bool = false) {
        (self.isMax, self.axis, self.keepDims, self.selectLastIndex) = (isMax, axis, keepDims, selectLastIndex)
    }
}

/// ONNX Resize: inputs x, roi?, scales?, sizes?. Mode and rounding as in the ONNX specification; TFLite's
/// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR map on to `halfPixel`, `alignCorners` or `asymmetric`.
public struct Resize: Sendable, Hashable {
    public enum Mode: Sendable, Hashable { case nearest, linear, cubic(coefficientA: Float, excludeOutside: Bool) }
    public enum Coordinates: Sendable, Hashable {
        case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric, tfCropAndResize, tfHalfPixelForNN
    }
    public enum NearestRounding: Sendable, Hashable { case roundPreferFloor, roundPreferCeil, floor, ceil }
    public enum AspectPolicy: Sendable, Hashable { case stretch, notLarger, notSmaller }
    public var mode: Mode, coordinates: Coordinates, nearestRounding: NearestRounding, antialias: Bool
    public var axes: [Int]?, aspect: AspectPolicy, extrapolationValue: Float
    public init(
        mode: Mode = .nearest, coordinates: Coordinates = .halfPixel, nearestRounding: NearestRounding = .roundPreferFloor,
        antialias: Bool = false, axes: [Int]? = nil, aspect: AspectPolicy = .stretch, extrapolationValue: Float = 0
    ) {
        (self.mode, self.coordinates, self.nearestRounding) = (mode, coordinates, nearestRounding)
        (self.antialias, self.axes, self.aspect, self.extrapolationValue) = (antialias, axes, aspect, extrapolationValue)
    }
}

public struct Reshape: Sendable, Hashable {
    public var allowZero: Bool
    public init(allowZero: Bool = false) { self.allowZero = allowZero }
}
public struct Transpose: Sendable, Hashable {
    /// Nil reverses the axes.
    public var permutation: [Int]?
    public init(permutation: [Int]? = nil) { self.permutation = permutation }
}
public struct Concat: Sendable, Hashable {
    public var axis: Int
    public init(axis: Int) { self.axis = axis }
}
/// ONNX Split: inputs x, split?.
public struct Split: Sendable, Hashable {
    public var axis: Int, numOutputs: Int?
    public init(axis: Int = 0, numOutputs: Int? = nil) { (self.axis, self.numOutputs) = (axis, numOutputs) }
}
/// ONNX Slice: inputs data, starts, ends, axes?, steps?.
public struct Slice: Sendable, Hashable { public init() {} }
/// ONNX Pad: inputs data, pads, value?, axes?.
public struct Pad: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable { case constant, reflect, edge, wrap }
    public var mode: Mode
    public init(mode: Mode = .constant) { self.mode = mode }
}
public struct Gather: Sendable, Hashable {
    public var axis: Int
    public init(axis: Int = 0) { self.axis = axis }
}
/// ONNX Squeeze: inputs data, axes?.
public struct Squeeze: Sendable, Hashable { public init() {} }
/// ONNX Unsqueeze: inputs data, axes.
public struct Unsqueeze: Sendable, Hashable { public init() {} }
public struct Flatten: Sendable, Hashable {
    public var axis: Int
    public init(axis: Int = 1) { self.axis = axis }
}
/// ONNX Expand: inputs data, shape.
public struct Expand: Sendable, Hashable { public init() {} }
/// ONNX Tile: inputs data, repeats.
public struct Tile: Sendable, Hashable { public init() {} }
public struct Cast: Sendable, Hashable {
    public var to: ElementType, saturate: Bool
    public init(to: ElementType, saturate: Bool = true) { (self.to, self.saturate) = (to, saturate) }
}
public struct Identity: Sendable, Hashable { public init() {} }
public struct Shape: Sendable, Hashable {
    public var start: Int, end: Int?
    public init(start: Int = 0, end: Int? = nil) { (self.start, self.end) = (start, end) }
}
/// ONNX DepthToSpace. TFLite's is `.dcr` on channels-last data.
public struct DepthToSpace: Sendable, Hashable {
    public enum Mode: Sendable, Hashable { case dcr, crd }
    public var blockSize: Int, mode: Mode, layout: Layout
    public init(blockSize: Int, mode: Mode = .dcr, layout: Layout = .channelsFirst) {
        (self.blockSize, self.mode, self.layout) = (blockSize, mode, layout)
    }
}
public struct SpaceToDepth: Sendable, Hashable {
    public var blockSize: Int, layout: Layout
    public init(blockSize: Int, layout: Layout = .channelsFirst) { (self.blockSize, self.layout) = (blockSize, layout) }
}
/// TFLite SPACE_TO_BATCH_ND: inputs x [batch, spatial…, rest], block shape, paddings [[begin, end]…].
public struct SpaceToBatch: Sendable, Hashable { public init() {} }
/// TFLite BATCH_TO_SPACE_ND: inputs x, block shape, crops.
public struct BatchToSpace: Sendable, Hashable { public init() {} }

/// ONNX QuantizeLinear: inputs x, scale, zeroPoint?.
public struct QuantizeLinear: Sendable, Hashable {
    public var axis: Int, blockSize: Int, outputType: ElementType?
    public init(axis: Int = 1, blockSize: Int = 0, outputType: ElementType? = nil) {
        (self.axis, self.blockSize, self.outputType) = (axis, blockSize, outputType)
    }
}
/// ONNX DequantizeLinear: inputs x, scale, zeroPoint?.
public struct DequantizeLinear: Sendable, Hashable {
    public var axis: Int, blockSize: Int
    public init(axis: Int = 1, blockSize: Int = 0) { (self.axis, self.blockSize) = (axis, blockSize) }
}

/// TFLite_Detection_PostProcess: inputs box encodings [1, anchors, 4], class scores [1, anchors, classes(+1)], anchors
/// [anchors, 4] (ycenter, xcenter, h, w). Outputs boxes [1, n, 4] (ymin, xmin, ymax, xmax), classes [1, n], scores [1, n],
/// count [1], all float32.
public struct DetectionPostProcess: Sendable, Hashable {
    public var maxDetections: Int, maxClassesPerDetection: Int, detectionsPerClass: Int, usesRegularNMS: Bool
    public var scoreThreshold: Float, iouThreshold: Float, classCount: Int
    public var yScale: Float, xScale: Float, hScale: Float, wScale: Float
    public init(
        maxDetections: Int, maxClassesPerDetection: Int, detectionsPerClass: Int = 100, usesRegularNMS: Bool = false,
        scoreThreshold: Float, iouThreshold: Float, classCount: Int, yScale: Float, xScale: Float, hScale: Float,
        wScale: Float
    ) {
        (self.maxDetections, self.maxClassesPerDetection, self.detectionsPerClass) =
            (maxDetections, maxClassesPerDetection, detectionsPerClass)
        (self.usesRegularNMS, self.scoreThreshold, self.iouThreshold, self.classCount) =
            (usesRegularNMS, scoreThreshold, iouThreshold, classCount)
        (self.yScale, self.xScale, self.hScale, self.wScale) = (yScale, xScale, hScale, wScale)
    }
}
