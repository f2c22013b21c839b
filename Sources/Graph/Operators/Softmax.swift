/// ONNX Softmax and LogSoftmax (opset 13 meaning: along one axis).
public struct Softmax: Operator, Hashable {
    public var axis: Int, isLog: Bool
    public init(axis: Int = -1, isLog: Bool = false) { (self.axis, self.isLog) = (axis, isLog) }

    public var name: String { isLog ? "LogSoftmax" : "Softmax" }
}

extension Softmax {
    public func infer(_ inputs: [InputFacts?]) throws(OperatorError) -> [TensorType] {
        let x = try inputs.operand(0, "x")
        try x.require(ElementType.floatingPoint)
        if let shape = x.shape { _ = try normalized(axis: axis, rank: shape.count) }
        return [x.type]
    }

    public func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
        if let outputs = try evaluateWidened(inputs) { return outputs }
        let x = inputs[0]!
        let axis = try normalized(axis: axis, rank: x.shape.count)
        return [x.elementType == .float64 ? softmax(x, axis, Double.self) : softmax(x, axis, Float.self)]
    }

    private func softmax<Element: RealElement>(_ x: Tensor, _ axis: Int, _: Element.Type) -> Tensor {
        let extent = x.shape[axis]
        let inner = x.shape[(axis + 1)...].reduce(1, *)
        let outer = x.shape[..<axis].reduce(1, *)
        return Tensor(shape: x.shape, of: Element.self) { output in
            x.withElements(of: Element.self) { x in
                for line in 0..<(outer * inner) {
                    let start = line / inner * extent * inner + line % inner
                    let source = x.baseAddress! + start
                    let target = output.baseAddress! + start
                    var greatest = -Element.infinity
                    for index in 0..<extent { greatest = Element.larger(source[index * inner], greatest) }
                    var sum: Element = 0
                    for index in 0..<extent {
                        let exponential = Element.exp(source[index * inner] - greatest)
                        target[index * inner] = exponential
                        sum += exponential
                    }
                    if isLog {
                        let logarithm = Element.log(sum)
                        for index in 0..<extent { target[index * inner] = source[index * inner] - greatest - logarithm }
                    } else {
                        for index in 0..<extent { target[index * inner] /= sum }
                    }
                }
            }
        }
    }
}
