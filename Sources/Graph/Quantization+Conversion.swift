extension Quantization {
    /// Lowest and highest stored integer.
    public var storedRange: ClosedRange<Int32> {
        switch elementType {
        case .int8: -128...127
        case .uint8: 0...255
        case .int16: -32768...32767
        case .uint16: 0...65535
        default: Int32.min...Int32.max
        }
    }

    /// Stored integers → real numbers (float32): `(stored - zeroPoint) * scale`.
    public func dequantize(_ stored: Tensor) -> Tensor {
        precondition(stored.elementType == elementType, "stored as \(stored.elementType), annotated \(elementType)")
        switch elementType {
        case .int8: return dequantize(stored, Int8.self)
        case .uint8: return dequantize(stored, UInt8.self)
        case .int16: return dequantize(stored, Int16.self)
        case .uint16: return dequantize(stored, UInt16.self)
        case .int32: return dequantize(stored, Int32.self)
        default: preconditionFailure("no quantization stores \(elementType)")
        }
    }

    /// Real numbers (float32) → stored integers: divided by the scale, rounded to nearest even, plus the zero point,
    /// saturated. NaN gives the zero point.
    public func quantize(_ real: Tensor) -> Tensor {
        switch elementType {
        case .int8: return quantize(real, Int8.self)
        case .uint8: return quantize(real, UInt8.self)
        case .int16: return quantize(real, Int16.self)
        case .uint16: return quantize(real, UInt16.self)
        case .int32: return quantize(real, Int32.self)
        default: preconditionFailure("no quantization stores \(elementType)")
        }
    }

    /// The real numbers that remain of `real` after storing.
    public func rounded(_ real: Tensor) -> Tensor { dequantize(quantize(real)) }

    /// Calls `body` for every run of elements that share a scale: first element, count, scale, zero point.
    private func forEachRun(_ shape: [Int], _ body: (Int, Int, Float, Int32) -> Void) {
        guard let axis, scales.count > 1 else {
            body(0, shape.reduce(1, *), scales[0], zeroPoints[0])
            return
        }
        precondition(shape[axis] == scales.count, "\(scales.count) scales for axis \(axis) of \(shape)")
        let inner = shape[(axis + 1)...].reduce(1, *)
        let outer = shape[..<axis].reduce(1, *)
        for index in 0..<outer {
            for channel in 0..<scales.count {
                body((index * scales.count + channel) * inner, inner, scales[channel], zeroPoints[channel])
            }
        }
    }

    private func dequantize<Stored: NumericElement & FixedWidthInteger>(_ stored: Tensor, _: Stored.Type) -> Tensor {
        Tensor(shape: stored.shape, of: Float.self) { output in
            stored.withElements(of: Stored.self) { input in
                let (source, target) = (input.baseAddress!, output.baseAddress!)
                forEachRun(stored.shape) { first, count, scale, zeroPoint in
                    // int32 differences are taken in 64 bits so that they can't overflow.
                    for index in first..<(first + count) {
                        target[index] = Float(Int64(source[index]) - Int64(zeroPoint)) * scale
                    }
                }
            }
        }
    }

    private func quantize<Stored: NumericElement & FixedWidthInteger>(_ real: Tensor, _: Stored.Type) -> Tensor {
        Tensor(shape: real.shape, of: Stored.self) { output in
            real.withElements(of: Float.self) { input in
                let (source, target) = (input.baseAddress!, output.baseAddress!)
                forEachRun(real.shape) { first, count, scale, zeroPoint in
                    for index in first..<(first + count) {
                        target[index] = Stored.quantized(source[index], scale: scale, zeroPoint: zeroPoint)
                    }
                }
            }
        }
    }
}

extension FixedWidthInteger {
    /// `x / scale` rounded to nearest even, plus `zeroPoint`, saturated; the zero point for NaN.
    @inline(__always)
    static func quantized(_ x: Float, scale: Float, zeroPoint: Int32) -> Self {
        let scaled = (x / scale).rounded(.toNearestOrEven)
        if scaled.isNaN { return Self(clamping: zeroPoint) }
        // Beyond ±2^32 every stored type saturates whatever the zero point.
        let bounded = Int64(Swift.max(-4_294_967_296, Swift.min(4_294_967_296, scaled)))
        return Self(clamping: bounded + Int64(zeroPoint))
    }
}
