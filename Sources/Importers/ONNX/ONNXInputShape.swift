import Graph

/// Finds type and extents of a graph input.
struct ONNXInputShape {
    private let input: ONNXValueInfo
    private let override: [Int]?

    /// `override`: what the user gave with `--input-shape`.
    init(_ input: ONNXValueInfo, override: [Int]?) { (self.input, self.override) = (input, override) }

    func resolved() throws(GraphProblem) -> (ElementType, [Int]) {
        guard case .tensor(let dataType, let axes) = input.kind else {
            guard case .other(let kind) = input.kind else { preconditionFailure() }
            throw problem(
                expected: "a tensor", found: kind,
                remedy:
                    "Sequences, maps and optional values can't be inputs: cut the model after the operator that reads it."
            )
        }
        let type = ONNXDataType(number: dataType)
        guard let elementType = type.elementType, !type.isNibbles else {
            throw problem(expected: "elements of a numeric type of 4 to 64 bits or bool", found: type.name)
        }
        let shape = if let override { try check(override, axes) } else { try fixed(axes) }
        guard ShapeInference.count(shape) != nil else {
            throw problem(expected: "extents of at most 2^31 elements in all", found: "shape \(shape)")
        }
        return (elementType, shape)
    }

    /// The declared extents; a dynamic batch becomes 1.
    private func fixed(_ axes: [ONNXValueInfo.Dimension]?) throws(GraphProblem) -> [Int] {
        guard let axes else {
            throw problem(
                expected: "a declared shape", found: "none",
                remedy: "Pass --input-shape \(input.name)=N,… with all extents.")
        }
        var shape: [Int] = []
        var dynamic: [String] = []
        for (index, axis) in axes.enumerated() {
            switch axis {
            case .fixed(let extent): shape.append(Int(extent))
            case .dynamic where index == 0 && axes.count > 1: shape.append(1)
            case .dynamic(let name):
                shape.append(-1)
                dynamic.append("axis \(index)" + (name.isEmpty ? "" : " (\"\(name)\")"))
            }
        }
        if dynamic.isEmpty { return shape }
        let template = shape.map { $0 < 0 ? "…" : "\($0)" }.joined(separator: ",")
        throw problem(
            expected: "fixed extents", found: dynamic.joined(separator: " and ") + " without one",
            remedy: "Pass --input-shape \(input.name)=\(template) with numbers for the dots.")
    }

    /// The extents that the user gave, which must agree with those that the model fixes.
    private func check(_ given: [Int], _ axes: [ONNXValueInfo.Dimension]?) throws(GraphProblem) -> [Int] {
        guard given.allSatisfy({ $0 > 0 }) else {
            throw GraphProblem(
                subject: "--input-shape \(input.name)", expected: "positive extents", found: "\(given)")
        }
        guard let axes else { return given }
        let agrees =
            axes.count == given.count
            && zip(axes, given).allSatisfy { axis, extent in
                if case .fixed(let fixed) = axis { Int(fixed) == extent } else { true }
            }
        guard agrees else {
            let declared = axes.map { axis in
                switch axis {
                case .fixed(let extent): "\(extent)"
                case .dynamic(let name): name.isEmpty ? "?" : name
                }
            }
            throw GraphProblem(
                subject: "--input-shape \(input.name)",
                expected: "extents that fit the model's [\(declared.joined(separator: ", "))]", found: "\(given)")
        }
        return given
    }

    private func problem(expected: String, found: String, remedy: String = "") -> GraphProblem {
        GraphProblem(subject: "input \"\(input.name)\"", expected: expected, found: found, remedy: remedy)
    }
}
