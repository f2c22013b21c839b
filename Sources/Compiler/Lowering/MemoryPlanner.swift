/// Places buffers with known lifetimes in one arena.
public enum MemoryPlanner {
    /// A buffer that is live from the step that first writes it to the step that last reads it, both included.
    public struct Buffer: Sendable, Hashable {
        public var byteCount: Int
        public var firstStep: Int
        public var lastStep: Int

        public init(byteCount: Int, firstStep: Int, lastStep: Int) {
            (self.byteCount, self.firstStep, self.lastStep) = (byteCount, firstStep, lastStep)
        }
    }

    /// Offsets (multiples of `alignment`) of all buffers, the arena's size and the lower bound that no plan can beat:
    /// the most bytes live at one step.
    public struct Plan: Sendable, Hashable {
        public var offsets: [Int]
        public var arenaBytes: Int
        public var lowerBoundBytes: Int
    }

    public static let alignment = 64

    /// Tries greedy placement (lowest gap that fits) in several orders (by size, by lifetime, by first step; the
    /// "greedy by size" of Pisarchyk and Lee, *Efficient Memory Management for Deep Neural Net Inference*, 2020, is one)
    /// and keeps the smallest arena.
    public static func plan(_ buffers: [Buffer]) -> Plan {
        let sizes = buffers.map { ($0.byteCount + alignment - 1) / alignment * alignment }
        let bound = lowerBound(buffers, sizes)
        let indices = Array(buffers.indices)
        func span(_ i: Int) -> Int { buffers[i].lastStep - buffers[i].firstStep }
        let breadth = breadthOfSteps(buffers, sizes)
        func pressure(_ i: Int) -> Int { (buffers[i].firstStep...buffers[i].lastStep).map { breadth[$0] ?? 0 }.max() ?? 0 }
        let pressures = indices.map(pressure)
        let orders: [[Int]] = [
            indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) },
            indices.sorted { (sizes[$0] * (span($0) + 1), $1) > (sizes[$1] * (span($1) + 1), $0) },
            indices.sorted { (buffers[$0].firstStep, $0) < (buffers[$1].firstStep, $1) },
            indices.sorted { (span($0), sizes[$0], $1) > (span($1), sizes[$1], $0) },
            indices.sorted { (pressures[$0], sizes[$0], $1) > (pressures[$1], sizes[$1], $0) },
        ]
        var best: Plan?
        for order in orders {
            let offsets = place(buffers, sizes, order)
            let total = indices.map { offsets[$0] + sizes[$0] }.max() ?? 0
            if best == nil || total < best!.arenaBytes {
                best = Plan(offsets: offsets, arenaBytes: total, lowerBoundBytes: bound)
            }
            if total == bound { break }
        }
        return best!
    }

    private static func breadthOfSteps(_ buffers: [Buffer], _ sizes: [Int]) -> [Int: Int] {
        var live: [Int: Int] = [:]
        for (buffer, size) in zip(buffers, sizes) {
            for step in buffer.firstStep...buffer.lastStep { live[step, default: 0] += size }
        }
        return live
    }

    private static func lowerBound(_ buffers: [Buffer], _ sizes: [Int]) -> Int {
        breadthOfSteps(buffers, sizes).values.max() ?? 0
    }

    private static func place(_ buffers: [Buffer], _ sizes: [Int], _ order: [Int]) -> [Int] {
        var offsets = [Int](repeating: 0, count: buffers.count)
        var placed: [Int] = []
        for index in order {
            let rivals = placed.filter {
                buffers[$0].firstStep <= buffers[index].lastStep && buffers[index].firstStep <= buffers[$0].lastStep
            }.sorted { offsets[$0] < offsets[$1] }
            var (candidate, bestOffset, bestGap) = (0, Int?.none, Int.max)
            for rival in rivals {
                let gap = offsets[rival] - candidate
                if gap >= sizes[index], gap < bestGap { (bestOffset, bestGap) = (candidate, gap) }
                candidate = max(candidate, offsets[rival] + sizes[rival])
            }
            offsets[index] = bestOffset ?? candidate
            placed.append(index)
        }
        return offsets
    }
}
