import CLinux

/// A fixed team of threads that run the parts of one job at a time. Each takes its own part, then those whose threads did
/// not come yet: one that the system holds up delays a job only if it had begun. A team of one runs everything on the
/// caller's thread.
public final class WorkerPool {
    /// Threads, the caller's included.
    public let threadCount: Int
    private let pool: OpaquePointer?

    /// A job's code: called once for each part `0 ..< parts`, at the same time on different threads; `thread` is the
    /// number of the one that it is called on, below `threadCount`.
    public typealias Job = @convention(c) (
        _ context: UnsafeMutableRawPointer?, _ part: Int32, _ parts: Int32, _ thread: Int32
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

    /// Runs `job` for `parts` (1 … `threadCount`) parts and returns when all are done. Allocates nothing. One caller at a
    /// time.
    public func run(parts: Int, context: UnsafeMutableRawPointer?, _ job: Job) {
        precondition(parts >= 1 && parts <= threadCount, "more parts than threads")
        guard parts > 1, let pool else {
            job(context, 0, 1, 0)
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
