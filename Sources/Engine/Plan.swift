import NestFormat

/// The closed set of device operators. Indirect: a run takes each in hand for every part, without copying it.
public indirect enum Operation: Sendable, Hashable {
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
    case sparseConvolution(SparseConvolution)
}

/// One step of the plan.
public struct PlannedOperation: Sendable, Hashable {
    /// Name of the source layer whose result this step writes.
    public var name: String
    public var operation: Operation
    /// Of an int8 result: it stands for `(q - resultZeroPoint) * resultScale`. Scale 0 when there is nothing to say. For
    /// reports and comparison; the engine does not compute with it.
    public var resultScale: Float
    public var resultZeroPoint: Int32
    public init(name: String, operation: Operation, resultScale: Float = 0, resultZeroPoint: Int32 = 0) {
        (self.name, self.operation) = (name, operation)
        (self.resultScale, self.resultZeroPoint) = (resultScale, resultZeroPoint)
    }
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
