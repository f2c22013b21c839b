extension ONNXModel {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 2: producerName = try reader.string(field)
            case 3: producerVersion = try reader.string(field)
            case 7:
                guard graph == nil else { throw field.mismatch(expected: "one graph") }
                graph = try ONNXGraph(reader.reader(of: field, message: "GraphProto"))
            case 8: operatorSets.append(try OperatorSet(reader.reader(of: field, message: "OperatorSetIdProto")))
            case 25: functions.append(try Self.function(reader.reader(of: field, message: "FunctionProto")))
            default: continue
            }
        }
    }

    private static func function(_ reader: ProtobufReader) throws(ProtobufError) -> (domain: String, name: String) {
        var reader = reader
        var (domain, name) = ("", "")
        while let field = try reader.next() {
            switch field.number {
            case 1: name = try reader.string(field)
            case 10: domain = try reader.string(field)
            default: continue
            }
        }
        return (domain, name)
    }
}

extension ONNXModel.OperatorSet {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: domain = try reader.string(field)
            case 2: version = try field.integer()
            default: continue
            }
        }
    }
}

extension ONNXGraph {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: nodes.append(try ONNXNode(reader.reader(of: field, message: "NodeProto")))
            case 5: initializers.append(try ONNXTensor(reader.reader(of: field, message: "TensorProto")))
            case 11: inputs.append(try ONNXValueInfo(reader.reader(of: field, message: "ValueInfoProto")))
            case 12: outputs.append(try ONNXValueInfo(reader.reader(of: field, message: "ValueInfoProto")))
            case 15: sparseInitializers.append(try Self.sparse(reader.reader(of: field, message: "SparseTensorProto")))
            default: continue
            }
        }
    }

    /// The name of a sparse tensor's values.
    private static func sparse(_ reader: ProtobufReader) throws(ProtobufError) -> String {
        var reader = reader
        var name = ""
        while let field = try reader.next() {
            if field.number == 1 { name = try ONNXTensor(reader.reader(of: field, message: "TensorProto")).name }
        }
        return name
    }
}

extension ONNXNode {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: inputs.append(try reader.string(field))
            case 2: outputs.append(try reader.string(field))
            case 3: name = try reader.string(field)
            case 4: operatorType = try reader.string(field)
            case 5: attributes.append(try ONNXAttribute(reader.reader(of: field, message: "AttributeProto")))
            case 7: domain = try reader.string(field)
            default: continue
            }
        }
    }
}

extension ONNXAttribute {
    /// Names of `AttributeProto.AttributeType` from 0.
    private static let typeNames = [
        "UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS",
        "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS",
    ]

    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        var type: Int64 = 0
        var (float, int, string): (Float?, Int64?, String?) = (nil, nil, nil)
        var (tensor, graph): (ONNXTensor?, ONNXGraph?) = (nil, nil)
        var (floats, ints, strings): ([Float], [Int64], [String]) = ([], [], [])
        while let field = try reader.next() {
            switch field.number {
            case 1: name = try reader.string(field)
            case 2: float = try field.float()
            case 3: int = try field.integer()
            case 4: string = try reader.string(field)
            case 5: tensor = try ONNXTensor(reader.reader(of: field, message: "TensorProto"))
            case 6: graph = try ONNXGraph(reader.reader(of: field, message: "GraphProto"))
            case 7: try reader.append(field, to: &floats)
            case 8: try reader.append(field, to: &ints)
            case 9: strings.append(try reader.string(field))
            case 20: type = try field.integer()
            default: continue
            }
        }
        if type == 0 {
            // Files older than IR version 2 leave the type to the field that is present.
            type =
                float != nil
                ? 1
                : int != nil
                    ? 2
                    : string != nil
                        ? 3
                        : tensor != nil
                            ? 4
                            : graph != nil
                                ? 5
                                : !floats.isEmpty ? 6 : !ints.isEmpty ? 7 : !strings.isEmpty ? 8 : 0
        }
        switch type {
        case 1: value = .float(float ?? 0)
        case 2: value = .int(int ?? 0)
        case 3: value = .string(string ?? "")
        case 4: value = .tensor(tensor ?? ONNXTensor())
        case 5: value = .graph(graph ?? ONNXGraph())
        case 6: value = .floats(floats)
        case 7: value = .ints(ints)
        case 8: value = .strings(strings)
        default:
            value = .other(
                Self.typeNames.indices.contains(Int(truncatingIfNeeded: type))
                    ? Self.typeNames[Int(type)] : "type \(type)")
        }
    }
}

extension ONNXTensor {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: try reader.append(field, to: &dimensions)
            case 2: dataType = try field.integer()
            case 3: isSegmented = true
            case 4: try reader.append(field, to: &floats)
            case 5: try reader.append(field, to: &int32s)
            case 7: try reader.append(field, to: &int64s)
            case 8: name = try reader.string(field)
            case 9: raw = try reader.slice(field)
            case 10: try reader.append(field, to: &doubles)
            case 11: try reader.append(field, to: &uint64s)
            case 13: external.append(try Self.entry(reader.reader(of: field, message: "StringStringEntryProto")))
            case 14: isExternal = try field.integer() == 1
            default: continue
            }
        }
    }

    private static func entry(_ reader: ProtobufReader) throws(ProtobufError) -> (key: String, value: String) {
        var reader = reader
        var (key, value) = ("", "")
        while let field = try reader.next() {
            switch field.number {
            case 1: key = try reader.string(field)
            case 2: value = try reader.string(field)
            default: continue
            }
        }
        return (key, value)
    }
}

extension ONNXValueInfo {
    init(_ reader: ProtobufReader) throws(ProtobufError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: name = try reader.string(field)
            case 2: kind = try Self.kind(reader.reader(of: field, message: "TypeProto"))
            default: continue
            }
        }
    }

    private static func kind(_ reader: ProtobufReader) throws(ProtobufError) -> Kind {
        var reader = reader
        var kind = Kind.other("value without a type")
        while let field = try reader.next() {
            switch field.number {
            case 1: kind = try tensor(reader.reader(of: field, message: "TypeProto.Tensor"))
            case 4: kind = .other("sequence")
            case 5: kind = .other("map")
            case 8: kind = .other("sparse tensor")
            case 9: kind = .other("optional")
            default: continue
            }
        }
        return kind
    }

    private static func tensor(_ reader: ProtobufReader) throws(ProtobufError) -> Kind {
        var reader = reader
        var dataType: Int64 = 0
        var axes: [Dimension]?
        while let field = try reader.next() {
            switch field.number {
            case 1: dataType = try field.integer()
            case 2: axes = try shape(reader.reader(of: field, message: "TensorShapeProto"))
            default: continue
            }
        }
        return .tensor(dataType: dataType, axes: axes)
    }

    private static func shape(_ reader: ProtobufReader) throws(ProtobufError) -> [Dimension] {
        var reader = reader
        var axes: [Dimension] = []
        while let field = try reader.next() {
            guard field.number == 1 else { continue }
            axes.append(try dimension(reader.reader(of: field, message: "TensorShapeProto.Dimension")))
        }
        return axes
    }

    private static func dimension(_ reader: ProtobufReader) throws(ProtobufError) -> Dimension {
        var reader = reader
        var result = Dimension.dynamic("")
        while let field = try reader.next() {
            switch field.number {
            // Some exporters write -1 for an extent that they don't know.
            case 1:
                let extent = try field.integer()
                result = extent < 0 ? .dynamic("") : .fixed(extent)
            case 2: result = .dynamic(try reader.string(field))
            default: continue
            }
        }
        return result
    }
}
