import Compiler
import Engine
import Foundation
import NestFormat
import Platform
import Reports

let benchCommand = Command(
    name: "bench", summary: "Times a .nest model on this machine.", positionals: ["[FILE.nest]"],
    options: [
        Option(name: "--threads", value: "N", help: "Threads of the engine (default 1)."),
        Option(name: "--seconds", value: "S", help: "How long to measure (default 2)."),
        Option(name: "--layers", value: nil, help: "Show each layer, and its share of the measured peak of its instructions."),
        Option(name: "--peak", value: nil, help: "Measure that peak alone; needs no file."),
        Option(
            name: "--bursts", value: nil,
            help: "Time inferences on request: each line N of standard input is answered with the times of N."),
        BenchInput.option,
        Option(name: "--force-isa", value: "ISA", help: "Use only the kernels of this instruction set."),
        .json,
    ],
    examples: ["swiftlet bench gauge.nest --threads 2 --layers", "swiftlet bench --peak"],
    notes: [
        """
        Runs are timed one by one after a warm-up; the median is the figure to quote, the ratio of two medians measured in
        turn the figure to compare.
        """,
        """
        Times depend on the input: on x86-64 without VPDPBUSD convolutions run faster where inputs are small, as most are in
        pictures. Compare what was measured on the same input; --input noise shows about the slowest.
        """,
        """
        The peak is what a core does with the instructions of a kernel's inner loop, on registers only: with --peak at
        best, with --layers the median of samples taken in turn with the runs, on the processor as it was then. A loop that
        mixes sequences counts as the fastest of them (gemm_u8s8: joint). Layers of T threads are held to T times the peak
        of a core.
        """,
        """
        --bursts is for a harness that lets several runtimes take turns (tools/bench/peers). The first line of standard
        output is a JSON object: load_ms (map, check, ready), first_ms (first inference, on noise), baseline_bytes and
        resident_bytes (resident memory before loading and after the first inference), macs. Then every line N is answered
        with {"ns": [N times]}. Each time includes putting the input in place. The end of standard input ends it.
        """,
    ]
) { arguments in
    if arguments.flag("--peak") { return try showPeak(arguments) }
    guard !arguments.positionals.isEmpty else { throw UsageError("missing FILE.nest; usage: swiftlet bench FILE.nest") }
    if arguments.flag("--bursts") { return try runBursts(arguments) }
    let nest = try loadNest(arguments.positionals[0])
    let session = try makeSession(nest, arguments)
    let seconds = try arguments.number("--seconds", in: 0.01...3600) ?? 2
    let input = try BenchInput(arguments)
    let inputs = try input.bytes(nest)
    func restore() { for (index, bytes) in inputs.enumerated() { session.input(index).copyBytes(from: bytes) } }
    for _ in 0..<3 { restore(); session.run() }
    let operations = nest.plan.operations
    var times: [UInt64] = []
    var layerTimes = [[UInt64]](repeating: [], count: operations.count)
    var peaks = arguments.flag("--layers") ? neededPeaks(session, operations.count) : [:]
    let start = MonotonicClock.now()
    var sampled: UInt64 = 0
    while times.count < 5 || MonotonicClock.now() - start < UInt64(seconds * 1e9) {
        if !peaks.isEmpty && MonotonicClock.now() - sampled > peakInterval {
            for name in peaks.keys { peaks[name]!.sample() }
            // Meanwhile the engine's threads fell asleep: the run that wakes them does not count.
            restore()
            session.run()
            sampled = MonotonicClock.now()
        }
        restore()
        let before = MonotonicClock.now()
        session.run()
        times.append(MonotonicClock.now() - before)
        for index in operations.indices { layerTimes[index].append(session.layerNanoseconds[index]) }
    }
    let peakRates = peaks.compactMapValues(\.medianRate)
    let median = percentile(times, 50)
    let macs = operations.indices.reduce(UInt64(0)) { $0 + session.macs(of: $1) }
    let layerMedians = layerTimes.map { percentile($0, 50) }
    let layerSum = layerMedians.reduce(0, +)
    // Means add up; medians of layers and of runs need not.
    let covered = Double(layerTimes.joined().reduce(0, +)) / Double(max(1, times.reduce(0, +)))
    let overhead = Double(session.timingNanoseconds * Double(operations.count)) / Double(max(1, median))
    /// GMAC/s that the instructions of an operation's kernel do on registers with its threads.
    func peak(of index: Int) -> Double? {
        guard session.macs(of: index) > 0, let name = PeakSequence.name(ofKernel: session.kernelName(of: index)) else { return nil }
        return peakRates[name].map { $0 * Double(session.threads(of: index)) }
    }
    if arguments.flag("--json") {
        var facts: [String: Any] = [
            "file": arguments.positionals[0], "input": input.name(for: nest), "threads": session.threadCount, "runs": times.count, "median_ms": Double(median) / 1e6,
            "p90_ms": Double(percentile(times, 90)) / 1e6, "p99_ms": Double(percentile(times, 99)) / 1e6, "macs": macs,
            "gmac_per_s": Double(macs) / Double(max(1, median)), "timing_overhead_share": overhead,
            "layer_sum_share": covered,
        ]
        if arguments.flag("--layers") {
            facts["layers"] = operations.indices.map { index in
                var layer: [String: Any] = [
                    "name": operations[index].name, "kernel": session.kernelName(of: index),
                    "operator": "\(operations[index].operation.name)", "median_ms": Double(layerMedians[index]) / 1e6,
                    "macs": session.macs(of: index),
                ]
                if let peak = peak(of: index) {
                    layer["peak_share"] = Double(session.macs(of: index)) / Double(max(1, layerMedians[index])) / peak
                }
                return layer
            }
        }
        return try Console.print(json: facts)
    }
    Console.print("\(arguments.positionals[0]): \(times.count) runs, \(session.threadCount) thread\(session.threadCount == 1 ? "" : "s")")
    Console.print(
        "  median \(Format.duration(median))   p90 \(Format.duration(percentile(times, 90)))   p99 \(Format.duration(percentile(times, 99)))")
    Console.print("  \(Format.fixed(Double(macs) / Double(max(1, median)), decimals: 2)) GMAC/s over \(Format.fixed(Double(macs) / 1e6, decimals: 1)) MMAC")
    Console.print("  input: \(input.name(for: nest))")
    Console.print(
        "  layers add up to \(Format.percent(covered)) of a run; timing them costs \(Format.percent(overhead))")
    guard arguments.flag("--layers") else { return }
    var table = TextTable([
        ("layer", .left), ("operator", .left), ("kernel", .left), ("median", .right), ("share", .right), ("GMAC/s", .right),
        ("of peak", .right),
    ])
    for index in operations.indices {
        let work = session.macs(of: index)
        let rate = Double(work) / Double(max(1, layerMedians[index]))
        table.add([
            operations[index].name, "\(operations[index].operation.name)", session.kernelName(of: index),
            Format.duration(layerMedians[index]), Format.percent(Double(layerMedians[index]) / Double(max(1, layerSum))),
            work == 0 ? "" : Format.fixed(rate, decimals: 1), peak(of: index).map { Format.percent(rate / $0) } ?? "",
        ])
    }
    Console.print(table.rendered())
}

/// Nanoseconds between two samples of the peaks.
private let peakInterval: UInt64 = 50_000_000

/// The sequences that the inner loops of a model's kernels consist of, by name.
private func neededPeaks(_ session: Session, _ count: Int) -> [String: PeakSequence] {
    let names = Set((0..<count).compactMap { PeakSequence.name(ofKernel: session.kernelName(of: $0)) })
    return Dictionary(uniqueKeysWithValues: PeakSequence.all().filter { names.contains($0.name) }.map { ($0.name, $0) })
}

/// `swiftlet bench --peak`.
private func showPeak(_ arguments: Arguments) throws {
    var peaks = PeakSequence.all()
    for _ in 0..<400 { for index in peaks.indices { peaks[index].sample() } }
    if arguments.flag("--json") {
        return try Console.print(json: [
            "sequences": peaks.map { peak in
                ["name": peak.name, "instructions": peak.instructions, "gmac_per_s": peak.bestRate ?? NSNull()] as [String: Any]
            }
        ])
    }
    var table = TextTable([("sequence", .left), ("GMAC/s a core", .right), ("instructions", .left)])
    for peak in peaks {
        table.add([peak.name, peak.bestRate.map { Format.fixed($0, decimals: 1) } ?? "not on this CPU", peak.instructions])
    }
    Console.print(table.rendered())
}

/// The value below which `percent` of the values lie (nearest rank).
func percentile(_ values: [UInt64], _ percent: Double) -> UInt64 {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    return sorted[min(sorted.count - 1, max(0, Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1))]
}
