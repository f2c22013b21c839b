import Foundation

/// A CSV file that lists pictures with labels; paths are relative to the CSV (or to a `jpg` or `images` folder beside it).
struct Dataset {
    struct Row {
        var path: String
        var values: [String: String]
    }
    var columns: [String]
    var rows: [Row]

    init(_ path: String, fileColumn: String) throws {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure("\(path): can't be read as UTF-8 text")
        }
        let lines = text.split(whereSeparator: \.isNewline).map { Self.fields(String($0)) }
        guard let header = lines.first, header.contains(fileColumn) else {
            throw Failure(
                "\(path): expected a column \"\(fileColumn)\", found \(lines.first?.joined(separator: ", ") ?? "an empty file"); name it with --file-column")
        }
        columns = header
        let folder = (path as NSString).deletingLastPathComponent
        let bases = ["", "jpg", "images"].map { (folder as NSString).appendingPathComponent($0) }
        rows = []
        for (number, line) in lines.dropFirst().enumerated() {
            guard line.count == header.count else {
                throw Failure("\(path): line \(number + 2): expected \(header.count) fields, found \(line.count)")
            }
            let values = Dictionary(zip(header, line), uniquingKeysWith: { first, _ in first })
            let name = values[fileColumn]!
            let candidates = bases.map { name.hasPrefix("/") ? name : ($0 as NSString).appendingPathComponent(name) }
            guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
                throw Failure("\(path): line \(number + 2): no file \"\(name)\" beside the CSV")
            }
            rows.append(Row(path: found, values: values))
        }
        guard !rows.isEmpty else { throw Failure("\(path): lists no pictures") }
    }

    /// Splits a CSV line; fields may be in double quotes (RFC 4180).
    static func fields(_ line: String) -> [String] {
        var fields = [""]
        var isQuoted = false
        var characters = Array(line)[...]
        while let character = characters.popFirst() {
            switch character {
            case "\"" where isQuoted && characters.first == "\"":
                fields[fields.count - 1].append("\"")
                characters.removeFirst()
            case "\"": isQuoted.toggle()
            case "," where !isQuoted: fields.append("")
            default: fields[fields.count - 1].append(character)
            }
        }
        return fields
    }
}

/// Wilson's score interval of a share at 95 % (E. B. Wilson, *Probable Inference*, 1927).
func confidenceInterval(successes: Int, of count: Int) -> ClosedRange<Double> {
    guard count > 0 else { return 0...1 }
    let (n, z) = (Double(count), 1.959963984540054)
    let p = Double(successes) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, centre - half)...min(1, centre + half)
}
