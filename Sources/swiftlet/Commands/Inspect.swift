import Compiler
import Engine
import Foundation
import Graph
import NestFormat
import Reports

let inspectCommand = Command(
    name: "inspect", summary: "Says what a model file is: ports, layers, kernels, memory, preprocessing, provenance.",
    positionals: ["FILE"],
    options: [Option(name: "--force-isa", value: "ISA", help: "Show the kernels of this instruction set."), .json],
    examples: ["swiftlet inspect gauge.nest", "swiftlet inspect model.tflite"]
) { arguments in
    let path = arguments.positionals[0]
    if try ModelKind(path) == .nest { try inspectNest(path, arguments) } else { try inspectSource(path, arguments) }
}

private func inspectNest(_ path: String, _ arguments: Arguments) throws {
    let nest = try loadNest(path)
    let session = try makeSession(nest, arguments)
    let (file, plan) = (nest.file, nest.plan)
    let macs = plan.operations.indices.reduce(UInt64(0)) { $0 + session.macs(of: $1) }
    func describe(_ port: PortDescriptor) -> String {
        let quantization = port.scale > 0 ? ", int8 with scale \(port.scale), zero point \(port.zeroPoint)" : ""
        return "\(port.name): \(port.externalType) \(port.shape)\(quantization)"
    }
    if arguments.flag("--json") {
        func facts(_ port: PortDescriptor) -> [String: Any] {
            [
                "name": port.name, "shape": port.shape, "type": "\(port.externalType)", "stored_type": "\(port.storedType)",
                "scale": Double(port.scale), "zero_point": Int(port.zeroPoint), "arena_offset": port.arenaOffset,
            ]
        }
        var object: [String: Any] = [:]
        object["file"] = path
        object["file_bytes"] = file.bytes.count
        object["format_version"] = Int(file.formatVersion)
        object["arena_bytes"] = plan.arenaBytes
        object["weights_bytes"] = file.weights.count
        object["macs"] = macs
        object["inputs"] = plan.inputs.map(facts)
        object["outputs"] = plan.outputs.map(facts)
        object["labels"] = file.labels
        object["decoding"] = "\(file.decoding)"
        object["preprocess"] = file.preprocess.map { "\($0)" } ?? ""
        object["sections"] = file.sections.map { section -> [String: Any] in
            ["kind": "\(section.kind)", "offset": section.offset, "bytes": section.byteCount]
        }
        object["provenance"] = file.provenance.entries.map { ["key": $0.key, "value": $0.value] }
        let kernels = try CPUProfile.all.map { ($0.name, try $0.kernelNames(of: nest)) }
        object["layers"] = plan.operations.indices.map { index -> [String: Any] in
            [
                "name": plan.operations[index].name, "operator": "\(plan.operations[index].operation.name)",
                "kernel": session.kernelName(of: index), "macs": session.macs(of: index),
                "kernels": Dictionary(uniqueKeysWithValues: kernels.map { ($0.0, $0.1[index]) }),
            ]
        }
        return try Console.print(json: object)
    }
    Console.print("\(path): Swiftlet model, format \(file.formatVersion), \(Format.bytes(UInt64(file.bytes.count)))")
    Console.print("  weights     \(Format.bytes(UInt64(file.weights.count)))")
    Console.print("  arena       \(plan.arenaBytes) bytes")
    Console.print("  work        \(Format.fixed(Double(macs) / 1e6, decimals: 2)) MMAC in \(plan.operations.count) operations")
    for port in plan.inputs { Console.print("  input       \(describe(port))") }
    for port in plan.outputs { Console.print("  output      \(describe(port))") }
    if let rule = file.preprocess {
        let numbers = { (values: [Float]) in values.map { "\($0)" }.joined(separator: ", ") }
        Console.print(
            "  pictures    \(rule.width)×\(rule.height) \(rule.color), \(rule.fit), \(rule.filter); (pixel · \(rule.scale) − [\(numbers(rule.mean))]) / [\(numbers(rule.std))]")
    }
    if file.decoding != .raw { Console.print("  results     \(summary(of: file.decoding))") }
    if !file.labels.isEmpty {
        Console.print("  labels      \(file.labels.count): \(file.labels.prefix(6).joined(separator: ", "))\(file.labels.count > 6 ? ", …" : "")")
    }
    Console.print("  golden      \(file.golden == nil ? "none" : "an input with a checksum of every operation")")
    for entry in file.provenance.entries where !entry.key.hasPrefix("float-layer") && !entry.key.hasPrefix("method:") {
        Console.print("  \(entry.key.padding(toLength: max(12, entry.key.count + 1), withPad: " ", startingAt: 0))\(entry.value)")
    }
    for entry in file.provenance.entries where entry.key == "float-layer" { Console.print("  stays float \(entry.value)") }
    var table = TextTable([("layer", .left), ("operator", .left), ("kernel here", .left), ("kMAC", .right)])
    for index in plan.operations.indices {
        table.add([
            plan.operations[index].name, "\(plan.operations[index].operation.name)", session.kernelName(of: index),
            Format.count(session.macs(of: index) / 1000),
        ])
    }
    Console.print(table.rendered())
    Console.print("kernels elsewhere, by number of layers:")
    let width = CPUProfile.all.reduce(0) { max($0, $1.name.count) } + 2
    for profile in CPUProfile.all {
        var counts: [String: Int] = [:]
        for name in try profile.kernelNames(of: nest) { counts[name, default: 0] += 1 }
        let words = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) × \($0.key)" }
        Console.print("  \(profile.name.padding(toLength: width, withPad: " ", startingAt: 0))\(words.joined(separator: ", "))")
    }
}

/// An output decoding in words.
private func summary(of decoding: OutputDecoding) -> String {
    func threshold(_ score: Float, _ iou: Float, _ most: Int) -> String {
        "score above \(score), IoU below \(iou), at most \(most)"
    }
    switch decoding {
    case .raw: return "raw outputs"
    case .classification(let top, let softmax): return "top \(top) classes\(softmax ? ", softmax applied" : "")"
    case .tfliteDetections(let score): return "boxes of TFLite_Detection_PostProcess, score above \(score)"
    case .ssd(let ssd):
        return "SSD boxes of \(ssd.classCount) classes, \(threshold(ssd.scoreThreshold, ssd.iouThreshold, ssd.maxDetections))"
    case .yolo(let yolo):
        return "YOLO (\(yolo.version)) boxes of \(yolo.classCount) classes, \(threshold(yolo.scoreThreshold, yolo.iouThreshold, yolo.maxDetections))"
    case .anchorFree(let heads):
        return "anchor-free boxes of \(heads.classCount) classes on \(heads.levels.count) levels, \(threshold(heads.scoreThreshold, heads.iouThreshold, heads.maxDetections))"
    case .segmentation(let score): return "a class for each pixel, score above \(score)"
    case .keypoints(let keypoints):
        let form = keypoints.form == .heatmaps ? "heat maps" : "coordinates"
        let dial = keypoints.gauge.map { "; a dial from \($0.minValue) to \($0.maxValue) \($0.unit)" } ?? ""
        return "keypoints from \(form), score above \(keypoints.scoreThreshold)\(dial)"
    }
}

private func inspectSource(_ path: String, _ arguments: Arguments) throws {
    let graph = try importModel(path)
    var counts: [String: Int] = [:]
    for node in graph.nodes { counts[node.sourceOperator, default: 0] += 1 }
    func facts(_ name: String, _ value: ValueID, _ type: ElementType) -> [String: Any] {
        ["name": name, "shape": graph[value].shape ?? [], "type": type.rawValue]
    }
    let parameters = graph.values.reduce(0) { $0 + ($1.constant?.count ?? 0) }
    let isQuantized = graph.values.contains { $0.quantization != nil && $0.constant == nil }
    if arguments.flag("--json") {
        return try Console.print(json: [
            "file": path, "format": graph.sourceDescription, "inputs": graph.inputs.map { facts($0.name, $0.value, $0.elementType) },
            "outputs": graph.outputs.map { facts($0.name, $0.value, $0.elementType) }, "operators": counts, "parameters": parameters, "quantized": isQuantized,
        ])
    }
    Console.print("\(path): \(graph.sourceDescription)\(isQuantized ? ", quantized" : "")")
    for port in graph.inputs { Console.print("  input       \(port.name): \(port.elementType) \(graph[port.value].shape ?? [])") }
    for port in graph.outputs { Console.print("  output      \(port.name): \(port.elementType) \(graph[port.value].shape ?? [])") }
    Console.print("  parameters  \(Format.count(UInt64(parameters)))")
    for (name, count) in counts.sorted(by: { ($0.value, $1.key) > ($1.value, $0.key) }) {
        Console.print("  \(String(count).padding(toLength: 6, withPad: " ", startingAt: 0))\(name)")
    }
}
