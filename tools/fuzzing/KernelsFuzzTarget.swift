// libFuzzer's entry for the kernels: any bytes choose a case of the self-test, which every instruction set of this CPU,
// those with a software model too, must compute as the reference does. See tools/fuzz.
import CKernelsModel
import Kernels

private let features = CPUFeatures(rawValue: swiftlet_install_kernel_models())

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    if let difference = firstDifference(inCaseOf: bytes, features: features) {
        let name = difference.kernel?.name ?? "a convolution with \(difference.isa.name) kernels"
        fatalError("\(name) differs from the reference; \(difference.geometry.map { "\($0), " } ?? "")case \(bytes)")
    }
    return 0
}
