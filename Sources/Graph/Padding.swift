/// Padding of spatial axes. `explicit` holds all begins, then all ends (ONNX `pads`).
public enum Padding: Sendable, Hashable {
    case explicit([Int])
    case sameUpper, sameLower, valid
}
