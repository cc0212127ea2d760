"""What an image file says of itself, read before anything is decoded, and the file without its ballast.

A decoder trusts its input; these walkers do not. They find the format by its first bytes (never by a
name or a Content-Type), its size, frames and EXIF orientation, in bounded time and memory, and hand on
only what is needed to decode the first frame. EXIF, XMP, IPTC, comments and text go here: some of them
(an EXIF directory of 65,535 entries that each claim the whole file) are the cheapest bombs there are.

Read: JPEG, PNG, GIF, WebP, AVIF, BMP: what browsers show. Not read, on purpose: SVG (a program, and it
has no pixels), TIFF (browsers do not show it, and its decoders have the longest list of holes), ICO and
CUR (icons), HEIC, JPEG 2000, JPEG XL (few browsers show them), PDF, PS, EPS, WMF (they start interpreters).
Nothing here decodes pixels.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

from waon_build.records import Reason

NOT_AN_IMAGE = Reason(
    "not_an_image",
    stage="fetch",
    what="A body that is empty, a web page, or nothing known.",
    why="An error page served with status 200 is not a picture.",
)
FORMAT_NOT_TAKEN = Reason(
    "format_not_taken",
    stage="fetch",
    what="A body that is SVG, TIFF, HEIC, ICO, PDF or another format we do not decode.",
    why="Browsers do not show it as a photograph, or its decoder is a risk.",
)
IMAGE_BROKEN = Reason(
    "image_broken",
    stage="fetch",
    what="A JPEG, PNG, GIF, WebP, AVIF or BMP that is truncated or damaged.",
    why="Half a picture is not what the caption says.",
)
IMAGE_BOMB = Reason(
    "image_bomb",
    stage="fetch",
    what="A file of very many segments, chunks, scans or blocks.",
    why="It asks for far more work than any real picture of its size.",
)

MAX_PROFILE: Final = 4 << 20
"""Bytes of an ICC profile; a larger one is left out (CMYK press profiles are 0.5 to 2.5 MB)."""
MAX_PIECES: Final = 100_000
"""Segments, chunks or blocks. A 30 MB photograph has under 4,000 PNG chunks."""
MAX_SCANS: Final = 30
"""Of a progressive JPEG, thumbnails and second pictures included. Encoders write 6 to 14; every scan
passes over the whole picture, and a bomb writes hundreds that hold next to nothing."""

_NOT_TAKEN = re.compile(
    rb"II\*\0|MM\0\*|II\+\0|MM\0\+|%PDF|%!PS|\xc5\xd0\xd3\xc6|8BPS|\0\0[\1\2]\0|\xd7\xcd\xc6\x9a"
    rb"|\xff\x0a|\0\0\0\x0c(JXL |jP  )\r\n\x87\n|\xff\x4f\xff\x51|....ftyp(heic|heix|hevc|mif1|msf1)"
    rb"|DDS |icns|SIMPLE|P[1-7]\s|BLP[12]|\x59\xa6\x6a\x95",
    re.DOTALL,
)
# Atomic and possessive: a run of comments has one reading, and no other is tried.
_SVG = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?>(?:<!--.*?-->|<!DOCTYPE svg[^>]*+>)\s*+)*+<svg[\s>]", re.DOTALL | re.IGNORECASE
)


MOST_FRAMES = 1_000_000
"""What an animation is believed to have at most: a header may say four billion, and a row holds 32 bits."""


class Still(NamedTuple):
    """The first frame of a file, not yet decoded. data: the file without its ballast. format: Pillow's
    name. width, height: as stored, before orientation. orientation: EXIF's, 1 to 8. frames: 1 for a
    still; 2 and more for an animation. pixel_bytes: memory that decoding one pixel takes, at most."""

    data: bytes
    format: str
    width: int
    height: int
    orientation: int
    frames: int
    pixel_bytes: int


def still(data: bytes) -> Still | Reason:
    """What `data` is, or why it is not decoded: `not_an_image`, `format_not_taken`, `image_broken` or
    `image_bomb`. Takes time proportional to the file, and never reads outside it."""
    walk = _walker(data)
    if isinstance(walk, Reason):
        return walk
    try:
        return walk(data)
    except _BombError:
        return IMAGE_BOMB
    except (IndexError, struct.error, ValueError, zlib.error):
        return IMAGE_BROKEN


class _BombError(Exception):
    pass


def _walker(data: bytes) -> Callable[[bytes], Still] | Reason:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp
    if data[4:8] == b"ftyp" and re.search(rb"avi[fs]", data[8:64]):
        return _avif
    if data.startswith(b"BM") and data[6:10] == b"\0\0\0\0":
        return _bmp
    if _NOT_TAKEN.match(data) or _SVG.match(data[:4096]):
        return FORMAT_NOT_TAKEN
    return NOT_AN_IMAGE


def _jpeg(data: bytes) -> Still:
    """ITU-T T.81 annex B. Keeps JFIF, Adobe and ICC segments and all that is not an APPn or a comment."""
    kept, profile = [b"\xff\xd8"], 0
    orientation, frame = 1, b""
    progressive = False
    position = 2
    for _ in range(MAX_PIECES):
        position = data.index(b"\xff", position)  # what lies between segments is skipped, as decoders do
        marker = data[position + 1]
        if marker in (0x00, 0xFF):
            position += 1
            continue
        if marker == 0xDA:
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position : position + 2 + length]
        body = segment[4:]
        position += 2 + length
        if marker == 0xE1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = _orientation(body[6:])
        if marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile += length
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = body
            progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        wanted = (
            body.startswith(b"JFIF\0")
            or (marker == 0xEE and body.startswith(b"Adobe"))
            or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))
        )
        if wanted or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
    else:
        raise _BombError
    # A sequential picture whose first scan has all components has no other that is read.
    alone = not progressive and data[position + 4] == frame[5]
    if not alone and data.count(b"\xff\xda", position) > MAX_SCANS:
        raise _BombError
    if profile > MAX_PROFILE:
        kept = [segment for segment in kept if segment[4:16] != b"ICC_PROFILE\0"]
    height, width, components = struct.unpack_from(">HHB", frame, 1)
    # A progressive picture is held as 16-bit coefficients until its last scan.
    pixel_bytes = max(components, 1) * (2 if progressive else 0) + (4 if components > 1 else 1)
    return Still(b"".join((*kept, data[position:])), "JPEG", width, height, orientation, 1, pixel_bytes)


_PNG_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP")


def _png(data: bytes) -> Still:
    """ISO/IEC 15948. Keeps the critical chunks, transparency and the colour profile; of an APNG the
    default image, which is what a reader without animation shows."""
    kept = [data[:8]]
    orientation = frames = 1
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    position = 8
    for _ in range(MAX_PIECES):
        if position + 12 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if kind == b"eXIf":
            orientation = _orientation(data[position + 8 : end - 4])
        elif kind == b"acTL":
            frames = min(max(1, struct.unpack_from(">I", data, position + 8)[0]), MOST_FRAMES)
        if kind in _PNG_KEPT and (kind != b"iCCP" or _profile_fits(data[position + 8 : end - 4])):
            kept.append(data[position:end])
        elif kind[:1].isupper():
            kept.append(data[position:end])  # an unknown critical chunk: Pillow refuses it
        position = end
        if kind == b"IEND":
            break
    else:
        raise _BombError
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 4)
    # Pillow holds two and three channels in four bytes.
    pixel_bytes = (4 if channels > 1 else 1) * (2 if depth == 16 and channels == 1 else 1)
    return Still(b"".join(kept), "PNG", width, height, orientation, frames, pixel_bytes)


def _profile_fits(chunk: bytes) -> bool:
    """Whether an iCCP chunk unpacks to at most a megabyte, which is all that Pillow accepts."""
    packed = chunk[chunk.index(b"\0") + 2 :]
    unpacker = zlib.decompressobj()
    try:
        return len(unpacker.decompress(packed, 1 << 20)) <= 1 << 20 and not unpacker.unconsumed_tail
    except zlib.error:
        return False


def _gif(data: bytes) -> Still:
    """GIF89a. Keeps the screen, its palette, and the first image with its graphic control; counts the rest."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    kept = [data[:position]]
    frames = pieces = 0
    while position < len(data) and data[position] != 0x3B:
        start = position
        if data[position] == 0x21:
            keep = data[position + 1] == 0xF9 and not frames
            position += 2
        elif data[position] == 0x2C:
            keep = not frames
            frames += 1
            local = data[position + 9]
            position += 11 + (3 << (local & 7) + 1 if local & 0x80 else 0)
        elif frames:
            break  # rubbish after the pictures
        else:
            raise ValueError("no block")
        while position < len(data) and data[position]:
            position += 1 + data[position]
            pieces += 1
            if pieces > 10 * MAX_PIECES:
                raise _BombError
        position += 1
        if keep:
            kept.append(data[start:position])
    kept.append(b";")
    return Still(b"".join(kept), "GIF", width, height, 1, max(frames, 1), 5)


_SLOW: Final = 24
"""Pixel bytes of the video formats. WebP holds four canvases (16 bytes a pixel) and decodes 14 to 20
million noisy pixels a second (measured), so it is time that bounds it: about 28 million pixels."""


def _webp(data: bytes) -> Still:
    """RFC 9649. Passed on whole: its decoder reads metadata only when asked."""
    kind = data[12:16]
    orientation = 1
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    position, frames = 12, 0
    for _ in range(MAX_PIECES):
        if position + 8 > len(data):
            break
        length = struct.unpack_from("<I", data, position + 4)[0]
        if data[position : position + 4] == b"EXIF":
            orientation = _orientation(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
        frames += data[position : position + 4] == b"ANMF"
        position += 8 + length + (length & 1)
    else:
        raise _BombError
    return Still(data, "WEBP", width, height, orientation, max(frames, 1), _SLOW)


def _avif(data: bytes) -> Still:
    """ISO/IEC 23008-12 and the AV1 image format, by which `irot` and `imir` alone turn the picture
    (Pillow gives them as an orientation): the EXIF item is renamed, so that no one reads it."""
    sizes = [struct.unpack_from(">II", data, found.end()) for found in re.finditer(rb"ispe\0{4}", data[: 1 << 20])]
    if not sizes or data.count(b"infe", 0, 1 << 20) > 1000:
        raise ValueError("no size")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    without = re.sub(rb"(infe.{8})Exif", rb"\1Skip", data[: 1 << 20], flags=re.DOTALL) + data[1 << 20 :]
    return Still(without, "AVIF", width, height, 0, 1, _SLOW)


def _bmp(data: bytes) -> Still:
    """A Windows bitmap without run lengths (Pillow unpacks those in Python, a pixel at a time)."""
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
        if compression in (1, 2):
            raise ValueError("run lengths")
    return Still(data, "BMP", abs(width), abs(height), 1, 1, 4)


def _orientation(tiff: bytes) -> int:
    """EXIF tag 0x0112 of the first directory, or 1. Reads that one entry and nothing else."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * min(entries, 1000), 12):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == 0x0112:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
