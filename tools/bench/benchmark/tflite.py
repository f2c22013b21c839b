"""Writes a quantized (QDQ) ONNX network as an int8 TFLite model for LiteRT: the same weights, scales and zero points,
channels last, uint8 activations shifted to int8. Knows the operators of the benchmark's networks; raises Unsupported
otherwise. Needs onnx, flatbuffers and ai-edge-litert.

Two things that TFLite fixes differ: LOGISTIC's output scale is always 1/256, and HardSigmoid is spelled min(max(x + 3, 0),
6) / 6."""

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper


class Unsupported(Exception):
    """An operator or attribute that this writer has no TFLite form for."""


class Value:
    """A TFLite tensor that stands for a float value of the ONNX graph."""

    def __init__(self, index, shape, scale, zero_point):
        self.index, self.shape, self.scale, self.zero_point = index, shape, scale, zero_point


def channels_last(shape):
    """NCHW, NCL and NC extents in the order that they are stored in."""
    return [shape[0], *shape[2:], shape[1]] if len(shape) > 2 else list(shape)


class Writer:
    def __init__(self, model):
        model = onnx.shape_inference.infer_shapes(model)
        self.graph = model.graph
        self.constants = {c.name: numpy_helper.to_array(c) for c in self.graph.initializer}
        self.shapes = {
            v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in [*self.graph.value_info, *self.graph.input, *self.graph.output]}
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], {}
        self.values = {}
        self.quantized, self.dequantized = {}, {}    # float name -> (quantized name, scale, zero point)
        for node in self.graph.node:
            if node.op_type == "QuantizeLinear":
                self.quantized[node.input[0]] = (node.output[0], *self.numbers(node))
            elif node.op_type == "DequantizeLinear":
                self.dequantized[node.output[0]] = (node.input[0], *self.numbers(node))
        self.sources = {name: floating for floating, (name, _, _) in self.quantized.items()}

    def numbers(self, node):
        return self.constants[node.input[1]], self.constants[node.input[2]]

    def first_numbers(self, name):
        """Scale and zero point of a value, or of the first quantized one behind it (an input that is sliced first)."""
        reached = [name]
        while reached:
            name = reached.pop(0)
            if name in self.quantized:
                return self.quantized[name]
            reached += [output for node in self.graph.node if name in node.input for output in node.output]
        raise Unsupported("no value behind the input is quantized")

    # Tensors

    def tensor(self, name, shape, kind, scale=None, zero_point=None, data=None, axis=0):
        buffer = 0
        if data is not None:
            holder = schema.BufferT()
            holder.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(holder)
            buffer = len(self.buffers) - 1
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [int(e) for e in shape], kind, buffer
        if scale is not None:
            numbers = schema.QuantizationParametersT()
            numbers.scale = np.atleast_1d(scale).astype(np.float32)
            numbers.zeroPoint = np.atleast_1d(zero_point).astype(np.int64)
            numbers.quantizedDimension = axis
            tensor.quantization = numbers
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, name, shape, scale, zero_point):
        """An int8 tensor; `zero_point` as int8 counts it."""
        index = self.tensor(name, shape, schema.TensorType.INT8, scale, zero_point)
        return Value(index, list(shape), float(scale), int(zero_point))

    def integers(self, name, data):
        return self.tensor(name, np.shape(data), schema.TensorType.INT32, data=np.asarray(data, np.int32))

    def output(self, node, shape):
        """The tensor of a node's result, quantized as the graph says."""
        name = node.output[0]
        if name not in self.quantized:
            raise Unsupported(f"{node.op_type} {node.name}: its result is not quantized")
        _, scale, zero_point = self.quantized[name]
        self.values[name] = self.activation(name, shape, scale, int(zero_point) - (128 if zero_point.dtype == np.uint8 else 0))
        return self.values[name]

    def input(self, name):
        """The value that a node's input (behind a DequantizeLinear) stands for."""
        source = self.dequantized[name][0] if name in self.dequantized else name
        value = self.values.get(self.sources.get(source, source))
        if value is None:
            raise Unsupported(f"{name}: not a quantized value")
        return value

    def weights(self, name):
        """Integers, scales, zero points of a constant."""
        source, scale, zero_point = self.dequantized[name]
        return self.constants[source], scale, zero_point

    # Operators

    def add(self, code, inputs, outputs, options=None, version=1):
        key = (code, version)
        if key not in self.codes:
            self.codes[key] = len(self.codes)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes[key]
        operator.inputs, operator.outputs = inputs, [value.index for value in outputs]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        self.operators.append(operator)

    def requantized(self, value, like):
        """`value` in the numbers of `like`, which TFLite's concatenation and pooling need."""
        if (value.scale, value.zero_point) == (like.scale, like.zero_point):
            return value
        result = self.activation(f"requantized_{len(self.tensors)}", value.shape, like.scale, like.zero_point)
        self.add(schema.BuiltinOperator.QUANTIZE, [value.index], [result], schema.QuantizeOptionsT(), 2)
        return result

    def padded(self, value, pads, low):
        """`value` with explicit padding; `low` pads with the lowest value instead of zero."""
        top, left, bottom, right = pads
        shape = [value.shape[0], value.shape[1] + top + bottom, value.shape[2] + left + right, value.shape[3]]
        result = self.activation(f"padded_{len(self.tensors)}", shape, value.scale, value.zero_point)
        amounts = self.integers(f"pads_{len(self.tensors)}", [[0, 0], [top, bottom], [left, right], [0, 0]])
        if low:
            fill = self.tensor(
                f"fill_{len(self.tensors)}", [], schema.TensorType.INT8, value.scale, value.zero_point,
                np.array(-128, np.int8))
            self.add(schema.BuiltinOperator.PADV2, [value.index, amounts, fill], [result], schema.PadV2OptionsT(), 2)
        else:
            self.add(schema.BuiltinOperator.PAD, [value.index, amounts], [result], schema.PadOptionsT(), 2)
        return result

    def window(self, x, attributes, low=False):
        """Input of a sliding window and TFLite's padding mode."""
        kernel, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
        pads = attributes.get("pads", [0] * 4)
        if not any(pads):
            return x, schema.Padding.VALID
        if strides == [1, 1] and pads == [kernel[0] // 2, kernel[1] // 2] * 2:
            return x, schema.Padding.SAME
        return self.padded(x, pads, low), schema.Padding.VALID

    def conv(self, node, attributes):
        x = self.input(node.input[0])
        weights, scales, _ = self.weights(node.input[1])
        bias, bias_scale, _ = self.weights(node.input[2])
        outputs, depth = weights.shape[0], weights.shape[1]
        group = attributes.get("group", 1)
        if attributes.get("dilations", [1, 1]) != [1, 1] or group not in (1, x.shape[-1]):
            raise Unsupported(f"Conv {node.name}: dilation or groups")
        y = self.output(node, channels_last(self.shapes[node.output[0]]))
        source, padding = self.window(x, attributes)
        if group == 1:
            options, axis, stored = schema.Conv2DOptionsT(), 0, weights.transpose(0, 2, 3, 1)
        else:
            options, axis, stored = schema.DepthwiseConv2DOptionsT(), 3, weights[:, 0].transpose(1, 2, 0)[None]
            options.depthMultiplier = outputs // group
        options.strideH, options.strideW = attributes.get("strides", [1, 1])
        options.padding = padding
        zeros = np.zeros(len(np.atleast_1d(scales)))
        w = self.tensor(node.input[1], stored.shape, schema.TensorType.INT8, scales, zeros, stored, axis)
        b = self.tensor(node.input[2], [outputs], schema.TensorType.INT32, bias_scale, zeros, bias.astype(np.int32))
        code = schema.BuiltinOperator.CONV_2D if group == 1 else schema.BuiltinOperator.DEPTHWISE_CONV_2D
        self.add(code, [source.index, w, b], [y], options, 3)

    def gemm(self, node, attributes):
        x = self.input(node.input[0])
        weights, scales, _ = self.weights(node.input[1])
        bias, bias_scale, _ = self.weights(node.input[2])
        stored = weights if attributes.get("transB") else weights.T
        y = self.output(node, [1, len(stored)])
        zeros = np.zeros(len(np.atleast_1d(scales)))
        w = self.tensor(node.input[1], stored.shape, schema.TensorType.INT8, scales, zeros, stored)
        b = self.tensor(node.input[2], [len(stored)], schema.TensorType.INT32, bias_scale, zeros, bias.astype(np.int32))
        options = schema.FullyConnectedOptionsT()
        self.add(schema.BuiltinOperator.FULLY_CONNECTED, [x.index, w, b], [y], options, 4)

    def binary(self, node, code, options):
        a, b = (self.input(name) for name in node.input)
        shape = [max(pair) for pair in zip(a.shape, b.shape)]
        self.add(code, [a.index, b.index], [self.output(node, shape)], options, 2)

    def sigmoid(self, node, attributes):
        x = self.input(node.input[0])
        name = node.output[0]
        self.values[name] = self.activation(name, x.shape, 1 / 256, -128)
        self.add(schema.BuiltinOperator.LOGISTIC, [x.index], [self.values[name]], None, 2)

    def hard_sigmoid(self, node, attributes):
        x = self.input(node.input[0])
        constant = lambda value: self.tensor(
            f"{node.name}_{value:.2f}", [1] * len(x.shape), schema.TensorType.INT8, value / 127, 0, np.full((1,) * len(x.shape), 127, np.int8))
        six = self.activation(f"{node.name}_relu6", x.shape, 6 / 255, -128)
        options = schema.AddOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        self.add(schema.BuiltinOperator.ADD, [x.index, constant(3.0)], [six], options, 2)
        self.add(
            schema.BuiltinOperator.MUL, [six.index, constant(1 / 6)], [self.output(node, x.shape)], schema.MulOptionsT(), 2)

    def mean(self, node, attributes):
        x = self.input(node.input[0])
        options = schema.ReducerOptionsT()
        options.keepDims = True
        y = self.output(node, [x.shape[0], 1, 1, x.shape[3]])
        self.add(
            schema.BuiltinOperator.MEAN, [x.index, self.integers(f"{node.name}_axes", [1, 2])], [y], options, 2)

    def max_pool(self, node, attributes):
        y = self.output(node, channels_last(self.shapes[node.output[0]]))
        x, padding = self.window(self.requantized(self.input(node.input[0]), y), attributes, low=True)
        options = schema.Pool2DOptionsT()
        options.padding = padding
        options.filterHeight, options.filterWidth = attributes["kernel_shape"]
        options.strideH, options.strideW = attributes.get("strides", [1, 1])
        self.add(schema.BuiltinOperator.MAX_POOL_2D, [x.index], [y], options, 2)

    def concat(self, node, attributes):
        shape = self.shapes[node.output[0]]
        axis = attributes["axis"] % len(shape)
        order = channels_last(range(len(shape)))
        y = self.output(node, channels_last(shape))
        parts = [self.requantized(self.input(name), y).index for name in node.input]
        options = schema.ConcatenationOptionsT()
        options.axis = order.index(axis)
        self.add(schema.BuiltinOperator.CONCATENATION, parts, [y], options, 2)

    def reshape(self, node, attributes):
        """Only reshapes that keep the stored order: to one pixel's channels, or of rows and columns into one axis."""
        x, shape = self.input(node.input[0]), self.shapes[node.output[0]]
        one_pixel = x.shape[1:-1] == [1] * len(x.shape[1:-1]) and len(shape) == 2
        joined = len(shape) == 3 and len(x.shape) == 4 and shape[1] == x.shape[-1]
        if not (one_pixel or joined):
            raise Unsupported(f"{node.op_type} {node.name}: mixes channels and pixels")
        y = self.same(node, x, channels_last(shape))
        options = schema.ReshapeOptionsT()
        options.newShape = y.shape
        self.add(
            schema.BuiltinOperator.RESHAPE, [x.index, self.integers(f"{node.name}_shape", y.shape)], [y], options)

    def same(self, node, x, shape):
        """The result of a node that only moves values; it keeps their numbers."""
        self.values[node.output[0]] = self.activation(node.output[0], shape, x.scale, x.zero_point)
        return self.values[node.output[0]]

    def transpose(self, node, attributes):
        if attributes["perm"] != [0, 2, 1]:
            raise Unsupported(f"Transpose {node.name}: {attributes['perm']}")
        self.values[node.output[0]] = self.input(node.input[0])    # stored channels last already

    def resize(self, node, attributes):
        if attributes.get("mode", b"nearest") != b"nearest":
            raise Unsupported(f"Resize {node.name}: not nearest")
        x = self.input(node.input[0])
        y = self.same(node, x, channels_last(self.shapes[node.output[0]]))
        self.add(
            schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR, [x.index, self.integers(f"{node.name}_size", y.shape[1:3])],
            [y], schema.ResizeNearestNeighborOptionsT(), 2)

    def slice(self, node, attributes):
        x = self.input(node.input[0])
        starts, ends, axes, *steps = (self.constants[name] for name in node.input[1:])
        steps = steps[0] if steps else np.ones_like(starts)
        order = channels_last(range(len(x.shape)))
        begin, end, step = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
        for low, high, axis, stride in zip(starts, ends, axes, steps):
            place = order.index(int(axis) % len(x.shape))
            begin[place], end[place], step[place] = int(low), min(int(high), x.shape[place]), int(stride)
        y = self.same(node, x, channels_last(self.shapes[node.output[0]]))
        bounds = [self.integers(f"{node.name}_{word}", data) for word, data in (("begin", begin), ("end", end), ("step", step))]
        self.add(schema.BuiltinOperator.STRIDED_SLICE, [x.index, *bounds], [y], schema.StridedSliceOptionsT(), 2)

    def node(self, node):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        kinds = {
            "Conv": self.conv, "Gemm": self.gemm, "Sigmoid": self.sigmoid, "HardSigmoid": self.hard_sigmoid,
            "GlobalAveragePool": self.mean, "MaxPool": self.max_pool, "Concat": self.concat, "Flatten": self.reshape,
            "Reshape": self.reshape, "Transpose": self.transpose, "Resize": self.resize, "Slice": self.slice}
        if node.op_type == "Add":
            self.binary(node, schema.BuiltinOperator.ADD, schema.AddOptionsT())
        elif node.op_type == "Mul":
            self.binary(node, schema.BuiltinOperator.MUL, schema.MulOptionsT())
        elif node.op_type == "HardSwish":
            x = self.input(node.input[0])
            self.add(schema.BuiltinOperator.HARD_SWISH, [x.index], [self.output(node, x.shape)], schema.HardSwishOptionsT())
        elif node.op_type in kinds:
            kinds[node.op_type](node, attributes)
        else:
            raise Unsupported(f"{node.op_type} {node.name}: no TFLite form in this benchmark")

    def bytes(self):
        (given,), (result,) = self.graph.input, self.graph.output
        _, scale, zero_point = self.first_numbers(given.name)
        self.values[given.name] = self.activation(
            given.name, channels_last(self.shapes[given.name]), scale, int(zero_point) - 128)
        for node in self.graph.node:
            if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
                self.node(node)
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [self.values[given.name].index], [self.input(result.name).index]
        model = schema.ModelT()
        model.version, model.description = 3, "written by tools/bench"
        model.subgraphs, model.buffers, model.operatorCodes = [graph], self.buffers, []
        for code, version in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.version = code, version
            entry.deprecatedBuiltinCode = min(code, 127)
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def write(source, target):
    """Writes the QDQ model file `source` as TFLite to `target`."""
    with open(target, "wb") as file:
        file.write(Writer(onnx.load(source)).bytes())
