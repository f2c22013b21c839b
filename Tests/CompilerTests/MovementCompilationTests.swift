import Graph
import XCTest

@testable import Compiler

/// Operators that move elements: concat without copies, slices, transposes, padding, resizing.
final class MovementCompilationTests: XCTestCase {
    /// One scale for all, and every value with a scale of its own.
    private let annotations = [
        Annotation(), Annotation(type: .uint8), Annotation(sharesScales: false),
        Annotation(type: .uint8, sharesScales: false),
    ]

    func testConcat() throws {
        try verifyAllForms(seed: 80, annotations: annotations, "concat of convolutions") { net in
            let x = net.input([1, 4, 6, 7])
            let parts = [net.relu(net.conv(x, 4, 5)), net.pointwise(x, 4, 3), net.conv(x, 4, 8)]
            let joined = net.add(Concat(axis: 1), parts)
            net.output(net.conv(joined, 16, 6))
        }
        try verifyAllForms(seed: 81, annotations: annotations, "nested concats") { net in
            let x = net.input([1, 4, 5, 5])
            let (a, b, c) = (net.conv(x, 4, 3), net.conv(x, 4, 5), net.conv(x, 4, 7))
            let inner = net.add(Concat(axis: 1), [a, b])
            let outer = net.add(Concat(axis: 1), [c, inner, a])
            net.output(net.pointwise(outer, 18, 4))
            net.output(outer)
        }
        try verifyAllForms(seed: 82, annotations: annotations, "a chain of concats") { net in
            var x = net.input([1, 3, 6, 6])
            for step in 0..<3 { x = net.add(Concat(axis: 1), [x, net.relu(net.conv(x, 3 + 2 * step, 2))]) }
            net.output(x)
        }
        try verifyAllForms(seed: 83, annotations: annotations, "concat of an input with itself") { net in
            let x = net.input([1, 3, 4, 4])
            net.output(net.add(Concat(axis: 1), [x, x]))
        }
        try verifyAllForms(seed: 84, annotations: annotations, "concat along rows and columns") { net in
            let x = net.input([1, 4, 5, 6])
            let (a, b) = (net.conv(x, 4, 6), net.pointwise(x, 4, 6))
            net.output(net.add(Concat(axis: 2), [a, b]))
            net.output(net.add(Concat(axis: 3), [b, a]))
        }
        try verifyAllForms(seed: 85, annotations: annotations, "heads of a detector") { net in
            let x = net.input([1, 6, 8, 8])
            let small = net.relu(net.conv(x, 6, 8, strides: [2, 2]))
            let heads = [(x, 6, 64), (small, 8, 16)].map { source, channels, cells -> ValueID in
                let map = net.conv(source, channels, 12)
                let moved = net.add(Transpose(permutation: [0, 2, 3, 1]), [map])
                return net.reshape(moved, [1, cells * 3, 4])
            }
            net.output(net.add(Concat(axis: 1), heads))
        }
        try verifyAllForms(seed: 86, annotations: annotations, tolerance: Tolerance(differing: 0.03), "concat read by several") { net in
            let x = net.input([1, 4, 6, 6])
            let (a, b) = (net.relu(net.conv(x, 4, 4)), net.relu(net.conv(x, 4, 4)))
            let joined = net.add(Concat(axis: 1), [a, b])
            let deep = net.add(Binary(.add), [net.conv(joined, 8, 4), a])
            net.output(net.add(Concat(axis: 1), [net.conv(deep, 4, 3), net.pointwise(joined, 8, 3)]))
        }
    }

    func testSplitAndShuffle() throws {
        try verifyAllForms(seed: 87, annotations: annotations, "split and join crosswise") { net in
            let x = net.input([1, 8, 5, 6])
            let halves = net.addAll(Split(axis: 1, numOutputs: 2), [net.conv(x, 8, 12)], outputs: 2)
            net.output(net.add(Concat(axis: 1), [net.conv(halves[1], 6, 5), halves[0]]))
        }
        try verifyAllForms(seed: 88, annotations: annotations, "uneven split") { net in
            let x = net.input([1, 9, 4, 4])
            let sizes = net.integers([2, 3, 4])
            let parts = net.addAll(Split(axis: 1), [x, sizes], outputs: 3)
            for (part, channels) in zip(parts, [2, 3, 4]) { net.output(net.conv(part, channels, 3)) }
        }
        try verifyAllForms(seed: 89, annotations: annotations, "channel shuffle") { net in
            let x = net.input([1, 6, 5, 5])
            let features = net.conv(x, 6, 12)
            let groups = net.reshape(features, [1, 3, 4, 5, 5])
            let swapped = net.add(Transpose(permutation: [0, 2, 1, 3, 4]), [groups])
            net.output(net.conv(net.reshape(swapped, [1, 12, 5, 5]), 12, 12, groups: 12))
        }
    }

    func testSlices() throws {
        let cases: [(String, [Int], [Int], [Int], [Int])] = [
            ("channels", [2], [7], [1], [1]), ("rows and columns", [1, 2], [5, 7], [2, 3], [1, 1]),
            ("every other", [0, 1], [8, 8], [2, 3], [2, 2]), ("from the end", [-3], [-1], [1], [1]),
            ("backwards", [-1], [-100], [2], [-1]), ("focus", [1], [100], [3], [2]),
        ]
        for (name, starts, ends, axes, steps) in cases {
            for behindConv in [false, true] {
                try verifyAllForms(seed: 90, annotations: annotations, "slice, \(name), \(behindConv)") { net in
                    let x = net.input([1, 8, 8, 8])
                    let source = behindConv ? net.conv(x, 8, 8) : x
                    let numbers = [net.integers(starts), net.integers(ends), net.integers(axes), net.integers(steps)]
                    net.output(net.add(Slice(), [source] + numbers))
                }
            }
        }
    }

    /// A Concat of slices that take every n-th row and column, rows first as YOLO networks do, then a convolution.
    private func focus(
        _ net: inout NetworkBuilder, block: Int, order: [(Int, Int)], kernel: [Int], strides: [Int] = [], pads: [Int],
        isReadTwice: Bool = false
    ) {
        let x = net.input([1, 3, 12, 18])
        let slices = order.map { y, column -> ValueID in
            let rows = net.add(
                Slice(), [x, net.integers([y]), net.integers([.max]), net.integers([2]), net.integers([block])])
            return net.add(
                Slice(), [rows, net.integers([column]), net.integers([.max]), net.integers([3]), net.integers([block])])
        }
        let joined = net.add(Concat(axis: 1), slices, name: "joined")
        net.output(
            net.conv(joined, 3 * order.count, 8, kernel, strides: strides, padding: .explicit(pads)))
        if isReadTwice { net.output(net.relu(joined)) }
    }

    private func copies(_ compilation: Compilation) -> Int {
        compilation.lowered.plan.operations.filter { if case .stridedCopy = $0.operation { true } else { false } }.count
    }

    func testFocusIsFoldedIntoItsConvolution() throws {
        let yolo = [(0, 0), (1, 0), (0, 1), (1, 1)]
        let thirds = (0..<9).map { ($0 * 4 % 9 / 3, $0 * 4 % 9 % 3) }
        let cases: [(String, Int, [(Int, Int)], [Int], [Int], [Int])] = [
            ("YOLO", 2, yolo, [3, 3], [], [1, 1, 1, 1]), ("strides, uneven pads", 2, yolo, [3, 2], [2, 1], [0, 1, 2, 0]),
            ("blocks of three", 3, thirds, [1, 1], [], [0, 0, 0, 0]),
        ]
        for (name, block, order, kernel, strides, pads) in cases {
            var builder = NetworkBuilder(seed: 120)
            focus(&builder, block: block, order: order, kernel: kernel, strides: strides, pads: pads)
            var graph = builder.graph
            XCTAssertEqual(graph.inferShapes(), [])
            let float = try Compiler.compile(graph, options: CompileOptions(precision: .float32))
            XCTAssertEqual(copies(float), 0, name)
            try verify(float, against: graph, name)

            // Rounded once: at the input, or in every slice.
            for isInputRounded in [true, false] {
                var quantized = try Annotation().apply(to: graph)
                let shared = quantized[graph.inputs[0].value].quantization
                for node in quantized.nodes where node.op is Slice || node.op is Concat {
                    quantized[node.outputs[0]!].quantization = shared
                }
                if !isInputRounded {
                    quantized[graph.inputs[0].value].quantization = nil
                    for node in quantized.nodes where node.inputs[0] == graph.inputs[0].value {
                        quantized[node.outputs[0]!].quantization = nil
                    }
                }
                let compilation = try Compiler.compile(quantized, options: CompileOptions())
                XCTAssertEqual(copies(compilation), 0, "\(name), \(isInputRounded)")
                try verify(
                    compilation, against: quantized, tolerance: Tolerance(steps: 0, differing: 0),
                    "\(name), int8, \(isInputRounded)")
            }
        }
        try verifyAllForms(seed: 121, annotations: annotations, "SpaceToDepth") { net in
            let x = net.input([1, 3, 8, 6])
            net.output(net.conv(net.add(SpaceToDepth(blockSize: 2), [x]), 12, 5))
        }
    }

    func testWhatIsNoFocusStays() throws {
        let yolo = [(0, 0), (1, 0), (0, 1), (1, 1)]
        for (name, order, isReadTwice) in [
            ("a pixel missing", Array(yolo.dropLast()), false), ("a pixel twice", yolo.dropLast() + [(0, 0)], false),
            ("read by another", yolo, true),
        ] {
            try verifyAllForms(seed: 122, annotations: annotations, name) { net in
                focus(&net, block: 2, order: order, kernel: [3, 3], pads: [1, 1, 1, 1], isReadTwice: isReadTwice)
            }
        }
    }

    func testTransposesAndReshapes() throws {
        for permutation in [[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 2, 1, 3], [0, 3, 2, 1]] {
            try verifyAllForms(seed: 91, annotations: annotations, "transpose \(permutation)") { net in
                let x = net.input([1, 4, 5, 6])
                let moved = net.add(Transpose(permutation: permutation), [net.conv(x, 4, 3)])
                net.output(moved)
                net.output(net.relu(moved))
            }
        }
        try verifyAllForms(seed: 92, annotations: annotations, "flatten of a picture") { net in
            let x = net.input([1, 4, 3, 5])
            net.output(net.add(Flatten(), [net.conv(x, 4, 6)]))
        }
        try verifyAllForms(seed: 93, annotations: annotations, "squeeze and unsqueeze") { net in
            let x = net.input([1, 4, 6, 5])
            let pooled = net.add(GlobalPool(kind: .average), [net.conv(x, 4, 8)])
            let axes = net.integers([2, 3])
            let flat = net.add(Squeeze(), [pooled, axes])
            net.output(flat)
            let again = net.integers([2, 3])
            net.output(net.pointwise(net.add(Unsqueeze(), [flat, again]), 8, 5))
        }
        try verifyAllForms(seed: 94, annotations: annotations, "network that is channels last outside") { net in
            let x = net.input([1, 7, 6, 3])
            let inner = net.add(Transpose(permutation: [0, 3, 1, 2]), [x])
            net.output(net.add(Transpose(permutation: [0, 2, 3, 1]), [net.conv(inner, 3, 5)]))
        }
    }

    func testNoTransposesAreLeft() throws {
        var net = NetworkBuilder(seed: 95)
        let x = net.input([1, 3, 8, 8])
        var y = net.relu(net.conv(x, 3, 8, strides: [2, 2]))
        y = net.add(Binary(.add), [net.conv(y, 8, 8), y])
        y = net.add(Concat(axis: 1), [y, net.pointwise(y, 8, 4)])
        let padded = net.integers([0, 0, 1, 1, 0, 0, 1, 1])
        y = net.conv(net.add(Pad(), [y, padded]), 12, 6, padding: .valid)
        y = net.add(GlobalPool(kind: .average), [y])
        net.output(net.add(Flatten(), [y]))
        let compilation = try compileCalibrated(net.graph)
        XCTAssertFalse(compilation.prepared.graph.nodes.contains { $0.op is Transpose })
        XCTAssertFalse(compilation.lowered.plan.operations.contains { "\($0.operation.kindName)" == "copy" }, "copies")
        try verify(compilation, against: compilation.asSource, "network")
    }

    func testPadding() throws {
        for mode in [Pad.Mode.constant] {
            try verifyAllForms(seed: 96, annotations: annotations, tolerance: Tolerance(differing: 0.03), "pad by \(mode)") { net in
                let x = net.input([1, 3, 5, 6])
                let pads = net.integers([0, 0, 1, 2, 0, 0, 3, 1])
                let padded = net.add(Pad(mode: mode), [net.conv(x, 3, 4), pads])
                net.output(padded)
                net.output(net.conv(padded, 4, 5, padding: .valid))
            }
        }
        try verifyAllForms(seed: 97, annotations: [Annotation(sharesScales: false)], "pad by a value, channels too") { net in
            let x = net.input([1, 3, 4, 4])
            let (pads, value) = (net.integers([0, 1, 0, 1, 0, 2, 1, 0]), net.scalar(0.25))
            net.output(net.add(Pad(), [x, pads, value]))
        }
    }

    func testResize() throws {
        let modes: [(String, Resize)] = [
            ("nearest", Resize(mode: .nearest, coordinates: .asymmetric, nearestRounding: .floor)),
            ("nearest, half pixel", Resize(mode: .nearest)),
            ("linear, half pixel", Resize(mode: .linear)),
            ("linear, align corners", Resize(mode: .linear, coordinates: .alignCorners)),
            ("linear, asymmetric", Resize(mode: .linear, coordinates: .asymmetric)),
            ("linear, PyTorch", Resize(mode: .linear, coordinates: .pytorchHalfPixel)),
        ]
        for (name, op) in modes {
            for size in [[10, 12], [7, 9], [3, 4], [5, 6]] {
                // Weights of simple fractions make many exact halves.
                let tolerance = Tolerance(differing: name.hasPrefix("linear") ? 0.07 : 0)
                try verifyAllForms(seed: 98, annotations: annotations, tolerance: tolerance, "resize to \(size), \(name)") { net in
                    let x = net.input([1, 4, 5, 6])
                    let sizes = net.integers([1, 4] + size)
                    net.output(net.add(op, [net.conv(x, 4, 4), nil, nil, sizes]))
                }
            }
        }
    }

    func testDepthAndSpace() throws {
        for mode in [DepthToSpace.Mode.dcr, .crd] {
            try verifyAllForms(seed: 99, annotations: annotations, "depth to space \(mode)") { net in
                let x = net.input([1, 4, 3, 5])
                net.output(net.add(DepthToSpace(blockSize: 2, mode: mode), [net.conv(x, 4, 12)]))
            }
        }
        try verifyAllForms(seed: 110, annotations: annotations, "space to depth") { net in
            let x = net.input([1, 3, 6, 4])
            net.output(net.conv(net.add(SpaceToDepth(blockSize: 2), [x]), 12, 5))
        }
    }

    func testGatherExpandAndTile() throws {
        try verifyAllForms(seed: 111, annotations: [Annotation()], "gather of channels") { net in
            let x = net.input([1, 6, 4, 4])
            let picks = net.integers([4, 0, 5])
            net.output(net.add(Gather(axis: 1), [x, picks]))
        }
        try verifyAllForms(seed: 112, annotations: [Annotation()], "expand") { net in
            let x = net.input([1, 4, 1, 1])
            let extents = net.integers([1, 4, 3, 5])
            net.output(net.add(Expand(), [x, extents]))
        }
        try verifyAllForms(seed: 113, annotations: [Annotation()], "tile") { net in
            let x = net.input([1, 2, 3, 2])
            let repeats = net.integers([1, 2, 1, 3])
            net.output(net.add(Tile(), [x, repeats]))
        }
    }

    func testOutputsThatAreInputsOrShared() throws {
        try verifyAllForms(seed: 114, annotations: [Annotation()], "one value at two outputs") { net in
            let x = net.input([1, 3, 4, 4])
            let y = net.relu(net.conv(x, 3, 4))
            net.output(y, name: "first")
            net.output(y, name: "second")
        }
        try verifyAllForms(seed: 115, annotations: [Annotation()], "an input handed through") { net in
            let x = net.input([1, 3, 4, 4])
            net.output(net.add(Identity(), [x]))
            net.output(net.conv(x, 3, 2))
        }
    }
}
