import Foundation
import Graph
import NestFormat
import Platform
import Vision

/// A picture file that can't be read: which, what was expected, what was found.
public struct PictureError: Error, CustomStringConvertible {
    public var path: String, expected: String, found: String
    public var description: String { "\(path): expected \(expected), found \(found)" }
}

/// Reads pictures (JPEG, uncompressed BMP, binary PPM and PGM) and makes network inputs of them, by the same code as the
/// device.
public final class PictureReader {
    private let decoder: JPEGDecoder
    private var pixels: [UInt8] = []
    /// Size of the last JPEG before any scaled decode.
    private var sourceSize = (width: 0, height: 0)

    public init() throws { decoder = try JPEGDecoder() }

    /// Endings of the files that can be read.
    public static let extensions: Set<String> = ["jpg", "jpeg", "bmp", "ppm", "pgm"]

    /// Runs the preprocessing on the picture at `path`, writing the network's input to `output`. Returns the picture's
    /// size as the file has it.
    @discardableResult
    public func read(_ path: String, through preprocessor: Preprocessor, into output: UnsafeMutableRawPointer) throws
        -> (width: Int, height: Int)
    {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw PictureError(path: path, expected: "a readable file", found: error.localizedDescription)
        }
        let isJPEG = data.starts(with: [0xFF, 0xD8])
        let (width, height, isGray) =
            isJPEG ? try decodeJPEG(data, path, preprocessor.preprocess) : try decodePlain(data, path)
        let size = try pixels.withUnsafeBytes { bytes in
            guard
                let image = Image(
                    format: isGray ? .gray8 : .rgb24, range: .full, width: width, height: height, bytes: bytes)
            else {
                throw PictureError(path: path, expected: "\(width)×\(height) pixels", found: "\(bytes.count) bytes")
            }
            preprocessor.run(image, output: output)
            return isJPEG ? sourceSize : (width, height)
        }
        return size
    }

    private func decodeJPEG(_ data: Data, _ path: String, _ preprocess: Preprocess) throws -> (Int, Int, Bool) {
        try data.withUnsafeBytes { bytes in
            do {
                let header = try decoder.readHeader(bytes)
                sourceSize = (header.width, header.height)
                let denominator = preprocess.jpegDenominator(sourceWidth: header.width, sourceHeight: header.height)
                let isGray = preprocess.color == .gray
                let (w, h) = (header.scaledWidth(denominator), header.scaledHeight(denominator))
                pixels = [UInt8](repeating: 0, count: w * h * (isGray ? 1 : 3))
                let size = try pixels.withUnsafeMutableBytes {
                    try decoder.decode(bytes, denominator: denominator, isGray: isGray, into: $0)
                }
                return (size.width, size.height, isGray)
            } catch let error as JPEGError {
                throw PictureError(path: path, expected: "an intact JPEG", found: "\(error.name): \(decoder.message)")
            }
        }
    }

    private func decodePlain(_ data: Data, _ path: String) throws -> (Int, Int, Bool) {
        let bytes = [UInt8](data)
        if bytes.starts(with: Array("BM".utf8)) { return try decodeBMP(bytes, path) }
        if bytes.starts(with: Array("P6".utf8)) || bytes.starts(with: Array("P5".utf8)) {
            return try decodeNetpbm(bytes, path)
        }
        throw PictureError(
            path: path, expected: "a JPEG, BMP, PPM or PGM picture", found: "another format; convert it to JPEG")
    }

    /// Uncompressed BMP with 8 (palette), 24 or 32 bits a pixel.
    private func decodeBMP(_ bytes: [UInt8], _ path: String) throws -> (Int, Int, Bool) {
        func word(_ offset: Int, _ count: Int) throws -> Int {
            guard offset + count <= bytes.count else {
                throw PictureError(path: path, expected: "a whole BMP", found: "\(bytes.count) bytes")
            }
            return (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
        }
        let (start, header) = (try word(10, 4), try word(14, 4))
        let width = try word(18, 4)
        let signed = Int(Int32(truncatingIfNeeded: try word(22, 4)))
        let (bits, compression) = (try word(28, 2), try word(30, 4))
        guard [8, 24, 32].contains(bits), compression == 0, (1...16384).contains(width), (1...16384).contains(abs(signed)) else {
            throw PictureError(
                path: path, expected: "an uncompressed BMP of 8, 24 or 32 bits a pixel",
                found: "\(bits) bits, compression \(compression), \(width)×\(signed)")
        }
        let height = abs(signed)
        let stride = (width * bits / 8 + 3) / 4 * 4
        _ = try word(start + stride * height - 1, 1)
        pixels = [UInt8](repeating: 0, count: width * height * 3)
        for y in 0..<height {
            let row = start + (signed > 0 ? height - 1 - y : y) * stride
            for x in 0..<width {
                let source = bits == 8 ? 14 + header + 4 * Int(bytes[row + x]) : row + x * bits / 8
                _ = try word(source, 3)
                for channel in 0..<3 { pixels[(y * width + x) * 3 + channel] = bytes[source + 2 - channel] }
            }
        }
        return (width, height, false)
    }

    private func decodeNetpbm(_ bytes: [UInt8], _ path: String) throws -> (Int, Int, Bool) {
        var position = 2
        var numbers: [Int] = []
        while numbers.count < 3, position < bytes.count {
            if bytes[position] == UInt8(ascii: "#") {
                while position < bytes.count, bytes[position] != 10 { position += 1 }
            } else if (48...57).contains(bytes[position]) {
                var number = 0
                while position < bytes.count, (48...57).contains(bytes[position]), number < 1 << 24 {
                    number = number * 10 + Int(bytes[position]) - 48
                    position += 1
                }
                numbers.append(number)
            } else {
                position += 1
            }
        }
        position += 1
        let isGray = bytes[1] == UInt8(ascii: "5")
        guard numbers.count == 3, numbers[2] == 255, (1...16384).contains(numbers[0]), (1...16384).contains(numbers[1]),
            bytes.count - position >= numbers[0] * numbers[1] * (isGray ? 1 : 3)
        else {
            throw PictureError(path: path, expected: "binary PPM or PGM with 8 bits a channel", found: "\(numbers)")
        }
        pixels = Array(bytes[position...])
        return (numbers[0], numbers[1], isGray)
    }

    /// The picture as the network sees it in real numbers: float32 [1, height, width, channels].
    public func real(_ path: String, _ preprocess: Preprocess) throws -> Tensor {
        let channels = preprocess.channels
        let tables = PreprocessTables.float32((0..<channels).flatMap { preprocess.normalized(channel: $0) })
        let preprocessor = Preprocessor(preprocess, tables: tables)
        return try Tensor(unsafeUninitialized: .float32, shape: [1, preprocess.height, preprocess.width, channels]) {
            try read(path, through: preprocessor, into: $0.baseAddress!)
        }
    }
}

/// Names of the pictures in a folder, sorted; at least one.
public func picturesOfFolder(_ path: String) throws -> [String] {
    let files: [String]
    do {
        files = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
        throw PictureError(path: path, expected: "a folder with pictures", found: error.localizedDescription)
    }
    let names = files.sorted().filter { PictureReader.extensions.contains(($0 as NSString).pathExtension.lowercased()) }
    guard !names.isEmpty else {
        throw PictureError(path: path, expected: "JPEG, BMP, PPM or PGM pictures", found: "none")
    }
    return names
}

/// Pictures or tensors by which a float model is calibrated.
public struct CalibrationSet: Sendable {
    public enum Source: Sendable {
        case pictures([String])
        /// One float32 tensor with a picture for each index of its first axis, in the source model's layout.
        case tensor(Tensor)
    }
    public var source: Source
    /// SHA-256 over the contents, for provenance.
    public var digest: String
    /// What was given, for provenance: a folder's or file's name.
    public var name: String

    public var count: Int {
        switch source {
        case .pictures(let paths): paths.count
        case .tensor(let tensor): tensor.shape.first ?? 0
        }
    }

    public init(source: Source, name: String) throws {
        self.source = source
        self.name = name
        var bytes: [UInt8] = []
        switch source {
        case .pictures(let paths):
            for path in paths {
                let data = try Data(contentsOf: URL(fileURLWithPath: path))
                bytes += sha256([UInt8](data))
            }
        case .tensor(let tensor): bytes = withExtendedLifetime(tensor) { Array(tensor.unsafeBytes) }
        }
        digest = hexadecimal(sha256(bytes))
    }

    /// At most `limit` pictures of a folder, evenly spread over its sorted names.
    public static func folder(_ path: String, limit: Int) throws -> CalibrationSet {
        let names = try picturesOfFolder(path)
        let kept = names.count <= limit ? names : (0..<limit).map { names[$0 * names.count / limit] }
        return try CalibrationSet(
            source: .pictures(kept.map { (path as NSString).appendingPathComponent($0) }),
            name: (path as NSString).lastPathComponent)
    }
}

/// SHA-256 of an array.
public func sha256(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { SHA256.digest(of: $0) } }

/// Lower-case hexadecimal digits.
public func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
