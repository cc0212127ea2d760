"""What a server answers for a picture: as it is, as a copy, damaged, forbidden, moved, late, or not at all.

A treatment turns a scene's picture and the path it is served under into answers by path; most have one.
Several answers of one path are given one after the other, and the last one ever after. Every treatment
gives the same bytes in every run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

STALL: Final = 8.0
"""Seconds for which the slow host says nothing: longer than the demo's recipe waits."""

Headers = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """One HTTP response. delay: seconds before it is given."""

    body: bytes = b""
    headers: Headers = (("Content-Type", "image/jpeg"),)
    status: int = 200
    delay: float = 0.0


Answers = dict[str, list[Answer]]
"""What each path answers, time after time."""
Treatment = Callable[[Image.Image, str], Answers]


# --- pictures that arrive


def plain(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(_jpeg(picture))]}


def small(picture: Image.Image, path: str) -> Answers:
    """Half as wide: what galleries show first."""
    return {path: [Answer(_jpeg(_resized(picture, 0.5)))]}


def trimmed(picture: Image.Image, path: str) -> Answers:
    """Half as wide, and without its outermost edge: a screenshot of the picture."""
    return {path: [Answer(_jpeg(_resized(_without_edge(picture, 0.015), 0.5)))]}


def recompressed(picture: Image.Image, path: str) -> Answers:
    """Trimmed, slightly smaller and of low quality: a copy of a copy."""
    return {path: [Answer(_jpeg(_resized(_without_edge(picture, 0.01), 0.8), quality=45))]}


def brightened(picture: Image.Image, path: str) -> Answers:
    """Trimmed, slightly smaller and brighter: somebody's favourite filter."""
    bright = ImageEnhance.Brightness(_without_edge(picture, 0.01)).enhance(1.12)
    return {path: [Answer(_jpeg(_resized(bright, 0.9)))]}


def sideways(picture: Image.Image, path: str) -> Answers:
    """As a telephone stores it: turned, with an EXIF orientation, a GPS position and a camera."""
    exif = Image.Exif()
    exif[0x010F] = "waon_build"
    exif[0x0110] = "painted"
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (34.0, 41.0, 6.0), 3: "E", 4: (135.0, 50.0, 22.0)}
    return {path: [Answer(_jpeg(picture.transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes()))]}


def cmyk(picture: Image.Image, path: str) -> Answers:
    """From a print shop."""
    return {path: [Answer(_jpeg(picture.convert("CMYK")))]}


def png(picture: Image.Image, path: str) -> Answers:
    """With an alpha channel that hides nothing."""
    body = _encoded(picture.convert("RGBA"), "PNG", compress_level=1)
    return {path: [Answer(body, (("Content-Type", "image/png"),))]}


def webp(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(_encoded(picture, "WEBP", quality=90), (("Content-Type", "image/webp"),))]}


def mislabelled(picture: Image.Image, path: str) -> Answers:
    """A JPEG that its server calls plain bytes."""
    return {path: [Answer(_jpeg(picture), (("Content-Type", "application/octet-stream"),))]}


def moved(picture: Image.Image, path: str) -> Answers:
    """Somewhere else now, and it says where."""
    return {path: [_redirect(f"{path}?moved", 301)], f"{path}?moved": [Answer(_jpeg(picture))]}


def busy(picture: Image.Image, path: str) -> Answers:
    """Refused once for want of time, with a request to come again in a second."""
    return {path: [Answer(b"", (("Retry-After", "1"),), 503), Answer(_jpeg(picture))]}


# --- pictures that arrive and are of no use


def icon(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(_encoded(picture.resize((48, 48)), "PNG"), (("Content-Type", "image/png"),))]}


def banner(picture: Image.Image, path: str) -> Answers:
    """Three times as wide as high."""
    return {path: [Answer(_jpeg(picture.crop((0, 120, 600, 320))))]}


def pillar(picture: Image.Image, path: str) -> Answers:
    """Three times as high as wide."""
    return {path: [Answer(_jpeg(picture.crop((200, 0, 360, 480))))]}


def one_colour(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(_jpeg(Image.new("RGB", picture.size, "#d8d4cc")))]}


def fog(picture: Image.Image, path: str) -> Answers:
    """Noise on white: many colours, and nothing to see."""
    noise = np.random.default_rng(1).integers(-3, 4, (picture.height, picture.width, 3))
    return {path: [Answer(_jpeg(Image.fromarray((240 + noise).astype(np.uint8), "RGB"), quality=95))]}


def placeholder(picture: Image.Image, path: str) -> Answers:
    """A few bytes, stretched."""
    grey = Image.new("L", (300, 300), 220)
    ImageDraw.Draw(grey).rectangle((100, 100, 200, 200), fill=180)
    return {path: [Answer(_encoded(grey, "PNG"), (("Content-Type", "image/png"),))]}


def animated(picture: Image.Image, path: str) -> Answers:
    first = _resized(picture, 0.5).quantize(64)
    frames = [first.transpose(Image.Transpose.FLIP_LEFT_RIGHT), first]
    body = _encoded(first, "GIF", save_all=True, append_images=frames, duration=300, loop=0)
    return {path: [Answer(body, (("Content-Type", "image/gif"),))]}


# --- pictures that do not arrive


def truncated(picture: Image.Image, path: str) -> Answers:
    """An upload that broke off."""
    body = _jpeg(picture)
    return {path: [Answer(body[: len(body) // 3])]}


def web_page(picture: Image.Image, path: str) -> Answers:
    """An error page with status 200 under the name of a picture."""
    return {path: [Answer("<!doctype html><title>404</title><p>画像が見つかりません".encode())]}


def empty(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(b"")]}


def bomb(picture: Image.Image, path: str) -> Answers:
    """A few kilobytes that decode to 144 million pixels."""
    side = 12_000
    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((side // 8 + 1) * side), 1)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    body = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    )
    return {path: [Answer(body, (("Content-Type", "image/png"),))]}


def missing(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer("見つかりません".encode(), (("Content-Type", "text/plain; charset=utf-8"),), 404)]}


def loop(picture: Image.Image, path: str) -> Answers:
    """Redirects to an address that redirects back."""
    return {path: [_redirect(f"{path}?again", 302)], f"{path}?again": [_redirect(path, 302)]}


def slow(picture: Image.Image, path: str) -> Answers:
    return {path: [Answer(_jpeg(picture), delay=STALL)]}


# --- pictures that may not be used


def noai(picture: Image.Image, path: str) -> Answers:
    """X-Robots-Tag behind a rule with a value, where careless parsers miss it."""
    return _with_header(picture, path, "X-Robots-Tag", "max-image-preview:large, noai")


def tdm_reserved(picture: Image.Image, path: str) -> Answers:
    return _with_header(picture, path, "tdm-reservation", "1")


def no_training(picture: Image.Image, path: str) -> Answers:
    """AIPREF."""
    return _with_header(picture, path, "Content-Usage", "train-ai=n")


TREATMENTS: Final[dict[str, Treatment]] = {
    treatment.__name__: treatment
    for treatment in (
        plain, small, trimmed, recompressed, brightened, sideways, cmyk, png, webp, mislabelled, moved, busy,
        icon, banner, pillar, one_colour, fog, placeholder, animated,
        truncated, web_page, empty, bomb, missing, loop, slow,
        noai, tdm_reserved, no_training,
    )
}  # fmt: skip


def _with_header(picture: Image.Image, path: str, name: str, value: str) -> Answers:
    return {path: [Answer(_jpeg(picture), (("Content-Type", "image/jpeg"), (name, value)))]}


def _redirect(location: str, status: int) -> Answer:
    return Answer(b"", (("Location", location),), status)


def _resized(picture: Image.Image, scale: float) -> Image.Image:
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)


def _without_edge(picture: Image.Image, share: float) -> Image.Image:
    across, down = round(picture.width * share), round(picture.height * share)
    return picture.crop((across, down, picture.width - across, picture.height - down))


def _jpeg(picture: Image.Image, quality: int = 88, exif: bytes = b"") -> bytes:
    return _encoded(picture, "JPEG", quality=quality, exif=exif)


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
