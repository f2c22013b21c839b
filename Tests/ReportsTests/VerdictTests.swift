import Telemetry
import XCTest

@testable import Reports

final class VerdictTests: XCTestCase {
    private func verdict(_ change: (inout Scenario) -> Void = { _ in }) -> Verdict {
        var scenario = Scenario()
        change(&scenario)
        return Reports.verdict(of: scenario.report())
    }

    private func finding(
        _ code: Finding.Code, _ change: (inout Scenario) -> Void, file: StaticString = #filePath, line: UInt = #line
    ) -> Finding? {
        let verdict = verdict(change)
        let found = verdict.findings.filter { $0.code == code }
        XCTAssertEqual(
            found.count, 1, "\(verdict.findings.map { $0.code })", file: file, line: line)
        if let first = found.first {
            XCTAssertTrue(first.what.hasSuffix("."), first.what, file: file, line: line)
            XCTAssertFalse(first.remedy.isEmpty, file: file, line: line)
        }
        return found.first
    }

    func testAHealthyRunKeepsUpWithoutFindings() {
        let verdict = verdict()
        XCTAssertEqual(verdict.outcome, .keepsUp)
        XCTAssertEqual(verdict.headline, "Keeps up: 99 % of frames answered within 13.6 ms at 30 fps")
        XCTAssertTrue(verdict.findings.isEmpty, "\(verdict.findings)")
        XCTAssertTrue(verdict.isGood)
    }

    func testOutcomeFollowsTheShareOfLateAndDroppedFrames() {
        XCTAssertEqual(verdict { $0.dropEvery = 100 }.outcome, .keepsUp)
        XCTAssertEqual(verdict { $0.dropEvery = 90 }.outcome, .sometimesLate)
        XCTAssertEqual(verdict { $0.slowEvery = 20 }.outcome, .sometimesLate)
        XCTAssertEqual(verdict { $0.dropEvery = 10 }.outcome, .sometimesLate)
        XCTAssertEqual(verdict { $0.dropEvery = 9 }.outcome, .tooSlow)
        XCTAssertEqual(verdict { $0.work = 40_000_000 }.outcome, .tooSlow)
    }

    func testTooSlowSaysWhatRateIsPossible() {
        let verdict = verdict { $0.work = 40_000_000 }
        // 40 ms and on average a sixteenth more: 42.5 ms, 23.5 frames a second.
        XCTAssertEqual(
            verdict.headline,
            "Too slow: 100 % of frames came late or not at all at 30 fps; the work allows about 23 fps")
        XCTAssertFalse(verdict.isGood)
        let late = verdict.findings.first { $0.code == .lateFrames }
        XCTAssertEqual(late?.severity, .problem)
        XCTAssertTrue(late?.what.contains("later than 33.3 ms after capture") ?? false, "\(late?.what ?? "")")
        XCTAssertTrue(late?.remedy.contains("ask for at most 21 fps") ?? false, "\(late?.remedy ?? "")")
    }

    func testSometimesLateSaysHowMany() {
        let verdict = verdict { $0.dropEvery = 25 }
        XCTAssertEqual(
            verdict.headline,
            "Sometimes late: 4 % of frames came late or not at all at 30 fps; 99 % of answers within 13.6 ms")
        let dropped = verdict.findings.first { $0.code == .framesDropped }
        XCTAssertEqual(dropped?.what, "72 frames dropped (4 %) because a newer one was waiting.")
        XCTAssertEqual(dropped?.severity, .warning)
    }

    func testOneThreadIsAdvisedToTakeMore() {
        let verdict = verdict {
            $0.work = 40_000_000
            $0.change = { $0.threads = 1 }
        }
        XCTAssertTrue(verdict.findings.first { $0.code == .lateFrames }!.remedy.contains("--threads"))
    }

    func testWithoutARateThereIsNothingToKeepUpWith() {
        let verdict = verdict { $0.framesPerSecond = 0 }
        XCTAssertEqual(verdict.outcome, .unpaced)
        XCTAssertEqual(
            verdict.headline, "No frame rate asked for: 99 % of frames answered within 13.6 ms, enough for about 78 fps")
        XCTAssertTrue(verdict.isGood)
    }

    func testAnEmptyReportSaysSo() {
        let verdict = Reports.verdict(of: LatencyReport())
        XCTAssertEqual(verdict.outcome, .nothingMeasured)
        XCTAssertEqual(verdict.findings.map { $0.code }, [.notFinished])
    }

    func testErrorsThatEndTheRunComeFirst() {
        let verdict = verdict {
            $0.stopReason = .error
            $0.stopText = "output-closed"
            $0.extra = { $0.recordError(named: "output-closed", frame: 3, at: 5_000_000_000) }
        }
        XCTAssertEqual(verdict.outcome, .failed)
        XCTAssertEqual(verdict.headline, "Stopped by an error after 1 min: output-closed")
        let errors = verdict.findings.first { $0.code == .errors }
        XCTAssertEqual(errors?.what, "1 error during the run: output-closed.")
    }

    func testALostSourceIsCameraTrouble() {
        let verdict = verdict {
            $0.stopReason = .sourceLost
            $0.stopText = "device-gone"
            $0.extra = { $0.recordSourceLost(named: "device-gone", frame: 9, at: 59_000_000_000) }
        }
        XCTAssertEqual(verdict.outcome, .cameraTrouble)
        XCTAssertEqual(verdict.headline, "Camera trouble: the source was lost after 1 min: device-gone")
        XCTAssertEqual(verdict.findings.first?.code, .sourceLost)
        XCTAssertEqual(verdict.findings.first?.severity, .problem)
    }

    func testASourceThatCameBackIsAWarning() {
        let found = finding(.sourceLost) {
            $0.extra = { recorder in
                for second: UInt64 in [3, 9] {
                    recorder.recordSourceLost(named: "device-gone", frame: 9, at: second * 1_000_000_000)
                    recorder.recordSourceRecovered(frame: 9, at: (second + 2) * 1_000_000_000)
                }
            }
        }
        XCTAssertEqual(found?.severity, .warning)
        XCTAssertEqual(found?.what, "The source was lost 2 times and came back 2 times.")
    }

    func testBadFramesAreNamedAndWeighed() {
        let few = finding(.badFrames) { $0.badEvery = 200 }
        XCTAssertEqual(few?.severity, .note)
        XCTAssertEqual(few?.what, "9 frames (0.50 %) could not be read: jpeg-bad-marker × 5, jpeg-truncated × 4.")
        XCTAssertEqual(finding(.badFrames) { $0.badEvery = 20 }?.severity, .warning)
        let many = verdict { $0.badEvery = 5 }
        XCTAssertEqual(many.outcome, .cameraTrouble)
        XCTAssertEqual(many.headline, "Camera trouble: 20 % of frames could not be read")
    }

    func testThrottlingIsTiedToItsEffect() {
        let found = finding(.throttled) { $0.throttledFrom = 45 }
        XCTAssertEqual(found?.severity, .problem)
        let what = found?.what ?? ""
        XCTAssertTrue(what.hasPrefix("The CPU was throttled 25 % of the time (up to 83."), what)
        XCTAssertTrue(what.contains("down to 900 MHz of 1.80 GHz)"), what)
        XCTAssertTrue(what.contains("; answers then took 25.5 ms instead of 12.8 ms."), what)
        XCTAssertEqual(finding(.throttled) { $0.throttledFrom = 58 }?.severity, .warning)
    }

    func testHeatWithoutThrottlingIsAWarning() {
        let found = finding(.hot) { $0.milliCelsius = 80_000 }
        XCTAssertEqual(found?.severity, .warning)
        XCTAssertTrue(found?.what.hasPrefix("The CPU reached 80.") ?? false)
        XCTAssertFalse(verdict { $0.milliCelsius = 79_000 }.findings.contains { $0.code == .hot })
        XCTAssertFalse(verdict { $0.throttledFrom = 45 }.findings.contains { $0.code == .hot })
    }

    func testARunThatGetsSlowerSaysSo() {
        let found = finding(.slowedDown) { $0.slowdown = 1.6 }
        XCTAssertEqual(found?.severity, .warning)
        XCTAssertTrue(found?.what.contains("from 13.7 ms in the first quarter to 19.4 ms in the last") ?? false, "\(found!)")
        XCTAssertFalse(verdict { $0.slowdown = 1.1 }.findings.contains { $0.code == .slowedDown })
    }

    func testGovernors() {
        let calm = finding(.governor) { $0.change = { $0.governor = "powersave" } }
        XCTAssertEqual(calm?.severity, .warning)
        let pressed = finding(.governor) {
            $0.change = { $0.governor = "powersave" }
            $0.dropEvery = 20
        }
        XCTAssertEqual(pressed?.severity, .problem)
        let changing = finding(.governor) {
            $0.change = { $0.governor = "ondemand" }
            $0.dropEvery = 20
        }
        XCTAssertEqual(changing?.severity, .note)
        XCTAssertTrue(changing?.remedy.contains("scaling_governor") ?? false)
        let unneeded = verdict { $0.change = { $0.governor = "ondemand" } }
        XCTAssertFalse(unneeded.findings.contains { $0.code == .governor })
    }

    func testKernelsBelowTheCPUAreAProblem() {
        let forced = finding(.isaNotBest) {
            $0.change = {
                $0.isa = "scalar"
                $0.bestIsa = "neon-dotprod"
                $0.isIsaForced = true
            }
        }
        XCTAssertEqual(forced?.severity, .problem)
        XCTAssertEqual(forced?.what, "The scalar kernels are in use though this CPU has neon-dotprod.")
        XCTAssertEqual(forced?.remedy, "Leave out `--force-isa`.")
        let chosen = finding(.isaNotBest) { $0.change = { $0.bestIsa = "neon-i8mm" } }
        XCTAssertTrue(chosen?.remedy.contains("--selftest") ?? false)
    }

    func testLayersWithoutSIMDAreNamed() {
        let some = finding(.scalarKernels) { $0.scalarLayers = [5] }
        XCTAssertEqual(some?.severity, .warning)
        XCTAssertEqual(some?.what, "1 layer without SIMD takes 10 % of the layer time: block5/conv.")
        let most = finding(.scalarKernels) { $0.scalarLayers = [1, 2, 3, 4] }
        XCTAssertEqual(most?.severity, .problem)
        XCTAssertTrue(most?.what.hasSuffix("block2/conv, block1/conv, block3/conv and 1 more.") ?? false, most?.what ?? "")
        // A CPU without SIMD has nothing better to offer.
        let scalar = verdict {
            $0.scalarLayers = [1, 2, 3]
            $0.change = {
                $0.isa = "scalar"
                $0.bestIsa = "scalar"
            }
        }
        XCTAssertFalse(scalar.findings.contains { $0.code == .scalarKernels || $0.code == .isaNotBest })
        let tiny = verdict {
            $0.layerParts = [50, 46, 2]
            $0.scalarLayers = [2]
        }
        XCTAssertFalse(tiny.findings.contains { $0.code == .scalarKernels })
    }

    func testFloatLayersAreAlwaysNamed() {
        XCTAssertEqual(
            finding(.floatLayers) {
                $0.layerParts = [50, 46, 2]
                $0.floatLayers = [2]
            }?.severity, .note)
        let two = finding(.floatLayers) { $0.floatLayers = [4, 5] }
        XCTAssertEqual(two?.severity, .warning)
        XCTAssertEqual(two?.what, "2 layers computed in float32 take 24 % of the layer time: block4/conv, block5/conv.")
        XCTAssertEqual(finding(.floatLayers) { $0.floatLayers = [1, 2] }?.severity, .problem)
    }

    func testASlowStageIsNamedWithItsOwnRemedy() {
        let decode = finding(.slowStage) { $0.parts = [50, 10, 30, 5, 5] }
        XCTAssertEqual(decode?.severity, .note)
        XCTAssertTrue(decode?.what.contains("decode takes 50 %") ?? false, decode?.what ?? "")
        XCTAssertTrue(decode?.remedy.contains("smaller picture") ?? false)
        let output = finding(.slowStage) {
            $0.parts = [5, 5, 30, 5, 55]
            $0.dropEvery = 20
        }
        XCTAssertEqual(output?.severity, .warning)
        XCTAssertTrue(output?.remedy.contains("reads the results") ?? false)
    }

    func testADominantLayerIsNamed() {
        let found = finding(.slowLayer) { $0.layerParts = [10, 50, 20, 10, 8] }
        XCTAssertTrue(
            found?.what.hasPrefix(
                "The layer block1/conv (DepthwiseConv2D with the kernel swiftlet_conv_s8_4x16__neon) takes 51 %") ?? false,
            found?.what ?? "")
        XCTAssertFalse(verdict { $0.layerParts = [40, 30, 28] }.findings.contains { $0.code == .slowLayer })
    }

    func testResultsBeyondAMinute() {
        let found = finding(.beyondRange) {
            $0.extra = { $0.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: 61_000_000_000) }
        }
        XCTAssertEqual(found?.what, "1 result took longer than 60 s.")
    }

    func testAnUnfinishedReportSaysHowFarItReaches() {
        let found = finding(.notFinished) { $0.stopReason = nil }
        XCTAssertEqual(found?.severity, .warning)
        XCTAssertTrue(found?.what.hasSuffix("Its figures reach to 1 min after the start.") ?? false, found?.what ?? "")
    }

    func testDamageIsToldButNotTheCutOfAKill() {
        var report = Scenario().report()
        report.runs[0].integrity.damage = [
            FileDamage(offset: 512, record: "snapshot", cause: .checksum(expected: 0x1234_5678, found: 0x9ABC_DEF0))
        ]
        var verdict = Reports.verdict(of: report)
        XCTAssertEqual(verdict.findings.map { $0.code }, [.fileDamaged])
        XCTAssertTrue(verdict.findings[0].what.contains("byte 512: CRC-32C is 0x9abcdef0"), verdict.findings[0].what)
        report.runs[0].integrity.damage = [FileDamage(offset: 5, record: "event", cause: .truncated(missing: 3))]
        report.runs[0].stopReason = nil
        verdict = Reports.verdict(of: report)
        XCTAssertEqual(verdict.findings.map { $0.code }, [.notFinished])
        report.runs[0].integrity.damage = (0..<5).map {
            FileDamage(offset: $0, record: "event", cause: .malformed("x"))
        }
        verdict = Reports.verdict(of: report)
        XCTAssertTrue(verdict.findings.first { $0.code == .fileDamaged }!.what.contains(" and 2 more"))
    }

    func testFewFramesAreNoted() {
        let found = finding(.fewFrames) { $0.seconds = 9 }
        XCTAssertEqual(found?.what, "Only 270 frames: the high percentiles rest on very few.")
        XCTAssertFalse(verdict { $0.seconds = 10 }.findings.contains { $0.code == .fewFrames })
    }

    func testSumsThatDoNotAddUp() {
        let stages = finding(.stagesDoNotAddUp) { $0.extra = { $0.recordResult(scheduledNanoseconds: 0, finishedNanoseconds: 4_000_000_000) } }
        XCTAssertEqual(stages?.severity, .note)
        let layers = finding(.layersDoNotAddUp) { $0.layerParts = [30, 25, 20] }
        XCTAssertEqual(layers?.what, "The layers add up to 75 % of the inference time.")
    }

    func testCostlyMeasurementIsTold() {
        let found = finding(.costlyMeasurement) { $0.eventCost = 40_000 }
        XCTAssertTrue(found?.what.hasPrefix("Measuring the layers took 3.1 %") ?? false, found?.what ?? "")
    }

    func testTheSlowestOfSeveralDevicesIsNamed() throws {
        var slow = Scenario()
        slow.work = 20_000_000
        slow.change = { $0.deviceName = "line-7" }
        let merged = try LatencyReport.merged([Scenario().report(), slow.report()])
        let verdict = Reports.verdict(of: merged)
        let found = verdict.findings.first { $0.code == .slowestDevice }
        XCTAssertEqual(
            found?.what, "line-7 is the slowest of 2 runs: 99 % within 22.6 ms, on line-3 within 13.6 ms.")
        let equal = try LatencyReport.merged([Scenario().report(), Scenario().report()])
        XCTAssertTrue(Reports.verdict(of: equal).findings.isEmpty)
    }

    func testOneRunThatFallsBehindIsNotLostAmongMany() throws {
        var slow = Scenario()
        slow.seconds = 10
        slow.dropEvery = 4
        slow.change = { $0.deviceName = "line-7" }
        let healthy = (0..<40).map { _ in Scenario().report() }
        let verdict = Reports.verdict(of: try LatencyReport.merged(healthy + [slow.report()]))
        XCTAssertEqual(verdict.outcome, .keepsUp)
        XCTAssertFalse(verdict.isGood)
        XCTAssertEqual(verdict.findings.first?.what, "1 of 41 runs does not keep up: line-7 (too slow).")
    }

    func testBurstsAreToldFromTooMuchWork() {
        let verdict = verdict { $0.slowEvery = 20 }
        let late = verdict.findings.first { $0.code == .lateFrames }
        XCTAssertTrue(late?.remedy.contains("The work itself would allow 54 fps") ?? false, late?.remedy ?? "")
    }

    func testRunsOnOneDeviceGetNumbers() throws {
        let merged = try LatencyReport.merged([Scenario().report(), Scenario().report()])
        XCTAssertEqual(Reports.label(0, in: merged), "line-3, run 1")
        XCTAssertEqual(Reports.label(1, in: merged), "line-3, run 2")
        XCTAssertEqual(Reports.label(0, in: Scenario().report()), "line-3")
    }

    func testMergedRunsAtDifferentRatesNameBoth() throws {
        var slow = Scenario()
        slow.framesPerSecond = 60
        slow.work = 8_000_000
        let merged = try LatencyReport.merged([Scenario().report(), slow.report()])
        XCTAssertTrue(Reports.verdict(of: merged).headline.hasSuffix("at 30 fps and 60 fps"))
    }

    func testFindingsAreOrderedBySeverity() {
        let verdict = verdict {
            $0.badEvery = 200
            $0.dropEvery = 20
            $0.throttledFrom = 30
            $0.floatLayers = [0]
            $0.change = { $0.governor = "ondemand" }
        }
        let severities = verdict.findings.map { $0.severity }
        XCTAssertEqual(severities, severities.sorted(by: >))
        XCTAssertEqual(Set(severities), [.problem, .warning, .note])
    }

    func testEveryCodeIsExplained() {
        let explanations = Finding.Code.allCases.map { $0.explanation }
        XCTAssertEqual(Set(explanations).count, explanations.count)
        XCTAssertTrue(explanations.allSatisfy { $0.hasSuffix(".") })
    }
}
