import Foundation
import NestFormat

/// What a model needs besides its weights: how pictures become its input, what its output means. Comes from a JSON file
/// (`model.json` beside the models that we ship), from `--preprocess` and from `--decode`.
public struct Recipe: Sendable {
    public var preprocess: Preprocess?
    public var decoding: OutputDecoding = .raw
    public var labels: [String] = []
    /// Names of keypoints, in the order of the output's channels; stored as labels.
    public init() {}
}

/// A recipe that can't be understood: which key, what was expected, what was found.
public struct RecipeError: Error, CustomStringConvertible {
    public var subject: String, expected: String, found: String
    public var description: String { "\(subject): expected \(expected), found \(found)" }
}

extension Recipe {
    // MARK: JSON

    /// Reads a recipe from JSON. `width` and `height` are those of the model's input.
    ///
    /// Keys: `preprocess` {color, resize, filter, scale, mean, std, shorter_side, crop, fill, scaled_decode_margin},
    /// `output` {kind, …}, `labels`, `gauge`.
    public init(json data: Data, width: Int, height: Int) throws {
        let parsed: Any
        do {
            parsed = try JSONSerialization.jsonObject(with: data)
        } catch {
            throw RecipeError(subject: "recipe", expected: "valid JSON", found: "\(error.localizedDescription)")
        }
        guard let root = parsed as? [String: Any] else {
            throw RecipeError(subject: "recipe", expected: "a JSON object", found: "something else")
        }
        if let table = root["preprocess"] as? [String: Any] {
            var text: [String] = []
            for key in table.keys.sorted() { text.append("\(key)=\(Self.text(table[key]!))") }
            preprocess = try Self.preprocess(text.joined(separator: ","), width: width, height: height)
        }
        if let output = root["output"] as? [String: Any] {
            try readOutput(output, gauge: root["gauge"] as? [String: Any])
        }
        if let names = root["labels"] as? [String] { labels = names }
    }

    private static func text(_ value: Any) -> String {
        if let list = value as? [Any] { return list.map(text).joined(separator: ":") }
        return "\(value)"
    }

    private mutating func readOutput(_ table: [String: Any], gauge: [String: Any]?) throws {
        func number(_ key: String, _ missing: Double) throws -> Double {
            guard let value = table[key] else { return missing }
            guard let number = value as? NSNumber else {
                throw RecipeError(subject: "output.\(key)", expected: "a number", found: "\(value)")
            }
            return number.doubleValue
        }
        func numbers(_ key: String) throws -> [Double] {
            guard let value = table[key] else { return [] }
            guard let list = value as? [NSNumber] else {
                throw RecipeError(subject: "output.\(key)", expected: "a list of numbers", found: "\(value)")
            }
            return list.map(\.doubleValue)
        }
        let flag = { (key: String) in (table[key] as? NSNumber)?.boolValue ?? false }
        labels = table["labels"] as? [String] ?? table["keypoints"] as? [String] ?? []
        let kind = table["kind"] as? String ?? "raw"
        let threshold = Float(try number("threshold", 0.3))
        let iou = Float(try number("iou", 0.45))
        let most = Int(try number("max_detections", 100))
        let classes = Int(try number("classes", Double(labels.count)))
        switch kind {
        case "raw":
            decoding = .raw
        case "classify":
            decoding = .classification(topK: Int(try number("top", 5)), softmax: table["softmax"] == nil || flag("softmax"))
        case "detections":
            decoding = .tfliteDetections(scoreThreshold: threshold)
        case "yolox", "yolov5", "yolov8":
            decoding = .yolo(
                YOLODecoding(
                    version: kind == "yolox" ? .yolox : kind == "yolov5" ? .v5 : .v8, classCount: classes,
                    strides: try numbers("strides").map { Int($0) }, anchors: try numbers("anchors").map { Float($0) },
                    sigmoid: flag("sigmoid"), scoreThreshold: threshold, iouThreshold: iou, maxDetections: most))
        case "ssd":
            let scales = try numbers("scales")
            decoding = .ssd(
                SSDDecoding(
                    boxesOutput: Int(try number("boxes_output", 0)), scoresOutput: Int(try number("scores_output", 1)),
                    classCount: classes, hasBackground: flag("background"), sigmoid: flag("sigmoid"),
                    yScale: scales.count == 4 ? Float(scales[0]) : 10, xScale: scales.count == 4 ? Float(scales[1]) : 10,
                    hScale: scales.count == 4 ? Float(scales[2]) : 5, wScale: scales.count == 4 ? Float(scales[3]) : 5,
                    scoreThreshold: threshold, iouThreshold: iou, maxDetections: most,
                    linearSizes: flag("linear_sizes"), anchors: try numbers("anchors").map { Float($0) }))
        case "anchor-free":
            guard let levels = table["levels"] as? [[String: Any]] else {
                throw RecipeError(
                    subject: "output.levels", expected: "a list of {stride, scores, boxes}", found: "nothing of the kind")
            }
            decoding = .anchorFree(
                AnchorFreeDecoding(
                    levels: levels.map {
                        .init(
                            stride: ($0["stride"] as? NSNumber)?.intValue ?? 0,
                            scoresOutput: ($0["scores"] as? NSNumber)?.intValue ?? 0,
                            boxesOutput: ($0["boxes"] as? NSNumber)?.intValue ?? 0)
                    }, classCount: classes, distanceBins: Int(try number("bins", 1)), sigmoid: flag("sigmoid"),
                    scoreThreshold: threshold, iouThreshold: iou, maxDetections: most))
        case "segmentation":
            decoding = .segmentation(threshold: threshold)
        case "keypoints":
            var dial: KeypointDecoding.Gauge?
            if let gauge {
                func place(_ name: String) throws -> Int {
                    guard let index = labels.firstIndex(of: name) else {
                        throw RecipeError(
                            subject: "output.keypoints", expected: "\"\(name)\" among the names of a gauge", found: "\(labels)")
                    }
                    return index
                }
                func value(_ key: String) throws -> Float {
                    guard let number = gauge[key] as? NSNumber else {
                        throw RecipeError(subject: "gauge.\(key)", expected: "a number", found: "\(gauge[key] ?? "nothing")")
                    }
                    return number.floatValue
                }
                dial = .init(
                    centre: try place("centre"), tip: try place("tip"), min: try place("min"), max: try place("max"),
                    minValue: try value("min"), maxValue: try value("max"), unit: gauge["unit"] as? String ?? "")
            }
            let isDirect = table["form"] as? String == "direct"
            decoding = .keypoints(
                KeypointDecoding(form: isDirect ? .direct : .heatmaps, scoreThreshold: threshold, gauge: dial))
        default:
            throw RecipeError(
                subject: "output.kind",
                expected:
                    "raw, classify, detections, ssd, yolox, yolov5, yolov8, anchor-free, segmentation or keypoints",
                found: "\"\(kind)\"")
        }
    }

    // MARK: Text

    /// Known starting points of `--preprocess`.
    public static let presets: [(name: String, meaning: String, text: String)] = [
        ("imagenet", "torchvision: RGB/255, ImageNet mean and std, centre square of 0.875",
            "resize=center-square,crop=0.875,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"),
        ("tf", "TensorFlow: RGB in [-1, 1], centre square of 0.875",
            "resize=center-square,crop=0.875,scale=1/255,mean=0.5,std=0.5"),
        ("unit", "RGB in [0, 1], whole picture stretched", "scale=1/255"),
        ("bytes", "RGB 0…255, whole picture stretched", "scale=1"),
    ]

    /// Reads `KEY=VALUE,…`, optionally after the name of a preset.
    ///
    /// Keys: color (rgb, bgr, gray), resize (stretch, crop, center-square, letterbox, letterbox-topleft), filter
    /// (bilinear, bilinear2, nearest), shorter_side, crop, fill, scale, mean, std (a:b:c), scaled_decode_margin.
    public static func preprocess(_ text: String, width: Int, height: Int) throws -> Preprocess {
        var result = Preprocess(width: width, height: height)
        var parts = text.split(separator: ",").map(String.init)
        if let first = parts.first, !first.contains("=") {
            guard let preset = presets.first(where: { $0.name == first }) else {
                throw RecipeError(
                    subject: "preprocess", expected: "KEY=VALUE or one of \(presets.map(\.name).joined(separator: ", "))",
                    found: "\"\(first)\"")
            }
            parts.replaceSubrange(0..<1, with: preset.text.split(separator: ",").map(String.init))
        }
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2 else {
                throw RecipeError(subject: "preprocess", expected: "KEY=VALUE", found: "\"\(part)\"")
            }
            try result.set(pair[0], to: pair[1])
        }
        let channels = result.channels
        for path in [\Preprocess.mean, \Preprocess.std] {
            if result[keyPath: path].count == 1 {
                result[keyPath: path] = [Float](repeating: result[keyPath: path][0], count: channels)
            }
            if result[keyPath: path].count != channels, channels == 1, Set(result[keyPath: path]).count == 1 {
                result[keyPath: path] = [result[keyPath: path][0]]
            }
            guard result[keyPath: path].count == channels else {
                throw RecipeError(
                    subject: "preprocess mean and std", expected: "1 or \(channels) numbers",
                    found: "\(result[keyPath: path].count)")
            }
        }
        return result
    }
}

extension Preprocess {
    fileprivate mutating func set(_ key: String, to value: String) throws {
        func number(_ text: String) throws -> Float {
            let sides = text.split(separator: "/").map { Double($0) }
            if sides.count == 1, let value = sides[0] { return Float(value) }
            if sides.count == 2, let a = sides[0], let b = sides[1], b != 0 { return Float(a / b) }
            throw RecipeError(subject: "preprocess \(key)", expected: "a number or a/b", found: "\"\(text)\"")
        }
        func choice<T>(_ choices: [(String, T)]) throws -> T {
            if let found = choices.first(where: { $0.0 == value.lowercased() }) { return found.1 }
            throw RecipeError(
                subject: "preprocess \(key)", expected: choices.map(\.0).joined(separator: ", "), found: "\"\(value)\"")
        }
        switch key {
        case "color": color = try choice([("rgb", .rgb), ("bgr", .bgr), ("gray", .gray)])
        case "resize":
            fit = try choice([
                ("stretch", .stretch), ("crop", .resizeThenCenterCrop), ("center-square", .centerCropThenResize),
                ("letterbox", .letterboxCenter), ("letterbox-topleft", .letterboxTopLeft),
            ])
        case "filter":
            filter = try choice([("bilinear", .bilinearAntialias), ("bilinear2", .bilinear), ("nearest", .nearest)])
        case "shorter_side": resizeShorterSide = Int(try number(value))
        case "crop": cropFraction = try number(value)
        case "fill":
            let level = try number(value)
            guard (0...255).contains(level) else {
                throw RecipeError(subject: "preprocess fill", expected: "0 to 255", found: value)
            }
            fill = UInt8(level)
        case "scale": scale = try number(value)
        case "mean": mean = try value.split(separator: ":").map { try number(String($0)) }
        case "std": std = try value.split(separator: ":").map { try number(String($0)) }
        case "scaled_decode_margin": scaledDecodeMargin = try number(value)
        default:
            throw RecipeError(
                subject: "preprocess",
                expected:
                    "color, resize, filter, shorter_side, crop, fill, scale, mean, std or scaled_decode_margin",
                found: "\"\(key)\"")
        }
    }
}
