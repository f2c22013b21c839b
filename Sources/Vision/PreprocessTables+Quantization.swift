import NestFormat

extension Preprocess {
    /// What the network's input holds for pixel value 0 … 255 of a channel (in the network's colour order):
    /// `(Float(pixel) * scale - mean) / std`, each step rounded to Float.
    public func normalized(channel: Int) -> [Float] {
        (0..<256).map { (Float($0) * scale - mean[channel]) / std[channel] }
    }

    /// The tables for an input port: normalised values, for int8 ports quantized as
    /// `clamp(rne(value / scale) + zeroPoint)`.
    public func tables(for port: PortDescriptor) -> PreprocessTables {
        guard port.storedType == .int8 else {
            return .float32((0..<channels).flatMap { normalized(channel: $0) })
        }
        return .int8(
            (0..<channels).flatMap { channel in
                normalized(channel: channel).map { value in
                    let rounded = (value / port.scale).rounded(.toNearestOrEven)
                    let code = max(-1024, min(1024, rounded)) + Float(port.zeroPoint)
                    return Int8(max(-128, min(127, code)))
                }
            })
    }
}
