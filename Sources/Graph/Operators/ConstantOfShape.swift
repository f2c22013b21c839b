/// ONNX ConstantOfShape: input shape. `value` holds one element.
public struct ConstantOfShape: Operator {
    public var value: Tensor
    public init(value: Tensor = Tensor(scalar: Float(0)).reshaped([1])) { self.value = value }

    public var name: String { "ConstantOfShape" }
}
