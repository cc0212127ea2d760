"""Bytes to a stored image and its measures, or the reason why not. A pure function, for a process pool.

The stored image is the first frame, turned as its EXIF says, in sRGB, flattened on white where it was
transparent, its shortest side at most `fetch.shortest_side` (never enlarged, never padded), without any
metadata: no position, no camera, no comment. The same bytes and settings give the same stored bytes
(with the same Pillow). Nothing here reads files or the network.
"""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from io import BytesIO
from math import sqrt
from typing import Final, NamedTuple

from PIL import AvifImagePlugin, Image, ImageCms

from waon_build.fetch.container import IMAGE_BROKEN, Still, still
from waon_build.fetch.likeness import hashes
from waon_build.recipe import FetchSettings
from waon_build.records import Reason

VERSION: Final = 2
"""Of what is stored for the same bytes: raise it, and images already stored are fetched again."""
MAX_MEMORY: Final = 640 << 20
"""Bytes for the pixels of one picture while it is decoded: with the file, the copies that follow and
the libraries, a worker stays under 1 GiB."""
LONGEST_SIDE: Final = 16_000
"""Of a stored image, pixels: WebP holds 16,383."""

# The pool has a process a core already.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

TOO_MANY_PIXELS = Reason(
    "too_many_pixels",
    stage="fetch",
    what="A picture with more pixels than this, a side over 65,535, or one that takes over 640 MiB to decode.",
    why="A few kilobytes can claim gigapixels; its header is believed before its body is.",
    setting="fetch.max_pixels",
)


class Stored(NamedTuple):
    """An image as it is kept, and what was measured. Fields are those of `records.Image`."""

    data: bytes
    sha256: str
    phash: str
    phash256: str
    width: int
    height: int
    original_width: int
    original_height: int
    format: str
    original_format: str
    colours: int
    deviation: float
    frames: int


def decode(data: bytes, settings: FetchSettings) -> Stored | str:
    """The stored form of the image in `data`, or a reason: never an exception, whatever the bytes are.

    (A `Reason` is a plain `str` once it has been through a process pool.)
    """
    found = still(data)
    if isinstance(found, Reason):
        return found
    if _too_large(found.width, found.height, found.pixel_bytes, settings):
        return TOO_MANY_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _stored(data, found, settings)
        except Exception:  # Pillow's plugins raise what they please on hostile input; it is one answer here
            return IMAGE_BROKEN


def _stored(data: bytes, found: Still, settings: FetchSettings) -> Stored | str:
    with Image.open(BytesIO(found.data), formats=[found.format]) as image:
        if _too_large(image.width, image.height, found.pixel_bytes, settings):
            return TOO_MANY_PIXELS
        orientation = found.orientation or image.getexif().get(0x0112, 1)
        frames = max(found.frames, getattr(image, "n_frames", 1))
        original = image.size
        size = _size(original, settings.shortest_side)
        image.draft(None, size)
        image.load()
        profile = image.info.get("icc_profile")
        countable = image.mode in ("1", "L", "P", "RGB", "RGBA", "CMYK")
        shrunk = _shrunk(image, size)
        colours = _colours(image if countable else shrunk)
        picture = _srgb(_flat(shrunk), profile)
    picture = _turned(picture, orientation)
    if orientation in _SIDEWAYS:
        original = original[1], original[0]
    encoded = _encoded(picture, settings)
    kept = picture if settings.format == "png" else Image.open(BytesIO(encoded))
    grey = kept.convert("L")
    phash, phash256 = hashes(grey)
    return Stored(
        data=encoded,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=phash,
        phash256=phash256,
        width=picture.width,
        height=picture.height,
        original_width=original[0],
        original_height=original[1],
        format=settings.format,
        original_format=found.format.lower(),
        colours=colours,
        deviation=_deviation(grey),
        frames=frames,
    )


def _colours(image: Image.Image) -> int:
    """Distinct colours, up to 256. Of the image as it was served, where it has a mode that can be counted without
    a copy: scaling and JPEG make a thousand of four."""
    return len(image.getcolors(256) or range(256))


def _too_large(width: int, height: int, pixel_bytes: int, settings: FetchSettings) -> bool:
    pixels = width * height
    return pixels > settings.max_pixels or pixels * pixel_bytes > MAX_MEMORY or max(width, height) > 65_535


def _size(original: tuple[int, int], shortest_side: int) -> tuple[int, int]:
    """The size an image of `original` size is stored with."""
    width, height = original
    scale = min(1.0, shortest_side / min(width, height), LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` at `size`, as L, RGB, CMYK, or RGBA where it is transparent.

    Far too large a picture is first averaged down by a whole factor, a band of rows at a time, so that
    the copies which a change of mode makes stay small. Resizing weighs colours by their alpha: what is
    hidden under a transparent pixel never bleeds into its neighbours.
    """
    width, height = image.size
    gap = 3.0 if width * height < _LARGE else 1.0
    factor = int(min(width / size[0], height / size[1]) / gap)
    if factor < 2:
        plain = _plain(image)
        return plain if plain.size == size else plain.resize(size, _FILTER)
    small: Image.Image | None = None
    rows = factor * max(1, 64 // factor)
    for top in range(0, height, rows):
        band = _plain(image.crop((0, top, width, min(top + rows, height)))).reduce(factor)
        if small is None:
            small = Image.new(band.mode, (band.width, -(-height // factor)))
        small.paste(band, (0, top // factor))
    assert small is not None
    return small.resize(size, _FILTER, box=(0, 0, width / factor, height / factor))


_FILTER: Final = Image.Resampling.HAMMING
"""Two thirds of bicubic's time and less than half of Lanczos's (measured), and sharper than averaging."""
_LARGE: Final = 1 << 24
"""Pixels. Below it, averaging leaves three times the size wanted: no eye can tell it from none."""


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion to L cuts off at 255 instead of scaling.
        image = image.convert("I").point(lambda level: level * (1 / 257)).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _flat(image: Image.Image) -> Image.Image:
    """`image` on white."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image` in sRGB (or grey). A profile that cannot be read is as good as none."""
    if profile:
        transform = _transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image.convert("RGB") if image.mode == "CMYK" else image


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB, or None where there is nothing to do: sRGB already, or grey (a tone curve at most)."""
    if mode == "L":
        return None
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS: Final = (5, 6, 7, 8)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _encoded(image: Image.Image, settings: FetchSettings) -> bytes:
    image.info = {}
    out = BytesIO()
    if settings.format == "png":
        image.save(out, "PNG")
    else:
        image.save(out, {"jpg": "JPEG", "webp": "WEBP"}[settings.format], quality=settings.quality)
    return out.getvalue()


def _deviation(grey: Image.Image) -> float:
    """Standard deviation of the grey levels, from whole numbers: the same on every machine."""
    counts = grey.histogram()
    n = sum(counts)
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level * level * count for level, count in enumerate(counts))
    return sqrt(n * squares - total * total) / n
