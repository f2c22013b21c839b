import Compiler
import Foundation
import Graph
import NestFormat

/// Options that several commands share: how pictures become inputs, what outputs mean.
enum ModelOptions {
    static let recipe: [Option] = [
        Option(
            name: "--recipe", value: "FILE.json",
            help: "Preprocessing, labels and output decoding as JSON (model.json of the shipped models)."),
        Option(
            name: "--preprocess", value: "RULE",
            help: "How pictures become inputs: a preset (\(Recipe.presets.map(\.name).joined(separator: ", ")))\nand/or KEY=VALUE,… ; see the notes."),
        Option(name: "--labels", value: "FILE", help: "Class names, one a line."),
        Option(name: "--decode", value: "KIND", help: "Output decoding without a recipe: raw, classify, detections, segmentation."),
    ]

    static let recipeNote = """
        --preprocess keys: color=rgb|bgr|gray, resize=stretch|crop|center-square|letterbox|letterbox-topleft,
        shorter_side=PIXELS (crop), crop=SHARE (center-square), filter=bilinear|bilinear2|nearest, fill=0…255,
        scale=NUMBER|a/b, mean=a:b:c, std=a:b:c; a pixel p becomes (p·scale − mean) / std.
        """

    /// The recipe that the options describe, for an input of this size.
    static func recipe(_ arguments: Arguments, width: Int, height: Int, channels: Int) throws -> Recipe {
        var recipe = Recipe()
        do {
            if let path = arguments.string("--recipe") {
                guard let data = FileManager.default.contents(atPath: path) else { throw Failure("\(path): can't be read") }
                recipe = try Recipe(json: data, width: width, height: height)
            }
            if var text = arguments.string("--preprocess") {
                if channels == 1, !text.contains("color=") { text += ",color=gray" }
                recipe.preprocess = try Recipe.preprocess(text, width: width, height: height)
            }
            if let path = arguments.string("--labels") {
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                    throw Failure("\(path): can't be read as UTF-8 text")
                }
                recipe.labels = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            }
            if let kind = arguments.string("--decode") {
                var named = try Recipe(
                    json: JSONSerialization.data(withJSONObject: ["output": ["kind": kind]]), width: width, height: height)
                named.preprocess = recipe.preprocess
                named.labels = recipe.labels
                recipe = named
            } else if recipe.decoding == .raw, !recipe.labels.isEmpty {
                recipe.decoding = .classification(topK: 5, softmax: true)
            }
        } catch let error as RecipeError {
            throw UsageError(error.description)
        }
        return recipe
    }

    static let inputShape = Option(
        name: "--input-shape", value: "NAME=1,3,224,224", help: "Extents of an input whose axes are dynamic. May be repeated.",
        isRepeated: true)

    static func inputShapes(_ arguments: Arguments) throws -> [String: [Int]] {
        var shapes: [String: [Int]] = [:]
        for text in arguments.strings("--input-shape") {
            let pair = text.split(separator: "=").map(String.init)
            let extents = (pair.last ?? "").split(whereSeparator: { $0 == "," || $0 == "x" }).map { Int($0) }
            guard pair.count == 2, !extents.isEmpty, extents.allSatisfy({ ($0 ?? 0) > 0 }) else {
                throw UsageError("--input-shape: expected NAME=1,3,224,224, found \"\(text)\"")
            }
            shapes[pair[0]] = extents.map { $0! }
        }
        return shapes
    }
}
