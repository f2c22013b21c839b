import NestFormat

/// Checks that operators share: ranges inside the arena and the weights section in arithmetic that can't overflow, sane
/// extents, zero points and factors.
struct PlanChecker {
    let arenaBytes: Int
    let weights: UnsafeRawBufferPointer
    /// The operation under examination.
    let index: Int

    /// Largest extent of any axis.
    static let maxExtent = 1 << 24
    /// Largest kernel, stride, dilation and padding.
    static let maxWindow = 1 << 15
    /// Bytes from a map's first element that address arithmetic may reach, inside the map or not.
    static let maxReach = Int64(Int32.max)

    func bad(_ reason: StaticString) -> LoadError { .badOperation(index: index, reason: reason) }

    func require(_ condition: Bool, _ reason: StaticString) throws(LoadError) {
        if !condition { throw bad(reason) }
    }

    /// Product of non-negative numbers.
    func product(_ a: Int64, _ b: Int64, _ c: Int64 = 1, _ d: Int64 = 1) throws(LoadError) -> Int64 {
        let (ab, o1) = a.multipliedReportingOverflow(by: b)
        let (abc, o2) = ab.multipliedReportingOverflow(by: c)
        let (abcd, o3) = abc.multipliedReportingOverflow(by: d)
        guard !o1, !o2, !o3 else { throw bad("a size overflows") }
        return abcd
    }

    func extent(_ value: Int) throws(LoadError) {
        guard value >= 1, value <= PlanChecker.maxExtent else { throw bad("an extent is not in 1 … 16777216") }
    }

    /// `bytes` (not negative) from `offset` lie inside `space`; the offset is a multiple of `alignment`.
    func range(_ space: Space, offset: Int, bytes: Int64, alignment: Int) throws(LoadError) {
        let size = space == .arena ? arenaBytes : weights.count
        guard offset >= 0, offset <= size, bytes <= Int64(size - offset) else {
            throw bad(space == .arena ? "reaches outside the arena" : "reaches outside the weights section")
        }
        guard offset % alignment == 0 else { throw bad("an offset is misaligned") }
    }

    /// `count` dense arena elements.
    func arena(_ offset: Int, count: Int64, type: DeviceType) throws(LoadError) {
        let bytes = try product(count, Int64(type.byteCount))
        try range(.arena, offset: offset, bytes: bytes, alignment: type.byteCount)
    }

    /// A tensor of the weights section: `count` elements at a multiple of 64 bytes.
    func tensor(_ offset: Int, count: Int64, bytesEach: Int) throws(LoadError) {
        let bytes = try product(count, Int64(bytesEach))
        try range(.weights, offset: offset, bytes: bytes, alignment: NestLimits.tensorAlignment)
    }

    /// `count` finite floats at a multiple of 64 bytes of the weights section.
    func finiteFloats(_ offset: Int, count: Int) throws(LoadError) {
        try tensor(offset, count: Int64(count), bytesEach: 4)
        for i in 0..<count {
            let bits = UInt32(littleEndian: weights.load(fromByteOffset: offset + 4 * i, as: UInt32.self))
            guard Float(bitPattern: bits).isFinite else { throw bad("a scale or table entry is not finite") }
        }
    }

    func map(_ map: FeatureMap, elementBytes: Int) throws(LoadError) {
        try extent(map.height)
        try extent(map.width)
        try extent(map.channels)
        try extent(map.pixelStride)
        guard map.pixelStride >= map.channels else { throw bad("a pixel stride is below the channels") }
        let pixels = try product(Int64(map.height), Int64(map.width))
        let last = try product(pixels - 1, Int64(map.pixelStride))
        let bytes = try product(last + Int64(map.channels), Int64(elementBytes))
        guard bytes <= PlanChecker.maxReach else { throw bad("reaches outside the arena") }
        try range(.arena, offset: map.offset, bytes: bytes, alignment: elementBytes)
    }

    func axes(_ extents: [Int]) throws(LoadError) {
        guard extents.count <= NestLimits.maxAxes else { throw bad("more than 6 axes") }
        for value in extents { try extent(value) }
        _ = try elements(extents)
    }

    /// Number of elements of checked extents; at most 2⁴⁰.
    func elements(_ extents: [Int]) throws(LoadError) -> Int64 {
        var count: Int64 = 1
        for value in extents { count = try product(count, Int64(value)) }
        guard count <= 1 << 40 else { throw bad("a size overflows") }
        return count
    }

    /// All elements that `strides` reach over `extents` lie inside the operand's space.
    func strided(
        _ space: Space, offset: Int, strides: [Int], extents: [Int], elementBytes: Int
    ) throws(LoadError) {
        guard strides.count == extents.count else { throw bad("strides and extents differ in number") }
        var (lowest, highest): (Int64, Int64) = (0, 0)
        for (stride, extent) in zip(strides, extents) {
            guard stride >= -(1 << 30), stride <= 1 << 30 else { throw bad("a stride is out of range") }
            let reach = Int64(stride) * Int64(extent - 1)
            if reach < 0 { lowest += reach } else { highest += reach }
        }
        let bytes = Int64(elementBytes)
        let size = Int64(space == .arena ? arenaBytes : weights.count)
        guard offset >= 0, offset % elementBytes == 0 else { throw bad("an offset is misaligned") }
        guard Int64(offset) <= size, Int64(offset) + lowest * bytes >= 0, Int64(offset) + (highest + 1) * bytes <= size
        else {
            throw bad(space == .arena ? "reaches outside the arena" : "reaches outside the weights section")
        }
    }

    func operand(_ operand: StridedOperand, extents: [Int]) throws(LoadError) {
        switch operand.type {
        case .int8: try zeroPoint(operand.zeroPoint)
        case .float32, .int32: break
        default: throw bad("an operand is neither int8, float32 nor int32")
        }
        guard operand.scale.isNormal, operand.scale > 0 else { throw bad("a scale is not a positive normal number") }
        try strided(
            operand.space, offset: operand.offset, strides: operand.strides, extents: extents,
            elementBytes: operand.type.byteCount)
    }

    /// A result: in the arena, no two indices the same element by a stride of 0.
    func result(_ operand: StridedOperand, extents: [Int]) throws(LoadError) {
        try self.operand(operand, extents: extents)
        guard operand.space == .arena else { throw bad("the result is not in the arena") }
        for (stride, extent) in zip(operand.strides, extents) where stride == 0 && extent > 1 {
            throw bad("a stride of the result is 0")
        }
    }

    func zeroPoint(_ value: Int32) throws(LoadError) {
        guard value >= -128, value <= 127 else { throw bad("a zero point is not in -128 … 127") }
    }

    func multiplier(_ value: Float) throws(LoadError) {
        guard value.isNormal else { throw bad("a multiplier is not a normal number") }
    }

    func clamp(_ low: Int8, _ high: Int8) throws(LoadError) {
        guard low <= high else { throw bad("a clamp's minimum is above its maximum") }
    }

    func clamp(_ low: Float, _ high: Float) throws(LoadError) {
        guard low <= high else { throw bad("a clamp's minimum is above its maximum") }
    }

    /// Geometry whose address arithmetic fits 32 bits.
    func window(_ window: Window, input: FeatureMap, output: FeatureMap, elementBytes: Int) throws(LoadError) {
        for value in [
            window.kernelHeight, window.kernelWidth, window.strideY, window.strideX, window.dilationY, window.dilationX,
        ] {
            guard value >= 1, value <= PlanChecker.maxWindow else {
                throw bad("a kernel extent, stride or dilation is not in 1 … 32768")
            }
        }
        for value in [window.padTop, window.padLeft] {
            guard value >= 0, value <= PlanChecker.maxWindow else { throw bad("a padding is not in 0 … 32768") }
        }
        let rowBytes = try product(Int64(input.width), Int64(input.pixelStride), Int64(elementBytes))
        let pixelBytes = try product(Int64(input.pixelStride), Int64(elementBytes))
        let rows = reach(output.height, window.strideY, window.kernelHeight, window.dilationY, window.padTop)
        let columns = reach(output.width, window.strideX, window.kernelWidth, window.dilationX, window.padLeft)
        let down = try product(rows, rowBytes)
        let across = try product(columns, pixelBytes)
        guard down <= PlanChecker.maxReach, across <= PlanChecker.maxReach, down + across <= PlanChecker.maxReach else {
            throw bad("the window reaches absurdly far outside the input")
        }
        let taps = try product(Int64(window.kernelHeight), Int64(window.kernelWidth))
        guard taps <= 1 << 20 else { throw bad("a kernel has more than 1048576 taps") }
    }

    /// Coordinates that a window can name, on either side of 0.
    private func reach(_ extent: Int, _ stride: Int, _ kernel: Int, _ dilation: Int, _ pad: Int) -> Int64 {
        Int64(extent) * Int64(stride) + Int64(kernel) * Int64(dilation) + Int64(pad)
    }
}
