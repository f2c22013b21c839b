"""Writes MobileNetV1 1.0 (224²), SqueezeNet 1.1 (227²) and ResNet-18 (224²) as float ONNX with seeded Gaussian weights, batch
normalization folded, and a few random pictures to calibrate with. Python's standard library and NumPy only; the same bytes
every time.

usage: networks.py DIRECTORY
"""
import os
import sys

import numpy


# Protocol buffers: a message is bytes; the few fields of ONNX's messages that these networks need, by number.
def varint(value):
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def integer(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, values):
    header = b"".join(integer(1, extent) for extent in values.shape)
    kind = {"float32": 1, "int64": 7}[values.dtype.name]
    return header + integer(2, kind) + block(8, name) + block(9, values.tobytes())


def port(name, shape):
    extents = b"".join(block(1, integer(1, extent)) for extent in shape)
    return block(1, name) + block(2, block(1, integer(1, 1) + block(2, extents)))


class Network:
    def __init__(self, name, size, seed):
        self.name, self.size = name, size
        self.random = numpy.random.Generator(numpy.random.PCG64(seed))
        self.nodes, self.constants, self.count = [], [], 0
        self.value, self.channels = "image", 3

    def node(self, kind, inputs, **attributes):
        self.count += 1
        output = f"{kind.lower()}{self.count}"
        encoded = b"".join(block(1, name) for name in inputs) + block(2, output) + block(3, output) + block(4, kind)
        for name, value in attributes.items():
            if isinstance(value, int):
                encoded += block(5, block(1, name) + integer(3, value) + integer(20, 2))
            else:
                values = b"".join(integer(8, item) for item in value)
                encoded += block(5, block(1, name) + values + integer(20, 7))
        self.nodes.append(block(1, encoded))
        self.value = output
        return output

    def constant(self, name, values):
        self.constants.append(block(5, tensor(name, values)))
        return name

    def conv(self, outputs, kernel, stride=1, pad=None, groups=1, relu=True, gain=2.0):
        pad = kernel // 2 if pad is None else pad
        fan = self.channels // groups * kernel * kernel
        deviation = (gain / fan) ** 0.5
        weights = self.random.normal(0, deviation, (outputs, self.channels // groups, kernel, kernel))
        bias = self.random.normal(0, 0.1, outputs)
        number = self.count
        self.node(
            "Conv",
            [
                self.value,
                self.constant(f"weights{number}", weights.astype("float32")),
                self.constant(f"bias{number}", bias.astype("float32")),
            ],
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)
        self.channels = outputs
        if relu:
            self.node("Relu", [self.value])
        return self.value

    def pool(self, kind, kernel, stride, pad=0, ceil=0):
        self.node(kind, [self.value], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil)

    def head(self, classes):
        self.node("GlobalAveragePool", [self.value])
        self.node("Flatten", [self.value], axis=1)
        weights = self.random.normal(0, self.channels ** -0.5, (classes, self.channels))
        self.node(
            "Gemm",
            [
                self.value,
                self.constant("head_weights", weights.astype("float32")),
                self.constant("head_bias", self.random.normal(0, 0.1, classes).astype("float32")),
            ],
            transB=1)

    def write(self, directory, output_shape):
        graph = b"".join(self.nodes) + block(2, self.name) + b"".join(self.constants)
        graph += block(11, port("image", [1, 3, self.size, self.size])) + block(12, port(self.value, output_shape))
        model = integer(1, 8) + block(7, graph) + block(8, block(1, "") + integer(2, 13))
        with open(os.path.join(directory, self.name + ".onnx"), "wb") as file:
            file.write(model)
        pictures = self.random.normal(0, 1, (4, 3, self.size, self.size)).astype("<f4")
        numpy.save(os.path.join(directory, self.name + ".npy"), pictures)


def mobilenet_v1():
    net = Network("mobilenet_v1", 224, 1)
    net.conv(32, 3, stride=2)
    for outputs, stride in [
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
        (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
    ]:
        net.conv(net.channels, 3, stride=stride, groups=net.channels)
        net.conv(outputs, 1)
    net.head(1000)
    return net, [1, 1000]


def squeezenet_1_1():
    net = Network("squeezenet_1_1", 227, 2)

    def fire(squeeze, expand):
        net.conv(squeeze, 1)
        value, channels = net.value, net.channels
        one = net.conv(expand, 1)
        net.value, net.channels = value, channels
        three = net.conv(expand, 3)
        net.node("Concat", [one, three], axis=1)
        net.channels = 2 * expand

    net.conv(64, 3, stride=2, pad=0)
    net.pool("MaxPool", 3, 2)
    fire(16, 64)
    fire(16, 64)
    net.pool("MaxPool", 3, 2)
    fire(32, 128)
    fire(32, 128)
    net.pool("MaxPool", 3, 2)
    fire(48, 192)
    fire(48, 192)
    fire(64, 256)
    fire(64, 256)
    net.conv(1000, 1)
    net.node("GlobalAveragePool", [net.value])
    net.node("Flatten", [net.value], axis=1)
    return net, [1, 1000]


def resnet_18():
    net = Network("resnet_18", 224, 3)
    net.conv(64, 7, stride=2)
    net.pool("MaxPool", 3, 2, pad=1)
    for outputs, first_stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        for stride in (first_stride, 1):
            value, channels = net.value, net.channels
            net.conv(outputs, 3, stride=stride)
            # A residual branch as trained networks have it: smaller than what it is added to.
            branch = net.conv(outputs, 3, relu=False, gain=0.5)
            if stride != 1 or channels != outputs:
                net.value, net.channels = value, channels
                value = net.conv(outputs, 1, stride=stride, relu=False, gain=1.0)
            net.node("Add", [branch, value])
            net.node("Relu", [net.value])
    net.head(1000)
    return net, [1, 1000]


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for make in (mobilenet_v1, squeezenet_1_1, resnet_18):
        network, shape = make()
        network.write(sys.argv[1], shape)
        print(network.name)


if __name__ == "__main__":
    main()
