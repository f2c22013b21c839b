import Graph
import XCTest

@testable import Compiler

/// Pools, reductions, softmax, and layers that stay float inside an integer network.
final class ReductionCompilationTests: XCTestCase {
    private let annotations = [Annotation(), Annotation(type: .uint8), Annotation(sharesScales: false)]

    func testPools() throws {
        let cases: [(String, Pool)] = [
            ("max 2×2", Pool(kind: .max(storageOrder: 0), kernel: [2, 2], strides: [2, 2])),
            ("max 3×3 padded", Pool(kind: .max(storageOrder: 0), kernel: [3, 3], strides: [2, 2], padding: .explicit([1, 1, 1, 1]))),
            ("max, ceil", Pool(kind: .max(storageOrder: 0), kernel: [3, 2], strides: [2, 2], ceilMode: true)),
            ("max, same", Pool(kind: .max(storageOrder: 0), kernel: [5, 5], strides: [1, 1], padding: .sameUpper)),
            ("average 2×2", Pool(kind: .average(countIncludesPadding: false), kernel: [2, 2], strides: [2, 2])),
            ("average padded", Pool(kind: .average(countIncludesPadding: false), kernel: [3, 3], strides: [1, 2], padding: .explicit([1, 1, 1, 1]))),
            ("average counting padding", Pool(kind: .average(countIncludesPadding: true), kernel: [3, 3], strides: [2, 2], padding: .explicit([1, 1, 1, 1]))),
            ("average, same", Pool(kind: .average(countIncludesPadding: false), kernel: [3, 3], strides: [2, 2], padding: .sameUpper)),
        ]
        for (name, op) in cases {
            try verifyAllForms(seed: 120, annotations: annotations, name) { net in
                let x = net.input([1, 5, 9, 8])
                net.output(net.add(op, [net.conv(x, 5, 7)]))
            }
        }
    }

    func testGlobalPools() throws {
        for kind in [GlobalPool.Kind.average, .max] {
            for size in [[1, 1], [7, 7], [5, 13]] {
                try verifyAllForms(seed: 121, annotations: annotations, "global \(kind) pool of \(size)") { net in
                    let x = net.input([1, 6] + size)
                    net.output(net.add(GlobalPool(kind: kind), [net.pointwise(x, 6, 18)]))
                }
            }
        }
    }

    func testReductions() throws {
        for function in [Reduce.Function.mean, .sum, .max, .min] {
            for (axes, keepDims) in [([2, 3], true), ([2, 3], false), ([1], true), ([-1], false), ([2], true)] {
                try verifyAllForms(
                    seed: 122, annotations: annotations, expectsIntegers: false, "\(function) over \(axes), \(keepDims)"
                ) { net in
                    let x = net.input([1, 5, 6, 7])
                    let numbers = net.integers(axes)
                    net.output(net.add(Reduce(function, keepDims: keepDims), [x, numbers]))
                }
            }
        }
    }

    func testSoftmax() throws {
        for axis in [1, -1] {
            try verifyAllForms(seed: 124, annotations: annotations, expectsIntegers: false, "softmax over axis \(axis)") { net in
                let x = net.input([1, 10])
                net.output(net.add(Softmax(axis: axis), [x]))
            }
            try verifyAllForms(seed: 125, annotations: annotations, expectsIntegers: false, "softmax over axis \(axis) of a picture") { net in
                let x = net.input([1, 6, 4, 5])
                net.output(net.add(Softmax(axis: axis), [net.pointwise(x, 6, 6)]))
            }
        }
    }

    func testFloatIslandsInAnnotatedNetworks() throws {
        try verifyAllForms(
            seed: 126, annotations: [Annotation(floats: ["island_out", "behind_out"])], float: false, expectsIntegers: false,
            tolerance: Tolerance(relative: 1e-4), "float island"
        ) { net in
            let x = net.input([1, 4, 6, 6])
            let before = net.relu(net.conv(x, 4, 6))
            let island = net.conv(before, 6, 5, name: "island")
            let behind = net.add(Unary(.tanh), [island], name: "behind")
            net.output(net.conv(behind, 5, 4))
        }
    }

    func testKeepFloatLayers() throws {
        var net = NetworkBuilder(seed: 127)
        let x = net.input([1, 3, 8, 8])
        let a = net.relu(net.conv(x, 3, 8, name: "first"))
        let b = net.relu(net.conv(a, 8, 8, name: "middle"))
        net.output(net.conv(b, 8, 4, name: "last"))
        let plain = try compileCalibrated(net.graph)
        XCTAssertEqual(integerProducts(plain), 3)
        XCTAssertEqual(plain.lowered.floatNodes, [])
        try verify(plain, against: plain.asSource, "all int8")
        let kept = try compileCalibrated(net.graph, options: .init(keepFloat: ["middle"]))
        XCTAssertEqual(integerProducts(kept), 2)
        XCTAssertEqual(kept.lowered.floatNodes.map(\.name), ["middle"])
        try verify(kept, against: kept.asSource, "the middle layer float")
    }

    func testTailStaysFloat() throws {
        var net = NetworkBuilder(seed: 128)
        let x = net.input([1, 3, 8, 8])
        let features = net.relu(net.conv(x, 3, 8))
        let boxes = net.add(Unary(.exp), [net.conv(features, 8, 4)])
        let scores = net.add(Unary(.sigmoid), [net.conv(features, 8, 2)])
        net.output(net.add(Concat(axis: 1), [boxes, scores]))
        let compilation = try compileCalibrated(net.graph)
        XCTAssertEqual(integerProducts(compilation), 3)
        XCTAssertEqual(compilation.lowered.plan.outputs[0].storedType, .float32)
        try verify(compilation, against: compilation.asSource, tolerance: Tolerance(relative: 1e-4), "float tail")
    }

    func testMultipleInputsInFloat() throws {
        try verifyAllForms(seed: 129, annotations: [], "two inputs of different layout") { net in
            let image = net.input([1, 3, 6, 6], name: "image")
            let vector = net.input([1, 5], name: "vector")
            let pooled = net.add(Flatten(), [net.add(GlobalPool(kind: .max), [net.conv(image, 3, 7)])])
            let joined = net.add(Concat(axis: 1), [pooled, vector])
            let weights = net.constant([4, 12])
            net.output(net.add(Gemm(transB: true), [joined, weights, nil]))
        }
    }
}
