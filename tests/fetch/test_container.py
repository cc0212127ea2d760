"""A file is judged by what it is, in bounded time, before any decoder sees it."""

from __future__ import annotations

import struct
import time
import zlib
from io import BytesIO

import pytest
from PIL import Image

from waon_build.fetch.container import MAX_PIECES, Still, still
from waon_build.records import Reason


def picture(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> bytes:
    out = BytesIO()
    Image.new(mode, size, 77 if mode in ("L", "P") else (200, 30, 60)).save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = "a camera"
    return block.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_a_format_that_browsers_show_is_known_by_its_bytes(kind: str) -> None:
    found = still(picture(kind))
    assert isinstance(found, Still)
    assert (found.format, found.width, found.height, found.frames) == (kind, 40, 30, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg>',
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\xc5\xd0\xd3\xc6" + bytes(40),
        b"II*\0" + bytes(40),
        b"MM\0*" + bytes(40),
        b"\0\0\1\0" + bytes(40),
        b"8BPS\0\1",
        b"\xd7\xcd\xc6\x9a" + bytes(40),
        b"\0\0\0\x18ftypheic" + bytes(40),
        b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
    ],
    ids=["svg", "svg with prolog", "pdf", "eps", "dos eps", "tiff", "tiff be", "ico", "psd", "wmf", "heic", "jp2"],
)
def test_a_format_we_do_not_decode_is_named_as_such(body: bytes) -> None:
    assert still(body) == "format_not_taken"


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html><title>404</title>", b"{}", b"\xff\xd8", bytes(5000)])
def test_what_is_no_picture_is_not_an_image(body: bytes) -> None:
    assert still(body) == "not_an_image"


def test_a_jpeg_hands_on_no_exif_xmp_iptc_or_comment() -> None:
    data = picture("JPEG", exif=exif(6), comment=b"secret remark")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>secret</x:xmpmeta>"
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + data[2:]
    found = still(data)
    assert isinstance(found, Still)
    assert found.orientation == 6
    assert b"secret" not in found.data
    assert b"a camera" not in found.data
    assert Image.open(BytesIO(found.data)).size == (40, 30)


def test_a_png_hands_on_no_exif_and_no_text() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "secret remark")
    found = still(picture("PNG", exif=exif(3), pnginfo=info))
    assert isinstance(found, Still)
    assert found.orientation == 3
    assert b"secret" not in found.data
    assert b"eXIf" not in found.data


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_of_exif_is_read(kind: str, orientation: int) -> None:
    found = still(picture(kind, exif=exif(orientation)))
    assert isinstance(found, Still)
    assert found.orientation == orientation


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_frames_of_an_animation_are_counted_without_decoding_them(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), (index * 40, 0, 0)) for index in range(5)]
    out = BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=50)
    found = still(out.getvalue())
    assert isinstance(found, Still)
    assert found.frames == 5
    assert Image.open(BytesIO(found.data)).convert("RGB").getpixel((5, 5))[0] < 12


def test_junk_between_the_segments_of_a_jpeg_is_skipped_as_decoders_do() -> None:
    data = picture("JPEG")
    found = still(data[:20] + b"\0\0\0" + data[20:])
    assert isinstance(found, Still)
    assert Image.open(BytesIO(found.data)).size == (40, 30)


def test_an_exif_block_in_which_every_entry_claims_the_whole_file_costs_nothing() -> None:
    """Pillow alone would copy 65,000 times 16 MB."""
    entries = 65_000
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", entries)
    tiff += b"".join(struct.pack("<HHII", tag, 1, 16_000_000, 8) for tag in range(entries)) + bytes(16_000_000)
    data = picture("JPEG")
    segments = b""
    for start in range(0, len(tiff), 65_000):
        body = b"Exif\0\0" + tiff[start : start + 65_000]
        segments += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    began = time.process_time()
    found = still(data[:2] + segments + data[2:])
    assert isinstance(found, Still)
    assert len(found.data) < 10_000
    assert time.process_time() - began < 1


def test_a_jpeg_of_hundreds_of_empty_scans_is_a_bomb() -> None:
    data = picture("JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert still(data[:-2] + scan * 300 + data[-2:]) == "image_bomb"


def test_a_png_of_a_million_chunks_is_a_bomb() -> None:
    data = picture("PNG")
    empty = struct.pack(">I", 0) + b"tEXt" + struct.pack(">I", zlib.crc32(b"tEXt"))
    assert still(data[:33] + empty * (MAX_PIECES + 1) + data[33:]) == "image_bomb"


def test_a_gif_of_a_million_blocks_is_a_bomb() -> None:
    data = picture("GIF", mode="P")
    assert still(data[:-1] + b"\x21\xfe" + b"\1a" * (10 * MAX_PIECES + 1) + b"\0;") == "image_bomb"


def test_a_colour_profile_that_unpacks_to_megabytes_is_left_out() -> None:
    body = b"x\0\0" + zlib.compress(bytes(50_000_000))
    chunk = struct.pack(">I", len(body)) + b"iCCP" + body + struct.pack(">I", zlib.crc32(b"iCCP" + body))
    data = picture("PNG")
    found = still(data[:33] + chunk + data[33:])
    assert isinstance(found, Still)
    assert b"iCCP" not in found.data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_every_beginning_of_a_file_is_a_still_or_a_reason(kind: str) -> None:
    data = picture(kind)
    for length in range(0, len(data), max(1, len(data) // 300)):
        assert isinstance(still(data[:length]), Still | Reason)


def test_a_run_of_comments_is_read_in_one_way() -> None:
    """Every way of reading N comments would be tried in turn: 2 to the N of them."""
    assert still(b"<!---->" * 500) is not None
    assert still(b"<!-- a -->" * 20 + b"<svg>") == still(b"<svg>")
