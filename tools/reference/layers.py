"""Cuts single layers out of TFLite models, to compare layer by layer on the reference's own inputs. Used by `check`.

A flatbuffer's tables are reached through relative offsets, so a model of one layer is the file itself with three vectors
of its subgraph replaced: the operators by one of them, inputs and outputs by that operator's.
"""

import re
import struct
import subprocess


class TFLiteFile:
    def __init__(self, data):
        self.data = bytes(data)
        model = self.u32(0)
        self.model = model
        self.subgraph = self.elements(model, 2)[0]
        self.tensors = self.elements(self.subgraph, 0)
        self.operators = self.elements(self.subgraph, 3)
        self.codes = self.elements(model, 1)
        self.buffers = self.elements(model, 4)

    # Reading

    def u32(self, at):
        return struct.unpack_from("<I", self.data, at)[0]

    def field(self, table, number):
        """Where a field of a table is; 0 when it is absent."""
        vtable = table - struct.unpack_from("<i", self.data, table)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", self.data, vtable)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, vtable + 4 + 2 * number)[0]
        return table + offset if offset else 0

    def vector(self, table, number):
        """Where a vector's length is; 0 when it is absent."""
        at = self.field(table, number)
        return at + self.u32(at) if at else 0

    def elements(self, table, number):
        """The tables of a vector."""
        at = self.vector(table, number)
        places = [at + 4 + 4 * i for i in range(self.u32(at))] if at else []
        return [place + self.u32(place) for place in places]

    def numbers(self, table, number):
        at = self.vector(table, number)
        return list(struct.unpack_from(f"<{self.u32(at)}i", self.data, at + 4)) if at else []

    def scalar(self, table, number, form="<i"):
        at = self.field(table, number)
        return struct.unpack_from(form, self.data, at)[0] if at else 0

    # Meaning

    def name(self, tensor):
        at = self.vector(self.tensors[tensor], 3)
        return self.data[at + 4:at + 4 + self.u32(at)].decode()

    def is_constant(self, tensor):
        buffer = self.buffers[self.scalar(self.tensors[tensor], 2, "<I")]
        at = self.vector(buffer, 0)
        return bool(at) and self.u32(at) > 0

    def code(self, operator):
        """BuiltinOperator of an operator."""
        table = self.codes[self.scalar(self.operators[operator], 0, "<I")]
        return max(self.scalar(table, 0, "<b"), self.scalar(table, 3))

    def inputs(self, operator):
        """The tensors that an operator reads and that are computed."""
        found = []
        for tensor in self.numbers(self.operators[operator], 1):
            if tensor >= 0 and not self.is_constant(tensor) and tensor not in found:
                found.append(tensor)
        return found

    def outputs(self, operator):
        return self.numbers(self.operators[operator], 2)

    # Writing

    def with_ports(self, inputs, outputs, operators=None):
        """The model with other inputs and outputs, and only the given operators."""
        result = bytearray(self.data)
        if operators is not None:
            at = self.vector(self.subgraph, 3)
            struct.pack_into("<I", result, at, len(operators))
            for i, operator in enumerate(operators):
                place = at + 4 + 4 * i
                struct.pack_into("<I", result, place, self.operators[operator] - place)
        for tensor in (inputs + outputs) if operators is not None else []:
            # Some names are longer than those of files may be.
            at = self.vector(self.tensors[tensor], 3)
            name = f"t{tensor}".encode()
            if self.u32(at) > len(name):
                struct.pack_into(f"<I{len(name)}sx", result, at, len(name), name)
        for number, tensors in ((1, inputs), (2, outputs)):
            result += bytes(-len(result) % 4)
            at = self.field(self.subgraph, number)
            struct.pack_into("<I", result, at, len(result) - at)
            result += struct.pack(f"<{len(tensors) + 1}i", len(tensors), *tensors)
        # Signatures name the inputs and outputs that were.
        vtable = self.model - struct.unpack_from("<i", self.data, self.model)[0]
        if self.field(self.model, 7):
            struct.pack_into("<H", result, vtable + 4 + 2 * 7, 0)
        return bytes(result)

    def layer(self, operator):
        return self.with_ports(self.inputs(operator), self.outputs(operator), [operator])

    def port(self, tensor):
        """Name of an input or output of `layer`."""
        name = self.name(tensor)
        return f"t{tensor}" if len(name.encode()) > len(f"t{tensor}") else name


def run(data, feed):
    """LiteRT's outputs by tensor; `feed` holds inputs by tensor."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    for given in interpreter.get_input_details():
        interpreter.set_tensor(given["index"], feed[given["index"]])
    interpreter.invoke()
    return {d["index"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def compare(path, x, swiftlet, folder):
    """Runs LiteRT once over a quantized model, then each integer layer by itself in Swiftlet on LiteRT's own inputs.
    Gives (operator, its BuiltinOperator, elements, elements that differ, greatest difference in steps) per layer."""
    import numpy as np

    model = TFLiteFile(path.read_bytes())
    (first,) = model.numbers(model.subgraph, 1)
    every = sorted({t for o in range(len(model.operators)) for t in model.outputs(o)})
    values = run(model.with_ports([first], every), {first: x})
    values[first] = x
    folder.mkdir(parents=True, exist_ok=True)
    for operator in range(len(model.operators)):
        inputs, outputs = model.inputs(operator), model.outputs(operator)
        if not inputs or any(values[t].dtype not in (np.int8, np.uint8) for t in inputs + outputs):
            continue
        (folder / "layer.tflite").write_bytes(model.layer(operator))
        arguments = ["run", folder / "layer.nest", "--output-dir", folder / "out"]
        for i, tensor in enumerate(inputs):
            np.save(folder / f"{i}.npy", values[tensor])
            arguments += ["--input", f"{model.port(tensor)}={folder / f'{i}.npy'}"]
        swiftlet("convert", folder / "layer.tflite", "-o", folder / "layer.nest")
        subprocess.run(["rm", "-rf", folder / "out"], check=True)
        swiftlet(*arguments)
        gaps = []
        for tensor in outputs:
            found = np.load(folder / "out" / (re.sub(r"[/:\\]", "_", model.port(tensor)) + ".npy"))
            gaps.append(np.abs(found.reshape(-1).astype(int) - values[tensor].reshape(-1).astype(int)))
        gaps = np.concatenate(gaps)
        yield operator, model.code(operator), gaps.size, int((gaps > 0).sum()), int(gaps.max())
