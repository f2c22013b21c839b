import NestFormat

/// What running the golden input gave.
public enum SelfTestResult: Sendable, Equatable {
    /// Every operation and every output gave the file's own bytes.
    case passed(operations: Int)
    /// The file has no golden section.
    case noGolden
    /// This operation's result is the first that differs.
    case operationDiffers(index: Int, name: String, expected: UInt32, found: UInt32)
    /// All operations agree, this output port does not.
    case outputDiffers(index: Int, name: String)
}

extension Session {
    /// Runs the golden input and compares every operation's result with the file.
    public func selfTest() -> SelfTestResult {
        guard let golden = model.file.golden else { return .noGolden }
        fill(golden.inputs)
        for (index, expected) in golden.operationChecksums.enumerated() {
            runStep(index)
            let found = resultChecksum(index)
            guard found == expected else {
                return .operationDiffers(
                    index: index, name: model.plan.operations[index].name, expected: expected, found: found)
            }
        }
        finish()
        for (index, expected) in golden.outputDigests.enumerated() {
            guard SHA256.digest(of: output(index)) == expected else {
                return .outputDiffers(index: index, name: model.plan.outputs[index].name)
            }
        }
        return .passed(operations: golden.operationChecksums.count)
    }

    /// Runs `inputs` (one for each port, bytes of the port's stored size) and records what a golden section holds.
    public func recordGolden(inputs: [Golden.Input]) -> Golden {
        precondition(inputs.count == model.plan.inputs.count, "one golden input for each port")
        fill(inputs)
        var checksums: [UInt32] = []
        for index in 0..<model.plan.operations.count {
            runStep(index)
            checksums.append(resultChecksum(index))
        }
        finish()
        let digests = model.plan.outputs.indices.map { SHA256.digest(of: output($0)) }
        return Golden(inputs: inputs, operationChecksums: checksums, outputDigests: digests)
    }

    /// Fills the inputs with the file's golden input, or with pseudo-random values where it has none.
    public func fillInputs() {
        fill(
            model.file.golden?.inputs
                ?? [Golden.Input](repeating: .generated(seed: 1), count: model.plan.inputs.count))
    }

    private func fill(_ inputs: [Golden.Input]) {
        for (index, golden) in inputs.enumerated() {
            switch golden {
            case .bytes(let bytes): input(index).copyBytes(from: bytes)
            case .generated(let seed):
                Golden.fill(input(index), type: model.plan.inputs[index].storedType, seed: seed)
            }
        }
    }
}
