import Graph

extension ONNXRules {
    static let resizing: [String: Rule] = ["Resize": resize, "Upsample": upsample]

    private static let resize: Rule = { (node) throws(TranslationError) in
        guard node.opset > 10 else {
            return try resizeByScales(node, scales: node.input(1, "scales"))
        }
        let coordinates = try node.choice(
            "coordinate_transformation_mode", default: "half_pixel",
            [
                "half_pixel": Resize.Coordinates.halfPixel, "half_pixel_symmetric": .halfPixelSymmetric,
                "pytorch_half_pixel": .pytorchHalfPixel, "align_corners": .alignCorners, "asymmetric": .asymmetric,
                "tf_crop_and_resize": .tfCropAndResize, "tf_half_pixel_for_nn": .tfHalfPixelForNN,
            ])
        let coefficient = try node.float("cubic_coeff_a", default: -0.75)
        let excludeOutside = try node.flag("exclude_outside")
        let mode = try node.choice(
            "mode", default: "nearest",
            [
                "nearest": Resize.Mode.nearest, "linear": .linear,
                "cubic": .cubic(coefficientA: coefficient, excludeOutside: excludeOutside),
            ])
        let rounding = try node.choice(
            "nearest_mode", default: "round_prefer_floor",
            [
                "round_prefer_floor": Resize.NearestRounding.roundPreferFloor, "round_prefer_ceil": .roundPreferCeil,
                "floor": .floor, "ceil": .ceil,
            ])
        let aspect = try node.choice(
            "keep_aspect_ratio_policy", default: "stretch",
            ["stretch": Resize.AspectPolicy.stretch, "not_larger": .notLarger, "not_smaller": .notSmaller])
        let op = Resize(
            mode: mode, coordinates: coordinates, nearestRounding: rounding, antialias: try node.flag("antialias"),
            axes: try node.ints("axes"), aspect: aspect,
            extrapolationValue: try node.float("extrapolation_value", default: 0))
        // Exporters write tensors without elements for absent inputs.
        var inputs: [ValueID?] = [try node.input(0, "x")]
        for index in 1..<4 {
            guard let id = node.optionalInput(index) else {
                inputs.append(nil)
                continue
            }
            inputs.append(try node.facts(id).type.shape == [0] ? nil : id)
        }
        try node.finish(op, inputs)
    }

    /// The scales are an attribute before opset 9.
    private static let upsample: Rule = { (node) throws(TranslationError) in
        guard node.opset < 9 else { return try resizeByScales(node, scales: node.input(1, "scales")) }
        guard let scales = try node.floats("scales") else {
            throw node.refuse("attribute scales", expected: "a value", found: "none")
        }
        try resizeByScales(node, scales: node.constant(Tensor(scales, shape: [scales.count]), "scales"))
    }

    /// Upsample and the Resize of opset 10: an output pixel at i is read from i / scale, rounded down when an axis grows
    /// and up when it shrinks, as ONNX Runtime does.
    private static func resizeByScales(_ node: ONNXNodeTranslation, scales: ValueID) throws(TranslationError) {
        let mode = try node.choice(
            "mode", default: "nearest", ["nearest": Resize.Mode.nearest, "linear": .linear, "bilinear": .linear])
        let factors = try node.facts(scales).constant?.floats ?? []
        let shrinks = factors.contains { $0 < 1 }
        if mode == .nearest, shrinks, factors.contains(where: { $0 > 1 }) {
            throw node.refuse(
                "input 1 (scales)", expected: "all at least 1 or all at most 1", found: "\(factors)",
                remedy: "Export the model for opset 11 or newer.")
        }
        let op = Resize(mode: mode, coordinates: .asymmetric, nearestRounding: shrinks ? .ceil : .floor)
        try node.finish(op, [node.input(0, "x"), nil, scales])
    }
}
