// Makes seeds for tools/fuzz: every .nest file given becomes a seed itself and a list of sections.
import Foundation
import NestFormat

let kinds: [SectionKind] = [.plan, .weights, .preprocess, .decoding, .golden, .provenance, .signature]
let folder = URL(fileURLWithPath: CommandLine.arguments[1])
for path in CommandLine.arguments.dropFirst(2) {
    let url = URL(fileURLWithPath: path)
    let data = try Data(contentsOf: url)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 64)
    memory.copyBytes(from: data)
    let file = try NestFile(UnsafeRawBufferPointer(memory))
    var list: [UInt8] = []
    for section in file.sections {
        guard let index = kinds.firstIndex(of: section.kind), section.byteCount < 65_536 else { continue }
        list += [UInt8(index) | 16, UInt8(section.byteCount & 255), UInt8(section.byteCount >> 8)]
        list += memory[section.offset..<section.offset + section.byteCount]
    }
    let name = url.deletingPathExtension().lastPathComponent
    try data.write(to: folder.appendingPathComponent("file-" + name))
    try Data(list).write(to: folder.appendingPathComponent("list-" + name))
}
