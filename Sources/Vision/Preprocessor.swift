import NestFormat

/// Turns pictures into the network's input tensor (NHWC, int8 or float32) in one pass: each source row inside the box is
/// converted to RGB or gray, resampled horizontally to 8 bits and kept while output rows need it; each output row is
/// resampled vertically to 8 bits, and every value goes through its channel's table into the tensor. Integer arithmetic
/// throughout: the same bits on every CPU.
///
/// Tables are made when a picture's size differs from the one before. Memory is taken when a size needs more than any
/// before it (`prepare` at start for the camera's size): frames of one size, or smaller ones, allocate nothing.
public final class Preprocessor {
    public let preprocess: Preprocess
    /// int8 or float32.
    public let outputType: DeviceType
    /// Of the picture size in use; set by `prepare` or `run`.
    public private(set) var placement: Placement

    private let tables: UnsafeMutableRawPointer
    private let channels: Int
    private var horizontal = ResampleTable()
    private var vertical = ResampleTable()
    /// The part of the input that pictures cover.
    private var columns = 0..<0
    private var rows = 0..<0
    private var line = Scratch<UInt8>()
    private var ring = Scratch<UInt8>()
    private var sums = Scratch<Int32>()

    /// `tables` has 256 entries a channel, in the network's colour order.
    @export(interface) public init(_ preprocess: Preprocess, tables: PreprocessTables) {
        precondition(tables.entryCount == 256 * preprocess.channels, "256 table entries a channel")
        self.preprocess = preprocess
        channels = preprocess.channels
        outputType = tables.type
        let byteCount = tables.entryCount * tables.type.byteCount
        self.tables = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        switch tables {
        case .int8(let entries):
            let target = self.tables.bindMemory(to: Int8.self, capacity: entries.count)
            for i in 0..<entries.count { target[i] = entries[i] }
        case .float32(let entries):
            let target = self.tables.bindMemory(to: Float.self, capacity: entries.count)
            for i in 0..<entries.count { target[i] = entries[i] }
        }
        placement = Placement(preprocess, sourceWidth: preprocess.width, sourceHeight: preprocess.height)
        makeTables()
    }

    deinit {
        tables.deallocate()
        line.deallocate()
        ring.deallocate()
        sums.deallocate()
    }

    /// Bytes that `run` writes.
    public var outputByteCount: Int {
        preprocess.width * preprocess.height * channels * outputType.byteCount
    }

    /// Makes the tables for pictures of this size, unless they are there.
    @export(interface) public func prepare(sourceWidth: Int, sourceHeight: Int) {
        guard placement.sourceWidth != sourceWidth || placement.sourceHeight != sourceHeight else { return }
        placement = Placement(preprocess, sourceWidth: sourceWidth, sourceHeight: sourceHeight)
        makeTables()
    }

    private func makeTables() {
        columns = max(0, placement.offsetX)..<min(preprocess.width, placement.offsetX + placement.resizedWidth)
        rows = max(0, placement.offsetY)..<min(preprocess.height, placement.offsetY + placement.resizedHeight)
        horizontal.fill(
            filter: preprocess.filter, sourceSize: placement.sourceWidth, low: placement.boxLeft,
            high: placement.boxRight, outputSize: placement.resizedWidth,
            outputs: (columns.lowerBound - placement.offsetX)..<(columns.upperBound - placement.offsetX))
        vertical.fill(
            filter: preprocess.filter, sourceSize: placement.sourceHeight, low: placement.boxTop,
            high: placement.boxBottom, outputSize: placement.resizedHeight,
            outputs: (rows.lowerBound - placement.offsetY)..<(rows.upperBound - placement.offsetY))
        line.reserve(horizontal.sourceRange.count * channels)
        ring.reserve(vertical.largestCount * columns.count * channels)
        sums.reserve(columns.count * channels)
    }

    /// Writes the input tensor for `image` to `output` (at least `outputByteCount` bytes, aligned for its type).
    @export(interface) public func run(_ image: Image, output: UnsafeMutableRawPointer) {
        prepare(sourceWidth: image.width, sourceHeight: image.height)
        switch outputType {
        case .int8: run(image, output: output.assumingMemoryBound(to: Int8.self))
        default: run(image, output: output.assumingMemoryBound(to: Float.self))
        }
    }

    private func run<Element>(_ image: Image, output: UnsafeMutablePointer<Element>) {
        let table = tables.assumingMemoryBound(to: Element.self)
        let rowElements = preprocess.width * channels
        fill(output, rows: 0..<rows.lowerBound, table)
        fill(output, rows: rows.upperBound..<preprocess.height, table)
        let columnElements = columns.count * channels
        var nextSourceRow = vertical.sourceRange.lowerBound
        vertical.withTaps { firsts, counts, coefficients, tapCapacity in
            for y in rows {
                let index = y - rows.lowerBound
                let (first, count) = (Int(firsts[index]), Int(counts[index]))
                nextSourceRow = max(nextSourceRow, first)
                while nextSourceRow < first + count {
                    resampleRow(image, y: nextSourceRow)
                    nextSourceRow += 1
                }
                combine(first: first, count: count, coefficients: coefficients + index * tapCapacity)
                let row = output + y * rowElements
                fill(row, columns: 0..<columns.lowerBound, table)
                fill(row, columns: columns.upperBound..<preprocess.width, table)
                lookUp(row + columns.lowerBound * channels, count: columnElements, table)
            }
        }
    }

    /// Converts source row `y` and resamples it horizontally into its place in the ring.
    private func resampleRow(_ image: Image, y: Int) {
        let source = horizontal.sourceRange
        var start = UnsafePointer(line.memory)
        let row = image.planes.0 + y * image.strides.0
        if channels == 3 {
            if image.format == .rgb24 {
                start = row + 3 * source.lowerBound
            } else {
                ColorConversion.writeRGB(image, y: y, columns: source, to: line.memory)
            }
        } else if image.format == .gray8 {
            start = row + source.lowerBound
        } else {
            ColorConversion.writeGray(image, y: y, columns: source, to: line.memory)
        }
        let target = ring.memory + (y % vertical.largestCount) * columns.count * channels
        let half = Int32(1) << (ResampleTable.precisionBits - 1)
        horizontal.withTaps { firsts, counts, coefficients, tapCapacity in
            if channels == 3 {
                for x in 0..<columns.count {
                    let taps = coefficients + x * tapCapacity
                    var pixel = start + 3 * (Int(firsts[x]) - source.lowerBound)
                    var (red, green, blue) = (half, half, half)
                    for tap in 0..<Int(counts[x]) {
                        let weight = taps[tap]
                        red = red &+ Int32(pixel[0]) &* weight
                        green = green &+ Int32(pixel[1]) &* weight
                        blue = blue &+ Int32(pixel[2]) &* weight
                        pixel += 3
                    }
                    target[3 * x] = ColorConversion.clamp(red >> ResampleTable.precisionBits)
                    target[3 * x + 1] = ColorConversion.clamp(green >> ResampleTable.precisionBits)
                    target[3 * x + 2] = ColorConversion.clamp(blue >> ResampleTable.precisionBits)
                }
            } else {
                for x in 0..<columns.count {
                    let taps = coefficients + x * tapCapacity
                    let pixel = start + (Int(firsts[x]) - source.lowerBound)
                    var sum = half
                    for tap in 0..<Int(counts[x]) { sum = sum &+ Int32(pixel[tap]) &* taps[tap] }
                    target[x] = ColorConversion.clamp(sum >> ResampleTable.precisionBits)
                }
            }
        }
    }

    /// Weighted sum of ring rows into `sums`.
    private func combine(first: Int, count: Int, coefficients: UnsafePointer<Int32>) {
        let elements = columns.count * channels
        let sums = sums.memory
        let half = Int32(1) << (ResampleTable.precisionBits - 1)
        for i in 0..<elements { sums[i] = half }
        for tap in 0..<count {
            let row = ring.memory + ((first + tap) % vertical.largestCount) * elements
            let weight = coefficients[tap]
            for i in 0..<elements { sums[i] = sums[i] &+ Int32(row[i]) &* weight }
        }
    }

    /// Rounds `sums` to 8 bits and looks every value up, channels in the network's order.
    private func lookUp<Element>(
        _ target: UnsafeMutablePointer<Element>, count: Int, _ table: UnsafePointer<Element>
    ) {
        let sums = sums.memory
        if channels == 1 {
            for i in 0..<count {
                target[i] = table[Int(ColorConversion.clamp(sums[i] >> ResampleTable.precisionBits))]
            }
            return
        }
        let (red, blue) = preprocess.color == .bgr ? (2, 0) : (0, 2)
        var i = 0
        while i < count {
            let r = ColorConversion.clamp(sums[i] >> ResampleTable.precisionBits)
            let g = ColorConversion.clamp(sums[i + 1] >> ResampleTable.precisionBits)
            let b = ColorConversion.clamp(sums[i + 2] >> ResampleTable.precisionBits)
            target[i + red] = table[256 * red + Int(r)]
            target[i + 1] = table[256 + Int(g)]
            target[i + blue] = table[256 * blue + Int(b)]
            i += 3
        }
    }

    private func fill<Element>(
        _ output: UnsafeMutablePointer<Element>, rows: Range<Int>, _ table: UnsafePointer<Element>
    ) {
        for y in rows {
            fill(output + y * preprocess.width * channels, columns: 0..<preprocess.width, table)
        }
    }

    private func fill<Element>(
        _ row: UnsafeMutablePointer<Element>, columns: Range<Int>, _ table: UnsafePointer<Element>
    ) {
        for x in columns {
            for c in 0..<channels { row[x * channels + c] = table[256 * c + Int(preprocess.fill)] }
        }
    }
}

extension ResampleTable {
    @inline(__always)
    func withTaps(
        _ body: (
            _ firsts: UnsafePointer<Int32>, _ counts: UnsafePointer<Int32>, _ coefficients: UnsafePointer<Int32>,
            _ tapCapacity: Int
        ) -> Void
    ) {
        guard !firsts.isEmpty else { return }
        firsts.withUnsafeBufferPointer { firsts in
            counts.withUnsafeBufferPointer { counts in
                coefficients.withUnsafeBufferPointer { coefficients in
                    body(firsts.baseAddress!, counts.baseAddress!, coefficients.baseAddress!, tapCapacity)
                }
            }
        }
    }
}

/// Memory that only grows.
struct Scratch<Element: BitwiseCopyable & ExpressibleByIntegerLiteral> {
    private(set) var memory = UnsafeMutablePointer<Element>.allocate(capacity: 1)
    private(set) var capacity = 1

    mutating func reserve(_ count: Int) {
        guard count > capacity else { return }
        memory.deallocate()
        memory = UnsafeMutablePointer<Element>.allocate(capacity: count)
        memory.initialize(repeating: 0, count: count)
        capacity = count
    }

    func deallocate() { memory.deallocate() }
}
