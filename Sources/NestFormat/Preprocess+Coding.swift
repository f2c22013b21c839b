/// What every 8-bit pixel value becomes: 256 entries a channel, channel after channel, in the network's colour order.
public enum PreprocessTables: Sendable, Hashable {
    case int8([Int8])
    case float32([Float])

    public var type: DeviceType {
        switch self {
        case .int8: .int8
        case .float32: .float32
        }
    }

    public var entryCount: Int {
        switch self {
        case .int8(let entries): entries.count
        case .float32(let entries): entries.count
        }
    }
}

extension Preprocess {
    func encode(tables: PreprocessTables, into writer: inout ByteWriter) {
        precondition(tables.entryCount == 256 * channels, "256 table entries a channel")
        precondition(mean.count == std.count && mean.count >= channels, "mean and std for every channel")
        writer.writeCount(width)
        writer.writeCount(height)
        writer.write(color.rawValue)
        writer.write(fit.rawValue)
        writer.write(filter.rawValue)
        writer.write(fill)
        writer.writeCount(resizeShorterSide)
        writer.write(cropFraction)
        writer.write(scaledDecodeMargin)
        writer.write(scale)
        writer.write(UInt8(mean.count))
        for value in mean { writer.write(value) }
        for value in std { writer.write(value) }
        writer.write(tables.type.rawValue)
        switch tables {
        case .int8(let entries): for entry in entries { writer.write(entry) }
        case .float32(let entries): for entry in entries { writer.write(entry) }
        }
    }

    /// Largest width, height and shorter side that a file may ask for.
    public static let maxExtent = 16_384

    static func decode(_ reader: inout ByteReader) throws(LoadError) -> (Preprocess, PreprocessTables) {
        let width = try reader.readCount()
        let height = try reader.readCount()
        guard let color = Color(rawValue: try reader.readUInt8()) else { throw reader.malformed("unknown colour order") }
        guard let fit = Fit(rawValue: try reader.readUInt8()) else { throw reader.malformed("unknown fit") }
        guard let filter = Filter(rawValue: try reader.readUInt8()) else { throw reader.malformed("unknown filter") }
        let fill = try reader.readUInt8()
        let shorterSide = try reader.readCount()
        let cropFraction = try reader.readFiniteFloat()
        let margin = try reader.readFiniteFloat()
        let scale = try reader.readFiniteFloat()
        guard width >= 1, height >= 1, max(width, height, shorterSide) <= maxExtent else {
            throw reader.malformed("width, height or shorter side is not in 1 … 16384")
        }
        guard fit != .resizeThenCenterCrop || shorterSide >= max(1, min(width, height)) else {
            throw reader.malformed("the shorter side is below the crop's")
        }
        guard cropFraction > 0, cropFraction <= 1 else { throw reader.malformed("the crop fraction is not in 0 … 1") }
        guard margin >= 0, margin <= 64 else { throw reader.malformed("the decode margin is not in 0 … 64") }
        let count = Int(try reader.readUInt8())
        guard count >= (color == .gray ? 1 : 3), count <= 4 else {
            throw reader.malformed("mean and std are not there for every channel")
        }
        var mean: [Float] = []
        for _ in 0..<count { mean.append(try reader.readFiniteFloat()) }
        var std: [Float] = []
        for _ in 0..<count {
            let value = try reader.readFiniteFloat()
            guard value.isNormal else { throw reader.malformed("a std is zero or subnormal") }
            std.append(value)
        }
        let preprocess = Preprocess(
            width: width, height: height, color: color, fit: fit, filter: filter, resizeShorterSide: shorterSide,
            cropFraction: cropFraction, fill: fill, scaledDecodeMargin: margin, scale: scale, mean: mean, std: std)
        switch try reader.readDeviceType() {
        case .int8:
            var entries: [Int8] = []
            entries.reserveCapacity(256 * preprocess.channels)
            for _ in 0..<256 * preprocess.channels { entries.append(try reader.readInt8()) }
            return (preprocess, .int8(entries))
        case .float32:
            var entries: [Float] = []
            entries.reserveCapacity(256 * preprocess.channels)
            for _ in 0..<256 * preprocess.channels { entries.append(try reader.readFiniteFloat()) }
            return (preprocess, .float32(entries))
        default:
            throw reader.malformed("preprocessing tables are neither int8 nor float32")
        }
    }
}
