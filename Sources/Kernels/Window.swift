import CKernels

/// A rectangle of pixels that a pool or reduction goes over, at least 0 × 0: element (y, x, c) is at
/// start + y * rowStride + x * columnStride + c. `Packing.readAheadBytes` bytes behind the last one are readable.
struct PixelWindow {
    var start: UnsafePointer<Int8>
    var rows: Int
    var rowStride: Int
    var columns: Int
    var columnStride: Int
}

@inline(__always)
func maximumInt8(_ kernel: Kernel, _ window: PixelWindow, channels: Int, output: UnsafeMutablePointer<Int8>) {
    kernel.markExecuted()
    var arguments = swiftlet_maximum_s8_arguments(
        input: window.start, columnStride: window.columnStride, rowStride: window.rowStride,
        columns: Int32(window.columns), rows: Int32(window.rows), channels: Int32(channels), output: output)
    if let function = kernel.entry.pointee.function.maximum_s8 {
        function(&arguments)
    } else {
        maximumInt8Scalar(arguments)
    }
}

@inline(__always)
func sumInt8(_ kernel: Kernel, _ window: PixelWindow, channels: Int, sums: UnsafeMutablePointer<Int32>) {
    kernel.markExecuted()
    var arguments = swiftlet_sum_s8_arguments(
        input: window.start, columnStride: window.columnStride, rowStride: window.rowStride,
        columns: Int32(window.columns), rows: Int32(window.rows), channels: Int32(channels), sums: sums)
    if let function = kernel.entry.pointee.function.sum_s8 { function(&arguments) } else { sumInt8Scalar(arguments) }
}

extension KernelSet {
    /// output[c] = maximum of the `count` values input[k * stride + c]; -128 where `count` is 0.
    @export(interface) public func maximum(
        of input: UnsafePointer<Int8>, count: Int, stride: Int, channels: Int, output: UnsafeMutablePointer<Int8>
    ) {
        maximumInt8(
            maximum, PixelWindow(start: input, rows: 1, rowStride: 0, columns: count, columnStride: stride),
            channels: channels, output: output)
    }

    /// sums[c] = sum of the `count` values input[k * stride + c] - subtrahend.
    @export(interface) public func sum(
        of input: UnsafePointer<Int8>, minus subtrahend: Int32, count: Int, stride: Int, channels: Int,
        sums: UnsafeMutablePointer<Int32>
    ) {
        sumInt8(
            sum, PixelWindow(start: input, rows: 1, rowStride: 0, columns: count, columnStride: stride),
            channels: channels, sums: sums)
        let total = subtrahend &* Int32(truncatingIfNeeded: count)
        for c in 0..<channels { sums[c] &-= total }
    }
}
