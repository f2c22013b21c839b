import Compiler
import Engine
import Foundation
import Graph
import Platform

/// Version of tool and runtime.
let toolVersion = "0.1.0"

let commands: [Command] = [
    convertCommand, inspectCommand, runCommand, evalCommand, compareCommand, benchCommand, reportCommand, explainCommand,
]

func overview() -> String {
    let width = commands.map(\.name.count).max()! + 2
    let lines = commands.map { "  " + $0.name.padding(toLength: width, withPad: " ", startingAt: 0) + $0.summary }
    return """
        usage: swiftlet COMMAND …

        Makes trained vision models small and fast for embedded Linux, and says what they do there.

        Commands:
        \(lines.joined(separator: "\n"))

        `swiftlet COMMAND --help` explains a command. Exit code 0: done; 1: it failed; 2: wrong usage.

        Example:
          swiftlet convert models/gauge/gauge.onnx -o gauge.nest --recipe models/gauge/model.json --calibrate models/gauge/calibration
        """
}

signal(SIGPIPE, SIG_IGN)
var words = Array(CommandLine.arguments.dropFirst())
guard let name = words.first else {
    Console.error(overview())
    exit(2)
}
words.removeFirst()
if name == "--help" || name == "-h" || name == "help" {
    if let topic = words.first, let command = commands.first(where: { $0.name == topic }) {
        Console.print(command.help)
    } else {
        Console.print(overview())
    }
    exit(0)
}
if name == "--version" {
    Console.print("swiftlet \(toolVersion)")
    exit(0)
}
guard let command = commands.first(where: { $0.name == name }) else {
    Console.error("swiftlet: no command \"\(name)\"; commands: \(commands.map(\.name).joined(separator: ", "))")
    exit(2)
}
if words.contains("--help") || words.contains("-h") {
    Console.print(command.help)
    exit(0)
}
do {
    try command.run(try Arguments(words, for: command))
} catch let error as UsageError {
    Console.error("swiftlet \(name): \(error)")
    exit(2)
} catch {
    Console.error("swiftlet \(name): \(error)")
    exit(1)
}
