import NestFormat

extension Plan {
    /// The plan section's bytes.
    public func encode() -> [UInt8] {
        var writer = ByteWriter()
        writer.writeSize(arenaBytes)
        for ports in [inputs, outputs] {
            writer.writeCount(ports.count)
            for port in ports { port.encode(into: &writer) }
        }
        writer.writeCount(operations.count)
        for planned in operations {
            var record = ByteWriter()
            planned.operation.encode(into: &record)
            writer.write(planned.name)
            writer.write(planned.resultScale)
            writer.write(planned.resultZeroPoint)
            writer.write(planned.operation.tag)
            writer.writeCount(record.count)
            writer.write(contentsOf: record.bytes)
        }
        return writer.bytes
    }

    /// Reads a plan section; whether its values make sense is for `check`.
    public init(decoding bytes: UnsafeRawBufferPointer) throws(LoadError) {
        var reader = ByteReader(bytes, section: .plan)
        let arenaBytes = try reader.readSize()
        let inputs = try Plan.readPorts(&reader)
        let outputs = try Plan.readPorts(&reader)
        let count = try reader.readCount(ofRecordsWithAtLeast: 16)
        guard count <= NestLimits.maxOperations else {
            throw .limitExceeded(
                what: "the number of operations", value: UInt64(count), limit: UInt64(NestLimits.maxOperations))
        }
        var operations: [PlannedOperation] = []
        operations.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.readString()
            let resultScale = try reader.readFloat()
            let resultZeroPoint = try reader.readInt32()
            let tag = try reader.readUInt16()
            let recordBytes = try reader.readCount()
            let before = reader.offset
            guard recordBytes <= reader.remaining else {
                throw .truncated(section: .plan, needed: before.addingReportingOverflow(recordBytes).partialValue, available: bytes.count)
            }
            let operation = try Operation(tag: tag, decoding: &reader)
            guard reader.offset - before == recordBytes else {
                throw reader.malformed("an operation's record has another length than its fields")
            }
            operations.append(
                PlannedOperation(
                    name: name, operation: operation, resultScale: resultScale, resultZeroPoint: resultZeroPoint))
        }
        try reader.finish()
        self.init(arenaBytes: arenaBytes, inputs: inputs, outputs: outputs, operations: operations)
    }

    private static func readPorts(_ reader: inout ByteReader) throws(LoadError) -> [PortDescriptor] {
        let count = try reader.readCount(ofRecordsWithAtLeast: 20)
        guard count <= NestLimits.maxPorts else {
            throw .limitExceeded(what: "the number of ports", value: UInt64(count), limit: UInt64(NestLimits.maxPorts))
        }
        var ports: [PortDescriptor] = []
        for _ in 0..<count { ports.append(try PortDescriptor(decoding: &reader)) }
        return ports
    }

    /// Throws unless every port and operation stays inside the arena and `weights`, with sane values and bounded work.
    /// Returns the work of all operations together.
    func check(weights: UnsafeRawBufferPointer) throws(LoadError) -> UInt64 {
        guard arenaBytes <= NestLimits.maxArenaBytes else {
            throw .limitExceeded(
                what: "the arena's bytes", value: UInt64(arenaBytes), limit: UInt64(NestLimits.maxArenaBytes))
        }
        for (index, port) in inputs.enumerated() { try check(port, index, isInput: true) }
        for (index, port) in outputs.enumerated() { try check(port, index, isInput: false) }
        guard !outputs.isEmpty else { throw .badPort(index: 0, isInput: false, reason: "the model has no output") }
        var total: UInt64 = 0
        for (index, planned) in operations.enumerated() {
            try planned.operation.check(PlanChecker(arenaBytes: arenaBytes, weights: weights, index: index))
            total = total.addingReportingOverflow(planned.operation.work).partialValue
            guard planned.operation.work <= NestLimits.maxWork, total <= NestLimits.maxWork else {
                throw .limitExceeded(what: "the work of one inference", value: total, limit: NestLimits.maxWork)
            }
        }
        return total
    }

    private func check(_ port: PortDescriptor, _ index: Int, isInput: Bool) throws(LoadError) {
        func bad(_ reason: StaticString) -> LoadError { .badPort(index: index, isInput: isInput, reason: reason) }
        var count: Int64 = 1
        for extent in port.shape {
            guard extent >= 1, extent <= PlanChecker.maxExtent else {
                throw bad("an extent is not in 1 … 16777216")
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: Int64(extent))
            guard !overflow, product <= Int64(NestLimits.maxArenaBytes) else { throw bad("the shape is too large") }
            count = product
        }
        switch port.storedType {
        case .int8:
            guard port.zeroPoint >= -128, port.zeroPoint <= 127 else { throw bad("the zero point is not in -128 … 127") }
            guard port.scale == 0 || (port.scale.isNormal && port.scale > 0) else {
                throw bad("the scale is neither 0 nor a positive normal number")
            }
        case .float32, .int32: break
        default: throw bad("the stored type is neither int8, float32 nor int32")
        }
        let bytes = count * Int64(port.storedType.byteCount)
        guard port.arenaOffset % NestLimits.tensorAlignment == 0 else { throw bad("the offset is misaligned") }
        guard port.arenaOffset <= arenaBytes, bytes <= Int64(arenaBytes - port.arenaOffset) else {
            throw bad("the port reaches outside the arena")
        }
    }
}
