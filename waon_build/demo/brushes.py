"""A canvas and what one paints with: gradients, cloud noise, light, soft and hard shapes.

Positions are shares of the picture's width (x) and height (y); lengths and radii are shares of its
height, so that circles are round. Chance comes from the canvas's own seed and nothing else: the same
seed paints the same pixels. Nothing here knows what a scene shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import cos, pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

Point = tuple[float, float]
Box = tuple[int, int, int, int]

_OVERSAMPLING: Final = 2
"""Pixels painted for one of the picture, each way: smooth edges."""


class Canvas:
    """One picture being painted. width, height: of the finished picture, pixels."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
        self.random = np.random.default_rng(seed)
        self._image = Image.new("RGB", self.size)
        self._draw = ImageDraw.Draw(self._image)

    def finished(self, grain: float = 4.0, vignette: float = 0.25) -> Image.Image:
        """The picture, as a camera would have it: grain (grey levels) and darker corners (share)."""
        pixels = np.asarray(self._image.reduce(_OVERSAMPLING), dtype=np.float32)
        height, width, _ = pixels.shape
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        light = (1 - vignette * (x * x + y * y) ** 2 / 4).astype(np.float32)
        noise = self.random.standard_normal((height, width), dtype=np.float32) * np.float32(grain)
        pixels = pixels * light[..., None] + noise[..., None]
        return Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8), "RGB")

    # --- chance

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[int(self.random.integers(len(choices)))]

    def scatter(self, count: int, left: float, right: float, top: float, bottom: float) -> Iterator[Point]:
        """`count` points by chance, from the far ones (top) to the near."""
        ys = np.sort(self.random.uniform(top, bottom, count))
        xs = self.random.uniform(left, right, count)
        return zip(xs.tolist(), ys.tolist(), strict=True)

    # --- surfaces

    def gradient(self, *colours: str, top: float = 0.0, bottom: float = 1.0) -> None:
        """Fill a band of the whole width, from the first colour above to the last below."""
        box = self._box([(0, top), (1, bottom)])
        self._image.paste(_shades(colours, box), box[:2])

    def clouds(
        self, colour: str, cover: float, top: float = 0.0, bottom: float = 1.0, cells: tuple[int, int] = (4, 4)
    ) -> None:
        """Lay clouds of `colour` over a band. cover: share of it. cells: of the coarsest noise, across and down."""
        box = self._box([(0, top), (1, bottom)])
        noise = self._noise(box, cells)
        edge = np.quantile(noise, 1 - cover)
        fade = np.minimum(1, np.linspace(0, 8, noise.shape[0]))[:, None] * np.linspace(1, 0.4, noise.shape[0])[:, None]
        mask = _grey((noise - edge) * 900 * fade, box)
        self._image.paste(ImageColor.getrgb(colour), box, mask)

    def texture(
        self,
        strength: float,
        top: float = 0.0,
        bottom: float = 1.0,
        cells: tuple[int, int] = (8, 8),
        within: Sequence[Point] | None = None,
    ) -> None:
        """Make a surface uneven: brightness changes by up to `strength` (a share, 1 at most) either way, in a
        band or a shape."""
        box = self._box(within or [(0, top), (1, bottom)])
        factor = 128 * (1 + (self._noise(box, cells) - 0.5) * 2 * strength)
        rough = np.asarray(Image.fromarray(factor).resize((box[2] - box[0], box[3] - box[1]))).astype(np.uint16)
        pixels = np.asarray(self._image.crop(box)).astype(np.uint16) * rough[..., None] >> 7
        uneven = Image.fromarray(np.minimum(pixels, 255).astype(np.uint8), "RGB")
        self._image.paste(uneven, box[:2], self._mask(within, box) if within else None)

    def glow(self, x: float, y: float, radius: float, colour: str, strength: float = 1.0) -> None:
        """Light around a point, added to what is there."""
        (cx, cy), r = self._pixel((x, y)), radius * self.size[1]
        box = self._clip((int(cx - r), int(cy - r), int(cx + r) + 1, int(cy + r) + 1))
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        ys, xs = np.ogrid[box[1] : box[3] : 4, box[0] : box[2] : 4]
        near = (1 - np.hypot(xs - cx, ys - cy) / r).clip(0, 1) ** 2 * min(1.0, strength)
        light = np.array(ImageColor.getrgb(colour))
        shine = Image.fromarray((near[..., None] * light).astype(np.uint8), "RGB")
        lit = ImageChops.screen(self._image.crop(box), shine.resize((box[2] - box[0], box[3] - box[1])))
        self._image.paste(lit, box[:2])

    def mirror(self, y: float, strength: float = 0.6, waves: float = 0.004) -> None:
        """Water below `y`: what is above it, upside down, rippled and darkened to `strength`."""
        level = int(y * self.size[1])
        depth = self.size[1] - level
        above = np.asarray(self._image.crop((0, max(0, level - depth), self.size[0], level)))[::-1]
        above = np.pad(above, ((0, max(0, depth - above.shape[0])), (0, 0), (0, 0)), mode="edge")
        rows = np.arange(depth)
        shifts = (np.sin(rows / 3 + rows * rows / 5e3) * waves * self.size[0] * (0.3 + rows / depth)).astype(int)
        columns = (np.arange(self.size[0]) + shifts[:, None]) % self.size[0]
        water = above[rows[:, None], columns] * strength
        self._image.paste(Image.fromarray(water.astype(np.uint8), "RGB"), (0, level))

    def blur(self, radius: float, top: float = 0.0, bottom: float = 1.0) -> None:
        """Put a band out of focus. radius: share of the height."""
        box = self._box([(0, top), (1, bottom)])
        small = self._image.crop(box).reduce(4)
        soft = small.filter(ImageFilter.GaussianBlur(radius * self.size[1] / 4))
        self._image.paste(soft.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BICUBIC), box[:2])

    # --- shapes

    def polygon(self, points: Sequence[Point], *colours: str) -> None:
        """A filled shape; of several colours, shaded from the first above to the last below."""
        if len(colours) == 1:
            self._draw.polygon([self._pixel(point) for point in points], fill=colours[0])
            return
        box = self._box(points)
        if box[0] < box[2] and box[1] < box[3]:
            self._image.paste(_shades(colours, box), box[:2], self._mask(points, box))

    def rect(self, left: float, top: float, right: float, bottom: float, *colours: str) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], *colours)

    def oval(self, x: float, y: float, across: float, down: float, *colours: str, turn: float = 0.0) -> None:
        """An ellipse of half axes `across` and `down`, turned clockwise by `turn` degrees."""
        if turn == 0 and len(colours) == 1:
            (px, py), scale = self._pixel((x, y)), self.size[1]
            self._draw.ellipse(
                (px - across * scale, py - down * scale, px + across * scale, py + down * scale), fill=colours[0]
            )
            return
        self.polygon(self.ring(x, y, across, down, turn), *colours)

    def ball(self, x: float, y: float, radius: float, light: str, dark: str, flat: float = 1.0) -> None:
        """A shaded sphere, lit from the upper left. flat: its height as a share of its width."""
        for step in range(12):
            share = step / 12
            r = radius * (1 - 0.92 * share)
            offset = radius * 0.32 * share
            at_x = x - offset * self.size[1] / self.size[0]
            self.oval(at_x, y - offset * flat, r, r * flat, mix(dark, light, share**0.8))

    def line(self, points: Sequence[Point], width: float, colour: str) -> None:
        """A line through `points`, with round corners. width: share of the height."""
        pixels = [self._pixel(point) for point in points]
        thick = max(1, round(width * self.size[1]))
        self._draw.line(pixels, fill=colour, width=thick, joint="curve")

    def soft(self, points: Sequence[Point], colour: str, blur: float, opacity: float = 1.0) -> None:
        """A shape without edges: a shadow, mist, a distant crowd of leaves."""
        margin = 3 * blur
        left, top, right, bottom = self._box(
            [(x + side * margin, y + side * margin) for x, y in points for side in (-1, 1)]
        )
        if left >= right or top >= bottom:
            return
        mask = Image.new("L", (max(1, (right - left) // 8), max(1, (bottom - top) // 8)))
        outline = [((x - left) / 8, (y - top) / 8) for x, y in map(self._pixel, points)]
        ImageDraw.Draw(mask).polygon(outline, fill=round(255 * opacity))
        mask = mask.filter(ImageFilter.GaussianBlur(max(0.5, blur * self.size[1] / 8)))
        mask = mask.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        self._image.paste(ImageColor.getrgb(colour), (left, top, right, bottom), mask)

    def ridge(self, y: float, height: float, *colours: str, peaks: int = 5, rough: float = 0.5) -> None:
        """Hills from edge to edge, of at most `height` above `y`, down to the bottom of the picture."""
        heights = self.random.uniform(0.1, 1, peaks + 1)
        xs = np.linspace(0, 1, 97)
        line = np.interp(xs, np.linspace(0, 1, peaks + 1), heights)
        for octave in (2, 4, 8):
            count = peaks * octave + 1
            more = self.random.uniform(-0.5, 0.5, count) * rough / octave
            line = line + np.interp(xs, np.linspace(0, 1, count), more)
        crest = [(float(x), y - height * float(h)) for x, h in zip(xs, line, strict=True)]
        self.polygon([*crest, (1, 1.01), (0, 1.01)], *colours)

    def ring(
        self, x: float, y: float, across: float, down: float, turn: float = 0.0, steps: int = 0, part: float = 1.0
    ) -> list[Point]:
        """The points of an ellipse, or of the first `part` of it, clockwise from three o'clock. steps: how many;
        by default as many as its size needs to look round."""
        steps = steps or int(min(48, 10 + 300 * max(across, down)))
        squeeze = self.size[1] / self.size[0]
        tilt = turn * pi / 180
        points = []
        for step in range(steps + (part < 1)):
            angle = 2 * pi * part * step / steps
            u, v = across * cos(angle), down * sin(angle)
            points.append((x + (u * cos(tilt) - v * sin(tilt)) * squeeze, y + u * sin(tilt) + v * cos(tilt)))
        return points

    def polar(self, x: float, y: float, radius: float, degrees: float) -> Point:
        """The point at `radius` from (x, y); 0 degrees to the right, 90 down."""
        angle = degrees * pi / 180
        return x + radius * cos(angle) * self.size[1] / self.size[0], y + radius * sin(angle)

    # --- pixels

    def _pixel(self, point: Point) -> Point:
        return point[0] * self.size[0], point[1] * self.size[1]

    def _box(self, points: Sequence[Point]) -> Box:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        (left, top), (right, bottom) = self._pixel((min(xs), min(ys))), self._pixel((max(xs), max(ys)))
        return self._clip((round(left), round(top), round(right), round(bottom)))

    def _clip(self, box: Box) -> Box:
        left, top, right, bottom = box
        return max(0, left), max(0, top), min(self.size[0], right), min(self.size[1], bottom)

    def _mask(self, points: Sequence[Point], box: Box) -> Image.Image:
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        shifted = [(x - box[0], y - box[1]) for x, y in map(self._pixel, points)]
        ImageDraw.Draw(mask).polygon(shifted, fill=255)
        return mask

    def _noise(self, box: Box, cells: tuple[int, int]) -> NDArray[np.float32]:
        """Cloud noise, 0 to 1, at a quarter of the box's size: three octaves of smoothed chance."""
        size = max(2, (box[2] - box[0]) // 4), max(2, (box[3] - box[1]) // 4)
        total = np.zeros(size[::-1], dtype=np.float32)
        for octave in range(3):
            grid = self.random.random((cells[1] * 2**octave + 1, cells[0] * 2**octave + 1), dtype=np.float32)
            total += np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)) / 2**octave
        low, high = float(total.min()), float(total.max())
        return (total - np.float32(low)) / np.float32(max(high - low, 1e-6))


def mix(first: str, second: str, share: float) -> str:
    """The colour `share` of the way from `first` to `second`; a share outside 0 to 1 is one or the other."""
    share = min(1.0, max(0.0, share))
    a, b = ImageColor.getrgb(first), ImageColor.getrgb(second)
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a[:3], b[:3], strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


Painter = Callable[[Canvas], None]
"""What paints a scene."""


def _shades(colours: Sequence[str], box: Box) -> Image.Image:
    column = np.array([ImageColor.getrgb(colour)[:3] for colour in colours], dtype=np.float32)
    height = max(1, box[3] - box[1])
    at = np.linspace(0, len(colours) - 1, height)
    bands = np.stack([np.interp(at, range(len(colours)), column[:, channel]) for channel in range(3)], axis=1)
    strip = Image.fromarray(bands.astype(np.uint8)[:, None, :], "RGB")
    return strip.resize((max(1, box[2] - box[0]), height), Image.Resampling.NEAREST)


def _grey(values: NDArray[np.floating], box: Box) -> Image.Image:
    mask = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return mask.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR)
