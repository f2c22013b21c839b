import Engine
import Foundation
import Graph
import NestFormat

/// What `swiftlet bench` runs a model on. Some kernels take fewer instructions for small inputs than for large ones, so
/// times depend on it.
enum BenchInput {
    /// A seeded picture (see `SamplePicture`); noise for inputs that are no pictures.
    case picture
    /// Seeded noise, every stored value as likely as any other.
    case noise
    /// Tensors by input name.
    case tensors([String: Tensor])

    static let option = Option(
        name: "--input", value: "NAME=FILE.npy",
        help: "Run on this tensor, in the model's own layout; may be repeated. Or --input noise:\nseeded noise (default: a seeded picture).",
        isRepeated: true)

    init(_ arguments: Arguments) throws {
        let words = arguments.strings("--input")
        if words.isEmpty {
            self = .picture
        } else if words == ["noise"] {
            self = .noise
        } else {
            self = .tensors(try readTensors(words))
        }
    }

    /// What `nest` gets, for reports: "picture" where an input of it is one.
    func name(for nest: Model) -> String {
        switch self {
        case .picture: return nest.plan.inputs.contains(where: BenchInput.takesPicture) ? "picture" : "noise"
        case .noise: return "noise"
        case .tensors: return "files"
        }
    }

    private static func takesPicture(_ port: PortDescriptor) -> Bool {
        let shape = port.storedShape
        return shape.count == 4 && shape[0] == 1 && (1...4).contains(shape[3]) && min(shape[1], shape[2]) >= 8
            && (port.storedType == .int8 || port.storedType == .float32)
    }

    /// The stored bytes of each input of `nest`.
    func bytes(_ nest: Model) throws -> [[UInt8]] {
        let ports = nest.plan.inputs
        if case .tensors(let tensors) = self {
            try requireInputs(tensors, ports.map { ($0.name, $0.shape) })
            return try ports.map { try $0.stored(tensors[$0.name]!, subject: "input \"\($0.name)\"") }
        }
        return ports.map { port in
            if case .picture = self, BenchInput.takesPicture(port) {
                let shape = port.storedShape
                return SamplePicture(height: shape[1], width: shape[2], channels: shape[3], seed: 1).stored(port, in: nest)
            }
            var noise = [UInt8](repeating: 0, count: port.elementCount * port.storedType.byteCount)
            noise.withUnsafeMutableBytes { Golden.fill($0, type: port.storedType, seed: 1) }
            return noise
        }
    }
}

/// A made-up picture whose details fall with their size as those of photographs do: the sum of noise on grids of 1, 2, 4, …
/// pixels, interpolated, all of one variance; channels have most of it in common. Values have mean 0 and variance 1 and lie
/// in -2.5...2.5.
struct SamplePicture {
    let height: Int
    let width: Int
    let channels: Int
    /// Rows of pixels of channels.
    let values: [Float]

    init(height: Int, width: Int, channels: Int, seed: UInt32) {
        (self.height, self.width, self.channels) = (height, width, channels)
        var state = seed
        let common = SamplePicture.plane(height, width, &state)
        var values = [Float](repeating: 0, count: height * width * channels)
        for channel in 0..<channels {
            let own = SamplePicture.plane(height, width, &state)
            let mixed = zip(common, own).map { $0 + 0.3 * $1 }
            let mean = mixed.reduce(0, +) / Float(mixed.count)
            let variance = mixed.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(mixed.count)
            let factor = 1 / max(variance, .leastNormalMagnitude).squareRoot()
            for (pixel, value) in mixed.enumerated() {
                values[pixel * channels + channel] = max(-2.5, min(2.5, (value - mean) * factor))
            }
        }
        self.values = values
    }

    /// One channel.
    private static func plane(_ height: Int, _ width: Int, _ state: inout UInt32) -> [Float] {
        var sum = [Float](repeating: 0, count: height * width)
        var cell = 1
        while cell < max(height, width) {
            let (rows, columns) = (height / cell + 2, width / cell + 2)
            let grid = (0..<rows * columns).map { _ -> Float in
                // xorshift32 (13, 17, 5)
                state ^= state << 13
                state ^= state >> 17
                state ^= state << 5
                return Float(Int32(bitPattern: state) >> 8) * 0x1p-23
            }
            for y in 0..<height {
                let (row, fractionY) = (y / cell, Float(y % cell) / Float(cell))
                for x in 0..<width {
                    let (column, fractionX) = (x / cell, Float(x % cell) / Float(cell))
                    let corner = row * columns + column
                    let top = grid[corner] + (grid[corner + 1] - grid[corner]) * fractionX
                    let bottom = grid[corner + columns] + (grid[corner + columns + 1] - grid[corner + columns]) * fractionX
                    sum[y * width + x] += top + (bottom - top) * fractionY
                }
            }
            cell *= 2
        }
        return sum
    }

    /// The picture as `port` stores it: over the whole range of int8, or of the int8 that the first operator makes of it;
    /// float32 that is not quantized, as it is.
    func stored(_ port: PortDescriptor, in nest: Model) -> [UInt8] {
        let codes = values.map { max(-128, min(127, ($0 * 51).rounded())) }
        if port.storedType == .int8 { return codes.map { UInt8(bitPattern: Int8($0)) } }
        for planned in nest.plan.operations {
            if case .convert(let quantize) = planned.operation, quantize.to == .int8, quantize.inputOffset == port.arenaOffset {
                return codes.map { ($0 - Float(quantize.zeroPoint)) / quantize.inverseScale }.withUnsafeBytes { Array($0) }
            }
        }
        return values.withUnsafeBytes { Array($0) }
    }
}
