import Engine
import Foundation
import Graph
import NestFormat
import Vision

/// How a model is compiled.
public struct CompileOptions: Sendable {
    public enum Precision: Sendable {
        /// int8: by the model's own scales if it has them, else by calibration.
        case int8(Quantizer.Options)
        /// float32 throughout; a quantized model loses its integers.
        case float32
    }
    public var precision: Precision
    public var recipe: Recipe
    /// Whether pruned layers are stored sparse.
    public var sparse: SparsePolicy
    /// The CPU for which pruned layers become sparse or dense; the file runs on all.
    public var target: SparseTarget
    /// What to set to zero in a float model first.
    public var pruning: Pruning?
    /// Further provenance: source file, its hash, tool version, accuracy.
    public var provenance: [Provenance.Entry]

    public init(
        precision: Precision = .int8(.init()), recipe: Recipe = Recipe(), sparse: SparsePolicy = .auto,
        target: SparseTarget = .x86, pruning: Pruning? = nil, provenance: [Provenance.Entry] = []
    ) {
        (self.precision, self.recipe, self.sparse, self.provenance) = (precision, recipe, sparse, provenance)
        (self.target, self.pruning) = (target, pruning)
    }
}

/// Why a model can't be compiled, besides the problems of its nodes.
public struct CompileError: Error, CustomStringConvertible {
    public var subject: String, expected: String, found: String, remedy: String
    public init(subject: String, expected: String, found: String, remedy: String) {
        (self.subject, self.expected, self.found, self.remedy) = (subject, expected, found, remedy)
    }
    public var description: String { "\(subject): expected \(expected), found \(found). \(remedy)" }
}

/// A compiled model with the facts that reports show.
public struct Compilation: Sendable {
    /// The whole `.nest` file.
    public var file: [UInt8]
    public var lowered: LoweredModel
    /// The annotated graph: a simulation of the compiled model in the executor.
    public var prepared: ChannelsLastGraph
    /// Set when the quantizer ran.
    public var quantization: Quantizer.Outcome?
    /// Whether the model came with its own scales.
    public var keptScales: Bool
}

public enum Compiler {
    /// Compiles an imported graph.
    ///
    /// - Throws: `GraphProblems` (all at once), `CompileError`, and what reading calibration pictures throws.
    public static func compile(
        _ source: Graph, options: CompileOptions, calibration: CalibrationSet? = nil, progress: ProgressHandler = { _, _ in }
    ) throws -> Compilation {
        var graph = source
        if case .float32 = options.precision { graph.removeQuantization() }
        var prepared = try ChannelsLastGraph.arrange(graph)
        let isQuantized = prepared.graph.hasQuantizedActivations
        if let pruning = options.pruning {
            guard !isQuantized else {
                throw CompileError(
                    subject: "--prune \(pruning.text)", expected: "a float model", found: "one with scales of its own",
                    remedy: "Prune the float model; its calibration then fits what is left.")
            }
            prepared.graph.prune(pruning)
        }
        prepared.removeChannels()
        var outcome: Quantizer.Outcome?
        if case .int8(let quantizerOptions) = options.precision, !isQuantized {
            guard let calibration else {
                throw CompileError(
                    subject: "float model", expected: "calibration pictures", found: "none",
                    remedy: "Give pictures like those of the camera with --calibrate FOLDER, or keep the model float with --float.")
            }
            try checkLayers(quantizerOptions.keepFloat, in: prepared.graph)
            var quantizer = Quantizer(prepared.graph, options: quantizerOptions)
            let feed = try CalibrationFeed(calibration, prepared, options.recipe)
            let result = try quantizer.run(pictures: feed.count, inputs: feed.inputs, progress: progress)
            prepared.graph = result.graph
            outcome = result
        }
        let lowered = try Lowering.lower(prepared, sparse: options.sparse, target: options.target)
        let file = try encode(lowered, prepared, options, calibration, outcome)
        return Compilation(
            file: file, lowered: lowered, prepared: prepared, quantization: outcome, keptScales: isQuantized)
    }

    private static func checkLayers(_ names: Set<String>, in graph: Graph) throws {
        let known = Set(graph.nodes.map(\.name))
        let unknown = names.subtracting(known).sorted()
        guard let first = unknown.first else { return }
        let near = known.sorted { (distance($0, first), $0) < (distance($1, first), $1) }.prefix(5)
        throw CompileError(
            subject: "--keep-float \(first)", expected: "the name of a layer", found: "no layer of that name",
            remedy: "Near names: \(near.joined(separator: ", ")); `swiftlet inspect` lists all layers.")
    }

    /// Levenshtein distance.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (x, y) = (Array(a), Array(b))
        var row = Array(0...y.count)
        for i in x.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in y.indices {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x[i] == y[j] ? 0 : 1))
                (diagonal, row[j + 1]) = (row[j + 1], next)
            }
        }
        return row[y.count]
    }

    // MARK: The file

    /// Seed of golden inputs when no picture is at hand.
    private static let goldenSeed: UInt32 = 0x5EED_1E55

    private static func encode(
        _ lowered: LoweredModel, _ prepared: ChannelsLastGraph, _ options: CompileOptions, _ calibration: CalibrationSet?,
        _ outcome: Quantizer.Outcome?
    ) throws -> [UInt8] {
        let recipe = options.recipe
        var entries = options.provenance
        func add(_ key: String, _ value: String) { entries.append(.init(key: key, value: value)) }
        if !prepared.graph.sourceDescription.isEmpty { add("source-format", prepared.graph.sourceDescription) }
        if let pruning = options.pruning { add("pruned", pruning.text) }
        if let outcome {
            add("method", outcome.baseMethod.rawValue)
            for (tensor, method) in outcome.refined { add("method:\(tensor)", method.rawValue) }
            add("calibration-output-sqnr-db", String(format: "%.2f", outcome.outputSQNR))
        }
        if let calibration, outcome != nil {
            add("calibration", "\(calibration.name) (\(calibration.count) pictures)")
            add("calibration-sha256", calibration.digest)
        }
        for node in lowered.floatNodes { add("float-layer", "\(node.name) (\(node.sourceOperator)): \(node.reason)") }
        add("arena-bytes", "\(lowered.plan.arenaBytes)")
        add("arena-lower-bound-bytes", "\(lowered.memory.lowerBoundBytes)")
        add("parameter-bytes", "\(lowered.parameterBytes)")

        var tables: PreprocessTables?
        if let preprocess = recipe.preprocess {
            let port = lowered.plan.inputs.first
            let expected = [1, preprocess.height, preprocess.width, preprocess.channels]
            let found = port.map { port in port.permutation.map { port.shape[$0] } } ?? []
            guard let port, found == expected || Array(expected.dropFirst()) == found else {
                throw CompileError(
                    subject: "preprocessing", expected: "the network's input to be a picture \(expected)",
                    found: "\(found)",
                    remedy: "Choose --preprocess with color=gray for one channel, or leave it out for inputs that are no pictures.")
            }
            tables = preprocess.tables(for: port)
        }
        var contents = NestContents(
            plan: lowered.plan.encode(), weights: lowered.weights, preprocess: recipe.preprocess, preprocessTables: tables,
            decoding: recipe.decoding, labels: recipe.labels, provenance: Provenance(entries: entries))
        contents.golden = try golden(of: NestWriter.encode(contents), inputs: lowered.plan.inputs.count)
        return NestWriter.encode(contents)
    }

    /// Runs the scalar reference kernels on generated inputs and notes what every operation gives.
    private static func golden(of file: [UInt8], inputs: Int) throws -> Golden {
        let session = try Session(model: Model(copying: file), threadCount: 1, forcing: .scalar)
        return session.recordGolden(inputs: (0..<inputs).map { .generated(seed: goldenSeed &+ UInt32($0)) })
    }
}

/// Gives the quantizer its inputs.
struct CalibrationFeed {
    let count: Int
    let inputs: (Int) throws -> [String: Tensor]

    init(_ set: CalibrationSet, _ prepared: ChannelsLastGraph, _ recipe: Recipe) throws {
        guard let port = prepared.graph.inputs.first, prepared.graph.inputs.count == 1 else {
            throw CompileError(
                subject: "calibration", expected: "a model with one input", found: "\(prepared.graph.inputs.count) inputs",
                remedy: "Quantize the model with its framework; its scales are then kept.")
        }
        count = set.count
        switch set.source {
        case .pictures(let paths):
            guard let preprocess = recipe.preprocess else {
                throw CompileError(
                    subject: "calibration pictures", expected: "a rule that turns pictures into inputs", found: "none",
                    remedy: "Give --preprocess (for example --preprocess imagenet).")
            }
            let reader = try PictureReader()
            let shape = prepared.graph.extents(port.value)
            inputs = { index in
                let tensor = try reader.real(paths[index], preprocess)
                guard tensor.count == shape.reduce(1, *) else {
                    throw CompileError(
                        subject: "calibration", expected: "pictures of shape \(shape)", found: "\(tensor.shape)",
                        remedy: "Check color= in --preprocess.")
                }
                return [port.name: tensor.reshaped(shape)]
            }
        case .tensor(let tensor):
            let layout = prepared.inputs[0]
            let each = layout.shape.reduce(1, *)
            guard tensor.elementType == .float32, tensor.count == each * (tensor.shape.first ?? 0) else {
                throw CompileError(
                    subject: "calibration tensor", expected: "float32 [pictures, \(layout.shape.dropFirst().map(String.init).joined(separator: ", "))]",
                    found: "\(tensor.elementType) \(tensor.shape)", remedy: "Save the network's inputs with numpy.save.")
            }
            inputs = { index in
                let values = tensor.withElements(of: Float.self) { Array($0[index * each..<(index + 1) * each]) }
                return [port.name: Tensor(values, shape: layout.shape).transposed(layout.order)]
            }
        }
    }
}

extension Graph {
    /// Whether any value computed at run time is stored as integers.
    var hasQuantizedActivations: Bool {
        nodes.contains { node in node.outputs.contains { $0.map { self[$0].quantization != nil } ?? false } }
    }

    /// Turns quantized values into float32 ones; constants are dequantized. What a node computes stays within the range
    /// that its integers had: many models leave their activation functions to the saturation.
    mutating func removeQuantization() {
        absorbQuantization()
        clampToQuantizedRanges()
        for index in values.indices {
            guard let quantization = values[index].quantization else { continue }
            if let constant = values[index].constant { values[index].constant = quantization.dequantize(constant) }
            values[index].quantization = nil
        }
        for index in inputs.indices where self[inputs[index].value].elementType == .float32 {
            inputs[index].elementType = .float32
        }
        for index in outputs.indices where self[outputs[index].value].elementType == .float32 {
            outputs[index].elementType = .float32
        }
    }

    /// Whether a node's results may lie outside the range of their integers: those of products and sums, and values that
    /// only now become integers (TFLite's QUANTIZE).
    private func saturates(_ node: Node) -> Bool {
        switch node.op {
        case is Conv, is ConvTranspose, is Gemm, is MatMul, is Binary: true
        case is Identity: node.inputs[0].map { self[$0].quantization != self[node.outputs[0]!].quantization } ?? false
        default: false
        }
    }

    private mutating func clampToQuantizedRanges() {
        var result: [Node] = []
        for var node in nodes {
            var clips: [Node] = []
            if saturates(node) {
                for (place, output) in node.outputs.enumerated() {
                    guard let output, let quantization = self[output].quantization, quantization.scales.count == 1 else {
                        continue
                    }
                    var raw = self[output]
                    raw.name = freshName(raw.name + "/unclamped")
                    raw.quantization = nil
                    let id = addValue(raw)
                    node.outputs[place] = id
                    let ends = [quantization.storedRange.lowerBound, quantization.storedRange.upperBound].map { end in
                        addConstant(
                            name: freshName(raw.name + "/limit"),
                            Tensor(scalar: Float(Int64(end) - Int64(quantization.zeroPoints[0])) * quantization.scales[0]))
                    }
                    clips.append(
                        Node(
                            name: node.name + "/range", op: Clip(), inputs: [id] + ends, outputs: [output],
                            sourceOperator: "Clip"))
                }
            }
            result.append(node)
            result += clips
        }
        nodes = result
    }
}
