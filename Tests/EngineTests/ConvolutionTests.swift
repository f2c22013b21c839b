import Kernels
import NestFormat
import XCTest

@testable import Engine

/// Convolutions against loops over coordinates, with unpacked weights.
final class ConvolutionTests: XCTestCase {
    struct Shape {
        var input: FeatureMap, output: FeatureMap, window: Window, groups: Int, isTransposed: Bool

        /// Calls `body(output pixel, tap, input pixel or nil)`.
        func forEachTap(_ body: (Int, Int, Int?) -> Void) {
            for oy in 0..<output.height {
                for ox in 0..<output.width {
                    for ky in 0..<window.kernelHeight {
                        for kx in 0..<window.kernelWidth {
                            var source: Int?
                            if isTransposed {
                                let (ny, nx) = (
                                    oy + window.padTop - ky * window.dilationY, ox + window.padLeft - kx * window.dilationX
                                )
                                if ny >= 0, nx >= 0, ny % window.strideY == 0, nx % window.strideX == 0,
                                    ny / window.strideY < input.height, nx / window.strideX < input.width
                                {
                                    source = ny / window.strideY * input.width + nx / window.strideX
                                }
                            } else {
                                let y = oy * window.strideY - window.padTop + ky * window.dilationY
                                let x = ox * window.strideX - window.padLeft + kx * window.dilationX
                                if y >= 0, y < input.height, x >= 0, x < input.width { source = y * input.width + x }
                            }
                            body(oy * output.width + ox, ky * window.kernelWidth + kx, source)
                        }
                    }
                }
            }
        }
    }

    /// A random geometry whose maps are in `b`; depthwise: as many groups as channels.
    private func shape(_ b: inout ModelBuilder, _ r: inout Random, bytes: Int, depthwise: Bool) -> Shape {
        let groups = depthwise ? r.int(2...20) : [1, 1, 2, 3][r.int(0...3)]
        let (ci, co) = depthwise ? (groups, groups) : (groups * r.int(1...7), groups * r.int(1...11))
        let isTransposed = !depthwise && r.int(0...3) == 0
        var w = Window(
            kernelHeight: r.int(1...3), kernelWidth: r.int(1...3), strideY: r.int(1...2), strideX: r.int(1...2),
            dilationY: r.int(1...2), dilationX: r.int(1...2), padTop: r.int(0...2), padLeft: r.int(0...2))
        if r.int(0...3) == 0 { w = Window(kernelHeight: 1, kernelWidth: 1) }
        let (h, wide) = (r.int(1...7), r.int(1...7))
        func extent(_ n: Int, _ k: Int, _ s: Int, _ d: Int, _ p: Int) -> Int {
            isTransposed ? max(1, (n - 1) * s + (k - 1) * d + 1 - p) : max(1, (n + 2 * p - (k - 1) * d - 1) / s + 1)
        }
        let input = b.map(h, wide, ci, bytes: bytes, slack: r.int(0...3))
        let output = b.map(
            extent(h, w.kernelHeight, w.strideY, w.dilationY, w.padTop),
            extent(wide, w.kernelWidth, w.strideX, w.dilationX, w.padLeft), co, bytes: bytes, slack: r.int(0...3))
        return Shape(input: input, output: output, window: w, groups: groups, isTransposed: isTransposed)
    }

    func testInt8() throws {
        for seed in 0..<60 {
            var r = Random(UInt64(seed) + 100)
            var b = ModelBuilder()
            let depthwise = seed % 3 == 0
            let s = shape(&b, &r, bytes: 1, depthwise: depthwise)
            let (ci, co) = (s.input.channels / s.groups, s.output.channels / s.groups)
            let taps = s.window.kernelHeight * s.window.kernelWidth
            let weights = r.int8s(s.output.channels * taps * ci, seed % 5 == 0 ? -128...127 : -127...127)
            let weightOffset = seed % 4 < 2 ? 0 : Int32(r.int(-255...255))
            let bias = (0..<s.output.channels).map { _ in Int32(r.int(-2000...2000)) }
            let scales = r.floats(s.output.channels, 0.001...0.02)
            let (zi, zo) = (Int32(r.int8()), Int32(r.int8()))
            let (low, high) = (Int8(r.int(-128 ... -60)), Int8(r.int(60...127)))
            let table: [Int8]? = r.bool() ? r.int8s(256) : nil
            let residual = r.bool() ? b.map(s.output.height, s.output.width, s.output.channels, slack: r.int(0...2)) : nil
            let g = makeGeometry(
                input: s.input, output: s.output, window: s.window, groups: s.groups, isTransposed: s.isTransposed)
            let add = residual.map {
                FusedAdd(
                    residual: $0, convolutionZeroPoint: zo, residualZeroPoint: 5, outputZeroPoint: -9,
                    convolutionMultiplier: 0.7, residualMultiplier: 0.45, clampMin: -120, clampMax: 110)
            }
            let (wo, bo, so) = (
                b.store(Packing.packWeights(g, weights).bytes),
                b.store(
                    Packing.packPerChannel(
                        g,
                        Packing.foldedBias(
                            g, bias: bias, weights: weights, weightOffset: weightOffset, inputZeroPoint: zi),
                        padding: 0)),
                b.store(Packing.packPerChannel(g, scales, padding: 1))
            )
            let to = table.map { b.store($0) }
            b.add(
                depthwise
                    ? .depthwiseConvolution(
                        DepthwiseConvolution(
                            input: s.input, output: s.output, window: s.window, weightsOffset: wo, biasOffset: bo,
                            scalesOffset: so, inputZeroPoint: zi, outputZeroPoint: zo, clampMin: low, clampMax: high,
                            tableOffset: to, add: add, weightOffset: weightOffset))
                    : .convolution(
                        Convolution(
                            input: s.input, output: s.output, window: s.window, groups: s.groups,
                            isTransposed: s.isTransposed, weightsOffset: wo, biasOffset: bo, scalesOffset: so,
                            inputZeroPoint: zi, outputZeroPoint: zo, clampMin: low, clampMax: high, tableOffset: to,
                            add: add, weightOffset: weightOffset)))
            b.input("x", s.input, .int8)
            if let residual { b.input("r", residual, .int8) }
            b.output("y", s.output, .int8)

            let x = r.int8s(s.input.pixels * s.input.pixelStride)
            let rest = residual.map { r.int8s($0.pixels * $0.pixelStride) }
            var sums = [Int32](repeating: 0, count: s.output.pixels * s.output.channels)
            s.forEachTap { pixel, tap, source in
                guard let source else { return }
                for o in 0..<s.output.channels {
                    for i in 0..<ci {
                        let value = Int32(x[source * s.input.pixelStride + o / co * ci + i]) - zi
                        let weight = Int32(weights[(o * taps + tap) * ci + i]) + weightOffset
                        sums[pixel * s.output.channels + o] += value * weight
                    }
                }
            }
            var expected: [Int8] = []
            for pixel in 0..<s.output.pixels {
                for o in 0..<s.output.channels {
                    let sum = sums[pixel * s.output.channels + o] + bias[o]
                    var q = oracleStep(Float(sum) * scales[o], zeroPoint: zo, Int(low), Int(high))
                    if let table { q = table[Int(q) + 128] }
                    if let residual, let rest {
                        let own = Float(Int32(q) - zo) * 0.7
                        let other = Float(Int32(rest[pixel * residual.pixelStride + o]) - 5) * 0.45
                        q = oracleStep(own + other, zeroPoint: -9, -120, 110)
                    }
                    expected.append(q)
                }
            }
            for isa in runnableISAs {
                for threads in [1, 3] {
                    let session = try b.session(threadCount: threads, forcing: isa)
                    session.set(0, x)
                    if let rest { session.set(1, rest) }
                    session.run()
                    let all = session.int8s()
                    let found = (0..<s.output.pixels).flatMap {
                        all[$0 * s.output.pixelStride..<$0 * s.output.pixelStride + s.output.channels]
                    }
                    XCTAssertEqual(found, expected, "seed \(seed), \(isa.name), \(threads) threads, \(g)")
                }
            }
        }
    }

    func testFloat() throws {
        for seed in 0..<40 {
            var r = Random(UInt64(seed) + 900)
            var b = ModelBuilder()
            let s = shape(&b, &r, bytes: 4, depthwise: seed % 3 == 0)
            let (ci, co) = (s.input.channels / s.groups, s.output.channels / s.groups)
            let taps = s.window.kernelHeight * s.window.kernelWidth
            let weights = r.floats(s.output.channels * taps * ci)
            let bias = r.floats(s.output.channels)
            let g = makeGeometry(
                input: s.input, output: s.output, window: s.window, groups: s.groups, isTransposed: s.isTransposed)
            b.add(
                .floatConvolution(
                    FloatConvolution(
                        input: s.input, output: s.output, window: s.window, groups: s.groups,
                        isTransposed: s.isTransposed, weightsOffset: b.store(Packing.packFloatWeights(g, weights)),
                        biasOffset: b.store(Packing.packFloatBias(g, bias)), clampMin: -3, clampMax: 4)))
            b.input("x", s.input, .float32)
            b.output("y", s.output, .float32)
            let x = r.floats(s.input.pixels * s.input.pixelStride)
            var sums: [Float] = []
            for _ in 0..<s.output.pixels { sums += bias }
            s.forEachTap { pixel, tap, source in
                for o in 0..<s.output.channels {
                    for i in 0..<ci {
                        let value = source.map { x[$0 * s.input.pixelStride + o / co * ci + i] } ?? 0
                        let product = value * weights[(o * taps + tap) * ci + i]
                        sums[pixel * s.output.channels + o] += product
                    }
                }
            }
            let expected = sums.map { max(-3, min(4, $0)) }
            for isa in runnableISAs {
                for threads in [1, 2] {
                    let session = try b.session(threadCount: threads, forcing: isa)
                    session.set(0, x)
                    session.run()
                    let all = session.floats()
                    let found = (0..<s.output.pixels).flatMap {
                        all[$0 * s.output.pixelStride..<$0 * s.output.pixelStride + s.output.channels]
                    }
                    XCTAssertEqual(found, expected, "seed \(seed), \(isa.name), \(threads) threads")
                }
            }
        }
    }
}
