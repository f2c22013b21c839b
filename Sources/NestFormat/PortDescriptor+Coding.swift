extension PortDescriptor {
    /// Extents in arena order.
    public var storedShape: [Int] { permutation.map { shape[$0] } }

    public var elementCount: Int { shape.reduce(1, *) }

    /// Bytes in the arena.
    public var storedByteCount: Int { elementCount * storedType.byteCount }

    public func encode(into writer: inout ByteWriter) {
        writer.write(name)
        writer.write(externalType.rawValue)
        writer.write(storedType.rawValue)
        writer.write(UInt8(shape.count))
        for extent in shape { writer.writeCount(extent) }
        for axis in permutation { writer.write(UInt8(axis)) }
        writer.writeSize(arenaOffset)
        writer.write(scale)
        writer.write(zeroPoint)
    }

    /// Reads a port; that its values make sense together is the plan's to check.
    public init(decoding reader: inout ByteReader) throws(LoadError) {
        let name = try reader.readString()
        let externalType = try reader.readDeviceType()
        let storedType = try reader.readDeviceType()
        let axes = Int(try reader.readUInt8())
        guard axes >= 1, axes <= NestLimits.maxAxes else { throw reader.malformed("a port has not 1 to 6 axes") }
        var shape: [Int] = []
        for _ in 0..<axes { shape.append(try reader.readCount()) }
        var permutation: [Int] = []
        for _ in 0..<axes {
            let axis = Int(try reader.readUInt8())
            guard axis < axes, !permutation.contains(axis) else { throw reader.malformed("not a permutation of axes") }
            permutation.append(axis)
        }
        let arenaOffset = try reader.readSize()
        let scale = try reader.readFiniteFloat()
        let zeroPoint = try reader.readInt32()
        self.init(
            name: name, shape: shape, externalType: externalType, storedType: storedType, arenaOffset: arenaOffset,
            permutation: permutation, scale: scale, zeroPoint: zeroPoint)
    }
}
