import XCTest

@testable import Graph

final class ShapeOperatorTests: XCTestCase {
    private let x = floats((0..<6).map(Float.init), [2, 3])

    func testReshape() throws {
        let data = floats((0..<24).map(Float.init), [2, 3, 4])
        func shape(_ target: [Int], allowZero: Bool = false) throws -> [Int] {
            try output(of: Reshape(allowZero: allowZero), [data, ints(target)]).shape
        }
        XCTAssertEqual(try shape([4, 6]), [4, 6])
        XCTAssertEqual(try shape([0, -1]), [2, 12])
        XCTAssertEqual(try shape([-1, 0, 4]), [2, 3, 4])
        XCTAssertEqual(try shape([2, 0, 1, -1]), [2, 3, 1, 4])
        let empty = try output(of: Reshape(allowZero: true), [floats([], [0, 3]), ints([3, 0])])
        XCTAssertEqual(empty.shape, [3, 0])
        for target in [[5, 5], [-1, 5], [-1, -1], [2, 3, 4, 0], [-2, 12]] {
            assertRefused(Reshape(), [data, ints(target)], subject: "input 1 (shape)")
        }
    }

    func testTransposeAllPermutationsOfThreeAxes() throws {
        let data = floats((0..<24).map(Float.init), [2, 3, 4])
        for permutation in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let found = try output(of: Transpose(permutation: permutation), [data])
            for i in 0..<2 {
                for j in 0..<3 {
                    for k in 0..<4 {
                        let index = permutation.map { [i, j, k][$0] }
                        let position = zip(index, rowMajorStrides(found.shape)).reduce(0) { $0 + $1.0 * $1.1 }
                        XCTAssertEqual(found.floats[position], Float(i * 12 + j * 4 + k))
                    }
                }
            }
        }
        assertClose(try output(of: Transpose(), [x]), [0, 3, 1, 4, 2, 5], shape: [3, 2])
        assertIntegers(try output(of: Transpose(), [x.converted(to: .int8)]), [0, 3, 1, 4, 2, 5])
        assertIntegers(try output(of: Transpose(), [x.converted(to: .int16)]), [0, 3, 1, 4, 2, 5])
        assertIntegers(try output(of: Transpose(), [x.converted(to: .int64)]), [0, 3, 1, 4, 2, 5])
        assertRefused(Transpose(permutation: [0, 0]), [x], subject: "attribute perm")
    }

    func testConcatAndSplit() throws {
        let y = floats([10, 11], [2, 1])
        assertClose(try output(of: Concat(axis: 1), [x, y]), [0, 1, 2, 10, 3, 4, 5, 11], shape: [2, 4])
        assertClose(try output(of: Concat(axis: -2), [x, x]), (0..<12).map { Float($0 % 6) }, shape: [4, 3])
        assertRefused(Concat(axis: 0), [x, y], subject: "input 1 (1)")
        assertRefused(Concat(axis: 1), [x, y.converted(to: .float64)], subject: "input 1 (1)")
        let parts = try outputs(of: Split(axis: 1), [x, ints([1, 0, 2])])
        assertClose(parts[0], [0, 3], shape: [2, 1])
        XCTAssertEqual(parts[1].shape, [2, 0])
        assertClose(parts[2], [1, 2, 4, 5], shape: [2, 2])
        let uneven = try outputs(of: Split(axis: 0, numOutputs: 3), [floats([0, 1, 2, 3, 4, 5, 6], [7])])
        XCTAssertEqual(uneven.map(\.shape), [[3], [3], [1]])
        assertClose(uneven[1], [3, 4, 5])
        assertRefused(Split(axis: 1), [x, ints([1, 1])], subject: "input 1 (split)")
        assertRefused(Split(axis: 1), [x], subject: "attribute num_outputs")
    }

    func testSlice() throws {
        func slice(_ starts: [Int], _ ends: [Int], _ axes: [Int]?, _ steps: [Int]?) throws -> Tensor {
            try output(of: Slice(), [x, ints(starts), ints(ends), axes.map(ints), steps.map(ints)])
        }
        assertClose(try slice([1], [2], nil, nil), [3, 4, 5], shape: [1, 3])
        assertClose(try slice([0, -2], [1, .max], nil, nil), [1, 2], shape: [1, 2])
        assertClose(try slice([0], [3], [1], [2]), [0, 2, 3, 5], shape: [2, 2])
        assertClose(try slice([-1], [.min], [1], [-1]), [2, 1, 0, 5, 4, 3], shape: [2, 3])
        assertClose(try slice([2, 1], [0, -9], [-1, 0], [-2, -1]), [5, 2], shape: [2, 1])
        XCTAssertEqual(try slice([2], [1], [1], nil).shape, [2, 0])
        XCTAssertEqual(try slice([1000], [2000], [1], nil).shape, [2, 0])
        assertRefused(Slice(), [x, ints([0]), ints([1]), ints([2])], subject: "input 3 (axes)")
        assertRefused(Slice(), [x, ints([0]), ints([1]), ints([0]), ints([0])], subject: "input 2 (ends)")
    }

    func testPad() throws {
        let row = floats([1, 2, 3], [3])
        func pad(_ mode: Pad.Mode, _ pads: [Int]) throws -> Tensor {
            try output(of: Pad(mode: mode), [row, ints(pads)])
        }
        assertClose(try pad(.constant, [2, 1]), [0, 0, 1, 2, 3, 0])
        assertClose(try pad(.reflect, [2, 1]), [3, 2, 1, 2, 3, 2])
        assertClose(try pad(.symmetric, [2, 1]), [2, 1, 1, 2, 3, 3])
        assertClose(try pad(.edge, [2, 1]), [1, 1, 1, 2, 3, 3])
        assertClose(try pad(.wrap, [2, 1]), [2, 3, 1, 2, 3, 1])
        assertClose(try pad(.constant, [-1, 1]), [2, 3, 0])
        assertClose(try output(of: Pad(), [row, ints([1, 0]), Tensor(scalar: Float(9))]), [9, 1, 2, 3])
        let axes = try output(of: Pad(), [x, ints([0, 1]), nil, ints([-1])])
        assertClose(axes, [0, 1, 2, 0, 3, 4, 5, 0], shape: [2, 4])
        let both = try output(of: Pad(mode: .edge), [x, ints([1, 0, 0, 1])])
        assertClose(both, [0, 1, 2, 2, 0, 1, 2, 2, 3, 4, 5, 5], shape: [3, 4])
        assertRefused(Pad(mode: .reflect), [row, ints([3, 0])], subject: "input 1 (pads)")
        assertRefused(Pad(), [row, ints([1])], subject: "input 1 (pads)")
        assertRefused(Pad(), [row, ints([-4, 0])], subject: "input 1 (pads)")
        assertRefused(Pad(), [row, ints([1, 1]), x], subject: "input 2 (value)")
    }

    func testGather() throws {
        assertClose(try output(of: Gather(axis: 1), [x, ints([2, -3])]), [2, 0, 5, 3], shape: [2, 2])
        assertClose(try output(of: Gather(), [x, Tensor(scalar: Int64(1))]), [3, 4, 5], shape: [3])
        let matrix = Tensor([Int32(0), 1, 1, 0], shape: [2, 2])
        XCTAssertEqual(try output(of: Gather(axis: 1), [x, matrix]).shape, [2, 2, 2])
        let elements = try output(of: GatherElements(axis: 1), [x, Tensor([Int64(2), -1, 0, 1], shape: [2, 2])])
        assertClose(elements, [2, 2, 3, 4], shape: [2, 2])
        let tuples = Tensor([Int64(1), 2, 0, -1], shape: [2, 2])
        assertClose(try output(of: GatherND(), [x, tuples]), [5, 2], shape: [2])
        assertClose(try output(of: GatherND(), [x, Tensor([Int64(1)], shape: [1, 1])]), [3, 4, 5], shape: [1, 3])
        assertClose(
            try output(of: GatherND(batchDims: 1), [x, Tensor([Int64(1), 2], shape: [2, 1])]), [1, 5], shape: [2])
        assertRefused(Gather(axis: 1), [x, ints([3])], subject: "input 1 (indices)")
        assertRefused(GatherElements(), [x, ints([0])], subject: "input 1 (indices)")
        assertRefused(GatherND(), [x, Tensor([Int64(1), 2, 0], shape: [1, 3])], subject: "input 1 (indices)")
        XCTAssertThrowsError(try GatherND().evaluate([x, Tensor([Int64(2)], shape: [1, 1])]))
    }

    func testScatterAndOneHot() throws {
        let found = try output(of: ScatterND(), [x, Tensor([Int64(1)], shape: [1, 1]), floats([7, 8, 9], [1, 3])])
        assertClose(found, [0, 1, 2, 7, 8, 9])
        let points = Tensor([Int64(0), 2, 1, -3], shape: [2, 2])
        assertClose(try output(of: ScatterND(), [x, points, floats([7, 8], [2])]), [0, 1, 7, 8, 4, 5])
        let elements = try output(
            of: ScatterElements(axis: 1), [x, Tensor([Int64(1), -1], shape: [2, 1]), floats([7, 8], [2, 1])])
        assertClose(elements, [0, 7, 2, 3, 4, 8])
        let hot = try output(of: OneHot(), [ints([1, -1, 5]), Tensor(scalar: Int64(3)), floats([0, 1], [2])])
        assertClose(hot, [0, 1, 0, 0, 0, 1, 0, 0, 0], shape: [3, 3])
        let first = try output(of: OneHot(axis: 0), [ints([1, 0]), Tensor(scalar: Int64(2)), floats([-1, 2], [2])])
        assertClose(first, [-1, 2, 2, -1], shape: [2, 2])
        assertRefused(ScatterND(), [x, points, floats([7], [1])], subject: "input 2 (updates)")
    }

    func testAxesAndExtents() throws {
        let data = floats([1, 2], [1, 2, 1])
        XCTAssertEqual(try output(of: Squeeze(), [data]).shape, [2])
        XCTAssertEqual(try output(of: Squeeze(), [data, ints([-1])]).shape, [1, 2])
        assertRefused(Squeeze(), [data, ints([1])], subject: "input 1 (axes)")
        XCTAssertEqual(try output(of: Unsqueeze(), [x, ints([-1, 0])]).shape, [1, 2, 3, 1])
        assertRefused(Unsqueeze(), [x, ints([4])], subject: "input 1 (axes)")
        XCTAssertEqual(try output(of: Flatten(axis: 0), [x]).shape, [1, 6])
        XCTAssertEqual(try output(of: Flatten(axis: 2), [x]).shape, [6, 1])
        XCTAssertEqual(try output(of: Flatten(axis: -1), [data]).shape, [2, 1])
        assertRefused(Flatten(axis: 3), [x], subject: "attribute axis")
        assertClose(
            try output(of: Expand(), [floats([1, 2], [2, 1]), ints([2, 1, 3])]), [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2],
            shape: [2, 2, 3])
        assertRefused(Expand(), [x, ints([2, 2])], subject: "input 1 (shape)")
        assertClose(
            try output(of: Tile(), [floats([1, 2], [1, 2]), ints([2, 2])]), [1, 2, 1, 2, 1, 2, 1, 2], shape: [2, 4])
        assertRefused(Tile(), [x, ints([2])], subject: "input 1 (repeats)")
        assertIntegers(try output(of: Shape(), [data]), [1, 2, 1])
        assertIntegers(try output(of: Shape(start: -2, end: 9), [data]), [2, 1])
        assertIntegers(try output(of: Shape(start: 2, end: 1), [data]), [], shape: [0])
        assertIntegers(try output(of: Size(), [x]), [6], shape: [])
        assertClose(try output(of: Identity(), [x]), x)
        let dropped = try outputs(of: Dropout(), [x])
        assertClose(dropped[0], x)
        XCTAssertTrue(dropped[1].elements(as: Bool.self).allSatisfy { $0 })
        assertIntegers(
            try output(of: ConstantOfShape(value: Tensor([Int8(7)], shape: [1])), [ints([2, 1])]), [7, 7],
            shape: [2, 1])
        XCTAssertEqual(try output(of: ConstantOfShape(), [ints([])]).shape, [])
        assertIntegers(try output(of: NumberRange(), [10, 3, -3].map { Tensor(scalar: Int32($0)) }), [10, 7, 4])
        assertClose(try output(of: NumberRange(), [0, 1, 0.4].map { Tensor(scalar: Float($0)) }), [0, 0.4, 0.8])
        assertRefused(NumberRange(), [0, 1, 0].map { Tensor(scalar: Float($0)) }, subject: "input 2 (delta)")
        assertIntegers(
            try output(of: NonZero(), [floats([0, 1, 0, 2, 3, 0], [2, 3])]), [0, 1, 1, 1, 0, 1], shape: [2, 3])
    }

    func testCast() throws {
        let values = floats([-1.9, 1.9, 300, .nan, .infinity], [5])
        assertIntegers(try output(of: Cast(to: .int8), [values]), [-1, 1, 127, 0, 127])
        assertIntegers(try output(of: Cast(to: .uint8), [values]), [0, 1, 255, 0, 255])
        assertIntegers(try output(of: Cast(to: .int8), [Tensor([Int32(300), -129], shape: [2])]), [44, 127])
        assertIntegers(try output(of: Cast(to: .bool), [floats([0, -0.5, 2], [3])]), [0, 1, 1])
        assertClose(try output(of: Cast(to: .float32), [Tensor([true, false], shape: [2])]), [1, 0])
        XCTAssertEqual(Tensor([UInt64.max], shape: [1]).converted(to: .float64).doubles, [0x1p64])
        // bfloat16 keeps 8 bits, ties to even.
        let rounded = floats([1.00390625, 1.01171875, 3.4e38, .nan], [4]).converted(to: .bfloat16)
        assertClose(rounded, [1, 1.015625, .infinity, .nan])
        for type in ElementType.allCases {
            XCTAssertEqual(floats([0, 1], [2]).converted(to: type).elementType, type)
            assertClose(floats([0, 1], [2]).converted(to: type), [0, 1])
        }
    }

    func testCenterCropPad() throws {
        let data = floats((0..<20).map(Float.init), [4, 5])
        let found = try output(of: CenterCropPad(), [data, ints([2, 7])])
        assertClose(found, [0, 5, 6, 7, 8, 9, 0, 0, 10, 11, 12, 13, 14, 0], shape: [2, 7])
        assertClose(try output(of: CenterCropPad(axes: [-1]), [x, ints([1])]), [1, 4], shape: [2, 1])
        assertRefused(CenterCropPad(axes: [0]), [x, ints([1, 1])], subject: "input 1 (shape)")
    }

    func testDepthAndSpace() throws {
        let data = floats((0..<8).map(Float.init), [1, 8, 1, 1])
        let dcr = try output(of: DepthToSpace(blockSize: 2), [data])
        assertClose(dcr, [0, 2, 4, 6, 1, 3, 5, 7], shape: [1, 2, 2, 2])
        let crd = try output(of: DepthToSpace(blockSize: 2, mode: .crd), [data])
        assertClose(crd, [0, 1, 2, 3, 4, 5, 6, 7], shape: [1, 2, 2, 2])
        assertClose(try output(of: SpaceToDepth(blockSize: 2), [dcr]), data)
        var random = TestRandom(seed: 8)
        let image = random.tensor([2, 8, 3, 5])
        for mode in [DepthToSpace.Mode.dcr, .crd] {
            let expected = try output(of: DepthToSpace(blockSize: 2, mode: mode), [image])
            let last = DepthToSpace(blockSize: 2, mode: mode, layout: .channelsLast)
            assertClose(try output(of: last, [image.channelsLast]), expected.channelsLast)
        }
        let wide = random.tensor([2, 3, 4, 6])
        let expected = try output(of: SpaceToDepth(blockSize: 2), [wide])
        assertClose(
            try output(of: SpaceToDepth(blockSize: 2, layout: .channelsLast), [wide.channelsLast]),
            expected.channelsLast)
        assertRefused(DepthToSpace(blockSize: 3), [data], subject: "attribute blocksize")
        assertRefused(SpaceToDepth(blockSize: 2), [data], subject: "attribute blocksize")
    }

    func testSpaceAndBatch() throws {
        let data = floats((1...4).map(Float.init), [1, 2, 2, 1])
        let blocks = ints([2, 2])
        let none = Tensor([Int64](repeating: 0, count: 4), shape: [2, 2])
        assertClose(try output(of: SpaceToBatch(), [data, blocks, none]), [1, 2, 3, 4], shape: [4, 1, 1, 1])
        let pads = Tensor([Int64(1), 1, 0, 2], shape: [2, 2])
        let padded = try output(of: SpaceToBatch(), [data, blocks, pads])
        // Rows 0, 1 2, 3 4, 0 with two more columns; phases (0,0) (0,1) (1,0) (1,1).
        assertClose(padded, [0, 0, 3, 0, 0, 0, 4, 0, 1, 0, 0, 0, 2, 0, 0, 0], shape: [4, 2, 2, 1])
        assertClose(try output(of: BatchToSpace(), [padded, blocks, pads]), data)
        // A dilated convolution is a plain one between the two.
        var random = TestRandom(seed: 9)
        let (x, weights) = (random.tensor([1, 7, 6, 2]), random.tensor([3, 2, 3, 3]))
        let dilated = try output(
            of: Conv(dilations: [2, 2], padding: .explicit([2, 2, 2, 2]), layout: .channelsLast), [x, weights])
        let split = try output(of: SpaceToBatch(), [x, blocks, Tensor([Int64(2), 3, 2, 2], shape: [2, 2])])
        let convolved = try output(of: Conv(layout: .channelsLast), [split, weights])
        let merged = try output(of: BatchToSpace(), [convolved, blocks, Tensor([Int64(0), 1, 0, 0], shape: [2, 2])])
        assertClose(merged, dilated)
        assertRefused(SpaceToBatch(), [data, ints([3, 2]), none], subject: "input 2 (paddings)")
        assertRefused(BatchToSpace(), [data, blocks, none], subject: "input 1 (block shape)")
    }

    func testReverseSequence() throws {
        let data = floats((0..<6).map(Float.init), [3, 2])
        assertClose(try output(of: ReverseSequence(), [data, ints([3, 2])]), [4, 3, 2, 1, 0, 5])
        let rows = ReverseSequence(batchAxis: 0, timeAxis: 1)
        assertClose(try output(of: rows, [x, ints([1, 3])]), [0, 1, 2, 5, 4, 3])
        assertRefused(rows, [x, ints([1, 4])], subject: "input 1 (lengths)")
    }
}
