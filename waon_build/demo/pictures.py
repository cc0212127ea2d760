"""The pictures of the sample site: each scene of `scenes.toml`, painted.

Painted with Pillow and NumPy from a seed that is the scene's own name, so that every run and every
machine with the same libraries has the same pixels. What becomes of them on the way to the web (sizes,
formats, damage) is in `served.py`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import import_module, resources
from typing import NamedTuple
from zlib import crc32

from PIL import Image, ImageOps

from waon_build.demo.brushes import Canvas, Painter


class Scene(NamedTuple):
    """What one picture shows. category, culture: what a native annotator answers. size: pixels."""

    name: str
    category: str
    culture: str
    captions: tuple[str, ...]
    size: tuple[int, int]
    mirrored: bool


@cache
def scenes() -> dict[str, Scene]:
    """All scenes by name, in the order of `scenes.toml`."""
    text = resources.files("waon_build.demo").joinpath("scenes.toml").read_text(encoding="utf-8")
    return {name: _scene(name, **entry) for name, entry in tomllib.loads(text).items()}


@cache
def picture(name: str) -> Image.Image:
    """The picture of a scene: RGB, at its own size. Do not change it: it is everybody's."""
    scene = scenes()[name]
    canvas = Canvas(*scene.size, seed=crc32(name.encode()))
    _painter(scene)(canvas)
    painted = canvas.finished()
    return ImageOps.mirror(painted) if scene.mirrored else painted


def _scene(
    name: str,
    category: str,
    culture: str,
    captions: list[str],
    size: tuple[int, int] = (640, 480),
    mirrored: bool = False,
) -> Scene:
    width, height = size
    return Scene(name, category, culture, tuple(captions), (width, height), mirrored)


def _painter(scene: Scene) -> Painter:
    painter: Painter = getattr(import_module(f"waon_build.demo.scenes.{scene.category}"), scene.name)
    return painter
