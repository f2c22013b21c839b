import XCTest

@testable import Graph

/// Attributes and shape-like inputs of any size are refused by name, not by overflow.
final class HostileAttributesTests: XCTestCase {
    private let extremes = [Int.max, Int.min, 1 << 62, -(1 << 62), 1 << 31, -1]
    private let x = floats([Float](repeating: 1, count: 16), [1, 1, 4, 4])

    /// Applies the shape rule; a refusal must say something.
    private func infer(_ op: any Operator, _ inputs: [Tensor?]) {
        do {
            for type in try op.infer(inputs.map { $0.map(InputFacts.init(contents:)) }) {
                try ShapeInference.requireCount(type, "output")
            }
        } catch {
            XCTAssertFalse(error.expected.isEmpty || error.found.isEmpty, op.name)
        }
    }

    func testWindows() {
        let weights = floats([1], [1, 1, 1, 1])
        for value in extremes {
            for padding in [Padding.valid, .sameUpper, .sameLower, .explicit([value, 0, 0, value])] {
                for (strides, dilations) in [([value, 1], []), ([], [1, value]), ([], [])] {
                    infer(Conv(strides: strides, dilations: dilations, padding: padding, groups: value), [x, weights])
                    infer(Conv(strides: strides, dilations: dilations, padding: padding), [x, weights])
                    infer(
                        ConvTranspose(
                            strides: strides, dilations: dilations, padding: padding, outputPadding: [value, 0]),
                        [x, weights])
                    infer(
                        ConvTranspose(strides: strides, dilations: dilations, outputShape: [value, value]),
                        [x, weights])
                    for kernel in [[value, 1], [2, 2]] {
                        infer(
                            Pool(
                                kind: .max(storageOrder: 0), kernel: kernel, strides: strides, dilations: dilations,
                                padding: padding, ceilMode: true), [x])
                    }
                }
            }
        }
    }

    func testAttributes() {
        let scale = floats([1, 1, 1, 1], [1, 1, 4, 1])
        for value in extremes {
            infer(DepthToSpace(blockSize: value), [x])
            infer(SpaceToDepth(blockSize: value), [floats([], [1, 1, 0, 0])])
            infer(QuantizeLinear(axis: value, blockSize: value), [x, scale])
            infer(QuantizeLinear(axis: 1, blockSize: value), [x, scale])
            infer(LRN(size: value), [x])
            infer(GroupNormalization(groups: value), [x, scale, scale])
            infer(Softmax(axis: value), [x])
            infer(Split(axis: 0, numOutputs: 1), [x, ints([value, value])])
            infer(GatherND(batchDims: value), [x, ints([0])])
            infer(OneHot(), [ints([0]), Tensor(scalar: Int64(value)), floats([0, 1], [2])])
            infer(
                RoiAlign(outputHeight: value, outputWidth: value, samplingRatio: value),
                [x, floats([0, 0, 1, 1], [1, 4]), ints([0])])
            infer(
                DetectionPostProcess(
                    maxDetections: value, maxClassesPerDetection: value, scoreThreshold: 0, iouThreshold: 0,
                    classCount: 1,
                    yScale: 1, xScale: 1, hScale: 1, wScale: 1),
                [floats([0, 0, 0, 0], [1, 1, 4]), floats([1], [1, 1, 1]), floats([0, 0, 1, 1], [1, 4])])
        }
    }

    func testShapeLikeInputs() {
        for value in extremes {
            let four = ints([value, value, value, value])
            infer(Reshape(), [x, ints([value, value])])
            infer(Reshape(), [x, ints([-1, value, value])])
            infer(Expand(), [x, four])
            infer(Tile(), [x, four])
            infer(ConstantOfShape(), [four])
            infer(CenterCropPad(), [x, four])
            infer(Resize(), [x, nil, nil, four])
            infer(Resize(), [x, nil, floats([1, 1, 1e30, .nan], [4])])
            infer(Squeeze(), [x, four])
            infer(Unsqueeze(), [x, four])
            infer(Gather(), [x, ints([value])])
            infer(TopK(), [x, ints([value])])
            infer(Reduce(.sum), [x, ints([value])])
            infer(NumberRange(), [Tensor(scalar: Int64(0)), Tensor(scalar: Int64(value)), Tensor(scalar: Int64(1))])
            infer(SpaceToBatch(), [x, ints([value, value]), four])
            infer(BatchToSpace(), [x, ints([value, value]), four])
            for other in extremes {
                infer(Slice(), [x, ints([value]), ints([other]), ints([2])])
                infer(Slice(), [x, ints([0]), ints([value]), ints([2]), ints([other])])
                infer(Pad(mode: .reflect), [x, ints([0, 0, value, 0, 0, 0, other, 0])])
                infer(Pad(), [x, ints([0, 0, value, 0, 0, 0, other, 0])])
            }
        }
    }
}
