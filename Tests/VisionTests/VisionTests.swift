import NestFormat
import XCTest

@testable import Vision

/// Numbers that are the same in every run.
struct TestGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var x = state
        x ^= x >> 33
        x = x &* 0xff51_afd7_ed55_8ccd
        return x ^ x >> 33
    }
}

/// Tables that keep the pixel value: int8 code = pixel - 128.
func identityTables(_ preprocess: Preprocess) -> PreprocessTables {
    .int8((0..<preprocess.channels).flatMap { _ in (0..<256).map { Int8($0 - 128) } })
}

/// Runs the preprocessor with identity tables and gives pixel values.
func pixels(_ preprocessor: Preprocessor, _ image: Image) -> [UInt8] {
    var output = [Int8](repeating: 0, count: preprocessor.outputByteCount)
    output.withUnsafeMutableBytes { preprocessor.run(image, output: $0.baseAddress!) }
    return output.map { UInt8(Int($0) + 128) }
}

func pixels(_ preprocess: Preprocess, format: PixelFormat, width: Int, height: Int, _ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes {
        let image = Image(format: format, width: width, height: height, bytes: $0)!
        return pixels(Preprocessor(preprocess, tables: identityTables(preprocess)), image)
    }
}
