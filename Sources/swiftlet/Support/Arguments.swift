import Foundation

/// What is wrong with a command line; exit code 2.
struct UsageError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// What went wrong while working; exit code 1.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// One option of a command.
struct Option: Sendable {
    /// With dashes: "--threads".
    var name: String
    /// Placeholder of its value; nil for a flag.
    var value: String?
    var help: String
    var isRepeated = false

    static let json = Option(name: "--json", value: nil, help: "Print one JSON object instead of text.")
}

/// One subcommand.
struct Command: Sendable {
    var name: String
    var summary: String
    /// Placeholders of positional arguments; the last may end in "…".
    var positionals: [String]
    var options: [Option]
    var examples: [String]
    /// Further paragraphs of the help.
    var notes: [String] = []
    var run: @Sendable (Arguments) throws -> Void

    var help: String {
        var lines = ["usage: swiftlet \(name) \(positionals.joined(separator: " "))\(options.isEmpty ? "" : " [OPTION]…")", ""]
        lines += [summary, ""]
        if !options.isEmpty {
            lines.append("Options:")
            let titles = options.map { "  \($0.name)\($0.value.map { " " + $0 } ?? "")" }
            let width = min(34, (titles.map(\.count).max() ?? 0) + 2)
            for (title, option) in zip(titles, options) {
                let gap = title.count < width ? String(repeating: " ", count: width - title.count) : "\n" + String(repeating: " ", count: width)
                lines.append(title + gap + option.help.replacingOccurrences(of: "\n", with: "\n" + String(repeating: " ", count: width)))
            }
            lines.append("")
        }
        for note in notes { lines += [note, ""] }
        lines.append(examples.count == 1 ? "Example:" : "Examples:")
        lines += examples.map { "  " + $0 }
        return lines.joined(separator: "\n")
    }
}

/// A parsed command line.
struct Arguments {
    private(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]

    init(_ words: [String], for command: Command) throws {
        var rest = words[...]
        var onlyPositionals = false
        while let word = rest.popFirst() {
            if onlyPositionals || !word.hasPrefix("-") || word == "-" {
                positionals.append(word)
                continue
            }
            if word == "--" {
                onlyPositionals = true
                continue
            }
            let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = command.options.first(where: { $0.name == pair[0] }) else {
                throw UsageError("unknown option \(pair[0]); `swiftlet \(command.name) --help` lists the options")
            }
            if option.value == nil {
                guard pair.count == 1 else { throw UsageError("option \(option.name) takes no value") }
                values[option.name, default: []].append("")
            } else if pair.count == 2 {
                values[option.name, default: []].append(pair[1])
            } else if let value = rest.popFirst() {
                values[option.name, default: []].append(value)
            } else {
                throw UsageError("option \(option.name) needs a value: \(option.name) \(option.value!)")
            }
            if !option.isRepeated, values[option.name]!.count > 1 {
                throw UsageError("option \(option.name) was given twice")
            }
        }
        let takesMany = command.positionals.last?.hasSuffix("…") ?? false
        let needed = command.positionals.filter { !$0.hasPrefix("[") }
        if positionals.count < needed.count {
            throw UsageError("missing \(needed[positionals.count]); usage: swiftlet \(command.name) \(command.positionals.joined(separator: " "))")
        }
        if !takesMany, positionals.count > command.positionals.count {
            throw UsageError("unexpected argument \"\(positionals[command.positionals.count])\"")
        }
    }

    func flag(_ name: String) -> Bool { values[name] != nil }
    func string(_ name: String) -> String? { values[name]?.last }
    func strings(_ name: String) -> [String] { values[name] ?? [] }

    func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = string(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError("option \(name): expected a whole number from \(range.lowerBound) to \(range.upperBound), found \"\(text)\"")
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let text = string(name) else { return nil }
        guard let number = Double(text), range.contains(number) else {
            throw UsageError("option \(name): expected a number from \(range.lowerBound) to \(range.upperBound), found \"\(text)\"")
        }
        return number
    }
}
