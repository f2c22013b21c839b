import Foundation
import Graph
import Importers
import XCTest

/// Models from the field: each imports, or is refused with its reason, and gives what its publisher says.
final class TFLiteModelTests: XCTestCase {
    private func file(_ path: String) throws -> URL {
        let url = TestFiles.shared.appendingPathComponent(path)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw XCTSkip("\(url.path) is absent: the shared models and pictures are not part of the repository")
        }
        return url
    }

    private func load(_ name: String) throws -> Graph { try TFLiteImporter.load(path: file("models/\(name)").path) }

    func testEveryModelImportsOrIsRefusedByName() throws {
        let folder = try file("models")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".tflite") }
        XCTAssertGreaterThan(names.count, 0)
        for name in names.sorted() where name != "mp_selfie_segmentation.tflite" {
            do {
                let graph = try load(name)
                XCTAssertNoThrow(try Executor(graph), name)
                for value in graph.values { XCTAssertNotNil(value.shape, "\(name): \(value.name)") }
                XCTAssertEqual(Set(graph.values.map(\.name)).count, graph.values.count, "\(name): names of values")
                XCTAssertEqual(Set(graph.nodes.map(\.name)).count, graph.nodes.count, "\(name): names of nodes")
            } catch {
                XCTFail("\(name): \(error)")
            }
        }
        XCTAssertThrowsError(try load("mp_selfie_segmentation.tflite")) { error in
            XCTAssertEqual(
                "\(error)",
                """
                1 problem:
                  node "segment" (Convolution2DTransposeBias): operator: expected one that Swiftlet has, found the custom \
                operator Convolution2DTransposeBias. This is MediaPipe's own transposed convolution with bias: convert the \
                model again with TensorFlow's Conv2DTranspose, which becomes TRANSPOSE_CONV.
                """)
        }
    }

    /// The unfolded shape arithmetic and the phases of this file are gone after import.
    func testShapeChainsAndPhasesAreGone() throws {
        let graph = try load("version-RFB-320_without_postprocessing.tflite")
        let left = Set(graph.nodes.map(\.op.name))
        XCTAssert(
            left.isDisjoint(with: ["Shape", "StridedSlice", "Slice", "SpaceToBatch", "BatchToSpace", "Cast"]), "\(left)"
        )
        XCTAssertEqual(graph.outputs.map { graph[$0.value].shape }, [[1, 4420, 4], [1, 4420, 2]])
    }

    /// tflite-support's object_detector_test.cc: a cat of score 0.64 at x 54, y 396, width 393, height 196, two more
    /// cats and a dog.
    func testDetectorFindsCatsAndDog() throws {
        let graph = try load("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite")
        let picture = try TestPicture(file("images/golden/cats_and_dogs.jpg"))
        let input = Tensor(picture.resized(300, 300), shape: [1, 300, 300, 3])
        let outputs = try Executor(graph).run([graph.inputs[0].name: input])
        let results = graph.outputs.map { outputs[$0.name]!.floats }
        let (boxes, classes, scores) = (results[0], results[1], results[2])
        XCTAssertEqual(Array(classes[..<4]), [16, 16, 16, 17])
        for (score, expected) in zip(scores, [0.64, 0.61, 0.56, 0.5] as [Float]) {
            XCTAssertEqual(score, expected, accuracy: 0.03)
        }
        let size: [Float] = [Float(picture.height), Float(picture.width), Float(picture.height), Float(picture.width)]
        for (coordinate, expected) in zip(zip(boxes, size).map { $0 * $1 }, [396, 54, 396 + 196, 54 + 393] as [Float]) {
            XCTAssertEqual(coordinate, expected, accuracy: 12)
        }
    }

    /// tflite-support's image_segmenter_test.cc: at most 1 % of the pixels differ from the golden mask.
    func testSegmentationMask() throws {
        let graph = try load("deeplabv3_257_float.tflite")
        let picture = try TestPicture(file("images/golden/segmentation_input_rotation0.jpg"))
        let pixels = picture.resized(257, 257).map { (Float($0) - 127.5) / 127.5 }
        let outputs = try Executor(graph).run([graph.inputs[0].name: Tensor(pixels, shape: [1, 257, 257, 3])])
        let golden = try TestPicture(file("images/golden/segmentation_golden_rotation0.png"))
        XCTAssertEqual([golden.width, golden.height, golden.channels], [257, 257, 1])
        var agreeing = 0
        outputs[graph.outputs[0].name]!.withElements(of: Float.self) { scores in
            for pixel in 0..<257 * 257 {
                var best = 0
                for label in 1..<21 where scores[pixel * 21 + label] > scores[pixel * 21 + best] { best = label }
                if best * 10 == Int(golden.samples[pixel]) { agreeing += 1 }
            }
        }
        XCTAssertGreaterThanOrEqual(Double(agreeing) / (257 * 257), 0.99)
    }

    /// google-coral's reference keypoints, in fractions of the picture.
    func testKeypoints() throws {
        let graph = try load("movenet_single_pose_lightning_ptq.tflite")
        let picture = try TestPicture(file("images/golden/squat.bmp"))
        let input = Tensor(picture.resized(192, 192), shape: [1, 192, 192, 3])
        let outputs = try Executor(graph).run([graph.inputs[0].name: input])
        let found = outputs[graph.outputs[0].name]!.floats
        let table = try String(
            contentsOf: file("images/golden/movenet_single_pose_lightning_ptq_reference.csv"), encoding: .utf8)
        var rows = 0
        for line in table.split(whereSeparator: \.isNewline).dropFirst() {
            let fields = line.split(separator: ",").map { Float($0)! }
            let keypoint = Int(fields[2])
            XCTAssertEqual(found[3 * keypoint], fields[5], accuracy: 0.05, "y of keypoint \(keypoint)")
            XCTAssertEqual(found[3 * keypoint + 1], fields[4], accuracy: 0.05, "x of keypoint \(keypoint)")
            rows += 1
        }
        XCTAssertEqual(rows, 17)
    }

    /// TensorFlow Lite Micro's person detection example: output 1 is "person". As there, the bytes of the pictures are
    /// the int8 input itself.
    func testPersonOrNot() throws {
        let graph = try load("person_detect.tflite")
        let executor = try Executor(graph)
        for (name, isPerson) in [("person", true), ("no_person", false)] {
            let picture = try TestPicture(file("images/golden/\(name).bmp"))
            let gray = picture.samples.map { Int8(bitPattern: $0) }
            let outputs = try executor.run([graph.inputs[0].name: Tensor(gray, shape: [1, 96, 96, 1])])
            let scores = outputs[graph.outputs[0].name]!.elements(as: Int8.self)
            // What LiteRT gives once the file's per-channel metadata are repaired.
            XCTAssertEqual(scores, isPerson ? [-113, 113] : [60, -60], name)
        }
    }
}
