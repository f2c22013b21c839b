import Camera
import Engine
import Kernels
import NestFormat
import Platform

/// `swiftlet-run`, from arguments to exit code.
public enum DeviceProgram {
    /// With this process's arguments; ends the process.
    @export(interface) public static func run() -> Never { CurrentProcess.exit(main(arguments: CurrentProcess.arguments)) }

    public static func main(arguments: [String]) -> Int32 {
        StopRequest.catchSignals()
        let command: RunCommand
        do throws(UsageError) {
            command = try RunCommand(parsing: arguments)
        } catch {
            printToStandardError("swiftlet-run: \(error.message)\nusage: swiftlet-run MODEL.nest --source SOURCE … (--help)\n")
            return 2
        }
        do throws(RunError) {
            switch command {
            case .help:
                return print(text(RunCommand.helpText))
            case .version:
                return print("swiftlet-run \(toolVersion), .nest format \(NestLimits.formatVersion)\n")
            case .selfTestKernels(let cases, let seed):
                return selfTestKernels(cases: cases, seed: seed)
            case .selfTestModel(let options):
                return try selfTest(options)
            case .bench(let options, let inferences):
                return try bench(options, inferences: inferences)
            case .run(let options):
                let runner = try Runner(options, clock: SystemClock(), output: StandardOutput())
                try runner.run()
                return 0
            }
        } catch {
            printToStandardError("swiftlet-run: \(error.message) [\(error.name)]\n")
            return 1
        }
    }

    private static func print(_ message: String) -> Int32 {
        var copy = message
        return copy.withUTF8 { bytes -> Int32 in
            do throws(SystemError) {
                try OutputDescriptor.standardOutput.write(UnsafeRawBufferPointer(bytes))
                return 0
            } catch {
                return error.isClosedPipe ? 0 : 1
            }
        }
    }

    /// Compares every kernel that this CPU runs, and convolutions with each of its instruction sets, with their references.
    private static func selfTestKernels(cases: Int, seed: UInt32) -> Int32 {
        var (passed, failed, notRunnable) = (0, 0, 0)
        func report(_ name: String, _ outcome: KernelTestOutcome) {
            switch outcome {
            case .passed(let cases):
                passed += 1
                _ = print("passed  \(name) (\(cases) cases)\n")
            case .failed(let number):
                failed += 1
                _ = print("FAILED  \(name) at case \(number)\n")
            case .notRunnable:
                notRunnable += 1
                _ = print("skipped \(name): this CPU cannot run it\n")
            }
        }
        _ = selfTestAllKernels(cases: cases, seed: seed) { kernel, outcome in report(kernel.name, outcome) }
        _ = selfTestConvolutions(cases: cases, seed: seed) { isa, outcome in
            report("convolutions with \(text(isa.name)) kernels", outcome)
        }
        let hasReferences = selfTestReferences()
        _ = print(hasReferences ? "passed  references\n" : "FAILED  references: this build computes other bits\n")
        _ = print(
            "\(passed + (hasReferences ? 1 : 0)) passed, \(failed + (hasReferences ? 0 : 1)) failed, "
                + "\(notRunnable) skipped\n")
        return failed == 0 && hasReferences ? 0 : 1
    }

    private static func makeSession(_ options: RunOptions) throws(RunError) -> Session {
        let model: Model
        do throws(ModelError) { model = try Model(path: options.modelPath) } catch {
            throw .model(path: options.modelPath, error)
        }
        do throws(SessionError) {
            return try Session(
                model: model, threadCount: options.threads ?? min(4, WorkerPool.availableProcessorCount),
                forcing: options.forcedISA)
        } catch { throw .session(error) }
    }

    /// Times inferences. The first one starts from the golden input; the arena is not filled again, so that nothing but
    /// inference runs.
    private static func bench(_ options: RunOptions, inferences: Int) throws(RunError) -> Int32 {
        if !options.processors.isEmpty {
            do throws(SystemError) {
                try WorkerPool.bindCallingThread(toProcessors: options.processors)
            } catch { throw .system(error) }
        }
        let session = try makeSession(options)
        session.fillInputs()
        var nanoseconds: [UInt64] = []
        for _ in 0..<inferences {
            let start = MonotonicClock.now()
            session.run()
            nanoseconds.append(MonotonicClock.now() - start)
        }
        nanoseconds.sort()
        let median = nanoseconds[inferences / 2] / 1000
        let p90 = nanoseconds[min(inferences - 1, inferences * 9 / 10)] / 1000
        return print(
            "\(inferences) inferences, \(session.threadCount) thread(s), \(text(session.kernels.isa.name)) kernels: "
                + "median \(median) µs, p90 \(p90) µs, fastest \(nanoseconds[0] / 1000) µs\n")
    }

    /// Runs the file's golden input.
    private static func selfTest(_ options: RunOptions) throws(RunError) -> Int32 {
        let session = try makeSession(options)
        let isa = text(session.kernels.isa.name)
        switch session.selfTest() {
        case .passed(let operations):
            return print("passed: all \(operations) operations and outputs give the file's bytes (\(isa) kernels)\n")
        case .noGolden:
            printToStandardError(
                "swiftlet-run: \(options.modelPath): the file has no golden section; convert it again [selftest-no-golden]\n")
        case .operationDiffers(let index, let name, let expected, let found):
            printToStandardError(
                "swiftlet-run: \(options.modelPath): operation \(index), '\(name)', is the first that differs: expected "
                    + "CRC-32C \(expected), found \(found) (\(isa) kernels); try --force-isa scalar and report it "
                    + "[selftest-operation-differs]\n")
        case .outputDiffers(_, let name):
            printToStandardError(
                "swiftlet-run: \(options.modelPath): output '\(name)' differs though all operations agree; the file's "
                    + "golden section is damaged, convert it again [selftest-output-differs]\n")
        }
        return 1
    }
}
