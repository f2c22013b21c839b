import NestFormat

extension ByteWriter {
    mutating func write(_ map: FeatureMap) {
        writeSize(map.offset)
        writeCount(map.height)
        writeCount(map.width)
        writeCount(map.channels)
        writeCount(map.pixelStride)
    }

    mutating func write(_ window: Window) {
        writeCount(window.kernelHeight)
        writeCount(window.kernelWidth)
        writeCount(window.strideY)
        writeCount(window.strideX)
        writeCount(window.dilationY)
        writeCount(window.dilationX)
        writeCount(window.padTop)
        writeCount(window.padLeft)
    }

    /// Number of axes, then the extents.
    mutating func write(extents: [Int]) {
        write(UInt8(extents.count))
        for extent in extents { writeCount(extent) }
    }

    mutating func write(strides: [Int]) {
        for stride in strides { writeStride(stride) }
    }

    /// The strides' number is that of the extents written before.
    mutating func write(_ operand: StridedOperand) {
        write(operand.space.rawValue)
        write(operand.type.rawValue)
        writeSize(operand.offset)
        write(strides: operand.strides)
        write(operand.scale)
        write(operand.zeroPoint)
    }
}

extension ByteReader {
    mutating func readFeatureMap() throws(LoadError) -> FeatureMap {
        let offset = try readSize()
        let height = try readCount()
        let width = try readCount()
        let channels = try readCount()
        return FeatureMap(
            offset: offset, height: height, width: width, channels: channels, pixelStride: try readCount())
    }

    mutating func readWindow() throws(LoadError) -> Window {
        let kernelHeight = try readCount()
        let kernelWidth = try readCount()
        let strideY = try readCount()
        let strideX = try readCount()
        let dilationY = try readCount()
        let dilationX = try readCount()
        let padTop = try readCount()
        let padLeft = try readCount()
        return Window(
            kernelHeight: kernelHeight, kernelWidth: kernelWidth, strideY: strideY, strideX: strideX,
            dilationY: dilationY, dilationX: dilationX, padTop: padTop, padLeft: padLeft)
    }

    mutating func readExtents() throws(LoadError) -> [Int] {
        let count = Int(try readUInt8())
        guard count <= NestLimits.maxAxes else { throw malformed("more than 6 axes") }
        var extents: [Int] = []
        for _ in 0..<count { extents.append(try readCount()) }
        return extents
    }

    mutating func readStrides(_ count: Int) throws(LoadError) -> [Int] {
        var strides: [Int] = []
        for _ in 0..<count { strides.append(try readStride()) }
        return strides
    }

    mutating func readSpace() throws(LoadError) -> Space {
        guard let space = Space(rawValue: try readUInt8()) else { throw malformed("unknown space") }
        return space
    }

    mutating func readOperand(axes: Int) throws(LoadError) -> StridedOperand {
        let space = try readSpace()
        let type = try readDeviceType()
        let offset = try readSize()
        let strides = try readStrides(axes)
        let scale = try readFiniteFloat()
        return StridedOperand(
            space: space, type: type, offset: offset, strides: strides, scale: scale, zeroPoint: try readInt32())
    }
}

extension FeatureMap {
    /// Checked maps have far fewer than 2³¹ pixels.
    var pixels: Int { height * width }

    /// Pieces of the map's elements in order.
    @inline(__always)
    func forEachPiece(elementBytes: Int, _ body: (Int, Int) -> Void) {
        if pixelStride == channels {
            body(offset, pixels * channels * elementBytes)
        } else {
            for pixel in 0..<pixels { body(offset + pixel * pixelStride * elementBytes, channels * elementBytes) }
        }
    }
}
