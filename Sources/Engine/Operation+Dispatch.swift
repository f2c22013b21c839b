import Kernels
import NestFormat

// The one place where the closed set of operators is listed: adding one means a case here and in `Operation`.

extension Operation {
    /// Number of the operator in the plan section. Never renumber.
    var tag: UInt16 {
        switch self {
        case .convolution: 1
        case .depthwiseConvolution: 2
        case .floatConvolution: 3
        case .elementwiseBinary: 4
        case .elementwiseUnary: 5
        case .tableLookup: 6
        case .convert: 7
        case .pooling: 8
        case .reduction: 9
        case .argReduction: 10
        case .softmax: 11
        case .stridedCopy: 12
        case .fill: 13
        case .resize: 14
        case .matrixProduct: 15
        case .gatherSlices: 16
        case .detection: 17
        case .select: 18
        case .sparseConvolution: 19
        }
    }

    /// What the operator does, for reports.
    public var kindName: StaticString {
        switch self {
        case .convolution: "convolution"
        case .depthwiseConvolution: "depthwise convolution"
        case .floatConvolution: "float convolution"
        case .elementwiseBinary: "elementwise"
        case .elementwiseUnary: "function"
        case .tableLookup: "table"
        case .convert: "convert"
        case .pooling: "pool"
        case .reduction: "reduction"
        case .argReduction: "index reduction"
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

    init(tag: UInt16, decoding reader: inout ByteReader) throws(LoadError) {
        switch tag {
        case 1: self = .convolution(try Convolution(decoding: &reader))
        case 2: self = .depthwiseConvolution(try DepthwiseConvolution(decoding: &reader))
        case 3: self = .floatConvolution(try FloatConvolution(decoding: &reader))
        case 4: self = .elementwiseBinary(try ElementwiseBinary(decoding: &reader))
        case 5: self = .elementwiseUnary(try ElementwiseUnary(decoding: &reader))
        case 6: self = .tableLookup(try TableLookup(decoding: &reader))
        case 7: self = .convert(try Convert(decoding: &reader))
        case 8: self = .pooling(try Pooling(decoding: &reader))
        case 9: self = .reduction(try Reduction(decoding: &reader))
        case 10: self = .argReduction(try ArgReduction(decoding: &reader))
        case 11: self = .softmax(try SoftmaxOperation(decoding: &reader))
        case 12: self = .stridedCopy(try StridedCopy(decoding: &reader))
        case 13: self = .fill(try Fill(decoding: &reader))
        case 14: self = .resize(try ResizeOperation(decoding: &reader))
        case 15: self = .matrixProduct(try MatrixProduct(decoding: &reader))
        case 16: self = .gatherSlices(try GatherSlices(decoding: &reader))
        case 17: self = .detection(try DetectionOperation(decoding: &reader))
        case 18: self = .select(try Select(decoding: &reader))
        case 19: self = .sparseConvolution(try SparseConvolution(decoding: &reader))
        default: throw reader.malformed("unknown operator")
        }
    }

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .convolution(let operation): operation.encode(into: &writer)
        case .depthwiseConvolution(let operation): operation.encode(into: &writer)
        case .floatConvolution(let operation): operation.encode(into: &writer)
        case .elementwiseBinary(let operation): operation.encode(into: &writer)
        case .elementwiseUnary(let operation): operation.encode(into: &writer)
        case .tableLookup(let operation): operation.encode(into: &writer)
        case .convert(let operation): operation.encode(into: &writer)
        case .pooling(let operation): operation.encode(into: &writer)
        case .reduction(let operation): operation.encode(into: &writer)
        case .argReduction(let operation): operation.encode(into: &writer)
        case .softmax(let operation): operation.encode(into: &writer)
        case .stridedCopy(let operation): operation.encode(into: &writer)
        case .fill(let operation): operation.encode(into: &writer)
        case .resize(let operation): operation.encode(into: &writer)
        case .matrixProduct(let operation): operation.encode(into: &writer)
        case .gatherSlices(let operation): operation.encode(into: &writer)
        case .detection(let operation): operation.encode(into: &writer)
        case .select(let operation): operation.encode(into: &writer)
        case .sparseConvolution(let operation): operation.encode(into: &writer)
        }
    }

    func check(_ checker: PlanChecker) throws(LoadError) {
        switch self {
        case .convolution(let operation): try operation.check(checker)
        case .depthwiseConvolution(let operation): try operation.check(checker)
        case .floatConvolution(let operation): try operation.check(checker)
        case .elementwiseBinary(let operation): try operation.check(checker)
        case .elementwiseUnary(let operation): try operation.check(checker)
        case .tableLookup(let operation): try operation.check(checker)
        case .convert(let operation): try operation.check(checker)
        case .pooling(let operation): try operation.check(checker)
        case .reduction(let operation): try operation.check(checker)
        case .argReduction(let operation): try operation.check(checker)
        case .softmax(let operation): try operation.check(checker)
        case .stridedCopy(let operation): try operation.check(checker)
        case .fill(let operation): try operation.check(checker)
        case .resize(let operation): try operation.check(checker)
        case .matrixProduct(let operation): try operation.check(checker)
        case .gatherSlices(let operation): try operation.check(checker)
        case .detection(let operation): try operation.check(checker)
        case .select(let operation): try operation.check(checker)
        case .sparseConvolution(let operation): try operation.check(checker)
        }
    }

    /// Cost of a run in multiply-accumulates, or their like.
    var work: UInt64 {
        switch self {
        case .convolution(let operation): operation.work
        case .depthwiseConvolution(let operation): operation.work
        case .floatConvolution(let operation): operation.work
        case .elementwiseBinary(let operation): operation.work
        case .elementwiseUnary(let operation): operation.work
        case .tableLookup(let operation): operation.work
        case .convert(let operation): operation.work
        case .pooling(let operation): operation.work
        case .reduction(let operation): operation.work
        case .argReduction(let operation): operation.work
        case .softmax(let operation): operation.work
        case .stridedCopy(let operation): operation.work
        case .fill(let operation): operation.work
        case .resize(let operation): operation.work
        case .matrixProduct(let operation): operation.work
        case .gatherSlices(let operation): operation.work
        case .detection(let operation): operation.work
        case .select(let operation): operation.work
        case .sparseConvolution(let operation): operation.work
        }
    }

    public var resultType: DeviceType {
        switch self {
        case .convolution(let operation): operation.resultType
        case .depthwiseConvolution(let operation): operation.resultType
        case .floatConvolution(let operation): operation.resultType
        case .elementwiseBinary(let operation): operation.resultType
        case .elementwiseUnary(let operation): operation.resultType
        case .tableLookup(let operation): operation.resultType
        case .convert(let operation): operation.resultType
        case .pooling(let operation): operation.resultType
        case .reduction(let operation): operation.resultType
        case .argReduction(let operation): operation.resultType
        case .softmax(let operation): operation.resultType
        case .stridedCopy(let operation): operation.resultType
        case .fill(let operation): operation.resultType
        case .resize(let operation): operation.resultType
        case .matrixProduct(let operation): operation.resultType
        case .gatherSlices(let operation): operation.resultType
        case .detection(let operation): operation.resultType
        case .select(let operation): operation.resultType
        case .sparseConvolution(let operation): operation.resultType
        }
    }

    func forEachResultPiece(_ body: (_ offset: Int, _ byteCount: Int) -> Void) {
        switch self {
        case .convolution(let operation): operation.forEachResultPiece(body)
        case .depthwiseConvolution(let operation): operation.forEachResultPiece(body)
        case .floatConvolution(let operation): operation.forEachResultPiece(body)
        case .elementwiseBinary(let operation): operation.forEachResultPiece(body)
        case .elementwiseUnary(let operation): operation.forEachResultPiece(body)
        case .tableLookup(let operation): operation.forEachResultPiece(body)
        case .convert(let operation): operation.forEachResultPiece(body)
        case .pooling(let operation): operation.forEachResultPiece(body)
        case .reduction(let operation): operation.forEachResultPiece(body)
        case .argReduction(let operation): operation.forEachResultPiece(body)
        case .softmax(let operation): operation.forEachResultPiece(body)
        case .stridedCopy(let operation): operation.forEachResultPiece(body)
        case .fill(let operation): operation.forEachResultPiece(body)
        case .resize(let operation): operation.forEachResultPiece(body)
        case .matrixProduct(let operation): operation.forEachResultPiece(body)
        case .gatherSlices(let operation): operation.forEachResultPiece(body)
        case .detection(let operation): operation.forEachResultPiece(body)
        case .select(let operation): operation.forEachResultPiece(body)
        case .sparseConvolution(let operation): operation.forEachResultPiece(body)
        }
    }

    /// Multiply-accumulates of a convolution or matrix product; 0 for other operators.
    public var multiplyAccumulates: UInt64 {
        switch self {
        case .convolution(let operation): operation.work
        case .depthwiseConvolution(let operation): operation.work
        case .floatConvolution(let operation): operation.work
        case .matrixProduct(let operation): operation.work
        case .sparseConvolution(let operation): operation.work
        default: 0
        }
    }
}

/// The kernels of a convolution, chosen once. Indirect: a run passes them on for every part, which would copy a kilobyte.
indirect enum ChosenKernels {
    case none
    case integer(Kernels.Convolution)
    case float(Kernels.FloatConvolution)
    case sparse(Kernels.SparseConvolution)

    /// Bytes that a session prepares for them, a multiple of 64.
    var preparedByteCount: Int {
        switch self {
        case .integer(let chosen): chosen.preparedByteCount
        case .sparse(let chosen): chosen.preparedByteCount
        case .none, .float: 0
        }
    }
}

extension Operation {
    func chooseKernels(_ kernels: KernelSet, weights: UnsafeRawPointer) -> ChosenKernels {
        switch self {
        case .convolution(let operation): .integer(operation.selectKernels(kernels, weights: weights))
        case .depthwiseConvolution(let operation): .integer(operation.selectKernels(kernels, weights: weights))
        case .floatConvolution(let operation):
            .float(Kernels.FloatConvolution(operation.geometry, kernels: kernels))
        case .sparseConvolution(let operation):
            .sparse(operation.selectKernels(kernels, weights: weights))
        default: .none
        }
    }

    /// Where the weights section holds the table of int8 that the operation looks its results up in, if there is one.
    private var tableOffset: Int? {
        switch self {
        case .convolution(let operation): operation.tableOffset
        case .depthwiseConvolution(let operation): operation.tableOffset
        case .sparseConvolution(let operation): operation.tableOffset
        case .tableLookup(let operation): operation.outputType == .int8 ? operation.tableOffset : nil
        default: nil
        }
    }

    /// Bytes that a session prepares for the operation, a multiple of 64: those of `chosen`, then those of a table.
    func preparedByteCount(_ chosen: ChosenKernels, _ kernels: KernelSet) -> Int {
        chosen.preparedByteCount + (tableOffset == nil ? 0 : kernels.preparedTableByteCount)
    }

    /// Fills the `preparedByteCount` bytes at `memory` with what runs of this operation read.
    func prepare(
        _ chosen: ChosenKernels, _ kernels: KernelSet, weights: UnsafeRawPointer, into memory: UnsafeMutableRawPointer
    ) {
        prepare(chosen, weights: weights, into: memory)
        guard let tableOffset, kernels.preparedTableByteCount > 0 else { return }
        kernels.prepareTable(
            (weights + tableOffset).assumingMemoryBound(to: Int8.self), into: memory + chosen.preparedByteCount)
    }

    private func prepare(_ kernels: ChosenKernels, weights: UnsafeRawPointer, into memory: UnsafeMutableRawPointer) {
        switch (self, kernels) {
        case (.convolution(let operation), .integer(let chosen)):
            operation.prepare(chosen, weights: weights, into: memory)
        case (.depthwiseConvolution(let operation), .integer(let chosen)):
            operation.prepare(chosen, weights: weights, into: memory)
        case (.sparseConvolution(let operation), .sparse(let chosen)):
            operation.prepare(chosen, weights: weights, into: memory)
        default: break
        }
    }

    /// Bytes of scratch that each thread needs.
    var scratchByteCount: Int {
        switch self {
        case .convolution(let operation): Kernels.Convolution.scratchByteCount(operation.geometry)
        case .depthwiseConvolution(let operation): Kernels.Convolution.scratchByteCount(operation.geometry)
        case .floatConvolution(let operation): Kernels.FloatConvolution.scratchByteCount(operation.geometry)
        case .sparseConvolution(let operation): Kernels.SparseConvolution.scratchByteCount(operation.geometry)
        case .pooling(let operation): averagePoolScratchByteCount(channels: operation.output.channels)
        case .reduction: LineShape.scratchByteCount
        default: 0
        }
    }

    func run(_ context: ExecutionContext, part: Part, kernels: ChosenKernels) {
        switch self {
        case .convolution(let operation):
            if case .integer(let chosen) = kernels { operation.run(context, part: part, kernels: chosen) }
        case .depthwiseConvolution(let operation):
            if case .integer(let chosen) = kernels { operation.run(context, part: part, kernels: chosen) }
        case .floatConvolution(let operation):
            if case .float(let chosen) = kernels { operation.run(context, part: part, kernels: chosen) }
        case .elementwiseBinary(let operation): operation.run(context, part: part)
        case .elementwiseUnary(let operation): operation.run(context, part: part)
        case .tableLookup(let operation): operation.run(context, part: part)
        case .convert(let operation): operation.run(context, part: part)
        case .pooling(let operation): operation.run(context, part: part)
        case .reduction(let operation): operation.run(context, part: part)
        case .argReduction(let operation): operation.run(context, part: part)
        case .softmax(let operation): operation.run(context, part: part)
        case .stridedCopy(let operation): operation.run(context, part: part)
        case .fill(let operation): operation.run(context, part: part)
        case .resize(let operation): operation.run(context, part: part)
        case .matrixProduct(let operation): operation.run(context, part: part)
        case .gatherSlices(let operation): operation.run(context, part: part)
        case .detection(let operation): operation.run(context, part: part)
        case .select(let operation): operation.run(context, part: part)
        case .sparseConvolution(let operation):
            if case .sparse(let chosen) = kernels { operation.run(context, part: part, kernels: chosen) }
        }
    }
}
