import Foundation
import Platform
import XCTest

/// A picture of 8-bit samples, rows from the top, channels interleaved, for tests on real pictures.
struct TestPicture {
    var width: Int, height: Int, channels: Int
    var samples: [UInt8]

    /// A JPEG, an uncompressed BMP or a PNG without interlacing, by the file's first bytes.
    init(_ url: URL) throws {
        let bytes = [UInt8](try Data(contentsOf: url))
        switch bytes.first {
        case 0xff: try self.init(jpeg: bytes)
        case UInt8(ascii: "B"): self.init(bmp: bytes)
        default: try self.init(png: bytes)
        }
    }

    private init(jpeg: [UInt8]) throws {
        let decoder = try JPEGDecoder()
        let header = try jpeg.withUnsafeBytes { try decoder.readHeader($0) }
        (width, height, channels) = (header.width, header.height, 3)
        samples = [UInt8](repeating: 0, count: width * height * 3)
        try jpeg.withUnsafeBytes { source in
            _ = try samples.withUnsafeMutableBytes { try decoder.decode(source, into: $0) }
        }
    }

    /// 24 bits (BGR) or 8 bits with a gray palette, rows from the bottom, each padded to four bytes.
    private init(bmp: [UInt8]) {
        func integer(_ offset: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bmp[offset + $1]) << (8 * $1) }
        }
        let (start, bits) = (integer(10, 4), integer(28, 2))
        (width, height, channels) = (integer(18, 4), integer(22, 4), bits / 8)
        let rowBytes = (width * channels + 3) / 4 * 4
        samples = []
        for y in (0..<height).reversed() {
            for x in 0..<width {
                for channel in (0..<channels).reversed() {
                    samples.append(bmp[start + y * rowBytes + x * channels + channel])
                }
            }
        }
    }

    /// 8 bits of gray, RGB or RGBA.
    private init(png: [UInt8]) throws {
        func integer(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 << 8 | Int(png[offset + $1]) } }
        (width, height) = (integer(16), integer(20))
        channels = [0: 1, 2: 3, 6: 4][png[25]] ?? 1
        guard png[24] == 8, png[28] == 0 else { throw XCTSkip("a PNG that the tests' reader doesn't know") }
        var packed: [UInt8] = []
        var position = 8
        while position + 8 <= png.count {
            let count = integer(position)
            if png[position + 4..<position + 8].elementsEqual("IDAT".utf8) {
                packed += png[position + 8..<position + 8 + count]
            }
            position += count + 12
        }
        // Two bytes of zlib header, a deflate stream, four bytes of checksum.
        var inflater = Inflater(bytes: Array(packed.dropFirst(2).dropLast(4)))
        let raw = inflater.run()
        let rowBytes = width * channels
        samples = [UInt8](repeating: 0, count: rowBytes * height)
        for y in 0..<height {
            let filter = raw[y * (rowBytes + 1)]
            for x in 0..<rowBytes {
                let left = x >= channels ? Int(samples[y * rowBytes + x - channels]) : 0
                let up = y > 0 ? Int(samples[(y - 1) * rowBytes + x]) : 0
                let corner = x >= channels && y > 0 ? Int(samples[(y - 1) * rowBytes + x - channels]) : 0
                let prediction: Int
                switch filter {
                case 1: prediction = left
                case 2: prediction = up
                case 3: prediction = (left + up) / 2
                case 4:
                    let estimate = left + up - corner
                    let distances = (abs(estimate - left), abs(estimate - up), abs(estimate - corner))
                    prediction =
                        distances.0 <= distances.1 && distances.0 <= distances.2
                        ? left : distances.1 <= distances.2 ? up : corner
                default: prediction = 0
                }
                samples[y * rowBytes + x] = raw[y * (rowBytes + 1) + 1 + x] &+ UInt8(truncatingIfNeeded: prediction)
            }
        }
    }

    /// Stretched to another size as Pillow's BILINEAR does: a triangle as wide as the larger step, rounded to 8 bits
    /// after the horizontal and after the vertical pass.
    func resized(_ newWidth: Int, _ newHeight: Int) -> [UInt8] {
        let rows = Self.resample(samples, outer: height, from: width, to: newWidth, inner: channels)
        return Self.resample(rows, outer: 1, from: height, to: newHeight, inner: newWidth * channels)
    }

    private static func resample(_ source: [UInt8], outer: Int, from: Int, to: Int, inner: Int) -> [UInt8] {
        let scale = Double(from) / Double(to)
        let support = max(scale, 1)
        var result = [UInt8](repeating: 0, count: outer * to * inner)
        source.withUnsafeBufferPointer { source in
            result.withUnsafeMutableBufferPointer { result in
                for target in 0..<to {
                    let centre = (Double(target) + 0.5) * scale
                    let first = max(0, Int(centre - support + 0.5))
                    let last = min(from, Int(centre + support + 0.5))
                    let raw = (first..<last).map { max(0, 1 - abs((Double($0) - centre + 0.5) / support)) }
                    let total = raw.reduce(0, +)
                    let weights = raw.map { $0 / total }
                    for index in 0..<outer {
                        for element in 0..<inner {
                            var sum = 0.5
                            for tap in first..<last {
                                sum += weights[tap - first] * Double(source[(index * from + tap) * inner + element])
                            }
                            result[(index * to + target) * inner + element] = UInt8(max(0, min(255, sum)))
                        }
                    }
                }
            }
        }
        return result
    }
}

/// Decompresses a valid deflate stream (RFC 1951).
private struct Inflater {
    let bytes: [UInt8]
    private var bit = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func bits(_ count: Int) -> Int {
        var value = 0
        for index in 0..<count {
            value |= Int(bytes[bit >> 3] >> UInt8(bit & 7) & 1) << index
            bit += 1
        }
        return value
    }

    /// A canonical Huffman code: how many codes of each length, and their symbols in order.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []

        init(_ lengths: [Int]) {
            for length in lengths where length > 0 { counts[length] += 1 }
            for length in 1..<16 { symbols += lengths.indices.filter { lengths[$0] == length } }
        }
    }

    private mutating func symbol(_ code: Code) -> Int {
        var (value, first, index) = (0, 0, 0)
        for length in 1..<16 {
            value |= bits(1)
            let count = code.counts[length]
            if value - count < first { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        preconditionFailure("not a deflate stream")
    }

    mutating func run() -> [UInt8] {
        var output: [UInt8] = []
        var isLast = false
        while !isLast {
            isLast = bits(1) == 1
            switch bits(2) {
            case 0:
                bit = (bit + 7) / 8 * 8
                let count = bits(16)
                _ = bits(16)
                for _ in 0..<count { output.append(UInt8(bits(8))) }
            case 1:
                let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
                block(Code(lengths), Code([Int](repeating: 5, count: 30)), &output)
            default:
                let (literals, distances, codes) = (bits(5) + 257, bits(5) + 1, bits(4) + 4)
                var lengths = [Int](repeating: 0, count: 19)
                for index in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].prefix(codes) {
                    lengths[index] = bits(3)
                }
                let code = Code(lengths)
                var all: [Int] = []
                while all.count < literals + distances {
                    let next = symbol(code)
                    switch next {
                    case 16: all += [Int](repeating: all.last ?? 0, count: 3 + bits(2))
                    case 17: all += [Int](repeating: 0, count: 3 + bits(3))
                    case 18: all += [Int](repeating: 0, count: 11 + bits(7))
                    default: all.append(next)
                    }
                }
                block(Code(Array(all[..<literals])), Code(Array(all[literals...])), &output)
            }
        }
        return output
    }

    private mutating func block(_ literals: Code, _ distances: Code, _ output: inout [UInt8]) {
        while true {
            let next = symbol(literals)
            if next < 256 {
                output.append(UInt8(next))
            } else if next == 256 {
                return
            } else {
                // Lengths: 8 of one step, then 4 for each power of two; 285 is 258. Distances: 4, then 2 for each
                // power.
                let code = next - 257
                let extra = code < 8 || code == 28 ? 0 : code / 4 - 1
                let length = code < 8 ? 3 + code : code == 28 ? 258 : 3 + ((4 + code % 4) << extra) + bits(extra)
                let place = symbol(distances)
                let more = place < 4 ? 0 : place / 2 - 1
                let distance = place < 4 ? 1 + place : 1 + ((2 + place % 2) << more) + bits(more)
                for _ in 0..<length { output.append(output[output.count - distance]) }
            }
        }
    }
}
