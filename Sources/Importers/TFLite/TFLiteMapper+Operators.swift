import Graph

extension TFLiteMapper {
    /// Adds the nodes that do what the current operator does.
    func mapCurrent() throws(GraphProblem) {
        if current.builtinCode == TFLiteOperator.custom { return try mapCustom() }
        switch current.name {
        case "CONV_2D": try convolution()
        case "DEPTHWISE_CONV_2D": try depthwiseConvolution()
        case "TRANSPOSE_CONV": try transposedConvolution()
        case "FULLY_CONNECTED": try fullyConnected()
        case "BATCH_MATMUL": try batchMatMul()

        case "AVERAGE_POOL_2D": try pool(.average(countIncludesPadding: false))
        case "MAX_POOL_2D": try pool(.max(storageOrder: 0))
        case "L2_POOL_2D": try l2Pool()
        case "MEAN": try reduce(.mean)
        case "SUM": try reduce(.sum)
        case "REDUCE_MAX": try reduce(.max)
        case "REDUCE_MIN": try reduce(.min)
        case "REDUCE_PROD": try reduce(.prod)
        case "ARG_MAX": try argReduce(isMax: true)
        case "ARG_MIN": try argReduce(isMax: false)
        case "CUMSUM": try cumulativeSum()
        case "TOPK_V2": try topK()

        case "ADD": try binary(.add, .add)
        case "SUB": try binary(.sub, .sub)
        case "MUL": try binary(.mul, .mul)
        case "DIV": try binary(.div, .div)
        case "POW": try binary(.pow)
        case "SQUARED_DIFFERENCE": try binary(.squaredDifference)
        case "FLOOR_DIV": try binary(.floorDiv)
        case "FLOOR_MOD": try floorMod()
        case "PRELU": try binary(.prelu)
        case "EQUAL": try binary(.equal)
        case "NOT_EQUAL": try binary(.notEqual)
        case "LESS": try binary(.less)
        case "LESS_EQUAL": try binary(.lessOrEqual)
        case "GREATER": try binary(.greater)
        case "GREATER_EQUAL": try binary(.greaterOrEqual)
        case "LOGICAL_AND": try binary(.and)
        case "LOGICAL_OR": try binary(.or)
        case "MAXIMUM": try emit(Variadic(.max), [input(0), input(1)])
        case "MINIMUM": try emit(Variadic(.min), [input(0), input(1)])
        case "ADD_N": try emit(Variadic(.sum), allInputs())

        case "RELU": try activate(try input(0), .relu)
        case "RELU6": try activate(try input(0), .relu6)
        case "RELU_N1_TO_1": try activate(try input(0), .reluN1To1)
        case "RELU_0_TO_1": try clip(try input(0), 0, 1)
        case "LEAKY_RELU": try unary(.leakyRelu(alpha: try options(.leakyRelu).float(0, "alpha")))
        case "ELU": try unary(.elu(alpha: 1))
        case "GELU": try unary(.gelu(tanhApproximation: try options(.gelu).bool(0, "approximate")))
        case "HARD_SWISH": try unary(.hardSwish)
        case "LOGISTIC": try unary(.sigmoid)
        case "TANH": try unary(.tanh)
        case "EXP": try unary(.exp)
        case "LOG": try unary(.log)
        case "SQRT": try unary(.sqrt)
        case "RSQRT": try unary(.rsqrt)
        case "ABS": try unary(.abs)
        case "NEG": try unary(.neg)
        case "SIGN": try unary(.sign)
        case "SQUARE": try unary(.square)
        case "SIN": try unary(.sin)
        case "COS": try unary(.cos)
        case "FLOOR": try unary(.floor)
        case "CEIL": try unary(.ceil)
        case "ROUND": try unary(.round)
        case "LOGICAL_NOT": try unary(.not)
        case "SOFTMAX": try softmax()
        case "LOG_SOFTMAX": try emit(Softmax(axis: -1, isLog: true), [input(0)])
        case "L2_NORMALIZATION": try l2Normalization()

        case "QUANTIZE": try emit(Identity(), [input(0)])
        case "DEQUANTIZE": try dequantize()
        case "CAST": try cast()

        case "RESHAPE": try reshape()
        case "SQUEEZE": try squeeze()
        case "EXPAND_DIMS": try expandDimensions()
        case "TRANSPOSE": try transpose()
        case "SHAPE": try emit(Shape(), [input(0)])
        case "RANK": try rank()
        case "CONCATENATION": try concatenation()
        case "SPLIT": try split()
        case "SPLIT_V": try splitBySizes()
        case "PACK": try pack()
        case "UNPACK": try unpack()
        case "SLICE": try slice()
        case "STRIDED_SLICE": try stridedSlice()
        case "REVERSE_V2": try reverse()
        case "PAD", "PADV2": try pad()
        case "MIRROR_PAD": try mirrorPad()
        case "TILE": try emit(Tile(), [input(0), asInt64(1, "multiples")])
        case "BROADCAST_TO": try emit(Expand(), [input(0), asInt64(1, "shape")])
        case "FILL": try emit(Expand(), [input(1), asInt64(0, "dims")])
        case "ZEROS_LIKE": try zerosLike()
        case "RANGE": try emit(NumberRange(), [input(0), input(1), input(2)])
        case "GATHER": try gather()
        case "GATHER_ND": try emit(GatherND(), [input(0), asInt64Tensor(1, "indices")])
        case "ONE_HOT": try oneHot()
        case "SELECT", "SELECT_V2": try select()
        case "WHERE": try indicesWhereTrue()
        case "REVERSE_SEQUENCE": try reverseSequence()

        case "RESIZE_BILINEAR": try resizeBilinear()
        case "RESIZE_NEAREST_NEIGHBOR": try resizeNearest()
        case "DEPTH_TO_SPACE": try depthToSpace()
        case "SPACE_TO_DEPTH": try spaceToDepth()
        case "SPACE_TO_BATCH_ND":
            try emit(SpaceToBatch(), [input(0), asInt64Tensor(1, "block shape"), asInt64Tensor(2, "paddings")])
        case "BATCH_TO_SPACE_ND":
            try emit(BatchToSpace(), [input(0), asInt64Tensor(1, "block shape"), asInt64Tensor(2, "crops")])

        default: throw unsupported("Convert the model again without this operator.")
        }
    }

    private func mapCustom() throws(GraphProblem) {
        switch current.customCode {
        case "TFLite_Detection_PostProcess":
            try detectionPostProcess()
        case "Convolution2DTransposeBias":
            throw unsupported(
                "This is MediaPipe's own transposed convolution with bias: convert the model again with TensorFlow's "
                    + "Conv2DTranspose, which becomes TRANSPOSE_CONV.")
        default:
            throw unsupported("Convert the model again without this custom operator.")
        }
    }

    private func unsupported(_ remedy: String) -> GraphProblem {
        let isCustom = current.builtinCode == TFLiteOperator.custom
        return problem(
            "operator", expected: "one that Swiftlet has",
            found: "\(isCustom ? "the custom operator " : "")\(current.name)", remedy: remedy)
    }
}
