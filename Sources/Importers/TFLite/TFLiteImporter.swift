import Foundation
import Graph

/// Reads TensorFlow Lite models.
///
/// The graph keeps TFLite's layout (channels last) and names. A tensor with a scale becomes a float32 value with a
/// quantization; a fused activation becomes a node of its own, whose input carries no quantization; weights are
/// permuted to ONNX order; float16 weights become float32 ones; what the file computes from shapes and constants is
/// folded.
public enum TFLiteImporter {
    /// Reads the model in the file at `path`.
    ///
    /// Throws `TFLiteFileError` when the bytes can't be read as a TFLite file, and `GraphProblems`, all at once, when
    /// the model can't be represented.
    public static func load(path: String, options: ImportOptions = ImportOptions()) throws -> Graph {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw TFLiteFileError.unreadable(path: path, reason: error.localizedDescription)
        }
        return try load(bytes: [UInt8](data), options: options)
    }

    /// Reads the model in `bytes`, the contents of a .tflite file. Throws as `load(path:options:)` does.
    public static func load(bytes: [UInt8], options: ImportOptions = ImportOptions()) throws -> Graph {
        let mapper = TFLiteMapper(try TFLiteModel(bytes: bytes))
        var graph = mapper.map(options)
        graph.integerRounding = .tfLite
        var problems = mapper.problems
        if problems.isEmpty {
            graph.fuseDilatedConvolutions()
            problems = graph.foldConstants()
        }
        if !problems.isEmpty { throw GraphProblems(problems) }
        graph.removeDeadNodes()
        graph.removeUnusedValues()
        return graph
    }
}
