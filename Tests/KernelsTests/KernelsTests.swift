import Foundation
import XCTest

@testable import Kernels

final class SelfTestTests: XCTestCase {
    /// As many cases as there are input zero points: the number of a case is its convolution's.
    func testEveryRunnableKernelEqualsTheReference() {
        var passed = 0
        let isGood = selfTestAllKernels(features: modelledFeatures, cases: 256) { kernel, outcome in
            switch outcome {
            case .passed: passed += 1
            case .failed(let number): XCTFail("\(kernel.name) differs from the reference in case \(number)")
            case .notRunnable: XCTAssertFalse(kernel.isRunnable(on: modelledFeatures))
            }
        }
        XCTAssertTrue(isGood)
        XCTAssertGreaterThanOrEqual(passed, 7)
        // The coverage rule: whatever can run here has run.
        for index in 0..<Kernel.count where Kernel(index: index).isRunnable(on: modelledFeatures) {
            XCTAssertTrue(Kernel(index: index).wasExecuted, "\(Kernel(index: index).name) did not run")
        }
        print("kernels executed:", executedKernels().map(\.name).joined(separator: " "))
    }

    func testConvolutionsWithTheKernelsOfEveryInstructionSet() {
        var passed = 0
        let isGood = selfTestConvolutions(features: modelledFeatures, cases: 256, seed: 5) { isa, outcome in
            if outcome == .passed(cases: 256) { passed += 1 } else { XCTFail("\(isa.text): \(outcome)") }
        }
        XCTAssertTrue(isGood)
        XCTAssertEqual(passed, ISA.allCases.filter(modelledFeatures.supports).count)
    }

    /// Cases that a fuzzer chooses: any bytes are one, and the same bytes are the same one.
    func testCasesOfBytes() {
        var random = Random(61)
        for family in UInt8.min...UInt8.max {
            let bytes = [family] + (0..<random.int(0...40)).map { _ in UInt8(random.int(0...255)) }
            let difference = firstDifference(inCaseOf: bytes, features: modelledFeatures)
            XCTAssertNil(difference, "\(bytes)")
        }
        var a = TestRandom(seed: 3, choices: [5, 200, 1, 9]), b = TestRandom(seed: 3, choices: [5, 200, 1, 9])
        XCTAssertEqual(a.int(0...9), 5)
        XCTAssertEqual(a.int(-300...300), -300 + 456)
        XCTAssertEqual(a.int(7...7), 7)
        XCTAssertEqual([b.int(0...9), b.int(-300...300), b.int(7...7)], [5, 156, 7])
        XCTAssertEqual(a.int(0...1 << 40), b.int(0...1 << 40))
    }

    func testConvolutionsDrawnForWinogradHaveAllSizesOfTiles() {
        var random = TestRandom(seed: 7)
        var mixed = 0
        for _ in 0..<200 {
            let tiles = Convolution.WinogradTiles(random.winogradBlockGeometry())
            if min(tiles.axisY.fours, tiles.axisY.threes, tiles.axisX.fours, tiles.axisX.threes) > 0 && tiles.count > 6 {
                mixed += 1
            }
        }
        XCTAssertGreaterThan(mixed, 10)
    }

    /// A depthwise geometry would run a depthwise kernel, with weights packed for that one, in the test of another.
    func testConvolutionsDrawnForTheMatrixKernelsAreNeverDepthwise() {
        for seed in 1...20_000 as ClosedRange<UInt64> {
            var random = TestRandom(seed: seed)
            XCTAssertFalse(random.geometry(depthwise: false).isDepthwise, "seed \(seed)")
            XCTAssertFalse(random.winogradBlockGeometry().isDepthwise, "seed \(seed)")
            XCTAssertFalse(random.anyGeometry(depthwise: false).isDepthwise, "seed \(seed)")
            XCTAssertTrue(random.anyGeometry(depthwise: true).isDepthwise, "seed \(seed)")
        }
    }

    func testReferencesGiveTheKnownBits() {
        XCTAssertTrue(selfTestReferences())
    }
}

final class KernelListTests: XCTestCase {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private var all: [Kernel] { (0..<Kernel.count).map(Kernel.init(index:)) }

    func testNamesFollowTheGrammarAndAreUnique() throws {
        let grammar = try NSRegularExpression(pattern: "^swiftlet_[a-z0-9]+_[a-z0-9]+_([0-9]+)x[0-9]+__([a-z0-9]+)$")
        for kernel in all {
            let name = kernel.name
            let match = try XCTUnwrap(
                grammar.firstMatch(in: name, range: NSRange(name.startIndex..., in: name)), name)
            let pixels = (name as NSString).substring(with: match.range(at: 1))
            XCTAssertEqual(Int(pixels), kernel.pixels, name)
            XCTAssertEqual((name as NSString).substring(with: match.range(at: 2)), kernel.isa.text, name)
        }
        XCTAssertEqual(Set(all.map(\.name)).count, all.count)
    }

    func testEveryKernelInCHasAFileOfItsNameAndEveryFileAnEntry() throws {
        let folder = KernelListTests.root.appendingPathComponent("Sources/CKernels")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("swiftlet_") && $0.hasSuffix(".c") }.map { String($0.dropLast(2)) }
        let inC = all.filter { $0.isa != .scalar }.map(\.name)
        XCTAssertEqual(files.sorted(), inC.sorted())
    }

    func testEveryFileOfCTurnsContractionOff() throws {
        let folder = KernelListTests.root.appendingPathComponent("Sources/CKernels")
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where file.hasPrefix("swiftlet_") || file == "avx2.h" || file == "neon.h" {
            let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            let isOff = text.contains("#pragma STDC FP_CONTRACT OFF") || text.contains("#include \"")
            XCTAssertTrue(isOff, file)
        }
    }

    func testOnlyScalarKernelsAreOfAnyCPU() {
        for kernel in all { XCTAssertEqual(kernel.isSupported(on: []), kernel.isa == .scalar, kernel.name) }
    }
}

final class SelectionTests: XCTestCase {
    private func names(_ set: KernelSet, _ g: ConvolutionGeometry, minus128: Bool = false) -> [String] {
        let convolution = Convolution(g, traits: .init(containsMinus128: minus128), kernels: set)
        return [convolution.kernel.name, convolution.singlePixelKernel.name]
    }

    private let general = ConvolutionGeometry(
        inputHeight: 8, inputWidth: 8, outputHeight: 8, outputWidth: 8, inputChannelsPerGroup: 16,
        outputChannelsPerGroup: 16)
    private let depthwise = ConvolutionGeometry(
        inputHeight: 8, inputWidth: 8, outputHeight: 8, outputWidth: 8, groups: 16, inputChannelsPerGroup: 1,
        outputChannelsPerGroup: 1, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1)

    func testKernelsOfMadeUpCPUs() throws {
        let cpus: [(CPUFeatures, ISA, [String], String)] = [
            ([], .scalar, ["swiftlet_gemm_s8_1x8__scalar", "swiftlet_gemm_s8_1x8__scalar"],
             "swiftlet_depthwise_s8_1x1__scalar"),
            ([.rvv], .scalar, ["swiftlet_gemm_s8_1x8__scalar", "swiftlet_gemm_s8_1x8__scalar"],
             "swiftlet_depthwise_s8_1x1__scalar"),
            ([.avx2], .avx2, ["swiftlet_gemm_u8s8_12x8__avx2", "swiftlet_gemm_u8s8_12x8__avx2"],
             "swiftlet_depthwise_s8_4x16__avx2"),
            ([.avx2, .avxvnni], .avxvnni, ["swiftlet_gemm_u8s8_12x16__avxvnni", "swiftlet_gemm_u8s8_12x16__avxvnni"],
             "swiftlet_depthwise_s8_4x16__avx2"),
            ([.avx2, .avx512vnni], .avx512vnni,
             ["swiftlet_gemm_u8s8_12x32__avx512vnni", "swiftlet_gemm_u8s8_12x32__avx512vnni"],
             "swiftlet_depthwise_s8_4x16__avx2"),
            ([.avx2, .avxvnni, .avx512vnni], .avx512vnni,
             ["swiftlet_gemm_u8s8_12x32__avx512vnni", "swiftlet_gemm_u8s8_12x32__avx512vnni"],
             "swiftlet_depthwise_s8_4x16__avx2"),
            // A CPU that has either has AVX2 too.
            ([.avxvnni, .avx512vnni], .scalar, ["swiftlet_gemm_s8_1x8__scalar", "swiftlet_gemm_s8_1x8__scalar"],
             "swiftlet_depthwise_s8_1x1__scalar"),
            ([.neon], .neon, ["swiftlet_gemm_s8_2x8__neon", "swiftlet_gemm_s8_2x8__neon"],
             "swiftlet_depthwise_s8_2x16__neon"),
            ([.neon, .aarch64], .neon, ["swiftlet_gemmchain_s8_4x8__neon", "swiftlet_gemmchain_s8_4x8__neon"],
             "swiftlet_depthwise_s8_4x16__neon"),
            ([.neon, .aarch64, .dotprod], .dotprod,
             ["swiftlet_gemmpacked_s8_8x8__dotprod", "swiftlet_gemm_s8_1x8__dotprod"], "swiftlet_depthwise_s8_4x16__neon"),
            ([.neon, .aarch64, .dotprod, .i8mm], .i8mm,
             ["swiftlet_gemmpacked_s8_8x8__i8mm", "swiftlet_gemm_s8_1x8__dotprod"], "swiftlet_depthwise_s8_4x16__neon"),
            // A CPU that has I8MM has DotProd too: what claims otherwise is not trusted with either.
            ([.neon, .aarch64, .i8mm], .neon, ["swiftlet_gemmchain_s8_4x8__neon", "swiftlet_gemmchain_s8_4x8__neon"],
             "swiftlet_depthwise_s8_4x16__neon"),
        ]
        for (features, isa, gemm, depthwiseName) in cpus {
            let set = try KernelSet(features: features)
            XCTAssertEqual(set.isa, isa)
            XCTAssertEqual(names(set, general), gemm)
            XCTAssertEqual(names(set, depthwise).first, depthwiseName)
        }
    }

    func testWeightsOfMinus128GoToKernelsThatTakeThem() throws {
        for (features, gemm) in [
            (CPUFeatures([.neon]), "swiftlet_gemmany_s8_2x8__neon"),
            ([.neon, .aarch64], "swiftlet_gemmchain_s8_4x8__neon"),
            ([.neon, .aarch64, .dotprod], "swiftlet_gemmpacked_s8_8x8__dotprod"),
        ] {
            let set = try KernelSet(features: features)
            XCTAssertEqual(names(set, general, minus128: true).first, gemm)
            XCTAssertEqual(names(set, depthwise, minus128: true).first, "swiftlet_depthwiseany_s8_2x16__neon")
        }
        XCTAssertEqual(
            names(try KernelSet(features: [.avx2]), general, minus128: true).first, "swiftlet_gemm_u8s8_12x8__avx2")
        XCTAssertEqual(
            names(try KernelSet(features: []), general, minus128: true).first, "swiftlet_gemm_s8_1x8__scalar")
    }

    func testWholeRowsOfDepthwiseConvolutions() throws {
        let set = try KernelSet(features: [.avx2])
        func name(
            _ kernel: Int, stride: Int = 1, dilation: Int = 1, pad: Int = 1, isTransposed: Bool = false,
            _ traits: Packing.WeightTraits = .init(containsMinus128: true, hasOffset: true, hasSmallScales: true)
        ) -> String {
            var g = depthwise
            (g.kernelHeight, g.kernelWidth) = (kernel, kernel)
            (g.strideX, g.dilationX, g.padLeft, g.isTransposed) = (stride, dilation, pad, isTransposed)
            return Convolution(g, traits: traits, kernels: set).kernel.name
        }
        let (rows3, rows5) = ("swiftlet_depthwise3x3_s8_2x16__avx2", "swiftlet_depthwise5x5_s8_4x16__avx2")
        let tiles = "swiftlet_depthwise_s8_4x16__avx2"
        XCTAssertEqual([name(3), name(3, stride: 2), name(3, dilation: 2, pad: 2)], [rows3, rows3, rows3])
        XCTAssertEqual([name(5), name(5, stride: 2), name(5, dilation: 3, pad: 6)], [rows5, rows5, rows5])
        XCTAssertEqual([name(3, stride: 3), name(4), name(1, pad: 0), name(7)], [tiles, tiles, tiles, tiles])
        XCTAssertEqual([name(3, dilation: 2), name(3, stride: 2, dilation: 2, pad: 2)], [tiles, tiles])
        XCTAssertEqual([name(3, isTransposed: true), name(3, .init())], [tiles, tiles])
    }

    func testWholeRowsOnARM() throws {
        func name(_ features: CPUFeatures, _ traits: Packing.WeightTraits) throws -> String {
            Convolution(depthwise, traits: traits, kernels: try KernelSet(features: features)).kernel.name
        }
        let neon = "swiftlet_depthwise3x3_s8_1x8__neon", dotprod = "swiftlet_depthwise3x3_s8_2x8__dotprod"
        let cpus: [(CPUFeatures, String)] = [
            ([.neon], neon), ([.neon, .aarch64], neon), ([.neon, .aarch64, .dotprod], dotprod),
            ([.neon, .aarch64, .dotprod, .i8mm], dotprod),
        ]
        for (features, kernel) in cpus {
            XCTAssertEqual(try name(features, .init(hasSmallScales: true)), kernel)
            XCTAssertEqual(try name(features, .init(containsMinus128: true, hasSmallScales: true)), kernel)
            XCTAssertEqual(try name(features, .init(hasOffset: true, hasSmallScales: true)), kernel)
        }
        var wide = depthwise
        (wide.kernelHeight, wide.kernelWidth) = (5, 5)
        let traits = Packing.WeightTraits(hasOffset: true, hasSmallScales: true)
        XCTAssertEqual(
            Convolution(wide, traits: traits, kernels: try KernelSet(features: cpus[2].0)).kernel.name,
            "swiftlet_depthwise5x5_s8_2x8__dotprod")
    }

    func testForcing() throws {
        let set = try KernelSet(features: [.neon, .aarch64, .dotprod], forcing: .neon)
        XCTAssertEqual(set.isa, .neon)
        XCTAssertEqual(names(set, general).first, "swiftlet_gemmchain_s8_4x8__neon")
        XCTAssertEqual(try KernelSet(features: [.avx2], forcing: .scalar).isa, .scalar)
        XCTAssertThrowsError(try KernelSet(features: [.avx2], forcing: .dotprod)) {
            XCTAssertEqual($0 as? KernelSelectionError, .forcedISAUnavailable(.dotprod))
        }
        XCTAssertThrowsError(try KernelSet(features: [.dotprod], forcing: .dotprod))
    }

    func testISANames() {
        for isa in ISA.allCases {
            let bytes = Array(isa.text.utf8)
            XCTAssertEqual(bytes.withUnsafeBufferPointer { ISA(name: $0) }, isa)
            XCTAssertNil((bytes + [120]).withUnsafeBufferPointer { ISA(name: $0) })
        }
        XCTAssertNil([UInt8]().withUnsafeBufferPointer { ISA(name: $0) })
    }

    func testScratchIsTheSameForEveryInstructionSet() throws {
        XCTAssertEqual(Convolution.scratchByteCount(general) % 64, 0)
        XCTAssertGreaterThan(Convolution.scratchByteCount(general), 0)
    }
}
