"""The benchmark commands' own logic, without any other runtime; and the protocol by which they time."""
import json
import os
import subprocess
import sys

from support import ROOT, equal

sys.path.insert(0, os.path.join(ROOT, "tools", "bench", "benchmark"))
import contest  # noqa: E402
import results  # noqa: E402

TESTS = []


def test(body):
    TESTS.append(body)
    return body


def near(found, expected, what):
    assert abs(found - expected) <= 1e-12, f"{what}: {found} instead of {expected}"


def rows():
    return [
        results.row("a", 1, {"swiftlet": [2_000_000] * 9 + [4_000_000], "swiftlet on noise": [2_500_000], "x": [6_000_000], "y": [3_000_000, 5_000_000]}),
        results.row("b", 1, {"swiftlet": [1_000_000], "x": [1_500_000], "y": []}),
        results.row("a", 2, {"swiftlet": [1_000_000], "x": [500_000]}),
        results.row("b", 2, {"x": [500_000]}),
    ]


@test
def benchmark_rows_are_medians_and_nearest_rank_percentiles(tool):
    first = rows()[0]
    equal(first["swiftlet_ms"], 2.0, "median")
    equal(first["swiftlet_p90_ms"], 2.0, "90th percentile of nine 2s and a 4")
    equal(results.percentile(range(1, 11), 91), 10, "91st percentile of 1…10")
    equal(first["swiftlet_noise_ms"], 2.5, "on noise, no peer")
    equal(first["peers_ms"], {"x": 6.0, "y": 4.0}, "peers' medians")
    equal(first["peers_p90_ms"], {"x": 6.0, "y": 5.0}, "peers' 90th percentiles")


@test
def benchmark_geomean_takes_the_fastest_peer_and_skips_what_is_missing(tool):
    equal(results.fastest_ratio(rows()[0]), 2.0, "fastest is y")
    equal(results.fastest_ratio(rows()[3]), None, "without Swiftlet")
    found = results.geomeans(rows())
    equal(sorted(found), ["1", "2"], "thread counts")
    near(found["1"], (2.0 * 1.5) ** 0.5, "1 thread")
    near(found["2"], 0.5, "2 threads")
    near(results.geomeans(rows(), "swiftlet_noise_ms")["1"], 1.6, "on noise")
    equal(results.geomeans(rows()[3:]), {"2": None}, "no ratio at all")


@test
def benchmark_rows_are_what_the_json_promises(tool):
    text = json.loads(json.dumps({"networks": rows(), "geomean": results.geomeans(rows())}))
    for entry in text["networks"]:
        assert {"name", "threads", "swiftlet_ms", "peers_ms"} <= set(entry), entry
    equal(text["networks"][3]["swiftlet_ms"], None, "what wasn't measured")


@test
def benchmark_table_names_every_figure_and_gap(tool):
    lines = results.speed_table(rows(), ["x", "y", "z"])
    equal(len(lines), 5, "lines")
    assert lines[0].split() == "network threads Swiftlet ms p90 on noise x ms p90 ÷ y ms p90 ÷ z ms p90 ÷ fastest ÷".split(), lines[0]
    equal(lines[1].split(), "a 1 2.00 2.00 2.50 6.00 6.00 3.00 4.00 5.00 2.00 – – – 2.00".split(), "first row")
    equal(lines[4].split(), "b 2 – – – 0.500 0.500 – – – – – – – –".split(), "row without Swiftlet")
    equal(results.speed_table([], ["x"]), [], "no rows")
    starts = {"a": {"swiftlet": {
        "load_ms": 0.5, "first_ms": 2, "resident_bytes": 3e6, "runtime_bytes": None, "model_bytes": 4e6}}}
    equal(results.start_table(starts)[1].split(), "a swiftlet 0.500 2.00 3.00 – 4.00".split(), "start")
    equal(results.start_table({}), [], "no starts")


@test
def sparse_table_shows_speed_and_size(tool):
    lines = results.sparse_table([{
        "name": "a", "pruned": "blocks:0.75", "threads": 1, "whole_ms": 4, "pruned_ms": 2, "speedup": 2,
        "whole_bytes": 4e6, "pruned_bytes": 1e6, "file_ratio": 0.25}])
    equal(lines[1].split(), "a blocks:0.75 1 4.00 2.00 2.00 4.00 1.00 0.250".split(), "row")


@test
def benchmark_narrowing_keeps_order_and_refuses_unknown_names(tool):
    equal(results.chosen(["a", "b", "c"], None, "--peers"), ["a", "b", "c"], "all")
    equal(results.chosen(["a", "b", "c"], "c, a", "--peers"), ["a", "c"], "some")
    for text in ("d", "a,d", "", ","):
        try:
            found = results.chosen(["a", "b", "c"], text, "--peers")
        except ValueError as error:
            assert "--peers" in str(error) and "a, b, c" in str(error), error
        else:
            raise AssertionError(f"{text!r} was taken as {found}")


@test
def benchmarks_explain_themselves_and_refuse_unknown_networks(tool):
    for name in ("peers", "sparse"):
        program = os.path.join(ROOT, "tools", "bench", name)
        shown = subprocess.run([program, "--help"], capture_output=True, text=True)
        equal(shown.returncode, 0, "exit code")
        assert f"usage: tools/bench/{name}" in shown.stdout and "Example:" in shown.stdout, shown
        wrong = subprocess.run([program, "--networks", "alexnet"], capture_output=True, text=True)
        equal(wrong.returncode, 2, "exit code")
        assert "mobilenet_v2" in wrong.stderr and "alexnet" in wrong.stderr, wrong


@test
def contest_takes_turns_and_names_who_fails(tool):
    good = "import sys\nprint('{}', flush=True)\nfor line in sys.stdin: print('{\"ns\": [%s]}' % ', '.join(['20000000'] * int(line)), flush=True)"
    refuses = "print('{\"error\": \"no such operator\"}')"
    dies = "import sys; print('{}', flush=True); sys.stdin.readline(); sys.exit(3)"
    found = contest.contest(
        {name: [sys.executable, "-c", text] for name, text in (("good", good), ("refuses", refuses), ("dies", dies))}, 2)
    equal(found["good"].error, None, "error of the good one")
    equal(found["good"].nanoseconds, [20_000_000] * 6, "two turns of three runs, warm-up left out")
    equal(found["refuses"].error, "no such operator", "refusal")
    equal(found["dies"].error, "ended with code 3", "death")


@test
def bench_bursts_answer_each_line_with_as_many_times(tool):
    model = tool.gauge()
    result = tool.passes("bench", model, "--bursts", stdin=b"3\n1\n")
    facts, *answers = [json.loads(line) for line in result.out.splitlines()]
    assert facts["load_ms"] > 0 and facts["first_ms"] > 0 and facts["macs"] > 0, facts
    assert 0 < facts["baseline_bytes"] <= facts["resident_bytes"], facts
    equal([len(answer["ns"]) for answer in answers], [3, 1], "times")
    assert all(time > 0 for answer in answers for time in answer["ns"]), answers
    wrong = tool.run("bench", model, "--bursts", stdin=b"many\n")
    equal(wrong.code, 2, "exit code")
    assert 'found "many"' in wrong.err, wrong


@test
def convert_says_what_it_does_with_pruned_layers(tool):
    wrong = tool.run("convert", "a.onnx", "--sparse", "sometimes")
    assert wrong.code != 0, wrong
    words = ["convert", "models/gauge/gauge.onnx", "-o", tool.path("whole.nest"), "--recipe", "models/gauge/model.json",
             "--calibrate", "models/gauge/calibration", "--calibration-pictures", "2", "--json"]
    equal(tool.passes(*words).json()["pruned_layers"], [], "pruned layers of a model without any")
    tool.fails(2, *words, "--sparse", "sometimes", says='--sparse: expected auto, always, never, found "sometimes"')


@test
def convert_says_for_which_cpu_it_chose(tool):
    words = ["convert", "models/gauge/gauge.onnx", "-o", tool.path("blocks.nest"), "--recipe", "models/gauge/model.json",
             "--calibrate", "models/gauge/calibration", "--calibration-pictures", "1", "--range", "min-max", "--prune",
             "blocks:0.9"]
    facts = tool.passes(*words, "--json").json()
    equal([facts["target"], facts["cost_unit"]], ["x86-64", "ns"], "default target")
    assert facts["pruned_layers"], facts
    facts = tool.passes(*words, "--target", "cortex-a76", "--json").json()
    equal([facts["target"], facts["cost_unit"]], ["cortex-a76", "instructions"], "target")
    assert "instructions" in tool.passes(*words, "--target", "cortex-a53").out
    tool.fails(2, *words, "--target", "z80", says='--target: expected x86-64, cortex-a53, cortex-a76, armv8.6, found "z80"')


@test
def convert_shows_what_pruning_would_bring(tool):
    words = ["convert", "models/cifar10/cifar10.onnx", "-o", tool.path("channels.nest"), "--recipe", "models/cifar10/model.json",
             "--float"]
    whole = tool.passes(*words, "--json").json()
    equal(whole["channels"]["layers"], [], "layers that lost channels as the model is shipped")
    equal(whole["channels"]["kept_parameters"], whole["channels"]["parameters"], "parameters")
    result = tool.passes(*words, "--prune", "channels:0.3", "--json")
    facts = result.json()
    assert "fine-tuned" in result.err, result
    equal(facts["prune"], "channels:0.3", "what was pruned")
    channels = facts["channels"]
    assert 0.4 < channels["kept_parameters"] / channels["parameters"] < 0.9, channels
    assert channels["kept_channels"] < channels["channels"] and channels["kept_macs"] < channels["macs"], channels
    assert facts["file_bytes"] < whole["file_bytes"], facts
    for layer in channels["layers"]:
        assert 0 < layer["kept_inputs"] <= layer["inputs"] and 0 < layer["kept_outputs"] <= layer["outputs"], layer
    text = tool.passes(*words, "--prune", "channels:0.3")
    assert "channels removed" in text.out and "→" in text.out, text
    tool.fails(2, *words, "--prune", "rows:0.5", says="--prune: expected blocks:SHARE or channels:SHARE")


@test
def bench_peak_measures_what_this_cpu_has(tool):
    sequences = tool.passes("bench", "--peak", "--json").json()["sequences"]
    assert sequences, "no sequence"
    for sequence in sequences:
        rate = sequence["gmac_per_s"]
        assert sequence["instructions"] and (rate is None or rate > 0.1), sequence
    assert any(sequence["gmac_per_s"] for sequence in sequences), sequences
    text = tool.passes("bench", "--peak").out
    assert all(sequence["name"] in text for sequence in sequences), text


@test
def bench_layers_show_shares_of_the_peak(tool):
    layers = tool.passes("bench", tool.gauge(), "--layers", "--json", "--seconds", "0.05").json()["layers"]
    shares = [layer["peak_share"] for layer in layers if "peak_share" in layer]
    assert shares and all(0 < share < 2 for share in shares), layers
    assert all("peak_share" not in layer for layer in layers if layer["macs"] == 0), layers
