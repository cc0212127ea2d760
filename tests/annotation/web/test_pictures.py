"""Pictures on their way out: nothing beside the pixels, whatever lies in the corpus, and not a pixel changed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from waon_build.annotation.shown import Shown
from waon_build.annotation.web.pictures import BrokenPictureError, Picture, Pictures, stripped
from waon_build.corpus import Corpus
from waon_build.records import InputError

SECRET = "kamakura 35.3192"


def drawn(size: tuple[int, int] = (160, 120)) -> Image.Image:
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    ImageDraw.Draw(image).rectangle((10, 10, 60, 40), fill=(200, 30, 30))
    return image


def encoded(format: str, **options: Any) -> bytes:  # noqa: A002
    exif = Image.Exif()
    exif[0x010E] = SECRET  # ImageDescription
    exif.get_ifd(0x8825)[1] = SECRET  # GPS
    file = BytesIO()
    drawn().save(file, format, exif=exif, **options)
    return file.getvalue()


def told_png() -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", SECRET)
    words.add_itxt("XML:com.adobe.xmp", SECRET)
    return encoded("PNG", pnginfo=words)


XMP = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
PICTURES = {
    "a JPEG with EXIF, XMP and a comment": ("jpg", lambda: encoded("JPEG", comment=SECRET.encode(), xmp=XMP)),
    "a progressive JPEG": ("jpg", lambda: encoded("JPEG", progressive=True, comment=SECRET.encode())),
    "a JPEG with a film behind it": ("jpg", lambda: encoded("JPEG") + b"\0\0ftypmp42" + SECRET.encode()),
    "a JPEG with another behind it": ("jpg", lambda: encoded("JPEG") + encoded("JPEG", comment=SECRET.encode())),
    "a PNG with texts": ("png", told_png),
    "a WebP with EXIF and XMP": ("webp", lambda: encoded("WEBP", xmp=XMP)),
    "a lossless WebP with alpha": ("webp", lambda: encoded("WEBP", lossless=True, xmp=XMP)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_a_picture_tells_beside_its_pixels_is_left_out(name: str) -> None:
    format, made = PICTURES[name]  # noqa: A001
    before = made()
    assert SECRET.encode() in before
    after = stripped(before, format)
    assert SECRET.encode() not in after
    assert len(after) < len(before)


@pytest.mark.parametrize("name", PICTURES)
def test_no_pixel_is_changed(name: str) -> None:
    format, made = PICTURES[name]  # noqa: A001
    before = made()
    with Image.open(BytesIO(before)) as one, Image.open(BytesIO(stripped(before, format))) as other:
        assert other.size == one.size
        assert other.convert("RGB").tobytes() == one.convert("RGB").tobytes()
        assert not other.getexif()


@pytest.mark.parametrize("format", ["jpg", "png", "webp"])
def test_what_the_fetch_stage_stores_is_served_as_it_is(format: str) -> None:  # noqa: A002
    file = BytesIO()
    drawn().save(file, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[format])
    assert stripped(file.getvalue(), format) == file.getvalue()


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "svg"])
@pytest.mark.parametrize(
    "data", [b"", b"<svg onload='alert(1)'/>", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\xff\xffExif", b"RIFF"]
)
def test_what_is_no_picture_is_not_served_as_one(data: bytes, format: str) -> None:  # noqa: A002
    with pytest.raises(BrokenPictureError):
        stripped(data, format)


class OneFile:
    """A corpus of one picture, which counts how often it is asked."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data
        self.asked = 0

    def image_bytes(self, stored_in: str, offset: int, size: int) -> bytes:
        self.asked += 1
        if self.data is None:
            raise InputError("its images are gone")
        return self.data


def shown(number: int = 1) -> Shown:
    return Shown(number, f"{number:016x}", "門松", "", "", "", "g0001", 512 * number, 400, "png", 160, 120)


def test_a_picture_is_read_once_while_it_is_kept() -> None:
    file = BytesIO()
    drawn().save(file, "PNG")
    corpus = OneFile(file.getvalue())
    pictures = Pictures(corpus)  # type: ignore[arg-type]
    assert pictures.of(shown()) == pictures.of(shown()) == Picture(file.getvalue(), "image/png")
    assert corpus.asked == 1


def test_memory_is_bounded() -> None:
    file = BytesIO()
    drawn((16, 16)).save(file, "PNG")
    corpus = OneFile(file.getvalue())
    pictures = Pictures(corpus, memory=5 * len(file.getvalue()))  # type: ignore[arg-type]
    for number in range(20):
        pictures.of(shown(number))
    for number in range(15, 20):
        pictures.of(shown(number))
    assert corpus.asked == 20
    pictures.of(shown(14))
    assert corpus.asked == 21


def test_a_picture_that_is_gone_is_broken() -> None:
    with pytest.raises(BrokenPictureError):
        Pictures(OneFile(None)).of(shown())  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "٣", "1.5", "x"])
def test_what_is_no_number_is_no_picture(office: Any, number: str, caplog: pytest.LogCaptureFixture) -> None:
    assert office.person().get(f"/pictures/{number}").status_code == 404
    assert office.browser().get(f"/pictures/{number}").status_code in (401, 404)
    assert caplog.records == []


def test_pictures_come_from_an_object_store_too(stored: Path) -> None:
    store = fsspec.filesystem("memory")
    store.put(str(stored), "/pictures-corpus", recursive=True)
    task = shown(3)._replace(stored_in="g0001-000001", offset=512 * 3, size=400, format="jpg")
    here, there = (Pictures(Corpus(url)).of(task) for url in (str(stored), "memory://pictures-corpus"))
    assert there == here
    assert there.data.startswith(b"\xff\xd8")
    store.rm("/pictures-corpus", recursive=True)
