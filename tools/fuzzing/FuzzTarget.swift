// libFuzzer's entry: any bytes go through the loader; what loads and is small runs too. See tools/fuzz.
import Engine
import Kernels
import NestFormat
import Platform

/// Inputs that begin with the magic are files; their checksums are put right so that mutations get past them. Other
/// inputs are lists of sections (kind, u16 length, contents) from which a right file is made.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let data = [UInt8](UnsafeBufferPointer(start: start, count: count))
    if data.starts(with: NestLimits.magic) {
        load(data, runs: false)
        load(repaired(data), runs: true)
    } else {
        load(NestWriter.assemble(sections(data)), runs: true)
    }
    return 0
}

private let kinds: [SectionKind] = [.plan, .weights, .preprocess, .decoding, .golden, .provenance, .signature]

private func sections(_ data: [UInt8]) -> [NestContents.ExtraSection] {
    var result: [NestContents.ExtraSection] = []
    var next = 0
    while next + 3 <= data.count && result.count < 8 {
        let kind = kinds[Int(data[next] & 15) % kinds.count]
        let length = Int(data[next + 1]) | Int(data[next + 2]) << 8
        let end = min(data.count, next + 3 + length)
        result.append(.init(kind: kind, isRequired: data[next] & 16 != 0, bytes: Array(data[next + 3..<end])))
        next = end
    }
    return result
}

/// The file with right size, checksums and zero padding where the section table allows.
private func repaired(_ file: [UInt8]) -> [UInt8] {
    var bytes = file
    while bytes.count < NestLimits.headerBytes { bytes.append(0) }
    func read(_ offset: Int) -> Int {
        Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16 | Int(bytes[offset + 3]) << 24
    }
    func write(_ value: UInt32, _ offset: Int) {
        for i in 0..<4 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
    }
    write(UInt32(bytes.count), 24)
    write(0, 28)
    let count = min(read(20), (bytes.count - NestLimits.headerBytes) / NestLimits.sectionEntryBytes, 8)
    write(UInt32(count), 20)
    let tableEnd = NestLimits.headerBytes + count * NestLimits.sectionEntryBytes
    var isCovered = [Bool](repeating: false, count: bytes.count)
    for i in 0..<tableEnd { isCovered[i] = true }
    for index in 0..<count {
        let entry = NestLimits.headerBytes + index * NestLimits.sectionEntryBytes
        write(0, entry + 12)
        write(0, entry + 20)
        let (offset, length) = (read(entry + 8), read(entry + 16))
        guard offset <= bytes.count, length <= bytes.count - offset else { continue }
        for i in offset..<offset + length { isCovered[i] = true }
        write(CRC32C.checksum(Array(bytes[offset..<offset + length])), entry + 24)
    }
    for i in 0..<bytes.count where !isCovered[i] { bytes[i] = 0 }
    write(0, 36)
    for i in 40..<NestLimits.headerBytes { bytes[i] = 0 }
    write(CRC32C.checksum(Array(bytes[..<tableEnd])), 36)
    return bytes
}

private let scalarKernels = try? KernelSet(forcing: .scalar)
private let bestKernels = try? KernelSet()

private func load(_ bytes: [UInt8], runs: Bool) {
    guard let model = try? Model(copying: bytes) else { return }
    precondition(runs || rebuilt(model).count <= bytes.count, "an accepted file is longer than its parts")
    // Clearing a session's memory is most of an execution's time: few may be large.
    let sessionLimit = bytes.count & 0x1c == 0 ? 1 << 18 : 1 << 15
    guard model.work <= 1 << 14, let kernels = bytes.count & 64 == 0 ? scalarKernels : bestKernels,
        model.sessionByteCount(threadCount: 1, kernels: kernels) <= sessionLimit,
        let session = try? Session(model: model, threadCount: 1, kernels: kernels)
    else { return }
    if model.file.golden != nil {
        _ = session.selfTest()
    } else {
        for index in model.plan.inputs.indices {
            Golden.fill(session.input(index), type: model.plan.inputs[index].storedType, seed: 0x5eed)
        }
        session.run()
    }
}

/// A file of the model's own sections.
private func rebuilt(_ model: Model) -> [UInt8] {
    NestWriter.assemble(
        model.file.sections.map { section in
            let contents = model.file.bytes[section.offset..<section.offset + section.byteCount]
            return .init(kind: section.kind, isRequired: section.isRequired, bytes: Array(contents))
        })
}
