import Compiler
import Engine
import Foundation
import Graph
import Importers
import NestFormat
import Platform
import Vision

/// Maps and checks a `.nest` file.
func loadNest(_ path: String) throws -> Model {
    do {
        return try Model(path: path)
    } catch {
        throw Failure("\(path): \(error.message); `swiftlet explain \(error.name)` says what to do")
    }
}

/// What kind of file a model is in.
enum ModelKind {
    case nest, onnx, tflite

    init(_ path: String) throws {
        switch (path as NSString).pathExtension.lowercased() {
        case "nest": self = .nest
        case "onnx": self = .onnx
        case "tflite": self = .tflite
        default:
            throw UsageError("\(path): expected a file ending in .nest, .onnx or .tflite")
        }
        guard FileManager.default.fileExists(atPath: path) else { throw Failure("\(path): no such file") }
    }
}

/// Reads an ONNX or TFLite model.
func importModel(_ path: String, inputShapes: [String: [Int]] = [:]) throws -> Graph {
    var options = ImportOptions()
    options.inputShapes = inputShapes
    return switch try ModelKind(path) {
    case .onnx: try ONNXImporter.load(path: path, options: options)
    case .tflite: try TFLiteImporter.load(path: path, options: options)
    case .nest: throw UsageError("\(path): expected an .onnx or .tflite model")
    }
}

/// Answers pictures, whatever the model's form: a `.nest` file by the engine, others by the float executor.
final class Predictor {
    /// One output as it lies in memory.
    struct Output {
        var descriptor: PortDescriptor
        var bytes: [UInt8]

        /// Real numbers in stored order.
        var reals: [Float] {
            bytes.withUnsafeBytes { raw in
                switch descriptor.storedType {
                case .float32: Array(raw.bindMemory(to: Float.self))
                case .int32: raw.bindMemory(to: Int32.self).map { Float($0) }
                default:
                    raw.bindMemory(to: Int8.self).map {
                        descriptor.scale == 0
                            ? Float($0) : Float(Int32($0) - descriptor.zeroPoint) * descriptor.scale
                    }
                }
            }
        }
    }

    private enum Form {
        case nest(Session, Preprocessor)
        case graph(ChannelsLastGraph, Executor)
    }

    let path: String
    let preprocess: Preprocess
    let decoding: OutputDecoding
    let labels: [String]
    let descriptors: [PortDescriptor]
    private let form: Form
    private let reader: PictureReader

    /// - Parameter recipe: for ONNX and TFLite models; a `.nest` file carries its own.
    init(_ path: String, recipe: (_ width: Int, _ height: Int, _ channels: Int) throws -> Recipe, threads: Int = 1) throws {
        self.path = path
        reader = try PictureReader()
        if try ModelKind(path) == .nest {
            let nest = try loadNest(path)
            guard let preprocess = nest.file.preprocess, let tables = nest.file.preprocessTables else {
                throw Failure("\(path): holds no preprocessing, so it can't take pictures; convert it again with --preprocess, or use --input NAME=FILE.npy")
            }
            self.preprocess = preprocess
            decoding = nest.file.decoding
            labels = nest.file.labels
            descriptors = nest.plan.outputs
            form = .nest(
                try Session(model: nest, threadCount: threads), Preprocessor(preprocess, tables: tables))
        } else {
            let prepared = try ChannelsLastGraph.prepare(try importModel(path))
            let shape = prepared.graph.inputs.first.flatMap { prepared.graph[$0.value].shape } ?? []
            guard shape.count == 4, shape[0] == 1, shape[3] == 1 || shape[3] == 3 else {
                throw Failure("\(path): input has shape \(shape) (channels last), expected a picture with 1 or 3 channels; use --input NAME=FILE.npy")
            }
            let chosen = try recipe(shape[2], shape[1], shape[3])
            guard let preprocess = chosen.preprocess else {
                throw UsageError("\(path): --preprocess or --recipe is needed to feed pictures to an ONNX or TFLite model")
            }
            self.preprocess = preprocess
            decoding = chosen.decoding
            labels = chosen.labels
            descriptors = zip(prepared.graph.outputs, prepared.outputs).map { port, layout in
                PortDescriptor(
                    name: port.name, shape: layout.shape, externalType: .float32, storedType: .float32, arenaOffset: 0,
                    permutation: layout.order, scale: 0, zeroPoint: 0)
            }
            form = .graph(prepared, try Executor(prepared.graph))
        }
    }

    /// The outputs for the picture at `path`.
    func predict(_ picture: String) throws -> (outputs: [Output], width: Int, height: Int, placement: Placement) {
        switch form {
        case .nest(let session, let preprocessor):
            let size = try reader.read(picture, through: preprocessor, into: session.input(0).baseAddress!)
            session.run()
            let outputs = descriptors.enumerated().map { index, descriptor in
                Output(descriptor: descriptor, bytes: Array(session.output(index)))
            }
            return (outputs, size.width, size.height, preprocessor.placement)
        case .graph(let prepared, let executor):
            let channels = preprocess.channels
            let preprocessor = Preprocessor(
                preprocess, tables: .float32((0..<channels).flatMap { preprocess.normalized(channel: $0) }))
            var size = (width: 0, height: 0)
            let input = try Tensor(
                unsafeUninitialized: .float32, shape: [1, preprocess.height, preprocess.width, channels]
            ) { size = try reader.read(picture, through: preprocessor, into: $0.baseAddress!) }
            let port = prepared.graph.inputs[0]
            let shape = prepared.graph[port.value].shape!
            guard input.count == shape.reduce(1, *) else {
                throw Failure("\(self.path): input is \(shape), the preprocessing gives \(input.shape)")
            }
            let found = try executor.run([port.name: input.reshaped(shape)])
            let outputs = zip(descriptors, prepared.graph.outputs).map { descriptor, port in
                let tensor = prepared.graph[port.value].quantization.map { q in
                    found[port.name]!.elementType == .float32 ? found[port.name]! : q.dequantize(found[port.name]!)
                } ?? found[port.name]!
                return Output(descriptor: descriptor, bytes: tensor.realBytes)
            }
            return (outputs, size.width, size.height, preprocessor.placement)
        }
    }

    /// A decoder for this model's outputs.
    func makeDecoder() throws -> Decoder {
        do {
            return try Decoder(
                decoding, outputs: descriptors, inputWidth: preprocess.width, inputHeight: preprocess.height)
        } catch {
            throw Failure("\(path): \(error.name): \(error.explanation)")
        }
    }
}

extension Tensor {
    /// The elements as float32 bytes.
    var realBytes: [UInt8] {
        let reals: [Float]
        switch elementType {
        case .float32: return withBytes { Array($0) }
        case .int64: reals = elements(as: Int64.self).map { Float($0) }
        case .int32: reals = elements(as: Int32.self).map { Float($0) }
        case .uint8: reals = elements(as: UInt8.self).map { Float($0) }
        case .int8: reals = elements(as: Int8.self).map { Float($0) }
        case .bool: reals = elements(as: Bool.self).map { $0 ? 1 : 0 }
        default: reals = []
        }
        return reals.withUnsafeBytes { Array($0) }
    }
}
