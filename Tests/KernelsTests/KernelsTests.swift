import Kernels
import XCTest

final class SelfTestTests: XCTestCase {
    func testEveryRunnableKernelEqualsTheReference() {
        var passed = 0
        let isGood = selfTestAllKernels(cases: 64) { kernel, outcome in
            switch outcome {
            case .passed: passed += 1
            case .failed(let number): XCTFail("\(kernel.name) differs from the reference in case \(number)")
            case .notRunnable: XCTAssertFalse(kernel.isRunnable(on: .current))
            }
        }
        XCTAssertTrue(isGood)
        XCTAssertGreaterThanOrEqual(passed, 7)
    }
}
