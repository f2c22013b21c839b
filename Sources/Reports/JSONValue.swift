/// A JSON document whose object keys keep their order, so that outputs compare line by line.
public indirect enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    /// Written with 17 significant digits; null when not finite, which JSON can't hold.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// The document, indented by two spaces a level, with a newline at the end. RFC 8259.
    public func rendered() -> String {
        var result = ""
        write(to: &result, indent: 0)
        return result + "\n"
    }

    /// The document on one line, without a newline.
    public func compact() -> String {
        var result = ""
        write(to: &result, indent: nil)
        return result
    }

    private func write(to result: inout String, indent: Int?) {
        switch self {
        case .null: result += "null"
        case .bool(let value): result += value ? "true" : "false"
        case .integer(let value): result += String(value)
        case .unsigned(let value): result += String(value)
        case .number(let value): result += value.isFinite ? "\(value)" : "null"
        case .string(let value): JSONValue.writeString(value, to: &result)
        case .array(let items):
            JSONValue.writeList(items, "[", "]", to: &result, indent: indent) { item, result, inner in
                item.write(to: &result, indent: inner)
            }
        case .object(let members):
            JSONValue.writeList(members, "{", "}", to: &result, indent: indent) { member, result, inner in
                JSONValue.writeString(member.key, to: &result)
                result += inner == nil ? ":" : ": "
                member.value.write(to: &result, indent: inner)
            }
        }
    }

    private static func writeList<Item>(
        _ items: [Item], _ open: String, _ close: String, to result: inout String, indent: Int?,
        item: (Item, inout String, Int?) -> Void
    ) {
        result += open
        let inner = indent.map { $0 + 1 }
        for (index, value) in items.enumerated() {
            if index > 0 { result += "," }
            if let inner { result += "\n" + String(repeating: "  ", count: inner) }
            item(value, &result, inner)
        }
        if let indent, !items.isEmpty { result += "\n" + String(repeating: "  ", count: indent) }
        result += close
    }

    private static func writeString(_ text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }
}
