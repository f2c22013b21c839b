extension Operation {
    /// The operator's name in reports.
    public var name: StaticString {
        switch self {
        case .convolution: "convolution"
        case .depthwiseConvolution: "depthwise convolution"
        case .floatConvolution: "float convolution"
        case .elementwiseBinary: "elementwise"
        case .elementwiseUnary: "float function"
        case .tableLookup: "table"
        case .convert: "convert"
        case .pooling: "pool"
        case .reduction: "reduction"
        case .argReduction: "arg reduction"
        case .softmax: "softmax"
        case .stridedCopy: "copy"
        case .fill: "fill"
        case .resize: "resize"
        case .matrixProduct: "matrix product"
        case .gatherSlices: "gather"
        case .detection: "detection"
        case .select: "select"
        case .sparseConvolution: "sparse convolution"
        }
    }
}
