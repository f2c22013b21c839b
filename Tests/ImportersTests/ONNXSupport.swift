import Graph
import Importers
import XCTest

/// Writes the Protocol Buffers wire format: what the importer reads.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func integer(_ field: Int, _ value: Int64) {
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: value))
    }

    mutating func float(_ field: Int, _ value: Float) {
        varint(UInt64(field) << 3 | 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    mutating func data(_ field: Int, _ data: some Collection<UInt8>) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(data.count))
        bytes += data
    }

    mutating func string(_ field: Int, _ text: String) { data(field, Array(text.utf8)) }

    mutating func message(_ field: Int, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        data(field, inner.bytes)
    }
}

/// A small ONNX model that a test describes.
struct TestModel: Sendable {
    enum Attribute: Sendable {
        case int(Int64)
        case float(Float)
        case string(String)
        case ints([Int64])
        case floats([Float])
        case tensor(Tensor)
        case graph(nodes: [Node], outputs: [String])
    }

    struct Node: Sendable {
        var operatorType: String
        var inputs: [String]
        var outputs: [String]
        var attributes: KeyValuePairs<String, Attribute>
        var name: String
        var domain: String

        init(
            _ operatorType: String, _ inputs: [String], _ outputs: [String],
            _ attributes: KeyValuePairs<String, Attribute> = [:],
            name: String = "", domain: String = ""
        ) {
            (self.operatorType, self.inputs, self.outputs) = (operatorType, inputs, outputs)
            (self.attributes, self.name, self.domain) = (attributes, name, domain)
        }
    }

    enum Dimension: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case fixed(Int)
        case symbolic(String)
        case unknown
        init(integerLiteral value: Int) { self = .fixed(value) }
        init(stringLiteral value: String) { self = .symbolic(value) }
    }

    struct Input: Sendable {
        var name: String
        var type: ElementType
        /// Nil: no shape is declared.
        var axes: [Dimension]?

        init(_ name: String, _ axes: [Dimension]?, type: ElementType = .float32) {
            (self.name, self.type, self.axes) = (name, type, axes)
        }
    }

    var opset: Int64 = 13
    var domains: [(String, Int64)] = []
    var inputs: [Input] = []
    var outputs: [String] = ["y"]
    var nodes: [Node] = []
    var initializers: [(String, Tensor)] = []
    /// Writes more fields into the graph and the model.
    var extendGraph: @Sendable (inout ProtobufWriter) -> Void = { _ in }
    var extendModel: @Sendable (inout ProtobufWriter) -> Void = { _ in }

    static func dataType(_ type: ElementType) -> Int64 {
        switch type {
        case .float32: 1
        case .uint8: 2
        case .int8: 3
        case .uint16: 4
        case .int16: 5
        case .int32: 6
        case .int64: 7
        case .bool: 9
        case .float16: 10
        case .float64: 11
        case .uint32: 12
        case .uint64: 13
        case .bfloat16: 16
        }
    }

    var bytes: [UInt8] {
        var model = ProtobufWriter()
        model.integer(1, 8)
        model.string(2, "swiftlet-tests")
        for (domain, version) in [("", opset)] + domains {
            model.message(8) { set in
                if !domain.isEmpty { set.string(1, domain) }
                set.integer(2, version)
            }
        }
        model.message(7) { graph in
            for node in nodes { graph.message(1) { Self.write(node, to: &$0) } }
            writeValues(to: &graph)
            extendGraph(&graph)
        }
        extendModel(&model)
        return model.bytes
    }

    /// Writes all of the graph but its nodes.
    func writeValues(to graph: inout ProtobufWriter) {
        graph.string(2, "test")
        for (name, tensor) in initializers { graph.message(5) { Self.write(tensor, name: name, to: &$0) } }
        for input in inputs { graph.message(11) { Self.write(input, to: &$0) } }
        for output in outputs { graph.message(12) { $0.string(1, output) } }
    }

    private static func write(_ node: Node, to writer: inout ProtobufWriter) {
        for input in node.inputs { writer.string(1, input) }
        for output in node.outputs { writer.string(2, output) }
        if !node.name.isEmpty { writer.string(3, node.name) }
        writer.string(4, node.operatorType)
        for (name, value) in node.attributes { writer.message(5) { write(value, name: name, to: &$0) } }
        if !node.domain.isEmpty { writer.string(7, node.domain) }
    }

    private static func write(_ attribute: Attribute, name: String, to writer: inout ProtobufWriter) {
        writer.string(1, name)
        switch attribute {
        case .float(let value):
            writer.float(2, value)
            writer.integer(20, 1)
        case .int(let value):
            writer.integer(3, value)
            writer.integer(20, 2)
        case .string(let value):
            writer.string(4, value)
            writer.integer(20, 3)
        case .tensor(let value):
            writer.message(5) { write(value, name: "", to: &$0) }
            writer.integer(20, 4)
        case .graph(let nodes, let outputs):
            writer.message(6) { graph in
                for node in nodes { graph.message(1) { write(node, to: &$0) } }
                for output in outputs { graph.message(12) { $0.string(1, output) } }
            }
            writer.integer(20, 5)
        case .floats(let values):
            for value in values { writer.float(7, value) }
            writer.integer(20, 6)
        case .ints(let values):
            for value in values { writer.integer(8, value) }
            writer.integer(20, 7)
        }
    }

    static func write(_ tensor: Tensor, name: String, to writer: inout ProtobufWriter) {
        for extent in tensor.shape { writer.integer(1, Int64(extent)) }
        writer.integer(2, dataType(tensor.elementType))
        if !name.isEmpty { writer.string(8, name) }
        withExtendedLifetime(tensor) { writer.data(9, Array(tensor.unsafeBytes)) }
    }

    private static func write(_ input: Input, to writer: inout ProtobufWriter) {
        writer.string(1, input.name)
        writer.message(2) { type in
            type.message(1) { tensor in
                tensor.integer(1, dataType(input.type))
                guard let axes = input.axes else { return }
                tensor.message(2) { shape in
                    for axis in axes {
                        shape.message(1) { dimension in
                            switch axis {
                            case .fixed(let extent): dimension.integer(1, Int64(extent))
                            case .symbolic(let name): dimension.string(2, name)
                            case .unknown: return
                            }
                        }
                    }
                }
            }
        }
    }
}

extension TestModel {
    func load(_ options: ImportOptions = ImportOptions()) throws -> Graph {
        try ONNXImporter.load(bytes: bytes, options: options)
    }

    /// Imports and runs the model.
    func run(_ inputs: [String: Tensor]) throws -> [String: Tensor] { try Executor(load()).run(inputs) }

    /// The text of the problems that the import names; fails when there are none.
    func diagnosis(
        _ options: ImportOptions = ImportOptions(), file: StaticString = #filePath, line: UInt = #line
    ) -> String {
        do {
            _ = try load(options)
            XCTFail("the model was imported", file: file, line: line)
            return ""
        } catch {
            return "\(error)"
        }
    }
}

extension Tensor {
    /// A tensor with float elements.
    static func floats(_ elements: [Float], _ shape: [Int]) -> Tensor { Tensor(elements, shape: shape) }

    /// A tensor with int64 elements along one axis.
    static func integers(_ elements: [Int64]) -> Tensor { Tensor(elements, shape: [elements.count]) }

    /// 0, 1, 2…, as float32.
    static func counting(_ shape: [Int]) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { Float($0) }, shape: shape)
    }
}

/// Compares floats with a tolerance and names the first that differs.
func assertClose(
    _ found: Tensor?, _ expected: [Float], shape: [Int], tolerance: Float = 1e-5, file: StaticString = #filePath,
    line: UInt = #line
) {
    guard let found else { return XCTFail("no tensor", file: file, line: line) }
    XCTAssertEqual(found.shape, shape, file: file, line: line)
    let elements = found.floats
    guard elements.count == expected.count else {
        return XCTFail("\(elements.count) elements, not \(expected.count)", file: file, line: line)
    }
    for (index, (a, b)) in zip(elements, expected).enumerated() where !(abs(a - b) <= tolerance * max(1, abs(b))) {
        return XCTFail("element \(index): expected \(b), found \(a)", file: file, line: line)
    }
}
