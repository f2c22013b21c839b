extension Tensor {
    /// The elements converted as ONNX Cast does; the same tensor when it is of that type.
    public func converted(to newType: ElementType) -> Tensor {
        if newType == elementType { return self }
        switch (elementType, newType) {
        case (.uint8, .float32): return mapped(UInt8.self, Float.self) { Float($0) }
        case (.int8, .float32): return mapped(Int8.self, Float.self) { Float($0) }
        case (.int32, .float32): return mapped(Int32.self, Float.self) { Float($0) }
        case (.float16, .float32): return mapped(Float16.self, Float.self) { Float($0) }
        case (.float32, .float16): return mapped(Float.self, Float16.self) { Float16($0) }
        default: return converted(from: elementType.convertibleType, to: newType.convertibleType)
        }
    }

    private func converted<From: ConvertibleElement, To: ConvertibleElement>(from _: From.Type, to _: To.Type) -> Tensor
    {
        if To.isInteger && From.isInteger { return mapped(From.self, To.self) { To(integer: $0.integer) } }
        return mapped(From.self, To.self) { To(real: $0.real) }
    }

    /// A tensor of the same shape whose elements are `function` of these.
    @inline(__always)
    func mapped<From: TensorElement, To: TensorElement>(
        _ from: From.Type, _ to: To.Type, _ function: (From) -> To
    ) -> Tensor {
        Tensor(shape: shape, of: To.self) { output in
            withElements(of: From.self) { input in
                for index in 0..<input.count { output[index] = function(input[index]) }
            }
        }
    }

    /// All elements as Swift integers; floating-point ones are truncated.
    public var integers: [Int] {
        if elementType == .int64 { return withElements(of: Int64.self) { $0.map(Int.init) } }
        return converted(to: .int64).withElements(of: Int64.self) { $0.map(Int.init) }
    }

    /// All elements as float32.
    public var floats: [Float] { converted(to: .float32).elements(as: Float.self) }

    /// All elements as float64.
    public var doubles: [Double] { converted(to: .float64).elements(as: Double.self) }

    /// An int64 tensor.
    init(integers: [Int], shape: [Int]) { self.init(integers.map(Int64.init), shape: shape) }

    /// A tensor of zeros (false).
    public init(zeros elementType: ElementType, shape: [Int]) {
        self.init(unsafeUninitialized: elementType, shape: shape) { bytes in
            _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}
