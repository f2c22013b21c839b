import Foundation
import Graph

/// `TensorProto.DataType`: what an element is and how it is stored.
struct ONNXDataType {
    /// Names by number, from 0.
    private static let names = [
        "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
        "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz",
        "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
    ]

    let number: Int64

    /// The field's name, or "data type 99".
    var name: String {
        Self.names.indices.contains(Int(truncatingIfNeeded: number)) ? Self.names[Int(number)] : "data type \(number)"
    }

    /// The type of a tensor with these elements; int4 and uint4 are widened to int8 and uint8. Nil when unsupported.
    var elementType: ElementType? {
        switch number {
        case 21: .uint8
        case 22: .int8
        default: ElementType(rawValue: name)
        }
    }

    /// Whether two elements share a byte, the lower half first.
    var isNibbles: Bool { number == 21 || number == 22 }
}

/// Reads the external data files beside a model, each mapped once.
final class ONNXExternalData {
    /// Directory of the model; nil for a model in memory, which can have none.
    private let directory: String?
    private var files: [String: FileBytes] = [:]

    init(directory: String?) { self.directory = directory }

    /// The bytes that a tensor's `external_data` names.
    func slice(of tensor: ONNXTensor) throws(GraphProblem) -> ByteSlice {
        let entries = Dictionary(tensor.external.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        let subject = "tensor \"\(tensor.name)\", external data"
        guard let location = entries["location"], !location.isEmpty else {
            throw GraphProblem(subject: subject, expected: "a location", found: "none")
        }
        let file = try self.file(at: location, subject: subject)
        let offset = try Self.integer(entries, "offset", subject) ?? 0
        guard offset <= file.count else {
            throw GraphProblem(
                subject: subject, expected: "an offset within the \(file.count) bytes of \"\(location)\"",
                found: "\(offset)", remedy: "The data file belongs to another model or is cut short: copy it again.")
        }
        let length = try Self.integer(entries, "length", subject) ?? file.count - offset
        guard length <= file.count - offset else {
            throw GraphProblem(
                subject: subject, expected: "\(length) bytes at offset \(offset) of \"\(location)\"",
                found: "\(file.count - offset)",
                remedy: "The data file belongs to another model or is cut short: copy it again.")
        }
        return ByteSlice(file: file, range: offset..<offset + length)
    }

    private func file(at location: String, subject: String) throws(GraphProblem) -> FileBytes {
        if let file = files[location] { return file }
        guard let directory else {
            throw GraphProblem(
                subject: subject, expected: "a model loaded from a file", found: "a model in memory",
                remedy: "Load the model by its path.")
        }
        let components = location.split(separator: "/", omittingEmptySubsequences: false)
        let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
        let path = URL(fileURLWithPath: directory).appendingPathComponent(location).resolvingSymlinksInPath().path
        guard !location.hasPrefix("/"), !components.contains(".."), path.hasPrefix(root == "/" ? root : root + "/")
        else {
            throw GraphProblem(
                subject: subject, expected: "a file in the model's directory", found: "\"\(location)\"",
                remedy: "Put the data file beside the model and save the model with its relative name.")
        }
        let file = try FileBytes(path: path)
        files[location] = file
        return file
    }

    private static func integer(
        _ entries: [String: String], _ key: String, _ subject: String
    ) throws(GraphProblem) -> Int? {
        guard let text = entries[key] else { return nil }
        guard let value = Int(text), value >= 0 else {
            throw GraphProblem(subject: subject, expected: "\(key) as a number of bytes", found: "\"\(text)\"")
        }
        return value
    }
}

extension ONNXTensor {
    /// The tensor that the message holds, in little-endian host order.
    func contents(_ externalData: ONNXExternalData) throws(GraphProblem) -> Tensor {
        let subject = name.isEmpty ? "tensor" : "tensor \"\(name)\""
        let type = ONNXDataType(number: dataType)
        guard let elementType = type.elementType else {
            throw GraphProblem(
                subject: subject, expected: "elements of a numeric type of 4 to 64 bits or bool", found: type.name)
        }
        guard !isSegmented else {
            throw GraphProblem(subject: subject, expected: "a whole tensor", found: "a segment")
        }
        let shape = dimensions.map { Int($0) }
        guard let count = ShapeInference.count(shape) else {
            throw GraphProblem(
                subject: subject, expected: "extents of at most 2^31 elements in all", found: "shape \(shape)")
        }
        guard let raw = isExternal ? try externalData.slice(of: self) : raw else {
            return try typedContents(type, elementType, shape: shape, count: count, subject: subject)
        }
        let byteCount = type.isNibbles ? (count + 1) / 2 : count * elementType.byteCount
        guard raw.count == byteCount else {
            throw GraphProblem(
                subject: subject, expected: "\(byteCount) bytes for \(type.name) of shape \(shape)",
                found: "\(raw.count)")
        }
        return raw.withBytes { source in
            Tensor(unsafeUninitialized: elementType, shape: shape) { output in
                if type.isNibbles {
                    for index in 0..<count {
                        output[index] = Self.nibble(
                            source[index / 2], isUpper: index % 2 == 1, isSigned: dataType == 22)
                    }
                } else if elementType == .bool {
                    for index in 0..<count { output[index] = source[index] == 0 ? 0 : 1 }
                } else {
                    output.copyMemory(from: source)
                }
            }
        }
    }

    /// The tensor from `float_data`, `int32_data`, `int64_data`, `double_data` or `uint64_data`.
    private func typedContents(
        _ type: ONNXDataType, _ elementType: ElementType, shape: [Int], count: Int, subject: String
    ) throws(GraphProblem) -> Tensor {
        func require(_ found: Int, _ field: String, _ expected: Int? = nil) throws(GraphProblem) {
            if found != expected ?? count {
                throw GraphProblem(
                    subject: subject, expected: "\(expected ?? count) elements in \(field) for shape \(shape)",
                    found: "\(found)")
            }
        }
        func narrowed<Element: TensorElement & FixedWidthInteger>(
            _ values: [Int64], _: Element.Type
        ) throws(GraphProblem) -> Tensor {
            var elements: [Element] = []
            elements.reserveCapacity(values.count)
            for value in values {
                guard let element = Element(exactly: value) else {
                    throw GraphProblem(subject: subject, expected: "elements of type \(type.name)", found: "\(value)")
                }
                elements.append(element)
            }
            return Tensor(elements, shape: shape)
        }
        switch elementType {
        case .float32:
            try require(floats.count, "float_data")
            return Tensor(floats, shape: shape)
        case .float64:
            try require(doubles.count, "double_data")
            return Tensor(doubles, shape: shape)
        case .int64:
            try require(int64s.count, "int64_data")
            return Tensor(int64s, shape: shape)
        case .uint64, .uint32:
            try require(uint64s.count, "uint64_data")
            if elementType == .uint32 { return try narrowed(uint64s, UInt32.self) }
            return Tensor(uint64s.map { UInt64(bitPattern: $0) }, shape: shape)
        default:
            if type.isNibbles {
                try require(int32s.count, "int32_data", (count + 1) / 2)
                return Tensor(unsafeUninitialized: elementType, shape: shape) { output in
                    for index in 0..<count {
                        let byte = UInt8(truncatingIfNeeded: int32s[index / 2])
                        output[index] = Self.nibble(byte, isUpper: index % 2 == 1, isSigned: dataType == 22)
                    }
                }
            }
            try require(int32s.count, "int32_data")
            switch elementType {
            case .int8: return try narrowed(int32s, Int8.self)
            case .uint8: return try narrowed(int32s, UInt8.self)
            case .int16: return try narrowed(int32s, Int16.self)
            case .uint16: return try narrowed(int32s, UInt16.self)
            case .bool: return Tensor(int32s.map { $0 != 0 }, shape: shape)
            case .float16, .bfloat16:
                let bits = try narrowed(int32s, UInt16.self)
                return Tensor(unsafeUninitialized: elementType, shape: shape) { $0.copyMemory(from: bits.unsafeBytes) }
            default: return try narrowed(int32s, Int32.self)
            }
        }
    }

    private static func nibble(_ byte: UInt8, isUpper: Bool, isSigned: Bool) -> UInt8 {
        let half = isUpper ? byte >> 4 : byte & 15
        return isSigned && half > 7 ? half | 0xf0 : half
    }
}
