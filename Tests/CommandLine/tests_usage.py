"""Help, wrong usage, missing files, names of errors."""
import os

from support import GAUGE, equal, write

COMMANDS = ["convert", "inspect", "run", "eval", "compare", "bench", "report", "explain"]
TESTS = []


def test(body):
    TESTS.append(body)
    return body


@test
def overview_without_a_command(tool):
    result = tool.fails(2)
    assert result.err.startswith("usage: swiftlet COMMAND"), result
    for name in COMMANDS:
        assert f"\n  {name} " in result.err, f"{name} is not listed: {result}"


@test
def overview_by_help(tool):
    for word in ("--help", "-h", "help"):
        result = tool.passes(word)
        assert result.out.startswith("usage: swiftlet COMMAND") and "Example:" in result.out, result


@test
def version(tool):
    words = tool.passes("--version").out.split()
    equal(len(words), 2, "words")
    equal(words[0], "swiftlet", "first word")
    assert all(part.isdigit() for part in words[1].split(".")), words


@test
def help_of_each_command_has_an_example(tool):
    for name in COMMANDS:
        text = tool.passes(name, "--help").out
        assert text.startswith(f"usage: swiftlet {name} "), text
        example = text[text.index("\nExample"):]
        assert f"\n  swiftlet {name} " in example, f"{name}: no example in {example!r}"
        equal(tool.passes("help", name).out, text, f"help {name}")
        equal(tool.passes(name, "-h").out, text, f"{name} -h")


@test
def help_lists_every_option_that_it_explains(tool):
    for name in COMMANDS:
        text = tool.passes(name, "--help").out
        for line in text.splitlines():
            assert len(line) <= 160, f"{name}: a line of {len(line)} characters: {line}"


@test
def unknown_command(tool):
    result = tool.fails(2, "transmogrify")
    equal(result.err, f'swiftlet: no command "transmogrify"; commands: {", ".join(COMMANDS)}\n', "text")


@test
def unknown_option(tool):
    for name in COMMANDS:
        result = tool.fails(2, name, "--bogus")
        equal(
            result.err, f"swiftlet {name}: unknown option --bogus; `swiftlet {name} --help` lists the options\n", "text")


@test
def wrong_use_of_options(tool):
    model = f"{GAUGE}/gauge.onnx"
    tool.fails(2, "convert", model, "-o", says="option -o needs a value: -o OUT.nest")
    tool.fails(2, "convert", model, "--float", "--float", says="option --float was given twice")
    tool.fails(2, "convert", model, "--float=yes", says="option --float takes no value")
    tool.fails(2, "convert", model, "--float", "--keep-float", "x", says="--float and --keep-float exclude each other")
    tool.fails(2, "convert", model, "--range", "guess", says='expected min-max, percentile-99.99, percentile-99.9, mse, found "guess"')
    tool.fails(2, "convert", model, "--input-shape", "image", says="expected NAME=1,3,224,224")
    tool.fails(2, "bench", tool.gauge(), "--threads", "0", says='option --threads: expected a whole number from 1 to 64, found "0"')
    tool.fails(2, "bench", tool.gauge(), "--seconds", "soon", says='found "soon"')
    tool.fails(2, "bench", tool.gauge(), "--force-isa", "mmx", says='expected scalar, avx2, neon, dotprod, i8mm, avxvnni, avx512vnni, found "mmx"')
    tool.fails(2, "report", "a", "--json", "--csv", says="--json and --csv exclude each other")
    tool.fails(2, "run", tool.gauge(), says="either pictures or --input")
    tool.fails(2, "run", tool.gauge(), "a.jpg", "--input", "x=y.npy", says="either pictures or --input")
    tool.fails(2, "eval", tool.gauge(), says="--dataset")
    tool.fails(2, "compare", model, tool.gauge(), says="--dataset")


@test
def missing_and_superfluous_arguments(tool):
    for name, usage in [("convert", "MODEL"), ("inspect", "FILE"), ("run", "MODEL"), ("eval", "MODEL"),
                        ("bench", "FILE.nest"), ("compare", "A"), ("report", "FILE…")]:
        tool.fails(2, name, says=f"swiftlet {name}: missing {usage}; usage: swiftlet {name} ")
    tool.fails(2, "compare", "a.onnx", says="missing B")
    tool.fails(2, "inspect", "a.nest", "b.nest", says='unexpected argument "b.nest"')
    tool.fails(2, "convert", "a.onnx", "b.onnx", says='unexpected argument "b.onnx"')


@test
def missing_files(tool):
    data = ["--dataset", f"{GAUGE}/test/labels.csv"]
    recipe = ["--recipe", f"{GAUGE}/model.json"]
    for ending in ("onnx", "tflite", "nest"):
        absent = tool.path(f"absent.{ending}")
        tool.fails(1, "inspect", absent, says=absent)
        tool.fails(1, "run", absent, f"{GAUGE}/test/frame000.jpg", *recipe, says=absent)
        tool.fails(1, "eval", absent, *data, *recipe, says=absent)
        tool.fails(1, "compare", absent, tool.gauge(), *data, *recipe, says=absent)
        if ending != "nest":
            tool.fails(1, "convert", absent, says=absent)
    absent = tool.path("absent")
    tool.fails(1, "bench", absent + ".nest", says=absent)
    tool.fails(1, "report", absent, says=absent)
    tool.fails(1, "run", tool.gauge(), absent + ".jpg", says=absent)
    tool.fails(1, "run", tool.gauge(), "--input", f"image={absent}.npy", says=absent)
    tool.fails(1, "eval", tool.gauge(), "--dataset", absent, says=absent)
    tool.fails(1, "compare", f"{GAUGE}/gauge.onnx", tool.gauge(), "--dataset", absent, *recipe, says=absent)
    for option, ending in (("--recipe", ".json"), ("--labels", ".txt"), ("--calibrate", ".npy"), ("--calibrate", "")):
        out = tool.path("never.nest")
        result = tool.fails(1, "convert", f"{GAUGE}/gauge.onnx", "-o", out, "--preprocess", "unit", option, absent + ending, says=absent)
        assert "Error Domain" not in result.err and "NSError" not in result.err, result
        assert not os.path.exists(out)


@test
def wrong_kind_of_file(tool):
    path = write(tool.path("model.pb"), "x")
    for words in (["inspect", path], ["convert", path], ["run", path, "a.jpg"]):
        tool.fails(2, *words, says=f"{path}: expected a file ending in .nest, .onnx or .tflite")
    tool.fails(2, "convert", tool.gauge(), says="expected an .onnx or .tflite model")
    garbage = write(tool.path("garbage.onnx"), b"\x00\x01\x02 this is no model" * 50)
    tool.fails(1, "inspect", garbage, says="swiftlet inspect: ")
    garbage = write(tool.path("garbage.tflite"), b"\xff" * 500)
    tool.fails(1, "convert", garbage, says="swiftlet convert: ")
    tool.fails(1, "inspect", write(tool.path("empty.onnx"), b""), says="swiftlet inspect: ")
    tool.fails(1, "inspect", write(tool.path("empty.nest"), b""), says="swiftlet explain")
    garbage = write(tool.path("garbage.swr"), b"\x07" * 500)
    tool.fails(1, "report", garbage, says=garbage)
    picture = write(tool.path("no-picture.jpg"), b"\xff\xd8 no picture")
    tool.fails(1, "run", tool.gauge(), picture, says=picture)
    picture = write(tool.path("text.jpg"), b"a text")
    tool.fails(1, "run", tool.gauge(), picture, says="expected a JPEG, BMP, PPM or PGM picture")


@test
def explain_every_name(tool):
    names = tool.passes("explain").out.split()
    assert len(names) > 10, names
    equal(names, sorted(set(names)), "names")
    for name in ("truncated", "not-a-nest-file", "isa-unavailable", "system-error", "jpeg-truncated"):
        assert name in names, f"{name} is not among {names}"
    for name in names:
        text = tool.passes("explain", name).out
        assert text.startswith(f"{name}: ") and len(text) > len(name) + 30, text
        equal(tool.passes("explain", name, "--json").json()["name"], name, "name")
    table = tool.passes("explain", "--json").json()
    equal([entry["name"] for entry in table], names, "names as JSON")
    tool.fails(2, "explain", "nonsense", says='no error is named "nonsense"; `swiftlet explain` lists the names')


@test
def closed_pipe_ends_quietly(tool):
    pictures = [f"{GAUGE}/test/frame{number:03}.jpg" for number in range(12)]
    for words in (["explain"], ["inspect", tool.gauge(), "--json"], ["run", tool.gauge()] + pictures, ["convert", "--help"]):
        process = tool.start(words, stdout=-1, stderr=-1)
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read().decode()
        process.stderr.close()
        equal(process.wait(), 0, f"exit code of {words[:2]} into a closed pipe")
        equal(error, "", f"standard error of {words[:2]}")
