/// A field of a FlatBuffers table, or what one points to.
indirect enum FlatField: Sendable {
    case byte(Int8)
    case int(Int32)
    case unsigned(UInt32)
    case float(Float)
    case bytes([UInt8])
    case ints([Int32])
    case longs([Int64])
    case floats([Float])
    case string(String)
    /// Fields by slot.
    case table([Int: FlatField])
    case tables([[Int: FlatField]])
}

/// Writes FlatBuffers front to back: a table stands before all that it points to.
struct FlatWriter {
    private(set) var bytes: [UInt8] = []

    /// A whole file.
    static func file(_ root: [Int: FlatField], identifier: String) -> [UInt8] {
        var writer = FlatWriter()
        writer.bytes = [0, 0, 0, 0] + Array(identifier.utf8)
        let position = writer.table(root)
        writer.patch(0, to: position)
        return writer.bytes
    }

    private mutating func append<Number: BitwiseCopyable>(_ number: Number) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    private mutating func align(_ count: Int) {
        while bytes.count % count != 0 { bytes.append(0) }
    }

    /// Writes the distance from `position` to `target` at `position`.
    private mutating func patch(_ position: Int, to target: Int) {
        withUnsafeBytes(of: UInt32(target - position)) { bytes.replaceSubrange(position..<position + 4, with: $0) }
    }

    private mutating func table(_ fields: [Int: FlatField]) -> Int {
        align(8)
        let slots = (fields.keys.max() ?? -1) + 1
        let vtable = bytes.count
        append(UInt16(4 + 2 * slots))
        append(UInt16(4 + 4 * slots))
        for slot in 0..<slots { append(UInt16(fields[slot] == nil ? 0 : 4 + 4 * slot)) }
        align(4)
        let position = bytes.count
        append(Int32(position - vtable))
        // Every field takes four bytes: numbers stand there, all else is pointed to.
        for slot in 0..<slots {
            switch fields[slot] {
            case .byte(let value): append(Int32(value))
            case .int(let value): append(value)
            case .unsigned(let value): append(value)
            case .float(let value): append(value)
            default: append(UInt32(0))
            }
        }
        for slot in 0..<slots {
            guard let field = fields[slot], let target = pointee(field) else { continue }
            patch(position + 4 + 4 * slot, to: target)
        }
        return position
    }

    /// Writes what `field` points to; nil for numbers.
    private mutating func pointee(_ field: FlatField) -> Int? {
        switch field {
        case .byte, .int, .unsigned, .float: return nil
        case .bytes(let values): return vector(values)
        case .ints(let values): return vector(values)
        case .longs(let values): return vector(values)
        case .floats(let values): return vector(values)
        case .string(let text):
            let position = vector(Array(text.utf8))
            bytes.append(0)
            return position
        case .table(let fields): return table(fields)
        case .tables(let elements):
            let position = vector([UInt32](repeating: 0, count: elements.count))
            for (index, fields) in elements.enumerated() {
                let target = table(fields)
                patch(position + 4 + 4 * index, to: target)
            }
            return position
        }
    }

    private mutating func vector<Number: BitwiseCopyable>(_ values: [Number]) -> Int {
        // The elements, after the count, are aligned to 16 bytes, as TFLite wants contents to be.
        while (bytes.count + 4) % 16 != 0 { bytes.append(0) }
        let position = bytes.count
        append(UInt32(values.count))
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return position
    }
}

/// Element types of TFLite tensors, with their numbers in the schema.
enum TFLiteType: Int8, Sendable {
    case float32 = 0
    case float16 = 1
    case int32 = 2
    case uint8 = 3
    case int64 = 4
    case bool = 6
    case int16 = 7
    case int8 = 9
    case int4 = 17
}

/// A tensor of a TFLite model that a test writes.
struct TFLiteTensorSpec: Sendable {
    var name = ""
    var type: TFLiteType
    var shape: [Int]
    var scales: [Float] = []
    var zeroPoints: [Int64] = []
    var axis = 0
    /// Contents of a constant.
    var data: [UInt8]?
    var isVariable = false
    var isSparse = false

    static func float(_ shape: [Int]) -> Self { Self(type: .float32, shape: shape) }
    static func floats(_ values: [Float], _ shape: [Int]) -> Self {
        Self(type: .float32, shape: shape, data: values.withUnsafeBytes(Array.init))
    }
    static func int(_ shape: [Int]) -> Self { Self(type: .int32, shape: shape) }
    static func ints(_ values: [Int32], _ shape: [Int]? = nil) -> Self {
        Self(type: .int32, shape: shape ?? [values.count], data: values.withUnsafeBytes(Array.init))
    }
    static func bool(_ shape: [Int]) -> Self { Self(type: .bool, shape: shape) }
    static func quantized(_ type: TFLiteType, _ shape: [Int], _ scale: Float, _ zeroPoint: Int64) -> Self {
        Self(type: type, shape: shape, scales: [scale], zeroPoints: [zeroPoint])
    }

    func named(_ name: String) -> Self {
        var copy = self
        copy.name = name
        return copy
    }
}

/// Writes TFLite models, schema version 3.
struct TFLiteModelWriter: Sendable {
    struct Operation: Sendable {
        var code: Int32
        var custom = ""
        var inputs: [Int]
        var outputs: [Int]
        var optionsType: Int8 = 0
        var options: [Int: FlatField]?
        var customOptions: [UInt8]?
    }

    var version: UInt32 = 3
    var tensors: [TFLiteTensorSpec] = []
    var operations: [Operation] = []
    var inputs: [Int] = []
    var outputs: [Int] = []

    /// Adds a tensor; its index.
    mutating func add(_ tensor: TFLiteTensorSpec) -> Int {
        tensors.append(tensor)
        if tensor.name.isEmpty { tensors[tensors.count - 1].name = "t\(tensors.count - 1)" }
        return tensors.count - 1
    }

    /// Adds an operator with outputs of its own; their indices.
    @discardableResult
    mutating func add(
        _ code: Int32, custom: String = "", _ inputs: [Int], to specs: [TFLiteTensorSpec], _ optionsType: Int8 = 0,
        _ options: [Int: FlatField]? = nil, customOptions: [UInt8]? = nil
    ) -> [Int] {
        let outputs = specs.map { add($0) }
        operations.append(
            Operation(
                code: code, custom: custom, inputs: inputs, outputs: outputs, optionsType: optionsType,
                options: options,
                customOptions: customOptions))
        return outputs
    }

    func bytes() -> [UInt8] {
        var buffers: [[Int: FlatField]] = [[:]]
        var tensorTables: [[Int: FlatField]] = []
        for tensor in tensors {
            var table: [Int: FlatField] = [
                0: .ints(tensor.shape.map(Int32.init)), 1: .byte(tensor.type.rawValue), 3: .string(tensor.name),
            ]
            if let data = tensor.data {
                table[2] = .unsigned(UInt32(buffers.count))
                buffers.append([0: .bytes(data)])
            }
            if !tensor.scales.isEmpty {
                table[4] = .table([
                    2: .floats(tensor.scales), 3: .longs(tensor.zeroPoints), 6: .int(Int32(tensor.axis)),
                ])
            }
            if tensor.isVariable { table[5] = .byte(1) }
            if tensor.isSparse { table[6] = .table([:]) }
            tensorTables.append(table)
        }
        var codes: [[Int: FlatField]] = []
        var operatorTables: [[Int: FlatField]] = []
        for (index, operation) in operations.enumerated() {
            // Version 2 of the operator is the oldest that LiteRT has of BROADCAST_TO (130).
            var code: [Int: FlatField] = [
                0: .byte(Int8(min(operation.code, 127))), 2: .int(operation.code == 130 ? 2 : 1),
                3: .int(operation.code),
            ]
            if !operation.custom.isEmpty { code[1] = .string(operation.custom) }
            codes.append(code)
            var table: [Int: FlatField] = [
                0: .unsigned(UInt32(index)), 1: .ints(operation.inputs.map(Int32.init)),
                2: .ints(operation.outputs.map(Int32.init)), 3: .byte(operation.optionsType),
            ]
            if let options = operation.options { table[4] = .table(options) }
            if let options = operation.customOptions { table[5] = .bytes(options) }
            operatorTables.append(table)
        }
        let subgraph: [Int: FlatField] = [
            0: .tables(tensorTables), 1: .ints(inputs.map(Int32.init)), 2: .ints(outputs.map(Int32.init)),
            3: .tables(operatorTables),
        ]
        return FlatWriter.file(
            [
                0: .unsigned(version), 1: .tables(codes), 2: .tables([subgraph]), 3: .string("written by a test"),
                4: .tables(buffers),
            ], identifier: "TFL3")
    }
}
