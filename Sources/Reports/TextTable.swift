/// Columns of text aligned for a fixed-width font.
public struct TextTable {
    public enum Alignment: Sendable {
        case left, right
    }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// - Parameter columns: title and alignment of each column. With empty titles there is no title row.
    public init(_ columns: [(title: String, alignment: Alignment)]) {
        titles = columns.map { $0.title }
        alignments = columns.map { $0.alignment }
    }

    /// Adds a row with one text per column.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count == titles.count, "a row needs \(titles.count) cells, got \(cells.count)")
        rows.append(cells)
    }

    public var isEmpty: Bool { rows.isEmpty }

    /// The lines, each indented, without trailing spaces, with a newline at the end of each.
    /// - Parameters:
    ///   - indent: spaces before each line.
    ///   - columnLimit: longer texts are cut to this many characters, with "…" as the last.
    public func rendered(indent: Int = 0, columnLimit: Int = 60) -> String {
        let hasTitles = titles.contains { !$0.isEmpty }
        let lines = ((hasTitles ? [titles] : []) + rows).map { $0.map { TextTable.cut($0, to: columnLimit) } }
        let widths = titles.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var result = ""
        for line in lines {
            var text = String(repeating: " ", count: indent)
            for (column, cell) in line.enumerated() {
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                text += (column == 0 ? "" : "  ") + (alignments[column] == .left ? cell + gap : gap + cell)
            }
            while text.last == " " { text.removeLast() }
            result += text + "\n"
        }
        return result
    }

    private static func cut(_ text: String, to limit: Int) -> String {
        let oneLine = Reports.singleLine(text)
        return oneLine.count <= limit ? oneLine : oneLine.prefix(max(0, limit - 1)) + "…"
    }
}
