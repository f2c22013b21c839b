import Foundation
import Graph
import XCTest

@testable import Importers

/// Published models on a photograph give the numbers that ONNX Runtime 1.31.1 gives.
final class ONNXRealModelTests: XCTestCase {
    /// What ONNX Runtime's output is: where its largest element is, the mean absolute value, and the elements at 1/7,
    /// 1/3, 1/2, 5/7 of the count and at its end.
    private struct Facts {
        var output: String
        var count: Int
        var largest: Int
        var meanMagnitude: Float
        var samples: [Float]
    }

    private func check(
        _ name: String, mean: [Float] = [0, 0, 0], deviation: [Float] = [1, 1, 1], isBGR: Bool = false, _ facts: [Facts]
    ) throws {
        let graph = try model(name)
        XCTAssertTrue(graph.values.allSatisfy { $0.shape != nil }, "a shape depends on data")
        let outputs = try Executor(graph).run([
            graph.inputs[0].name: photograph(graph, mean: mean, deviation: deviation, isBGR: isBGR)
        ])
        XCTAssertEqual(graph.outputs.map(\.name), facts.map(\.output))
        for expected in facts {
            let elements = try XCTUnwrap(outputs[expected.output]).floats
            XCTAssertEqual(elements.count, expected.count)
            XCTAssertEqual(elements.indices.max { elements[$0] < elements[$1] }, expected.largest, expected.output)
            let magnitude = elements.reduce(0.0) { $0 + Double(abs($1)) } / Double(elements.count)
            XCTAssertEqual(Float(magnitude), expected.meanMagnitude, accuracy: 1e-4 * expected.meanMagnitude)
            let count = elements.count
            for (index, sample) in zip([count / 7, count / 3, count / 2, 5 * count / 7, count - 1], expected.samples) {
                XCTAssertEqual(
                    elements[index], sample, accuracy: 1e-3 * max(abs(sample), 0.01), "\(expected.output) \(index)")
            }
        }
    }

    private func model(_ name: String) throws -> Graph {
        let path = TestFiles.shared.appendingPathComponent("models/\(name)").path
        guard FileManager.default.fileExists(atPath: path) else {
            throw XCTSkip("\(path) is absent: the published models are not part of the repository")
        }
        return try ONNXImporter.load(path: path)
    }

    /// The photograph of a weightlifter at the size of the graph's input: nearest pixel, normalized, channels first.
    private func photograph(_ graph: Graph, mean: [Float], deviation: [Float], isBGR: Bool) throws -> Tensor {
        let bytes = [UInt8](try Data(contentsOf: TestFiles.shared.appendingPathComponent("images/golden/squat.bmp")))
        let (sourceWidth, sourceHeight, firstRow) = (500, 610, 54)
        let shape = try XCTUnwrap(graph[graph.inputs[0].value].shape)
        return Tensor(shape: shape, of: Float.self) { output in
            for y in 0..<shape[2] {
                // Rows are stored from the bottom, pixels as blue, green, red.
                let row = firstRow + (sourceHeight - 1 - y * sourceHeight / shape[2]) * sourceWidth * 3
                for x in 0..<shape[3] {
                    let pixel = row + x * sourceWidth / shape[3] * 3
                    for channel in 0..<3 {
                        let value = Float(bytes[pixel + (isBGR ? channel : 2 - channel)])
                        output[(channel * shape[2] + y) * shape[3] + x] = (value - mean[channel]) / deviation[channel]
                    }
                }
            }
        }
    }

    func testCIFAR10ResNet() throws {
        try check(
            "cifar10_resnet_4b.onnx", mean: [125.3, 123.0, 113.9], deviation: [63.0, 62.1, 66.7],
            [
                Facts(
                    output: "54", count: 10, largest: 2, meanMagnitude: 1.219782,
                    samples: [-3.276088, 1.463972, 1.279484, 0.9095834, -1.219217])
            ])
    }

    func testNanoDet() throws {
        try check(
            "nanodet_m_320.onnx", mean: [103.53, 116.28, 123.675], deviation: [57.375, 57.12, 58.395], isBGR: true,
            [
                Facts(
                    output: "cls_pred_stride_8", count: 128_000, largest: 119_556, meanMagnitude: 0.003926619,
                    samples: [0.003936827, 0.002668142, 0.007454753, 0.005319059, 0.005387664]),
                Facts(
                    output: "cls_pred_stride_16", count: 32_000, largest: 29_316, meanMagnitude: 0.006578108,
                    samples: [0.00517717, 0.008742481, 0.007360488, 0.008191884, 0.006058663]),
                Facts(
                    output: "cls_pred_stride_32", count: 8_000, largest: 4_320, meanMagnitude: 0.01153085,
                    samples: [0.00747472, 0.01125473, 0.01377404, 0.01155448, 0.01089954]),
                Facts(
                    output: "dis_pred_stride_8", count: 51_200, largest: 18_728, meanMagnitude: 0.7214825,
                    samples: [0.3418031, 0.1296415, 1.576943, 0.3236178, -0.8911664]),
                Facts(
                    output: "dis_pred_stride_16", count: 12_800, largest: 11_737, meanMagnitude: 0.5809805,
                    samples: [-0.08979694, 2.054612, 0.5547055, -0.8691586, -1.045094]),
                Facts(
                    output: "dis_pred_stride_32", count: 3_200, largest: 1_778, meanMagnitude: 0.863709,
                    samples: [0.637837, 1.320893, 0.4104326, 0.1216609, -1.376187]),
            ])
    }

    func testRFBFaces() throws {
        try check(
            "version-RFB-320_without_postprocessing.onnx", mean: [127, 127, 127], deviation: [128, 128, 128],
            [
                Facts(
                    output: "scores", count: 8_840, largest: 8_306, meanMagnitude: 0.5,
                    samples: [0.9499714, 0.9498201, 0.9343358, 0.9442657, 0.01086473]),
                Facts(
                    output: "boxes", count: 17_680, largest: 4_568, meanMagnitude: 0.9955723,
                    samples: [-0.06953322, -0.2411534, -0.7354683, 1.106317, -1.114888]),
            ])
    }

    func testYOLOX() throws {
        try check(
            "yolox_nano.onnx", isBGR: true,
            [
                Facts(
                    output: "output", count: 301_665, largest: 229_926, meanMagnitude: 0.0639838,
                    samples: [1.186126, 0.5542862, 0.002054274, 0.6510488, 0.003117859])
            ])
    }

    func testYuNet() throws {
        try check(
            "yunet120x160_face_detection_yunet_120x160.onnx",
            [
                Facts(
                    output: "loc", count: 15_064, largest: 3_833, meanMagnitude: 1.246723,
                    samples: [-1.155884, 0.6932769, -0.5596275, -0.1424785, 1.144089]),
                Facts(
                    output: "conf", count: 2_152, largest: 460, meanMagnitude: 0.5,
                    samples: [0.007323343, 0.009218807, 0.9904608, 0.01389988, 0.01588069]),
                Facts(
                    output: "iou", count: 1_076, largest: 234, meanMagnitude: 0.8134944,
                    samples: [1.934536, 0.4906454, 0.5723437, 1.845158, 0.3324556]),
            ])
    }

    /// Roundings that differ in one element grow through the later layers of this network, so beside the class only the
    /// early layers are compared.
    func testQuantizedMobileNetV2() throws {
        let graph = try model("mobilenet_v2_quant.onnx")
        let quantized = graph.nodes.filter { $0.op is QuantizeLinear }
        XCTAssertEqual(quantized.count, 67)
        let input = try photograph(
            graph, mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375], isBGR: false)
        var means: [String: Double] = [:]
        let outputs = try Executor(graph).run([graph.inputs[0].name: input]) { id, tensor in
            guard tensor.elementType == .uint8 else { return }
            let sum = tensor.elements(as: UInt8.self).reduce(0) { $0 + Int($1) }
            means[graph[id].name] = Double(sum) / Double(tensor.count)
        }
        XCTAssertEqual(try XCTUnwrap(means["544_quantized"]), 26.051232162786988, accuracy: 1e-4)
        XCTAssertEqual(try XCTUnwrap(means["559_quantized"]), 109.16511213860544, accuracy: 1e-3)
        XCTAssertEqual(try XCTUnwrap(means["577_quantized"]), 141.10961415816325, accuracy: 1e-2)
        let scores = try XCTUnwrap(outputs["output"]).floats
        // Class 543 of ImageNet is the dumbbell.
        XCTAssertEqual(scores.indices.max { scores[$0] < scores[$1] }, 543)
    }
}
