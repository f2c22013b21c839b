import Engine
import Graph
import NestFormat

/// What lowering gives: the plan, the weights section, and the facts that reports show.
public struct LoweredModel: Sendable {
    public var plan: Plan
    public var weights: [UInt8]
    public var memory: MemoryPlanner.Plan
    /// Nodes that run in float32 in a model that has integer layers, in execution order.
    public var floatNodes: [FloatNode]
    /// Bytes of int8 weights and int32 biases before padding: the floor of the file's size.
    public var parameterBytes: Int
    /// Integer layers with pruned blocks, in execution order.
    public var sparseChoices: [SparseChoice]

    public struct FloatNode: Sendable, Hashable {
        /// The layer's name in the plan: that of the last node fused into it.
        public var name: String
        public var sourceOperator: String
        public var reason: String
        /// The plan's operations that it takes, conversions to and from float32 included.
        public var operations: Range<Int>
    }
}

/// Turns a channels-last, annotated graph into device operations. The walk is made twice: first to learn the lifetimes of
/// buffers, then with the offsets that the memory planner chose.
final class Lowering {
    struct Buffer {
        var byteCount: Int
        var firstStep = Int.max
        var lastStep = -1
    }

    let source: ChannelsLastGraph
    var graph: Graph
    let index: GraphIndex
    var weights = WeightsBuilder()
    var operations: [PlannedOperation] = []
    var buffers: [Buffer] = []
    let offsets: [Int]?
    var locations: [ValueID: Location] = [:]
    var reals: [ValueID: Location] = [:]
    /// The value that a destination was made for.
    var owners: [Location: ValueID] = [:]
    var skipped: Set<Int> = []
    var problems: [GraphProblem] = []
    var floatNodes: [LoweredModel.FloatNode] = []
    var parameterBytes = 0
    let sparsePolicy: SparsePolicy
    let target: SparseTarget
    var sparseChoices: [SparseChoice] = []
    /// Values whose elements lie inside a concat's output: that output and the element offset of the slot.
    var slots: [ValueID: (parent: ValueID, elements: Int, isChannelSlice: Bool)] = [:]
    var currentNode: Node?

    private init(_ source: ChannelsLastGraph, sparse: SparsePolicy, target: SparseTarget, offsets: [Int]?) {
        self.source = source
        (sparsePolicy, self.target) = (sparse, target)
        graph = source.graph
        graph.requantizeBeforeConcats()
        index = GraphIndex(graph)
        self.offsets = offsets
    }

    /// - Throws: `GraphProblems` with every node that the device can't run.
    static func lower(
        _ source: ChannelsLastGraph, sparse: SparsePolicy = .auto, target: SparseTarget = .x86
    ) throws -> LoweredModel {
        let survey = Lowering(source, sparse: sparse, target: target, offsets: nil)
        _ = survey.walk()
        guard survey.problems.isEmpty else { throw GraphProblems(survey.problems) }
        let memory = MemoryPlanner.plan(
            survey.buffers.map {
                .init(byteCount: $0.byteCount, firstStep: min($0.firstStep, $0.lastStep), lastStep: max($0.lastStep, 0))
            })
        let final = Lowering(source, sparse: sparse, target: target, offsets: memory.offsets)
        let ports = final.walk()
        precondition(final.buffers.count == survey.buffers.count, "both walks make the same buffers")
        return LoweredModel(
            plan: Plan(
                arenaBytes: memory.arenaBytes, inputs: ports.inputs, outputs: ports.outputs, operations: final.operations),
            weights: final.weights.bytes, memory: memory, floatNodes: final.floatNodes,
            parameterBytes: final.parameterBytes, sparseChoices: final.sparseChoices)
    }

    // MARK: The walk

    private func walk() -> (inputs: [PortDescriptor], outputs: [PortDescriptor]) {
        chooseSlots()
        var inputs: [PortDescriptor] = []
        for (port, layout) in zip(graph.inputs, source.inputs) {
            guard let type = storedType(port.value) else {
                problem(graph.inputs.isEmpty ? nil : nil, "input \"\(port.name)\"", "float32, int32 or 8-bit integers",
                    "\(graph[port.value].elementType)", "Convert the model's input to one of these types.")
                continue
            }
            let location = newLocation(type: type, shape: graph.extents(port.value))
            buffers[location.buffer].firstStep = 0
            buffers[location.buffer].lastStep = 0
            locations[port.value] = location
            inputs.append(descriptor(port, layout, location))
        }
        for position in graph.nodes.indices where !skipped.contains(position) {
            currentNode = graph.nodes[position]
            let (firstOperation, firstNote) = (operations.count, floatNodes.count)
            lower(graph.nodes[position], at: position)
            for note in firstNote..<floatNodes.count {
                floatNodes[note].operations = firstOperation..<operations.count
                // Conversions go by their node's name and a suffix; the layer itself by that of the value that it makes.
                let layer = operations[firstOperation...].last { !$0.name.hasSuffix("quantize") }
                if let layer { floatNodes[note].name = layer.name }
            }
        }
        currentNode = nil
        guard problems.isEmpty else { return ([], []) }
        var outputs: [PortDescriptor] = []
        let places = graph.outputs.map { portLocation($0.value) }
        // Only now: each of the copies that made these places is a step that must spare the others.
        for place in places { keepToEnd(place.buffer) }
        for (number, port) in graph.outputs.enumerated() {
            outputs.append(descriptor(port, source.outputs[number], places[number]))
        }
        return (inputs, outputs)
    }

    private func keepToEnd(_ buffer: Int) { buffers[buffer].lastStep = operations.count }

    /// A dense, aligned place of a graph output.
    private func portLocation(_ id: ValueID) -> Location {
        let location = location(of: id)
        if location.isDense, location.offset % MemoryPlanner.alignment == 0,
            !graph.inputs.contains(where: { $0.value == id })
        {
            return location
        }
        return copied(location, name: graph[id].name)
    }

    private func descriptor(_ port: Port, _ layout: ChannelsLastGraph.PortLayout, _ location: Location) -> PortDescriptor {
        let external: DeviceType =
            switch port.elementType {
            case .uint8: .uint8
            case .int8: .int8
            case .bool: .bool
            case .int64: .int64
            case .int32: .int32
            default: .float32
            }
        let parameters = Int8Parameters(graph[port.value].quantization)
        let isUnsigned = graph[port.value].quantization?.elementType == .uint8 || external == .uint8
        let stored = location.type
        return PortDescriptor(
            name: port.name, shape: layout.shape, externalType: stored == .int8 && isUnsigned && external != .float32 ? .uint8 : external,
            storedType: stored, arenaOffset: absolute(location), permutation: layout.order,
            scale: parameters?.scale ?? 0, zeroPoint: parameters?.zeroPoint ?? 0)
    }

    // MARK: Problems

    func problem(_ node: Node?, _ subject: String, _ expected: String, _ found: String, _ remedy: String = "") {
        problems.append(
            GraphProblem(
                nodeName: node?.name ?? "", sourceOperator: node?.sourceOperator ?? "", subject: subject,
                expected: expected, found: found, remedy: remedy))
        for case let output? in node?.outputs ?? [] where locations[output] == nil {
            locations[output] = newLocation(type: storedType(output) ?? .float32, shape: graph.extents(output))
        }
    }

    // MARK: Places

    /// Type of a value in memory; nil when the device has none for it.
    func storedType(_ id: ValueID) -> DeviceType? {
        let value = graph[id]
        if let quantization = value.quantization {
            return Int8Parameters(quantization) == nil ? nil : .int8
        }
        switch value.elementType {
        case .float32, .float16, .bfloat16, .float64: return .float32
        case .int32, .int64, .int16, .uint16, .uint32: return .int32
        case .bool, .int8: return .int8
        case .uint8, .uint64: return nil
        }
    }

    func newBuffer(byteCount: Int) -> Int {
        buffers.append(Buffer(byteCount: byteCount))
        return buffers.count - 1
    }

    func newLocation(type: DeviceType, shape: [Int]) -> Location {
        let count = shape.reduce(1, *)
        return Location(
            buffer: newBuffer(byteCount: count * type.byteCount), offset: 0, pixelStride: shape.last ?? 1, type: type,
            shape: shape)
    }

    /// Byte offset in the arena.
    func absolute(_ location: Location) -> Int { (offsets?[location.buffer] ?? 0) + location.offset }

    /// Where `id` is; constants are brought into the arena.
    func location(of id: ValueID) -> Location {
        if let known = locations[id] { return known }
        precondition(graph[id].constant != nil, "value \(graph[id].name) is read before it is made")
        let location = materializedConstant(id)
        return location
    }

    /// Where the value that is about to be made shall be written: inside a concat's output when it has a slot there.
    func destination(_ id: ValueID) -> Location {
        if let known = locations[id] { return known }
        let shape = graph.extents(id)
        let type = storedType(id) ?? .float32
        if let slot = slots[id] {
            let parent = destination(slot.parent)
            let location: Location
            if slot.isChannelSlice {
                location = Location(
                    buffer: parent.buffer, offset: parent.offset + slot.elements * type.byteCount,
                    pixelStride: parent.isDense ? parent.channels : parent.pixelStride, type: type, shape: shape)
            } else {
                let rows = parent.channels == 0 ? 0 : slot.elements / parent.channels
                location = Location(
                    buffer: parent.buffer, offset: parent.offset + rows * parent.pixelStride * type.byteCount,
                    pixelStride: parent.pixelStride, type: type, shape: shape)
            }
            locations[id] = location
            owners[location] = id
            return location
        }
        let location = newLocation(type: type, shape: shape)
        locations[id] = location
        owners[location] = id
        return location
    }

    /// Name of the node that makes a value in the source: what the step that writes it is called.
    func nodeName(_ id: ValueID) -> String? { index.producer[id].map { graph.nodes[$0].name } }

    /// Records an operation with what it reads and writes.
    func emit(_ operation: Operation, reads: [Location], writes: [Location], name: String? = nil) {
        let step = operations.count
        for location in reads + writes {
            buffers[location.buffer].firstStep = min(buffers[location.buffer].firstStep, step)
            buffers[location.buffer].lastStep = max(buffers[location.buffer].lastStep, step)
        }
        let value = writes.first.flatMap { owners[$0] }
        let result = value.flatMap { Int8Parameters(graph[$0].quantization) }
        let name = name ?? value.flatMap(nodeName) ?? currentNode?.name ?? ""
        operations.append(
            PlannedOperation(
                name: name, operation: operation, resultScale: result?.scale ?? 0,
                resultZeroPoint: result?.zeroPoint ?? 0))
    }

    func noteFloat(_ node: Node, _ reason: String) {
        floatNodes.append(.init(name: node.name, sourceOperator: node.sourceOperator, reason: reason, operations: 0..<0))
    }

    // MARK: Views

    /// The location as a feature map: axes before the last two are folded into the height.
    func featureMap(_ location: Location) -> FeatureMap {
        let shape = location.shape
        let width = shape.count >= 2 ? shape[shape.count - 2] : 1
        let height = shape.count >= 3 ? shape[..<(shape.count - 2)].reduce(1, *) : 1
        return FeatureMap(
            offset: absolute(location), height: height, width: width, channels: location.channels,
            pixelStride: location.pixels <= 1 ? location.channels : location.pixelStride)
    }

    /// The location with its elements next to each other: itself, or a copy.
    func dense(_ location: Location) -> Location {
        location.isDense ? location : copied(location, name: currentNode?.name ?? "copy")
    }

    func copied(_ location: Location, name: String) -> Location {
        let target = newLocation(type: location.type, shape: location.shape)
        copy(from: location, to: target, name: name)
        return target
    }

    func copy(from source: Location, to target: Location, name: String? = nil) {
        emitCopy(
            extents: source.shape, bytes: source.type.byteCount, source: source, sourceStrides: source.strides,
            target: target, targetStrides: target.strides, name: name)
    }

    /// A strided copy with as few axes as possible.
    func emitCopy(
        extents: [Int], bytes: Int, source: Location, sourceElements: Int = 0, sourceStrides: [Int], target: Location,
        targetElements: Int = 0, targetStrides: [Int], name: String? = nil
    ) {
        let folded = collapse(extents, [sourceStrides, targetStrides])
        guard folded.extents.count <= 6 else {
            return problem(currentNode, "data movement", "at most 6 separate axes", "\(folded.extents.count)")
        }
        emit(
            .stridedCopy(
                StridedCopy(
                    elementBytes: bytes, extents: folded.extents, sourceOffset: absolute(source) + sourceElements * bytes,
                    sourceStrides: folded.strides[0], destinationOffset: absolute(target) + targetElements * bytes,
                    destinationStrides: folded.strides[1])),
            reads: [source], writes: [target], name: name)
    }

    /// Joins neighbouring axes that all operands walk through in one stride; axes of extent 1 vanish.
    func collapse(_ extents: [Int], _ strides: [[Int]]) -> (extents: [Int], strides: [[Int]]) {
        var outExtents: [Int] = []
        var outStrides = [[Int]](repeating: [], count: strides.count)
        for axis in extents.indices where extents[axis] != 1 {
            if let last = outExtents.last,
                strides.indices.allSatisfy({ outStrides[$0].last! == strides[$0][axis] * extents[axis] })
            {
                outExtents[outExtents.count - 1] = last * extents[axis]
                for operand in strides.indices { outStrides[operand][outExtents.count - 1] = strides[operand][axis] }
            } else {
                outExtents.append(extents[axis])
                for operand in strides.indices { outStrides[operand].append(strides[operand][axis]) }
            }
        }
        if outExtents.isEmpty { return ([1], strides.map { _ in [1] }) }
        return (outExtents, outStrides)
    }

    // MARK: Types

    /// The value as float32 in the arena: itself, or dequantized (once).
    func real(_ id: ValueID) -> Location {
        let location = location(of: id)
        guard location.type != .float32 else { return location }
        if let known = reals[id] { return known }
        let target = newLocation(type: .float32, shape: location.shape)
        let name = (currentNode?.name ?? graph[id].name) + "/dequantize"
        if location.type == .int8 {
            let codes = Int8Parameters(graph[id].quantization)?.codebook ?? (-128...127).map { Float($0) }
            emitTable(codes, from: location, to: target, name: name)
        } else {
            let packed = dense(location)
            emit(
                .convert(
                    Convert(
                        from: .int32, to: .float32, count: packed.count, inputOffset: absolute(packed),
                        outputOffset: absolute(target))),
                reads: [packed], writes: [target], name: name)
        }
        reals[id] = target
        return target
    }

    func emitTable(_ entries: [Float], from input: Location, to output: Location, name: String? = nil) {
        emit(
            .tableLookup(
                TableLookup(
                    input: featureMap(input), output: featureMap(output), outputType: .float32,
                    tableOffset: weights.append(entries))),
            reads: [input], writes: [output], name: name)
    }

    func emitTable(_ entries: [Int8], from input: Location, to output: Location, name: String? = nil) {
        emit(
            .tableLookup(
                TableLookup(
                    input: featureMap(input), output: featureMap(output), outputType: .int8,
                    tableOffset: weights.append(entries))),
            reads: [input], writes: [output], name: name)
    }

    /// Writes float32 results of a node: `body` fills a float location, which is then quantized when the value is int8.
    func writingReal(_ id: ValueID, dense needsDense: Bool = true, _ body: (Location) -> Void) {
        let target = destination(id)
        if target.type == .float32, target.isDense || !needsDense { return body(target) }
        let temporary = newLocation(type: .float32, shape: target.shape)
        body(temporary)
        if target.type == .float32 { return copy(from: temporary, to: target) }
        guard let parameters = Int8Parameters(graph[id].quantization) else {
            return problem(
                currentNode, "output \"\(graph[id].name)\"", "float32 or 8-bit quantization", "\(graph[id].elementType)")
        }
        let packed = target.isDense ? target : newLocation(type: .int8, shape: target.shape)
        emit(
            .convert(
                Convert(
                    from: .float32, to: .int8, count: temporary.count, inputOffset: absolute(temporary),
                    outputOffset: absolute(packed), inverseScale: 1 / parameters.scale, zeroPoint: parameters.zeroPoint)),
            reads: [temporary], writes: [packed], name: (currentNode?.name ?? "") + "/quantize")
        if packed.buffer != target.buffer { copy(from: packed, to: target) }
    }

    /// Writes dense results of the value's own type: straight into place, or by way of a copy into a slot.
    func writingDense(_ id: ValueID, _ body: (Location) -> Void) {
        let target = destination(id)
        if target.isDense { return body(target) }
        let temporary = newLocation(type: target.type, shape: target.shape)
        body(temporary)
        copy(from: temporary, to: target)
    }

    /// Copies a constant from the weights section into the arena.
    private func materializedConstant(_ id: ValueID) -> Location {
        let location = newLocation(type: storedType(id) ?? .float32, shape: graph.extents(id))
        guard let offset = constantOffset(id) else { return location }
        emit(
            .stridedCopy(
                StridedCopy(
                    elementBytes: location.type.byteCount, extents: [max(1, location.count)], sourceSpace: .weights,
                    sourceOffset: offset, sourceStrides: [1], destinationOffset: absolute(location),
                    destinationStrides: [1])),
            reads: [], writes: [location], name: graph[id].name)
        return location
    }

    /// Offset in the weights section of a constant in its stored type.
    func constantOffset(_ id: ValueID) -> Int? {
        guard let tensor = graph[id].constant, let type = storedType(id) else { return nil }
        switch type {
        case .float32: return weights.append(graph.realConstant(id)!)
        case .int32: return weights.append(tensor.asInts.map { Int32(clamping: $0) })
        default:
            let shift = graph[id].quantization?.elementType == .uint8 ? 128 : 0
            return weights.append(tensor.asInts.map { Int8(clamping: $0 - shift) })
        }
    }
}
