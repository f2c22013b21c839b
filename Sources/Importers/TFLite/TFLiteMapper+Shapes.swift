import Graph

extension TFLiteMapper {
    /// RESHAPE: the shape is input 1 or, in old files, an option. 0 is an extent of 0.
    func reshape() throws(GraphProblem) {
        let x = try input(0)
        let shape: ValueID
        if try optionalInput(1) != nil {
            shape = try asInt64(1, "shape")
        } else {
            shape = integers(try options(.reshape).integers(0, "new_shape"), "shape")
        }
        try emit(Reshape(allowZero: true), [x, shape])
    }

    /// SQUEEZE: the given axes, or all of one extent.
    func squeeze() throws(GraphProblem) {
        let axes = try options(.squeeze).integers(0, "squeeze_dims")
        try emit(Squeeze(), axes.isEmpty ? [input(0)] : [input(0), integers(axes, "axes")])
    }

    func expandDimensions() throws(GraphProblem) {
        try emit(Unsqueeze(), [input(0), integers([try integer(1, "axis")], "axes")])
    }

    func transpose() throws(GraphProblem) {
        let x = try input(0)
        let permutation = try integers(1, "permutation")
        let rank = try shape(x, 0).count
        guard permutation.sorted() == Array(0..<rank) else {
            throw problem("input 1 (permutation)", expected: "an order of \(rank) axes", found: "\(permutation)")
        }
        try emit(Transpose(permutation: permutation), [x])
    }

    func rank() throws(GraphProblem) {
        let axes = try shape(try input(0), 0).count
        try alias(addConstant(model.tensors[try output(0)].name, Tensor(scalar: Int32(axes))))
    }

    func zerosLike() throws(GraphProblem) {
        let x = try input(0)
        let elementType = facts(x).type.elementType
        let zero = addConstant("\(currentName)/zero", Tensor(zeros: elementType, shape: []))
        try emit(Expand(), [zero, try emit(Shape(), [x], "shape")])
    }

    func concatenation() throws(GraphProblem) {
        let options = try options(.concatenation)
        let inputs = try allInputs()
        guard let first = inputs.first else { throw problem("inputs", expected: "at least one", found: "none") }
        let axis = try normalized(
            try options.integer(0, "axis"), rank: try shape(first, 0).count, "option axis")
        try emit(Concat(axis: axis), inputs, try options.activation(1))
    }

    /// SPLIT: inputs axis, x; equal parts.
    func split() throws(GraphProblem) {
        let x = try input(1)
        let axis = try normalized(try integer(0, "axis"), rank: try shape(x, 1).count, "input 0 (axis)")
        let count = try options(.split).positive(0, "num_splits")
        guard count == current.outputs.count, try shape(x, 1)[axis] % count == 0 else {
            throw problem(
                "option num_splits", expected: "\(current.outputs.count) outputs that divide axis \(axis)",
                found: "\(count) of \(try shape(x, 1))")
        }
        try emitAll(Split(axis: axis, numOutputs: count), [x])
    }

    /// SPLIT_V: inputs x, sizes (one may be -1: the rest), axis.
    func splitBySizes() throws(GraphProblem) {
        let x = try input(0)
        let extents = try shape(x, 0)
        let axis = try normalized(try integer(2, "axis"), rank: extents.count, "input 2 (axis)")
        var sizes = try integers(1, "sizes")
        let known = sizes.filter { $0 >= 0 }.reduce(0, +)
        if let index = sizes.firstIndex(of: -1) { sizes[index] = extents[axis] - known }
        guard sizes.count == current.outputs.count, sizes.allSatisfy({ $0 >= 0 }), sizes.reduce(0, +) == extents[axis]
        else {
            throw problem(
                "input 1 (sizes)", expected: "\(current.outputs.count) sizes that add up to \(extents[axis])",
                found: "\(sizes)")
        }
        try emitAll(Split(axis: axis), [x, integers(sizes, "sizes")])
    }

    /// PACK: the inputs along a new axis.
    func pack() throws(GraphProblem) {
        let inputs = try allInputs()
        guard let first = inputs.first else { throw problem("inputs", expected: "at least one", found: "none") }
        let rank = try shape(first, 0).count + 1
        let axis = try normalized(try options(.pack).integer(1, "axis"), rank: rank, "option axis")
        let axes = integers([axis], "axes")
        var expanded: [ValueID] = []
        for (position, id) in inputs.enumerated() {
            expanded.append(
                try emit(Unsqueeze(), [id, axes], "element \(position)", quantization: quantization(id)))
        }
        try emit(Concat(axis: axis), expanded)
    }

    /// UNPACK: the parts along an axis, without it.
    func unpack() throws(GraphProblem) {
        let x = try input(0)
        let extents = try shape(x, 0)
        let axis = try normalized(
            try options(.unpack).integer(1, "axis"), rank: extents.count, "option axis")
        let count = current.outputs.count
        guard extents[axis] == count else {
            throw problem(
                "input 0", expected: "\(count) elements along axis \(axis), one for each output", found: "\(extents)")
        }
        let sizes = integers([Int](repeating: 1, count: count), "sizes")
        let parts = try emit(
            Split(axis: axis), [x, sizes], "parts", count: count, quantization: quantization(x))
        let axes = integers([axis], "axes")
        for (position, part) in parts.enumerated() { try emit(Squeeze(), [part, axes], output: position) }
    }

    /// SLICE: begins and sizes (-1: to the end).
    func slice() throws(GraphProblem) {
        let x = try input(0)
        let extents = try shape(x, 0)
        let (begins, sizes) = (try integers(1, "begin"), try integers(2, "size"))
        guard begins.count == extents.count, sizes.count == extents.count else {
            throw problem(
                "inputs 1 and 2 (begin, size)", expected: "\(extents.count) integers each",
                found: "\(begins.count) and \(sizes.count)")
        }
        var ends: [Int] = []
        for (axis, extent) in extents.enumerated() {
            let end = sizes[axis] == -1 ? extent : begins[axis] + sizes[axis]
            guard begins[axis] >= 0, begins[axis] <= end, end <= extent else {
                throw problem(
                    "inputs 1 and 2 (begin, size)", expected: "a range inside \(extents)", found: "\(begins), \(sizes)")
            }
            ends.append(end)
        }
        try emit(Slice(), [x, integers(begins, "starts"), integers(ends, "ends")])
    }

    /// STRIDED_SLICE: NumPy's basic indexing. Bit i of a mask is about entry i of begin, end and strides.
    func stridedSlice() throws(GraphProblem) {
        let options = try options(.stridedSlice)
        let x = try input(0)
        let extents = try shape(x, 0)
        let (begins, ends) = (try integers(1, "begin"), try integers(2, "end"))
        let steps = try integers(3, "strides")
        guard ends.count == begins.count, steps.count == begins.count, begins.count <= 32 else {
            throw problem(
                "inputs 1 to 3 (begin, end, strides)", expected: "as many of each",
                found: "\(begins.count), \(ends.count), \(steps.count)")
        }
        func mask(_ slot: Int, _ name: String) throws(GraphProblem) -> [Bool] {
            let bits = try options.integer(slot, name)
            return begins.indices.map { bits >> $0 & 1 == 1 }
        }
        let (openBegin, openEnd) = (try mask(0, "begin_mask"), try mask(1, "end_mask"))
        let (ellipsis, isNew) = (try mask(2, "ellipsis_mask"), try mask(3, "new_axis_mask"))
        let isIndex = try mask(4, "shrink_axis_mask")
        let endsAreOffsets = try options.bool(5, "offset")
        guard ellipsis.filter({ $0 }).count <= 1 else {
            throw problem("option ellipsis_mask", expected: "at most one bit", found: "several")
        }
        let entriesOfAxes = begins.indices.filter { !ellipsis[$0] && !isNew[$0] }.count
        guard entriesOfAxes <= extents.count else {
            throw problem("input 1 (begin)", expected: "at most \(extents.count) axes", found: "\(entriesOfAxes)")
        }
        var starts: [Int] = []
        var stops: [Int] = []
        var axes: [Int] = []
        var strides: [Int] = []
        // Axes of the sliced tensor that go, and axes of the result that are new.
        var dropped: [Int] = []
        var added: [Int] = []
        var (axis, resultAxis) = (0, 0)
        for entry in begins.indices {
            if ellipsis[entry] {
                axis += extents.count - entriesOfAxes
                resultAxis += extents.count - entriesOfAxes
            } else if isNew[entry] {
                added.append(resultAxis)
                resultAxis += 1
            } else {
                let (begin, step) = (begins[entry], steps[entry])
                guard step != 0 else { throw problem("input 3 (strides)", expected: "no zero", found: "\(steps)") }
                axes.append(axis)
                if isIndex[entry] {
                    let index = begin < 0 ? begin + extents[axis] : begin
                    guard (0..<max(extents[axis], 0)).contains(index) else {
                        throw problem("input 1 (begin)", expected: "an index of \(extents[axis])", found: "\(begin)")
                    }
                    starts.append(index)
                    stops.append(index + 1)
                    strides.append(1)
                    dropped.append(axis)
                } else {
                    starts.append(openBegin[entry] ? (step > 0 ? 0 : Int.max >> 1) : begin)
                    let end = endsAreOffsets ? begin + ends[entry] : ends[entry]
                    stops.append(openEnd[entry] ? (step > 0 ? Int.max >> 1 : -(Int.max >> 1)) : end)
                    strides.append(step)
                    resultAxis += 1
                }
                axis += 1
            }
        }
        let arguments: [ValueID?] = [
            x, integers(starts, "starts"), integers(stops, "ends"), integers(axes, "axes"), integers(strides, "steps"),
        ]
        if dropped.isEmpty && added.isEmpty { return try emit(Slice(), arguments) }
        var result = try emit(Slice(), arguments, "slice", quantization: quantization(x))
        if !dropped.isEmpty {
            let squeeze: [ValueID?] = [result, integers(dropped, "dropped axes")]
            if added.isEmpty { return try emit(Squeeze(), squeeze) }
            result = try emit(Squeeze(), squeeze, "squeeze", quantization: quantization(x))
        }
        try emit(Unsqueeze(), [result, integers(added, "new axes")])
    }

    func reverse() throws(GraphProblem) {
        let x = try input(0)
        let axes = try integers(1, "axes")
        let count = axes.count
        try emit(
            Slice(),
            [
                x, integers([Int](repeating: -1, count: count), "starts"),
                integers([Int](repeating: -(Int.max >> 1), count: count), "ends"), integers(axes, "axes"),
                integers([Int](repeating: -1, count: count), "steps"),
            ])
    }

    /// Begins and ends of [axis][begin, end] paddings.
    private func paddings() throws(GraphProblem) -> (begins: [Int], ends: [Int]) {
        let rank = try shape(try input(0), 0).count
        let pairs = try integers(1, "paddings")
        guard pairs.count == 2 * rank else {
            throw problem("input 1 (paddings)", expected: "\(rank) pairs", found: "\(pairs.count) integers")
        }
        return ((0..<rank).map { pairs[2 * $0] }, (0..<rank).map { pairs[2 * $0 + 1] })
    }

    /// PAD, and PADV2 with the value as input 2.
    func pad() throws(GraphProblem) {
        let x = try input(0)
        let (begins, ends) = try paddings()
        try emit(Pad(), [x, integers(begins + ends, "pads"), optionalInput(2)])
    }

    /// MIRROR_PAD: REFLECT leaves the border element out, SYMMETRIC repeats it.
    func mirrorPad() throws(GraphProblem) {
        let x = try input(0)
        let (begins, ends) = try paddings()
        let mode = try options(.mirrorPad).byte(0, "mode")
        guard mode == 0 || mode == 1 else {
            throw problem("option mode", expected: "REFLECT (0) or SYMMETRIC (1)", found: "\(mode)")
        }
        if mode == 0 { return try emit(Pad(mode: .reflect), [x, integers(begins + ends, "pads")]) }
        let extents = try shape(x, 0)
        var result = x
        for (axis, extent) in extents.enumerated() where begins[axis] != 0 || ends[axis] != 0 {
            guard (0...extent).contains(begins[axis]), (0...extent).contains(ends[axis]) else {
                throw problem(
                    "input 1 (paddings)", expected: "at most \(extent) for axis \(axis)",
                    found: "\(begins[axis]), \(ends[axis])")
            }
            let indices = (-begins[axis]..<extent + ends[axis]).map { index in
                index < 0 ? -1 - index : index < extent ? index : 2 * extent - 1 - index
            }
            result = try emit(
                Gather(axis: axis), [result, integers(indices, "indices")], "axis \(axis)",
                quantization: quantization(x))
        }
        try emit(Identity(), [result])
    }

    /// GATHER along an axis; with as many batch axes as come before it, GatherND does the same.
    func gather() throws(GraphProblem) {
        let options = try options(.gather)
        let x = try input(0)
        let rank = try shape(x, 0).count
        let axis = try normalized(try options.integer(0, "axis"), rank: rank, "option axis")
        let indices = try input(1)
        let indexRank = try shape(indices, 1).count
        let batch = try options.integer(1, "batch_dims")
        let batchDims = batch < 0 ? batch + indexRank : batch
        if batchDims == 0 { return try emit(Gather(axis: axis), [x, indices]) }
        guard batchDims == axis, batchDims < rank, batchDims <= indexRank else {
            throw problem("option batch_dims", expected: "0 or the axis (\(axis))", found: "\(batch)")
        }
        let last = try emit(
            Unsqueeze(), [asInt64Tensor(1, "indices"), integers([indexRank], "axes")], "coordinates")
        try emit(GatherND(batchDims: batchDims), [x, last])
    }

    func oneHot() throws(GraphProblem) {
        let axis = try options(.oneHot).integer(0, "axis")
        let axes = integers([0], "axes")
        let on = try emit(Unsqueeze(), [input(2), axes], "on")
        let off = try emit(Unsqueeze(), [input(3), axes], "off")
        let values = try emit(Concat(axis: 0), [off, on], "values")
        try emit(OneHot(axis: axis), [input(0), input(1), values])
    }

    func reverseSequence() throws(GraphProblem) {
        let options = try options(.reverseSequence)
        let op = ReverseSequence(
            batchAxis: try options.integer(1, "batch_dim"), timeAxis: try options.integer(0, "seq_dim"))
        try emit(op, [input(0), asInt64Tensor(1, "lengths")])
    }

    /// An integer input as int64, its shape kept.
    func asInt64Tensor(_ position: Int, _ what: String) throws(GraphProblem) -> ValueID {
        let id = try input(position)
        guard facts(id).type.elementType != .int64 else { return id }
        if let tensor = constant(id), !tensor.elementType.isFloatingPoint, quantization(id) == nil {
            return addConstant("\(currentName)/\(what)", tensor.converted(to: .int64))
        }
        return try emit(Cast(to: .int64), [id], what)
    }
}
