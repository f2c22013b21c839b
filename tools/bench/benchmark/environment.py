"""The Python environment of the benchmarks, in .build/bench, and what is known about machine and versions."""

import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FOLDER = os.path.join(ROOT, ".build", "bench")
PYTHON = os.path.join(FOLDER, "venv", "bin", "python")

# Distribution of each peer, and what builds the networks.
PACKAGES = {
    "onnxruntime": "onnxruntime==1.31.1",
    "openvino": "openvino==2026.4.1",
    "litert": "ai-edge-litert==2.3.0",
    "mnn": "MNN==3.6.1",
    "onnx": "onnx==1.23.2",
    "numpy": "numpy==2.4.6",
}


class Problem(Exception):
    """What stops a benchmark; printed without a trace."""


def prepare():
    """Makes the environment when it is missing or lists other versions."""
    wanted = "\n".join(sorted(PACKAGES.values())) + "\n"
    stamp = os.path.join(FOLDER, "venv", "packages.txt")
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return
    say("installing the other runtimes into .build/bench/venv")
    os.makedirs(FOLDER, exist_ok=True)
    call([sys.executable, "-m", "venv", os.path.join(FOLDER, "venv")])
    call([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES.values()])
    with open(stamp, "w") as file:
        file.write(wanted)


def build_tool():
    """Builds the release `swiftlet` and returns its path."""
    say("building swiftlet")
    call(["swift", "build", "-c", "release", "--product", "swiftlet"])
    done = subprocess.run(
        ["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return os.path.join(done.stdout.strip(), "swiftlet")


def call(command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Problem(f"`{' '.join(command[:6])}…` failed:\n" + "\n".join(done.stdout.splitlines()[-15:]))
    return done.stdout


def say(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr, flush=True)


def machine():
    """CPU, cores and the instruction sets that matter here, as text."""
    name, flags = platform.machine(), set()
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
    known = ("avx2", "avx_vnni", "avx512_vnni", "asimd", "asimddp", "i8mm")
    found = ", ".join(flag for flag in known if flag in flags)
    return f"{name}, {os.cpu_count()} cores, {found or 'no known SIMD'}, Linux {platform.release()}"
