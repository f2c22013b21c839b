#!/usr/bin/env python3
"""Train the CIFAR-10 classifier on a CPU and export it as ONNX.

The network is a ResNet-8 in the style of MLPerf Tiny with a stronger training
recipe: OneCycle SGD with Nesterov momentum, label smoothing, random crop and
flip, and an exponential moving average of the weights. 2,000 of the 50,000
training pictures are held out for validation; the test pictures are read only
once, after training, to report the accuracy.
"""

import argparse
import copy
import csv
import io
import json
import os
import time
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

CLASSES = ["airplane", "automobile", "bird", "cat", "deer",
           "dog", "frog", "horse", "ship", "truck"]
MEAN = [0.4914, 0.4822, 0.4465]
STD = [0.2470, 0.2435, 0.2616]
SIZE = 32
PAD = 4


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (1x1 convolution where the shape changes)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet8(nn.Module):
    """Stem, three residual blocks at 32x32, 16x16 and 8x8, average pool, linear."""

    def __init__(self, widths):
        super().__init__()
        first, second, third = widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.block1 = ResidualBlock(first, first, 1)
        self.block2 = ResidualBlock(first, second, 2)
        self.block3 = ResidualBlock(second, third, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(third, len(CLASSES))

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.stem(x))))
        return self.classifier(torch.flatten(self.pool(x), 1))


def decode(data):
    """Decode one JPEG into a 32x32x3 uint8 array."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def load_train_zip(path):
    """Read every picture of train.zip; the folder name is the class."""
    images, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                images.append(decode(archive.read(name)))
                labels.append(CLASSES.index(name.split("/")[-2]))
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def load_test_folder(path):
    """Read the pictures that labels.csv of the test folder lists."""
    images, labels = [], []
    with open(os.path.join(path, "labels.csv"), newline="") as file:
        for row in csv.DictReader(file):
            with open(os.path.join(path, "jpg", row["file"]), "rb") as picture:
                images.append(decode(picture.read()))
            labels.append(int(row["class"]))
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def normalise(images):
    """uint8 NHWC to float NCHW (channels-last in memory)."""
    x = images.to(torch.float32).div_(255)
    x = (x - torch.tensor(MEAN)) / torch.tensor(STD)
    return x.permute(0, 3, 1, 2)


def augment(padded, indices, generator):
    """Random crop and horizontal flip of the chosen pictures, as one gather."""
    count = len(indices)
    top = torch.randint(0, 2 * PAD + 1, (count, 1), generator=generator)
    left = torch.randint(0, 2 * PAD + 1, (count, 1), generator=generator)
    flip = torch.rand((count, 1), generator=generator) < 0.5
    span = torch.arange(SIZE)[None]
    rows = top + span
    columns = left + torch.where(flip, SIZE - 1 - span, span)
    return padded[indices[:, None, None], rows[:, :, None], columns[:, None, :]]


@torch.no_grad()
def accuracy(model, images, labels):
    """Top-1 accuracy of a torch model."""
    model.eval()
    hits = sum((model(normalise(x)).argmax(1) == y).sum().item()
               for x, y in zip(images.split(500), labels.split(500)))
    return hits / len(labels)


@torch.no_grad()
def update_average(average, model, decay):
    """Move the averaged weights and statistics towards the trained ones."""
    for a, b in zip(average.state_dict().values(), model.state_dict().values()):
        if a.dtype.is_floating_point:
            a.lerp_(b, 1 - decay)
        else:
            a.copy_(b)


def train(model, images, labels, validation, options):
    """Run the schedule and return the averaged model."""
    generator = torch.Generator().manual_seed(options.seed)
    padded = F.pad(images.permute(0, 3, 1, 2), [PAD] * 4, "reflect").permute(0, 2, 3, 1).contiguous()
    steps_per_epoch = len(images) // options.batch
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    optimiser = torch.optim.SGD(
        [{"params": matrices, "weight_decay": options.weight_decay},
         {"params": vectors, "weight_decay": 0.0}],
        lr=options.rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.epochs * steps_per_epoch,
        pct_start=0.2, cycle_momentum=False, div_factor=10, final_div_factor=1000)
    average = copy.deepcopy(model)
    parts = {"model": model, "average": average, "optimiser": optimiser, "schedule": schedule}
    first = 0
    if options.checkpoint and os.path.exists(options.checkpoint):
        saved = torch.load(options.checkpoint)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        generator.set_state(saved["generator"])
        first = saved["epoch"]
    started = time.time()
    for epoch in range(first, options.epochs):
        model.train()
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for step in range(steps_per_epoch):
            batch = order[step * options.batch:(step + 1) * options.batch]
            x = normalise(augment(padded, batch, generator))
            loss = F.cross_entropy(model(x), labels[batch], label_smoothing=options.smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            update_average(average, model, options.ema)
            total += loss.item()
        print(f"epoch {epoch + 1:2d}/{options.epochs}  loss {total / steps_per_epoch:.4f}  "
              f"validation {accuracy(average, *validation):.4f}  {time.time() - started:.0f} s", flush=True)
        if options.checkpoint:
            torch.save({"epoch": epoch + 1, "generator": generator.get_state()}
                       | {name: part.state_dict() for name, part in parts.items()}, options.checkpoint)
    return average


def export(model, path):
    """Write a batch-1 ONNX file with everything inside the one file."""
    example = torch.zeros(1, 3, SIZE, SIZE)
    torch.onnx.export(model.eval(), example, path, dynamo=False, opset_version=13,
                      input_names=["image"], output_names=["logits"])


def onnx_outputs(path, images):
    """Logits of the exported file, one picture at a time."""
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": x[None]})[0]
                           for x in normalise(images).contiguous().numpy()])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="train.zip (folder = class)")
    parser.add_argument("--test", required=True, help="folder with labels.csv and jpg/")
    parser.add_argument("--out", required=True, help="ONNX file to write")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.2, help="peak learning rate")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--smoothing", type=float, default=0.05, help="label smoothing")
    parser.add_argument("--ema", type=float, default=0.995, help="decay of the averaged weights per step")
    parser.add_argument("--widths", type=int, nargs=3, default=[16, 56, 112])
    parser.add_argument("--holdout", type=int, default=2000, help="training pictures kept for validation")
    parser.add_argument("--checkpoint", help="file to save the state to after each epoch, and to resume from")
    parser.add_argument("--start", help="checkpoint of an earlier run to take the first weights from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    images, labels = load_train_zip(options.data)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(options.seed))
    held, used = order[:options.holdout], order[options.holdout:]
    model = ResNet8(options.widths).to(memory_format=torch.channels_last)
    if options.start:
        model.load_state_dict(torch.load(options.start)["average"])
    print(f"{len(used)} pictures, {sum(p.numel() for p in model.parameters())} parameters", flush=True)

    validation = (images[held], labels[held])
    average = train(model, images[used], labels[used], validation, options)
    export(average, options.out)

    test_images, test_labels = load_test_folder(options.test)
    logits = onnx_outputs(options.out, test_images)
    with torch.no_grad():
        reference = average(normalise(test_images)).numpy()
    print(json.dumps({
        "validation_top1": round(accuracy(average, *validation), 4),
        "test_top1": round(float((logits.argmax(1) == test_labels.numpy()).mean()), 4),
        "largest_difference_onnx_torch": float(np.abs(logits - reference).max()),
    }))


if __name__ == "__main__":
    main()
