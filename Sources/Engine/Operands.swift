import NestFormat

/// Where an operand's bytes are.
public enum Space: UInt8, Sendable, Hashable {
    case arena = 0
    /// The file's weights section (constant operands).
    case weights = 1
}

/// A channels-last feature map of batch 1 in the arena: element (y, x, c) is at
/// `offset + ((y * width + x) * pixelStride + c) * bytes`. `pixelStride >= channels`; larger when the map is a channel slice
/// of a wider buffer (concat and split without copies).
public struct FeatureMap: Sendable, Hashable {
    public var offset: Int, height: Int, width: Int, channels: Int, pixelStride: Int
    public init(offset: Int, height: Int, width: Int, channels: Int, pixelStride: Int) {
        (self.offset, self.height, self.width) = (offset, height, width)
        (self.channels, self.pixelStride) = (channels, pixelStride)
    }
}

/// A strided operand over up to six axes; a stride of 0 broadcasts. Strides are in elements.
public struct StridedOperand: Sendable, Hashable {
    public var space: Space, type: DeviceType, offset: Int, strides: [Int]
    /// For int8: real = (q - zeroPoint) * scale. 1 and 0 otherwise.
    public var scale: Float, zeroPoint: Int32
    public init(
        space: Space = .arena, type: DeviceType, offset: Int, strides: [Int], scale: Float = 1, zeroPoint: Int32 = 0
    ) {
        (self.space, self.type, self.offset, self.strides) = (space, type, offset, strides)
        (self.scale, self.zeroPoint) = (scale, zeroPoint)
    }
}

/// Geometry of convolutions and pools. Padding below and right follows from the output's extents.
public struct Window: Sendable, Hashable {
    public var kernelHeight: Int, kernelWidth: Int, strideY: Int, strideX: Int, dilationY: Int, dilationX: Int
    public var padTop: Int, padLeft: Int
    public init(
        kernelHeight: Int, kernelWidth: Int, strideY: Int = 1, strideX: Int = 1, dilationY: Int = 1, dilationX: Int = 1,
        padTop: Int = 0, padLeft: Int = 0
    ) {
        (self.kernelHeight, self.kernelWidth, self.strideY, self.strideX) =
            (kernelHeight, kernelWidth, strideY, strideX)
        (self.dilationY, self.dilationX, self.padTop, self.padLeft) = (dilationY, dilationX, padTop, padLeft)
    }
}
