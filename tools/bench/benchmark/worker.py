"""One runtime that times inferences of one model when it is told to: the protocol of `swiftlet bench --bursts`.

worker.py RUNTIME MODEL THREADS

The first line of standard output is a JSON object: load_ms, first_ms, baseline_bytes, resident_bytes, and int8
([convolutions that run int8, convolutions]) where the runtime tells. Every line N on standard input is answered with
{"ns": [N times]}; the end of standard input ends it. What can't be run is one line {"error": reason}.
"""

import json
import os
import sys
import time

import numpy as np

from pictures import picture_input


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class ONNXRuntime:
    """ONNX Runtime, CPU provider, all graph optimizations, bound inputs and outputs."""

    def __init__(self):
        import onnxruntime

        self.library = onnxruntime

    def load(self, path, threads):
        options = self.library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self.session = self.library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (given,) = self.session.get_inputs()
        types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(
            given.name, self.library.OrtValue.ortvalue_from_numpy(picture_input(given.shape, np.dtype(types[given.type]))))
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def int8(self, path):
        """Counted in the graph that the runtime made of the model."""
        import tempfile

        import onnx

        with tempfile.TemporaryDirectory() as folder:
            options = self.library.SessionOptions()
            options.log_severity_level = 4
            options.optimized_model_filepath = os.path.join(folder, "optimized.onnx")
            self.library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            names = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
        integer = sum(name in ("QLinearConv", "ConvInteger") for name in names)
        return [integer, integer + sum(name in ("Conv", "FusedConv") for name in names)]


class OpenVINO:
    """OpenVINO's CPU plugin with the latency hint, one stream."""

    def __init__(self):
        import openvino

        self.library = openvino

    def load(self, path, threads):
        core = self.library.Core()
        model = core.read_model(path)
        if model.input(0).partial_shape.is_dynamic:    # the batch, in TFLite models
            model.reshape([1, *[extent.get_length() for extent in list(model.input(0).partial_shape)[1:]]])
        self.model = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})
        self.request = self.model.create_infer_request()
        given = self.model.input(0)
        array = picture_input(tuple(given.shape), np.dtype(given.element_type.to_dtype()))
        self.request.set_input_tensor(self.library.Tensor(array))

    def run(self):
        self.request.infer()

    def int8(self, path):
        layers = [op.get_rt_info() for op in self.model.get_runtime_model().get_ops()]
        precisions = [
            info["runtimePrecision"].astype(str) for info in layers
            if "Convolution" in info["layerType"].astype(str)]
        return [sum("8" in precision for precision in precisions), len(precisions)]


class LiteRT:
    """LiteRT with its default delegate (XNNPACK)."""

    def __init__(self):
        from ai_edge_litert import interpreter

        self.library = interpreter

    def load(self, path, threads):
        self.interpreter = self.library.Interpreter(path, num_threads=threads)
        self.interpreter.allocate_tensors()
        given = self.interpreter.get_input_details()[0]
        self.interpreter.set_tensor(given["index"], picture_input(given["shape"], np.dtype(given["dtype"])))

    def run(self):
        self.interpreter.invoke()

    def int8(self, path):
        return None


class MNN:
    """MNN's CPU backend."""

    def __init__(self):
        import MNN

        self.library = MNN

    def load(self, path, threads):
        self.interpreter = self.library.Interpreter(path)
        self.session = self.interpreter.createSession({"numThread": threads, "backend": "CPU"})
        given = self.interpreter.getSessionInput(self.session)
        shape = given.getShape()
        if given.getDataType() == self.library.Halide_Type_Float:    # else it stays zero: int8 has no Python type there
            given.copyFrom(self.library.Tensor(
                shape, self.library.Halide_Type_Float, picture_input(shape, np.dtype(np.float32)),
                self.library.Tensor_DimensionType_Caffe))

    def run(self):
        self.interpreter.runSession(self.session)

    def int8(self, path):
        return None


RUNTIMES = {"onnxruntime": ONNXRuntime, "openvino": OpenVINO, "litert": LiteRT, "mnn": MNN}


def serve(name, path, threads):
    # Runtimes print to standard output as they please: keep it for the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        runtime = RUNTIMES[name]()
        baseline = resident_bytes()
        start = time.perf_counter_ns()
        runtime.load(path, threads)
        loaded = time.perf_counter_ns()
        runtime.run()
        first = time.perf_counter_ns()
        facts = {
            "load_ms": (loaded - start) / 1e6, "first_ms": (first - loaded) / 1e6, "baseline_bytes": baseline,
            "resident_bytes": resident_bytes()}
        facts["int8"] = runtime.int8(path)
    except Exception as error:  # whatever a runtime throws is why it isn't measured
        return answer({"error": " ".join(str(error).split())[:300] or type(error).__name__})
    answer(facts)
    clock, run = time.perf_counter_ns, runtime.run
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            before = clock()
            run()
            times.append(clock() - before)
        answer({"ns": times})


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
