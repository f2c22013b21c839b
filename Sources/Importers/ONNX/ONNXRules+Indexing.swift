import Graph

extension ONNXRules {
    static let indexing: [String: Rule] = [
        "Gather": gather, "GatherElements": gatherElements, "GatherND": gatherND, "Scatter": scatterElements,
        "ScatterElements": scatterElements, "ScatterND": scatterND, "NonZero": plain(NonZero()), "OneHot": oneHot,
        "ReverseSequence": reverseSequence, "NonMaxSuppression": nonMaxSuppression, "RoiAlign": roiAlign,
        "GridSample": gridSample,
    ]

    private static let gather: Rule = { (node) throws(TranslationError) in
        try node.finish(Gather(axis: node.int("axis", default: 0)))
    }

    private static let gatherElements: Rule = { (node) throws(TranslationError) in
        try node.finish(GatherElements(axis: node.int("axis", default: 0)))
    }

    private static let gatherND: Rule = { (node) throws(TranslationError) in
        try node.finish(GatherND(batchDims: node.int("batch_dims", default: 0)))
    }

    private static let scatterElements: Rule = { (node) throws(TranslationError) in
        try checkReduction(node)
        try node.finish(ScatterElements(axis: node.int("axis", default: 0)))
    }

    private static let scatterND: Rule = { (node) throws(TranslationError) in
        try checkReduction(node)
        try node.finish(ScatterND())
    }

    private static func checkReduction(_ node: ONNXNodeTranslation) throws(TranslationError) {
        try node.choice("reduction", default: "none", ["none": ()])
    }

    private static let oneHot: Rule = { (node) throws(TranslationError) in
        try node.finish(OneHot(axis: node.int("axis", default: -1)))
    }

    private static let reverseSequence: Rule = { (node) throws(TranslationError) in
        try node.finish(
            ReverseSequence(
                batchAxis: node.int("batch_axis", default: 1), timeAxis: node.int("time_axis", default: 0)))
    }

    private static let nonMaxSuppression: Rule = { (node) throws(TranslationError) in
        try node.finish(NonMaxSuppression(usesCenters: node.flag("center_point_box")))
    }

    /// Coordinates are not shifted by half a pixel before opset 16.
    private static let roiAlign: Rule = { (node) throws(TranslationError) in
        let halfPixel = try node.choice(
            "coordinate_transformation_mode", default: node.opset < 16 ? "output_half_pixel" : "half_pixel",
            ["half_pixel": true, "output_half_pixel": false])
        let isMax = try node.choice("mode", default: "avg", ["avg": false, "max": true])
        try node.finish(
            RoiAlign(
                isMax: isMax, outputHeight: node.int("output_height", default: 1),
                outputWidth: node.int("output_width", default: 1),
                samplingRatio: node.int("sampling_ratio", default: 0),
                spatialScale: node.float("spatial_scale", default: 1), halfPixel: halfPixel))
    }

    /// Modes have "bi" before them before opset 20.
    private static let gridSample: Rule = { (node) throws(TranslationError) in
        let mode = try node.choice(
            "mode", default: node.opset < 20 ? "bilinear" : "linear",
            [
                "linear": GridSample.Mode.linear, "bilinear": .linear, "nearest": .nearest, "cubic": .cubic,
                "bicubic": .cubic,
            ])
        let padding = try node.choice(
            "padding_mode", default: "zeros",
            ["zeros": GridSample.PaddingMode.zeros, "border": .border, "reflection": .reflection])
        try node.finish(GridSample(mode: mode, paddingMode: padding, alignCorners: node.flag("align_corners")))
    }
}
