import Foundation
import Graph

/// Reads ONNX models (https://onnx.ai/onnx/repo-docs/IR.html) of the operator sets 7 to 28.
public enum ONNXImporter {
    /// Operator sets of the default domain that an import understands.
    public static let supportedOpsets = 7...28

    /// Imports the model at `path`; external data files are looked for beside it.
    ///
    /// The graph uses the newest form of every operator; `QLinear…` operators become DequantizeLinear, operator,
    /// QuantizeLinear; what can be computed at conversion is constant; identities, dropouts and unused values are gone.
    /// An axis without a fixed extent becomes 1 when it is the first of an input with two or more axes, else it needs
    /// `options.inputShapes`. Throws all problems of the model at once.
    public static func load(path: String, options: ImportOptions = ImportOptions()) throws(GraphProblems) -> Graph {
        let file: FileBytes
        do { file = try FileBytes(path: path) } catch { throw GraphProblems([error]) }
        return try load(file, directory: URL(fileURLWithPath: path).deletingLastPathComponent().path, options: options)
    }

    /// Imports a model from memory; it can't have external data.
    public static func load(bytes: [UInt8], options: ImportOptions = ImportOptions()) throws(GraphProblems) -> Graph {
        try load(FileBytes(bytes), directory: nil, options: options)
    }

    /// Reads a file that holds one `TensorProto`, such as the inputs and outputs of ONNX's conformance tests.
    public static func loadTensor(path: String) throws(GraphProblems) -> Tensor {
        do {
            let file = try FileBytes(path: path)
            let externalData = ONNXExternalData(directory: URL(fileURLWithPath: path).deletingLastPathComponent().path)
            return try parse(file) { file throws(ProtobufError) in
                try ONNXTensor(ProtobufReader(file, message: "TensorProto"))
            }.contents(externalData)
        } catch {
            throw GraphProblems([error])
        }
    }

    private static func load(
        _ file: FileBytes, directory: String?, options: ImportOptions
    ) throws(GraphProblems) -> Graph {
        let model: ONNXModel
        do {
            model = try parse(file) { file throws(ProtobufError) in
                try ONNXModel(ProtobufReader(file, message: "ModelProto"))
            }
        } catch {
            throw GraphProblems([error])
        }
        return try ONNXGraphBuilder(model, externalData: ONNXExternalData(directory: directory), options: options)
            .build()
    }

    private static func parse<Message>(
        _ file: FileBytes, _ body: (FileBytes) throws(ProtobufError) -> Message
    ) throws(GraphProblem) -> Message {
        do { return try body(file) } catch { throw error.problem(in: file) }
    }
}
