import Camera
import Kernels

/// What the command line of `swiftlet-run` asks for.
public struct RunOptions: Sendable {
    public enum Output: Sendable { case jsonLines, none }

    public var modelPath = ""
    public var source = ""
    /// nil: frames as they come.
    public var framesPerSecond: Double?
    /// Stop after so many frames of the source; nil for all.
    public var frameLimit: UInt64?
    /// nil: one a processor that the process may use, at most 4.
    public var threads: Int?
    /// Processors to bind to; empty for all.
    public var processors: [Int32] = []
    public var forcedISA: ISA?
    public var reportPath: String?
    public var output = Output.jsonLines
    /// Where the raw output tensors of every frame go, one after another.
    public var dumpPath: String?
    /// A frame with more pixels is a bad frame.
    public var maximumPixels = 1 << 25
    /// As it was typed, for the report.
    public var commandLine = ""

    public init() {}
}

/// What to do.
public enum RunCommand: Sendable {
    case help
    case version
    case run(RunOptions)
    /// Golden input of the model.
    case selfTestModel(RunOptions)
    /// So many inferences of the golden input, timed.
    case bench(RunOptions, inferences: Int)
    /// So many cases a kernel; other seeds give other cases.
    case selfTestKernels(cases: Int, seed: UInt32)
}

/// A command line that makes no sense; exit code 2.
public struct UsageError: Error, Sendable, Equatable {
    public var message: String
}

extension RunCommand {
    public static let helpText: StaticString = """
        usage: swiftlet-run MODEL.nest --source SOURCE [options]
               swiftlet-run MODEL.nest --selftest
               swiftlet-run MODEL.nest --bench N
               swiftlet-run --selftest kernels [--cases N] [--seed N]

        Takes frames, runs the model on each and writes one line of JSON a frame to standard output; messages and the
        latency summary go to standard error.

        SOURCE
          DIR                 the .jpg files in a directory, in order of their names
          FILE.jpg            one picture
          FILE.mjpeg          JPEGs one after another; also a FIFO
          -                   MJPEG on standard input
          raw:FILE?format=F&size=WxH[&range=limited|full]
                              uncompressed frames; F is YUYV, NV12, I420, RGB or GREY; FILE may be -

        options
          --fps N             replay on a schedule; frames that are overtaken are dropped and counted
          --frames N          stop after N frames of the source
          --threads N         threads for the model (default: the processors that may be used, at most 4)
          --cpus LIST         run on these processors only, as in 0,2-3
          --force-isa NAME    kernels of this instruction set: scalar, avx2, neon, dotprod, i8mm,
                              avxvnni, avx512vnni
          --report FILE       write the latency report to FILE as the run goes on
          --output jsonl|none what goes to standard output (default: jsonl)
          --dump FILE         write the raw output tensors of every frame to FILE
          --max-pixels N      refuse larger pictures (default: 33554432)
          --selftest [kernels]
                              check this machine's results against the file's own, or every kernel against its reference
          --cases N, --seed N with --selftest kernels: cases a kernel (default: 256), and which (default: 0)
          --bench N           time N inferences of the file's own test input; takes --threads, --cpus and --force-isa
          --version, --help

        exit code: 0 done, 1 failed, 2 the command line makes no sense. SIGINT and SIGTERM end the run with a complete report.

        examples
          swiftlet-run gauge.nest --source camera.mjpeg --fps 30 --report run.report
          swiftlet-run --selftest kernels --cases 5000 --seed 7
          ffmpeg -f v4l2 -i /dev/video0 -c:v mjpeg -f mjpeg - | swiftlet-run gauge.nest --source -
          swiftlet-run gauge.nest --source 'raw:frames.yuv?format=NV12&size=640x480' --frames 100 --threads 2

        """

    /// Reads the arguments after the program's name.
    public init(parsing arguments: [String]) throws(UsageError) {
        var options = RunOptions()
        var positional: [String] = []
        var isSelfTest = false
        var inferences: Int?
        var (cases, seed) = (256, 0)
        var index = 0

        func value(of option: StaticString) throws(UsageError) -> String {
            index += 1
            guard index < arguments.count else { throw UsageError(message: "\(text(option)) needs a value") }
            return arguments[index]
        }
        func number(of option: StaticString, in range: ClosedRange<Int>) throws(UsageError) -> Int {
            let given = try value(of: option)
            guard let number = parseDecimal(given), range.contains(number) else {
                throw UsageError(
                    message: "\(text(option)): expected a whole number from \(range.lowerBound) to "
                        + "\(range.upperBound), found '\(given)'")
            }
            return number
        }

        while index < arguments.count {
            let argument = arguments[index]
            if argument.isExactly("--help") || argument.isExactly("-h") {
                self = .help
                return
            } else if argument.isExactly("--version") {
                self = .version
                return
            } else if argument.isExactly("--selftest") {
                isSelfTest = true
            } else if argument.isExactly("--cases") {
                cases = try number(of: "--cases", in: 1...1_000_000)
            } else if argument.isExactly("--seed") {
                seed = try number(of: "--seed", in: 0...Int(Int32.max))
            } else if argument.isExactly("--bench") {
                inferences = try number(of: "--bench", in: 1...1_000_000)
            } else if argument.isExactly("--source") {
                options.source = try value(of: "--source")
            } else if argument.isExactly("--fps") {
                let given = try value(of: "--fps")
                guard let rate = parseReal(given), rate >= 0.001, rate <= 1000 else {
                    throw UsageError(message: "--fps: expected a number from 0.001 to 1000, found '\(given)'")
                }
                options.framesPerSecond = rate
            } else if argument.isExactly("--frames") {
                options.frameLimit = UInt64(try number(of: "--frames", in: 1...1_000_000_000))
            } else if argument.isExactly("--threads") {
                options.threads = try number(of: "--threads", in: 1...256)
            } else if argument.isExactly("--max-pixels") {
                options.maximumPixels = try number(of: "--max-pixels", in: 1...(1 << 28))
            } else if argument.isExactly("--cpus") {
                let given = try value(of: "--cpus")
                guard let processors = parseProcessors(given) else {
                    throw UsageError(message: "--cpus: expected a list such as 0,2-3 (0 to 1023), found '\(given)'")
                }
                options.processors = processors
            } else if argument.isExactly("--force-isa") {
                var given = try value(of: "--force-isa")
                guard let isa = given.withUTF8({ ISA(name: $0) }) else {
                    throw UsageError(
                        message: "--force-isa: expected scalar, avx2, neon, dotprod, i8mm, avxvnni or avx512vnni, "
                            + "found '\(given)'")
                }
                options.forcedISA = isa
            } else if argument.isExactly("--report") {
                options.reportPath = try value(of: "--report")
            } else if argument.isExactly("--dump") {
                options.dumpPath = try value(of: "--dump")
            } else if argument.isExactly("--output") {
                let given = try value(of: "--output")
                if given.isExactly("none") {
                    options.output = .none
                } else if !given.isExactly("jsonl") {
                    throw UsageError(message: "--output: expected jsonl or none, found '\(given)'")
                }
            } else if argument.utf8.count > 1, argument.utf8.first == UInt8(ascii: "-") {
                throw UsageError(message: "unknown option '\(argument)'")
            } else {
                positional.append(argument)
            }
            index += 1
        }
        for (position, argument) in arguments.enumerated() {
            options.commandLine += (position > 0 ? " " : "") + argument
        }

        if isSelfTest, positional.count == 1, positional[0].isExactly("kernels") {
            self = .selfTestKernels(cases: cases, seed: UInt32(seed))
            return
        }
        guard positional.count == 1 else {
            throw UsageError(
                message: positional.isEmpty
                    ? "which model? give a .nest file" : "expected one model, found '\(positional[1])' as well")
        }
        options.modelPath = positional[0]
        if isSelfTest {
            self = .selfTestModel(options)
            return
        }
        if let inferences {
            self = .bench(options, inferences: inferences)
            return
        }
        guard !options.source.isEmpty else { throw UsageError(message: "where do frames come from? give --source") }
        self = .run(options)
    }
}

extension String {
    /// Equality of bytes: Unicode's canonical equality needs tables that a small binary leaves out.
    func isExactly(_ text: StaticString) -> Bool {
        utf8.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

func text(_ text: StaticString) -> String {
    String(decoding: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), as: UTF8.self)
}

/// 1 to 15 decimal digits.
func parseDecimal<Bytes: Sequence>(_ bytes: Bytes) -> Int? where Bytes.Element == UInt8 {
    var (value, digits): (Int64, Int) = (0, 0)
    for byte in bytes {
        guard byte >= 48, byte <= 57, digits < 15 else { return nil }
        value = value * 10 + Int64(byte - 48)
        digits += 1
    }
    return digits > 0 ? Int(exactly: value) : nil
}

func parseDecimal(_ text: String) -> Int? { parseDecimal(text.utf8) }

/// Digits with or without a fraction.
func parseReal(_ text: String) -> Double? {
    let parts = Array(text.utf8).split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parseDecimal(parts[0]) else { return nil }
    guard parts.count == 2 else { return Double(whole) }
    guard let fraction = parseDecimal(parts[1]) else { return nil }
    var unit = 1.0
    for _ in parts[1] { unit *= 10 }
    return Double(whole) + Double(fraction) / unit
}

/// "0,2-3" → [0, 2, 3]; nil when it is not such a list.
func parseProcessors(_ text: String) -> [Int32]? {
    var processors: [Int32] = []
    for part in Array(text.utf8).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        let ends = part.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = parseDecimal(ends[0]), let last = parseDecimal(ends[ends.count - 1]),
            first <= last, last <= 1023
        else { return nil }
        for processor in first...last { processors.append(Int32(processor)) }
    }
    return processors.isEmpty ? nil : processors
}
