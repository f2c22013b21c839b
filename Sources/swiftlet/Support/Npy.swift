import Foundation
import Graph

/// NumPy's `.npy` files, versions 1 to 3, C order, little-endian (NumPy Enhancement Proposal 1).
enum Npy {
    private static let kinds: [(code: String, type: ElementType)] = [
        ("f4", .float32), ("f8", .float64), ("f2", .float16), ("i1", .int8), ("u1", .uint8), ("i2", .int16), ("u2", .uint16),
        ("i4", .int32), ("u4", .uint32), ("i8", .int64), ("u8", .uint64), ("b1", .bool),
    ]

    static func read(_ path: String) throws -> Tensor {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw Failure("\(path): can't be read: \(error.localizedDescription)")
        }
        func bad(_ expected: String, _ found: String) -> Failure {
            Failure("\(path): expected \(expected), found \(found); write it with numpy.save(path, numpy.ascontiguousarray(x))")
        }
        guard data.count >= 12, data.prefix(6) == Data([0x93] + "NUMPY".utf8) else {
            throw bad("a .npy file", "something else")
        }
        let isLong = data[6] >= 2
        let headerCount = isLong
            ? Int(data[8]) | Int(data[9]) << 8 | Int(data[10]) << 16 | Int(data[11]) << 24 : Int(data[8]) | Int(data[9]) << 8
        let start = (isLong ? 12 : 10) + headerCount
        guard start <= data.count, let header = String(data: data[(isLong ? 12 : 10)..<start], encoding: .utf8) else {
            throw bad("a header of \(headerCount) bytes", "\(data.count) bytes in all")
        }
        func field(_ key: String) -> Substring? {
            guard let place = header.range(of: "'\(key)':") else { return nil }
            return header[place.upperBound...].drop { $0 == " " }
        }
        guard let descr = field("descr")?.dropFirst().prefix(while: { $0 != "'" }), let order = field("fortran_order"),
            let shapeText = field("shape")?.dropFirst().prefix(while: { $0 != ")" })
        else { throw bad("descr, fortran_order and shape in the header", header) }
        guard let kind = kinds.first(where: { descr.hasSuffix($0.code) }), !descr.hasPrefix(">") else {
            throw bad("a little-endian number type", "\(descr)")
        }
        let shape = shapeText.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard !order.hasPrefix("True") || shape.count < 2 else { throw bad("C order", "Fortran order") }
        let byteCount = shape.reduce(1, *) * kind.type.byteCount
        guard data.count - start == byteCount else {
            throw bad("\(byteCount) bytes for shape \(shape) of \(kind.type)", "\(data.count - start) bytes")
        }
        return Tensor(unsafeUninitialized: kind.type, shape: shape) { bytes in
            _ = data[start...].copyBytes(to: bytes)
        }
    }

    static func encode(_ tensor: Tensor) -> Data {
        let kind = kinds.first { $0.type == tensor.elementType }?.code ?? "u2"
        let prefix = tensor.elementType.byteCount == 1 ? "|" : "<"
        let shape = tensor.shape.map { "\($0), " }.joined()
        let shapeText = tensor.shape.count == 1 ? "(\(tensor.shape[0]),)" : "(\(shape.dropLast(2)))"
        var header = "{'descr': '\(prefix)\(kind)', 'fortran_order': False, 'shape': \(shapeText), }"
        header += String(repeating: " ", count: (64 - (10 + header.utf8.count + 1) % 64) % 64) + "\n"
        var data = Data([0x93] + "NUMPY".utf8 + [1, 0])
        data.append(contentsOf: [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
        data.append(contentsOf: header.utf8)
        tensor.withBytes { data.append(contentsOf: $0) }
        return data
    }
}

extension Tensor {
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(unsafeBytes) }
    }
}
