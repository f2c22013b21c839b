import Compiler
import Engine
import Foundation
import Graph
import NestFormat
import Reports

private let pruneNote = """
    Channels that no output needs (zero filters, inputs that only weights of zero read) are always removed; results stay
    what they were. --prune makes such zeros by magnitude alone: sizes and speed of the file are those of a model pruned
    to this degree, its accuracy is not. Prune in training, fine-tune, then convert without --prune; `swiftlet eval` tells
    how much accuracy is left.
    """

let convertCommand = Command(
    name: "convert", summary: "Converts an ONNX or TFLite model to a .nest file for the device.",
    positionals: ["MODEL"],
    options: [
        Option(name: "-o", value: "OUT.nest", help: "The file to write (default: MODEL's name with .nest)."),
        Option(
            name: "--calibrate", value: "DIR|FILE.npy",
            help: "Pictures like the camera's, or a float32 tensor of inputs: ranges of a float model."),
        Option(name: "--calibration-pictures", value: "N", help: "Most pictures used (default 64)."),
    ] + ModelOptions.recipe + [
        Option(name: "--float", value: nil, help: "Keep everything in float32."),
        Option(
            name: "--keep-float", value: "LAYER", help: "Keep one layer in float32. May be repeated.", isRepeated: true),
        Option(
            name: "--range", value: "METHOD",
            help: "Fix the range method: \(RangeMethod.allCases.map(\.rawValue).joined(separator: ", "))\n(default: the best for each tensor)."),
        Option(
            name: "--sparse", value: "WHEN",
            help: "Store pruned int8 layers (zeros in blocks of four inputs) sparse: auto, always, never\n(default auto: where it is faster, or little slower and\nsmaller)."),
        Option(
            name: "--target", value: "CPU",
            help: "The CPU for which auto chooses: \(SparseTarget.allCases.map(\.rawValue).joined(separator: ", "))\n(default x86-64); the file runs on all of them."),
        Option(
            name: "--prune", value: "WHAT:SHARE",
            help: "Set the least weights of a float model to zero first, to see what pruning would bring: blocks:0.5\n(half of the blocks of four inputs) or channels:0.3 (three filters of ten)."),
        Option(name: "--require-int8", value: nil, help: "Fail when any layer would stay in float32."),
        ModelOptions.inputShape, .json,
    ],
    examples: [
        "swiftlet convert models/gauge/gauge.onnx -o gauge.nest --recipe models/gauge/model.json \\\n      --calibrate models/gauge/calibration",
        "swiftlet convert mobilenet_v2_quant.tflite -o mobilenet.nest --preprocess tf --labels labels.txt",
        "swiftlet convert net.onnx -o smaller.nest --preprocess imagenet --calibrate pictures --prune channels:0.3",
    ], notes: [ModelOptions.recipeNote, pruneNote]
) { arguments in
    let source = arguments.positionals[0]
    let output = arguments.string("-o") ?? (source as NSString).deletingPathExtension + ".nest"
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: source)) } catch { throw Failure("\(source): can't be read: \(error.localizedDescription)") }
    let graph = try importModel(source, inputShapes: try ModelOptions.inputShapes(arguments))
    let extents = graph.inputs.first.flatMap { graph[$0.value].shape } ?? []
    let isPicture = extents.count == 4
    let isChannelsLast = isPicture && (extents[3] == 1 || extents[3] == 3) && !(extents[1] == 1 || extents[1] == 3)
    let (height, width, channels) =
        !isPicture ? (1, 1, 1) : isChannelsLast ? (extents[1], extents[2], extents[3]) : (extents[2], extents[3], extents[1])

    var options = CompileOptions()
    options.recipe = try ModelOptions.recipe(arguments, width: width, height: height, channels: channels)
    let keepFloat = Set(arguments.strings("--keep-float"))
    if arguments.flag("--float") {
        guard keepFloat.isEmpty else { throw UsageError("--float and --keep-float exclude each other") }
        options.precision = .float32
    } else {
        var quantizer = Quantizer.Options(keepFloat: keepFloat)
        if let name = arguments.string("--range") {
            guard let method = RangeMethod(rawValue: name) else {
                throw UsageError("--range: expected \(RangeMethod.allCases.map(\.rawValue).joined(separator: ", ")), found \"\(name)\"")
            }
            quantizer.method = method
        }
        options.precision = .int8(quantizer)
    }
    if let name = arguments.string("--sparse") {
        guard let policy = SparsePolicy(rawValue: name) else {
            throw UsageError("--sparse: expected \(SparsePolicy.allCases.map(\.rawValue).joined(separator: ", ")), found \"\(name)\"")
        }
        options.sparse = policy
    }
    if let name = arguments.string("--target") {
        guard let target = SparseTarget(rawValue: name) else {
            throw UsageError("--target: expected \(SparseTarget.allCases.map(\.rawValue).joined(separator: ", ")), found \"\(name)\"")
        }
        options.target = target
    }
    if let text = arguments.string("--prune") {
        guard let pruning = Pruning(text) else {
            throw UsageError("--prune: expected blocks:SHARE or channels:SHARE with a share between 0 and 1, found \"\(text)\"")
        }
        options.pruning = pruning
    }
    options.provenance = [
        .init(key: "source", value: (source as NSString).lastPathComponent),
        .init(key: "source-sha256", value: hexadecimal(sha256([UInt8](data)))),
        .init(key: "tool", value: "swiftlet \(toolVersion)"),
    ]
    var calibration: CalibrationSet?
    if let path = arguments.string("--calibrate") {
        let limit = try arguments.integer("--calibration-pictures", in: 1...100_000) ?? 64
        calibration = path.hasSuffix(".npy")
            ? try CalibrationSet(source: .tensor(try Npy.read(path)), name: (path as NSString).lastPathComponent)
            : try CalibrationSet.folder(path, limit: limit)
    }
    let progress = Progress("convert")
    let compilation: Compilation
    do {
        defer { progress.finish() }
        compilation = try Compiler.compile(graph, options: options, calibration: calibration, progress: progress.update)
    }
    if arguments.flag("--require-int8"), !compilation.lowered.floatNodes.isEmpty {
        let lines = compilation.lowered.floatNodes.map { "  \($0.name) (\($0.sourceOperator)): \($0.reason)" }
        throw Failure("--require-int8: \(lines.count) layers would stay in float32:\n" + lines.joined(separator: "\n"))
    }
    try writeAtomically(Data(compilation.file), to: output)
    try reportConversion(compilation, options, source: source, output: output, isJSON: arguments.flag("--json"))
    if let pruning = options.pruning {
        Console.error(
            "swiftlet convert: warning: --prune \(pruning.text) took weights out of a trained model. Its size and speed are to be seen; its accuracy is lost until it is fine-tuned with these zeros. `swiftlet eval` tells how much is left.")
    }
}

private func reportConversion(
    _ compilation: Compilation, _ options: CompileOptions, source: String, output: String, isJSON: Bool
) throws {
    let lowered = compilation.lowered
    let isFloatModel = lowered.floatNodes.count > 0 && !compilation.prepared.graph.values.contains { $0.quantization != nil }
    let shares = lowered.floatNodes.isEmpty ? [] : try timeShares(compilation)
    if isJSON {
        var facts: [String: Any] = [
            "output": output, "file_bytes": compilation.file.count, "parameter_bytes": lowered.parameterBytes,
            "arena_bytes": lowered.plan.arenaBytes, "arena_lower_bound_bytes": lowered.memory.lowerBoundBytes,
            "operations": lowered.plan.operations.count, "kept_scales": compilation.keptScales,
            "float_layers": zip(lowered.floatNodes, shares).map { node, share -> [String: Any] in
                ["name": node.name, "operator": node.sourceOperator, "reason": node.reason, "time_share": share]
            },
        ]
        let removal = compilation.prepared.removal
        facts["channels"] = [
            "channels": removal.channels, "kept_channels": removal.keptChannels, "parameters": removal.parameters,
            "kept_parameters": removal.keptParameters, "macs": removal.operations, "kept_macs": removal.keptOperations,
            "layers": removal.layers.map { layer -> [String: Any] in
                [
                    "name": layer.name, "inputs": layer.inputs, "kept_inputs": layer.keptInputs,
                    "outputs": layer.outputs, "kept_outputs": layer.keptOutputs,
                ]
            },
        ] as [String: Any]
        facts["pruned_layers"] = lowered.sparseChoices.map { choice in
            [
                "name": choice.name, "kept_share": choice.keptShare, "form": choice.isSparse ? "sparse" : "dense",
                "sparse_cost": choice.sparseCost, "dense_cost": choice.denseCost,
            ] as [String: Any]
        }
        facts["target"] = options.target.rawValue
        facts["cost_unit"] = options.target.unit
        if let pruning = options.pruning { facts["prune"] = pruning.text }
        if let quantization = compilation.quantization {
            facts["method"] = quantization.baseMethod.rawValue
            facts["refined_tensors"] = quantization.refined.count
            facts["output_sqnr_db"] = quantization.outputSQNR
        }
        return try Console.print(json: facts)
    }
    let saved = String(format: "%.3f", Double(compilation.file.count) / Double(max(1, lowered.parameterBytes)))
    Console.print("\(source) → \(output)")
    Console.print("  file      \(Format.bytes(UInt64(compilation.file.count))) (\(saved) × its parameters)")
    Console.print(
        "  arena     \(Format.bytes(UInt64(lowered.plan.arenaBytes))) (lower bound \(Format.bytes(UInt64(lowered.memory.lowerBoundBytes))))")
    Console.print("  plan      \(lowered.plan.operations.count) operations")
    if let quantization = compilation.quantization {
        Console.print(
            "  int8      ranges by \(quantization.baseMethod.rawValue), \(quantization.refined.count) tensors by another method; outputs at \(String(format: "%.1f", quantization.outputSQNR)) dB SQNR on the calibration pictures")
    } else if compilation.keptScales {
        Console.print("  int8      the model's own scales")
    }
    showRemoval(compilation.prepared.removal)
    showSparseChoices(lowered.sparseChoices, options.target)
    if isFloatModel {
        Console.print("  float32   throughout")
    } else if !lowered.floatNodes.isEmpty {
        Console.print("  float32   \(lowered.floatNodes.count) layers stay float, with their share of the time here:")
        for (node, share) in zip(lowered.floatNodes, shares) {
            Console.print(
                "            \(Format.percent(share))  \(node.name) (\(node.sourceOperator)): \(node.reason)")
        }
    }
}

/// Which layers lost channels that no output needs, and what that saves.
private func showRemoval(_ removal: ChannelRemoval) {
    guard !removal.layers.isEmpty else { return }
    func millions(_ old: Int, _ new: Int) -> String {
        "\(Format.significant(Double(old) / 1e6)) → \(Format.significant(Double(new) / 1e6)) M"
    }
    Console.print(
        "  channels  \(Format.counted(UInt64(removal.layers.count), "layer")): \(Format.count(UInt64(removal.channels - removal.keptChannels))) of \(Format.count(UInt64(removal.channels))) channels removed, which change no result; parameters \(millions(removal.parameters, removal.keptParameters)), MACs \(millions(removal.operations, removal.keptOperations))")
    for layer in removal.layers {
        let parts = [
            layer.inputs == layer.keptInputs ? nil : "\(layer.inputs) → \(layer.keptInputs) inputs",
            layer.outputs == layer.keptOutputs ? nil : "\(layer.outputs) → \(layer.keptOutputs) outputs",
        ]
        Console.print("            \(layer.name): \(parts.compactMap { $0 }.joined(separator: ", "))")
    }
}

/// Which pruned layers are stored sparse, and which stay dense because that is faster.
private func showSparseChoices(_ choices: [SparseChoice], _ target: SparseTarget) {
    guard !choices.isEmpty else { return }
    func cost(_ value: Double) -> String {
        target == .x86 ? Format.duration(value) : "\(Format.count(UInt64(value))) instructions"
    }
    let dense = choices.filter { !$0.isSparse }
    Console.print(
        "  pruned    \(choices.count) layers; \(choices.count - dense.count) stored sparse, \(dense.count) dense, as pays on \(target.rawValue)")
    for choice in choices {
        let estimate = "\(cost(choice.sparseCost)) against \(cost(choice.denseCost))"
        Console.print(
            "            \(choice.isSparse ? "sparse" : "dense ")  \(choice.name): \(Format.percent(choice.keptShare)) of its blocks kept, estimated \(estimate) dense")
    }
}

/// Share of the running time on this machine of each float layer, conversions to and from float included.
private func timeShares(_ compilation: Compilation) throws -> [Double] {
    let session = try Session(model: Model(copying: compilation.file), threadCount: 1)
    let operations = compilation.lowered.plan.operations
    var times = [UInt64](repeating: 0, count: operations.count)
    for _ in 0..<3 {
        for (index, port) in compilation.lowered.plan.inputs.enumerated() {
            Golden.fill(session.input(index), type: port.storedType, seed: 1)
        }
        session.run()
        for index in operations.indices { times[index] += session.layerNanoseconds[index] }
    }
    let total = Double(max(1, times.reduce(0, +)))
    return compilation.lowered.floatNodes.map { Double(times[$0.operations].reduce(0, +)) / total }
}
