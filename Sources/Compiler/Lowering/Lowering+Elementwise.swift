import Engine
import Graph
import Kernels
import NestFormat

extension Lowering {
    // MARK: Clamps and tables

    /// The range that a node clamps its input to, when that is all it does.
    func clampRange(_ node: Node) -> ClosedRange<Float>? {
        switch node.op {
        case let op as Unary where op.function == .relu:
            return 0...Float.infinity
        case is Clip:
            func bound(_ position: Int, _ missing: Float) -> Float? {
                guard node.inputs.count > position, let id = node.inputs[position] else { return missing }
                guard let values = graph.realConstant(id), values.count == 1 else { return nil }
                return values[0]
            }
            guard let low = bound(1, -.infinity), let high = bound(2, .infinity), low <= high else { return nil }
            return low...high
        default:
            return nil
        }
    }

    /// The function of one int8 value that a node computes, as the reals that the 256 codes give.
    func tableValues(_ node: Node) -> (variable: ValueID, values: [Float])? {
        switch node.op {
        case is Unary, is Clip, is Binary, is Variadic, is UnaryComposite, is Identity: break
        default: return nil
        }
        guard let output = node.outputs[0] else { return nil }
        var variable: ValueID?
        for case let id? in node.inputs {
            if let constant = graph[id].constant {
                guard constant.count == 1 else { return nil }
            } else {
                guard variable == nil || variable == id else { return nil }
                variable = id
            }
        }
        guard let variable, storedType(variable) == .int8,
            let parameters = Int8Parameters(graph[variable].quantization),
            graph.extents(variable) == graph.extents(output)
        else { return nil }
        let codes = Tensor(parameters.codebook, shape: [256])
        let inputs = node.inputs.map { id -> Tensor? in
            guard let id else { return nil }
            if id == variable { return codes }
            let isScalarInput = graph[id].shape?.isEmpty ?? false
            let value = graph.realConstant(id)!
            return node.op is Clip || isScalarInput ? Tensor(scalar: value[0]) : Tensor(value, shape: [1])
        }
        guard let result = try? node.op.evaluate(inputs).first, result.count == 256 else { return nil }
        return (variable, result.asFloats)
    }

    /// LiteRT's codes of the sum or difference of an int8 value and a quantized scalar; nil when the node is something
    /// else. Halves, which all values can be when the scales are in a simple ratio, go up.
    private func codesOfSumWithScalar(_ node: Node) -> [Int8]? {
        guard graph.integerRounding == .tfLite, let op = node.op as? Binary, op.function == .add || op.function == .sub,
            let a = node.inputs[0], let b = node.inputs[1], let sum = node.outputs[0],
            let output = Int8Parameters(graph[sum].quantization), let first = Int8Parameters(graph[a].quantization),
            let second = Int8Parameters(graph[b].quantization)
        else { return nil }
        let arithmetic = SumArithmetic.FixedPoint(first, second, output, subtracts: op.function == .sub)
        func scalar(_ id: ValueID) -> Int32? {
            guard let constant = graph[id].constant, constant.count == 1 else { return nil }
            return Int32(clamping: constant.asInts[0] - (graph[id].quantization?.elementType == .uint8 ? 128 : 0))
        }
        let codes = (-128...127).map { Int32($0) }
        switch (scalar(a), scalar(b)) {
        case (nil, let y?): return codes.map { arithmetic.code($0, y, first, second, output) }
        case (let x?, nil): return codes.map { arithmetic.code(x, $0, first, second, output) }
        default: return nil
        }
    }

    /// LiteRT's codes of TFLite's QUANTIZE from one quantization to another of the same type: XNNPACK multiplies by a
    /// quotient of 8 fraction bits, halves go up. Nil when the node is something else, or the quotient is out of its range.
    private func codesOfRequantization(_ node: Node) -> [Int8]? {
        guard graph.integerRounding == .tfLite, node.op is Identity, let x = node.inputs[0], let y = node.outputs[0],
            graph[x].quantization?.elementType == graph[y].quantization?.elementType,
            let input = Int8Parameters(graph[x].quantization), let output = Int8Parameters(graph[y].quantization)
        else { return nil }
        let quotient = input.scale / output.scale
        guard quotient >= 0x1p-8, quotient <= 0x1p7 else { return nil }
        let multiplier = Int32((quotient * 256).rounded(.toNearestOrEven))
        return (-128...127).map { (code: Int32) in
            let sum = (code - input.zeroPoint) * multiplier + 128
            return Int8(max(-128, min(127, (sum >> 8) + output.zeroPoint)))
        }
    }

    /// The codes of a function of one int8 value whose reals are `values`.
    func tableCodes(_ node: Node, _ values: [Float], _ parameters: Int8Parameters) -> [Int8] {
        codesOfSumWithScalar(node) ?? codesOfRequantization(node) ?? values.map(parameters.code)
    }

    /// The codes of a quantized product of an int8 value and a quantized function of it, as SiLU is written: x · sigmoid(x).
    /// Both roundings are those of the separate operations. Nil when the node is something else.
    /// - Returns: `function`, the position of the node whose result nothing else reads.
    func codesOfProductWithOwnFunction(_ node: Node) -> (variable: ValueID, codes: [Int8], function: Int)? {
        guard let op = node.op as? Binary, op.function == .mul, let a = node.inputs[0], let b = node.inputs[1],
            let product = node.outputs[0], storedType(product) == .int8,
            let output = Int8Parameters(graph[product].quantization)
        else { return nil }
        for (variable, factor) in [(a, b), (b, a)] {
            guard let position = index.producer[factor], index.soleConsumer(of: factor) != nil,
                storedType(factor) == .int8, let inner = Int8Parameters(graph[factor].quantization),
                let (source, values) = tableValues(graph.nodes[position]), source == variable,
                graph.extents(product) == graph.extents(variable),
                let outer = Int8Parameters(graph[variable].quantization)
            else { continue }
            // As ElementwiseBinary computes it: the scales of `agree`.
            let scale = outer.scale * inner.scale / output.scale
            guard scale.isNormal else { return nil }
            let factors = tableCodes(graph.nodes[position], values, inner)
            let codes = zip(-128...127, factors).map { code, factor in
                requantize(
                    (Int32(code) - outer.zeroPoint) * (Int32(factor) - inner.zeroPoint), scale: scale,
                    zeroPoint: output.zeroPoint, lowest: -128, highest: 127)
            }
            return (variable, codes, position)
        }
        return nil
    }

    /// Lowers a product of an int8 value and its own function as one table, or leaves that function to it; false when the
    /// node is neither.
    func lowerProductWithOwnFunction(_ node: Node, at position: Int) -> Bool {
        if let output = node.outputs[0], let reader = index.soleConsumer(of: output),
            codesOfProductWithOwnFunction(graph.nodes[reader])?.function == position
        {
            return true
        }
        guard let (variable, codes, _) = codesOfProductWithOwnFunction(node) else { return false }
        emitTable(codes, from: location(of: variable), to: destination(node.outputs[0]!))
        return true
    }

    /// Lowers a node that is a function of one int8 value; false when it is not.
    func lowerAsTable(_ node: Node) -> Bool {
        guard let (variable, values) = tableValues(node), let output = node.outputs[0] else { return false }
        let input = location(of: variable)
        if node.op is Identity, graph[output].quantization == graph[variable].quantization { return false }
        switch storedType(output) {
        case .int8?:
            let target = destination(output)
            if let parameters = Int8Parameters(graph[output].quantization) {
                emitTable(tableCodes(node, values, parameters), from: input, to: target)
            } else {
                emitTable(values.map { Int8($0) }, from: input, to: target)
            }
            return true
        case .float32?:
            emitTable(values, from: input, to: destination(output))
            return true
        default:
            return false
        }
    }

    // MARK: Float functions

    func lowerUnary(_ node: Node) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        guard graph[x].elementType == .float32 else {
            if storedType(x) == .int32 || graph[x].elementType == .bool { return lowerIntegerUnary(node) }
            return problem(node, "input 0", "float32 or 8-bit integers", "\(graph[x].elementType)")
        }
        noteFloat(node, "its input is float")
        let input = dense(real(x))
        writingReal(y) { target in
            if let composite = node.op as? UnaryComposite { return emitComposite(node, composite, from: input, to: target) }
            if let range = clampRange(node) { return emitClip(range, from: input, to: target) }
            emitFunction(node, node.op, from: input, to: target)
        }
    }

    private func emitFunction(_ node: Node, _ op: any Operator, from input: Location, to target: Location) {
        guard let unary = op as? Unary, let (function, alpha, beta) = Self.deviceFunction(unary.function) else {
            return problem(
                node, "function \(op.name) in float32", "one that the device computes in float32", op.name,
                "Quantize the layer (its int8 form is a table), or replace the function.")
        }
        emit(
            .elementwiseUnary(
                ElementwiseUnary(
                    function: function, count: target.count, inputOffset: absolute(input), outputOffset: absolute(target),
                    alpha: alpha, beta: beta)),
            reads: [input], writes: [target])
    }

    private func emitClip(_ range: ClosedRange<Float>, from input: Location, to target: Location) {
        emit(
            .elementwiseUnary(
                ElementwiseUnary(
                    function: .clip, count: target.count, inputOffset: absolute(input), outputOffset: absolute(target),
                    alpha: range.lowerBound, beta: range.upperBound)),
            reads: [input], writes: [target])
    }

    /// The steps of a composite one after another in float32.
    private func emitComposite(_ node: Node, _ composite: UnaryComposite, from input: Location, to target: Location) {
        var results: [Location] = []
        for (number, step) in composite.steps.enumerated() {
            let output =
                number == composite.steps.count - 1 ? target : newLocation(type: .float32, shape: target.shape)
            results.append(output)
            func place(_ operand: UnaryComposite.Operand) -> Location? {
                switch operand {
                case .root: input
                case .step(let index): results[index]
                case .constant, .absent: nil
                }
            }
            func scalar(_ operand: UnaryComposite.Operand) -> Float? {
                if case .constant(let tensor) = operand { return tensor.asFloats.first }
                return nil
            }
            let first = place(step.operands[0])
            switch step.op {
            case is Clip:
                let low = step.operands.count > 1 ? scalar(step.operands[1]) ?? -.infinity : -.infinity
                let high = step.operands.count > 2 ? scalar(step.operands[2]) ?? .infinity : .infinity
                emitClip(low...max(low, high), from: first!, to: output)
            case let op as UnaryComposite:
                emitComposite(node, op, from: first!, to: output)
            case is Unary:
                emitFunction(node, step.op, from: first!, to: output)
            default:
                let function: ElementwiseBinary.Function? =
                    switch step.op {
                    case let op as Binary: Self.deviceFunction(op.function)
                    case let op as Variadic: op.function == .max ? .max : op.function == .min ? .min : .add
                    default: nil
                    }
                guard let function, step.operands.count == 2 else {
                    return problem(
                        node, "function \(step.op.name) in float32", "one that the device computes in float32",
                        step.op.name, "Quantize the layer (its int8 form is a table), or replace the function.")
                }
                let sides = step.operands.map { operand -> StridedOperand in
                    if let location = place(operand) { return self.operand(location) }
                    return StridedOperand(
                        space: .weights, type: .float32, offset: weights.append([scalar(operand) ?? 0]),
                        strides: target.shape.map { _ in 0 })
                }
                emitBinary(
                    function, extents: target.shape, a: sides[0], b: sides[1], output: self.operand(output),
                    reads: step.operands.compactMap(place), writes: [output])
            }
        }
    }

    /// Negation, absolute value and logical not of integers, as binary operations with a constant.
    private func lowerIntegerUnary(_ node: Node) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        let input = location(of: x)
        let target = destination(y)
        let function: ElementwiseBinary.Function
        let constant: Int32
        switch (node.op as? Unary)?.function {
        case .neg?: (function, constant) = (.mul, -1)
        case .not?: (function, constant) = (.equal, 0)
        case .relu?: (function, constant) = (.max, 0)
        default:
            return problem(
                node, "function \(node.op.name) of integers", "neg, not or relu", node.op.name,
                "Cast the value to float before this node.")
        }
        let offset = input.type == .int32 ? weights.append([constant]) : weights.append([Int8(constant)])
        emitBinary(
            function, extents: target.shape, a: operand(input),
            b: StridedOperand(space: .weights, type: input.type, offset: offset, strides: target.shape.map { _ in 0 }),
            output: operand(target), reads: [input], writes: [target])
    }

    static func deviceFunction(_ function: Unary.Function) -> (ElementwiseUnary.Function, Float, Float)? {
        switch function {
        case .abs: (.abs, 0, 0)
        case .ceil: (.ceil, 0, 0)
        case .cos: (.cos, 0, 0)
        case .erf: (.erf, 0, 0)
        case .exp: (.exp, 0, 0)
        case .floor: (.floor, 0, 0)
        case .log: (.log, 0, 0)
        case .neg: (.neg, 0, 0)
        case .reciprocal: (.reciprocal, 0, 0)
        case .round: (.round, 0, 0)
        case .sign: (.sign, 0, 0)
        case .sin: (.sin, 0, 0)
        case .sqrt: (.sqrt, 0, 0)
        case .tanh: (.tanh, 0, 0)
        case .sigmoid: (.sigmoid, 0, 0)
        case .softplus: (.softplus, 0, 0)
        case .softsign: (.softsign, 0, 0)
        case .hardSwish: (.hardSwish, 0, 0)
        case .square: (.square, 0, 0)
        case .rsqrt: (.rsqrt, 0, 0)
        case .mish: (.mish, 0, 0)
        case .elu(let alpha): (.elu, alpha, 0)
        case .celu(let alpha): (.celu, alpha, 0)
        case .selu(let alpha, let gamma): (.selu, alpha, gamma)
        case .leakyRelu(let alpha): (.leakyRelu, alpha, 0)
        case .thresholdedRelu(let alpha): (.thresholdedRelu, alpha, 0)
        case .hardSigmoid(let alpha, let beta): (.hardSigmoid, alpha, beta)
        case .gelu(let approximate): (.gelu, approximate ? 1 : 0, 0)
        case .swish(let alpha): (.swish, alpha, 0)
        case .relu: (.clip, 0, .infinity)
        default: nil
        }
    }

    // MARK: Two operands

    static func deviceFunction(_ function: Binary.Function) -> ElementwiseBinary.Function? {
        switch function {
        case .add: .add
        case .sub: .sub
        case .mul: .mul
        case .div: .div
        case .pow: .pow
        case .prelu: .prelu
        case .squaredDifference: .squaredDifference
        case .floorDiv: .floorDiv
        case .mod: .mod
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        case .and: .and
        case .or: .or
        case .xor: .xor
        case .bitwiseAnd, .bitwiseOr, .bitwiseXor, .bitShift: nil
        }
    }

    func lowerBinary(_ node: Node, _ op: Binary, at position: Int) {
        guard let function = Self.deviceFunction(op.function) else {
            return problem(
                node, "operator \(op.name)", "one that the device runs", op.name, "Replace it with arithmetic on int32.")
        }
        lowerElementwise(node, function, node.inputs[0]!, node.inputs[1]!, node.outputs[0]!)
    }

    func lowerVariadic(_ node: Node, _ op: Variadic, at position: Int) {
        let inputs = node.inputs.compactMap { $0 }
        let output = node.outputs[0]!
        let function: ElementwiseBinary.Function =
            switch op.function {
            case .max: .max
            case .min: .min
            case .sum, .mean: .add
            }
        if inputs.count == 2, op.function != .mean {
            return lowerElementwise(node, function, inputs[0], inputs[1], output)
        }
        guard inputs.count > 1 else {
            return lowerView(node)
        }
        noteFloat(node, "\(op.name) of \(inputs.count) tensors is computed in float32")
        let shape = graph.extents(output)
        writingReal(output) { target in
            var sum = elementwiseReal(inputs[0], shape)
            for (count, id) in inputs.dropFirst().enumerated() {
                let next = elementwiseReal(id, shape)
                let isLast = count == inputs.count - 2 && op.function != .mean
                let result = isLast ? target : newLocation(type: .float32, shape: shape)
                emitBinary(
                    function, extents: shape, a: sum.operand, b: next.operand, output: operand(result),
                    reads: [sum.location, next.location].compactMap { $0 }, writes: [result])
                sum = (operand(result), result)
            }
            if op.function == .mean {
                let factor = StridedOperand(
                    space: .weights, type: .float32, offset: weights.append([1 / Float(inputs.count)]),
                    strides: shape.map { _ in 0 })
                emitBinary(
                    .mul, extents: shape, a: sum.operand, b: factor, output: operand(target),
                    reads: [sum.location].compactMap { $0 }, writes: [target])
            }
        }
    }

    private func elementwiseReal(_ id: ValueID, _ shape: [Int]) -> (operand: StridedOperand, location: Location?) {
        if let reals = graph.realConstant(id) {
            return (
                StridedOperand(
                    space: .weights, type: .float32, offset: weights.append(reals),
                    strides: broadcastStrides(graph.extents(id), denseStrides(graph.extents(id)), to: shape)), nil
            )
        }
        let location = real(id)
        return (operand(location, broadcastTo: shape), location)
    }

    /// An elementwise function in the best types: integers when all values are 8-bit or int32, else float32.
    func lowerElementwise(
        _ node: Node, _ function: ElementwiseBinary.Function, _ a: ValueID, _ b: ValueID, _ y: ValueID
    ) {
        let shape = graph.extents(y)
        let outputType = storedType(y)!
        var final = y
        var range: ClosedRange<Float>?
        if graph[y].quantization == nil, outputType == .float32, let reader = index.soleConsumer(of: y),
            let clamp = clampRange(graph.nodes[reader]), let output = graph.nodes[reader].outputs[0]
        {
            final = output
            range = clamp
            skipped.insert(reader)
        }
        let parameters = Int8Parameters(graph[final].quantization)
        func isInteger(_ id: ValueID) -> Bool { storedType(id) == .int8 }
        let isReal = graph[a].elementType.isFloatingPoint
        let (low, high): (Float, Float) =
            if let parameters {
                (
                    Float(range.map { parameters.code($0.lowerBound) } ?? -128),
                    Float(range.map { parameters.code($0.upperBound) } ?? 127)
                )
            } else {
                (range?.lowerBound ?? -.infinity, range?.upperBound ?? .infinity)
            }
        if isReal, parameters == nil || !(isInteger(a) || isInteger(b)) {
            let isLogical = outputType == .int8 && parameters == nil
            if !isLogical || !(isInteger(a) || isInteger(b)) {
                noteFloat(node, parameters == nil ? "its output is float" : "its inputs are float")
            }
            let (left, right) = (elementwiseReal(a, shape), elementwiseReal(b, shape))
            let reads = [left.location, right.location].compactMap { $0 }
            if isLogical {
                let target = destination(final)
                emitBinary(
                    function, extents: shape, a: left.operand, b: right.operand, output: operand(target), reads: reads,
                    writes: [target], low: -128, high: 127)
            } else {
                let floatLow = range?.lowerBound ?? -.infinity
                let floatHigh = range?.upperBound ?? .infinity
                writingReal(final, dense: false) { target in
                    emitBinary(
                        function, extents: shape, a: left.operand, b: right.operand, output: operand(target),
                        reads: reads, writes: [target], low: floatLow, high: floatHigh)
                }
            }
            return
        }
        let target = destination(final)
        var reads: [Location] = []
        func side(_ id: ValueID) -> StridedOperand {
            let extents = graph.extents(id)
            if graph[id].constant != nil, let type = storedType(id) {
                let own = Int8Parameters(graph[id].quantization)
                return StridedOperand(
                    space: .weights, type: type, offset: constantOffset(id)!,
                    strides: broadcastStrides(extents, denseStrides(extents), to: shape), scale: own?.scale ?? 1,
                    zeroPoint: own?.zeroPoint ?? 0)
            }
            let place = location(of: id)
            reads.append(place)
            return operand(place, parameters: Int8Parameters(graph[id].quantization), broadcastTo: shape)
        }
        var (left, right) = (side(a), side(b))
        var result = operand(target, parameters: parameters)
        if let parameters, let first = Int8Parameters(graph[a].quantization), let second = Int8Parameters(graph[b].quantization) {
            let isUnsigned = graph[a].quantization?.elementType == .uint8
            agree(function, first, second, parameters, isUnsigned, &left, &right, &result)
        }
        emitBinary(
            function, extents: shape, a: left, b: right, output: result, reads: reads, writes: [target], low: low,
            high: high)
    }

    /// Gives the operands of int8 sums and products the scales, in units of the output's, and zero points with which the
    /// device's codes are those of the source's runtime.
    private func agree(
        _ function: ElementwiseBinary.Function, _ first: Int8Parameters, _ second: Int8Parameters,
        _ output: Int8Parameters, _ isUnsigned: Bool, _ a: inout StridedOperand, _ b: inout StridedOperand,
        _ result: inout StridedOperand
    ) {
        switch function {
        case .add, .sub:
            let sum = SumArithmetic.agreeing(
                with: graph.integerRounding, first, second, to: output, subtracts: function == .sub, isUnsigned: isUnsigned)
            (a.scale, a.zeroPoint) = (sum.first, sum.firstZeroPoint)
            (b.scale, b.zeroPoint) = (abs(sum.second), sum.secondZeroPoint)
            (result.scale, result.zeroPoint) = (1, sum.outputZeroPoint)
        case .mul:
            (a.scale, b.scale, result.scale) = (first.scale * second.scale / output.scale, 1, 1)
        default:
            return
        }
    }

    func denseStrides(_ extents: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: extents.count)
        for axis in extents.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * extents[axis + 1] }
        return strides
    }

    /// Strides over `shape` of an operand with its own extents: 0 where it is repeated.
    func broadcastStrides(_ extents: [Int], _ strides: [Int], to shape: [Int]) -> [Int] {
        let missing = shape.count - extents.count
        return shape.indices.map { axis in
            axis < missing || (extents[axis - missing] == 1 && shape[axis] != 1) ? 0 : strides[axis - missing]
        }
    }

    func operand(
        _ location: Location, parameters: Int8Parameters? = nil, broadcastTo shape: [Int]? = nil
    ) -> StridedOperand {
        StridedOperand(
            type: location.type, offset: absolute(location),
            strides: shape.map { broadcastStrides(location.shape, location.strides, to: $0) } ?? location.strides,
            scale: parameters?.scale ?? 1, zeroPoint: parameters?.zeroPoint ?? 0)
    }

    func emitBinary(
        _ function: ElementwiseBinary.Function, extents: [Int], a: StridedOperand, b: StridedOperand,
        output: StridedOperand, reads: [Location], writes: [Location], low: Float = -.infinity,
        high: Float = .infinity, name: String? = nil
    ) {
        let folded = collapse(extents, [a.strides, b.strides, output.strides])
        guard folded.extents.count <= 6 else {
            return problem(currentNode, "broadcasting", "at most 6 separate axes", "\(folded.extents.count)")
        }
        var (left, right, result) = (a, b, output)
        (left.strides, right.strides, result.strides) = (folded.strides[0], folded.strides[1], folded.strides[2])
        let isInt8 = result.type == .int8
        emit(
            .elementwiseBinary(
                ElementwiseBinary(
                    function: function, extents: folded.extents, a: left, b: right, output: result,
                    clampMin: isInt8 ? max(low, -128) : low, clampMax: isInt8 ? min(high, 127) : high)),
            reads: reads, writes: writes, name: name)
    }

    func lowerWhere(_ node: Node) {
        let (c, a, b, y) = (node.inputs[0]!, node.inputs[1]!, node.inputs[2]!, node.outputs[0]!)
        let shape = graph.extents(y)
        let condition = location(of: c)
        guard storedType(y) != .int8 || graph[y].quantization != nil else {
            return problem(node, "output", "float32, int32 or quantized values", "\(graph[y].elementType)")
        }
        if storedType(y) == .int32 {
            let (left, right, target) = (location(of: a), location(of: b), destination(y))
            return emitSelect(shape, condition, left, right, target)
        }
        noteFloat(node, "selection is made in float32")
        let (left, right) = (real(a), real(b))
        writingReal(y, dense: false) { emitSelect(shape, condition, left, right, $0) }
    }

    private func emitSelect(_ shape: [Int], _ c: Location, _ a: Location, _ b: Location, _ y: Location) {
        emit(
            .select(
                Select(
                    extents: shape, condition: operand(c, broadcastTo: shape), a: operand(a, broadcastTo: shape),
                    b: operand(b, broadcastTo: shape), output: operand(y))),
            reads: [c, a, b], writes: [y])
    }

    func lowerCast(_ node: Node, _ op: Cast) {
        let (x, y) = (node.inputs[0]!, node.outputs[0]!)
        guard let from = storedType(x), let to = storedType(y) else {
            return problem(
                node, "types", "float32, int32, bool or 8-bit quantization on both sides",
                "\(graph[x].elementType) to \(graph[y].elementType)", "Leave the cast out of the model.")
        }
        let input = location(of: x)
        switch (from, to) {
        case (.float32, .float32) where graph[y].quantization == nil,
            (.int32, .int32),
            (.int8, .int8) where graph[x].quantization == nil:
            lowerView(node)
        case (.int8, .float32) where graph[x].quantization == nil:
            emitTable((-128...127).map { Float($0) }, from: input, to: destination(y))
        case (.int32, .float32), (_, .float32):
            let value = real(x)
            copy(from: value, to: destination(y))
        case (_, .int32):
            let value = dense(from == .int32 ? input : from == .int8 && graph[x].quantization == nil ? boolsAsReals(input) : real(x))
            writingDense(y) { target in
                emit(
                    .convert(
                        Convert(
                            from: value.type, to: .int32, count: value.count, inputOffset: absolute(value),
                            outputOffset: absolute(target))),
                    reads: [value], writes: [target])
            }
        case (.float32, .int8) where graph[y].quantization == nil, (.int32, .int8) where graph[y].quantization == nil:
            let zero = from == .int32 ? weights.append([Int32(0)]) : weights.append([Float(0)])
            let target = destination(y)
            emitBinary(
                .notEqual, extents: target.shape, a: operand(input),
                b: StridedOperand(space: .weights, type: from, offset: zero, strides: target.shape.map { _ in 0 }),
                output: operand(target), reads: [input], writes: [target])
        default:
            noteFloat(node, "a cast to a quantized value goes through float32")
            let value = real(x)
            writingReal(y, dense: false) { copy(from: value, to: $0) }
        }
    }

    private func boolsAsReals(_ location: Location) -> Location {
        let target = newLocation(type: .float32, shape: location.shape)
        emitTable((-128...127).map { Float($0) }, from: location, to: target)
        return target
    }
}
