import Compiler
import Engine
import Foundation
import Graph
import Kernels
import NestFormat
import Vision

let runCommand = Command(
    name: "run", summary: "Runs a model on pictures, or on .npy tensors.", positionals: ["MODEL", "[IMAGE]…"],
    options: [
        Option(
            name: "--input", value: "NAME=FILE.npy", help: "An input tensor in the model's own layout; N times as long in its first axis: N runs,\ntheir outputs joined. May be repeated.",
            isRepeated: true),
        Option(name: "--output-dir", value: "DIR", help: "Write each output as DIR/NAME.npy in the model's own type; with --input,\n--json tells the files."),
        Option(name: "--threads", value: "N", help: "Threads of the engine (default 1)."),
        Option(name: "--force-isa", value: "ISA", help: "Use only the kernels of this instruction set (.nest only)."),
        ModelOptions.inputShape,
    ] + ModelOptions.recipe + [.json],
    examples: [
        "swiftlet run gauge.nest models/gauge/test/*.jpg",
        "swiftlet run model.tflite --input image=frame.npy --output-dir out",
    ], notes: [ModelOptions.recipeNote]
) { arguments in
    let path = arguments.positionals[0]
    let pictures = Array(arguments.positionals.dropFirst())
    let inputs = arguments.strings("--input")
    guard pictures.isEmpty != inputs.isEmpty else {
        throw UsageError("run takes either pictures or --input NAME=FILE.npy")
    }
    if inputs.isEmpty { try runPictures(path, pictures, arguments) } else { try runTensors(path, inputs, arguments) }
}

private func runPictures(_ path: String, _ pictures: [String], _ arguments: Arguments) throws {
    let predictor = try Predictor(
        path, recipe: { try ModelOptions.recipe(arguments, width: $0, height: $1, channels: $2) },
        threads: try arguments.integer("--threads", in: 1...64) ?? 1)
    let decoder = try predictor.makeDecoder()
    let writer = ResultWriter(labels: predictor.labels)
    var line = JSONLine(capacity: writer.maximumByteCount(decoder) + 16384)
    defer { line.deallocate() }
    for picture in pictures {
        let result = try predictor.predict(picture)
        result.outputs.map(\.bytes).withUnsafePointers { decoder.decode(placement: result.placement, bytes: $0) }
        line.removeAll()
        line.beginObject()
        line.key("file")
        line.value(picture)
        writer.write(decoder, pictureWidth: result.width, pictureHeight: result.height, to: &line)
        line.endObject()
        Console.print(String(decoding: line.bytes, as: UTF8.self))
        if let folder = arguments.string("--output-dir") {
            let stem = ((picture as NSString).lastPathComponent as NSString).deletingPathExtension
            let files = outputFiles(result.outputs.map { "\(stem).\($0.descriptor.name)" }, in: folder)
            for (output, file) in zip(result.outputs, files) {
                try writeTensor(output.bytes.withUnsafeBytes { output.descriptor.tensor($0) }, to: file)
            }
        }
    }
}

/// A file for each of these names: what a file's name can't hold is replaced or cut off, equal ones are numbered.
private func outputFiles(_ names: [String], in folder: String) -> [String] {
    // A file system's names take 255 bytes; the rest is for numbers and the suffixes of files in the making.
    let mostBytes = 200
    var taken: Set<String> = []
    return names.map { name in
        var safe = String(name.map { "/:\\".contains($0) ? "_" : $0 })
        while safe.utf8.count > mostBytes { safe.removeLast() }
        let unique = (1...).lazy.map { $0 == 1 ? safe : "\(safe)-\($0)" }.first { !taken.contains($0) }!
        taken.insert(unique)
        return (folder as NSString).appendingPathComponent(unique + ".npy")
    }
}

private func writeTensor(_ tensor: Tensor, to file: String) throws {
    try FileManager.default.createDirectory(
        atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try writeAtomically(Npy.encode(tensor), to: file)
}

private func runTensors(_ path: String, _ inputs: [String], _ arguments: Arguments) throws {
    let tensors = try readTensors(inputs)
    var runs: [[(name: String, tensor: Tensor)]] = []
    if try ModelKind(path) == .nest {
        let nest = try loadNest(path)
        let session = try makeSession(nest, arguments)
        let plan = nest.plan
        for batch in try split(tensors, shapes: plan.inputs.map { ($0.name, $0.shape) }) {
            for (index, port) in plan.inputs.enumerated() {
                session.input(index).copyBytes(
                    from: try port.stored(batch[port.name]!, subject: "input \"\(port.name)\""))
            }
            session.run()
            runs.append(plan.outputs.enumerated().map { ($1.name, $1.tensor(session.output($0))) })
        }
    } else {
        let graph = try importModel(path, inputShapes: try ModelOptions.inputShapes(arguments))
        let executor = try Executor(graph)
        for batch in try split(tensors, shapes: graph.inputs.map { ($0.name, graph[$0.value].shape ?? []) }) {
            let found = try executor.run(batch)
            runs.append(graph.outputs.map { ($0.name, found[$0.name]!) })
        }
    }
    let results = runs[0].indices.map { output in
        (name: runs[0][output].name, tensor: runs.count == 1 ? runs[0][output].tensor : joined(runs.map { $0[output].tensor }))
    }
    let files = arguments.string("--output-dir").map { outputFiles(results.map(\.name), in: $0) }
    for (result, file) in zip(results, files ?? []) { try writeTensor(result.tensor, to: file) }
    if arguments.flag("--json") {
        let facts = results.indices.map { number -> [String: Any] in
            let (name, tensor) = results[number]
            var entry: [String: Any] = ["name": name, "type": tensor.elementType.rawValue, "shape": tensor.shape]
            entry["file"] = files?[number]
            return entry
        }
        return try Console.print(json: facts)
    }
    for result in results { Console.print("\(result.name): \(result.tensor.elementType) \(result.tensor.shape)") }
}

/// The tensors of `--input NAME=FILE.npy`.
func readTensors(_ inputs: [String]) throws -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for text in inputs {
        guard let equals = text.lastIndex(of: "=") else { throw UsageError("--input: expected NAME=FILE.npy, found \"\(text)\"") }
        tensors[String(text[..<equals])] = try Npy.read(String(text[text.index(after: equals)...]))
    }
    return tensors
}

/// - Throws: `Failure` for a tensor that is no input, and for an input without a tensor.
func requireInputs(_ tensors: [String: Tensor], _ shapes: [(name: String, shape: [Int])]) throws {
    for name in tensors.keys.sorted() where !shapes.contains(where: { $0.name == name }) {
        throw Failure("--input \(name): expected one of \(shapes.map(\.name).joined(separator: ", "))")
    }
    for (name, shape) in shapes where tensors[name] == nil {
        throw Failure("input \"\(name)\" \(shape) is missing; give --input \(name)=FILE.npy")
    }
}

/// The inputs of each run: tensors that are N times as long as the model's input in the first axis are cut into N.
/// - Throws: `Failure` for a tensor that is no input, and for an input without a tensor.
private func split(_ tensors: [String: Tensor], shapes: [(name: String, shape: [Int])]) throws -> [[String: Tensor]] {
    try requireInputs(tensors, shapes)
    var counts: Set<Int> = []
    for (name, shape) in shapes {
        let tensor = tensors[name]!
        let isBatch = shape.count == tensor.shape.count && shape.dropFirst() == tensor.shape.dropFirst()
        let each = shape.first ?? 1
        counts.insert(isBatch && each > 0 && tensor.shape[0] % each == 0 ? max(1, tensor.shape[0] / each) : 1)
    }
    guard let count = counts.max(), counts.count == 1, count > 1 else {
        guard counts.count == 1 else { throw Failure("the inputs are of different numbers of runs: \(counts.sorted())") }
        return [tensors]
    }
    return (0..<count).map { index in
        tensors.mapValues { tensor in
            var shape = tensor.shape
            shape[0] /= count
            return Tensor(unsafeUninitialized: tensor.elementType, shape: shape) { target in
                tensor.withBytes { target.copyBytes(from: $0[(index * target.count)..<((index + 1) * target.count)]) }
            }
        }
    }
}

/// The tensors of several runs one after the other along the first axis.
private func joined(_ tensors: [Tensor]) -> Tensor {
    let first = tensors[0]
    let shape = first.shape.isEmpty ? [tensors.count] : [first.shape[0] * tensors.count] + first.shape.dropFirst()
    return Tensor(unsafeUninitialized: first.elementType, shape: shape) { target in
        var start = 0
        for tensor in tensors {
            tensor.withBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: target[start..<(start + bytes.count)]).copyBytes(from: bytes)
                start += bytes.count
            }
        }
    }
}

/// A session with the options --threads and --force-isa.
func makeSession(_ nest: Model, _ arguments: Arguments) throws -> Session {
    var isa: ISA?
    if let name = arguments.string("--force-isa") {
        guard let known = ISA.allCases.first(where: { "\($0.name)" == name }) else {
            throw UsageError("--force-isa: expected \(ISA.allCases.map { "\($0.name)" }.joined(separator: ", ")), found \"\(name)\"")
        }
        isa = known
    }
    do {
        return try Session(
            model: nest, threadCount: try arguments.integer("--threads", in: 1...64) ?? 1, forcing: isa)
    } catch let error as SessionError {
        throw Failure(error.message)
    }
}
