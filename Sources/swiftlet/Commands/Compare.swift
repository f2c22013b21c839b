import Compiler
import Foundation
import Graph
import NestFormat
import Reports

let compareCommand = Command(
    name: "compare",
    summary: "Compares two forms of a network (say float ONNX and its int8 form) layer by layer over pictures.",
    positionals: ["A", "B"],
    options: [
        Option(name: "--dataset", value: "labels.csv|DIR", help: "Pictures to run both on."),
        Option(name: "--file-column", value: "NAME", help: "Column of files in the CSV (default file)."),
        Option(name: "--limit", value: "N", help: "Use only the first N pictures (default 16)."),
        Option(name: "--top", value: "N", help: "Layers to show, worst first (default 20; 0 shows all)."),
    ] + ModelOptions.recipe + [.json],
    examples: [
        "swiftlet compare models/gauge/gauge.onnx gauge.nest --dataset models/gauge/test/labels.csv \\\n      --recipe models/gauge/model.json"
    ],
    notes: [
        """
        A is the reference (ONNX or TFLite). B is a .nest file or another ONNX or TFLite model with the same layer names. Layers
        of B that are of another size in A (say with channels removed) or not there are left out, and named.
        """,
        ModelOptions.recipeNote,
    ]
) { arguments in
    guard let source = arguments.string("--dataset") else { throw UsageError("compare needs --dataset labels.csv or a folder") }
    let limit = try arguments.integer("--limit", in: 1...100_000) ?? 16
    var pictures: [String]
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: source, isDirectory: &isFolder), isFolder.boolValue {
        pictures = try picturesOfFolder(source).map { (source as NSString).appendingPathComponent($0) }
    } else {
        pictures = try Dataset(source, fileColumn: arguments.string("--file-column") ?? "file").rows.map(\.path)
    }
    pictures = Array(pictures.prefix(limit))
    let a = try Observed(arguments.positionals[0], arguments)
    let b = try Observed(arguments.positionals[1], arguments, preprocess: a.preprocess)
    var layers: [String: LayerError] = [:]
    var order: [String] = []
    // Layers of B that A has in another size, or not at all.
    var ofOtherSize: [String] = []
    var unmatched: [String] = []
    let progress = Progress("compare")
    for (index, picture) in pictures.enumerated() {
        progress.update(Double(index) / Double(pictures.count), "\(index) of \(pictures.count) pictures")
        let (left, right) = (try a.run(picture), try b.run(picture))
        if index == 0 {
            ofOtherSize = right.values.filter { left.byName[$0.0] != nil && left.byName[$0.0]!.count != $0.1.count }.map(\.0)
            unmatched = right.values.filter { left.byName[$0.0] == nil }.map(\.0)
        }
        for (name, reference) in left.values {
            guard let found = right.byName[name], found.count == reference.count else { continue }
            if layers[name] == nil { order.append(name) }
            layers[name, default: LayerError(name: name)].add(reference: reference, found: found)
        }
    }
    progress.finish()
    guard !layers.isEmpty else {
        throw Failure("no layer of \(arguments.positionals[0]) has a counterpart of the same name and size in \(arguments.positionals[1])")
    }
    let ranked = order.map { layers[$0]! }.sorted { $0.sqnr < $1.sqnr }
    let shown = try arguments.integer("--top", in: 0...1_000_000) ?? 20
    if arguments.flag("--json") {
        return try Console.print(json: [
            "a": arguments.positionals[0], "b": arguments.positionals[1], "pictures": pictures.count,
            "layers": ranked.map {
                ["name": $0.name, "cosine": $0.cosine, "sqnr_db": $0.sqnr, "largest_error": $0.largest, "mean_error": $0.mean] as [String: Any]
            },
            "other_size": ofOtherSize, "unmatched": unmatched,
        ])
    }
    var table = TextTable([("layer", .left), ("SQNR dB", .right), ("cosine", .right), ("mean error", .right), ("largest", .right)])
    for layer in shown == 0 ? ranked[...] : ranked.prefix(shown) {
        table.add([
            layer.name, Format.fixed(layer.sqnr, decimals: 1), Format.fixed(layer.cosine, decimals: 5),
            Format.significant(layer.mean), Format.significant(layer.largest),
        ])
    }
    Console.print("\(ranked.count) layers over \(pictures.count) pictures, worst first")
    Console.print(table.rendered())
    for (names, reason) in [(ofOtherSize, "of another size than in A"), (unmatched, "not in A")] where !names.isEmpty {
        let more = names.count > 5 ? ", …" : ""
        Console.print("Left out, \(reason): \(names.count) of B's layers (\(names.prefix(5).joined(separator: ", "))\(more))")
    }
    if let worst = ranked.first, worst.sqnr < 20 {
        Console.print("Below 20 dB a layer hurts. Try `--keep-float \"\(worst.name)\"`, more calibration pictures, or another --range for the model.")
    }
}

/// Sums over pictures of one layer's error.
private struct LayerError {
    var name: String
    private var (signal, noise, product, foundSquares, absolute, count) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    private(set) var largest = 0.0

    init(name: String) { self.name = name }

    mutating func add(reference: [Float], found: [Float]) {
        for (x, y) in zip(reference, found) where x.isFinite && y.isFinite {
            let (a, b) = (Double(x), Double(y))
            signal += a * a
            foundSquares += b * b
            product += a * b
            noise += (a - b) * (a - b)
            absolute += abs(a - b)
            largest = max(largest, abs(a - b))
            count += 1
        }
    }

    var mean: Double { count == 0 ? 0 : absolute / count }
    var cosine: Double { signal == 0 || foundSquares == 0 ? (signal == foundSquares ? 1 : 0) : product / (signal * foundSquares).squareRoot() }
    /// 10 log10(Σ reference² / Σ error²), at most 200.
    var sqnr: Double { noise == 0 ? 200 : min(200, 10 * log10(max(signal, 1e-30) / noise)) }
}

/// A model whose layers can be watched.
private final class Observed {
    let preprocess: Preprocess
    private let reader: PictureReader
    private let run: (Tensor) throws -> [(String, [Float])]

    init(_ path: String, _ arguments: Arguments, preprocess given: Preprocess? = nil) throws {
        reader = try PictureReader()
        if try ModelKind(path) == .nest {
            let nest = try loadNest(path)
            guard let own = nest.file.preprocess else {
                throw Failure("\(path): holds no preprocessing; convert it again with --preprocess")
            }
            preprocess = own
            let session = try makeSession(nest, arguments)
            run = { picture in
                let port = nest.plan.inputs[0]
                session.input(0).copyBytes(from: try port.storedInArenaOrder(picture))
                var values: [(String, [Float])] = []
                session.run { index in
                    let planned = nest.plan.operations[index]
                    let bytes = session.resultBytes(of: index)
                    switch session.resultType(of: index) {
                    case .float32:
                        values.append((planned.name, bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }))
                    case .int8 where planned.resultScale > 0:
                        values.append(
                            (
                                planned.name,
                                bytes.map { Float(Int32(Int8(bitPattern: $0)) - planned.resultZeroPoint) * planned.resultScale }
                            ))
                    default: break
                    }
                }
                return values
            }
        } else {
            let prepared = try ChannelsLastGraph.prepare(try importModel(path))
            let input = prepared.graph.inputs[0]
            let shape = prepared.graph[input.value].shape ?? []
            guard shape.count == 4 else { throw Failure("\(path): input of shape \(shape) is no picture") }
            let recipe = try ModelOptions.recipe(arguments, width: shape[2], height: shape[1], channels: shape[3])
            guard let rule = recipe.preprocess ?? given else {
                throw UsageError("\(path): --preprocess or --recipe is needed to feed pictures to an ONNX or TFLite model")
            }
            preprocess = rule
            let executor = try Executor(prepared.graph)
            let names: [ValueID: String] = Dictionary(
                prepared.graph.nodes.compactMap { node in node.outputs.first?.map { ($0, node.name) } },
                uniquingKeysWith: { first, _ in first })
            run = { picture in
                var values: [(String, [Float])] = []
                _ = try executor.run([input.name: picture.reshaped(shape)]) { id, tensor in
                    if let name = names[id], tensor.elementType == .float32 { values.append((name, tensor.elements(as: Float.self))) }
                }
                return values
            }
        }
    }

    func run(_ picture: String) throws -> (values: [(String, [Float])], byName: [String: [Float]]) {
        let values = try run(try reader.real(picture, preprocess))
        return (values, Dictionary(values, uniquingKeysWith: { _, last in last }))
    }
}
