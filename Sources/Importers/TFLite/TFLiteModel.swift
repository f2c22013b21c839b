import Graph

/// Raw value of `TensorType` in the TFLite schema, version 3.
struct TFLiteTensorType: Sendable, Hashable {
    let rawValue: Int8

    static let int4 = TFLiteTensorType(rawValue: 17)
    static let float16 = TFLiteTensorType(rawValue: 1)

    private static let names = [
        "FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8", "FLOAT64",
        "COMPLEX128", "UINT64", "RESOURCE", "VARIANT", "UINT32", "UINT16", "INT4", "BFLOAT16",
    ]

    /// The name in the schema.
    var name: String {
        Self.names.indices.contains(Int(rawValue)) ? Self.names[Int(rawValue)] : "type \(rawValue)"
    }

    /// What a graph stores such elements as; nil when it can't. INT4 is unpacked to int8.
    var elementType: ElementType? {
        switch rawValue {
        case 0: .float32
        case 1: .float16
        case 2: .int32
        case 3: .uint8
        case 4: .int64
        case 6: .bool
        case 7: .int16
        case 9, 17: .int8
        case 10: .float64
        case 12: .uint64
        case 15: .uint32
        case 16: .uint16
        case 18: .bfloat16
        default: nil
        }
    }
}

/// A tensor as the file declares it.
struct TFLiteTensor: Sendable {
    var name: String
    var type: TFLiteTensorType
    var shape: [Int]
    /// `shape` with -1 for dynamic extents; nil when the file has none.
    var shapeSignature: [Int]?
    /// Bytes of the file that hold the contents; nil when a node or the caller gives them.
    var contents: Swift.Range<Int>?
    var scales: [Float]
    var zeroPoints: [Int64]
    var quantizedDimension: Int
    var isVariable: Bool
    var isSparse: Bool
}

/// An application of an operator as the file declares it.
struct TFLiteOperator: Sendable {
    /// Value of `BuiltinOperator`; 32 for custom operators.
    var builtinCode: Int
    /// Name of a custom operator.
    var customCode: String
    /// Indices of tensors; -1 for an optional input that is absent.
    var inputs: [Int]
    var outputs: [Int]
    /// Which kind of table `options` is: value of `BuiltinOptions`.
    var optionsType: UInt8
    var options: FlatTable?
    /// Bytes of the file that hold a custom operator's options.
    var customOptions: Swift.Range<Int>?

    /// Value of `BuiltinOperator` for custom operators.
    static let custom = 32

    /// The operator's name: as in the schema, or the custom one.
    var name: String {
        if builtinCode == Self.custom { return customCode }
        let names = TFLiteOperatorNames.builtin
        return names.indices.contains(builtinCode) ? names[builtinCode] : "builtin operator \(builtinCode)"
    }
}

/// The first subgraph of a TFLite file, schema version 3: https://github.com/tensorflow/tensorflow, schema.fbs.
/// Indices of tensors have been checked.
struct TFLiteModel: Sendable {
    let file: FlatBuffer
    var version: UInt32
    var description: String
    var tensors: [TFLiteTensor] = []
    var operators: [TFLiteOperator] = []
    var inputs: [Int] = []
    var outputs: [Int] = []

    /// Deepest tensor that is read.
    private static let maximumRank = 16

    init(bytes: [UInt8]) throws(TFLiteFileError) {
        file = FlatBuffer(bytes: bytes)
        let root = try file.root(identifier: "TFL3", what: "model")
        version = try root.number(0, "version", default: 0)
        guard version == 3 else {
            throw .invalidValue(
                what: "version of the model", offset: root.position, expected: "schema version 3", found: "\(version)")
        }
        description = try root.string(3, "description") ?? ""
        let buffers = try Self.buffers(root, file)
        let codes = try Self.operatorCodes(root)
        let subgraphs = try root.tables(2, "subgraphs", elementName: "subgraph")
        guard let subgraph = subgraphs.first else { throw .missing(what: "subgraphs", offset: root.position) }
        for table in try subgraph.tables(0, "tensors", elementName: "tensor") {
            tensors.append(try Self.tensor(table, buffers))
        }
        inputs = try indices(subgraph, 1, "inputs")
        outputs = try indices(subgraph, 2, "outputs")
        for table in try subgraph.tables(3, "operators", elementName: "operator") {
            operators.append(try self.operation(table, codes))
        }
    }

    private static func buffers(
        _ root: FlatTable, _ file: FlatBuffer
    ) throws(TFLiteFileError) -> [Swift.Range<Int>?] {
        var result: [Swift.Range<Int>?] = []
        for table in try root.tables(4, "buffers", elementName: "buffer") {
            let (offset, size) = (
                try table.number(1, "offset", default: UInt64(0)), try table.number(2, "size", default: UInt64(0))
            )
            if offset > 1 {
                guard let start = Int(exactly: offset), let count = Int(exactly: size) else {
                    throw .truncated(
                        what: table.what, offset: Int(clamping: offset), needed: Int(clamping: size), available: 0)
                }
                try file.require(count, at: start, what: table.what)
                result.append(start..<start + count)
            } else {
                result.append(try table.byteRange(0, "data").flatMap { $0.isEmpty ? nil : $0 })
            }
        }
        return result
    }

    private static func operatorCodes(_ root: FlatTable) throws(TFLiteFileError) -> [(code: Int, custom: String)] {
        var result: [(Int, String)] = []
        for table in try root.tables(1, "operator_codes", elementName: "operator code") {
            // Files older than the 32-bit field have the code in the 8-bit one.
            let old = Int(try table.number(0, "deprecated_builtin_code", default: Int8(0)))
            let new = Int(try table.number(3, "builtin_code", default: Int32(0)))
            result.append((max(old, new), try table.string(1, "custom_code") ?? ""))
        }
        return result
    }

    private static func tensor(
        _ table: FlatTable, _ buffers: [Swift.Range<Int>?]
    ) throws(TFLiteFileError) -> TFLiteTensor {
        let buffer = Int(try table.number(2, "buffer", default: UInt32(0)))
        guard buffer < max(buffers.count, 1) else {
            throw .invalidValue(
                what: "buffer of \(table.what)", offset: table.position,
                expected: "an index below \(buffers.count)", found: "\(buffer)")
        }
        let shape = try table.numbers(0, "shape", of: Int32.self) ?? []
        guard shape.count <= maximumRank else {
            throw .invalidValue(
                what: "shape of \(table.what)", offset: table.position, expected: "at most \(maximumRank) axes",
                found: "\(shape.count)")
        }
        let quantization = try table.table(4, "quantization")
        let signature = try table.numbers(7, "shape_signature", of: Int32.self)
        return TFLiteTensor(
            name: try table.string(3, "name") ?? "",
            type: TFLiteTensorType(rawValue: try table.number(1, "type", default: 0)),
            shape: shape.map(Int.init), shapeSignature: signature.map { $0.map(Int.init) },
            contents: buffers.isEmpty ? nil : buffers[buffer],
            scales: try quantization?.numbers(2, "scale", of: Float.self) ?? [],
            zeroPoints: try quantization?.numbers(3, "zero_point", of: Int64.self) ?? [],
            quantizedDimension: Int(try quantization?.number(6, "quantized_dimension", default: Int32(0)) ?? 0),
            isVariable: try table.bool(5, "is_variable", default: false),
            isSparse: try table.table(6, "sparsity") != nil)
    }

    private func operation(
        _ table: FlatTable, _ codes: [(code: Int, custom: String)]
    ) throws(TFLiteFileError) -> TFLiteOperator {
        let index = Int(try table.number(0, "opcode_index", default: UInt32(0)))
        guard codes.indices.contains(index) else {
            throw .invalidValue(
                what: "opcode_index of \(table.what)", offset: table.position,
                expected: "an index below \(codes.count)", found: "\(index)")
        }
        return TFLiteOperator(
            builtinCode: codes[index].code, customCode: codes[index].custom,
            inputs: try indices(table, 1, "inputs", allowsAbsent: true),
            outputs: try indices(table, 2, "outputs"),
            optionsType: try table.number(3, "builtin_options_type", default: 0),
            options: try table.table(4, "builtin_options"),
            customOptions: try table.byteRange(5, "custom_options"))
    }

    /// A vector of indices of tensors.
    private func indices(
        _ table: FlatTable, _ slot: Int, _ name: String, allowsAbsent: Bool = false
    ) throws(TFLiteFileError) -> [Int] {
        let result = (try table.numbers(slot, name, of: Int32.self) ?? []).map(Int.init)
        for index in result where !tensors.indices.contains(index) && !(allowsAbsent && index == -1) {
            throw .invalidValue(
                what: "\(name) of \(table.what)", offset: table.position,
                expected: "indices below \(tensors.count)", found: "\(index)")
        }
        return result
    }
}
