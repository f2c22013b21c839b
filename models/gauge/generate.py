#!/usr/bin/env python3
"""Draw camera frames of a pressure gauge, with exact labels.

Everything is drawn by this program: no third-party picture or font is used
except the font built into Pillow. A frame is a pure function of (seed, index).

A gauge counts as *present* when its four key points (needle centre, needle tip,
first and last mark of the scale) are inside the frame and not covered.
"""

import argparse
import csv
import io
import math
import multiprocessing
import os
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 320, 240          # camera frame
INPUT_WIDTH, INPUT_HEIGHT = 128, 96   # model input
OVERSAMPLE = 2                    # the world is drawn at twice the frame's resolution
EXTENT = 1.3                      # half the gauge canvas, in units of the rim's radius
FULL_SCALE = 10.0                 # bar
KEYPOINTS = ["centre", "tip", "min", "max"]
LABEL_COLUMNS = ["file", "present", "value"] + [f"{k}_{axis}" for k in KEYPOINTS for axis in "xy"]
MARGIN = 6                        # pixels between a visible key point and the frame's border


@dataclass(frozen=True)
class Difficulty:
    """Ranges that decide how hard the frames are; lengths of the gauge in units of the rim's radius."""
    smallest_radius: float      # pixels
    needle_width: tuple
    blunt: float                # width of a tapered needle's end over that of its root
    tail_length: tuple
    exposure: tuple             # natural logarithm
    blur: float                 # pixels
    noise: float                # grey levels
    most_visible: int           # key points in frames that are cut or covered too much to be read


NORMAL = Difficulty(55, (0.05, 0.085), 0.35, (0.12, 0.24), (-0.45, 0.25), 0.9, 6, 2)
HARD = Difficulty(44, (0.035, 0.065), 0.0, (0.16, 0.3), (-0.7, 0.3), 1.2, 9, 3)


# ---------------------------------------------------------------- geometry

@dataclass(frozen=True)
class Pose:
    """Where the gauge is in the frame: pixels, degrees, and distance in radii."""
    x: float
    y: float
    radius: float
    roll: float
    tilt: float
    tilt_axis: float
    distance: float

    def homography(self):
        """3x3 matrix from gauge coordinates (rim radius 1, y down) to frame pixels."""
        roll, axis, tilt = (math.radians(a) for a in (self.roll, self.tilt_axis, self.tilt))
        rotation = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        along = np.array([math.cos(axis), math.sin(axis)])
        across = np.array([-math.sin(axis), math.cos(axis)])
        flatten = np.outer(along, along) + math.cos(tilt) * np.outer(across, across)
        depth = math.sin(tilt) / self.distance * across @ rotation
        centre = np.array([self.x, self.y])
        matrix = np.eye(3)
        matrix[:2, :2] = self.radius * flatten @ rotation + np.outer(centre, depth)
        matrix[:2, 2] = centre
        matrix[2, :2] = depth
        return matrix


def project(matrix, points):
    """Apply a homography to an array of (x, y)."""
    points = np.asarray(points, float)
    mapped = np.c_[points, np.ones(len(points))] @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def direction(angle):
    """Unit vector at an angle in degrees, clockwise from straight up (y down)."""
    return np.array([math.sin(math.radians(angle)), -math.cos(math.radians(angle))])


def reading_from_keypoints(points):
    """Reading in bar from the four key points in square pixels.

    The clockwise angle from the first mark to the needle, over the clockwise angle
    from the first to the last mark. In the dead zone the nearer end is taken.
    """
    angles = [math.atan2(x - points[0][0], points[0][1] - y) for x, y in points[1:]]
    tip, first, last = angles
    sweep = (last - first) % (2 * math.pi)
    angle = (tip - first) % (2 * math.pi)
    if sweep < 1e-6:
        return 0.0
    if angle > (sweep + 2 * math.pi) / 2:
        angle = 0.0
    return FULL_SCALE * min(angle / sweep, 1.0)


# ---------------------------------------------------------------- colours

def shade(colour, factor):
    """Multiply a colour, clipped to 0...255."""
    return tuple(int(min(255, max(0, c * factor))) for c in colour)


def muted_colour(rng, low=40, high=220, chroma=30):
    """A greyish colour with a little hue."""
    level = rng.uniform(low, high)
    return tuple(int(np.clip(level + rng.uniform(-chroma, chroma), 0, 255)) for _ in range(3))


def pick(rng, items):
    """One element of a list."""
    return items[int(rng.integers(len(items)))]


PAINTS = [(30, 60, 120), (150, 35, 30), (40, 95, 60), (200, 160, 40), (90, 95, 100), (60, 60, 65),
          (170, 175, 180), (185, 110, 50), (120, 130, 110), (210, 205, 195)]
SKINS = [(224, 172, 136), (198, 134, 98), (141, 85, 54), (92, 58, 40), (60, 90, 150), (230, 140, 40), (70, 70, 72)]


# ---------------------------------------------------------------- gauge

@dataclass(frozen=True)
class Style:
    """How one gauge looks; lengths are in units of the rim's radius."""
    face: tuple
    ink: tuple
    rim: tuple
    rim_inner: float
    rim_light: float
    flange: bool
    stem: bool
    start: float
    sweep: float
    mark_outer: float
    mark_length: float
    mark_width: float
    majors: int
    minors: int
    arc: bool
    zones: tuple
    zone_width: float
    number_radius: float
    number_size: float
    numbers_radial: bool
    caption: tuple
    needle: str
    needle_colour: tuple
    needle_length: float
    needle_width: float
    needle_blunt: float
    tail: str
    tail_length: float
    hub: float
    hub_colour: tuple
    shadow: tuple
    glare: tuple


def random_style(rng, difficulty):
    """Sample a gauge."""
    dark = rng.random() < 0.2
    if dark:
        face = muted_colour(rng, 18, 50, 8)
        ink = pick(rng, [(240, 240, 240), (250, 230, 150), (235, 245, 255)])
        needles = [(245, 245, 245), (240, 80, 30), (250, 220, 60), (255, 120, 20)]
    else:
        face = pick(rng, [(248, 248, 246), (240, 236, 220), (225, 230, 235), (250, 244, 205), (215, 225, 240)])
        ink = pick(rng, [(15, 15, 18), (40, 40, 45), (20, 25, 60)])
        needles = [(12, 12, 14), (20, 20, 25), (190, 20, 20), (20, 40, 130), (215, 70, 10)]
    rim = pick(rng, [(40, 40, 42), (185, 188, 192), (205, 205, 210), (190, 155, 85), (150, 30, 25), (35, 60, 110),
                     muted_colour(rng, 60, 190, 15)])
    rim_inner = rng.uniform(0.84, 0.93)
    mark_outer = rim_inner - rng.uniform(0.03, 0.09)
    mark_length = rng.uniform(0.09, 0.15)
    sweep = 270.0 if rng.random() < 0.6 else rng.uniform(235, 300)
    mark_end = mark_outer - mark_length
    zones = ()
    if rng.random() < 0.4:
        cut = np.sort(rng.uniform(0.1, 0.9, 2))
        colours = [(40, 150, 60), (225, 190, 40), (200, 40, 35)]
        zones = pick(rng, [((0.0, cut[0], colours[0]), (cut[0], cut[1], colours[1]), (cut[1], 1.0, colours[2])),
                           ((cut[1], 1.0, colours[2]),), ((cut[0], cut[1], colours[0]),)])
    needle_colour = pick(rng, needles)
    number_size = rng.uniform(0.13, 0.2)
    return Style(
        face=face, ink=ink, rim=rim, rim_inner=rim_inner, rim_light=rng.uniform(0, 360),
        flange=rng.random() < 0.15, stem=rng.random() < 0.5,
        start=-sweep / 2 + (rng.uniform(-15, 15) if rng.random() < 0.2 else 0.0), sweep=sweep,
        mark_outer=mark_outer, mark_length=mark_length, mark_width=rng.uniform(0.018, 0.04),
        majors=pick(rng, [5, 10, 10]), minors=pick(rng, [1, 2, 5, 5]), arc=rng.random() < 0.45,
        zones=zones, zone_width=rng.uniform(0.03, 0.08),
        number_radius=mark_end - number_size * rng.uniform(0.6, 0.8), number_size=number_size,
        numbers_radial=rng.random() < 0.2,
        caption=(pick(rng, ["bar", "bar", "BAR", ""]), rng.uniform(0.25, 0.42), rng.uniform(0.11, 0.17),
                 pick(rng, ["", "NORDVIK", "CL 1.6", "EN 837", "Halden & Co", "P1"])),
        needle=pick(rng, ["taper", "taper", "bar", "arrow", "lance"]), needle_colour=needle_colour,
        needle_length=min(mark_outer - 0.01, mark_end + rng.uniform(-0.08, 0.07)), needle_width=rng.uniform(*difficulty.needle_width),
        needle_blunt=difficulty.blunt,
        tail=pick(rng, ["none", "bar", "bar", "disc", "wedge"]), tail_length=rng.uniform(*difficulty.tail_length),
        hub=rng.uniform(0.06, 0.12),
        hub_colour=pick(rng, [needle_colour, (30, 30, 32), (190, 190, 195), (180, 150, 80)]),
        shadow=(rng.uniform(-0.05, 0.05), rng.uniform(0.0, 0.06), rng.uniform(0.0, 0.5)),
        glare=(rng.uniform(0, 360), rng.uniform(-0.7, 0.7), rng.uniform(0.05, 0.35),
               rng.uniform(0.1, 0.42) if rng.random() < 0.5 else 0.0))


def value_angle(style, value):
    """Angle of the needle on the upright dial."""
    return style.start + style.sweep * value / FULL_SCALE


def gauge_points(style, value):
    """The four key points in gauge coordinates, in the order of KEYPOINTS."""
    middle = style.mark_outer - style.mark_length / 2
    return np.array([(0.0, 0.0),
                     style.needle_length * direction(value_angle(style, value)),
                     middle * direction(style.start),
                     middle * direction(style.start + style.sweep)])


class Canvas:
    """A square RGBA drawing in gauge coordinates, drawn at twice its final size."""

    def __init__(self, size, colour):
        self.size = size
        self.scale = size / EXTENT
        self.image = Image.new("RGBA", (2 * size, 2 * size), colour + (0,))
        self.draw = ImageDraw.Draw(self.image)

    def pixels(self, points):
        return [tuple(p) for p in np.asarray(points, float) * self.scale + self.size - 0.5]

    def polygon(self, points, colour):
        self.draw.polygon(self.pixels(points), fill=colour)

    def disc(self, centre, radius, colour):
        (x, y), = self.pixels([centre])
        r = radius * self.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def arc(self, radius, start, end, width, colour):
        c, r = self.size, radius * self.scale
        self.draw.arc((c - r, c - r, c + r, c + r), start - 90, end - 90, colour,
                      max(1, round(width * self.scale)))

    def mark(self, angle, outer, inner, width, colour):
        along, across = direction(angle), direction(angle + 90) * width / 2
        self.polygon([along * outer + across, along * outer - across,
                      along * inner - across, along * inner + across], colour)

    def text(self, centre, text, height, colour, angle=0.0):
        font = ImageFont.load_default(max(4, height * self.scale))
        (x, y), = self.pixels([centre])
        if angle == 0.0:
            self.draw.text((x, y), text, fill=colour, font=font, anchor="mm")
            return
        side = int(font.getlength(text) + 2 * height * self.scale)
        label = Image.new("L", (side, side))
        ImageDraw.Draw(label).text((side / 2, side / 2), text, fill=255, font=font, anchor="mm")
        label = label.rotate(-angle, Image.BILINEAR)
        self.image.paste(Image.new("RGB", label.size, colour[:3]), (int(x - side / 2), int(y - side / 2)), label)

    def finished(self):
        return self.image.reduce(2)


def draw_body(style, size):
    """Rim, bevels and face, shaded per pixel at half the size: they are smooth."""
    full, size = size, size // 2
    axis = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) * (2 * EXTENT / size)
    x, y = axis[None, :], axis[:, None]
    radius = np.sqrt(x * x + y * y)
    soft = 2 * EXTENT / size
    light = np.radians(style.rim_light)
    facing = (x * np.cos(light) + y * np.sin(light)) / np.maximum(radius, 1e-3)

    def inside(limit):
        return np.clip((limit - radius) / soft + 0.5, 0, 1)[..., None]

    lip = style.rim_inner + 0.035
    outer = np.array(style.rim, np.float32) * (0.85 + 0.35 * facing[..., None])
    inner = np.array(style.rim, np.float32) * (0.6 - 0.3 * facing[..., None])
    face = np.array(style.face, np.float32) * (1.0 - 0.12 * np.clip(radius / style.rim_inner, 0, 1)[..., None] ** 4)
    colour = outer + inside(lip) * (inner - outer)
    colour += inside(style.rim_inner) * (face - colour)
    alpha = inside(1.0)
    if style.flange:
        plate = np.array(style.rim, np.float32) * 0.8
        colour = plate + alpha * (colour - plate)
        alpha = inside(1.2)
    pixels = np.concatenate([np.clip(colour, 0, 255), alpha * 255], axis=2)
    return Image.fromarray(pixels.astype(np.uint8), "RGBA").resize((full, full), Image.BILINEAR)


def draw_dial(style, size):
    """The gauge without its needle."""
    canvas = Canvas(size, style.ink)
    ink = style.ink + (255,)
    for start, end, colour in style.zones:
        canvas.arc(style.mark_outer, style.start + start * style.sweep, style.start + end * style.sweep,
                   style.zone_width, colour + (255,))
    if style.arc:
        canvas.arc(style.mark_outer, style.start, style.start + style.sweep, style.mark_width * 0.7, ink)
    steps = style.majors * style.minors
    for step in range(steps + 1):
        angle = style.start + style.sweep * step / steps
        if step % style.minors == 0:
            canvas.mark(angle, style.mark_outer, style.mark_outer - style.mark_length, style.mark_width, ink)
            number = round(FULL_SCALE * step / steps)
            canvas.text(style.number_radius * direction(angle), str(number), style.number_size, ink,
                        angle % 360 if style.numbers_radial else 0.0)
        else:
            canvas.mark(angle, style.mark_outer, style.mark_outer - style.mark_length * 0.55,
                        style.mark_width * 0.55, ink)
    unit, offset, height, brand = style.caption
    canvas.text((0, offset), unit, height, ink)
    canvas.text((0, -offset), brand, height * 0.8, ink)
    if style.flange:
        for angle in (45, 135, 225, 315):
            canvas.disc(1.1 * direction(angle), 0.055, shade(style.rim, 0.35) + (255,))
            canvas.disc(1.1 * direction(angle), 0.035, shade(style.rim, 1.2) + (255,))
    body = draw_body(style, size)
    body.alpha_composite(canvas.finished())
    return body


def draw_needle(style, value, size):
    """The needle with its tail and hub."""
    canvas = Canvas(size, style.needle_colour)
    angle = value_angle(style, value)
    along, across = direction(angle), direction(angle + 90)
    colour = style.needle_colour + (255,)
    length, half = style.needle_length, style.needle_width / 2
    if style.needle == "taper":
        end = across * half * style.needle_blunt
        outline = [across * half, along * length + end, along * length - end, -across * half]
    elif style.needle == "bar":
        outline = [across * half * 0.7, along * (length - 0.06) + across * half * 0.7, along * length,
                   along * (length - 0.06) - across * half * 0.7, -across * half * 0.7]
    elif style.needle == "lance":
        outline = [across * half * 0.5, along * length * 0.6 + across * half * 1.2, along * length,
                   along * length * 0.6 - across * half * 1.2, -across * half * 0.5]
    else:
        outline = [across * half * 0.5, along * (length - 0.16) + across * half * 0.5,
                   along * (length - 0.18) + across * half * 1.9, along * length,
                   along * (length - 0.18) - across * half * 1.9, along * (length - 0.16) - across * half * 0.5,
                   -across * half * 0.5]
    canvas.polygon(outline, colour)
    tail = style.tail_length
    if style.tail == "bar":
        canvas.polygon([across * half, across * half - along * tail, -across * half - along * tail, -across * half],
                       colour)
    elif style.tail == "wedge":
        canvas.polygon([across * half * 0.6, across * half * 2 - along * tail, -across * half * 2 - along * tail,
                        -across * half * 0.6], colour)
    elif style.tail == "disc":
        canvas.polygon([across * half * 0.7, across * half * 0.7 - along * tail,
                        -across * half * 0.7 - along * tail, -across * half * 0.7], colour)
        canvas.disc(-along * tail * 0.8, half * 2.1, colour)
    canvas.disc((0, 0), style.hub, style.hub_colour + (255,))
    canvas.disc((0, 0), style.hub * 0.4, shade(style.hub_colour, 0.6) + (255,))
    return canvas.finished()


def draw_glare(style, size):
    """A soft streak of reflected light on the glass."""
    angle, offset, width, strength = style.glare
    axis = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) * (2 * EXTENT / size)
    x, y = axis[None, :], axis[:, None]
    across = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle)) - offset
    alpha = strength * np.exp(-(across / width) ** 4) * (x * x + y * y < style.rim_inner ** 2)
    glare = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    glare.putalpha(Image.fromarray((alpha * 255).astype(np.uint8), "L"))
    return glare


def draw_gauge(style, value, size, dial=None):
    """The whole gauge as a square RGBA picture of the given size."""
    gauge = (dial or draw_dial(style, size)).copy()
    needle = draw_needle(style, value, size)
    dx, dy, darkness = style.shadow
    if darkness > 0.05:
        unit = size / (2 * EXTENT)
        shadow = needle.getchannel("A").filter(ImageFilter.BoxBlur(unit * 0.02)).point(lambda a: a * darkness)
        shadow = ImageChops.offset(shadow, round(dx * unit), round(dy * unit))
        gauge.paste((0, 0, 0), (0, 0), ImageChops.multiply(shadow, gauge.getchannel("A")))
    gauge.alpha_composite(needle)
    if style.glare[3] > 0:
        gauge.alpha_composite(draw_glare(style, size))
    return gauge


# ---------------------------------------------------------------- surroundings

def smooth_noise(rng, width, height, cells):
    """Low-frequency noise in -1...1."""
    small = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))


def draw_wall(rng, width, height):
    """The rearmost surface: plain, tiled, corrugated or brushed."""
    base = np.array(pick(rng, PAINTS) if rng.random() < 0.4 else muted_colour(rng), np.float32)
    kind = pick(rng, ["plain", "plain", "tiles", "corrugated", "brushed", "patches"])
    # The pattern is computed at half the drawing's resolution: it is blurred anyway.
    w, h = width // 2, height // 2
    level = 1 + rng.uniform(0.05, 0.25) * smooth_noise(rng, w, h, int(rng.integers(2, 6)))
    level = level + rng.uniform(0.0, 0.1) * smooth_noise(rng, w, h, 40)
    if kind == "tiles":
        step_x, step_y = rng.integers(20, 70, 2)
        xs, ys = np.arange(w), np.arange(h)
        rows = (ys // step_y) % 2 * (step_x // 2) * (rng.random() < 0.5)
        joint = ((xs[None] + rows[:, None]) % step_x < 2) | (ys[:, None] % step_y < 2)
        level = level * np.where(joint, rng.uniform(0.55, 0.85), 1)
    elif kind == "corrugated":
        phase = np.arange(w)[None] if rng.random() < 0.6 else np.arange(h)[:, None]
        level = level * (1 + rng.uniform(0.08, 0.3) * np.sin(phase * 2 * np.pi / rng.uniform(8, 40)))
    elif kind == "brushed":
        lines = rng.normal(0, 0.05, (h, 1)) if rng.random() < 0.5 else rng.normal(0, 0.05, (1, w))
        level = level * (1 + lines)
    pixels = np.clip(base * level[..., None], 0, 255).astype(np.uint8)
    wall = Image.fromarray(pixels).resize((width, height), Image.BILINEAR)
    if kind == "patches":
        draw = ImageDraw.Draw(wall)
        for _ in range(int(rng.integers(10, 40))):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            w, h = rng.uniform(10, 200, 2)
            draw.rectangle((x, y, x + w, y + h), fill=muted_colour(rng, 20, 235, 50))
    return wall


def draw_pipe(rng, world, start, end, width, colour):
    """A shaded cylinder between two points of the world."""
    width = max(6, int(width))
    profile = np.linspace(-1, 1, width, dtype=np.float32)
    brightness = 0.35 + 0.75 * np.exp(-((profile + rng.uniform(-0.5, 0.3)) / 0.55) ** 2)
    strip = np.clip(np.array(colour, np.float32) * brightness[:, None], 0, 255).astype(np.uint8)[:, None, :]
    start, end = np.asarray(start, float), np.asarray(end, float)
    along = (end - start) / np.linalg.norm(end - start)
    left, top = np.floor(np.minimum(start, end) - width)
    right, bottom = np.ceil(np.maximum(start, end) + width)
    left, top = max(0, int(left)), max(0, int(top))
    right, bottom = min(world.width, int(right)), min(world.height, int(bottom))
    if right <= left or bottom <= top:
        return
    length = int(np.linalg.norm(end - start)) + 1
    source = Image.fromarray(np.repeat(strip, length, axis=1)).convert("RGBA")
    corner = np.array([left, top]) - start
    across = np.array([-along[1], along[0]])
    matrix = (along[0], along[1], corner @ along, across[0], across[1], corner @ across + width / 2)
    piece = source.transform((right - left, bottom - top), Image.AFFINE, matrix, Image.BILINEAR)
    world.paste(piece, (left, top), piece)


def draw_screw(rng, draw, x, y, radius, colour):
    """A screw head with a slot."""
    draw.ellipse((x - radius * 1.2, y - radius * 1.1, x + radius * 1.2, y + radius * 1.3), fill=shade(colour, 0.5))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    dx, dy = direction(rng.uniform(0, 180)) * radius * 0.8
    draw.line((x - dx, y - dy, x + dx, y + dy), fill=shade(colour, 0.4), width=max(1, int(radius * 0.3)))


def draw_panel(rng, world, x, y, w, h):
    """A bevelled plate with screws, buttons, vents or a label."""
    draw = ImageDraw.Draw(world)
    colour = muted_colour(rng, 50, 220, 20)
    draw.rectangle((x + 5, y + 6, x + w + 5, y + h + 6), fill=shade(colour, 0.3))
    draw.rectangle((x, y, x + w, y + h), fill=colour)
    draw.line((x, y + h, x, y, x + w, y), fill=shade(colour, 1.25), width=2)
    draw.line((x + w, y, x + w, y + h, x, y + h), fill=shade(colour, 0.6), width=2)
    if min(w, h) > 40:
        for sx, sy in ((x + 12, y + 12), (x + w - 12, y + 12), (x + 12, y + h - 12), (x + w - 12, y + h - 12)):
            draw_screw(rng, draw, sx, sy, 5, shade(colour, 0.9))
    content = rng.random()
    if content < 0.3:
        for k in range(int(rng.integers(3, 9))):
            top = y + h * 0.2 + k * 9
            if top < y + h * 0.85:
                draw.rectangle((x + w * 0.2, top, x + w * 0.8, top + 3), fill=shade(colour, 0.35))
    elif content < 0.6:
        draw_label(rng, world, x + w * 0.2, y + h * 0.3, w * 0.6)
    elif content < 0.8:
        for k in range(int(rng.integers(1, 5))):
            draw_lamp(draw, x + 26 + 34 * k, y + h / 2, 11, pick(rng, [(200, 30, 30), (40, 160, 60), (230, 190, 40)]))


def draw_label(rng, world, x, y, w):
    """A sticker with invented text."""
    draw = ImageDraw.Draw(world)
    paper = pick(rng, [(240, 240, 235), (245, 215, 60), (40, 70, 140), (200, 40, 35), (20, 20, 22)])
    text = (15, 15, 15) if sum(paper) > 380 else (240, 240, 240)
    rows = int(rng.integers(1, 4))
    size = max(7, w / 7)
    draw.rectangle((x, y, x + w, y + rows * size * 1.3 + 6), fill=paper)
    for row in range(rows):
        word = pick(rng, ["PUMP 2", "STEAM", "V-104", "MAX 16 BAR", "INSPECT", "N2", "DANGER", "0 1 2 3 4", "LINE B"])
        draw.text((x + 5, y + 3 + row * size * 1.3), word, fill=text, font=ImageFont.load_default(size))


def draw_lamp(draw, x, y, radius, colour):
    """An indicator lamp."""
    draw.ellipse((x - radius * 1.3, y - radius * 1.3, x + radius * 1.3, y + radius * 1.3), fill=(60, 60, 62))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    draw.ellipse((x - radius * 0.6, y - radius * 0.7, x, y - radius * 0.1), fill=shade(colour, 1.6))


def draw_stripes(rng, world, x, y, w, h):
    """Hazard tape."""
    tape = Image.new("RGB", (max(2, int(w)), max(2, int(h))), (235, 195, 30))
    draw = ImageDraw.Draw(tape)
    step = int(rng.uniform(18, 40))
    for k in range(-tape.height, tape.width + tape.height, 2 * step):
        draw.polygon([(k, 0), (k + step, 0), (k + step - tape.height, tape.height), (k - tape.height, tape.height)],
                     fill=(25, 25, 25))
    world.paste(tape, (int(x), int(y)))


def draw_round_thing(rng, world, x, y, radius):
    """Something round that is no gauge: a handwheel, a flange, a knob, a lamp or a bare plate."""
    draw = ImageDraw.Draw(world)
    colour = pick(rng, PAINTS)
    kind = pick(rng, ["wheel", "flange", "knob", "lamp", "plate"])

    def disc(r, fill):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    if kind == "wheel":
        for angle in np.arange(3 + int(rng.integers(3))) * 360 / 5 + rng.uniform(0, 90):
            dx, dy = direction(angle) * radius
            draw.line((x, y, x + dx, y + dy), fill=shade(colour, 0.8), width=int(max(3, radius * 0.14)))
        width = int(max(4, radius * 0.2))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=shade(colour, 0.6), width=width)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=width * 2 // 3)
        disc(radius * 0.22, shade(colour, 0.9))
    elif kind == "flange":
        disc(radius, shade(colour, 0.7))
        disc(radius * 0.95, colour)
        for angle in np.arange(8) * 45 + rng.uniform(0, 45):
            bx, by = direction(angle) * radius * 0.78
            draw_screw(rng, draw, x + bx, y + by, radius * 0.1, shade(colour, 0.8))
        disc(radius * 0.5, shade(colour, 0.45))
    elif kind == "knob":
        disc(radius, (225, 225, 222))
        disc(radius * 0.7, shade(colour, 0.6))
        dx, dy = direction(rng.uniform(0, 360)) * radius * 0.65
        draw.line((x, y, x + dx, y + dy), fill=(240, 240, 240), width=int(max(2, radius * 0.08)))
    elif kind == "lamp":
        draw_lamp(draw, x, y, radius * 0.8, pick(rng, [(200, 30, 30), (40, 160, 60), (230, 190, 40), (235, 235, 225)]))
    else:
        disc(radius, shade(colour, 0.6))
        disc(radius * 0.9, (235, 235, 230))
        draw.text((x, y), pick(rng, ["A", "7", "OK", "12"]), fill=(30, 30, 30), anchor="mm",
                  font=ImageFont.load_default(max(8, radius * 0.7)))


def draw_background(rng, width, height, clutter=None):
    """A wall with pipes, panels, labels and other things of a plant room."""
    world = draw_wall(rng, width, height)
    area = width * height / (WIDTH * HEIGHT * OVERSAMPLE ** 2)
    things = clutter if clutter is not None else int(rng.integers(0, 7))
    for _ in range(int(things * area)):
        kind = rng.random()
        x, y = rng.uniform(-0.1, 1.0) * width, rng.uniform(-0.1, 1.0) * height
        if kind < 0.3:
            colour = pick(rng, PAINTS)
            thickness = rng.uniform(12, 80)
            if rng.random() < 0.45:
                draw_pipe(rng, world, (0, y), (width, y), thickness, colour)
            elif rng.random() < 0.8:
                draw_pipe(rng, world, (x, 0), (x, height), thickness, colour)
            else:
                draw_pipe(rng, world, (x, 0), (x + rng.uniform(-1, 1) * height, height), thickness, colour)
        elif kind < 0.55:
            draw_panel(rng, world, x, y, rng.uniform(50, 280), rng.uniform(40, 260))
        elif kind < 0.65:
            draw_label(rng, world, x, y, rng.uniform(60, 160))
        elif kind < 0.72:
            draw_stripes(rng, world, x, y, rng.uniform(100, 400), rng.uniform(15, 60))
        elif kind < 0.85:
            draw_round_thing(rng, world, x, y, rng.uniform(18, 130))
        else:
            draw_cable(rng, ImageDraw.Draw(world), width, height, int(rng.uniform(4, 14)), muted_colour(rng, 10, 120, 30))
    if rng.random() < 0.6:
        world = world.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 4)))
    return world


def draw_cable(rng, draw, width, height, thickness, colour):
    """A hanging cable across the picture."""
    t = np.linspace(0, 1, 24)
    knots = rng.uniform(-0.1, 1.1, (4, 2)) * (width, height)
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3], axis=1)
    points = [tuple(p) for p in weights @ knots]
    draw.line(points, fill=colour, width=thickness, joint="curve")


def draw_hand(skin, x, y, scale, angle):
    """A hand with its forearm as an RGBA picture of the oversampled frame.

    The palm is at (x, y), the fingers point along the angle (degrees clockwise from up);
    one scale unit is about the width of the palm.
    """
    layer = Image.new("RGBA", (WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE), skin + (0,))
    draw = ImageDraw.Draw(layer)
    along, across = direction(angle), direction(angle + 90)
    palm = np.array([x, y], float)

    def limb(start, end, width, factor):
        colour = shade(skin, factor) + (255,)
        r = width / 2
        draw.line((*start, *end), fill=colour, width=int(width))
        for px, py in (start, end):
            draw.ellipse((px - r, py - r, px + r, py + r), fill=colour)

    limb(palm - along * scale * 0.4, palm - along * scale * 6, scale * 0.85, 0.9)
    for k, length in enumerate((0.95, 1.2, 1.25, 1.1)):
        root = palm + across * scale * (k - 1.5) * 0.29 + along * scale * 0.25
        tip = root + along * scale * length * 0.85 + across * scale * (k - 1.5) * 0.08
        limb(root, tip, scale * 0.27, 0.72)
        limb(root, tip, scale * 0.22, 1.0 - 0.03 * k)
    limb(palm - across * scale * 0.3, palm - across * scale * 0.85 + along * scale * 0.5, scale * 0.28, 0.85)
    limb(palm - along * scale * 0.2, palm + along * scale * 0.2, scale * 1.05, 0.97)
    return layer.filter(ImageFilter.BoxBlur(2))


def draw_hose(rng):
    """A hose or cable in front of the gauge as an RGBA picture of the oversampled frame."""
    colour = muted_colour(rng, 15, 140, 40)
    layer = Image.new("RGBA", (WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE), colour + (0,))
    draw_cable(rng, ImageDraw.Draw(layer), layer.width, layer.height, int(rng.uniform(8, 34)), colour + (255,))
    return layer.filter(ImageFilter.BoxBlur(1))


# ---------------------------------------------------------------- camera

@dataclass(frozen=True)
class Light:
    """What the light and the camera do to the picture."""
    exposure: float = 1.0
    gradient: tuple = (0.0, 0.0)
    vignette: float = 0.0
    warmth: float = 0.0
    gamma: float = 1.0
    haze: float = 0.0
    shadow: tuple = ()          # polygon in frame pixels and its darkness
    blur: float = 0.0
    motion: tuple = (0, 0)
    noise: float = 0.0
    quality: int = 85


def random_light(rng, difficulty):
    """Sample light and camera."""
    shadow = ()
    if rng.random() < 0.3:
        x, tilt, width = rng.uniform(-60, WIDTH), rng.uniform(-150, 150), rng.uniform(40, 200)
        polygon = ((x, -5), (x + width, -5), (x + width + tilt, HEIGHT + 5), (x + tilt, HEIGHT + 5))
        shadow = (polygon, rng.uniform(0.25, 0.6))
    return Light(
        exposure=float(np.exp(rng.uniform(*difficulty.exposure))), gradient=tuple(rng.uniform(-0.35, 0.35, 2)),
        vignette=rng.uniform(0, 0.35), warmth=rng.normal(0, 0.08), gamma=float(np.exp(rng.normal(0, 0.15))),
        haze=max(0.0, rng.uniform(-0.1, 0.15)), shadow=shadow,
        blur=rng.uniform(0.2, difficulty.blur) if rng.random() < 0.6 else 0.0,
        motion=tuple(int(v) for v in rng.integers(-3, 4, 2)) if rng.random() < 0.15 else (0, 0),
        noise=rng.uniform(0, difficulty.noise) if rng.random() < 0.8 else 0.0, quality=int(rng.integers(60, 95)))


def expose(picture, light, rng):
    """Light, lens and sensor: an RGB picture of the frame's size in, one out."""
    if light.blur > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(light.blur))
    pixels = np.asarray(picture, np.float32)
    dx, dy = light.motion
    if (dx, dy) != (0, 0):
        pixels = sum(np.roll(pixels, (round(dy * t), round(dx * t)), (0, 1)) for t in (-0.5, 0.0, 0.5)) / 3
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    field = light.exposure * (1 + light.gradient[0] * x + light.gradient[1] * y)
    field = field * (1 - light.vignette * (x * x + y * y) / 2)
    if light.shadow:
        polygon, darkness = light.shadow
        mask = Image.new("L", (WIDTH, HEIGHT))
        ImageDraw.Draw(mask).polygon(polygon, fill=255)
        mask = np.asarray(mask.filter(ImageFilter.BoxBlur(3)), np.float32) / 255
        field = field * (1 - darkness * mask)
    gains = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)
    pixels = pixels * field[..., None] * gains
    pixels = 255 * (np.clip(pixels, 0, 255) / 255) ** light.gamma
    pixels = pixels * (1 - light.haze) + 255 * light.haze * 0.7
    if light.noise > 0:
        pixels = pixels + light.noise * (rng.standard_normal((HEIGHT, WIDTH, 1), np.float32)
                                         + 0.4 * rng.standard_normal((HEIGHT, WIDTH, 3), np.float32))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def paste_gauge(world, style, value, matrix, radius, wall_shadow, dial=None):
    """Warp the gauge into the oversampled frame, with its shadow on the wall."""
    size = 2 * max(16, round(radius * OVERSAMPLE * EXTENT))
    gauge = draw_gauge(style, value, size, dial)
    to_gauge = np.array([[size / (2 * EXTENT), 0, size / 2], [0, size / (2 * EXTENT), size / 2], [0, 0, 1]])
    corners = project(matrix, [(-EXTENT, -EXTENT), (EXTENT, -EXTENT), (EXTENT, EXTENT), (-EXTENT, EXTENT)]) * OVERSAMPLE
    left, top = (int(v) for v in np.floor(corners.min(0)))
    right, bottom = (int(v) for v in np.ceil(corners.max(0)))
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, world.width), min(bottom, world.height)
    if right <= left or bottom <= top:
        return
    from_frame = to_gauge @ np.linalg.inv(np.diag([OVERSAMPLE, OVERSAMPLE, 1.0]) @ matrix) \
        @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    coefficients = (from_frame / from_frame[2, 2]).ravel()[:8]
    warped = gauge.transform((right - left, bottom - top), Image.PERSPECTIVE, tuple(coefficients), Image.BILINEAR)
    dx, dy, darkness = wall_shadow
    mask = warped.getchannel("A").filter(ImageFilter.BoxBlur(radius * 0.06)).point(lambda a: a * darkness)
    world.paste((0, 0, 0), (left + round(dx * radius), top + round(dy * radius)), mask)
    world.paste(warped, (left, top), warped)


def draw_stem(rng, world, matrix, style, radius):
    """The pipe that carries the gauge."""
    foot = project(matrix, [(0, 0), (0, 1.35), (0, 6)]) * OVERSAMPLE
    draw_pipe(rng, world, foot[0], foot[2], radius * 0.32 * OVERSAMPLE, shade(style.rim, 0.9))
    draw_pipe(rng, world, foot[0], foot[1], radius * 0.5 * OVERSAMPLE, (170, 140, 80))


# ---------------------------------------------------------------- frames

@dataclass
class Frame:
    """A picture with its labels; the points are normalised, and None where not visible."""
    picture: Image.Image
    present: bool
    value: float
    points: list


def covered(layer, point):
    """Whether an RGBA layer of the oversampled frame hides a frame position, None near its edge."""
    x, y = (int(v * OVERSAMPLE) for v in point)
    reach = 4 * OVERSAMPLE
    alpha = np.asarray(layer.getchannel("A"))[max(0, y - reach):y + reach + 1, max(0, x - reach):x + reach + 1]
    if alpha.size == 0 or alpha.max() < 128:
        return False
    return True if alpha.min() >= 128 else None


def within(point, margin):
    """Whether a point is inside the frame by a margin in pixels."""
    return margin <= point[0] <= WIDTH - margin and margin <= point[1] <= HEIGHT - margin


def random_pose(rng, style, value, partial, difficulty):
    """Sample poses until the key points are clearly inside (or, if partial, clearly not all inside)."""
    while True:
        radius = float(np.exp(rng.uniform(math.log(difficulty.smallest_radius), math.log(112))))
        spread = 0.9 if partial else 0.5
        pose = Pose(x=WIDTH * (0.5 + rng.uniform(-spread, spread)), y=HEIGHT * (0.5 + rng.uniform(-spread, spread)),
                    radius=radius, roll=float(np.clip(rng.normal(0, 10), -28, 28)), tilt=rng.uniform(0, 15),
                    tilt_axis=rng.uniform(0, 360), distance=rng.uniform(4, 10))
        points = project(pose.homography(), gauge_points(style, value))
        if partial:
            clear = all(within(p, MARGIN) or not within(p, -MARGIN) for p in points)
            if clear and 1 <= sum(within(p, 0) for p in points) <= difficulty.most_visible:
                return pose
        elif all(within(p, MARGIN) for p in points):
            return pose


def random_occluder(rng, points, hiding, difficulty):
    """A hand or hose that clearly hides (enough of) the points, or clearly none; None if none was found."""
    centre = points[0]
    for _ in range(12):
        if rng.random() < 0.6:
            offset = rng.normal(0, 25 if hiding else 70, 2)
            layer = draw_hand(pick(rng, SKINS), *((centre + offset) * OVERSAMPLE), rng.uniform(35, 75) * OVERSAMPLE,
                              rng.uniform(-90, 90))
        else:
            layer = draw_hose(rng)
        cover = [covered(layer, p) for p in points]
        if None not in cover and (4 - sum(cover) <= difficulty.most_visible if hiding else not any(cover)):
            return layer
    return None


def render_random(seed, index, difficulty):
    """Frame number `index` of the random set `seed`, and its JPEG quality."""
    rng = np.random.default_rng([seed, index])
    kind = rng.choice(["gauge", "none", "partial", "covered"], p=[0.80, 0.12, 0.04, 0.04])
    world = draw_background(rng, WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE)
    light = random_light(rng, difficulty)
    value, points, visible = 0.0, [None] * 4, []
    if kind == "none":
        for _ in range(int(rng.integers(0, 3))):
            draw_round_thing(rng, world, rng.uniform(0.1, 0.9) * world.width, rng.uniform(0.1, 0.9) * world.height,
                             rng.uniform(50, 220))
    else:
        style = random_style(rng, difficulty)
        value = 0.0 if rng.random() < 0.04 else rng.uniform(0, FULL_SCALE)
        pose = random_pose(rng, style, value, kind == "partial", difficulty)
        matrix = pose.homography()
        if style.stem:
            draw_stem(rng, world, matrix, style, pose.radius)
        paste_gauge(world, style, value, matrix, pose.radius,
                    (rng.uniform(-0.25, 0.25), rng.uniform(0, 0.3), rng.uniform(0.1, 0.6)))
        exact = project(matrix, gauge_points(style, value))
        visible = [within(p, 0) for p in exact]
        layer = None
        if kind == "covered" or rng.random() < 0.08:
            layer = random_occluder(rng, exact, kind == "covered", difficulty)
        if layer is not None:
            world.paste(layer, (0, 0), layer)
            visible = [v and not covered(layer, p) for v, p in zip(visible, exact)]
        points = [tuple(p / (WIDTH, HEIGHT)) if v else None for p, v in zip(exact, visible)]
    present = len(visible) == 4 and all(visible)
    picture = expose(world.reduce(OVERSAMPLE), light, rng)
    return Frame(picture, present, value if present else 0.0, points), light.quality


def encode(picture, quality):
    """Baseline JPEG, 4:2:0, with the standard Huffman tables in the stream."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=False)
    return buffer.getvalue()


def model_input(jpeg):
    """Decode a frame and resize it to the model's input (uint8, HWC)."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    return np.asarray(picture.resize((INPUT_WIDTH, INPUT_HEIGHT), Image.BILINEAR))


# ---------------------------------------------------------------- commands

def training_item(job):
    """One frame as (model input, present, value, 4x2 normalised points, NaN where not visible)."""
    frame, quality = render_random(*job)
    points = np.array([p if p is not None else (np.nan, np.nan) for p in frame.points], np.float32)
    return model_input(encode(frame.picture, quality)), frame.present, frame.value, points


def write_dataset(options):
    """Render a training set into one .npz file."""
    difficulty = HARD if options.hard else NORMAL
    jobs = [(options.seed, index, difficulty) for index in range(options.count)]
    with multiprocessing.Pool(options.workers) as pool:
        items = []
        for item in pool.imap(training_item, jobs, chunksize=16):
            items.append(item)
            if len(items) % 1000 == 0:
                print(f"{len(items)}/{options.count}", flush=True)
    images, present, values, points = zip(*items)
    np.savez(options.out, images=np.stack(images), present=np.array(present),
             values=np.array(values, np.float32), points=np.stack(points))


def write_frames(options):
    """Render random frames as JPEG files, with labels.csv if asked for."""
    os.makedirs(options.out, exist_ok=True)
    rows = []
    for index in range(options.count):
        frame, _ = render_random(options.seed, index, NORMAL)
        name = f"frame{index:03d}.jpg"
        with open(os.path.join(options.out, name), "wb") as file:
            file.write(encode(frame.picture, options.quality))
        row = [name, int(frame.present), f"{frame.value:.3f}" if frame.present else ""]
        for point in frame.points:
            row += [f"{v:.5f}" for v in point] if point is not None else ["", ""]
        rows.append(row)
    if options.labels:
        with open(os.path.join(options.out, "labels.csv"), "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([LABEL_COLUMNS] + rows)


def smooth_step(t):
    """Ease from 0 to 1."""
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)


def track(frame, knots):
    """Eased interpolation through (frame, value) knots."""
    for (start, a), (end, b) in zip(knots, knots[1:]):
        if frame <= end:
            return a + (b - a) * smooth_step((frame - start) / (end - start))
    return knots[-1][1]


VALUE_TRACK = [(0, 0.6), (8, 0.6), (42, 7.9), (50, 7.4), (62, 7.5), (88, 3.2), (112, 5.0), (150, 8.8), (160, 8.3)]
PAN_TRACK = [(0, 0.0), (112, 0.0), (122, 290.0), (140, 290.0), (150, 0.0), (160, 0.0)]
EXPOSURE_TRACK = [(0, 1.0), (46, 1.0), (56, 0.5), (66, 0.55), (74, 1.1), (84, 0.95), (160, 0.95)]
HAND_TRACK = [(0, 420.0), (88, 420.0), (97, 10.0), (103, 0.0), (111, 420.0), (160, 420.0)]
MOVIE_FRAMES = 160


def movie_frame(number, seed, world, style, dial, pose):
    """One frame of the animated scene."""
    rng = np.random.default_rng([seed, 1000 + number])
    sway = np.array([2.2 * math.sin(number * 0.23) + 0.8 * math.sin(number * 0.61 + 1), 1.8 * math.cos(number * 0.19)])
    roll = math.radians(0.9 * math.sin(number * 0.13))
    value = track(number, VALUE_TRACK) + 0.06 * math.sin(number * 0.9)
    # Camera: world pixels (frame scale) to frame pixels, turning about the frame's middle.
    shift = sway - (track(number, PAN_TRACK), 0)
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    camera = np.eye(3)
    camera[:2, :2] = turn
    camera[:2, 2] = middle + turn @ (shift - middle)
    border = (world.height - HEIGHT * OVERSAMPLE) / 2 / OVERSAMPLE
    scale = np.diag([OVERSAMPLE, OVERSAMPLE, 1.0])
    from_frame = np.array([[OVERSAMPLE, 0, border * OVERSAMPLE], [0, OVERSAMPLE, border * OVERSAMPLE], [0, 0, 1]]) \
        @ np.linalg.inv(scale @ camera)
    view = world.transform((WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE), Image.AFFINE,
                           tuple(from_frame.ravel()[:6]), Image.BILINEAR)
    matrix = camera @ pose.homography()
    paste_gauge(view, style, value, matrix, pose.radius, (0.1, 0.16, 0.5), dial)
    points = project(matrix, gauge_points(style, value))
    visible = [within(p, 0) for p in points]
    offset = track(number, HAND_TRACK)
    if offset < 400:
        hand = draw_hand(SKINS[0], (pose.x + 15 + offset * 0.7) * OVERSAMPLE, (pose.y + 10 + offset) * OVERSAMPLE,
                         80 * OVERSAMPLE, -35)
        view.paste(hand, (0, 0), hand)
        visible = [v and covered(hand, p) is False for v, p in zip(visible, points)]
    light = Light(exposure=track(number, EXPOSURE_TRACK), gradient=(0.15, -0.12), vignette=0.2,
                  warmth=0.04 - 0.05 * track(number, EXPOSURE_TRACK), blur=0.35, noise=1.4)
    present = all(visible)
    points = [tuple(p / (WIDTH, HEIGHT)) if v else None for p, v in zip(points, visible)]
    return Frame(expose(view.reduce(OVERSAMPLE), light, rng), present, value if present else 0.0, points)


def write_movie(options):
    """Render the animated scene as a stream of JPEG frames with a CSV of the truth."""
    rng = np.random.default_rng([options.seed, 0])
    border = 24
    style = replace(random_style(rng, NORMAL), face=(246, 245, 240), ink=(18, 18, 20), rim=(60, 62, 66), needle="taper",
                    needle_colour=(190, 22, 18), majors=10, minors=5, numbers_radial=False, sweep=270.0, start=-135.0,
                    caption=("bar", 0.36, 0.14, ""), tail="bar", flange=False,
                    zones=((0.7, 0.85, (225, 190, 40)), (0.85, 1.0, (200, 40, 35))), glare=(35.0, -0.3, 0.12, 0.2))
    pose = Pose(x=150, y=118, radius=82, roll=4, tilt=8, tilt_axis=70, distance=7)
    world = draw_background(rng, (WIDTH + 320 + 2 * border) * OVERSAMPLE, (HEIGHT + 2 * border) * OVERSAMPLE, 5)
    stem = replace(pose, x=pose.x + border, y=pose.y + border)
    draw_stem(rng, world, stem.homography(), style, pose.radius)
    dial = draw_dial(style, 2 * round(pose.radius * OVERSAMPLE * EXTENT))
    with open(options.out, "wb") as movie, open(options.labels, "w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["frame", "present", "value"])
        for number in range(MOVIE_FRAMES):
            frame = movie_frame(number, options.seed, world, style, dial, pose)
            movie.write(encode(frame.picture, options.quality))
            writer.writerow([number, int(frame.present), f"{frame.value:.3f}" if frame.present else ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    dataset = commands.add_parser("dataset", help="render a training set into one .npz")
    dataset.add_argument("--count", type=int, default=8000)
    dataset.add_argument("--seed", type=int, default=1)
    dataset.add_argument("--hard", action="store_true",
                         help="smaller gauges, finer needles, worse light: for training")
    dataset.add_argument("--workers", type=int, default=os.cpu_count())
    dataset.add_argument("--out", required=True, help=".npz file")
    dataset.set_defaults(run=write_dataset)

    frames = commands.add_parser("frames", help="render JPEG frames into a folder")
    frames.add_argument("--count", type=int, default=64)
    frames.add_argument("--seed", type=int, required=True)
    frames.add_argument("--quality", type=int, default=80)
    frames.add_argument("--labels", action="store_true", help="also write labels.csv")
    frames.add_argument("--out", required=True, help="folder")
    frames.set_defaults(run=write_frames)

    movie = commands.add_parser("movie", help="render the animated scene as MJPEG")
    movie.add_argument("--seed", type=int, default=5)
    movie.add_argument("--quality", type=int, default=76)
    movie.add_argument("--out", required=True, help=".mjpeg file")
    movie.add_argument("--labels", required=True, help=".csv file")
    movie.set_defaults(run=write_movie)

    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
