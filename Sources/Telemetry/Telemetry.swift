// Telemetry: what a run measured, kept in fixed memory and stored in a file that survives being killed.
//
// Recording (device and workstation; one thread, no allocation after `Recorder.init`):
//
//     let recorder = Recorder(metadata: metadata, startNanoseconds: clock())
//     recorder.measureEventCost(now: clock)
//     let writer = ReportWriter(sink: try FileReportSink(path: path), recorder: recorder)
//     try writer.start()
//     // for each frame
//     recorder.frameCaptured()
//     recorder.record(stage: .decode, nanoseconds: t1 - t0)
//     recorder.recordLayer(index: 3, nanoseconds: t5 - t4)
//     recorder.recordResult(scheduledNanoseconds: due, finishedNanoseconds: clock())
//     try writer.poll(at: clock())                       // appends events, and a snapshot when one is due
//     // at the end
//     try writer.finish(reason: .endOfSource, at: clock())
//
// Reading (device and workstation):
//
//     let report = try ReportFile.read(bytes)            // throws(ReportFileError); tolerates any truncation
//     let report = recorder.report(at: clock())          // without a file
//     let all = try LatencyReport.merged([a, b, c])      // several runs, or one model on several devices
//
// All times are nanoseconds of one monotonic clock that the caller reads; the module reads no clock, and only
// `FileReportSink` touches files, so tests run on made-up time. Types: `Histogram`, `Stage`, `Recorder`, `RunMetadata`,
// `ReportSink`, `FileReportSink`, `ReportWriter`, `ReportFile`, `LatencyReport`.
