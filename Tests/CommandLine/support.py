"""Running the tools, and the few file formats that the tests write and read."""
import array
import json
import math
import os
import random
import signal
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GAUGE = "models/gauge"
# No call of a tool takes longer than this even on a slow, busy machine: a hang is reported instead of waited for.
HANG_SECONDS = 900


class Skip(Exception):
    """Why a test can't run here."""


class Result:
    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    def __str__(self):
        return f"`{' '.join(self.words)}` → {self.code}; out: {self.out[-600:]!r}; err: {self.err[-600:]!r}"

    def json(self):
        try:
            # NaN and Infinity are not JSON.
            return json.loads(self.out, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
        except ValueError as error:
            raise AssertionError(f"no valid JSON ({error}): {self}") from None


class Tool:
    """Runs the binaries in the package's root; `folder` is for what tests write."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        self._kept = {}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def new_folder(self, name):
        path = self.path(name)
        os.makedirs(path)
        return path

    def start(self, words, program="swiftlet", **options):
        # A shell that runs the tests in the background lets them ignore SIGINT, and with them what they start.
        return subprocess.Popen(
            [os.path.join(self.binaries, program)] + words, cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)

    def run(self, *words, program="swiftlet", stdin=None, environment=None):
        words = [str(word) for word in words]
        done = subprocess.run(
            [os.path.join(self.binaries, program)] + words, cwd=ROOT, input=stdin, capture_output=True,
            timeout=HANG_SECONDS, env={**os.environ, **(environment or {})})
        return Result(
            [program] + words, done.returncode, done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"))

    def passes(self, *words, **options):
        result = self.run(*words, **options)
        assert result.code == 0, f"expected exit code 0: {result}"
        return result

    def fails(self, code, *words, says=(), **options):
        """Runs what must end with `code`, print nothing to standard output, and say `says` on standard error."""
        result = self.run(*words, **options)
        assert result.code == code, f"expected exit code {code}: {result}"
        assert result.out == "", f"expected nothing on standard output: {result}"
        for text in [says] if isinstance(says, str) else says:
            assert text in result.err, f"expected {text!r}: {result}"
        return result

    def kept(self, name, make):
        """A file that several tests use, made once."""
        if name not in self._kept:
            path = self.path(name)
            make(path)
            self._kept[name] = path
        return self._kept[name]

    def gauge(self):
        return self.kept("gauge.nest", lambda path: self.passes(
            "convert", f"{GAUGE}/gauge.onnx", "-o", path, "--recipe", f"{GAUGE}/model.json", "--calibrate",
            f"{GAUGE}/calibration"))

    def float_gauge(self):
        return self.kept("gauge-float.nest", lambda path: self.passes(
            "convert", f"{GAUGE}/gauge.onnx", "-o", path, "--recipe", f"{GAUGE}/model.json", "--float"))

    def cifar(self):
        def make(path):
            inputs = self.path("cifar-calibration.npy")
            write_npy(inputs, random_floats(8 * 3 * 32 * 32, seed=1, spread=2), (8, 3, 32, 32))
            self.passes("convert", "models/cifar10/cifar10.onnx", "-o", path, "--recipe", "models/cifar10/model.json",
                        "--calibrate", inputs)
        return self.kept("cifar10.nest", make)


# Counts what a dynamically linked program allocates, and tells on standard error as it ends.
ALLOCATION_COUNTER = r"""
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
static _Atomic long count;
void *malloc(size_t size) { count++; return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count++; return __libc_calloc(number, size); }
void *realloc(void *pointer, size_t size) { count++; return __libc_realloc(pointer, size); }
void *aligned_alloc(size_t alignment, size_t size) { count++; return __libc_memalign(alignment, size); }
int posix_memalign(void **pointer, size_t alignment, size_t size) {
    count++;
    *pointer = __libc_memalign(alignment, size);
    return *pointer ? 0 : 12;
}
__attribute__((destructor)) static void tell(void) {
    char text[64];
    int length = snprintf(text, sizeof text, "allocations: %ld\n", (long)count);
    if (write(2, text, (size_t)length) < 0) _exit(1);
}
"""


def equal(found, expected, what=""):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


def read(path, mode="rb"):
    with open(path, mode) as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


def random_floats(count, seed, spread=1.0):
    numbers = random.Random(seed)
    return [numbers.uniform(-spread, spread) for _ in range(count)]


# MARK: .npy (version 1.0 of the format, C order)

CODES = {"<f4": "f", "|i1": "b", "|u1": "B", "<i4": "i", "<i8": "q"}


def write_npy(path, values, shape, kind="<f4"):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, tuple(shape))
    header += " " * ((64 - (11 + len(header)) % 64) % 64) + "\n"
    data = array.array(CODES[kind], values)
    return write(path, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data.tobytes())


def read_npy(path):
    """(values, shape, type) of a file."""
    data = read(path)
    assert data[:8] == b"\x93NUMPY\x01\x00", f"{path}: not a .npy file of version 1.0"
    length = struct.unpack("<H", data[8:10])[0]
    assert (10 + length) % 64 == 0, f"{path}: the data is not aligned"
    fields = {}
    exec("fields = " + data[10:10 + length].decode(), {"__builtins__": {}}, fields)
    header = fields["fields"]
    assert header["fortran_order"] is False
    values = array.array(CODES[header["descr"]], data[10 + length:])
    assert len(values) == math.prod(header["shape"]), f"{path}: {len(values)} elements for {header['shape']}"
    return values, header["shape"], header["descr"]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / max(1e-30, math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))


# MARK: pictures

def write_ppm(path, width, height, seed):
    """A picture of coloured blocks."""
    numbers = random.Random(seed)
    blocks = [[bytes(numbers.randrange(256) for _ in range(3)) for _ in range(4)] for _ in range(4)]
    rows = (b"".join(blocks[y * 4 // height][x * 4 // width] for x in range(width)) for y in range(height))
    return write(path, b"P6\n%d %d\n255\n" % (width, height) + b"".join(rows))


# MARK: ONNX (Protocol Buffers)

def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _port(name, shape, kind=1):
    axes = b"".join(_field(1, _field(1, extent)) for extent in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, axes)))


def onnx(nodes, inputs, outputs, constants=()):
    """Bytes of a model. Nodes: (operator, name, inputs, outputs, {attribute: integers}); inputs: (name, shape);
    constants: (name, shape, floats)."""
    graph = b""
    for operator, name, reads, writes, attributes in nodes:
        node = b"".join(_field(1, x) for x in reads) + b"".join(_field(2, x) for x in writes)
        node += _field(3, name) + _field(4, operator)
        for key, value in attributes.items():
            body = _field(1, key)
            if isinstance(value, int):
                body += _field(3, value) + _field(20, 2)
            else:
                body += b"".join(_field(8, number) for number in value) + _field(20, 7)
            node += _field(5, body)
        graph += _field(1, node)
    graph += _field(2, "test")
    for name, shape, values in constants:
        tensor = b"".join(_field(1, extent) for extent in shape) + _field(2, 1) + _field(8, name)
        graph += _field(5, tensor + _field(9, array.array("f", values).tobytes()))
    graph += b"".join(_field(11, _port(name, shape)) for name, shape in inputs)
    graph += b"".join(_field(12, _field(1, name)) for name in outputs)
    return _field(1, 8) + _field(8, _field(2, 13)) + _field(7, graph)
