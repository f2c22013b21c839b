import Graph

/// A model of one operator, for which LiteRT has computed the outputs (TFLiteOperatorGolden.txt).
struct TFLiteOperatorCase: Sendable {
    var name: String
    var model: TFLiteModelWriter
    /// Real numbers that inputs are drawn from.
    var domain: ClosedRange<Float>

    /// Inputs in the order of the model: the same on every machine.
    var inputs: [Tensor] {
        var generator = CaseGenerator(name)
        return model.inputs.map { index in
            let spec = model.tensors[index]
            let count = spec.shape.reduce(1, *)
            switch spec.type {
            case .float32: return Tensor((0..<count).map { _ in generator.real(domain) }, shape: spec.shape)
            case .int32:
                return Tensor(
                    (0..<count).map { _ in Int32(generator.real(domain).rounded()) }, shape: spec.shape)
            case .bool: return Tensor((0..<count).map { _ in generator.next() & 1 == 1 }, shape: spec.shape)
            case .uint8:
                return Tensor((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }, shape: spec.shape)
            case .int8:
                return Tensor((0..<count).map { _ in Int8(truncatingIfNeeded: generator.next()) }, shape: spec.shape)
            default: preconditionFailure("no inputs of type \(spec.type)")
            }
        }
    }
}

/// xorshift64*, seeded by a name.
struct CaseGenerator {
    private var state: UInt64

    init(_ name: String) {
        state = name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return (state &* 0x2545_f491_4f6c_dd1d) >> 32
    }

    /// A multiple of 1/64 of the range.
    mutating func real(_ range: ClosedRange<Float>) -> Float {
        range.lowerBound + Float(next() % 65) / 64 * (range.upperBound - range.lowerBound)
    }
}

extension TFLiteOperatorCase {
    /// One operator whose inputs without contents are the model's.
    init(
        _ name: String, _ code: Int32, _ inputs: [TFLiteTensorSpec], _ outputs: [TFLiteTensorSpec],
        _ optionsType: Int8 = 0, _ options: [Int: FlatField]? = nil, domain: ClosedRange<Float> = -4...4
    ) {
        var model = TFLiteModelWriter()
        let indices = inputs.map { model.add($0) }
        model.inputs = indices.filter { model.tensors[$0].data == nil }
        model.outputs = model.add(code, indices, to: outputs, optionsType, options)
        (self.name, self.model, self.domain) = (name, model, domain)
    }

    private static func weights(_ name: String, _ shape: [Int]) -> TFLiteTensorSpec {
        var generator = CaseGenerator(name)
        return .floats((0..<shape.reduce(1, *)).map { _ in generator.real(-1...1) }, shape)
    }

    private static func int8Weights(_ name: String, _ shape: [Int], _ scales: [Float], axis: Int) -> TFLiteTensorSpec {
        var generator = CaseGenerator(name)
        let data = (0..<shape.reduce(1, *)).map { _ in UInt8(bitPattern: Int8(Int(generator.next() % 255) - 127)) }
        return TFLiteTensorSpec(
            type: .int8, shape: shape, scales: scales, zeroPoints: scales.map { _ in 0 }, axis: axis, data: data)
    }

    private static func int32Bias(_ values: [Int32], _ scales: [Float]) -> TFLiteTensorSpec {
        TFLiteTensorSpec(
            type: .int32, shape: [values.count], scales: scales, zeroPoints: scales.map { _ in 0 },
            data: values.withUnsafeBytes(Array.init))
    }

    static let all = products + pools + elementwise + reductions + shapes + slices + spatial + quantized

    private static let products: [Self] = [
        Self(
            "CONV_2D same stride 2 relu", 3,
            [.float([1, 5, 6, 3]), weights("a", [4, 3, 3, 3]), weights("b", [4])], [.float([1, 3, 3, 4])], 1,
            [0: .byte(0), 1: .int(2), 2: .int(2), 3: .byte(1)]),
        Self(
            "CONV_2D valid dilated relu6", 3,
            [.float([2, 7, 6, 2]), weights("c", [3, 3, 2, 2]), weights("d", [3])], [.float([2, 3, 5, 3])], 1,
            [0: .byte(1), 1: .int(1), 2: .int(1), 3: .byte(3), 4: .int(1), 5: .int(2)]),
        Self(
            "DEPTHWISE_CONV_2D multiplier 2", 4,
            [.float([1, 5, 5, 3]), weights("e", [1, 3, 3, 6]), weights("f", [6])], [.float([1, 5, 5, 6])], 2,
            [0: .byte(0), 1: .int(1), 2: .int(1), 3: .int(2), 4: .byte(2)]),
        Self(
            "DEPTHWISE_CONV_2D stride 2 dilated", 4,
            [.float([1, 9, 8, 2]), weights("g", [1, 3, 3, 2]), weights("h", [2])], [.float([1, 7, 6, 2])], 2,
            [0: .byte(1), 1: .int(1), 2: .int(1), 3: .int(1), 4: .byte(0), 5: .int(2), 6: .int(3)]),
        Self(
            "TRANSPOSE_CONV same", 67,
            [.ints([1, 6, 5, 2]), weights("i", [2, 3, 3, 3]), .float([1, 3, 3, 3])], [.float([1, 6, 5, 2])], 49,
            [0: .byte(0), 1: .int(2), 2: .int(2)]),
        Self(
            "TRANSPOSE_CONV valid bias", 67,
            [.ints([1, 8, 7, 2]), weights("j", [2, 3, 2, 3]), .float([1, 3, 3, 3]), weights("k", [2])],
            [.float([1, 8, 7, 2])], 49, [0: .byte(1), 1: .int(2), 2: .int(2)]),
        Self(
            "FULLY_CONNECTED relu", 9, [.float([2, 5]), weights("l", [3, 5]), weights("m", [3])], [.float([2, 3])], 8,
            [0: .byte(1)]),
        Self(
            "FULLY_CONNECTED keeps axes", 9, [.float([2, 3, 5]), weights("n", [4, 5])], [.float([2, 3, 4])], 8,
            [2: .byte(1)]),
        Self(
            "FULLY_CONNECTED flattens", 9, [.float([1, 2, 2, 3]), weights("o", [4, 12])], [.float([1, 4])], 8, [:]),
        Self("BATCH_MATMUL", 126, [.float([2, 3, 4]), .float([2, 4, 2])], [.float([2, 3, 2])], 101, [:]),
        Self(
            "BATCH_MATMUL adjoint", 126, [.float([2, 4, 3]), .float([2, 2, 4])], [.float([2, 3, 2])], 101,
            [0: .byte(1), 1: .byte(1)]),
    ]

    private static let pools: [Self] = {
        func options(_ padding: Int8, _ activation: Int8 = 0) -> [Int: FlatField] {
            [0: .byte(padding), 1: .int(2), 2: .int(1), 3: .int(2), 4: .int(3), 5: .byte(activation)]
        }
        let (x, same, valid) = (TFLiteTensorSpec.float([1, 5, 5, 2]), [1, 5, 3, 2], [1, 3, 2, 2])
        return [
            Self("AVERAGE_POOL_2D same", 1, [x], [.float(same)], 5, options(0)),
            Self("AVERAGE_POOL_2D valid relu6", 1, [x], [.float(valid)], 5, options(1, 3)),
            Self("MAX_POOL_2D same", 17, [x], [.float(same)], 5, options(0)),
            Self("MAX_POOL_2D valid", 17, [x], [.float(valid)], 5, options(1)),
            Self("L2_POOL_2D same", 12, [x], [.float(same)], 5, options(0)),
        ]
    }()

    private static let elementwise: [Self] = {
        let x = TFLiteTensorSpec.float([2, 3, 4])
        let row = TFLiteTensorSpec.float([4])
        let flags = TFLiteTensorSpec.bool([2, 3, 4])
        var cases = [
            Self("ADD broadcast relu", 0, [x, row], [x], 11, [0: .byte(1)]),
            Self("SUB relu n1 to 1", 41, [x, row], [x], 28, [0: .byte(2)]),
            Self("MUL", 18, [x, x], [x], 21, [:]),
            Self("DIV", 42, [x, x], [x], 29, [:], domain: 1...5),
            Self("MAXIMUM", 55, [x, row], [x]),
            Self("MINIMUM", 57, [x, row], [x]),
            Self("POW", 78, [x, x], [x], domain: 1...3),
            Self("SQUARED_DIFFERENCE", 99, [x, row], [x]),
            Self("FLOOR_DIV", 90, [x, .floats([1.5, -2, 3, -0.75], [4])], [x]),
            Self(
                "FLOOR_DIV integers", 90, [.int([8]), .ints([3, -3, 2, -2, 5, -5, 1, 7])], [.int([8])], domain: -20...20
            ),
            Self("FLOOR_MOD", 95, [x, .floats([1.5, -2, 3, -0.75], [4])], [x]),
            Self(
                "FLOOR_MOD integers", 95, [.int([8]), .ints([3, -3, 2, -2, 5, -5, 1, 7])], [.int([8])], domain: -20...20
            ),
            Self("ADD_N", 106, [x, x, x], [x]),
            Self("PRELU", 54, [.float([1, 2, 3, 4]), weights("p", [1, 1, 4])], [.float([1, 2, 3, 4])]),
            Self("LEAKY_RELU", 98, [x], [x], 75, [0: .float(0.25)]),
            Self("GELU", 150, [x], [x], 116, [0: .byte(0)]),
            Self("GELU approximate", 150, [x], [x], 116, [0: .byte(1)]),
            Self("SOFTMAX beta", 25, [x], [x], 9, [0: .float(0.5)]),
            Self("SOFTMAX", 25, [x], [x], 9, [0: .float(1)]),
            Self("LOG_SOFTMAX", 50, [x], [x]),
            Self("L2_NORMALIZATION", 11, [.float([2, 5])], [.float([2, 5])], 12, [:]),
            Self("LOGICAL_AND", 86, [flags, flags], [flags]),
            Self("LOGICAL_OR", 84, [flags, flags], [flags]),
            Self("LOGICAL_NOT", 87, [flags], [flags]),
            Self("SELECT", 64, [flags, x, x], [x]),
            Self("SELECT rows", 64, [.bool([2]), x, x], [x]),
            Self("SELECT_V2 broadcast", 123, [.bool([3, 1]), x, row], [x]),
            Self("CAST to int32", 53, [x], [.int([2, 3, 4])], 37, [0: .byte(0), 1: .byte(2)]),
            Self("CAST to float", 53, [.int([6])], [.float([6])], 37, [0: .byte(2), 1: .byte(0)]),
        ]
        for (name, code) in [
            ("RELU", 19), ("RELU6", 21), ("RELU_N1_TO_1", 20), ("RELU_0_TO_1", 152), ("ELU", 111), ("HARD_SWISH", 117),
            ("LOGISTIC", 14), ("TANH", 28), ("EXP", 47), ("ABS", 101), ("NEG", 59), ("SQUARE", 92), ("SIN", 66),
            ("COS", 108), ("FLOOR", 8), ("CEIL", 104), ("ROUND", 116), ("SIGN", 158), ("ZEROS_LIKE", 93),
        ] as [(String, Int32)] {
            cases.append(Self(name, code, [x], [x]))
        }
        for (name, code) in [("LOG", 73), ("SQRT", 75), ("RSQRT", 76)] as [(String, Int32)] {
            cases.append(Self(name, code, [x], [x], domain: 0.25...8))
        }
        for (name, code) in [
            ("EQUAL", 71), ("NOT_EQUAL", 72), ("LESS", 58), ("LESS_EQUAL", 63), ("GREATER", 61), ("GREATER_EQUAL", 62),
        ] as [(String, Int32)] {
            cases.append(Self(name, code, [.int([24]), .int([24])], [.bool([24])], domain: -2...2))
        }
        return cases
    }()

    private static let reductions: [Self] = {
        let x = TFLiteTensorSpec.float([2, 3, 4, 2])
        var cases: [Self] = []
        for (name, code) in [
            ("MEAN", 40), ("SUM", 74), ("REDUCE_MAX", 82), ("REDUCE_MIN", 89), ("REDUCE_PROD", 81),
        ] as [(String, Int32)] {
            cases.append(
                Self(
                    "\(name) keeps axes", code, [x, .ints([1, 2])], [.float([2, 1, 1, 2])], 27, [0: .byte(1)],
                    domain: 0.5...1.5))
            cases.append(
                Self("\(name)", code, [x, .ints([-1, 0])], [.float([3, 4])], 27, [:], domain: 0.5...1.5))
        }
        return cases + [
            Self("ARG_MAX", 56, [x, .ints([-1], [])], [.int([2, 3, 4])], 40, [0: .byte(2)]),
            Self("ARG_MIN", 79, [x, .ints([2], [])], [.int([2, 3, 2])], 57, [0: .byte(2)]),
            Self("CUMSUM", 128, [x, .ints([2], [])], [x], 102, [:]),
            Self("CUMSUM exclusive reverse", 128, [x, .ints([1], [])], [x], 102, [0: .byte(1), 1: .byte(1)]),
            Self("TOPK_V2", 48, [.float([3, 7]), .ints([3], [])], [.float([3, 3]), .int([3, 3])], 34, [:]),
        ]
    }()

    private static let shapes: [Self] = {
        let x = TFLiteTensorSpec.float([2, 3, 4])
        return [
            Self("RESHAPE", 22, [x, .ints([4, -1])], [.float([4, 6])], 17, [0: .ints([4, -1])]),
            Self("RESHAPE by option", 22, [x], [.float([6, 4])], 17, [0: .ints([6, 4])]),
            Self("SQUEEZE", 43, [.float([1, 3, 1, 2])], [.float([3, 1, 2])], 30, [0: .ints([0])]),
            Self("SQUEEZE all", 43, [.float([1, 3, 1, 2])], [.float([3, 2])], 30, [:]),
            Self("EXPAND_DIMS", 70, [x, .ints([-2], [])], [.float([2, 3, 1, 4])], 52, [:]),
            Self("TRANSPOSE", 39, [x, .ints([2, 0, 1])], [.float([4, 2, 3])], 26, [:]),
            Self(
                "CONCATENATION", 2, [x, .float([2, 1, 4]), x], [.float([2, 7, 4])], 10, [0: .int(-2)]),
            Self("PACK", 83, [x, x], [.float([2, 3, 2, 4])], 59, [0: .int(2), 1: .int(-2)]),
            Self(
                "UNPACK", 88, [x], [.float([2, 4]), .float([2, 4]), .float([2, 4])], 64, [0: .int(3), 1: .int(1)]),
            Self("SPLIT", 49, [.ints([2], []), x], [.float([2, 3, 2]), .float([2, 3, 2])], 35, [0: .int(2)]),
            Self(
                "SPLIT_V", 102, [x, .ints([1, -1]), .ints([1], [])], [.float([2, 1, 4]), .float([2, 2, 4])], 79,
                [0: .int(2)]),
            Self("TILE", 69, [x, .ints([1, 2, 1])], [.float([2, 6, 4])], 51, [:]),
            Self("BROADCAST_TO", 130, [.float([3, 1]), .ints([2, 3, 4])], [x], 104, [:]),
            Self("FILL", 94, [.ints([2, 3]), .float([])], [.float([2, 3])], 68, [:]),
            Self("SHAPE", 77, [x], [.int([3])], 55, [0: .byte(2)]),
            Self("RANK", 110, [x], [.int([])], 86, [:]),
            Self("RANGE", 96, [.ints([2], []), .ints([11], []), .ints([3], [])], [.int([3])], 73, [:]),
            Self("REVERSE_V2", 105, [x, .ints([1])], [x], 81, [:]),
            Self(
                "REVERSE_SEQUENCE", 112, [.float([3, 4, 2]), .ints([1, 4, 2])], [.float([3, 4, 2])], 87,
                [0: .int(1), 1: .int(0)]),
            Self(
                "ONE_HOT", 85, [.int([4]), .ints([5], []), .floats([2], []), .floats([-1], [])], [.float([4, 5])], 61,
                [0: .int(-1)], domain: 0...4),
            Self("WHERE", 109, [.bool([3, 4])], [TFLiteTensorSpec(type: .int64, shape: [])]),
        ]
    }()

    private static let slices: [Self] = {
        let x = TFLiteTensorSpec.float([3, 4, 5])
        func strided(
            _ name: String, _ begin: [Int32], _ end: [Int32], _ steps: [Int32], _ shape: [Int],
            _ masks: [Int: FlatField] = [:]
        ) -> Self {
            Self("STRIDED_SLICE \(name)", 45, [x, .ints(begin), .ints(end), .ints(steps)], [.float(shape)], 32, masks)
        }
        return [
            Self("SLICE", 65, [x, .ints([1, 0, 2]), .ints([2, -1, 2])], [.float([2, 4, 2])], 48, [:]),
            strided("steps", [0, 3, -1], [3, 0, -6], [2, -1, -2], [2, 3, 3]),
            strided("masks", [1, 2, 3], [2, 3, 4], [1, -1, 2], [3, 3, 2], [0: .int(0b101), 1: .int(0b111)]),
            strided("indices", [-1, 0, 1], [0, 4, 2], [1, 2, 1], [2], [4: .int(0b101)]),
            strided("new axis", [0, 0, 1], [1, 2, 3], [1, 1, 1], [1, 2, 2, 5], [3: .int(0b001)]),
            strided("ellipsis", [0, 0, 1], [3, 0, 3], [1, 1, 1], [3, 4, 2], [2: .int(0b010)]),
            strided("fewer axes", [1], [3], [1], [2, 4, 5]),
            Self("PAD", 34, [x, .ints([0, 1, 2, 0, 1, 1], [3, 2])], [.float([4, 6, 7])], 22, [:]),
            Self(
                "PADV2", 60, [x, .ints([0, 1, 2, 0, 1, 1], [3, 2]), .floats([-7], [])], [.float([4, 6, 7])], 43, [:]),
            Self(
                "MIRROR_PAD reflect", 100, [x, .ints([0, 0, 3, 1, 2, 4], [3, 2])], [.float([3, 8, 11])], 77,
                [0: .byte(0)]),
            Self(
                "MIRROR_PAD symmetric", 100, [x, .ints([3, 0, 2, 4, 0, 1], [3, 2])], [.float([6, 10, 6])], 77,
                [0: .byte(1)]),
            Self("GATHER", 36, [x, .ints([3, 0, 3])], [.float([3, 3, 5])], 23, [0: .int(1)]),
            Self(
                "GATHER batch", 36, [x, .ints([3, 0, 1, 1, 2, 2], [3, 2])], [.float([3, 2, 5])], 23,
                [0: .int(1), 1: .int(1)]),
            Self("GATHER_ND", 107, [x, .ints([2, 1, 0, 3], [2, 2])], [.float([2, 5])], 83, [:]),
        ]
    }()

    private static let spatial: [Self] = {
        let x = TFLiteTensorSpec.float([1, 3, 4, 2])
        var cases: [Self] = []
        for (size, label) in [([7, 9], "up"), ([2, 3], "down"), ([1, 1], "to one")] as [([Int32], String)] {
            let y = TFLiteTensorSpec.float([1, Int(size[0]), Int(size[1]), 2])
            for (mode, align, half) in [("", 0, 0), (" corners", 1, 0), (" half pixels", 0, 1)]
                as [(String, Int8, Int8)]
            {
                cases.append(
                    Self(
                        "RESIZE_BILINEAR \(label)\(mode)", 23, [x, .ints(size)], [y], 15,
                        [2: .byte(align), 3: .byte(half)]))
                cases.append(
                    Self(
                        "RESIZE_NEAREST_NEIGHBOR \(label)\(mode)", 97, [x, .ints(size)], [y], 74,
                        [0: .byte(align), 1: .byte(half)]))
            }
        }
        return cases + [
            Self("DEPTH_TO_SPACE", 5, [.float([1, 2, 3, 8])], [.float([1, 4, 6, 2])], 94, [0: .int(2)]),
            Self("SPACE_TO_DEPTH", 26, [.float([1, 4, 6, 2])], [.float([1, 2, 3, 8])], 19, [0: .int(2)]),
            Self(
                "SPACE_TO_BATCH_ND", 38, [.float([1, 3, 4, 2]), .ints([2, 3]), .ints([1, 0, 0, 2], [2, 2])],
                [.float([6, 2, 2, 2])], 25, [:]),
            Self(
                "BATCH_TO_SPACE_ND", 37, [.float([6, 2, 2, 2]), .ints([2, 3]), .ints([1, 0, 0, 2], [2, 2])],
                [.float([1, 3, 4, 2])], 24, [:]),
        ]
    }()

    private static let quantized: [Self] = {
        func int8(_ shape: [Int], _ scale: Float, _ zeroPoint: Int64) -> TFLiteTensorSpec {
            .quantized(.int8, shape, scale, zeroPoint)
        }
        let scales: [Float] = [0.02, 0.011, 0.03]
        return [
            Self(
                "CONV_2D int8 per channel", 3,
                [
                    int8([1, 4, 5, 2], 0.05, -3), int8Weights("q", [3, 3, 3, 2], scales, axis: 0),
                    int32Bias([100, -2000, 30], scales.map { $0 * 0.05 }),
                ], [int8([1, 4, 5, 3], 0.1, 5)], 1, [0: .byte(0), 1: .int(1), 2: .int(1), 3: .byte(1)]),
            Self(
                "DEPTHWISE_CONV_2D int8", 4,
                [
                    int8([1, 4, 5, 3], 0.05, 7), int8Weights("r", [1, 3, 3, 3], scales, axis: 3),
                    int32Bias([-100, 2000, 0], scales.map { $0 * 0.05 }),
                ], [int8([1, 2, 3, 3], 0.06, -20)], 2,
                [0: .byte(1), 1: .int(1), 2: .int(1), 3: .int(1), 4: .byte(3)]),
            Self(
                "FULLY_CONNECTED int8", 9,
                [
                    int8([2, 6], 0.05, 7), int8Weights("s", [3, 6], [0.02], axis: 0),
                    int32Bias([-100, 2000, 0], [0.02 * 0.05]),
                ], [int8([2, 3], 0.07, 2)], 8, [:]),
            Self("ADD int8", 0, [int8([24], 0.05, 7), int8([24], 0.03, -9)], [int8([24], 0.06, 1)], 11, [:]),
            Self(
                "MUL int8 relu6", 18, [int8([24], 0.05, 7), int8([24], 0.03, -9)], [int8([24], 0.06, 1)], 21,
                [0: .byte(3)]),
            Self("LOGISTIC int8", 14, [int8([24], 0.05, 7)], [int8([24], 1 / 256, -128)]),
            Self("TANH int8", 28, [int8([24], 0.05, 7)], [int8([24], 1 / 128, 0)]),
            Self("SOFTMAX int8", 25, [int8([2, 12], 0.1, 7)], [int8([2, 12], 1 / 256, -128)], 9, [0: .float(1)]),
            Self(
                "AVERAGE_POOL_2D uint8", 1, [.quantized(.uint8, [1, 4, 4, 2], 0.05, 120)],
                [.quantized(.uint8, [1, 2, 2, 2], 0.05, 120)], 5,
                [0: .byte(1), 1: .int(2), 2: .int(2), 3: .int(2), 4: .int(2)]),
            Self(
                "MEAN int8", 40, [int8([1, 4, 4, 3], 0.05, 7), .ints([1, 2])], [int8([1, 3], 0.03, 1)], 27, [:]),
            Self(
                "PAD int8", 34, [int8([1, 2, 3], 0.05, 7), .ints([0, 0, 1, 1, 0, 2], [3, 2])],
                [int8([1, 4, 5], 0.05, 7)], 22, [:]),
            Self(
                "CONCATENATION int8", 2, [int8([2, 3], 0.05, 7), int8([2, 2], 0.05, 7)],
                [int8([2, 5], 0.05, 7)], 10, [0: .int(1)]),
            Self("QUANTIZE", 114, [.float([24])], [int8([24], 0.05, 7)]),
            Self("QUANTIZE int8 to uint8", 114, [int8([24], 0.05, 7)], [.quantized(.uint8, [24], 0.06, 120)]),
            Self("DEQUANTIZE", 6, [int8([24], 0.05, 7)], [.float([24])]),
            Self(
                "RESIZE_BILINEAR int8", 23, [int8([1, 3, 3, 2], 0.05, 7), .ints([6, 5])],
                [int8([1, 6, 5, 2], 0.05, 7)], 15, [3: .byte(1)]),
        ]
    }()
}
