"""The benchmark's networks, built once and kept in .build/bench/networks under a key of what they are made from.

networks.py NAME…   builds them (in the benchmark's Python environment) and prints where they are as JSON:
                    {name: {"files": {"onnx"|"tflite"|"mnn": path}, "problems": {format: reason}}}

NAME@float is a built network before quantization, as "onnx", with "pictures" to calibrate it with.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

from environment import FOLDER, PACKAGES, PYTHON, ROOT, Problem, call, say

SHARED_MODELS = os.path.normpath(os.path.join(ROOT, "..", "shared", "real", "models"))
BUILT = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "squeezenet1_1", "resnet18", "resnet50")
# Published models: file, and whether it is float and quantized here.
PUBLISHED = {
    "yolox_nano": ("yolox_nano.onnx", True),
    "mlperf_resnet8": ("ic_resnet8_int8.tflite", False),
    "mlperf_vww": ("vww_96_int8.tflite", False),
}
NETWORKS = (*BUILT, *PUBLISHED)
CALIBRATION_PICTURES = 8


def sources(name):
    """Files and package versions that decide what the network becomes."""
    here = os.path.dirname(os.path.abspath(__file__))
    files = [os.path.join(here, file) for file in ("architectures.py", "mnn.py", "networks.py", "quantization.py", "tflite.py")]
    if name in PUBLISHED:
        files.append(os.path.join(SHARED_MODELS, PUBLISHED[name][0]))
    return files, [PACKAGES[package] for package in ("numpy", "onnx", "onnxruntime", "litert", "mnn")]


def folder(name):
    """Where the network is kept."""
    digest = hashlib.sha256(name.encode())
    files, versions = sources(name)
    for file in files:
        if not os.path.exists(file):
            raise Problem(f"{file} is missing: the network {name} is made from it")
        with open(file, "rb") as stream:
            digest.update(hashlib.sha256(stream.read()).digest())
    digest.update(" ".join(versions).encode())
    return os.path.join(FOLDER, "networks", f"{name}-{digest.hexdigest()[:12]}")


def build(name):
    """Builds the network unless it is kept, and returns what the module's head describes."""
    place = folder(name)
    index = os.path.join(place, "index.json")
    if not os.path.exists(index):
        say(f"building {name}")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as work:
            found = make(name, work)
            with open(os.path.join(work, "index.json"), "w") as file:
                json.dump(found, file)
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(work, place)
    with open(index) as file:
        found = json.load(file)
    found["files"] = {kind: os.path.join(place, path) for kind, path in found["files"].items()}
    return found


def make(name, work):
    import numpy
    import onnx
    from onnx import version_converter

    import architectures
    import quantization
    import tflite

    def path(file):
        return os.path.join(work, file)

    if name in PUBLISHED and not PUBLISHED[name][1]:
        shutil.copy(os.path.join(SHARED_MODELS, PUBLISHED[name][0]), path("model.tflite"))
        found = {"files": {"tflite": "model.tflite"}, "problems": {"onnx": "the model is published as TFLite only"}}
        return with_mnn(found, ["tflite", path("model.tflite")], work)
    size, scale, mean = 224, 0.02, 127.5
    base, _, form = name.partition("@")
    if base in BUILT:
        model = architectures.build(base)
        samples = architectures.pictures(CALIBRATION_PICTURES, size, 7)
    else:
        # Per-channel DequantizeLinear exists from opset 13 on.
        model = onnx.load(os.path.join(SHARED_MODELS, PUBLISHED[name][0]))
        model = version_converter.convert_version(model, architectures.OPSET)
        size, scale, mean = model.graph.input[0].type.tensor_type.shape.dim[3].dim_value, 1, 0
        samples = (architectures.pictures(CALIBRATION_PICTURES, size, 7) * 50 + 127.5).clip(0, 255)
    onnx.save(model, path("float.onnx"))
    if form:
        numpy.save(path("pictures.npy"), samples)
        return {"files": {"onnx": "float.onnx", "pictures": "pictures.npy"}, "problems": {}}
    quantization.quantize(path("float.onnx"), path("model.onnx"), model.graph.input[0].name, samples)
    found = {"files": {"onnx": "model.onnx"}, "problems": {}}
    try:
        tflite.write(path("model.onnx"), path("model.tflite"))
        found["files"]["tflite"] = "model.tflite"
    except tflite.Unsupported as error:
        found["problems"]["tflite"] = str(error)
    with_mnn(found, ["onnx", path("float.onnx"), str(size), str(scale), str(mean)], work)
    os.remove(path("float.onnx"))
    return found


def with_mnn(found, words, work):
    """Adds MNN's form, or why there is none: its tools end the process when they don't like a model."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mnn.py")
    done = subprocess.run(
        [sys.executable, script, *words, os.path.join(work, "model.mnn")], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        found["files"]["mnn"] = "model.mnn"
    else:
        last = (done.stdout.split("\n") or [""])[-2:]
        found["problems"]["mnn"] = f"MNN's tools ended with code {done.returncode}: {' '.join(last).strip()[-200:]}"
    return found


def build_all(names):
    """`build` for each name, in the benchmark's Python environment; {"unavailable": reason} for a network that can't be
    built here."""
    found = {}
    for name in names:
        try:
            folder(name)
        except Problem as problem:
            found[name] = {"unavailable": str(problem)}
            continue
        done = subprocess.run([PYTHON, os.path.abspath(__file__), name], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Problem(f"building {name} failed")
        found[name] = json.loads(done.stdout.splitlines()[-1])[name]
    return found


def convert(tool, source, name, *options):
    """The `.nest` file of a model, made anew: the converter is what changes."""
    target = os.path.join(FOLDER, f"{name}.nest")
    call([tool, "convert", source, "-o", target, *options])
    return target


if __name__ == "__main__":
    print(json.dumps({name: build(name) for name in sys.argv[1:]}))
