/// ONNX Softmax and LogSoftmax (opset 13 meaning: along one axis).
public struct Softmax: Operator, Hashable {
    public var axis: Int, isLog: Bool
    public init(axis: Int = -1, isLog: Bool = false) { (self.axis, self.isLog) = (axis, isLog) }

    public var name: String { isLog ? "LogSoftmax" : "Softmax" }
}
