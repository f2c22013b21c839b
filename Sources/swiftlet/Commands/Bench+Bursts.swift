import Compiler
import Engine
import Foundation
import NestFormat
import Platform

/// `swiftlet bench --bursts`: a long-lived process that times inferences when it is told to, so that a harness can let
/// several runtimes take turns. `benchCommand`'s notes describe the protocol; tools/bench/benchmark/worker.py is the same
/// for other runtimes.
func runBursts(_ arguments: Arguments) throws {
    let input = try BenchInput(arguments)
    let baseline = residentBytes()
    let start = MonotonicClock.now()
    let nest = try loadNest(arguments.positionals[0])
    let session = try makeSession(nest, arguments)
    let load = MonotonicClock.now() - start
    // In place, so that only the model's memory counts.
    for (index, port) in nest.plan.inputs.enumerated() { Golden.fill(session.input(index), type: port.storedType, seed: 1) }
    let ready = MonotonicClock.now()
    session.run()
    let first = MonotonicClock.now() - ready
    let resident = residentBytes()
    let inputs = try input.bytes(nest)
    /// Nanoseconds of one inference, putting its input in place included: other values use the input's memory later on.
    func timeRun() -> UInt64 {
        let before = MonotonicClock.now()
        for (index, bytes) in inputs.enumerated() { session.input(index).copyBytes(from: bytes) }
        session.run()
        return MonotonicClock.now() - before
    }
    try answer([
        "load_ms": Double(load) / 1e6, "first_ms": Double(first) / 1e6, "baseline_bytes": baseline,
        "resident_bytes": resident, "macs": nest.plan.operations.indices.reduce(0) { $0 + session.macs(of: $1) },
    ])
    while let line = readLine() {
        guard let count = Int(line), (1...100_000).contains(count) else {
            throw UsageError("--bursts: expected a number of inferences from 1 to 100000 on a line, found \"\(line)\"")
        }
        try answer(["ns": (0..<count).map { _ in timeRun() }])
    }
}

/// Writes one line of JSON at once.
private func answer(_ object: [String: Any]) throws {
    Console.print(String(decoding: try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]), as: UTF8.self))
}

/// Memory of this process that is resident now, mapped files included.
private func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}
