"""The benchmark's classification networks: torchvision's architectures, layer for layer, as float ONNX graphs.

Weights are drawn from a seed. Every batch normalization gets the statistics that its channels really have on a batch of
pictures, then is folded into its convolution, as exporters do. Needs onnx and onnxruntime.
"""

import math

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pictures import pictures

OPSET = 17

# Parameters that torchvision's models have, batch normalization counted with scale and shift.
PARAMETERS = {
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "squeezenet1_1": 1_235_496,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
}


class Builder:
    """Records an ONNX graph while it runs every node on a batch of pictures, which is where statistics come from."""

    def __init__(self, name, size=224, seed=1):
        self.name, self.draw = name, np.random.default_rng(seed)
        self.nodes, self.initializers, self.values = [], [], {}
        self.parameters = 0
        self.size = size
        self.values["input"] = pictures(4, size, seed + 1)

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, inputs, label, **attributes):
        """Adds a node and runs it; returns the name of its output."""
        output = f"{label}_out"
        node = helper.make_node(operator, inputs, [output], name=label, **attributes)
        self.nodes.append(node)
        given = [i for i in inputs if i in self.values]
        constants = [c for c in self.initializers if c.name in inputs]
        graph = helper.make_graph(
            [node], label,
            [helper.make_tensor_value_info(i, TensorProto.FLOAT, self.values[i].shape) for i in given],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], constants)
        (self.values[output],) = run(model_of(graph), {i: self.values[i] for i in given})
        return output

    def conv(self, x, channels, kernel=1, stride=1, groups=1, padding=None, label="conv", norm=True, activation=None,
             act_first=True):
        inputs = self.values[x].shape[1]
        fan_in = inputs // groups * kernel * kernel
        weight = self.draw.standard_normal((channels, inputs // groups, kernel, kernel)) * math.sqrt(2 / fan_in)
        weight = weight.astype(np.float32)
        bias = np.zeros(channels, np.float32)
        padding = kernel // 2 if padding is None else padding
        attributes = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4, group=groups)
        self.parameters += weight.size + (2 * channels if norm else channels)
        if norm:
            scale, bias = self.normalization(x, weight, attributes)
            weight = weight * scale[:, None, None, None]
        else:
            bias = (self.draw.standard_normal(channels) * 0.05).astype(np.float32)
        out = self.node(
            "Conv", [x, self.constant(f"{label}.weight", weight.astype(np.float32)), self.constant(f"{label}.bias", bias)],
            label, **attributes)
        return self.activate(out, activation, label)

    def normalization(self, x, weight, attributes):
        """Scale and shift of a batch normalization behind this convolution, statistics from the pictures."""
        graph = helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"], **attributes)], "statistics",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.values[x].shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(weight, "w")])
        (y,) = run(model_of(graph), {"x": self.values[x]})
        mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
        gamma = self.draw.uniform(0.5, 1.5, len(mean))
        beta = self.draw.standard_normal(len(mean)) * 0.3
        # Training would not blow up a channel that hardly varies.
        scale = gamma / np.sqrt(np.maximum(variance, 0.01 * variance.mean()) + 1e-5)
        return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)

    def activate(self, x, kind, label):
        if kind is None:
            return x
        if kind == "relu":
            return self.node("Relu", [x], f"{label}.relu")
        if kind == "relu6":
            bounds = [self.constant(f"{label}.{n}", np.float32(v)) for n, v in (("low", 0), ("high", 6))]
            return self.node("Clip", [x, *bounds], f"{label}.relu6")
        if kind == "hardswish":
            return self.node("HardSwish", [x], f"{label}.hardswish")
        if kind == "hardsigmoid":
            return self.node("HardSigmoid", [x], f"{label}.hardsigmoid", alpha=1 / 6, beta=0.5)
        if kind == "sigmoid":
            return self.node("Sigmoid", [x], f"{label}.sigmoid")
        if kind == "silu":
            return self.node("Mul", [x, self.node("Sigmoid", [x], f"{label}.sigmoid")], f"{label}.silu")
        raise ValueError(f"no activation {kind}")

    def squeeze(self, x, channels, activation, gate, label):
        """Squeeze and excite."""
        inputs = self.values[x].shape[1]
        s = self.node("GlobalAveragePool", [x], f"{label}.mean")
        s = self.conv(s, channels, label=f"{label}.fc1", norm=False, activation=activation)
        s = self.conv(s, inputs, label=f"{label}.fc2", norm=False, activation=gate)
        return self.node("Mul", [x, s], f"{label}.scale")

    def linear(self, x, outputs, label, activation=None):
        inputs = self.values[x].shape[1]
        weight = (self.draw.standard_normal((outputs, inputs)) * math.sqrt(1 / inputs)).astype(np.float32)
        bias = (self.draw.standard_normal(outputs) * 0.1).astype(np.float32)
        self.parameters += weight.size + outputs
        out = self.node(
            "Gemm", [x, self.constant(f"{label}.weight", weight), self.constant(f"{label}.bias", bias)], label, transB=1)
        return self.activate(out, activation, label)

    def pooled(self, x):
        return self.node("Flatten", [self.node("GlobalAveragePool", [x], "avgpool")], "flatten", axis=1)

    def max_pool(self, x, padding, label):
        return self.node("MaxPool", [x], label, kernel_shape=[3, 3], strides=[2, 2], pads=[padding] * 4)

    def model(self, output):
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, self.size, self.size])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, *self.values[output].shape[1:]])],
            self.initializers)
        known = PARAMETERS[self.name]
        if self.parameters != known:
            raise AssertionError(f"{self.name}: {self.parameters} parameters, torchvision's has {known}")
        return onnx.shape_inference.infer_shapes(model_of(graph))


def model_of(graph):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def divisible(value, divisor=8):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def mobilenet_v2(b):
    x = b.conv("input", 32, 3, 2, label="features.0", activation="relu6")
    index = 1
    for expand, channels, repeats, first_stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeats):
            label, before = f"features.{index}", x
            inputs = b.values[x].shape[1]
            hidden, stride = inputs * expand, first_stride if i == 0 else 1
            if expand != 1:
                x = b.conv(x, hidden, label=f"{label}.expand", activation="relu6")
            x = b.conv(x, hidden, 3, stride, hidden, label=f"{label}.depthwise", activation="relu6")
            x = b.conv(x, channels, label=f"{label}.project")
            if stride == 1 and inputs == channels:
                x = b.node("Add", [before, x], f"{label}.add")
            index += 1
    x = b.conv(x, 1280, label="features.18", activation="relu6")
    return b.linear(b.pooled(x), 1000, "classifier.1")


def mobilenet_v3_large(b):
    x = b.conv("input", 16, 3, 2, label="features.0", activation="hardswish")
    rows = (
        (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
        (5, 72, 40, True, "relu", 2), (5, 120, 40, True, "relu", 1), (5, 120, 40, True, "relu", 1),
        (3, 240, 80, False, "hardswish", 2), (3, 200, 80, False, "hardswish", 1), (3, 184, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1), (3, 480, 112, True, "hardswish", 1), (3, 672, 112, True, "hardswish", 1),
        (5, 672, 160, True, "hardswish", 2), (5, 960, 160, True, "hardswish", 1), (5, 960, 160, True, "hardswish", 1))
    for index, (kernel, hidden, channels, squeeze, activation, stride) in enumerate(rows, 1):
        label, before = f"features.{index}", x
        inputs = b.values[x].shape[1]
        if hidden != inputs:
            x = b.conv(x, hidden, label=f"{label}.expand", activation=activation)
        x = b.conv(x, hidden, kernel, stride, hidden, label=f"{label}.depthwise", activation=activation)
        if squeeze:
            x = b.squeeze(x, divisible(hidden // 4), "relu", "hardsigmoid", f"{label}.se")
        x = b.conv(x, channels, label=f"{label}.project")
        if stride == 1 and inputs == channels:
            x = b.node("Add", [before, x], f"{label}.add")
    x = b.conv(x, 960, label="features.16", activation="hardswish")
    return b.linear(b.linear(b.pooled(x), 1280, "classifier.0", "hardswish"), 1000, "classifier.3")


def efficientnet_b0(b):
    x = b.conv("input", 32, 3, 2, label="features.0", activation="silu")
    index = 1
    for expand, kernel, first_stride, channels, repeats in (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1)):
        for i in range(repeats):
            label, before = f"features.{index}", x
            inputs = b.values[x].shape[1]
            hidden, stride = inputs * expand, first_stride if i == 0 else 1
            if expand != 1:
                x = b.conv(x, hidden, label=f"{label}.expand", activation="silu")
            x = b.conv(x, hidden, kernel, stride, hidden, label=f"{label}.depthwise", activation="silu")
            x = b.squeeze(x, max(1, inputs // 4), "silu", "sigmoid", f"{label}.se")
            x = b.conv(x, channels, label=f"{label}.project")
            if stride == 1 and inputs == channels:
                x = b.node("Add", [before, x], f"{label}.add")
            index += 1
    x = b.conv(x, 1280, label="features.8", activation="silu")
    return b.linear(b.pooled(x), 1000, "classifier.1")


def squeezenet1_1(b):
    def fire(x, squeeze, expand, label):
        x = b.conv(x, squeeze, label=f"{label}.squeeze", norm=False, activation="relu")
        left = b.conv(x, expand, label=f"{label}.expand1x1", norm=False, activation="relu")
        right = b.conv(x, expand, 3, label=f"{label}.expand3x3", norm=False, activation="relu")
        return b.node("Concat", [left, right], f"{label}.concat", axis=1)

    x = b.conv("input", 64, 3, 2, padding=0, label="features.0", norm=False, activation="relu")
    x = b.max_pool(x, 0, "features.2")
    x = fire(fire(x, 16, 64, "features.3"), 16, 64, "features.4")
    x = b.max_pool(x, 0, "features.5")
    x = fire(fire(x, 32, 128, "features.6"), 32, 128, "features.7")
    x = b.max_pool(x, 0, "features.8")
    for index, (squeeze, expand) in enumerate(((48, 192), (48, 192), (64, 256), (64, 256)), 9):
        x = fire(x, squeeze, expand, f"features.{index}")
    return b.pooled(b.conv(x, 1000, label="classifier.1", norm=False, activation="relu"))


def resnet(b, repeats, bottleneck):
    x = b.max_pool(b.conv("input", 64, 7, 2, label="conv1", activation="relu"), 1, "maxpool")
    for stage, count in enumerate(repeats):
        width, stride = 64 << stage, 1 if stage == 0 else 2
        for i in range(count):
            label, before, step = f"layer{stage + 1}.{i}", x, stride if i == 0 else 1
            outputs = width * (4 if bottleneck else 1)
            if bottleneck:
                x = b.conv(x, width, label=f"{label}.conv1", activation="relu")
                x = b.conv(x, width, 3, step, label=f"{label}.conv2", activation="relu")
                x = b.conv(x, outputs, label=f"{label}.conv3")
            else:
                x = b.conv(x, width, 3, step, label=f"{label}.conv1", activation="relu")
                x = b.conv(x, width, 3, label=f"{label}.conv2")
            if step != 1 or b.values[before].shape[1] != outputs:
                before = b.conv(before, outputs, 1, step, label=f"{label}.downsample")
            x = b.activate(b.node("Add", [x, before], f"{label}.add"), "relu", f"{label}.add")
    return b.linear(b.pooled(x), 1000, "fc")


ARCHITECTURES = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_large": mobilenet_v3_large,
    "efficientnet_b0": efficientnet_b0,
    "squeezenet1_1": squeezenet1_1,
    "resnet18": lambda b: resnet(b, (2, 2, 2, 2), False),
    "resnet50": lambda b: resnet(b, (3, 4, 6, 3), True),
}


def build(name):
    """The float model of architecture `name`."""
    builder = Builder(name)
    return builder.model(ARCHITECTURES[name](builder))
