import Compiler
import Foundation
import NestFormat
import Reports
import Vision

let evalCommand = Command(
    name: "eval", summary: "Measures a model's accuracy over labelled pictures.", positionals: ["MODEL"],
    options: [
        Option(name: "--dataset", value: "labels.csv", help: "CSV with a column of files and one of labels."),
        Option(name: "--file-column", value: "NAME", help: "Column of files (default file)."),
        Option(name: "--label-column", value: "NAME", help: "Column of classes (default class), or of readings of a gauge\n(default value)."),
        Option(name: "--class-offset", value: "N", help: "Added to the label: 1 for models with a background class 0."),
        Option(name: "--limit", value: "N", help: "Use only the first N pictures."),
        Option(name: "--threads", value: "N", help: "Threads of the engine (default 1)."),
    ] + ModelOptions.recipe + [.json],
    examples: [
        "swiftlet eval gauge.nest --dataset models/gauge/test/labels.csv",
        "swiftlet eval mobilenet.nest --dataset val/labels.csv --label-column class_0_999 --class-offset 1",
    ], notes: [ModelOptions.recipeNote]
) { arguments in
    guard let csv = arguments.string("--dataset") else { throw UsageError("eval needs --dataset labels.csv") }
    var dataset = try Dataset(csv, fileColumn: arguments.string("--file-column") ?? "file")
    if let limit = try arguments.integer("--limit", in: 1...10_000_000) { dataset.rows = Array(dataset.rows.prefix(limit)) }
    let predictor = try Predictor(
        arguments.positionals[0],
        recipe: { try ModelOptions.recipe(arguments, width: $0, height: $1, channels: $2) },
        threads: try arguments.integer("--threads", in: 1...64) ?? 1)
    if case .keypoints(let keypoints) = predictor.decoding, let gauge = keypoints.gauge {
        try evaluateGauge(predictor, gauge, dataset, arguments)
    } else {
        try evaluateClasses(predictor, dataset, arguments)
    }
}

private func column(_ dataset: Dataset, _ arguments: Arguments, _ missing: String) throws -> String {
    let name = arguments.string("--label-column") ?? missing
    guard dataset.columns.contains(name) else {
        throw UsageError("--label-column: expected one of \(dataset.columns.joined(separator: ", ")), found \"\(name)\"")
    }
    return name
}

/// Top-1 and top-5 of output 0.
private func evaluateClasses(_ predictor: Predictor, _ dataset: Dataset, _ arguments: Arguments) throws {
    let label = try column(dataset, arguments, "class")
    let offset = try arguments.integer("--class-offset", in: -1_000_000...1_000_000) ?? 0
    var (top1, top5) = (0, 0)
    let progress = Progress("eval")
    let start = Date()
    for (index, row) in dataset.rows.enumerated() {
        progress.update(Double(index) / Double(dataset.rows.count), "\(index) of \(dataset.rows.count) pictures")
        guard let text = row.values[label], let truth = Int(text) else {
            throw Failure("\(row.path): column \(label): expected a class number, found \"\(row.values[label] ?? "")\"")
        }
        let scores = try predictor.predict(row.path).outputs[0].reals
        let expected = truth + offset
        guard scores.indices.contains(expected) else {
            throw Failure("\(row.path): class \(expected) (label \(truth) + offset \(offset)) is not among the model's \(scores.count) classes; check --class-offset")
        }
        // Of equal scores the lower class comes first.
        let rank = scores.indices.filter { scores[$0] > scores[expected] || (scores[$0] == scores[expected] && $0 < expected) }.count
        if rank < 1 { top1 += 1 }
        if rank < 5 { top5 += 1 }
    }
    progress.finish()
    let seconds = Date().timeIntervalSince(start)
    let count = dataset.rows.count
    let interval = confidenceInterval(successes: top1, of: count)
    if arguments.flag("--json") {
        return try Console.print(json: [
            "model": predictor.path, "images": count, "top1": Double(top1) / Double(count), "top5": Double(top5) / Double(count),
            "top1_correct": top1, "top5_correct": top5,
            "top1_interval_95": [interval.lowerBound, interval.upperBound], "images_per_second": Double(count) / seconds,
        ])
    }
    Console.print("\(predictor.path): \(count) pictures")
    Console.print(
        "  top-1     \(Format.fixed(100 * Double(top1) / Double(count), decimals: 2)) %  (95 % interval \(Format.fixed(100 * interval.lowerBound, decimals: 1))–\(Format.fixed(100 * interval.upperBound, decimals: 1)) %)")
    Console.print("  top-5     \(Format.fixed(100 * Double(top5) / Double(count), decimals: 2)) %")
    Console.print("  speed     \(Format.fixed(Double(count) / seconds, decimals: 1)) pictures/s, reading and preprocessing included")
}

/// Mean error of a gauge's readings, and how often it is rightly found or rightly not.
private func evaluateGauge(
    _ predictor: Predictor, _ gauge: KeypointDecoding.Gauge, _ dataset: Dataset, _ arguments: Arguments
) throws {
    let label = try column(dataset, arguments, "value")
    let decoder = try predictor.makeDecoder()
    var errors: [Double] = []
    var (found, present, falseAlarms) = (0, 0, 0)
    let progress = Progress("eval")
    let start = Date()
    for (index, row) in dataset.rows.enumerated() {
        progress.update(Double(index) / Double(dataset.rows.count), "\(index) of \(dataset.rows.count) pictures")
        let result = try predictor.predict(row.path)
        let bytes = result.outputs.map(\.bytes)
        bytes.withUnsafePointers { decoder.decode(placement: result.placement, bytes: $0) }
        var reading: Float?
        if case .value(let value)? = decoder.gaugeReading { reading = value }
        if row.values["present"] == "0" || (row.values[label] ?? "").isEmpty {
            if reading != nil { falseAlarms += 1 }
            continue
        }
        guard let truth = Double(row.values[label]!) else {
            throw Failure("\(row.path): column \(label): expected a number, found \"\(row.values[label]!)\"")
        }
        present += 1
        if let reading {
            found += 1
            errors.append(abs(Double(reading) - truth))
        }
    }
    progress.finish()
    let seconds = Date().timeIntervalSince(start)
    let span = Double(gauge.maxValue - gauge.minValue)
    let mean = errors.isEmpty ? Double.nan : errors.reduce(0, +) / Double(errors.count)
    let p95 = errors.isEmpty ? Double.nan : errors.sorted()[min(errors.count - 1, errors.count * 95 / 100)]
    if arguments.flag("--json") {
        return try Console.print(json: [
            "model": predictor.path, "images": dataset.rows.count, "present": present, "found": found,
            "false_alarms": falseAlarms, "mean_absolute_error": mean, "mean_error_of_scale": mean / span,
            "p95_absolute_error": p95, "unit": gauge.unit, "images_per_second": Double(dataset.rows.count) / seconds,
        ])
    }
    Console.print("\(predictor.path): \(dataset.rows.count) pictures, \(present) with a gauge")
    Console.print("  found     \(found) of \(present); \(falseAlarms) false alarms in \(dataset.rows.count - present)")
    Console.print(
        "  reading   mean error \(Format.fixed(mean, decimals: 3)) \(gauge.unit) (\(Format.fixed(100 * mean / span, decimals: 2)) % of the scale), 95 % within \(Format.fixed(p95, decimals: 3)) \(gauge.unit)")
    Console.print("  speed     \(Format.fixed(Double(dataset.rows.count) / seconds, decimals: 1)) pictures/s, reading and preprocessing included")
}

extension [[UInt8]] {
    /// Gives `body` a function from index to bytes, valid during the call.
    func withUnsafePointers(_ body: ((Int) -> UnsafeRawBufferPointer) -> Void) {
        let copies = map { bytes -> UnsafeMutableRawBufferPointer in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
            copy.copyBytes(from: bytes)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        body { UnsafeRawBufferPointer(copies[$0]) }
    }
}
