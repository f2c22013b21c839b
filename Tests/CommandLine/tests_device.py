"""swiftlet-run over the shipped clip and pictures, and the reports that it leaves."""
import json
import math
import os
import random
import shutil
import signal
import subprocess
import time

from support import ALLOCATION_COUNTER, GAUGE, ROOT, Skip, equal, read, write

TESTS = []
CLIP = f"{GAUGE}/camera.mjpeg"


def test(body):
    TESTS.append(body)
    return body


def device(tool, *words, **options):
    return tool.passes(*words, program="swiftlet-run", **options)


def records(result):
    return [json.loads(line) for line in result.out.splitlines()]


@test
def device_help_and_version(tool):
    text = device(tool, "--help").out
    assert text.startswith("usage: swiftlet-run MODEL.nest --source SOURCE"), text
    assert "\n  swiftlet-run gauge.nest --source camera.mjpeg" in text, "an example"
    assert device(tool, "--version").out.startswith("swiftlet-run "), "version"


@test
def device_wrong_usage(tool):
    def refuse(*words, says):
        tool.fails(2, *words, says=["swiftlet-run: ", says], program="swiftlet-run")

    refuse(says="which model?")
    refuse(tool.gauge(), says="--source")
    refuse(tool.gauge(), "--bogus", says="unknown option '--bogus'")
    refuse(tool.gauge(), "--source", says="--source needs a value")
    refuse(tool.gauge(), "--source", CLIP, "--fps", "0", says="--fps: expected a number from 0.001 to 1000, found '0'")
    refuse(tool.gauge(), "--source", CLIP, "--frames", "many", says="found 'many'")
    refuse(tool.gauge(), "--source", CLIP, "--force-isa", "mmx", says="found 'mmx'")
    refuse(tool.gauge(), "--source", CLIP, "--output", "xml", says="expected jsonl or none, found 'xml'")
    refuse(tool.gauge(), "second.nest", "--source", CLIP, says="found 'second.nest' as well")


@test
def device_failures_are_named(tool):
    known = set(tool.passes("explain").out.split())

    def refuse(*words, names):
        result = tool.fails(1, *words, says=["swiftlet-run: ", names], program="swiftlet-run")
        name = result.err.splitlines()[-1].split("[")[-1].rstrip("]")
        assert name in known, f"{name} is not explained: {result}"

    absent = tool.path("absent")
    refuse(absent, "--source", CLIP, names=absent)
    refuse(tool.gauge(), "--source", absent + ".mjpeg", names=absent)
    refuse(tool.gauge(), "--source", f"raw:{absent}?format=GREY&size=10x10", names=absent)
    data = read(tool.gauge())
    cut = write(tool.path("cut.nest"), data[:len(data) // 3])
    refuse(cut, "--source", CLIP, names=cut)
    changed = write(tool.path("changed.nest"), data[:9000] + bytes([data[9000] ^ 1]) + data[9001:])
    refuse(changed, "--selftest", names=changed)
    refuse(tool.gauge(), "--source", tool.new_folder("no-frames"), names="no-frames")
    refuse(tool.gauge(), "--source", f"raw:{tool.gauge()}?format=TEA&size=4x4", names="format")
    text = write(tool.path("text.mjpeg"), b"no pictures in here")
    refuse(tool.gauge(), "--source", text, names=text)
    plain = tool.path("device-plain.nest")
    tool.passes("convert", f"{GAUGE}/gauge.onnx", "--float", "-o", plain)
    refuse(plain, "--source", CLIP, names="--preprocess")
    refuse(tool.gauge(), "--source", CLIP, "--frames", "1", "--report", os.path.join(absent, "run.swr"), names=absent)


@test
def device_self_test(tool):
    for words in ([], ["--force-isa", "scalar"], ["--threads", "3"]):
        assert device(tool, tool.gauge(), "--selftest", *words).out.startswith("passed: all "), words
    device(tool, tool.float_gauge(), "--selftest")
    assert " passed, 0 failed" in device(tool, "--selftest", "kernels").out.splitlines()[-1]


@test
def device_same_bytes_for_all_kernels_and_threads(tool):
    dumps = []
    for number, words in enumerate((["--threads", "1"], ["--threads", "2"], ["--threads", "2", "--force-isa", "scalar"])):
        path = tool.path(f"dump{number}")
        result = device(tool, tool.gauge(), "--source", CLIP, "--frames", "4", "--dump", path, *words)
        equal(len(records(result)), 4, "lines")
        dumps.append(read(path))
    sizes = {"int8": 1, "float32": 4, "int32": 4}
    outputs = tool.passes("inspect", tool.gauge(), "--json").json()["outputs"]
    frame = sum(sizes[port["stored_type"]] * math.prod(port["shape"]) for port in outputs)
    equal(len(dumps[0]), 4 * frame, "bytes of four frames")
    assert dumps[0] == dumps[1] == dumps[2], "outputs differ"


@test
def device_agrees_with_the_workstation(tool):
    folder = tool.new_folder("frames")
    for number in range(4):
        name = f"frame{number:03}.jpg"
        write(os.path.join(folder, name), read(os.path.join(ROOT, GAUGE, "test", name)))
    host = records(tool.passes("run", tool.gauge(), *[os.path.join(folder, name) for name in sorted(os.listdir(folder))]))
    found = records(device(tool, tool.gauge(), "--source", folder))
    equal(len(found), len(host), "lines")
    shared = (set(host[0]) & set(found[0])) - {"file"}
    assert shared, f"no keys in common: {sorted(host[0])} and {sorted(found[0])}"
    for a, b in zip(host, found):
        for key in shared:
            equal(b[key], a[key], f"{key} of {a['file']}")


@test
def device_reads_standard_input(tool):
    clip = read(os.path.join(ROOT, CLIP))
    piped = records(device(tool, tool.gauge(), "--source", "-", "--frames", "3", stdin=clip))
    equal(len(piped), 3, "lines")
    result = device(tool, tool.gauge(), "--source", CLIP, "--frames", "3", "--output", "none")
    equal(result.out, "", "standard output")
    assert result.err, "a summary on standard error"


@test
def device_allocates_nothing_after_start(tool):
    compiler = shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        raise Skip("no C compiler for the library that counts allocations")
    library = tool.path("counter.so")
    source = write(tool.path("counter.c"), ALLOCATION_COUNTER)
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    counts = []
    # The longer run has more frames, samples of the system, and snapshots of the report.
    for frames in (12, 48):
        result = device(
            tool, tool.gauge(), "--source", CLIP, "--frames", frames, "--fps", "12", "--report", tool.path("counted.swr"),
            environment={"LD_PRELOAD": library})
        counts += [int(line.split(":")[1]) for line in result.err.splitlines() if line.startswith("allocations:")]
    equal(len(counts), 2, "counts")
    equal(counts[1], counts[0], "allocations of a run of 48 frames and one of 12")


@test
def reports_of_a_run(tool):
    paths = [tool.path("first.swr"), tool.path("second.swr")]
    for path in paths:
        device(tool, tool.gauge(), "--source", CLIP, "--frames", "6", "--report", path)
    text = tool.passes("report", paths[0]).out
    assert "gauge.nest" in text and "p99" in text, text
    one, both = tool.passes("report", paths[0], "--json").json(), tool.passes("report", *paths, "--json").json()
    assert isinstance(one, dict) and one.keys() == both.keys(), (one.keys(), both.keys())
    assert len(tool.passes("report", paths[0], "--csv").out.splitlines()) > 5, "CSV"
    page = tool.passes("report", *paths, "--html").out
    assert page.lower().startswith("<!doctype html") and "viewport" in page, page[:300]
    for word in ("src=\"http", "href=\"http", "@import", "<link"):
        assert word not in page, f"the page loads something: {word}"
    out = tool.path("page.html")
    equal(tool.passes("report", *paths, "--html", "-o", out).out, "", "standard output")
    equal(read(out).decode(), page, "file")
    data = read(paths[0])
    shortened = write(tool.path("short.swr"), data[:len(data) * 2 // 3])
    tool.passes("report", shortened)


@test
def device_ends_with_a_report_when_told_to(tool):
    for number, name in enumerate(("SIGTERM", "SIGINT")):
        path = tool.path(f"ended{number}.swr")
        process = tool.start(
            [tool.gauge(), "--source", CLIP, "--fps", "2", "--report", path], program="swiftlet-run", stdout=-1, stderr=-1)
        process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(getattr(signal, name))
        process.communicate()
        equal(process.returncode, 0, f"exit code after {name}")
        tool.passes("report", path, "--json").json()


@test
def report_survives_a_kill_at_any_moment(tool):
    moments = random.Random(20)
    measured = 0
    for number in range(16):
        path = tool.path(f"killed{number}.swr")
        process = tool.start(
            [tool.gauge(), "--source", CLIP, "--fps", "60", "--report", path], program="swiftlet-run", stdout=-1, stderr=-1)
        # Every second one is left to run until snapshots are on the disk.
        if number % 2 == 1:
            while os.path.getsize(path) < 4096 if os.path.exists(path) else True:
                if process.poll() is not None:
                    break
                time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        lines = process.communicate()[0].count(b"\n")
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            continue
        facts = tool.passes("report", path, "--json").json()
        assert facts["frames"]["processed"] <= lines + 1, (facts["frames"], lines)
        measured += facts["frames"]["processed"] > 0
        tool.passes("report", path)
    assert measured > 0, "no report of a killed run had measurements"


@test
def device_ends_quietly_when_nobody_reads(tool):
    process = tool.start([tool.gauge(), "--source", CLIP], program="swiftlet-run", stdout=-1, stderr=-1)
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    equal(process.wait(), 0, f"exit code, {error}")
