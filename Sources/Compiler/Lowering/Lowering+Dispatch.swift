import Engine
import Graph
import NestFormat

extension Lowering {
    /// Emits the operations of one node.
    func lower(_ node: Node, at position: Int) {
        for case let output? in node.outputs {
            guard graph[output].shape != nil else {
                return problem(
                    node, "output \"\(graph[output].name)\"", "a shape known at conversion", "one that depends on data",
                    "Cut the model before this node, or use the decoder of the device for what follows it.")
            }
            guard storedType(output) != nil else {
                let found = graph[output].quantization.map { "\($0.elementType) quantization" } ?? "\(graph[output].elementType)"
                return problem(
                    node, "output \"\(graph[output].name)\"", "float32, int32 or 8-bit quantization per tensor", found,
                    "Requantize the model to 8 bits, or convert its float original.")
            }
        }
        if lowerProductWithOwnFunction(node, at: position) || lowerAsTable(node) { return }
        switch node.op {
        case is Conv, is ConvTranspose, is Gemm, is MatMul: lowerConvolution(node, at: position)
        case let op as Binary: lowerBinary(node, op, at: position)
        case let op as Variadic: lowerVariadic(node, op, at: position)
        case is Unary, is Clip, is UnaryComposite: lowerUnary(node)
        case let op as Pool: lowerPool(node, op)
        case let op as GlobalPool: lowerGlobalPool(node, op)
        case let op as Reduce: lowerReduce(node, op)
        case let op as ArgReduce: lowerArgReduce(node, op)
        case let op as Softmax: lowerSoftmax(node, op)
        case let op as Resize: lowerResize(node, op)
        case is Reshape, is Identity, is Flatten, is Squeeze, is Unsqueeze, is Dropout: lowerView(node)
        case let op as Transpose: lowerTranspose(node, op)
        case let op as Concat: lowerConcat(node, op)
        case let op as Split: lowerSplit(node, op)
        case is Slice: lowerSlice(node)
        case let op as Pad: lowerPad(node, op)
        case is Expand: lowerExpand(node)
        case is Tile: lowerTile(node)
        case let op as DepthToSpace: lowerDepthToSpace(node, op)
        case let op as SpaceToDepth: lowerSpaceToDepth(node, op)
        case let op as Cast: lowerCast(node, op)
        case let op as Gather: lowerGather(node, op)
        case let op as GatherND: lowerGatherND(node, op)
        case is Where: lowerWhere(node)
        case let op as DetectionPostProcess: lowerDetection(node, op)
        default:
            problem(
                node, "operator \(node.op.name)", "an operator that the device runs", node.op.name,
                "Replace it in the model, or cut the model before it and do this step on the results.")
        }
    }
}
