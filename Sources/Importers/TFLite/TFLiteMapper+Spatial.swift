import Graph

extension TFLiteMapper {
    func resizeBilinear() throws(GraphProblem) {
        let options = try options(.resizeBilinear)
        let (alignsCorners, halfPixels) = try coordinates(
            try options.bool(2, "align_corners"), try options.bool(3, "half_pixel_centers"))
        try resize(
            Resize(
                mode: .linear, coordinates: alignsCorners ? .alignCorners : halfPixels ? .halfPixel : .asymmetric,
                axes: [1, 2]))
    }

    /// RESIZE_NEAREST_NEIGHBOR: aligned corners round halves up, all else takes the pixel that the coordinate lies in.
    func resizeNearest() throws(GraphProblem) {
        let options = try options(.resizeNearestNeighbor)
        let (alignsCorners, halfPixels) = try coordinates(
            try options.bool(0, "align_corners"), try options.bool(1, "half_pixel_centers"))
        try resize(
            Resize(
                mode: .nearest,
                coordinates: alignsCorners ? .alignCorners : halfPixels ? .tfHalfPixelForNN : .asymmetric,
                nearestRounding: alignsCorners ? .roundPreferCeil : .floor, axes: [1, 2]))
    }

    private func coordinates(
        _ alignsCorners: Bool, _ halfPixels: Bool
    ) throws(GraphProblem) -> (alignsCorners: Bool, halfPixels: Bool) {
        if alignsCorners && halfPixels {
            throw problem(
                "options align_corners and half_pixel_centers", expected: "at most one of them", found: "both")
        }
        return (alignsCorners, halfPixels)
    }

    private func resize(_ op: Resize) throws(GraphProblem) {
        let x = try input(0)
        _ = try shape(x, 0, rank: 4)
        let sizes = try integers(1, "size")
        guard sizes.count == 2, sizes.allSatisfy({ $0 > 0 }) else {
            throw problem("input 1 (size)", expected: "a positive height and width", found: "\(sizes)")
        }
        try emit(op, [x, nil, nil, integers(sizes, "sizes")])
    }

    func depthToSpace() throws(GraphProblem) {
        let block = try options(.depthToSpace).positive(0, "block_size")
        try emit(DepthToSpace(blockSize: block, mode: .dcr, layout: .channelsLast), [input(0)])
    }

    func spaceToDepth() throws(GraphProblem) {
        let block = try options(.spaceToDepth).positive(0, "block_size")
        try emit(SpaceToDepth(blockSize: block, layout: .channelsLast), [input(0)])
    }
}
