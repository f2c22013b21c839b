import NestFormat

extension Decoder {
    func prepare(_ keypoints: KeypointDecoding) throws(DecodingError) {
        let count: Int
        switch keypoints.form {
        case .heatmaps:
            count = grid.channels
        case .direct:
            guard outputs[0].elementCount % 3 == 0, outputs[0].elementCount > 0 else {
                throw unsuitable(0, expected: "[k, 3]")
            }
            count = outputs[0].elementCount / 3
        }
        if let gauge = keypoints.gauge {
            for index in [gauge.centre, gauge.tip, gauge.min, gauge.max] where index < 0 || index >= count {
                throw unsuitable(0, expected: "at least \(index + 1) keypoints for the gauge")
            }
        }
        keypointList = FixedList(capacity: count)
    }

    func decode(_ keypoints: KeypointDecoding, _ view: TensorView, _ placement: Placement) {
        keypointList.removeAll()
        for index in 0..<keypointList.capacity {
            var point: Keypoint
            switch keypoints.form {
            case .heatmaps:
                point = peak(view, channel: index)
            case .direct:
                point = Keypoint(
                    x: view.value(3 * index + 1), y: view.value(3 * index), score: view.value(3 * index + 2))
            }
            point.x = placement.sourceX(ofInput: point.x, inputWidth: inputWidth)
            point.y = placement.sourceY(ofInput: point.y, inputHeight: inputHeight)
            keypointList.append(point)
        }
        setGauge(keypoints.gauge.map { read($0, threshold: keypoints.scoreThreshold, placement) })
    }

    /// The first largest element of a channel, refined to the centroid of the 3×3 around it with negative values as 0;
    /// the centre of cell x is (x + 0.5) / width.
    private func peak(_ view: TensorView, channel: Int) -> Keypoint {
        var (best, largest) = (0, -Float.infinity)
        for cell in 0..<grid.height * grid.width {
            let value = view.value(cell * grid.channels + channel)
            if value > largest { (best, largest) = (cell, value) }
        }
        let (row, column) = (best / grid.width, best % grid.width)
        var (total, sumX, sumY) = (0.0, 0.0, 0.0)
        for y in max(0, row - 1)...min(grid.height - 1, row + 1) {
            for x in max(0, column - 1)...min(grid.width - 1, column + 1) {
                let weight = Double(max(0, view.value((y * grid.width + x) * grid.channels + channel)))
                total += weight
                sumX += weight * (Double(x) + 0.5)
                sumY += weight * (Double(y) + 0.5)
            }
        }
        guard total > 0 else {
            return Keypoint(
                x: (Float(column) + 0.5) / Float(grid.width), y: (Float(row) + 0.5) / Float(grid.height), score: largest)
        }
        return Keypoint(
            x: Float(sumX / total / Double(grid.width)), y: Float(sumY / total / Double(grid.height)), score: largest)
    }

    /// The needle's angle clockwise from the scale's beginning as a share of the whole scale's, both in pixels of the
    /// picture. A needle in the gap between the ends reads as the nearer end.
    private func read(_ gauge: KeypointDecoding.Gauge, threshold: Float, _ placement: Placement) -> GaugeReading {
        for index in [gauge.centre, gauge.tip, gauge.min, gauge.max] where !(keypointList[index].score >= threshold) {
            return .unreadable
        }
        let centre = keypointList[gauge.centre]
        func angle(_ index: Int) -> Double? {
            let x = Double(keypointList[index].x - centre.x) * Double(placement.sourceWidth)
            let y = Double(keypointList[index].y - centre.y) * Double(placement.sourceHeight)
            return x == 0 && y == 0 ? nil : DeterministicMath.atan2(y, x)
        }
        guard let begin = angle(gauge.min), let end = angle(gauge.max), let tip = angle(gauge.tip) else {
            return .unreadable
        }
        // y grows downwards, so growing angles turn clockwise.
        func clockwise(to angle: Double) -> Double {
            let difference = angle - begin
            return difference < 0 ? difference + 2 * Double.pi : difference
        }
        let sweep = clockwise(to: end)
        guard sweep > 0 else { return .unreadable }
        var needle = clockwise(to: tip)
        if needle > sweep { needle = needle - sweep <= 2 * Double.pi - needle ? sweep : 0 }
        let share = needle / sweep
        return .value(Float(Double(gauge.minValue) + share * (Double(gauge.maxValue) - Double(gauge.minValue))))
    }
}
