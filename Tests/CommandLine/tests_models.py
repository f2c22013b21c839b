"""Converting, inspecting, running and measuring the shipped models."""
import hashlib
import json
import os
import signal
import time

from support import (
    GAUGE, ROOT, cosine, equal, onnx, random_floats, read, read_npy, write, write_npy, write_ppm)

TESTS = []
DATA = ["--dataset", f"{GAUGE}/test/labels.csv"]
RECIPE = ["--recipe", f"{GAUGE}/model.json"]
CALIBRATE = ["--calibrate", f"{GAUGE}/calibration"]
PICTURES = [f"{GAUGE}/test/frame{number:03}.jpg" for number in range(6)]


def test(body):
    TESTS.append(body)
    return body


# MARK: convert

@test
def convert_gauge(tool):
    out = tool.path("text.nest")
    result = tool.passes("convert", f"{GAUGE}/gauge.onnx", "-o", out, *RECIPE, *CALIBRATE, "--calibration-pictures", "8")
    lines = result.out.splitlines()
    equal(lines[0], f"{GAUGE}/gauge.onnx → {out}", "first line")
    equal([line.split()[0] for line in lines[1:5]], ["file", "arena", "plan", "int8"], "facts")
    equal(len(lines), 5, "lines: nothing stays float")
    equal(result.err, "", "standard error in a pipe")


@test
def convert_as_json(tool):
    out = tool.path("json.nest")
    facts = tool.passes(
        "convert", f"{GAUGE}/gauge.onnx", "-o", out, *RECIPE, *CALIBRATE, "--calibration-pictures", "4", "--json").json()
    equal(facts["output"], out, "output")
    equal(facts["file_bytes"], os.path.getsize(out), "file_bytes")
    assert facts["arena_bytes"] >= facts["arena_lower_bound_bytes"] > 0, facts
    assert facts["file_bytes"] <= 1.02 * facts["parameter_bytes"] + 65536, facts
    assert facts["output_sqnr_db"] > 15, facts
    equal(facts["float_layers"], [], "float layers")
    equal(facts["kept_scales"], False, "kept_scales")


@test
def convert_twice_gives_the_same_bytes(tool):
    words = ["convert", f"{GAUGE}/gauge.onnx", *RECIPE, *CALIBRATE, "-o"]
    again = tool.path("again.nest")
    tool.passes(*words, again)
    assert read(again) == read(tool.gauge()), "two conversions differ"


@test
def convert_chooses_the_output_beside_the_model(tool):
    folder = tool.new_folder("beside")
    model = write(os.path.join(folder, "net.onnx"), read(os.path.join(ROOT, GAUGE, "gauge.onnx")))
    tool.passes("convert", model, "--float")
    equal(sorted(os.listdir(folder)), ["net.nest", "net.onnx"], "files")


@test
def convert_keeps_a_layer_in_float(tool):
    names = [layer["name"] for layer in tool.passes("inspect", tool.gauge(), "--json").json()["layers"]]
    layer = names[len(names) // 2]
    out = tool.path("kept.nest")
    words = ["convert", f"{GAUGE}/gauge.onnx", "-o", out, *RECIPE, *CALIBRATE, "--calibration-pictures", "4", "--range", "min-max"]
    facts = tool.passes(*words, "--keep-float", layer, "--json").json()
    equal(len(facts["float_layers"]), 1, "float layers")
    kept = facts["float_layers"][0]["name"]
    assert 0 < facts["float_layers"][0]["time_share"] < 1, facts["float_layers"]
    assert kept in [layer["name"] for layer in tool.passes("inspect", out, "--json").json()["layers"]], kept
    # The convolution and its activation are one layer, and either node's name means it.
    equal(os.path.dirname(os.path.dirname(kept)), os.path.dirname(os.path.dirname(layer)), "folder of the layer's nodes")
    equal(facts["method"], "min-max", "method")
    assert f"stays float {kept} (" in tool.passes("inspect", out).out
    os.remove(out)
    result = tool.fails(1, *words, "--keep-float", layer, "--require-int8", says="--require-int8: 1 layers would stay in float32:")
    assert f"\n  {kept} (" in result.err, result
    assert not os.path.exists(out), "a file was written"
    tool.fails(1, *words, "--keep-float", layer + "x", says=[f"--keep-float {layer}x: expected the name of a layer", f"Near names: {layer}"])
    tool.passes(*words, "--require-int8")


@test
def convert_needs_calibration(tool):
    result = tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", tool.path("never.nest"), *RECIPE)
    equal(
        result.err,
        "swiftlet convert: float model: expected calibration pictures, found none. Give pictures like those of the camera "
        "with --calibrate FOLDER, or keep the model float with --float.\n", "text")
    empty = tool.new_folder("no-pictures")
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", tool.path("never.nest"), *RECIPE, "--calibrate", empty,
               says=f"{empty}: expected JPEG, BMP, PPM or PGM pictures, found none")
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", tool.path("never.nest"), *CALIBRATE, says="--preprocess")


@test
def convert_names_all_problems_at_once(tool):
    model = write(tool.path("problems.onnx"), onnx(
        [("LRN", "norm", ["x"], ["a"], {"size": 3}), ("NonZero", "picks", ["a"], ["y"], {}),
         ("InstanceNormalization", "style", ["a", "s", "s"], ["z"], {})],
        [("x", [1, 4, 6, 6])], ["y", "z"], [("s", [4], [1, 1, 1, 1])]))
    result = tool.fails(1, "convert", model, "--float", "-o", tool.path("problems.nest"))
    lines = result.err.splitlines()
    equal(lines[0], "swiftlet convert: 3 problems:", "title")
    for line, start in zip(lines[1:], ('  node "norm" (LRN): ', '  node "picks" (NonZero): ', '  node "style" (InstanceNormalization): ')):
        assert line.startswith(start), f"{line} does not start with {start}"
    assert not os.path.exists(tool.path("problems.nest")), "a file was written"
    unknown = write(tool.path("unknown.onnx"), onnx(
        [("Frobnicate", "f", ["x"], ["a"], {}), ("Transmogrify", "t", ["a"], ["y"], {})], [("x", [1, 4])], ["y"]))
    tool.fails(1, "inspect", unknown, says=["Frobnicate", "Transmogrify"])


@test
def convert_leaves_nothing_half_written(tool):
    folder = tool.new_folder("half")
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "--float", "-o", os.path.join(folder, "no", "such", "out.nest"),
               says="can't be written")
    os.mkdir(os.path.join(folder, "taken.nest"))
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "--float", "-o", os.path.join(folder, "taken.nest"), says="taken.nest")
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", os.path.join(folder, "out.nest"))
    equal(os.listdir(folder), ["taken.nest"], "files left")
    kept = write(os.path.join(folder, "old.nest"), "old")
    tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", kept)
    equal(read(kept), b"old", "the file that was there")


@test
def interrupted_convert_leaves_nothing(tool):
    folder = tool.new_folder("interrupted")
    out = write(os.path.join(folder, "out.nest"), "old")
    interruptions = 0
    for delay in (0.02, 0.1, 0.3, 0.6):
        process = tool.start(["convert", f"{GAUGE}/gauge.onnx", "-o", out, *RECIPE, *CALIBRATE], stdout=-1, stderr=-1)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate()
        assert b"Fatal" not in error, error
        equal(os.listdir(folder), ["out.nest"], f"files after {delay} s")
        if process.returncode == 0:
            assert read(out)[:4] != b"old", "the conversion ended, but its file is not there"
            write(out, "old")
        else:
            interruptions += 1
            assert process.returncode in (-signal.SIGINT, 130), process.returncode
            equal(output, b"", "standard output")
            equal(read(out), b"old", f"the file that was there, after {delay} s")
    assert interruptions > 0, "every conversion ended before its signal came"


@test
def recipe_errors(tool):
    def refuse(recipe, says):
        path = write(tool.path("recipe.json"), recipe if isinstance(recipe, str) else json.dumps(recipe))
        tool.fails(2, "convert", f"{GAUGE}/gauge.onnx", "-o", tool.path("never.nest"), "--recipe", path, *CALIBRATE, says=says)

    refuse("{", "recipe: expected valid JSON")
    refuse("[]", "recipe: expected a JSON object")
    refuse({"output": {"kind": "tea"}}, 'output.kind: expected raw, classify, detections, ssd, yolox, yolov5, yolov8, anchor-free, segmentation or keypoints, found "tea"')
    refuse({"output": {"kind": "keypoints", "keypoints": ["tip"]}, "gauge": {"min": 0, "max": 1}}, 'expected "centre" among the names of a gauge')
    refuse({"output": {"kind": "keypoints", "keypoints": ["centre", "tip", "min", "max"]}, "gauge": {"min": 0}}, "gauge.max: expected a number")
    refuse({"output": {"kind": "keypoints", "threshold": "high"}}, "output.threshold: expected a number")
    refuse({"preprocess": {"colour": "rgb"}}, 'found "colour"')
    refuse({"preprocess": {"color": "cmyk"}}, 'preprocess color: expected rgb, bgr, gray, found "cmyk"')
    refuse({"preprocess": {"mean": [1, 2]}}, "preprocess mean and std: expected 1 or 3 numbers, found 2")
    refuse({"preprocess": {"scale": "1/0"}}, "preprocess scale: expected a number or a/b")
    words = ["convert", f"{GAUGE}/gauge.onnx", "-o", tool.path("never.nest"), "--preprocess"]
    tool.fails(2, *words, "imaginary", says='expected KEY=VALUE or one of imagenet, tf, unit, bytes, found "imaginary"')
    tool.fails(2, *words, "scale=1,fill=300", says="preprocess fill: expected 0 to 255")
    assert not os.path.exists(tool.path("never.nest"))


# MARK: inspect

@test
def inspect_nest(tool):
    text = tool.passes("inspect", tool.gauge()).out
    assert text.startswith(f"{tool.gauge()}: Swiftlet model, format "), text
    for word in ("weights", "arena", "work", "input", "output", "pictures", "results", "labels", "golden", "source", "tool",
                 "calibration", "arena-lower-bound-bytes"):
        assert f"\n  {word}" in text, f"no line {word} in {text}"
    assert "128×96 rgb" in text and "centre, tip, min, max" in text, text
    source = hashlib.sha256(read(os.path.join(ROOT, GAUGE, "gauge.onnx"))).hexdigest()
    assert source in text, "hash of the source"
    elsewhere = text.split("kernels elsewhere")[1]
    for words in (("x86-64 with AVX2 ", "__avx2"), ("x86-64 with AVX-VNNI ", "__avxvnni"),
                  ("x86-64 with AVX512-VNNI ", "__avx512vnni"), ("Cortex-A53", "__neon"), ("Cortex-A55", "__dotprod"), ("Armv7", "__neon"),
                  ("any other", "__scalar")):
        line = next(line for line in elsewhere.splitlines() if words[0] in line)
        assert words[1] in line, line


@test
def inspect_nest_as_json(tool):
    facts = tool.passes("inspect", tool.gauge(), "--json").json()
    equal(facts["file_bytes"], os.path.getsize(tool.gauge()), "file_bytes")
    equal([port["shape"] for port in facts["inputs"]], [[1, 3, 96, 128]], "inputs")
    equal([port["shape"] for port in facts["outputs"]], [[1, 4, 24, 32]], "outputs")
    equal(facts["labels"], ["centre", "tip", "min", "max"], "labels")
    equal(facts["macs"], sum(layer["macs"] for layer in facts["layers"]), "multiply-accumulates")
    assert 15e6 < facts["macs"] < 30e6, facts["macs"]
    ends = [section["offset"] + section["bytes"] for section in facts["sections"]]
    assert max(ends) <= facts["file_bytes"], facts["sections"]
    keys = [entry["key"] for entry in facts["provenance"]]
    for key in ("source", "source-sha256", "tool", "method", "calibration", "calibration-sha256"):
        assert key in keys, keys
    assert all(layer["kernels"]["any other"] for layer in facts["layers"]), facts["layers"][0]
    assert "neon" in facts["layers"][0]["kernels"]["Cortex-A53, A72"], facts["layers"][0]
    scalar = tool.passes("inspect", tool.gauge(), "--json", "--force-isa", "scalar").json()
    for layer in scalar["layers"]:
        assert "avx2" not in layer["kernel"] and "neon" not in layer["kernel"], layer


@test
def inspect_onnx(tool):
    path = f"{GAUGE}/gauge.onnx"
    text = tool.passes("inspect", path).out
    assert text.startswith(f"{path}: ONNX opset "), text
    facts = tool.passes("inspect", path, "--json").json()
    equal(facts["inputs"][0]["shape"], [1, 3, 96, 128], "input")
    assert facts["operators"]["Conv"] > 5, facts
    equal(facts["quantized"], False, "quantized")


# MARK: eval

@test
def eval_gauge_float_and_int8(tool):
    exact = tool.passes("eval", f"{GAUGE}/gauge.onnx", *RECIPE, *DATA, "--json").json()
    int8 = tool.passes("eval", tool.gauge(), *DATA, "--json").json()
    for facts in (exact, int8):
        equal(facts["unit"], "bar", "unit")
        assert facts["mean_error_of_scale"] < 0.03, f"reading error of more than 3 % of the scale: {facts}"
        assert facts["found"] >= 0.95 * facts["present"] > 20, facts
    assert abs(exact["mean_error_of_scale"] - int8["mean_error_of_scale"]) < 0.005, (exact, int8)
    compiled = tool.passes("eval", tool.float_gauge(), *DATA, "--json").json()
    for key in ("found", "false_alarms"):
        equal(compiled[key], exact[key], f"{key} of the float32 file and its source")
    assert abs(compiled["mean_error_of_scale"] - exact["mean_error_of_scale"]) < 1e-4, (compiled, exact)
    text = tool.passes("eval", tool.gauge(), *DATA, "--limit", "7").out
    assert text.startswith(f"{tool.gauge()}: 7 pictures") and "% of the scale" in text, text


@test
def eval_where_no_gauge_is_found(tool):
    rows = ["file,present,value"]
    for number in range(2):
        write_ppm(tool.path(f"blocks{number}.ppm"), 128, 96, number)
        rows.append(f"blocks{number}.ppm,0,")
    data = write(tool.path("blocks.csv"), "\n".join(rows) + "\n")
    facts = tool.passes("eval", tool.gauge(), "--dataset", data, "--json").json()
    equal((facts["images"], facts["present"], facts["found"]), (2, 0, 0), "counts")
    equal(facts["mean_absolute_error"], None, "error over nothing")
    tool.passes("eval", tool.gauge(), "--dataset", data)


@test
def eval_classes(tool):
    rows = ["file,class,note"]
    for number in range(6):
        write_ppm(tool.path(f"tile{number}.ppm"), 40, 36, 50 + number)
        rows.append(f'tile{number}.ppm,{number},"a, quoted"')
    data = write(tool.path("tiles.csv"), "\r\n".join(rows) + "\r\n")
    facts = tool.passes("eval", tool.cifar(), "--dataset", data, "--json").json()
    equal(facts["images"], 6, "images")
    low, high = facts["top1_interval_95"]
    assert 0 <= low <= facts["top1"] <= high <= 1 and facts["top1"] <= facts["top5"] <= 1, facts
    equal(facts["top1_correct"], round(6 * facts["top1"]), "top1_correct")
    assert "top-1 " in tool.passes("eval", tool.cifar(), "--dataset", data).out
    tool.fails(1, "eval", tool.cifar(), "--dataset", data, "--class-offset", "9", says="check --class-offset")
    tool.fails(2, "eval", tool.cifar(), "--dataset", data, "--label-column", "kind", says='expected one of file, class, note, found "kind"')
    tool.fails(1, "eval", tool.cifar(), "--dataset", data, "--label-column", "note", says="expected a class number")
    tool.fails(1, "eval", tool.cifar(), "--dataset", data, "--file-column", "path", says='expected a column "path", found file, class, note')
    for text, says in (("file,class\nabsent.ppm,1\n", 'line 2: no file "absent.ppm"'), ("file,class\n", "lists no pictures"),
                       ("file,class\ntile0.ppm\n", "line 2: expected 2 fields, found 1"), ("", "an empty file")):
        bad = write(tool.path("bad.csv"), text)
        tool.fails(1, "eval", tool.cifar(), "--dataset", bad, says=[bad, says])


# MARK: run

def records(result):
    return [json.loads(line) for line in result.out.splitlines()]



@test
def run_on_pictures(tool):
    int8 = records(tool.passes("run", tool.gauge(), *PICTURES))
    exact = records(tool.passes("run", f"{GAUGE}/gauge.onnx", *PICTURES, *RECIPE))
    for lines in (int8, exact):
        equal([line["file"] for line in lines], PICTURES, "files")
        equal(len({json.dumps(line, sort_keys=True) for line in lines}), len(PICTURES), "different results")
    equal([sorted(line) for line in int8], [sorted(line) for line in exact], "keys of int8 and float")
    equal(records(tool.passes("run", tool.gauge(), *PICTURES, "--threads", "3")), int8, "three threads")


@test
def run_on_a_picture_that_is_no_jpeg(tool):
    picture = write_ppm(tool.path("colours.ppm"), 50, 40, 3)
    line = records(tool.passes("run", tool.cifar(), picture))[0]
    equal(line["file"], picture, "file")
    text = json.dumps(line)
    known = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    equal(sum(f'"{name}"' in text for name in known), 5, f"five classes in {text}")


@test
def run_writes_outputs_of_pictures(tool):
    (int8, exact) = (tool.path("int8"), tool.path("float"))
    tool.passes("run", tool.gauge(), *PICTURES[:2], "--output-dir", int8)
    tool.passes("run", f"{GAUGE}/gauge.onnx", *PICTURES[:2], *RECIPE, "--output-dir", exact)
    equal(sorted(os.listdir(int8)), sorted(os.listdir(exact)), "files")
    equal(len(os.listdir(int8)), 2, "files")
    for name in os.listdir(int8):
        (a, shape, kind), (b, other, _) = read_npy(os.path.join(int8, name)), read_npy(os.path.join(exact, name))
        equal((shape, kind), ((1, 4, 24, 32), "<f4"), "shape and type")
        equal(other, shape, "shape of the float model's output")
        assert cosine(a, b) > 0.97, f"{name}: cosine {cosine(a, b)}"


@test
def run_names_files_after_any_outputs(tool):
    long = "layer;" * 60
    names = [long + "a", long + "b", "head:0", "head/0", "é" * 200]
    model = write(tool.path("names.onnx"), onnx(
        [("Relu" if number % 2 else "Neg", f"n{number}", ["x"], [name], {}) for number, name in enumerate(names)],
        [("x", (1, 4))], names))
    given = write_npy(tool.path("x.npy"), [-2.0, -1.0, 1.0, 2.0], (1, 4))
    folder = tool.path("named")
    result = tool.passes("run", model, "--input", f"x={given}", "--output-dir", folder, "--json").json()
    equal([port["name"] for port in result], names, "names")
    files = [port["file"] for port in result]
    equal(sorted(os.path.basename(path) for path in files), sorted(os.listdir(folder)), "files")
    equal(len(set(files)), len(names), "a file for each output")
    for number, path in enumerate(files):
        equal(list(read_npy(path)[0]), [0, 0, 1, 2] if number % 2 else [2, 1, -1, -2], names[number])
    equal([os.path.basename(path) for path in files[2:4]], ["head_0.npy", "head_0-2.npy"], "names that look alike")


@test
def run_on_tensors(tool):
    names = [port["name"] for port in tool.passes("inspect", f"{GAUGE}/gauge.onnx", "--json").json()["inputs"]]
    given = tool.path("input.npy")
    # Smooth and within the range of normalized pictures.
    values = [((x // 9 + y // 7 + 3 * c) % 8) / 2 - 2 for c in range(3) for y in range(96) for x in range(128)]
    write_npy(given, values, (1, 3, 96, 128))
    outputs = {}
    for label, words in (
        ("onnx", [f"{GAUGE}/gauge.onnx"]), ("float", [tool.float_gauge()]), ("int8", [tool.gauge()]),
        ("int8-scalar", [tool.gauge(), "--force-isa", "scalar", "--threads", "2"]),
    ):
        folder = tool.path("tensors-" + label)
        result = tool.passes("run", *words, "--input", f"{names[0]}={given}", "--output-dir", folder, "--json")
        files = os.listdir(folder)
        equal(files, [f"{port['name']}.npy" for port in result.json()], label)
        outputs[label] = read_npy(os.path.join(folder, files[0]))
        equal(list(outputs[label][1]), result.json()[0]["shape"], "shape")
        equal(outputs[label][2], "<f4", "type")
    reference = outputs["onnx"][0]
    largest = max(abs(x) for x in reference)
    worst = max(abs(a - b) for a, b in zip(reference, outputs["float"][0]))
    assert worst <= 1e-4 * largest, f"float32 file and ONNX differ by {worst} of {largest}"
    assert cosine(reference, outputs["int8"][0]) > 0.9, cosine(reference, outputs["int8"][0])
    assert outputs["int8"][0] == outputs["int8-scalar"][0], "scalar kernels differ"
    batchless = write_npy(tool.path("batchless.npy"), values, (3, 96, 128))
    folder = tool.path("tensors-batchless")
    tool.passes("run", tool.gauge(), "--input", f"{names[0]}={batchless}", "--output-dir", folder)
    assert read_npy(os.path.join(folder, os.listdir(folder)[0]))[0] == outputs["int8"][0], "without the batch axis"
    for model in (tool.gauge(), f"{GAUGE}/gauge.onnx"):
        small = write_npy(tool.path("small.npy"), values[:12], (1, 3, 2, 2))
        tool.fails(1, "run", model, "--input", f"{names[0]}={small}", says=["[1, 3, 96, 128]", "[1, 3, 2, 2]"])
        tool.fails(1, "run", model, "--input", f"nobody={given}", says="nobody")
    tool.fails(2, "run", tool.gauge(), "--input", given, says="expected NAME=FILE.npy")
    for text, says in ((b"text", "expected a .npy file"), (read(given)[:-4], "bytes for shape [1, 3, 96, 128] of float32"),
                       (read(given).replace(b"'<f4'", b"'>f4'"), "a little-endian number type"),
                       (read(given).replace(b"False", b"True "), "expected C order")):
        bad = write(tool.path("bad.npy"), text)
        tool.fails(1, "run", tool.gauge(), "--input", f"{names[0]}={bad}", says=[bad, says])


# MARK: compare and bench

@test
def compare_float_and_int8(tool):
    words = ["compare", f"{GAUGE}/gauge.onnx", tool.gauge(), *DATA, *RECIPE, "--limit", "4"]
    facts = tool.passes(*words, "--json").json()
    equal(facts["pictures"], 4, "pictures")
    assert len(facts["layers"]) > 5, facts
    ratios = [layer["sqnr_db"] for layer in facts["layers"]]
    equal(ratios, sorted(ratios), "worst first")
    for layer in facts["layers"]:
        assert layer["sqnr_db"] > 8 and layer["cosine"] > 0.9, layer
        assert layer["largest_error"] >= layer["mean_error"] >= 0, layer
    text = tool.passes(*words, "--top", "3").out
    equal(text.splitlines()[0], f"{len(ratios)} layers over 4 pictures, worst first", "first line")
    assert facts["layers"][0]["name"] in text and facts["layers"][4]["name"] not in text.split("Below")[0], text
    exact = tool.passes("compare", f"{GAUGE}/gauge.onnx", f"{GAUGE}/gauge.onnx", "--dataset", f"{GAUGE}/calibration", *RECIPE,
                        "--limit", "1", "--json").json()
    assert all(layer["sqnr_db"] == 200 for layer in exact["layers"]), "a model against itself"
    compiled = tool.passes("compare", f"{GAUGE}/gauge.onnx", tool.float_gauge(), *DATA, *RECIPE, "--limit", "1", "--json").json()
    assert all(layer["sqnr_db"] > 80 for layer in compiled["layers"]), compiled["layers"][0]
    equal((compiled["other_size"], compiled["unmatched"]), ([], []), "layers left out")


@test
def compare_names_the_layers_that_it_leaves_out(tool):
    out = tool.path("pruned.nest")
    tool.passes("convert", f"{GAUGE}/gauge.onnx", "-o", out, *RECIPE, *CALIBRATE, "--prune", "channels:0.3")
    words = ["compare", f"{GAUGE}/gauge.onnx", out, *DATA, *RECIPE, "--limit", "1"]
    facts = tool.passes(*words, "--json").json()
    left = facts["other_size"] + facts["unmatched"]
    layers = [layer["name"] for layer in tool.passes("inspect", out, "--json").json()["layers"]]
    assert facts["other_size"] and not set(left) & {layer["name"] for layer in facts["layers"]}, facts
    assert set(left) <= set(layers), left
    text = tool.passes(*words).out
    assert f"Left out, of another size than in A: {len(facts['other_size'])} of B's layers ({left[0]}" in text, text


@test
def bench(tool):
    words = ["bench", tool.gauge(), "--seconds", "0.1", "--threads", "2"]
    facts = tool.passes(*words, "--layers", "--json").json()
    assert 0 < facts["median_ms"] <= facts["p90_ms"] <= facts["p99_ms"], facts
    assert facts["runs"] >= 5 and facts["gmac_per_s"] > 0 and facts["timing_overhead_share"] > 0, facts
    equal(facts["threads"], 2, "threads")
    equal(sum(layer["macs"] for layer in facts["layers"]), facts["macs"], "multiply-accumulates")
    inspected = tool.passes("inspect", tool.gauge(), "--json").json()
    equal([layer["name"] for layer in facts["layers"]], [layer["name"] for layer in inspected["layers"]], "layers")
    text = tool.passes(*words, "--layers").out
    assert "  input: picture\n" in text, text
    assert "GMAC/s over" in text and "timing them costs" in text and inspected["layers"][0]["name"] in text, text
    assert "layer " not in tool.passes(*words).out
    equal(facts["input"], "picture", "input")
    equal(tool.passes(*words, "--input", "noise", "--json").json()["input"], "noise", "input")
    port = inspected["inputs"][0]
    size = 1
    for extent in port["shape"]:
        size *= extent
    given = write_npy(tool.path("bench.npy"), [0.5] * size, port["shape"])
    equal(tool.passes(*words, "--input", f"{port['name']}={given}", "--json").json()["input"], "files", "input")
    tool.fails(1, *words, "--input", f"absent={given}", says=f"--input absent: expected one of {port['name']}")
    tool.fails(2, *words, "--input", "photo", says='--input: expected NAME=FILE.npy, found "photo"')
    tool.fails(1, "bench", f"{GAUGE}/gauge.onnx", says="`swiftlet explain not-a-nest-file`")


# MARK: damaged files

@test
def damaged_nest_files_are_named(tool):
    data = read(tool.gauge())
    known = set(tool.passes("explain").out.split())
    facts = tool.passes("inspect", tool.gauge(), "--json").json()
    damaged = [(f"cut to {count} bytes", data[:count]) for count in (1, 7, 8, 60, 200, 4096, len(data) // 2, len(data) - 1)]
    damaged.append(("longer", data + b"\0"))
    places = [0, 4, 9, 17, 40] + [section["offset"] + section["bytes"] // 2 for section in facts["sections"]]
    damaged += [(f"byte {place} changed", data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1:]) for place in places]
    path = tool.path("damaged.nest")
    for label, content in damaged:
        write(path, content)
        for words in (["inspect", path], ["bench", path, "--seconds", "0.01"], ["run", path, PICTURES[0]]):
            result = tool.fails(1, *words, says=[path, "`swiftlet explain "])
            name = result.err.split("`swiftlet explain ")[1].split("`")[0]
            assert name in known, f"{label}: {name} is not explained: {result}"
            equal(len(result.err.splitlines()), 1, f"{label}: lines")


@test
def nest_without_preprocessing(tool):
    path = tool.path("plain.nest")
    tool.passes("convert", f"{GAUGE}/gauge.onnx", "--float", "-o", path)
    tool.fails(1, "run", path, PICTURES[0], says="convert it again with --preprocess")
    tool.fails(1, "eval", path, *DATA, says="--preprocess")
    tool.passes("inspect", path)
    gray = write(tool.path("gray.onnx"), onnx(
        [("Conv", "conv", ["x", "w"], ["y"], {"pads": [1, 1, 1, 1]})], [("x", [1, 1, 8, 8])], ["y"],
        [("w", [2, 1, 3, 3], random_floats(18, seed=4))]))
    tool.passes("convert", gray, "--float", "--preprocess", "unit", "-o", path)
    assert "8×8 gray" in tool.passes("inspect", path).out
