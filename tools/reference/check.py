"""Compares what `swiftlet` converts and runs with LiteRT, ONNX Runtime and published results. Started by `check`.

Each check prints `PASS name: figures`, `FAIL name: figures` or `SKIP name: reason`; the last line counts them. The
accuracy table is left in .build/reference/table.md. Only the standard library is needed to start: the runtimes are
installed into a virtual environment of their own.
"""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real"
WORK = ROOT / ".build" / "reference"
PACKAGES = ["ai-edge-litert==2.3.0", "onnxruntime==1.31.1", "pillow", "numpy"]

HALF = "scale=1/255,mean=0.5,std=0.5"
YOLOX = "color=bgr,resize=letterbox-topleft,fill=114,scale=1"
# Model: (preprocessing, folder of calibration pictures for a float model or None when it has its own scales).
MODELS = {
    "cifar10_resnet_4b.onnx":
        ("scale=1/255,mean=.4914:.4822:.4465,std=.2471:.2435:.2616", "cifar10/jpg"),
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite": (HALF, None),
    "deeplabv3_257_float.tflite": (HALF, "coco128"),
    "ic_resnet8_float.tflite": ("bytes", "cifar10/jpg"),
    "ic_resnet8_int8.tflite": ("bytes", None),
    "mnv3_post_quant.tflite": (HALF, None),
    "mnv3_seg_float.tflite": (HALF, "faces"),
    "mobilenet_v1_0.25_224_float.tflite": ("tf", "imagenet-sample"),
    "mobilenet_v1_0.25_224_quant.tflite": ("tf", None),
    "mobilenet_v1_0.5_160_quant.tflite": ("tf", None),
    "mobilenet_v2_1.0_224_quant.tflite": ("tf", None),
    "mobilenet_v2_quant.onnx": ("imagenet", None),
    "movenet_single_pose_lightning_ptq.tflite": ("bytes", None),
    "mp_face_detection_short_range.tflite": (HALF, "faces"),
    "nanodet_m_320.onnx": ("color=bgr,scale=1,mean=103.53:116.28:123.675,std=57.375:57.12:58.395", "coco128"),
    "person_detect.tflite": ("color=gray,scale=1/255,mean=0.5,std=0.5", None),
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": ("tf", None),
    "version-RFB-320_without_postprocessing.onnx": ("scale=1,mean=127,std=128", "faces"),
    "version-RFB-320_without_postprocessing.tflite": ("scale=1,mean=127,std=128", "faces"),
    "vww_96_float.tflite": ("unit", "coco128"),
    "vww_96_int8.tflite": ("unit", None),
    "yolox_nano.onnx": (YOLOX, "coco128"),
    "yolox_nano_dynamic_range_quantize.tflite": (YOLOX, "coco128"),
    "yolox_nano_int8_quantize.tflite": (YOLOX, "coco128"),
    "yunet120x160_face_detection_yunet_120x160.onnx": ("bytes", "faces"),
    "yunet120x160_model_float32.tflite": ("bytes", "faces"),
    "yunet120x160_model_full_integer_quant.tflite": ("unit", None),
}
REFUSED = {"mp_selfie_segmentation.tflite": "Convolution2DTransposeBias"}
# Float models whose reference can be met only as well as it rounds: limit of the largest difference, and why.
ROUNDED = {"yolox_nano_int8_quantize.tflite": (2e-3, "its outputs are multiples of 1/256")}
# Classifiers with the picture sets over which top-1 has to agree; the other quantized models use a few pictures.
CLASSIFIERS = [
    "ic_resnet8_int8.tflite", "mobilenet_v1_0.25_224_quant.tflite", "mobilenet_v1_0.5_160_quant.tflite",
    "mobilenet_v2_1.0_224_quant.tflite", "mobilenet_v2_quant.onnx", "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "vww_96_int8.tflite",
]
OTHER_QUANTIZED = [
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite", "mnv3_post_quant.tflite",
    "movenet_single_pose_lightning_ptq.tflite", "yunet120x160_model_full_integer_quant.tflite",
]
DATASETS = {
    "cifar10": ("cifar10/labels.csv", "class"), "coco128-vww": ("coco128/vww_labels.csv", "person_0_1"),
    "ilsvrc2012-val": ("ilsvrc2012-val/labels.csv", "class_0_999"),
    "imagenet-sample": ("imagenet-sample/labels.csv", "class_0_999"),
}
GOLDEN = ["ssd-boxes", "deeplab-mask", "movenet-keypoints", "person-detect"]


class Skip(Exception):
    """Why a check can't be made here."""


def names():
    """All checks, in the order in which they run."""
    result = [f"refuse {m}" for m in REFUSED]
    result += [f"convert {m}" for m in MODELS]
    result += [f"float {m}" for m in MODELS if m != "person_detect.tflite"]
    result += [f"parity {m}" for m in CLASSIFIERS + OTHER_QUANTIZED]
    result += [f"layers {m}" for m in OTHER_QUANTIZED]
    result += [f"accuracy {d} {m}" for d, m, _ in table_rows()] if REAL.is_dir() else ["accuracy"]
    return result + [f"golden {g}" for g in GOLDEN]


def table_rows():
    """The rows of SOURCES.md: (picture set, model, top-1)."""
    rows = re.findall(r"^\| ([\w-]+) \| (\S+) \| \d+ \| ([\d.]+) \|$", (REAL / "SOURCES.md").read_text(), re.M)
    return [(d, m, float(a)) for d, m, a in rows if d in DATASETS]


def only(arguments):
    return [n for n in names() if not arguments or any(a in n for a in arguments)]


def skip_all(arguments, reason):
    chosen = only(arguments)
    for name in chosen:
        print(f"SKIP {name}: {reason}")
    print(f"0 passed, 0 failed, {len(chosen)} skipped")
    sys.exit(0)


def enter_environment(arguments, program):
    """Runs this file again with the Python that has the runtimes, made on the first call."""
    python = WORK / "venv" / "bin" / "python"
    stamp = WORK / "venv" / "packages.txt"
    if not stamp.exists() or stamp.read_text().split() != PACKAGES:
        print("installing " + ", ".join(PACKAGES) + f" into {WORK / 'venv'}", file=sys.stderr)
        for command in ([sys.executable, "-m", "venv", "--clear", str(WORK / "venv")],
                        [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                lines = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
                skip_all(arguments, f"the reference runtimes can't be installed: {lines[-1]}")
        stamp.write_text(" ".join(PACKAGES))
    os.execv(python, [str(python), __file__, "--swiftlet", program, *arguments])


class Checker:
    def __init__(self, program):
        import make

        self.make = make
        self.program = program
        self.out = WORK / "models"
        self.out.mkdir(parents=True, exist_ok=True)
        self.facts = {}
        self.rows = []

    # Programs and files

    def swiftlet(self, *arguments, fails=False):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if fails:
            return done
        if done.returncode != 0:
            raise AssertionError(f"swiftlet {arguments[0]} ends with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def nest(self, model, form):
        """The converted model; `form` is int8 or float. Converted once in a run."""
        path = self.out / f"{model}.{form}.nest"
        if (model, form) in self.facts:
            if isinstance(self.facts[model, form], Exception):
                raise self.facts[model, form]
            return path
        rule, pictures = MODELS[model]
        options = ["--preprocess", rule, "--json"]
        if form == "float":
            options.append("--float")
        elif pictures:
            options += ["--calibrate", REAL / "images" / pictures, "--calibration-pictures", 16, "--range", "mse"]
        try:
            self.facts[model, form] = json.loads(self.swiftlet("convert", REAL / "models" / model, "-o", path, *options))
        except AssertionError as error:
            self.facts[model, form] = error
            raise
        return path

    def outputs(self, path, name, inputs, reference):
        """What swiftlet gives for inputs along the first axis, in the order and shapes of the reference's outputs."""
        import numpy as np

        folder = WORK / "run"
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        np.save(folder / "in.npy", np.ascontiguousarray(inputs))
        self.swiftlet("run", path, "--input", f"{name}={folder / 'in.npy'}", "--output-dir", folder / "out")
        result = []
        for output, like in zip(self.output_names, reference):
            safe = re.sub(r"[/:\\]", "_", output)
            found = np.load(folder / "out" / f"{safe}.npy")
            result.append(found.reshape(like.shape))
        return result

    def load(self, model):
        """The reference runtime and the names of the model's input and outputs."""
        runtime = self.make.load(REAL / "models" / model)
        if model.endswith(".onnx"):
            self.output_names = [o.name for o in runtime.session.get_outputs()]
            self.steps = [None] * len(self.output_names)
            return runtime, runtime.input.name
        self.output_names = [o["name"] for o in runtime.outputs]
        self.steps = [1 if o["quantization"][0] else None for o in runtime.outputs]
        return runtime, runtime.input["name"]

    def pictures(self, model, most=None):
        from PIL import Image
        import numpy as np

        images = REAL / "images"
        if model.startswith(("ic_resnet8", "cifar10")):
            pixels = np.fromfile(images / "cifar10/images_u8_hwc_rgb.bin", np.uint8).reshape(-1, 32, 32, 3)
            found = [lambda p=p: Image.fromarray(p) for p in pixels]
        elif "mobilenet_v" in model and "coco" not in model:
            found = [lambda p=p: self.make.rgb(p) for p in sorted((images / "imagenet-sample").glob("*.JPEG"))]
        elif model.startswith(("mnv3", "yunet", "version-RFB", "mp_face")):
            found = [lambda p=p: self.make.rgb(p) for p in sorted((images / "faces").glob("*.jpg"))]
        elif model.startswith("movenet"):
            found = [lambda: self.make.rgb(images / "golden/squat.bmp")]
        else:
            found = [lambda p=p: self.make.rgb(p) for p in sorted((images / "coco128").glob("*.jpg"))]
        step = 1 if most is None else max(1, len(found) // most)
        return [f() for f in found[::step][:most]]

    def reference(self, model, most=None):
        """Inputs, and the reference's outputs stacked over the pictures."""
        import numpy as np

        runtime, name = self.load(model)
        inputs = [runtime.store(self.make.real_input(model, p)) for p in self.pictures(model, most)]
        results = [[np.array(y) for y in runtime.run(x)] for x in inputs]
        return name, np.concatenate(inputs), [np.stack(r) for r in zip(*results)]

    # Checks: each gives its figures and throws AssertionError when they miss

    def refuse(self, model):
        done = self.swiftlet("convert", REAL / "models" / model, "-o", self.out / "refused.nest", fails=True)
        text = done.stderr.strip()
        assert done.returncode == 1 and REFUSED[model] in text, f"rc {done.returncode}: {text[:200]}"
        return next(line.strip() for line in text.splitlines() if REFUSED[model] in line)[:160]

    def convert(self, model):
        self.nest(model, "int8")
        facts = self.facts[model, "int8"]
        parameters, file = facts["parameter_bytes"], facts["file_bytes"]
        arena, bound = facts["arena_bytes"], facts["arena_lower_bound_bytes"]
        figures = (f"file {file} bytes, {parameters} parameters ({file / max(1, parameters):.3f}), "
                   f"arena {arena} (bound {bound}, +{100 * (arena / bound - 1):.1f} %), "
                   f"{len(facts['float_layers'])} float layers")
        assert arena <= 1.05 * bound, figures
        if parameters >= 3_000_000 and not facts["float_layers"]:
            assert file <= 1.02 * parameters + 65536, figures
        return figures

    def float(self, model):
        import numpy as np

        name, inputs, expected = self.reference(model, most=1)
        found = self.outputs(self.nest(model, "float"), name, self.as_real(model, inputs), expected)
        worst = noise = 0.0
        for ours, theirs, step in zip(found, expected, self.steps):
            if step:
                continue
            a, b = ours.astype(np.float64), theirs.astype(np.float64)
            worst = max(worst, float(np.abs(a - b).max() / max(1e-6, np.abs(b).max())))
            noise = max(noise, float(np.sqrt(np.mean((a - b) ** 2) / max(1e-12, np.mean(b ** 2)))))
        if any(self.steps) or MODELS[model][1] is None:
            return "runs"  # The reference is quantized; the parity checks compare integers with integers.
        figures = f"largest difference {worst:.2e} of the largest output"
        if "dynamic_range" in model:
            figures += f", root mean square {100 * noise:.1f} % of the outputs'"
            assert noise <= 0.1, figures
        else:
            limit, reason = ROUNDED.get(model, (1e-3, ""))
            figures += f" ({reason})" if reason else ""
            assert worst <= limit, figures
        return figures

    def as_real(self, model, inputs):
        """Stored integers as the reals that the float form of a model takes."""
        import numpy as np

        if inputs.dtype == np.float32 or model.endswith(".onnx"):
            return inputs
        runtime = self.make.load(REAL / "models" / model)
        scale, zero = runtime.input["quantization"]
        return (inputs.astype(np.float32) - zero) * np.float32(scale) if scale else inputs.astype(np.float32)

    def parity(self, model):
        import numpy as np

        classifies = model in CLASSIFIERS
        name, inputs, expected = self.reference(model, most=None if classifies else 4)
        found = self.outputs(self.nest(model, "int8"), name, inputs, expected)
        if model.startswith("coco_ssd"):
            return self.detections(found, expected)
        close = total = same = 0
        for ours, theirs, step in zip(found, expected, self.steps):
            a, b = ours.astype(np.float64), theirs.astype(np.float64)
            if step is None:  # Reals that stand for integers: the step is their smallest distance.
                values = np.unique(b)
                step = max(np.diff(values).min() if len(values) > 1 else 0, np.ptp(b) / 255) * 1.001
            close += int((np.abs(a - b) <= step).sum())
            same += int((np.abs(a - b) < step / 2).sum())
            total += a.size
        figures = f"{100 * close / total:.3f} % within one step, {100 * same / total:.2f} % equal, {len(inputs)} pictures"
        agreement = 1.0
        if classifies:
            a, b = (x[0].reshape(len(inputs), -1) for x in (found, expected))
            # Where the reference's best classes tie, either is right.
            agreement = np.mean([b[i, a[i].argmax()] == b[i].max() for i in range(len(inputs))])
            figures += f", top-1 agrees on {100 * agreement:.2f} %"
        assert close >= 0.99 * total and agreement >= 0.99, figures
        return figures

    def layers(self, model):
        """Every integer layer by itself, on LiteRT's own inputs of it."""
        import layers

        runtime, _ = self.load(model)
        x = runtime.store(self.make.real_input(model, self.pictures(model, 1)[0]))
        total = differing = count = 0
        worst = []
        for operator, code, elements, unequal, gap in layers.compare(
                REAL / "models" / model, x, self.swiftlet, WORK / "layer"):
            total, differing, count = total + elements, differing + unequal, count + 1
            if gap > 1 or unequal > 0.01 * elements:
                worst.append(f"operator {operator} (builtin {code}): {unequal} of {elements} differ, by {gap} at most")
        figures = f"{differing} of {total} elements of {count} layers differ"
        assert count and not worst, "; ".join([figures] + worst)
        return figures

    def detections(self, found, expected):
        import numpy as np

        near = total = 0
        for index in range(len(expected[0])):
            count = int(expected[3][index].ravel()[0])
            for d in range(count):
                same = found[1][index].ravel() == expected[1][index].ravel()[d]
                gaps = np.abs(found[0][index].reshape(-1, 4) - expected[0][index].reshape(-1, 4)[d]).max(axis=1)
                scores = np.abs(found[2][index].ravel() - expected[2][index].ravel()[d])
                near += bool((same & (gaps < 0.02) & (scores < 0.02)).any())
                total += 1
        figures = f"{near} of {total} detections found within 0.02 in box and score"
        assert near >= 0.95 * total, figures
        return figures

    def accuracy(self, dataset, model, expected):
        table, column = DATASETS[dataset]
        offset = 0 if "imagenet" not in dataset and "ilsvrc" not in dataset or model.endswith(".onnx") else 1
        forms = ["int8"] if MODELS[model][1] is None else ["float", "int8"]
        measured = []
        for form in forms:
            facts = json.loads(self.swiftlet(
                "eval", self.nest(model, form), "--dataset", REAL / "images" / table, "--label-column", column,
                "--class-offset", offset, "--json"))
            measured.append((form, facts["top1"], facts["images"]))
        count = measured[0][2]
        cells = [next((f"{a:.4f}" for f, a, _ in measured if f == form), "") for form in ("int8", "float")]
        self.rows.append(f"| {dataset} | {model} | {count} | {expected:.4f} | {cells[0]} | {cells[1]} |")
        figures = f"reference {expected:.4f}, " + ", ".join(f"{f} {a:.4f}" for f, a, _ in measured)
        # The first form is the one with the model's own numbers.
        assert abs(measured[0][1] - expected) <= 0.01 + 1e-9, figures
        # What our own quantization costs, where there are enough pictures to tell.
        if len(measured) > 1 and count >= 300:
            assert measured[1][1] >= measured[0][1] - 0.02, figures
        return figures

    def golden(self, which):
        return getattr(self, which.replace("-", "_"))()

    def ssd_boxes(self):
        """tflite-support's object_detector_test.cc, over the 1200 × 600 picture."""
        model = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
        rule, _ = MODELS[model]
        path = self.out / "ssd.nest"
        self.swiftlet("convert", REAL / "models" / model, "-o", path, "--preprocess", rule, "--decode", "detections")
        line = json.loads(self.swiftlet("run", path, REAL / "images/golden/cats_and_dogs.jpg"))
        first = line["detections"][0]
        box = first["box"]
        figures = f"first: class {first['class']}, score {first['score']:.2f}, box {[round(v) for v in box]}"
        assert first["class"] == 16 and abs(first["score"] - 0.64) < 0.05, figures
        classes = [d["class"] for d in line["detections"][:4]]
        assert sorted(classes) == [16, 16, 16, 17], f"classes {classes}"
        expected = [54, 396, 393, 196]
        assert all(abs(a - b) <= 0.03 * 1200 for a, b in zip(box, expected)), figures
        return figures

    def deeplab_mask(self):
        import numpy as np
        from PIL import Image

        model = "deeplabv3_257_float.tflite"
        name = self.load(model)[1]
        real = self.make.real_input(model, self.make.rgb(REAL / "images/golden/segmentation_input_rotation0.jpg"))[None]
        like = [np.empty((1, 257, 257, 21), np.float32)]
        found = self.outputs(self.nest(model, "float"), name, real, like)[0]
        golden = np.asarray(Image.open(REAL / "images/golden/segmentation_golden_rotation0.png").convert("L"))
        share = np.mean(found[0].argmax(axis=2) * 10 == golden)
        assert share >= 0.99, f"{100 * share:.2f} % of the pixels"
        return f"{100 * share:.2f} % of the pixels"

    def movenet_keypoints(self):
        import numpy as np

        model = "movenet_single_pose_lightning_ptq.tflite"
        with open(REAL / "images/golden/movenet_single_pose_lightning_ptq_reference.csv") as file:
            rows = list(csv.DictReader(file))
        golden = np.array([[float(r["keypoint_y"]), float(r["keypoint_x"])] for r in rows])
        name = self.load(model)[1]
        pixels = self.make.real_input(model, self.make.rgb(REAL / "images/golden/squat.bmp"))
        found = self.outputs(
            self.nest(model, "int8"), name, pixels[None].astype(np.uint8), [np.empty((1, 17, 3), np.float32)])[0][0]
        # The source's csv has the two coordinates the other way round.
        gap = min(np.abs(found[:, :2] - golden).max(), np.abs(found[:, 1::-1] - golden).max())
        assert gap <= 0.04, f"largest distance {gap:.3f}"
        return f"largest distance {gap:.3f} over {len(golden)} keypoints"

    def person_detect(self):
        import numpy as np

        model = "person_detect.tflite"
        path = self.nest(model, "int8")
        facts = json.loads(self.swiftlet("inspect", path, "--json"))
        name = facts["inputs"][0]["name"]
        self.output_names = [facts["outputs"][0]["name"]]
        from PIL import Image

        scores = []
        for picture in ("person", "no_person"):
            gray = np.asarray(Image.open(REAL / f"images/golden/{picture}.bmp").convert("L"), np.uint8).view(np.int8)
            scores.append(
                self.outputs(path, name, gray.reshape(1, 96, 96, 1), [np.empty((1, 2), np.int8)])[0][0].astype(int))
        (no0, yes0), (no1, yes1) = scores
        figures = f"person.bmp {yes0} against {no0}, no_person.bmp {yes1} against {no1}"
        assert yes0 > no0 and yes1 < no1, figures
        return figures


def main():
    arguments = sys.argv[1:]
    program = str(ROOT / ".build" / "release" / "swiftlet")
    if arguments[:1] == ["--swiftlet"]:
        program, arguments = arguments[1], arguments[2:]
    if not REAL.is_dir():
        skip_all(arguments, f"{REAL} is absent")
    if not os.path.exists(program):
        build = ["swift", "build", "-c", "release", "--product", "swiftlet"]
        if subprocess.run(build, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            sys.exit("swiftlet doesn't build")
    if pathlib.Path(sys.prefix).resolve() != (WORK / "venv").resolve():
        enter_environment(arguments, program)
    checker = Checker(program)
    rows = {f"{d} {m}": (d, m, a) for d, m, a in table_rows()}
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for name in only(arguments):
        kind, subject = name.split(" ", 1)
        start = time.time()
        try:
            given = rows[subject] if kind == "accuracy" else (subject,)
            verdict, figures = "PASS", getattr(checker, kind)(*given)
        except AssertionError as error:
            verdict, figures = "FAIL", " ".join(str(error).split())
        except Skip as reason:
            verdict, figures = "SKIP", str(reason)
        counts[verdict] += 1
        print(f"{verdict} {name}: {figures} ({time.time() - start:.1f} s)", flush=True)
    if checker.rows:
        head = "| images | model | n | reference | int8 `.nest` | float `.nest` |\n|---|---|---|---|---|---|\n"
        (WORK / "table.md").write_text(head + "\n".join(checker.rows) + "\n")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    sys.exit(1 if counts["FAIL"] else 0)


if __name__ == "__main__":
    main()
