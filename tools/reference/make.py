"""Reference outputs of LiteRT and ONNX Runtime; see README.md in this folder.

make.py outputs ROOT OUT [MODEL...]   inputs and raw outputs of every model on images that suit it, as .npy
make.py cases FOLDER GOLDEN           outputs of the one-operator models that TFLiteOperatorTests writes
make.py accuracy ROOT                 top-1 of each row of the table in ROOT/SOURCES.md
"""

import csv
import pathlib
import sys

import numpy as np
from PIL import Image

F = np.float32


def rgb(path):
    return Image.open(path).convert("RGB")


def centre_square(image, size, fraction=0.875):
    w, h = image.size
    s = fraction * min(w, h)
    box = ((w - s) / 2, (h - s) / 2, (w + s) / 2, (h + s) / 2)
    return np.asarray(image.resize((size, size), Image.BILINEAR, box=box), np.uint8)


def stretched(image, width, height):
    return np.asarray(image.resize((width, height), Image.BILINEAR), np.uint8)


def letterboxed(image, size, fill=114):
    """The image scaled to fit the square's top left, the rest filled."""
    w, h = image.size
    r = min(size / w, size / h)
    canvas = np.full((size, size, 3), fill, np.uint8)
    small = stretched(image, int(w * r), int(h * r))
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def normalized(pixels, mean, std):
    return (pixels.astype(F) / F(255) - np.array(mean, F)) / np.array(std, F)


def planar(pixels):
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def real_input(name, image):
    """The real-valued input of a model without batch axis, in the model's own layout."""
    half = lambda p: normalized(p, [0.5] * 3, [0.5] * 3)
    if "mobilenet_v2_quant.onnx" in name:
        return planar(normalized(centre_square(image, 224), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    if "coco_ssd" in name:
        return half(stretched(image, 300, 300))
    if "mobilenet" in name:
        return half(centre_square(image, 160 if "_160_" in name else 224))
    if name.startswith("ic_resnet8"):
        return stretched(image, 32, 32).astype(F)
    if name.startswith("cifar10"):
        return planar(normalized(stretched(image, 32, 32), [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]))
    if name.startswith("vww"):
        return stretched(image, 96, 96).astype(F) / F(255)
    if name.startswith("deeplab"):
        return half(stretched(image, 257, 257))
    if name.startswith("mnv3"):
        return half(stretched(image, 256, 256))
    if name.startswith("movenet"):
        return stretched(image, 192, 192).astype(F)
    if name.startswith("mp_selfie"):
        return stretched(image, 256, 256).astype(F) / F(255)
    if name.startswith("mp_face"):
        return half(stretched(image, 128, 128))
    if name.startswith("version-RFB"):
        p = (stretched(image, 320, 240).astype(F) - F(127)) / F(128)
        return planar(p) if name.endswith("onnx") else p
    if name.startswith("yunet"):
        p = stretched(image, 160, 120).astype(F)
        return planar(p) if name.endswith("onnx") else p
    if name.startswith("yolox"):
        return planar(letterboxed(image, 416)[:, :, ::-1].astype(F))
    if name.startswith("nanodet"):
        p = stretched(image, 320, 320)[:, :, ::-1].astype(F)
        return planar((p - np.array([103.53, 116.28, 123.675], F)) / np.array([57.375, 57.12, 58.395], F))
    if name.startswith("person_detect"):
        gray = np.asarray(image.convert("L").resize((96, 96), Image.BILINEAR), np.uint8)
        return (gray.view(np.int8).astype(F) + F(1))[:, :, None] / F(127.5)
    raise SystemExit(f"no preprocessing known for {name}")


def stored(real, dtype, scale, zero_point):
    """The real input as the input tensor stores it."""
    if dtype == np.float32:
        return real.astype(F)
    if not scale:
        return np.clip(np.round(real), 0, 255).astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.round(real / F(scale)) + zero_point, limits.min, limits.max).astype(dtype)


class LiteRT:
    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(str(path), num_threads=1)
        self.interpreter.allocate_tensors()
        (self.input,) = self.interpreter.get_input_details()
        self.outputs = self.interpreter.get_output_details()

    def store(self, real):
        return stored(real, self.input["dtype"], *self.input["quantization"])[None]

    def run(self, x):
        self.interpreter.set_tensor(self.input["index"], x)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(o["index"]) for o in self.outputs]

    def facts(self):
        return [("input", self.input)] + [("output", o) for o in self.outputs]


class OnnxRuntime:
    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()

    def store(self, real):
        return real[None].astype(F)

    def run(self, x):
        return self.session.run(None, {self.input.name: x})

    def facts(self):
        return []


def load(path):
    return OnnxRuntime(path) if path.suffix == ".onnx" else LiteRT(path)


def images_for(name, root):
    images = root / "images"
    if name.startswith(("ic_resnet8", "cifar10")):
        pixels = np.fromfile(images / "cifar10/images_u8_hwc_rgb.bin", np.uint8).reshape(-1, 32, 32, 3)
        return [Image.fromarray(p) for p in pixels[::50]]
    if name.startswith("movenet"):
        return [rgb(images / "golden/squat.bmp")]
    if name.startswith("deeplab"):
        return [rgb(images / "golden/segmentation_input_rotation0.jpg")]
    if name.startswith("person_detect"):
        return [rgb(images / "golden" / f) for f in ("person.bmp", "no_person.bmp")]
    if name.startswith("mobilenet") or name.startswith("tf2"):
        return [rgb(p) for p in sorted((images / "imagenet-sample").glob("*.JPEG"))[::35]]
    if name.startswith("vww"):
        return [rgb(p) for p in sorted((images / "coco128").glob("*.jpg"))[::8]]
    return [rgb(images / "golden/cats_and_dogs.jpg")]


def outputs(root, out, only):
    """OUT/MODEL/inputs.npy and OUT/MODEL/output<i>.npy, first axis: the image; OUT/MODEL/facts.txt."""
    for path in sorted((root / "models").glob("*.*")):
        name = path.name
        if path.suffix not in (".onnx", ".tflite") or (only and not any(o in name for o in only)):
            continue
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            model = load(path)
        except (RuntimeError, ValueError) as error:
            (folder / "refused.txt").write_text(str(error))
            print(name, "refused:", str(error).splitlines()[0])
            continue
        inputs = [model.store(real_input(name, i)) for i in images_for(name, root)]
        results = [model.run(x) for x in inputs]
        np.save(folder / "inputs.npy", np.concatenate(inputs))
        for index in range(len(results[0])):
            np.save(folder / f"output{index}.npy", np.stack([r[index] for r in results]))
        lines = [f"{kind} {d['name']} {d['dtype'].__name__} {d['shape'].tolist()} {d['quantization']}"
                 for kind, d in model.facts()]
        (folder / "facts.txt").write_text("\n".join(lines) + "\n")
        print(name, inputs[0].shape, [r.shape for r in results[0]], flush=True)


def cases(folder, golden):
    """One line for each output: case|extents|elements. LiteRT's reference kernels, no delegate."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    lines = ["# Outputs of LiteRT's reference kernels, by `tools/reference/make.py cases`: case|extents|elements."]
    for path in sorted(folder.glob("*.tflite")):
        try:
            interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        except (ValueError, RuntimeError):  # a few operators have no reference kernel
            interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
        for index, detail in enumerate(interpreter.get_input_details()):
            data = np.fromfile(folder / f"{path.stem}.input{index}", detail["dtype"])
            interpreter.set_tensor(detail["index"], data.reshape(detail["shape"]))
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            result = interpreter.get_tensor(detail["index"])
            elements = [repr(x.item()) if result.dtype == F else str(int(x)) for x in result.ravel()]
            shape = ",".join(map(str, result.shape))
            lines.append(f"{path.stem}|{shape}|{' '.join(f'{float(e):.7g}' for e in elements)}")
    golden.write_text("\n".join(lines) + "\n")
    print(len(lines) - 1, "outputs")


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def accuracy(root):
    images, models = root / "images", root / "models"

    def report(dataset, name, pairs, offset=0):
        model = load(models / name)
        hits = [int(np.argmax(model.run(model.store(real_input(name, i)))[0])) - offset == c for i, c in pairs]
        print(f"| {dataset} | {name} | {len(hits)} | {np.mean(hits):.4f} |", flush=True)

    pixels = np.fromfile(images / "cifar10/images_u8_hwc_rgb.bin", np.uint8).reshape(-1, 32, 32, 3)
    cifar = [(Image.fromarray(p), int(r["class"])) for p, r in zip(pixels, rows(images / "cifar10/labels.csv"))]
    for name in ("ic_resnet8_float.tflite", "ic_resnet8_int8.tflite", "cifar10_resnet_4b.onnx"):
        report("cifar10", name, cifar)
    vww = [(rgb(images / "coco128" / r["file"]), int(r["person_0_1"])) for r in rows(images / "coco128/vww_labels.csv")]
    for name in ("vww_96_float.tflite", "vww_96_int8.tflite"):
        report("coco128-vww", name, vww)
    for dataset in ("ilsvrc2012-val", "imagenet-sample"):
        table = rows(images / dataset / "labels.csv")
        pairs = [(rgb(images / dataset / r["file"]), int(r["class_0_999"])) for r in table]
        for path in sorted(models.glob("*mobilenet_v*")):
            if "coco_ssd" not in path.name:
                report(dataset, path.name, pairs, offset=0 if path.suffix == ".onnx" else 1)


if __name__ == "__main__":
    command, root = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "accuracy":
        accuracy(root)
    elif command == "cases":
        cases(root, pathlib.Path(sys.argv[3]))
    else:
        outputs(root, pathlib.Path(sys.argv[3]), sys.argv[4:])
