import CLinux

/// A fixed team of threads that run the parts of one job at a time. Each takes its own share of the parts, then what others
/// did not come to: a slower processor gets fewer, and a thread that the system holds up delays a job only by what it had
/// begun. A team of one runs everything on the caller's thread.
public final class WorkerPool {
    /// Threads, the caller's included.
    public let threadCount: Int
    private let pool: OpaquePointer?

    /// A job's code: called once for each part `0 ..< parts`, at the same time on different threads. `thread` is the number
    /// of the one that it is called on, below `threadCount`; `previous` the part of the same job that this one ran just
    /// before, or -1.
    public typealias Job = @convention(c) (
        _ context: UnsafeMutableRawPointer?, _ part: Int32, _ parts: Int32, _ thread: Int32, _ previous: Int32
    ) -> Void

    /// Starts `threadCount - 1` threads (1 … 256 counting the caller's).
    public init(threadCount: Int) throws(SystemError) {
        precondition(threadCount >= 1 && threadCount <= 256, "1 to 256 threads")
        self.threadCount = threadCount
        if threadCount == 1 {
            pool = nil
            return
        }
        var error: Int32 = 0
        pool = swiftlet_pool_create(Int32(threadCount), &error)
        guard pool != nil else {
            throw SystemError(subject: "\(threadCount) threads", call: "pthread_create", code: error)
        }
    }

    deinit { if let pool { swiftlet_pool_destroy(pool) } }

    /// Tells that jobs follow each other closely until `endJobs`: meanwhile threads without work wait busily, for some
    /// 300 µs, where each has a processor of its own.
    public func beginJobs() { if let pool { swiftlet_pool_begin(pool) } }

    /// Lets threads without work sleep soon.
    public func endJobs() { if let pool { swiftlet_pool_end(pool) } }

    /// Runs `job` for `parts` (1 or more) parts and returns when all are done. Allocates nothing. One caller at a time.
    public func run(parts: Int, context: UnsafeMutableRawPointer?, _ job: Job) {
        precondition(parts >= 1 && parts <= 1 << 20, "1 to 2^20 parts")
        guard let pool else {
            for part in 0..<Int32(parts) { job(context, part, Int32(parts), 0, part - 1) }
            return
        }
        swiftlet_pool_run(pool, Int32(parts), job, context)
    }

    /// Processors that this process may use.
    public static var availableProcessorCount: Int { Int(swiftlet_available_cpus()) }

    /// Binds the calling thread, and every thread that it starts from now on, to these processors.
    public static func bindCallingThread(toProcessors processors: [Int32]) throws(SystemError) {
        let code = processors.withUnsafeBufferPointer {
            swiftlet_bind_to_cpus($0.baseAddress, Int32($0.count))
        }
        guard code == 0 else { throw SystemError(subject: "processors", call: "sched_setaffinity", code: code) }
    }
}
