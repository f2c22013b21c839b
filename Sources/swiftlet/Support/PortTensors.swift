import Compiler
import Graph
import NestFormat

extension PortDescriptor {
    /// Extents in the arena.
    var storedShape: [Int] { permutation.map { shape[$0] } }

    var elementCount: Int { shape.reduce(1, *) }

    /// The stored bytes of a tensor in the source model's layout; float32 given to an int8 port is quantized.
    func stored(_ tensor: Tensor, subject: String) throws -> [UInt8] {
        let isBatchless = tensor.shape == Array(shape.dropFirst()) && shape.first == 1
        guard tensor.shape == shape || isBatchless else {
            throw Failure("\(subject): expected shape \(shape), found \(tensor.shape)")
        }
        let moved = tensor.reshaped(shape).transposed(permutation)
        func refuse() -> Failure {
            Failure("\(subject): expected \(externalType) (or float32), found \(tensor.elementType)")
        }
        switch (storedType, moved.elementType) {
        case (.int8, .float32):
            guard scale > 0 else { throw refuse() }
            return moved.elements(as: Float.self).map { value in
                let code = (value / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
                return UInt8(bitPattern: Int8(max(-128, min(127, code.isNaN ? 127 : code))))
            }
        case (.int8, .uint8): return moved.elements(as: UInt8.self).map { $0 ^ 0x80 }
        case (.int8, .int8): return moved.withBytes { Array($0) }
        case (.int8, .bool) where externalType == .bool: return moved.withBytes { Array($0) }
        case (.float32, .float32): return moved.withBytes { Array($0) }
        case (.float32, .uint8), (.float32, .int8), (.float32, .int32), (.float32, .int64): return moved.realBytes
        case (.int32, .int32): return moved.withBytes { Array($0) }
        case (.int32, .int64):
            return moved.elements(as: Int64.self).map { Int32(truncatingIfNeeded: $0) }.withUnsafeBytes { Array($0) }
        default: throw refuse()
        }
    }

    /// The stored bytes of a float32 tensor that is already in the arena's order.
    func storedInArenaOrder(_ tensor: Tensor) throws -> [UInt8] {
        var plain = self
        plain.shape = storedShape
        plain.permutation = Array(0..<shape.count)
        return try plain.stored(tensor.reshaped(plain.shape), subject: "input \"\(name)\"")
    }

    /// The tensor in the source model's layout and type that stored bytes stand for.
    func tensor(_ bytes: UnsafeRawBufferPointer) -> Tensor {
        let raw: Tensor
        let stored = storedShape
        switch (storedType, externalType) {
        case (.int8, .uint8): raw = Tensor(bytes.map { $0 ^ 0x80 }, shape: stored)
        case (.int8, .bool): raw = Tensor(bytes.map { $0 != 0 }, shape: stored)
        case (.int8, .float32) where scale > 0:
            raw = Tensor(bytes.map { Float(Int32(Int8(bitPattern: $0)) - zeroPoint) * scale }, shape: stored)
        case (.int8, _): raw = Tensor(bytes.map { Int8(bitPattern: $0) }, shape: stored)
        case (.int32, .int64): raw = Tensor(bytes.bindMemory(to: Int32.self).map { Int64($0) }, shape: stored)
        case (.int32, _): raw = Tensor(Array(bytes.bindMemory(to: Int32.self)), shape: stored)
        default: raw = Tensor(Array(bytes.bindMemory(to: Float.self)), shape: stored)
        }
        var back = [Int](repeating: 0, count: permutation.count)
        for (place, axis) in permutation.enumerated() { back[axis] = place }
        return raw.transposed(back)
    }
}
