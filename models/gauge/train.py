#!/usr/bin/env python3
"""Train the gauge key point network on a CPU and export it as ONNX.

The network maps a 96x128 picture to four 24x32 heatmaps: needle centre, needle tip,
first mark and last mark of the scale. It learns from frames drawn by generate.py.
`--evaluate` only measures an existing ONNX file.
"""

import argparse
import copy
import csv
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from generate import (FULL_SCALE, HEIGHT, INPUT_HEIGHT, INPUT_WIDTH, KEYPOINTS, WIDTH, model_input,
                      reading_from_keypoints)

MEAN, STD = 0.5, 0.25
MAP_HEIGHT, MAP_WIDTH = INPUT_HEIGHT // 4, INPUT_WIDTH // 4
SIGMA = 0.65            # of the target peaks, in heatmap cells
SHIFT = 6               # random translation, in input pixels
THRESHOLD = 0.2         # a gauge is present when all four peaks reach this


def convolution(inputs, outputs, kernel, stride=1, groups=1, active=True):
    """Convolution, batch norm and, if active, ReLU6."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if active else nn.Sequential(*layers)


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise convolution, with a shortcut where the shape allows it."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        self.depthwise = convolution(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = convolution(inputs, outputs, 1, active=not self.residual)

    def forward(self, x):
        y = self.pointwise(self.depthwise(x))
        return F.relu6(x + y, inplace=True) if self.residual else y


class GaugeNet(nn.Module):
    """Encoder down to 6x8, decoder up to 24x32 with two skip connections; gives logits."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, 16, 3, 2)
        self.stage4 = nn.Sequential(Separable(16, 48, 2), Separable(48, 48))
        self.stage8 = nn.Sequential(Separable(48, 96, 2), Separable(96, 96), Separable(96, 96))
        self.stage16 = nn.Sequential(Separable(96, 128, 2), Separable(128, 128))
        self.narrow16 = convolution(128, 64, 1)
        self.narrow8 = convolution(96, 64, 1)
        self.merge8 = Separable(128, 64)
        self.merge4 = Separable(64 + 48, 48)
        self.refine4 = Separable(48, 48)
        self.head = nn.Conv2d(48, len(KEYPOINTS), 1)
        nn.init.constant_(self.head.bias, -5.0)

    def forward(self, x):
        at4 = self.stage4(self.stem(x))
        at8 = self.stage8(at4)
        at16 = self.narrow16(self.stage16(at8))
        up8 = F.interpolate(at16, scale_factor=2.0, mode="nearest")
        up8 = self.merge8(torch.cat([up8, self.narrow8(at8)], 1))
        up4 = F.interpolate(up8, scale_factor=2.0, mode="nearest")
        return self.head(self.refine4(self.merge4(torch.cat([up4, at4], 1))))


class WithSigmoid(nn.Module):
    """The exported form: probabilities instead of logits."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image):
        return torch.sigmoid(self.net(image))


def normalise(images):
    """Pixels 0...255 in NHWC to the network's NCHW input (channels-last in memory)."""
    return ((images.to(torch.float32) / 255 - MEAN) / STD).permute(0, 3, 1, 2)


def target_maps(points):
    """Gaussian peaks at the key points (normalised, NaN where not visible)."""
    x = points[..., 0] * MAP_WIDTH - 0.5
    y = points[..., 1] * MAP_HEIGHT - 0.5
    gx = torch.exp(-(torch.arange(MAP_WIDTH) - x[..., None]) ** 2 / (2 * SIGMA ** 2))
    gy = torch.exp(-(torch.arange(MAP_HEIGHT) - y[..., None]) ** 2 / (2 * SIGMA ** 2))
    return torch.nan_to_num(gy[..., :, None] * gx[..., None, :])


def centroid_loss(logits, points):
    """Distance, in cells, between the key points and the weighted centroids of the 3x3 cells around them."""
    visible = ~torch.isnan(points[..., 0])
    x = points[..., 0][visible] * MAP_WIDTH - 0.5
    y = points[..., 1][visible] * MAP_HEIGHT - 0.5
    column = x.round().long().clamp(0, MAP_WIDTH - 1)
    row = y.round().long().clamp(0, MAP_HEIGHT - 1)
    padded = F.pad(torch.sigmoid(logits[visible]), (1, 1, 1, 1))
    steps = torch.arange(-1, 2)
    window = padded[torch.arange(len(x))[:, None, None], (row[:, None] + 1 + steps)[:, :, None],
                    (column[:, None] + 1 + steps)[:, None, :]]
    total = window.sum((1, 2)) + 1e-4
    dx = (window.sum(1) * steps).sum(1) / total + column - x
    dy = (window.sum(2) * steps).sum(1) / total + row - y
    return (dx.abs() + dy.abs()).mean()


def augment(images, points, generator):
    """Translate whole pixels, change light and colour, blur and add noise; returns float pixels 0...255."""
    count = len(images)

    def uniform(low, high, *shape):
        return torch.rand((count, *shape), generator=generator) * (high - low) + low

    dx = torch.randint(-SHIFT, SHIFT + 1, (count, 1), generator=generator)
    dy = torch.randint(-SHIFT, SHIFT + 1, (count, 1), generator=generator)
    columns = (torch.arange(INPUT_WIDTH)[None] - dx).clamp(0, INPUT_WIDTH - 1)
    rows = (torch.arange(INPUT_HEIGHT)[None] - dy).clamp(0, INPUT_HEIGHT - 1)
    images = images[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]].to(torch.float32)
    points = points + torch.stack([dx / INPUT_WIDTH, dy / INPUT_HEIGHT], -1)
    outside = ((points < 0) | (points >= 1)).any(-1, keepdim=True)
    points = torch.where(outside, torch.nan, points)

    gains = uniform(0.7, 1.3, 1, 1, 1) * uniform(0.88, 1.12, 1, 1, 3)
    images = images * gains + uniform(-20, 20, 1, 1, 1)
    images = 255 * (images / 255).clamp(0, 1) ** uniform(0.75, 1.3, 1, 1, 1)
    blurred = F.avg_pool2d(images.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)
    images = torch.lerp(images, blurred, uniform(-1.0, 0.8, 1, 1, 1).clamp(min=0))
    noise = torch.randn(images.shape, generator=generator)
    images = images + noise * uniform(-4, 8, 1, 1, 1).clamp(min=0)
    return images.clamp(0, 255), points


def decode(maps):
    """Key points (frame pixels) and scores from heatmaps, as the device does it."""
    points, scores = [], []
    for channel in maps:
        row, column = divmod(int(channel.argmax()), MAP_WIDTH)
        top, left = max(0, row - 1), max(0, column - 1)
        window = channel[top:row + 2, left:column + 2].astype(np.float64)
        total = max(window.sum(), 1e-9)
        x = (window.sum(0) * (left + np.arange(window.shape[1]))).sum() / total
        y = (window.sum(1) * (top + np.arange(window.shape[0]))).sum() / total
        points.append(((x + 0.5) / MAP_WIDTH * WIDTH, (y + 0.5) / MAP_HEIGHT * HEIGHT))
        scores.append(float(channel[row, column]))
    return points, scores


def measure(all_maps, present, values):
    """Detection and reading accuracy over a set of heatmaps."""
    errors, found = [], []
    for maps, here, value in zip(all_maps, present, values):
        points, scores = decode(maps)
        found.append(min(scores) >= THRESHOLD)
        if here and found[-1]:
            errors.append(abs(reading_from_keypoints(points) - value) / FULL_SCALE * 100)
    present, found, errors = np.array(present, bool), np.array(found), np.array(errors)
    return {"frames": len(present), "with_gauge": int(present.sum()),
            "mean_absolute_error_percent": round(float(errors.mean()), 3) if len(errors) else None,
            "p95_error_percent": round(float(np.percentile(errors, 95)), 3) if len(errors) else None,
            "worst_error_percent": round(float(errors.max()), 2) if len(errors) else None,
            "presence_accuracy": round(float((found == present).mean()), 4),
            "missed": int((present & ~found).sum()), "false_alarms": int((found & ~present).sum())}


@torch.no_grad()
def torch_maps(net, images):
    """Heatmaps of a torch model."""
    net.eval()
    return torch.cat([torch.sigmoid(net(normalise(x))) for x in images.split(250)]).numpy()


@torch.no_grad()
def update_average(average, net, decay):
    """Move the averaged weights and statistics towards the trained ones."""
    for a, b in zip(average.state_dict().values(), net.state_dict().values()):
        if a.dtype.is_floating_point:
            a.lerp_(b, 1 - decay)
        else:
            a.copy_(b)


def train(net, images, points, validation, options):
    """Run the schedule and return the averaged model."""
    generator = torch.Generator().manual_seed(options.seed)
    steps = len(images) // options.batch
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.epochs * steps, pct_start=0.15,
        cycle_momentum=False, div_factor=20, final_div_factor=500)
    average = copy.deepcopy(net)
    parts = {"net": net, "average": average, "optimiser": optimiser, "schedule": schedule}
    first = 0
    if options.checkpoint and os.path.exists(options.checkpoint):
        saved = torch.load(options.checkpoint)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        generator.set_state(saved["generator"])
        first = saved["epoch"]
    started = time.time()
    for epoch in range(first, options.epochs):
        net.train()
        order = torch.randperm(len(images), generator=generator)
        totals = np.zeros(2)
        for step in range(steps):
            batch = order[step * options.batch:(step + 1) * options.batch]
            pixels, moved = augment(images[batch], points[batch], generator)
            logits = net(normalise(pixels))
            heat = F.binary_cross_entropy_with_logits(logits, target_maps(moved), reduction="none").sum((2, 3)).mean()
            place = centroid_loss(logits, moved)
            optimiser.zero_grad(set_to_none=True)
            (heat + 2 * place).backward()
            optimiser.step()
            schedule.step()
            update_average(average, net, options.ema)
            totals += heat.item(), place.item()
        line = f"epoch {epoch + 1:2d}/{options.epochs}  heat {totals[0] / steps:.3f}  place {totals[1] / steps:.3f}"
        if epoch % 3 == 2 or epoch + 1 == options.epochs:
            result = measure(torch_maps(average, validation["images"]), validation["present"], validation["values"])
            line += (f"  error {result['mean_absolute_error_percent']} %"
                     f"  presence {result['presence_accuracy']}")
        print(f"{line}  {time.time() - started:.0f} s", flush=True)
        if options.checkpoint:
            torch.save({"epoch": epoch + 1, "generator": generator.get_state()}
                       | {name: part.state_dict() for name, part in parts.items()}, options.checkpoint)
    return average


def load_set(path):
    """Read a file written by `generate.py dataset`."""
    data = np.load(path)
    return {"images": torch.from_numpy(data["images"]), "points": torch.from_numpy(data["points"]),
            "present": data["present"], "values": data["values"]}


def load_folder(path):
    """Read a folder written by `generate.py frames --labels`."""
    images, present, values = [], [], []
    with open(os.path.join(path, "labels.csv"), newline="") as table:
        for row in csv.DictReader(table):
            with open(os.path.join(path, row["file"]), "rb") as file:
                images.append(model_input(file.read()))
            present.append(row["present"] == "1")
            values.append(float(row["value"] or 0))
    return {"images": torch.from_numpy(np.stack(images)), "present": np.array(present), "values": np.array(values)}


def load_movie(path):
    """Read a stream of JPEG frames with the CSV of the same name beside it."""
    with open(path, "rb") as file:
        frames = [b"\xff\xd8\xff" + part for part in file.read().split(b"\xff\xd8\xff")[1:]]
    with open(os.path.splitext(path)[0] + ".csv", newline="") as table:
        rows = list(csv.DictReader(table))
    images = torch.from_numpy(np.stack([model_input(frame) for frame in frames]))
    return {"images": images, "present": np.array([row["present"] == "1" for row in rows]),
            "values": np.array([float(row["value"] or 0) for row in rows])}


def export(net, path):
    """Write a batch-1 ONNX file with everything inside the one file."""
    example = torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH)
    torch.onnx.export(WithSigmoid(net).eval(), example, path, dynamo=False, opset_version=13,
                      input_names=["image"], output_names=["heatmaps"])


def onnx_maps(path, images):
    """Heatmaps of the exported file, one frame at a time."""
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": x[None]})[0]
                           for x in normalise(images).contiguous().numpy()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", help="training set (.npz of generate.py dataset)")
    parser.add_argument("--validation", help="held-out set (.npz)")
    parser.add_argument("--evaluate", nargs="*", default=[],
                        help="folders with labels.csv or .mjpeg files with a .csv, measured with the exported file")
    parser.add_argument("--out", required=True, help="ONNX file to write, or to measure where --train is absent")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--ema", type=float, default=0.995, help="decay of the averaged weights per step")
    parser.add_argument("--checkpoint", help="file to save the state to after each epoch, and to resume from")
    parser.add_argument("--start", help="checkpoint of an earlier run to take the first weights from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.train and not options.validation:
        parser.error("--train needs --validation")

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    validation = load_set(options.validation) if options.validation else None
    if options.train:
        data = load_set(options.train)
        net = GaugeNet().to(memory_format=torch.channels_last)
        if options.start:
            net.load_state_dict(torch.load(options.start)["average"])
        print(f"{len(data['images'])} frames, {sum(p.numel() for p in net.parameters())} parameters", flush=True)
        average = train(net, data["images"], data["points"], validation, options)
        export(average, options.out)
        difference = np.abs(onnx_maps(options.out, validation["images"][:64])
                            - torch_maps(average, validation["images"][:64])).max()
        print(f"largest difference between ONNX and torch: {difference:.2e}")
    sets = {options.validation: validation} if validation else {}
    for path in options.evaluate:
        sets[path] = load_movie(path) if path.endswith(".mjpeg") else load_folder(path)
    for path, data in sets.items():
        print(path, json.dumps(measure(onnx_maps(options.out, data["images"]), data["present"], data["values"])))


if __name__ == "__main__":
    main()
