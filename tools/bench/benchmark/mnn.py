"""Makes MNN's int8 form of a model with MNN's own converter and quantizer.

mnn.py onnx FLOAT.onnx SIZE SCALE MEAN TARGET.mnn     converts the float network, then quantizes it on the pictures that
                                                      the others are calibrated on (pixel p becomes (p - MEAN) * SCALE)
mnn.py tflite MODEL.tflite TARGET.mnn                 converts a quantized model

The package's scripts mnnconvert and mnnquant install another package and send usage data; this calls what they wrap. MNN
does not read per-channel QDQ models, so its ranges are its own ("KL"); network and weights are the same.
"""

import json
import os
import struct
import sys
import tempfile

import _tools
import numpy as np

import architectures


def bitmap(pixels):
    """A BMP file of [height, width, 3] bytes."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, (width * 3 + 3) // 4 * 4), np.uint8)
    lines[:, : width * 3] = pixels[::-1, :, ::-1].reshape(height, -1)
    head = struct.pack("<2sIHHI", b"BM", 54 + lines.size, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, lines.size, 2835, 2835, 0, 0) + lines.tobytes()


def convert(framework, source, target):
    _tools.mnnconvert([
        "mnnconvert", "-f", framework, "--modelFile", source, "--MNNModel", target, "--bizCode", "benchmark"])
    if not os.path.exists(target):
        sys.exit("MNN's converter wrote nothing")


def quantize(source, target, size, scale, mean):
    with tempfile.TemporaryDirectory() as folder:
        pictures = os.path.join(folder, "pictures")
        os.mkdir(pictures)
        samples = architectures.pictures(8, size, 7)
        for index, sample in enumerate(samples):
            pixels = (sample.transpose(1, 2, 0) * 50 + 127.5).clip(0, 255).astype(np.uint8)
            with open(os.path.join(pictures, f"{index}.bmp"), "wb") as file:
                file.write(bitmap(pixels))
        settings = os.path.join(folder, "settings.json")
        with open(settings, "w") as file:
            json.dump({
                "format": "RGB", "mean": [mean] * 3, "normal": [scale] * 3, "width": size, "height": size,
                "path": pictures + "/", "used_sample_num": len(samples), "feature_quantize_method": "KL",
                "weight_quantize_method": "MAX_ABS", "input_type": "image", "model": "benchmark"}, file)
        _tools.mnnquant(["mnnquant", source, target, settings])
    if not os.path.exists(target):
        sys.exit("MNN's quantizer wrote nothing")


if __name__ == "__main__":
    kind, source = sys.argv[1:3]
    if kind == "tflite":
        convert("TFLITE", source, sys.argv[3])
    else:
        size, scale, mean, target = sys.argv[3:]
        convert("ONNX", source, target + ".float")
        quantize(target + ".float", target, int(size), float(scale), float(mean))
        os.remove(target + ".float")
