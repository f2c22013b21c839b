import Graph
import XCTest

@testable import Compiler

/// Sums, products, clamps and functions, alone and fused behind convolutions.
final class ElementwiseCompilationTests: XCTestCase {
    func testResidualAdd() throws {
        for hasRelu in [false, true] {
            // One step of the branch may be several of the sum.
            try verifyAllForms(seed: 60, tolerance: Tolerance(steps: 3), "residual\(hasRelu ? " with relu" : "")") { net in
                let x = net.input([1, 8, 7, 6])
                let stem = net.relu(net.conv(x, 8, 12))
                let branch = net.conv(net.relu(net.conv(stem, 12, 12)), 12, 12)
                let sum = net.add(Binary(.add), [branch, stem])
                net.output(hasRelu ? net.relu(sum) : sum)
            }
        }
        try verifyAllForms(seed: 61, "residual that is a graph output as well") { net in
            let x = net.input([1, 8, 4, 4])
            let a = net.conv(x, 8, 8)
            let sum = net.add(Binary(.add), [a, x])
            net.output(a)
            net.output(sum)
        }
        try verifyAllForms(seed: 62, "residual of two convolutions") { net in
            let x = net.input([1, 6, 8, 8])
            let a = net.conv(x, 6, 10, strides: [2, 2])
            let b = net.conv(x, 6, 10, [1, 1], strides: [2, 2], padding: .valid)
            net.output(net.relu(net.add(Binary(.add), [a, b])))
        }
        try verifyAllForms(seed: 63, "a value added to itself") { net in
            let x = net.input([1, 6, 4, 4])
            let a = net.conv(x, 6, 6)
            net.output(net.add(Binary(.add), [a, a]))
        }
    }

    func testBinaryBroadcasts() throws {
        let shapes: [(String, [Int], [Int])] = [
            ("equal", [1, 5, 4, 3], [1, 5, 4, 3]), ("one channel", [1, 5, 4, 3], [1, 1, 4, 3]),
            ("one pixel", [1, 5, 4, 3], [1, 5, 1, 1]), ("one row", [1, 5, 4, 3], [1, 5, 1, 3]),
            ("both sides", [1, 5, 1, 3], [1, 1, 4, 3]), ("rank 2", [1, 9], [1, 9]), ("scalar-like", [1, 7, 3, 3], [1, 1, 1, 1]),
        ]
        for function in [Binary.Function.add, .sub, .mul] {
            for (name, a, b) in shapes {
                try verifyAllForms(seed: 64, "\(function), \(name)") { net in
                    let (x, y) = (net.input(a, name: "a"), net.input(b, name: "b"))
                    net.output(net.add(Binary(function), [x, y]))
                }
            }
        }
    }

    func testBinaryWithConstants() throws {
        for function in [Binary.Function.add, .sub, .mul, .div] {
            for shape in [[], [6, 1, 1], [1, 6, 4, 5]] {
                try verifyAllForms(seed: 65, expectsIntegers: false, "\(function) with a constant \(shape)") { net in
                    let x = net.input([1, 6, 4, 5])
                    let c = net.constant(shape, 0.5...2)
                    net.output(net.add(Binary(function), [net.conv(x, 6, 6), c]))
                }
            }
        }
    }

    func testDivisionPowerAndSquaredDifference() throws {
        try verifyAllForms(seed: 66, expectsIntegers: false, tolerance: Tolerance(relative: 1e-4), "squared difference") { net in
            let (x, y) = (net.input([1, 5, 3, 4], name: "a"), net.input([1, 5, 3, 4], name: "b"))
            net.output(net.add(Binary(.squaredDifference), [x, y]))
        }
        try verifyAllForms(seed: 67, expectsIntegers: false, tolerance: Tolerance(relative: 1e-4), "quotient") { net in
            let (x, y) = (net.input([1, 5, 3, 4], name: "a"), net.input([1, 5, 3, 4], name: "b"))
            let two = net.scalar(2)
            net.output(net.add(Binary(.div), [x, net.add(Binary(.add), [y, two])]))
        }
    }

    func testMaximumAndMinimum() throws {
        for function in [Variadic.Function.max, .min] {
            try verifyAllForms(seed: 68, expectsIntegers: false, "\(function)") { net in
                let (x, y) = (net.input([1, 4, 5, 3], name: "a"), net.input([1, 4, 5, 3], name: "b"))
                net.output(net.add(Variadic(function), [x, y]))
            }
        }
    }

    func testClamps() throws {
        let clamps: [(String, (inout NetworkBuilder, ValueID) -> ValueID)] = [
            ("relu", { $0.relu($1) }), ("relu6", { $0.clip($1, 0, 6) }), ("clip", { $0.clip($1, -0.5, 0.75) }),
            ("relu1", { $0.clip($1, -1, 1) }),
        ]
        for (name, clamp) in clamps {
            for annotation in [Annotation(), Annotation(fusesClamps: false), Annotation(type: .uint8)] {
                try verifyAllForms(seed: 69, annotations: [annotation], "\(name) behind a convolution, \(annotation.fusesClamps)") { net in
                    let x = net.input([1, 5, 6, 6])
                    net.output(clamp(&net, net.conv(x, 5, 9)))
                }
            }
            try verifyAllForms(seed: 70, "\(name) alone") { net in
                let x = net.input([1, 5, 6, 6])
                net.output(clamp(&net, x))
            }
        }
    }

    func testFunctions() throws {
        let functions: [Unary.Function] = [
            .sigmoid, .tanh, .relu, .hardSwish, .swish(alpha: 1), .leakyRelu(alpha: 0.1), .elu(alpha: 1), .exp, .abs, .neg,
            .square, .gelu(tanhApproximation: false), .gelu(tanhApproximation: true), .hardSigmoid(alpha: 0.2, beta: 0.5),
            .softplus, .mish, .sin, .cos, .floor, .ceil, .round, .sign, .erf, .selu(alpha: 1.67, gamma: 1.05), .softsign,
        ]
        for function in functions {
            try verifyAllForms(seed: 71, tolerance: Tolerance(relative: 1e-4), "\(function.name)") { net in
                let x = net.input([1, 5, 6, 7])
                net.output(net.add(Unary(function), [x]))
            }
            try verifyAllForms(seed: 72, tolerance: Tolerance(relative: 1e-4), "\(function.name) behind a convolution") { net in
                let x = net.input([1, 4, 5, 5])
                net.output(net.add(Unary(function), [net.pointwise(x, 4, 7)]))
            }
        }
    }

    /// Activations that frameworks write as several nodes; the annotated forms come from a calibrated quantizer, which
    /// sees each as one function.
    func testComposites() throws {
        let composites: [(String, (inout NetworkBuilder, ValueID) -> ValueID)] = [
            ("SiLU", { net, x in net.add(Binary(.mul), [x, net.add(Unary(.sigmoid), [x])]) }),
            ("h-swish by clip", { net, x in
                let three = net.scalar(3), sixth = net.scalar(1 / 6)
                let clipped = net.clip(net.add(Binary(.add), [x, three]), 0, 6)
                return net.add(Binary(.mul), [net.add(Binary(.mul), [x, clipped]), sixth])
            }),
            ("h-swish by h-sigmoid", { net, x in
                net.add(Binary(.mul), [x, net.add(Unary(.hardSigmoid(alpha: 1 / 6, beta: 0.5)), [x])])
            }),
            ("mish by parts", { net, x in
                net.add(Binary(.mul), [x, net.add(Unary(.tanh), [net.add(Unary(.softplus), [x])])])
            }),
            ("GELU by parts", { net, x in
                let root = net.scalar(1.4142135), one = net.scalar(1), half = net.scalar(0.5)
                let erf = net.add(Unary(.erf), [net.add(Binary(.div), [x, root])])
                let sum = net.add(Binary(.add), [erf, one])
                return net.add(Binary(.mul), [net.add(Binary(.mul), [x, sum]), half])
            }),
        ]
        for (name, composite) in composites {
            try verifyAllForms(seed: 73, annotations: [], tolerance: Tolerance(relative: 1e-4), name) { net in
                let x = net.input([1, 4, 6, 6])
                net.output(net.conv(composite(&net, net.conv(x, 4, 8)), 8, 5))
            }
            var net = NetworkBuilder(seed: 73)
            let x = net.input([1, 4, 6, 6])
            net.output(net.conv(composite(&net, net.conv(x, 4, 8)), 8, 5))
            let compilation = try compileCalibrated(net.graph)
            XCTAssertEqual(compilation.lowered.plan.operations.count, 2, "\(name): a table behind the first convolution")
            try verify(compilation, against: compilation.asSource, name)
        }
    }

    func testPReLU() throws {
        for shape in [[6, 1, 1], [1, 1, 1]] {
            try verifyAllForms(seed: 74, expectsIntegers: false, "PReLU \(shape)") { net in
                let x = net.input([1, 6, 5, 4])
                let slope = net.constant(shape, 0.05...0.4)
                net.output(net.add(Binary(.prelu), [net.conv(x, 6, 6), slope]))
            }
        }
    }

    func testSqueezeAndExcite() throws {
        try verifyAllForms(seed: 75, "squeeze and excite") { net in
            let x = net.input([1, 8, 6, 6])
            let features = net.relu(net.conv(x, 8, 8))
            let pooled = net.add(GlobalPool(kind: .average), [features])
            let gate = net.add(Unary(.sigmoid), [net.pointwise(net.relu(net.pointwise(pooled, 8, 3)), 3, 8)])
            net.output(net.add(Binary(.mul), [features, gate]))
        }
    }

    func testUnfoldedBatchNormalization() throws {
        func network(_ net: inout NetworkBuilder) {
            let x = net.input([1, 5, 7, 7])
            func normalize(_ id: ValueID, _ channels: Int) -> ValueID {
                let parameters = [
                    net.constant([channels], 0.5...1.5), net.constant([channels]), net.constant([channels]),
                    net.constant([channels], 0.3...2),
                ]
                return net.add(BatchNormalization(), [id] + parameters)
            }
            let first = net.relu(normalize(net.conv(x, 5, 8, bias: false), 8))
            let second = normalize(net.conv(first, 8, 8, groups: 8), 8)
            net.output(net.conv(second, 8, 3))
        }
        try verifyAllForms(seed: 76, annotations: [], tolerance: Tolerance(relative: 2e-5), "batch normalization", network)
        var net = NetworkBuilder(seed: 76)
        network(&net)
        let compilation = try compileCalibrated(net.graph)
        XCTAssertEqual(compilation.lowered.plan.operations.count, 3, "normalizations are folded into the convolutions")
        try verify(
            compilation, against: compilation.asSource, tolerance: Tolerance(differing: 0.03), "batch normalization")
        try verifyAllForms(seed: 77, annotations: [], tolerance: Tolerance(relative: 2e-5), "batch normalization first") { net in
            let x = net.input([1, 3, 6, 6])
            let parameters = [net.constant([3], 0.5...1.5), net.constant([3]), net.constant([3]), net.constant([3], 0.3...2)]
            net.output(net.conv(net.add(BatchNormalization(), [x] + parameters), 3, 4))
        }
    }

    func testSelection() throws {
        try verifyAllForms(seed: 78, annotations: [], "where") { net in
            let (x, y) = (net.input([1, 4, 3, 5], name: "a"), net.input([1, 4, 3, 5], name: "b"))
            let zero = net.scalar(0)
            let isPositive = net.add(Binary(.greater), [x, zero], type: .bool)
            net.output(net.add(Where(), [isPositive, x, y]))
        }
    }
}

/// Quantizes by three random inputs and compiles.
func compileCalibrated(_ source: Graph, options: Quantizer.Options = .init(), seed: UInt64 = 9) throws -> Compilation {
    var graph = source
    let problems = graph.inferShapes()
    guard problems.isEmpty else { throw GraphProblems(problems) }
    return try Compiler.compile(
        graph, options: CompileOptions(precision: .int8(options)), calibration: try randomCalibration(graph, seed: seed))
}

/// Three random inputs for a network's only input.
func randomCalibration(_ graph: Graph, seed: UInt64 = 9) throws -> CalibrationSet {
    var random = TestRandom(seed: seed)
    let shape = graph[graph.inputs[0].value].shape!
    return try CalibrationSet(source: .tensor(random.tensor([3] + shape.dropFirst())), name: "random")
}

extension Compilation {
    /// The annotated graph with its ports in the source's layout, so that it can stand for the source.
    var asSource: Graph {
        var graph = prepared.graph
        for (index, layout) in prepared.inputs.enumerated() where layout.order != Array(layout.order.indices) {
            let inner = graph.inputs[index].value
            var value = graph[inner]
            value.name += "/source"
            value.shape = layout.shape
            let outer = graph.addValue(value)
            graph.inputs[index].value = outer
            graph.nodes.insert(
                Node(name: "\(value.name)/order", op: Transpose(permutation: layout.order), inputs: [outer], outputs: [inner], sourceOperator: ""),
                at: 0)
        }
        for (index, layout) in prepared.outputs.enumerated() where layout.order != Array(layout.order.indices) {
            var back = layout.order
            for (place, axis) in layout.order.enumerated() { back[axis] = place }
            var value = graph[graph.outputs[index].value]
            value.name += "/source"
            value.shape = layout.shape
            let outer = graph.addValue(value)
            graph.nodes.append(
                Node(
                    name: "\(value.name)/order", op: Transpose(permutation: back), inputs: [graph.outputs[index].value],
                    outputs: [outer], sourceOperator: ""))
            graph.outputs[index].value = outer
        }
        return graph
    }
}
