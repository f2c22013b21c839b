extension Tensor {
    /// `function` of every element.
    @inline(__always)
    static func map<From: TensorElement, To: TensorElement>(
        _ x: Tensor, _ function: (From) -> To
    ) -> Tensor {
        Tensor(shape: x.shape, of: To.self) { output in
            x.withElements(of: From.self) { input in
                let (source, target) = (input.baseAddress!, output.baseAddress!)
                for index in 0..<input.count { target[index] = function(source[index]) }
            }
        }
    }

    /// `function` of every pair of elements of `a` and `b` broadcast to `shape`.
    @inline(__always)
    static func map<From: TensorElement, To: TensorElement>(
        _ a: Tensor, _ b: Tensor, shape: [Int], _ function: (From, From) -> To
    ) -> Tensor {
        let walk = StridedWalk(
            shape: shape, strides: [broadcastStrides(a.shape, to: shape), broadcastStrides(b.shape, to: shape)])
        return Tensor(shape: shape, of: To.self) { output in
            a.withElements(of: From.self) { a in
                b.withElements(of: From.self) { b in
                    let (count, aStride, bStride) = (walk.rowLength, walk.rowStrides[0], walk.rowStrides[1])
                    walk.forEachRow { first, offsets in
                        let target = output.baseAddress! + first
                        let x = a.baseAddress! + offsets[0]
                        let y = b.baseAddress! + offsets[1]
                        if aStride == 1 && bStride == 1 {
                            for index in 0..<count { target[index] = function(x[index], y[index]) }
                        } else if aStride == 1 && bStride == 0 {
                            let y = y[0]
                            for index in 0..<count { target[index] = function(x[index], y) }
                        } else if aStride == 0 && bStride == 1 {
                            let x = x[0]
                            for index in 0..<count { target[index] = function(x, y[index]) }
                        } else {
                            for index in 0..<count {
                                target[index] = function(x[index * aStride], y[index * bStride])
                            }
                        }
                    }
                }
            }
        }
    }
}
