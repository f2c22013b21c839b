/// Element types of tensors, named as in ONNX `TensorProto.DataType`.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case float32, float64, float16, bfloat16
    case int8, uint8, int16, uint16, int32, uint32, int64, uint64
    case bool

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .int8, .uint8, .bool: 1
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float32, .int32, .uint32: 4
        case .float64, .int64, .uint64: 8
        }
    }

    /// Whether values are of a floating-point type.
    public var isFloatingPoint: Bool {
        switch self {
        case .float32, .float64, .float16, .bfloat16: true
        default: false
        }
    }
}

/// A Swift type that can be the element of a tensor.
public protocol TensorElement: Sendable, BitwiseCopyable {
    static var elementType: ElementType { get }
}

extension Float: TensorElement { public static var elementType: ElementType { .float32 } }
extension Double: TensorElement { public static var elementType: ElementType { .float64 } }
extension Int8: TensorElement { public static var elementType: ElementType { .int8 } }
extension UInt8: TensorElement { public static var elementType: ElementType { .uint8 } }
extension Int16: TensorElement { public static var elementType: ElementType { .int16 } }
extension UInt16: TensorElement { public static var elementType: ElementType { .uint16 } }
extension Int32: TensorElement { public static var elementType: ElementType { .int32 } }
extension UInt32: TensorElement { public static var elementType: ElementType { .uint32 } }
extension Int64: TensorElement { public static var elementType: ElementType { .int64 } }
extension UInt64: TensorElement { public static var elementType: ElementType { .uint64 } }
extension Float16: TensorElement { public static var elementType: ElementType { .float16 } }
extension Bool: TensorElement { public static var elementType: ElementType { .bool } }

/// A dense, row-major tensor whose bytes never change after it was made; copies share them.
public struct Tensor: Sendable {
    /// Owner of the bytes, 64-byte aligned. Written only inside `Tensor.init(unsafeUninitialized:)`.
    final class Storage: @unchecked Sendable {
        let base: UnsafeMutableRawPointer
        let byteCount: Int

        init(byteCount: Int) {
            self.byteCount = byteCount
            base = .allocate(byteCount: max(byteCount, 64), alignment: 64)
        }

        deinit { base.deallocate() }
    }

    public let elementType: ElementType
    public let shape: [Int]
    let storage: Storage

    private init(elementType: ElementType, shape: [Int], storage: Storage) {
        self.elementType = elementType
        self.shape = shape
        self.storage = storage
    }

    /// Makes a tensor and lets `body` write all of its bytes.
    public init(
        unsafeUninitialized elementType: ElementType, shape: [Int],
        _ body: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        precondition(shape.allSatisfy { $0 >= 0 }, "negative extent in \(shape)")
        let byteCount = shape.reduce(1, *) * elementType.byteCount
        let storage = Storage(byteCount: byteCount)
        try body(UnsafeMutableRawBufferPointer(start: storage.base, count: byteCount))
        self.init(elementType: elementType, shape: shape, storage: storage)
    }

    /// Makes a tensor of `shape` from row-major `elements`; their count must be the product of `shape`.
    public init<Element: TensorElement>(_ elements: [Element], shape: [Int]) {
        precondition(elements.count == shape.reduce(1, *), "\(elements.count) elements for shape \(shape)")
        self.init(unsafeUninitialized: Element.elementType, shape: shape) { bytes in
            elements.withUnsafeBytes { bytes.copyMemory(from: $0) }
        }
    }

    /// A rank-0 tensor.
    public init<Element: TensorElement>(scalar: Element) { self.init([scalar], shape: []) }

    /// Makes a tensor of `shape` by writing every element through a typed buffer.
    public init<Element: TensorElement>(
        shape: [Int], of _: Element.Type, _ body: (UnsafeMutableBufferPointer<Element>) throws -> Void
    ) rethrows {
        try self.init(unsafeUninitialized: Element.elementType, shape: shape) { bytes in
            try body(bytes.bindMemory(to: Element.self))
        }
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The bytes, little-endian, row-major. Valid while the tensor is alive: use through `withExtendedLifetime` or
    /// `withBytes`.
    public var unsafeBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: storage.base, count: count * elementType.byteCount)
    }

    /// Gives `body` the elements; the tensor's type must be `Element`'s.
    public func withElements<Element: TensorElement, Result>(
        of _: Element.Type, _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) rethrows -> Result {
        precondition(Element.elementType == elementType, "tensor is \(elementType), not \(Element.elementType)")
        return try withExtendedLifetime(storage) {
            try body(UnsafeBufferPointer(start: storage.base.assumingMemoryBound(to: Element.self), count: count))
        }
    }

    /// The elements as an array; the tensor's type must be `Element`'s.
    public func elements<Element: TensorElement>(as type: Element.Type) -> [Element] {
        withElements(of: type) { Array($0) }
    }

    /// The same bytes under another shape of as many elements.
    public func reshaped(_ newShape: [Int]) -> Tensor {
        precondition(newShape.reduce(1, *) == count, "cannot see shape \(shape) as \(newShape)")
        return Tensor(elementType: elementType, shape: newShape, storage: storage)
    }
}
